//! A record's way from a partition into its lane's batch.

use super::batch::{Limits, Refused};
use super::insert::Deliver;
use super::lane::{Admission, Lane};
use super::position;
use super::rows::Table;
use deskstream_schemas::{DecodeError, Decoder};
use rdkafka::message::Message;
use tokio::time::Instant;

/// Decoded, a record takes about this many times its size on the wire, and this much for its own.
const MEMORY_FACTOR: usize = 2;
const MEMORY_PER_RECORD: usize = 512;

/// Whether a record was taken in.
#[derive(PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    NotYet,
}

/// Takes in what waits, in order; true if something was taken.
pub(super) fn take_waiting<T: Table>(
    decoder: &Decoder<T>,
    deliver: &Deliver,
    partition: i32,
    lane: &mut Lane<T>,
    limits: &Limits,
) -> bool {
    let mut took = false;
    while lane.is_open() && !lane.is_full(limits) {
        let Some(message) = lane.waiting.pop_front() else { break };
        if take(decoder, deliver, partition, lane, &message) == Taken::NotYet {
            lane.waiting.push_front(message);
            break;
        }
        took = true;
    }
    took
}

/// The memory that a record takes once it is decoded.
pub(super) fn held_by(message: &impl Message) -> usize {
    message.payload().map_or(0, <[u8]>::len) * MEMORY_FACTOR + MEMORY_PER_RECORD
}

pub(super) fn take<T: Table>(
    decoder: &Decoder<T>,
    deliver: &Deliver,
    partition: i32,
    lane: &mut Lane<T>,
    message: &impl Message,
) -> Taken {
    let offset = message.offset();
    match lane.admit(offset) {
        Ok(Admission::Next) => {}
        Ok(Admission::BehindPlan) => return Taken::NotYet,
        Err(refusal) => {
            refuse(lane, deliver, T::TABLE, partition, &refusal);
            return Taken::Yes;
        }
    }
    let Some(batch) = lane.batch() else { return Taken::NotYet };
    let now = Instant::now();
    let Some(payload) = message.payload() else {
        // A tombstone of a compacted topic: ClickHouse keeps what it has.
        batch.pass(offset, 0, now);
        return Taken::Yes;
    };
    match decoder.decode(payload) {
        Ok(record) => batch.push(offset, record, held_by(message), now),
        Err(DecodeError::Pending { .. }) => return Taken::NotYet,
        Err(error) => batch.refuse(
            Refused {
                offset,
                key: message.key().map(<[u8]>::to_vec),
                payload: payload.to_vec(),
                reason: error.reason(),
                error: error.to_string(),
            },
            now,
        ),
    }
    Taken::Yes
}

pub(super) fn refuse<T>(
    lane: &mut Lane<T>,
    deliver: &Deliver,
    table: &str,
    partition: i32,
    refusal: &position::Refusal,
) {
    tracing::error!(table, partition, %refusal, "partition refused: it stands still until somebody acts");
    deliver.troubles.refuse(partition, format!("partition {partition} of {table}: {refusal}"));
    lane.refuse();
}
