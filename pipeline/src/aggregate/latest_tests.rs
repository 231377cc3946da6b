//! Second opinions supersede by retraction, whatever the order in which topics are read.

use super::facts::{Fact, Position, Second};
use super::latest::{Gathered, Tickets};
use super::reviewed::Reviews;
use super::tally::{Dimension, Tally};
use crate::opinions::tests::{policies, ticket};
use crate::opinions::text_hash;
use deskstream_runtime::config::{Ask, DraftPolicy, PriorityPolicy, WriteBackConfig};
use deskstream_schemas::{Command, EnrichedTicket, Label, Opinion, OpinionResult, TicketState, Tier};
use differential_dataflow::difference::Semigroup;
use proptest::prelude::*;

pub(super) const NOW: i64 = 1_000_100;

/// Where an event of a test lies.
pub(super) fn at(ticket: &EnrichedTicket) -> Position {
    Position { partition: 0, offset: ticket.version }
}

pub(super) fn tickets(ask: Ask, reviews: Reviews) -> Tickets {
    let config = WriteBackConfig {
        enabled: true,
        dry_run: false,
        tag_prefix: "ds_".into(),
        tags: true,
        max_per_hour: None,
        priority: PriorityPolicy::Never,
        note: false,
        draft: DraftPolicy::Never,
        custom_fields: true,
    };
    Tickets::new(config, policies(ask), 86_400_000, reviews)
}

pub(super) fn opinion(ticket: &EnrichedTicket, id: &str, cause: &'static str) -> Opinion {
    let mut analysis = ticket.analysis.clone();
    analysis.root_cause = Label { value: cause.into(), confidence: 0.9, abstained: false };
    analysis.tier = Tier::Llm;
    Opinion {
        opinion_id: id.to_owned(),
        request_id: "r".into(),
        tenant: ticket.tenant.clone(),
        platform: ticket.platform,
        ticket_id: ticket.ticket_id.clone(),
        event_id: ticket.event_id.clone(),
        version: ticket.version,
        text_hash: text_hash(&ticket.subject, &ticket.body),
        asked_at: NOW,
        answered_at: NOW,
        result: OpinionResult::Answered,
        reason: "".into(),
        provider: "main".into(),
        prompt: "v1".into(),
        content_hash: String::new(),
        cached: false,
        attempts: 1,
        latency_ms: 5,
        tokens_in: 400,
        tokens_out: 60,
        cost_microusd: 100,
        price_as_of: String::new(),
        analysis: Some(analysis),
    }
}

/// What the dataflow publishes, and the one window that all of it lies in.
#[derive(Debug, Default)]
struct Seen {
    states: Vec<TicketState>,
    commands: Vec<Command>,
    window: Tally,
}

impl Seen {
    fn fact(&mut self, tickets: &mut Tickets, ticket: &EnrichedTicket, replayed: bool) {
        let mut gathered = Gathered::default();
        let effects = tickets.apply(Fact::new(ticket.clone(), at(ticket), replayed), NOW, &mut gathered);
        self.note(effects.state, effects.command, gathered);
    }

    fn opinion(&mut self, tickets: &mut Tickets, opinion: &Opinion, replayed: bool) {
        let mut gathered = Gathered::default();
        let effects = tickets.apply_opinion(Second::new(opinion.clone(), replayed), NOW, &mut gathered);
        self.note(effects.state, effects.command, gathered);
    }

    fn note(&mut self, state: Option<TicketState>, command: Option<Command>, gathered: Gathered) {
        self.states.extend(state);
        self.commands.extend(command);
        for (window, tally) in gathered.into_windows(NOW, 86_400_000) {
            if window.size_s == 86_400 && &*window.tenant == "acme" {
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
}

#[test]
fn an_opinion_moves_its_ticket_to_the_better_label_and_tells_the_helpdesk() {
    let (mut tickets, mut seen) = (tickets(Ask::Always, Reviews::default()), Seen::default());
    let first = ticket(1, 1, 0.9, "I was charged twice");
    seen.fact(&mut tickets, &first, false);
    assert_eq!(tickets.waiting(), 1);
    seen.opinion(&mut tickets, &opinion(&first, "o1", "refund"), false);
    assert_eq!(seen.causes(), [("refund".to_owned(), 1)], "the local label was taken away");
    assert_eq!(seen.window.get(&Dimension::Tier("llm".into())), 1);
    assert_eq!(seen.window.get(&Dimension::Opinion("answered".into())), 1);
    assert_eq!(seen.window.get(&Dimension::OpinionCostMicrousd), 100);
    assert_eq!(seen.window.get(&Dimension::Tickets), 1);
    assert_eq!(tickets.waiting(), 0);
    let last = seen.states.last().unwrap();
    assert_eq!((last.analysis.tier, last.analysis.root_cause.value.as_ref()), (Tier::Llm, "refund"));
    assert_eq!(seen.commands.len(), 2);
    assert!(seen.commands[1].tags.contains(&"ds_cause_refund".to_owned()), "{:?}", seen.commands[1].tags);
    // It comes once more.
    let before = seen.window.clone();
    seen.opinion(&mut tickets, &opinion(&first, "o1", "refund"), false);
    assert_eq!((seen.window.clone(), seen.states.len()), (before, 2));
}

#[test]
fn a_later_state_with_the_same_text_keeps_the_opinion_and_another_text_loses_it() {
    let (mut tickets, mut seen) = (tickets(Ask::Always, Reviews::default()), Seen::default());
    let first = ticket(1, 1, 0.9, "I was charged twice");
    seen.fact(&mut tickets, &first, false);
    seen.opinion(&mut tickets, &opinion(&first, "o1", "refund"), false);
    seen.fact(&mut tickets, &ticket(1, 2, 0.9, "I was charged twice"), false);
    assert_eq!(seen.causes(), [("refund".to_owned(), 1)]);
    assert_eq!(seen.states.last().unwrap().analysis.tier, Tier::Llm);
    // The answer to that event's own request comes from the cache, and changes nothing.
    let cached = Opinion { cached: true, cost_microusd: 0, ..opinion(&first, "o2", "refund") };
    seen.opinion(&mut tickets, &cached, false);
    assert_eq!((seen.states.len(), seen.causes()), (3, vec![("refund".to_owned(), 1)]));
    let third = ticket(1, 3, 0.9, "My password does not work");
    seen.fact(&mut tickets, &third, false);
    assert_eq!(seen.causes(), [("billing".to_owned(), 1)]);
    // An opinion on the old text comes late.
    seen.opinion(&mut tickets, &opinion(&first, "o3", "fraud_or_security"), false);
    assert_eq!(seen.causes(), [("billing".to_owned(), 1)]);
}

#[test]
fn what_nobody_answered_leaves_the_local_judgement() {
    let (mut tickets, mut seen) = (tickets(Ask::Always, Reviews::default()), Seen::default());
    let first = ticket(1, 1, 0.9, "I was charged twice");
    seen.fact(&mut tickets, &first, false);
    let skipped = Opinion {
        result: OpinionResult::Skipped,
        reason: "budget".into(),
        analysis: None,
        cost_microusd: 0,
        ..opinion(&first, "o1", "refund")
    };
    seen.opinion(&mut tickets, &skipped, false);
    assert_eq!(seen.causes(), [("billing".to_owned(), 1)]);
    assert_eq!(seen.window.get(&Dimension::Opinion("skipped".into())), 1);
    assert_eq!((seen.states.len(), tickets.waiting()), (1, 0), "nobody waits any longer");
}

#[test]
fn after_a_restart_what_was_published_is_not_published_again_and_the_rest_is() {
    let first = ticket(1, 1, 0.9, "I was charged twice");
    for committed in [true, false] {
        for ahead in [true, false] {
            let (mut tickets, mut seen) = (tickets(Ask::Always, Reviews::default()), Seen::default());
            if ahead {
                seen.opinion(&mut tickets, &opinion(&first, "o1", "refund"), committed);
            }
            seen.fact(&mut tickets, &first, true);
            if !ahead {
                seen.opinion(&mut tickets, &opinion(&first, "o1", "refund"), committed);
            }
            let expected = usize::from(!committed);
            assert_eq!((seen.states.len(), seen.commands.len()), (expected, expected), "{committed} {ahead}");
            assert_eq!(seen.causes(), [("refund".to_owned(), 1)]);
        }
    }
}

proptest! {
    /// Opinions of a ticket keep their order, since they have one key; facts and opinions mix in any way.
    #[test]
    fn windows_are_the_same_in_whichever_order_topics_are_read(
        order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle(),
        bodies in prop::collection::vec(0..2_u8, 6),
    ) {
        let facts: Vec<_> = bodies.iter().zip(1..).map(|(body, version)| {
            ticket(version as u64 % 3, version, 0.9, if *body == 0 { "one text" } else { "another text" })
        }).collect();
        let causes = ["refund", "delivery", "how_to"];
        let opinions: Vec<_> = facts.iter().enumerate().map(|(i, fact)| {
            opinion(fact, &format!("o{i}"), causes[i % 3])
        }).collect();
        let run = |order: &[usize]| {
            let (mut tickets, mut seen) = (tickets(Ask::Always, Reviews::default()), Seen::default());
            let mut next = [0; 2];
            for at in order {
                let side = at % 2;
                if side == 0 {
                    seen.fact(&mut tickets, &facts[next[0]], true);
                } else {
                    seen.opinion(&mut tickets, &opinions[next[1]], true);
                }
                next[side] += 1;
            }
            seen.window
        };
        prop_assert_eq!(run(&order), run(&(0..12).collect::<Vec<_>>()));
    }
}
