//! Reviews supersede by retraction, and quality is exact under corrections, whatever the order in which topics are read.

use super::facts::{Fact, Reviewed, Second};
use super::latest::{Effects, Gathered, Tickets};
use super::latest_tests::{NOW, at, opinion, tickets};
use super::quality::record;
use super::reviewed::{Restored, Reviews};
use super::samples::{DAY_S, QualityKey, Samples, Verdict, Verdicts};
use super::tally::{Dimension, Head, Tally};
use crate::opinions::tests::ticket;
use crate::reviews::{ReviewBody, TicketReview};
use deskstream_runtime::config::Ask;
use deskstream_schemas::{Command, EnrichedTicket, Review, ReviewResult, TicketState, Tier};
use differential_dataflow::difference::{IsZero, Semigroup};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn review(of: &EnrichedTicket, at: i64, labels: [Option<&str>; 3]) -> TicketReview {
    let [root_cause, urgency, sentiment] = labels.map(|label| label.map(str::to_owned));
    TicketReview {
        tenant: of.tenant.clone(),
        platform: of.platform,
        ticket_id: of.ticket_id.clone(),
        body: ReviewBody {
            event_id: of.event_id.clone(),
            version: u64::try_from(of.version).unwrap(),
            root_cause,
            urgency,
            sentiment,
            reviewed_by: "u1".into(),
            reviewed_at: at,
        },
    }
}

/// The dataflow's operator without the dataflow: `log` stands for the topic `enriched`, where events are read back.
struct World {
    tickets: Tickets,
    log: BTreeMap<(String, i64), EnrichedTicket>,
    states: Vec<TicketState>,
    commands: Vec<Command>,
    reviews: Vec<Review>,
    window: Tally,
    samples: Samples,
}

impl World {
    fn new(restored: Vec<Review>) -> Self {
        let (reviews, Restored { samples, .. }) = Reviews::restored(restored, i64::MAX);
        Self {
            tickets: tickets(Ask::Always, reviews),
            log: BTreeMap::new(),
            states: vec![],
            commands: vec![],
            reviews: vec![],
            window: Tally::default(),
            samples,
        }
    }

    fn fact(&mut self, ticket: &EnrichedTicket, replayed: bool) {
        self.log.insert((ticket.ticket_id.clone(), at(ticket).offset), ticket.clone());
        let mut gathered = Gathered::default();
        let effects = self.tickets.apply(Fact::new(ticket.clone(), at(ticket), replayed), NOW, &mut gathered);
        self.note(effects, gathered);
    }

    fn opinion(&mut self, of: &EnrichedTicket, id: &str, cause: &'static str) {
        let mut gathered = Gathered::default();
        let second = Second::new(opinion(of, id, cause), false);
        let effects = self.tickets.apply_opinion(second, NOW, &mut gathered);
        self.note(effects, gathered);
    }

    fn review(&mut self, review: TicketReview) {
        let ticket_id = review.ticket_id.clone();
        let reviewed = Reviewed::new(review);
        let ticket_hash = reviewed.ticket_hash;
        let mut gathered = Gathered::default();
        let effects = self.tickets.apply_review(reviewed, NOW, &mut gathered);
        let position = effects.read_back;
        self.note(effects, gathered);
        if let Some(position) = position {
            let event = self.log.get(&(ticket_id, position.offset)).cloned();
            let mut gathered = Gathered::default();
            let samples = &mut gathered.samples;
            let effects = self.tickets.apply_read_back(ticket_hash, position, event, NOW, samples);
            self.note(effects, gathered);
        }
    }

    fn note(&mut self, effects: Effects, mut gathered: Gathered) {
        self.states.extend(effects.state);
        self.commands.extend(effects.command);
        self.reviews.extend(effects.review);
        for (key, verdicts) in std::mem::take(&mut gathered.samples) {
            self.samples.entry(key).or_default().plus_equals(&verdicts);
        }
        self.samples.retain(|_, verdicts| !verdicts.is_zero());
        for (window, tally) in gathered.into_windows(NOW, 86_400_000) {
            if window.size_s == DAY_S && &*window.tenant == "acme" {
                self.window.plus_equals(&tally);
            }
        }
    }

    fn causes(&self) -> Vec<(String, i64)> {
        let causes = self.window.iter().filter_map(|(dimension, count)| match dimension {
            Dimension::RootCause(cause) => Some((cause.to_string(), count)),
            _ => None,
        });
        causes.collect()
    }

    fn total(&self, head: Head, model: &str) -> Verdicts {
        let key = QualityKey {
            tenant: "acme".into(),
            head,
            model: model.into(),
            language: "*".into(),
            size_s: 0,
            start_ms: 0,
        };
        self.samples.get(&key).cloned().unwrap_or_default()
    }

    /// The latest record of each ticket's review, as the compacted topic keeps it.
    fn topic(&self) -> Vec<Review> {
        let latest: BTreeMap<_, _> = self.reviews.iter().map(|r| (r.key(), r.clone())).collect();
        latest.into_values().collect()
    }
}

fn verdict(human: &str, predicted: &str) -> Verdict {
    Verdict { human: human.into(), predicted: predicted.into(), abstained: false }
}

#[test]
fn a_review_moves_its_ticket_in_windows_and_tells_state_helpdesk_and_quality() {
    let mut world = World::new(vec![]);
    let first = ticket(1, 1, 0.9, "I was charged twice");
    world.fact(&first, false);
    world.review(review(&first, 10, [Some("refund"), Some("high"), None]));
    assert_eq!(world.causes(), [("refund".to_owned(), 1)], "the model's label was taken away");
    assert_eq!(world.window.get(&Dimension::Urgency("high".into())), 1);
    assert_eq!(world.window.get(&Dimension::Urgency("normal".into())), 0);
    assert_eq!(world.window.get(&Dimension::Tier("human".into())), 1);
    assert_eq!(world.window.get(&Dimension::Tickets), 1);
    let state = world.states.last().unwrap();
    assert_eq!((state.analysis.tier, &*state.analysis.root_cause.value), (Tier::Human, "refund"));
    assert_eq!(&*state.analysis.sentiment.value, "neutral", "nobody judged it");
    assert!(world.commands.last().unwrap().tags.contains(&"ds_cause_refund".to_owned()));
    let published = world.reviews.last().unwrap();
    assert_eq!((published.result, published.predictions.len()), (ReviewResult::Applied, 1));
    assert_eq!(world.total(Head::RootCause, "local/x").get(&verdict("refund", "billing")), 1);
    assert_eq!(world.total(Head::Urgency, "local/x").get(&verdict("high", "normal")), 1);
    assert!(world.total(Head::Sentiment, "local/x").is_zero(), "what was not judged is no sample");
}

#[test]
fn a_later_review_takes_the_earlier_one_away_and_an_older_one_changes_nothing() {
    let mut world = World::new(vec![]);
    let first = ticket(1, 1, 0.9, "I was charged twice");
    world.fact(&first, false);
    world.review(review(&first, 10, [Some("refund"), Some("high"), None]));
    world.review(review(&first, 20, [Some("delivery"), None, None]));
    assert_eq!(world.causes(), [("delivery".to_owned(), 1)]);
    assert_eq!(world.window.get(&Dimension::Urgency("normal".into())), 1, "the model's stands again");
    assert_eq!(world.total(Head::RootCause, "local/x").iter().count(), 1);
    assert_eq!(world.total(Head::RootCause, "local/x").get(&verdict("delivery", "billing")), 1);
    assert!(world.total(Head::Urgency, "local/x").is_zero());
    let published = world.reviews.len();
    world.review(review(&first, 15, [Some("refund"), None, None]));
    assert_eq!((world.causes(), world.reviews.len()), (vec![("delivery".to_owned(), 1)], published));
}

#[test]
fn a_review_stands_over_opinions_that_come_before_and_after() {
    for before in [true, false] {
        let mut world = World::new(vec![]);
        let first = ticket(1, 1, 0.9, "I was charged twice");
        world.fact(&first, false);
        if before {
            world.opinion(&first, "o1", "how_to");
        }
        world.review(review(&first, 10, [Some("refund"), None, None]));
        if !before {
            world.opinion(&first, "o1", "how_to");
        }
        assert_eq!(world.causes(), [("refund".to_owned(), 1)], "{before}");
        let state = world.states.last().unwrap();
        assert_eq!((state.analysis.tier, &*state.analysis.root_cause.value), (Tier::Human, "refund"));
        // Both models are told how they did.
        let tiers: Vec<_> = world.reviews.last().unwrap().predictions.iter().map(|p| p.tier).collect();
        assert_eq!(tiers, [Tier::Local, Tier::Llm], "{before}");
    }
}

#[test]
fn another_text_keeps_the_root_cause_and_is_judged_anew_otherwise() {
    let mut world = World::new(vec![]);
    world.fact(&ticket(1, 1, 0.9, "I was charged twice"), false);
    world.review(review(&ticket(1, 1, 0.9, ""), 10, [Some("refund"), Some("high"), None]));
    world.fact(&ticket(1, 2, 0.9, "I was charged twice"), false);
    assert_eq!(world.window.get(&Dimension::Urgency("high".into())), 1, "only the status has changed");
    world.fact(&ticket(1, 3, 0.9, "Any news?"), false);
    assert_eq!(world.causes(), [("refund".to_owned(), 1)]);
    assert_eq!(world.window.get(&Dimension::Urgency("normal".into())), 1);
    assert_eq!(world.total(Head::Urgency, "local/x").get(&verdict("high", "normal")), 1, "it was so");
    // A review of what was there before the new text.
    world.review(review(&ticket(1, 2, 0.9, ""), 20, [Some("delivery"), Some("low"), None]));
    assert_eq!(world.reviews.last().unwrap().result, ReviewResult::TextChanged);
    assert_eq!(world.causes(), [("delivery".to_owned(), 1)]);
    assert_eq!(world.window.get(&Dimension::Urgency("low".into())), 0);
}

#[test]
fn a_review_of_a_ticket_that_is_not_known_is_kept_and_applied_when_its_event_comes() {
    let mut world = World::new(vec![]);
    let first = ticket(1, 1, 0.9, "I was charged twice");
    world.review(review(&first, 10, [Some("refund"), None, None]));
    assert_eq!(world.reviews.last().unwrap().result, ReviewResult::UnknownTicket);
    assert!(world.samples.is_empty() && world.window.is_zero());
    world.fact(&first, false);
    assert_eq!(world.reviews.last().unwrap().result, ReviewResult::Applied);
    assert_eq!(world.causes(), [("refund".to_owned(), 1)]);
    assert_eq!(world.states.last().unwrap().analysis.tier, Tier::Human);
    assert_eq!(world.total(Head::RootCause, "local/x").get(&verdict("refund", "billing")), 1);
}

#[test]
fn a_restart_finds_what_was_published_and_repeats_only_what_may_be_lost() {
    let mut before = World::new(vec![]);
    let first = ticket(1, 1, 0.9, "I was charged twice");
    before.fact(&first, false);
    let said = review(&first, 10, [Some("refund"), None, Some("negative")]);
    before.review(said.clone());

    let mut after = World::new(before.topic());
    after.fact(&first, true);
    assert_eq!((after.states.len(), after.commands.len(), after.reviews.len()), (0, 0, 0));
    assert_eq!((&after.window, &after.samples), (&before.window, &before.samples));
    // Its offset had not been committed: it is read again.
    after.review(said);
    assert_eq!((&after.window, &after.samples), (&before.window, &before.samples));
    assert_eq!(after.states.last().unwrap().analysis, before.states.last().unwrap().analysis);
    assert!(after.commands.iter().all(|c| before.commands.iter().any(|b| b.command_id == c.command_id)));
    // And a correction after the restart takes away what was counted before it.
    after.review(review(&first, 20, [Some("delivery"), None, None]));
    assert_eq!(after.total(Head::RootCause, "local/x").iter().count(), 1);
    assert!(after.total(Head::Sentiment, "local/x").is_zero());
}

/// The process ended between publishing a review and its windows of quality: these are published again, also those of a head
/// that the review does not name any more.
#[test]
fn windows_of_what_may_not_have_been_committed_are_doubtful() {
    let mut world = World::new(vec![]);
    let first = ticket(1, 1, 0.9, "I was charged twice");
    world.fact(&first, false);
    world.review(review(&first, 10, [Some("refund"), None, None]));
    let (_, settled) = Reviews::restored(world.topic(), NOW + 100);
    assert!(settled.doubtful.is_empty() && !settled.samples.is_empty());
    let (_, doubted) = Reviews::restored(world.topic(), NOW);
    // Three heads, by day and total, of the tenant and of all, in English and in all languages.
    assert_eq!(doubted.doubtful.len(), 3 * 2 * 2 * 2);
    assert!(doubted.samples.keys().all(|key| doubted.doubtful.contains(key)));
}

/// A confusion matrix: what the reviewer said, what the model, and how often.
type Cells = BTreeMap<(String, String), i64>;

/// What a step of a made-up day does.
#[derive(Debug, Clone)]
enum Step {
    Event { ticket: u64, text: u8 },
    Opinion { ticket: u64, cause: usize },
    Review { ticket: u64, labels: [Option<usize>; 3] },
    Restart,
}

const CAUSES: [&str; 3] = ["billing", "refund", "how_to"];
const URGENCIES: [&str; 3] = ["low", "normal", "high"];
const MOODS: [&str; 3] = ["negative", "neutral", "positive"];

fn step() -> impl Strategy<Value = Step> {
    let label = || prop::option::of(0..3_usize);
    prop_oneof![
        3 => (0..4_u64, 0..2_u8).prop_map(|(ticket, text)| Step::Event { ticket, text }),
        2 => (0..4_u64, 0..3_usize).prop_map(|(ticket, cause)| Step::Opinion { ticket, cause }),
        4 => (0..4_u64, label(), label(), label())
            .prop_map(|(ticket, a, b, c)| Step::Review { ticket, labels: [a, b, c] }),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    /// The windows and the quality that are kept by addition and retraction are those of a fresh count over what the
    /// day came to: each ticket's last state, last opinion on its text, and last review.
    #[test]
    fn windows_and_quality_are_those_of_a_naive_count(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new(vec![]);
        let mut latest: BTreeMap<u64, EnrichedTicket> = BTreeMap::new();
        let mut opinions: BTreeMap<(u64, String), &'static str> = BTreeMap::new();
        let mut reviews: BTreeMap<u64, (EnrichedTicket, [Option<&'static str>; 3])> = BTreeMap::new();
        let mut history = vec![];
        for (step, clock) in steps.iter().zip(1_i64..) {
            match step {
                Step::Event { ticket: id, text } => {
                    let event = ticket(*id, clock, 0.9, if *text == 0 { "one text" } else { "another" });
                    world.fact(&event, false);
                    history.push(event.clone());
                    latest.insert(*id, event);
                }
                Step::Opinion { ticket: id, cause } => {
                    let Some(event) = latest.get(id) else { continue };
                    // A second answer to a text that was answered would be a repeat.
                    if opinions.contains_key(&(*id, event.body.clone())) {
                        continue;
                    }
                    world.opinion(event, &format!("o{clock}"), CAUSES[*cause]);
                    opinions.insert((*id, event.body.clone()), CAUSES[*cause]);
                }
                Step::Review { ticket: id, labels: [a, b, c] } => {
                    let Some(event) = latest.get(id) else { continue };
                    let labels = [a.map(|i| CAUSES[i]), b.map(|i| URGENCIES[i]), c.map(|i| MOODS[i])];
                    world.review(review(event, clock, labels));
                    reviews.insert(*id, (event.clone(), labels));
                }
                Step::Restart => {
                    let (samples, window) = (world.samples.clone(), world.window.clone());
                    let mut restarted = World::new(world.topic());
                    history.iter().for_each(|event| restarted.fact(event, true));
                    for ((id, body), cause) in &opinions {
                        let of = history.iter().find(|e| e.ticket_id == id.to_string() && e.body == *body);
                        restarted.opinion(of.unwrap(), &format!("again {id} {body}"), cause);
                    }
                    prop_assert_eq!(&restarted.samples, &samples, "after a restart");
                    let labels = |tally: &Tally| tally.iter().filter(|(d, _)| matches!(
                        d, Dimension::RootCause(_) | Dimension::Urgency(_) | Dimension::Sentiment(_)
                            | Dimension::Tier(_) | Dimension::Tickets | Dimension::Confidence(..)
                    )).map(|(d, n)| (d.clone(), n)).collect::<Vec<_>>();
                    prop_assert_eq!(labels(&restarted.window), labels(&window), "after a restart");
                    restarted.reviews = world.reviews.clone();
                    world = restarted;
                }
            }
        }
        // Counted anew, the slow and obvious way.
        let mut causes: BTreeMap<String, i64> = BTreeMap::new();
        let mut urgencies: BTreeMap<String, i64> = BTreeMap::new();
        let mut matrices: BTreeMap<(&str, String), Cells> = BTreeMap::new();
        for (id, event) in &latest {
            let model = opinions.get(&(*id, event.body.clone())).copied().unwrap_or("billing");
            let (seen, labels) = match reviews.get(id) {
                Some((seen, labels)) => (Some(seen), *labels),
                None => (None, [None; 3]),
            };
            let same = seen.is_some_and(|seen| seen.body == event.body);
            *causes.entry(labels[0].unwrap_or(model).to_owned()).or_default() += 1;
            let urgency = labels[1].filter(|_| same).unwrap_or("normal");
            *urgencies.entry(urgency.to_owned()).or_default() += 1;
            let Some(seen) = seen else { continue };
            let mut said = vec![("local/x", "billing")];
            said.extend(opinions.get(&(*id, seen.body.clone())).map(|cause| ("llm", *cause)));
            for (who, cause) in said {
                for (head, human, predicted) in [
                    ("root_cause", labels[0], cause),
                    ("urgency", labels[1], "normal"),
                    ("sentiment", labels[2], "neutral"),
                ] {
                    let Some(human) = human else { continue };
                    let matrix = matrices.entry((head, who.to_owned())).or_default();
                    *matrix.entry((human.to_owned(), predicted.to_owned())).or_default() += 1;
                }
            }
        }
        prop_assert_eq!(world.causes().into_iter().collect::<BTreeMap<_, _>>(), causes);
        for (urgency, count) in urgencies {
            prop_assert_eq!(world.window.get(&Dimension::Urgency(urgency.as_str().into())), count);
        }
        // The sample opinions of these tests keep the local model's name: both tiers are one model in the windows.
        let mut summed: BTreeMap<&str, Cells> = BTreeMap::new();
        for ((head, _), matrix) in matrices {
            let sum = summed.entry(head).or_default();
            matrix.into_iter().for_each(|(cell, n)| *sum.entry(cell).or_default() += n);
        }
        for head in [Head::RootCause, Head::Urgency, Head::Sentiment] {
            let verdicts = world.total(head, "local/x");
            let counted: BTreeMap<_, _> = verdicts
                .iter()
                .map(|(v, n)| ((v.human.to_string(), v.predicted.to_string()), n))
                .collect();
            let expected = summed.remove(head.as_str()).unwrap_or_default();
            prop_assert_eq!(&counted, &expected);
            // And the published figures follow from the same cells.
            let key = world.samples.keys().find(|key| key.head == head && key.size_s == DAY_S);
            if let Some(key) = key {
                let published = record(key, &world.samples[key], 1);
                let n: i64 = expected.values().sum();
                let correct: i64 = expected.iter().filter(|((h, p), _)| h == p).map(|(_, n)| n).sum();
                prop_assert_eq!((published.samples, published.correct), (n, correct));
                for class in &published.classes {
                    let count = |of: &dyn Fn(&(String, String)) -> bool| -> i64 {
                        expected.iter().filter(|(cell, _)| of(cell)).map(|(_, n)| n).sum()
                    };
                    let label = class.label.to_string();
                    prop_assert_eq!(class.support, count(&|(h, _)| *h == label));
                    prop_assert_eq!(class.predicted, count(&|(_, p)| *p == label));
                    prop_assert_eq!(class.true_positives, count(&|(h, p)| *h == label && h == p));
                }
            }
        }
    }
}
