//! Deskstream's contract with everything that reads or writes its Kafka topics: the Avro schemas
//! (`*.avsc` beside this crate), their Rust types, the topics that carry them, Confluent wire format,
//! and registration.
//!
//! A record type here mirrors its `.avsc` field by field; a test holds the two together.

mod registry;
mod topic;
mod types;
mod wire;

pub use registry::{Lookup, Registry, RegistryError, RegistryOptions, SchemaIds};
pub use topic::{Cleanup, Topic, Topics, ticket_key};
pub use types::*;
pub use wire::{DecodeError, Decoder, EncodeError, Encoder, frame_id, limit_allocations};

use apache_avro::Schema;
use std::sync::OnceLock;

/// A schema under its registry subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// Value of a topic, under Confluent's TopicNameStrategy.
    Value(Topic),
    /// The plaintext of `TicketEvent.content`.
    Content,
}

impl Subject {
    /// Every subject the product registers.
    pub fn all() -> impl Iterator<Item = Self> {
        Topic::ALL.iter().copied().map(Self::Value).chain([Self::Content])
    }

    /// The schema as it stands in this crate's `.avsc` file.
    pub fn source(self) -> &'static str {
        match self {
            Self::Content => include_str!("../content.avsc"),
            Self::Value(topic) => match topic {
                Topic::Events => include_str!("../events.avsc"),
                Topic::Enriched => include_str!("../enriched.avsc"),
                Topic::Tickets => include_str!("../tickets.avsc"),
                Topic::OpinionRequests => include_str!("../opinions.requests.avsc"),
                Topic::Opinions => include_str!("../opinions.avsc"),
                Topic::Reviews => include_str!("../reviews.avsc"),
                Topic::Windows => include_str!("../windows.avsc"),
                Topic::Quality => include_str!("../quality.avsc"),
                Topic::Drift => include_str!("../drift.avsc"),
                Topic::Alerts => include_str!("../alerts.avsc"),
                Topic::Commands => include_str!("../commands.avsc"),
                Topic::Outcomes => include_str!("../outcomes.avsc"),
                Topic::Audit => include_str!("../audit.avsc"),
                Topic::AuditChain => include_str!("../audit.chain.avsc"),
                Topic::AuditHeads => include_str!("../audit.heads.avsc"),
                Topic::DeadLetter => include_str!("../deadletter.avsc"),
                Topic::Control => include_str!("../control.avsc"),
            },
        }
    }

    /// The parsed schema.
    pub fn schema(self) -> &'static Schema {
        static PARSED: OnceLock<Vec<(Subject, Schema)>> = OnceLock::new();
        let all = PARSED.get_or_init(|| {
            Self::all()
                .map(|s| {
                    (s, Schema::parse_str(s.source()).expect("a shipped schema parses: a test holds it"))
                })
                .collect()
        });
        &all.iter().find(|(s, _)| *s == self).expect("every subject is in `all`").1
    }

    /// The subject's name in the registry.
    pub fn name(self, topics: &Topics) -> String {
        match self {
            Self::Value(topic) => format!("{}-value", topics.name(topic)),
            Self::Content => format!("{}-content", topics.name(Topic::Events)),
        }
    }
}

/// A Rust type that mirrors one of the schemas.
pub trait Record: serde::Serialize + serde::de::DeserializeOwned + Send + 'static {
    /// The schema it mirrors.
    const SUBJECT: Subject;
}
