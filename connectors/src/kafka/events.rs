//! The way into the product: a ticket event whose content is sealed before it leaves the process.

use super::error::SendError;
use super::producer::{Ack, Producer, ProducerOptions};
use super::sink::Sink;
use deskstream_runtime::Process;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::kafka::KafkaError;
use deskstream_runtime::seal::Vault;
use deskstream_schemas::{Encoder, Platform, Sealed, TicketContent, TicketEvent, ticket_key};
use std::sync::Arc;
use uuid::Uuid;

/// Namespace of event ids that we derive ourselves.
const EVENT_IDS: Uuid = Uuid::from_u128(0x5b9a_1d2e_6c0f_4f6b_9a63_de5c_57a1_0001);

/// The id of an event whose source gives it none: a UUIDv5 of tenant, platform, ticket and version, so that
/// whoever reads the same state of the same ticket again arrives at the same id.
pub fn event_id(tenant: &str, platform: Platform, ticket_id: &str, version: i64) -> String {
    let name = format!("{}/{version}", ticket_key(tenant, platform, ticket_id));
    Uuid::new_v5(&EVENT_IDS, name.as_bytes()).to_string()
}

/// Takes the place of `content` until [`EventSink`] seals it.
pub fn unsealed() -> Sealed {
    Sealed { key_id: String::new(), nonce: Vec::new(), ciphertext: Vec::new() }
}

/// Writes ticket events; cheap to clone.
#[derive(Clone)]
pub struct EventSink {
    sink: Sink<TicketEvent>,
    content: Arc<Encoder<TicketContent>>,
    vault: Arc<Vault>,
    control: Control,
}

impl EventSink {
    /// A sink for `events` with a producer of its own.
    pub fn new(process: &Process) -> Result<Self, KafkaError> {
        Ok(Self::with_producer(process, Producer::new(process, ProducerOptions::events())?))
    }

    /// A sink for `events` on a given producer.
    pub fn with_producer(process: &Process, producer: Producer) -> Self {
        Self {
            sink: Sink::new(process, producer),
            content: Arc::new(Encoder::new(&process.ids)),
            vault: Arc::clone(&process.vault),
            control: process.control.clone(),
        }
    }

    /// Makes sure that content of the tenant can be sealed; once for each tenant, before its first event.
    pub async fn ready_tenant(process: &Process, tenant: &str, by: &str) -> Result<(), ControlError> {
        process.control.ensure_data_key(tenant, by).await
    }

    /// Seals `content` into the event and writes it; waits for room, then for the acknowledgement.
    /// What the event held as content is replaced.
    pub async fn send(&self, event: TicketEvent, content: &TicketContent) -> Result<Ack, SendError> {
        let event = self.seal(event, content).await?;
        self.sink.send(&event.key(), &event).await
    }

    /// As [`EventSink::send`], but fails with [`SendError::Busy`] where that would wait for room.
    pub async fn try_send(&self, event: TicketEvent, content: &TicketContent) -> Result<Ack, SendError> {
        let event = self.seal(event, content).await?;
        self.sink.try_send(&event.key(), &event).await
    }

    async fn seal(&self, mut event: TicketEvent, content: &TicketContent) -> Result<TicketEvent, SendError> {
        let requester = requester(event.requester_ref.as_ref(), content);
        // A name or an address does not travel in clear, but its rows have to be found again.
        let given = event.requester_ref.take();
        event.requester_ref = match given {
            Some(given) if is_opaque(&given) => Some(given),
            _ => requester.as_ref().and_then(|name| self.vault.requester_reference(&event.tenant, name)),
        };
        if let Some(requester) = &requester {
            self.control.ensure_requester_key(&event.tenant, requester, "connect").await.map_err(Box::new)?;
        }
        let plaintext = self.content.encode(content)?;
        let aad = event.content_aad();
        event.content =
            self.vault.seal_for(&event.tenant, requester.as_deref(), aad.as_bytes(), &plaintext)?;
        Ok(event)
    }
}

/// Whom an event is about, as `deskstream erase --requester` names them: the helpdesk's id of the requester, or where
/// it gives none their e-mail address, or else their name.
fn requester(reference: Option<&String>, content: &TicketContent) -> Option<String> {
    let all = [reference, content.requester_email.as_ref(), content.requester_name.as_ref()];
    let mut names = all.into_iter().flatten().map(|given| requester_name(given));
    names.find(|name| !name.is_empty())
}

/// A requester as keys know them: without spaces around, in lower case.
pub fn requester_name(given: &str) -> String {
    given.trim().to_lowercase()
}

/// Whether a reference is a helpdesk's id, which may travel in clear, rather than a name or an address.
pub fn is_opaque(reference: &str) -> bool {
    reference.len() <= 64
        && reference.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        && reference.bytes().any(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requester_is_known_by_the_best_name_there_is() {
        let (id, blank) = ("User-17".to_owned(), " ".to_owned());
        let mut content = TicketContent {
            requester_email: Some(" Ana@Example.com".into()),
            requester_name: Some("Ana".into()),
            ..TicketContent::default()
        };
        assert_eq!(requester(Some(&id), &content).as_deref(), Some("user-17"));
        assert_eq!(requester(Some(&blank), &content).as_deref(), Some("ana@example.com"));
        content.requester_email = None;
        assert_eq!(requester(None, &content).as_deref(), Some("ana"));
        content.requester_name = None;
        assert_eq!(requester(None, &content), None);
    }

    #[test]
    fn ids_are_told_from_names_and_addresses() {
        for id in ["4711", "user-17", "ref_00ff", "01J9Z3"] {
            assert!(is_opaque(id), "{id}");
        }
        for named in ["", "ana", "Ana Smith 2", "ana2@example.com", "anaé1"] {
            assert!(!is_opaque(named), "{named}");
        }
    }
}
