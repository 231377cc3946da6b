//! `LatestTicket`: the operator around [`Tickets`]. Its first output updates the windows, its second is to be published, its
//! third updates what quality is counted from.
//!
//! Events, opinions and failures are taken in as they come; reviews when their epoch is over, and so after every event that
//! was read with them, be it in a replay. A reviewed ticket's event is read back meanwhile ([`ReadBack`]): only what is
//! published for it waits, under its epoch's capability, so that no offset is committed before.

use super::dataflow::{Clock, Codecs, Retired, Update, out_record};
use super::facts::{Fact, Failure, Reviewed, Second};
use super::latest::{Effects, Gathered, Tickets};
use super::read_back::{Answer, ReadBack};
use super::reviewed::Restored;
use super::samples::{QualityKey, Samples, Verdicts, touch};
use crate::enrich::OutRecord;
use crate::metrics;
use deskstream_schemas::Topic;
use differential_dataflow::difference::{Abelian, IsZero};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{OutputBuilder, OutputBuilderSession};
use timely::dataflow::operators::{Capability, InputCapability};

/// Tickets that no window needs are forgotten this often.
const FORGET_EVERY_MS: i64 = 600_000;

/// What the operator takes in.
pub(super) struct Facts<'scope> {
    pub(super) facts: StreamVec<'scope, u64, Fact>,
    pub(super) seconds: StreamVec<'scope, u64, Second>,
    pub(super) reviews: StreamVec<'scope, u64, Reviewed>,
    pub(super) failures: StreamVec<'scope, u64, Failure>,
}

/// What the operator gives.
pub(super) struct Latest<'scope> {
    pub(super) updates: StreamVec<'scope, u64, Update>,
    pub(super) records: StreamVec<'scope, u64, OutRecord>,
    pub(super) samples: StreamVec<'scope, u64, Sample>,
}

/// An update of the collection that quality is counted from.
pub(super) type Sample = (QualityKey, u64, Verdicts);

/// What the operator keeps.
pub(super) struct Keeper {
    pub(super) tickets: Tickets,
    /// What restored reviews count for.
    pub(super) restored: Restored,
    pub(super) clock: Clock,
    pub(super) codecs: Arc<Codecs>,
    pub(super) retired: Retired,
    pub(super) read_back: ReadBack,
}

/// An epoch that is not over.
struct Opened {
    updates: Capability<u64>,
    records: Capability<u64>,
    samples: Capability<u64>,
    gathered: Gathered,
    reviews: Vec<Reviewed>,
}

/// The capabilities, for records and samples, of an epoch in which an event is read back.
type Waiting = (Capability<u64>, Capability<u64>);

/// Builds the operator.
pub(super) fn latest(inputs: Facts<'_>, keeper: Keeper) -> Latest<'_> {
    let Keeper { mut tickets, restored, clock, codecs, retired, read_back } = keeper;
    let scope = inputs.facts.scope();
    let mut builder = OperatorBuilder::new("LatestTicket".to_owned(), scope);
    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    let mut facts = builder.new_input(inputs.facts, Exchange::new(Fact::route));
    let mut seconds = builder.new_input(inputs.seconds, Exchange::new(Second::route));
    let mut reviews = builder.new_input(inputs.reviews, Exchange::new(Reviewed::route));
    let mut failures = builder.new_input(inputs.failures, Pipeline);
    let (updates, update_stream) = builder.new_output();
    let (records, record_stream) = builder.new_output();
    let (samples, sample_stream) = builder.new_output();
    let mut updates = OutputBuilder::<_, CapacityContainerBuilder<Vec<Update>>>::from(updates);
    let mut records = OutputBuilder::<_, CapacityContainerBuilder<Vec<OutRecord>>>::from(records);
    let mut samples = OutputBuilder::<_, CapacityContainerBuilder<Vec<Sample>>>::from(samples);
    let (answer, answers) = crossbeam_channel::unbounded();
    builder.build(move |capabilities| {
        let mut restored = capabilities.into_iter().nth(2).map(|first| (first, restored));
        let mut opened: BTreeMap<u64, Opened> = BTreeMap::new();
        let mut awaited: HashMap<u128, Vec<Waiting>> = HashMap::new();
        let mut forgotten_at = clock.resume_ms;
        move |frontiers| {
            let mut records = records.activate();
            let mut samples = samples.activate();
            if let Some((first, restored)) = restored.take() {
                let Restored { samples: counted, doubtful } = restored;
                let once = |count| {
                    let mut verdicts = Verdicts::default();
                    verdicts.add(touch(), count);
                    verdicts
                };
                let published = counted.into_iter().map(|(key, verdicts)| (key, 0, verdicts));
                let added = doubtful.iter().map(|key| (key.clone(), 0, once(1)));
                samples.session(&first).give_iterator(published.chain(added));
                // What comes after epoch 0 is published.
                let taken = doubtful.iter().map(|key| (key.clone(), 1, once(-1)));
                samples.session(&first.delayed(&1)).give_iterator(taken);
            }
            facts.for_each(|capability, facts| {
                let Some(opened) = open(&mut opened, &capability) else { return };
                let now = clock.at(*opened.records.time());
                let mut session = records.session(&opened.records);
                for fact in facts.drain(..) {
                    let effects = tickets.apply(fact, now, &mut opened.gathered);
                    session.give_iterator(effects.records(&codecs));
                }
            });
            seconds.for_each(|capability, seconds| {
                let Some(opened) = open(&mut opened, &capability) else { return };
                let now = clock.at(*opened.records.time());
                let mut session = records.session(&opened.records);
                for second in seconds.drain(..) {
                    let effects = tickets.apply_opinion(second, now, &mut opened.gathered);
                    session.give_iterator(effects.records(&codecs));
                }
            });
            reviews.for_each(|capability, reviews| {
                let Some(opened) = open(&mut opened, &capability) else { return };
                opened.reviews.append(reviews);
            });
            failures.for_each(|capability, failures| {
                let Some(opened) = open(&mut opened, &capability) else { return };
                failures.drain(..).for_each(|failure| opened.gathered.failure(&failure));
            });

            let mut updates = updates.activate();
            while let Some(first) = opened.first_entry() {
                if frontiers.iter().any(|f| f.frontier().less_equal(first.key())) {
                    break;
                }
                let (epoch, mut over) = first.remove_entry();
                let now = clock.at(epoch);
                for reviewed in over.reviews {
                    let ticket_hash = reviewed.ticket_hash;
                    let effects = tickets.apply_review(reviewed, now, &mut over.gathered);
                    if let Some(position) = effects.read_back {
                        let capabilities = (over.records.clone(), over.samples.clone());
                        awaited.entry(ticket_hash).or_default().push(capabilities);
                        read_back.ask(ticket_hash, position, &answer, &wake);
                    }
                    records.session(&over.records).give_iterator(effects.records(&codecs));
                }
                give(&mut samples, &over.samples, std::mem::take(&mut over.gathered.samples));
                let mut session = updates.session(&over.updates);
                for (window, tally) in over.gathered.into_windows(now, clock.horizon_ms) {
                    session.give((window, epoch, tally));
                }
                for (window, mut tally) in retired.borrow_mut().drain(..) {
                    tally.negate();
                    session.give((window, epoch, tally));
                }
                metrics::WAITING.set(i64::try_from(tickets.waiting()).unwrap_or(i64::MAX));
                if now - forgotten_at > FORGET_EVERY_MS {
                    forgotten_at = now;
                    tickets.forget_old(now);
                }
            }
            for Answer { ticket_hash, position, ticket } in answers.try_iter() {
                // Answers come in the order of the questions.
                let Some(waiting) = awaited.get_mut(&ticket_hash) else { continue };
                let (record, sample) = waiting.remove(0);
                if waiting.is_empty() {
                    awaited.remove(&ticket_hash);
                }
                let mut changed = Samples::new();
                let now = clock.at(*record.time());
                let effects = tickets.apply_read_back(ticket_hash, position, ticket, now, &mut changed);
                records.session(&record).give_iterator(effects.records(&codecs));
                give(&mut samples, &sample, changed);
            }
        }
    });
    Latest { updates: update_stream, records: record_stream, samples: sample_stream }
}

/// The epoch that something came in.
fn open<'a>(
    opened: &'a mut BTreeMap<u64, Opened>,
    capability: &InputCapability<u64>,
) -> Option<&'a mut Opened> {
    let updates = capability.retain_least(0)?;
    let records = capability.retain_least(1)?;
    let samples = capability.retain_least(2)?;
    let epoch = *updates.time();
    Some(opened.entry(epoch).or_insert_with(|| Opened {
        updates,
        records,
        samples,
        gathered: Gathered::default(),
        reviews: Vec::new(),
    }))
}

/// Sends changed samples. Epoch 0 is what was published before.
fn give(
    output: &mut OutputBuilderSession<'_, u64, CapacityContainerBuilder<Vec<Sample>>>,
    capability: &Capability<u64>,
    changed: Samples,
) {
    let at = (*capability.time()).max(1);
    let capability = capability.delayed(&at);
    let changed = changed.into_iter().filter(|(_, verdicts)| !verdicts.is_zero());
    output.session(&capability).give_iterator(changed.map(|(key, verdicts)| (key, at, verdicts)));
}

impl Effects {
    fn records(self, codecs: &Codecs) -> impl Iterator<Item = OutRecord> {
        let state = self
            .state
            .and_then(|state| out_record(Topic::Tickets, state.key(), codecs.tickets.encode(&state)));
        let review = self
            .review
            .and_then(|review| out_record(Topic::Reviews, review.key(), codecs.reviews.encode(&review)));
        let command = self.command.and_then(|command| {
            metrics::COMMANDS.inc();
            out_record(Topic::Commands, command.key(), codecs.commands.encode(&command))
        });
        state.into_iter().chain(review).chain(command)
    }
}
