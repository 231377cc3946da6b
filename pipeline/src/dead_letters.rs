//! Dead letters, read back: to see why events were refused, and to send them again once the cause is mended.

use crate::source::{AssignError, patiently, read_to_end};
use deskstream_runtime::Process;
use deskstream_runtime::seal::OpenError;
use deskstream_schemas::{DeadLetter, Decoder, TicketEvent, Topic};
use std::sync::Arc;

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this tenant only.
    pub tenant: Option<String>,
    /// With this reason only.
    pub reason: Option<String>,
    /// Refused at this time or later, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Refused before this time.
    pub until: Option<i64>,
}

impl Filter {
    /// Whether the letter is one of them.
    pub fn takes(&self, letter: &DeadLetter) -> bool {
        let same = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        same(&self.tenant, &letter.tenant)
            && same(&self.reason, &letter.reason)
            && self.since.is_none_or(|since| letter.failed_at >= since)
            && self.until.is_none_or(|until| letter.failed_at < until)
    }
}

/// Why a dead letter can't be sent again.
#[derive(Debug, thiserror::Error)]
pub enum NotReplayable {
    /// It was refused before it was an event.
    #[error("it came from {0}, not from the events topic: send it again where it came from")]
    NotAnEvent(String),
    /// It was too large to be kept.
    #[error("its payload was not kept")]
    NoPayload,
    /// It can't be opened, for instance since its tenant was erased.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is no event that could be read.
    #[error("it can't be read as an event: {0}")]
    Decode(String),
}

/// Reads the dead letters that there are now, of which the filter takes some.
///
/// # Errors
/// If the topic can't be read.
pub fn read(process: &Process, filter: &Filter, mut each: impl FnMut(DeadLetter)) -> Result<(), AssignError> {
    let decoder: Decoder<DeadLetter> = Decoder::new(Arc::clone(&process.registry));
    read_to_end(&process.config.kafka, &process.topics.name(Topic::DeadLetter), |_, payload| {
        let Some(payload) = payload else { return };
        match patiently(|| decoder.decode(payload)) {
            Ok(letter) if filter.takes(&letter) => each(letter),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "a dead letter that can't be read is passed over"),
        }
    })
}

/// The event in a dead letter, as it was; its content is still sealed.
///
/// # Errors
/// If there is none.
pub fn event(
    process: &Process,
    decoder: &Decoder<TicketEvent>,
    letter: &DeadLetter,
) -> Result<TicketEvent, NotReplayable> {
    let events = process.topics.name(Topic::Events);
    if letter.source.strip_prefix(&events).is_none_or(|rest| !rest.starts_with('/')) {
        return Err(NotReplayable::NotAnEvent(letter.source.clone()));
    }
    let sealed = letter.payload.as_ref().ok_or(NotReplayable::NoPayload)?;
    let payload = process.vault.open(sealed, letter.source.as_bytes())?;
    patiently(|| decoder.decode(&payload)).map_err(|error| NotReplayable::Decode(error.to_string()))
}
