//! Why a record was not acknowledged.

use deskstream_runtime::control::ControlError;
use deskstream_runtime::seal::SealError;
use deskstream_schemas::EncodeError;
use rdkafka::error::KafkaError;

/// A record was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It does not fit its schema.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// It could not be encrypted.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The requester's key could not be made.
    #[error("make a key for the requester")]
    Key(#[from] Box<ControlError>),
    /// The broker takes no record of that size.
    #[error("a record of {bytes} bytes is larger than topic {topic} takes")]
    TooLarge {
        /// Full name of the topic.
        topic: String,
        /// Size of the encoded record.
        bytes: usize,
    },
    /// As much is in flight as may be.
    #[error("too much is waiting for the broker's acknowledgement")]
    Busy,
    /// The broker did not acknowledge in time; the record may have arrived all the same.
    #[error("the broker did not acknowledge a record for topic {topic} in time")]
    Timeout {
        /// Full name of the topic.
        topic: String,
    },
    /// Kafka refused, or can't be reached.
    #[error("write a record to topic {topic}")]
    Broker {
        /// Full name of the topic.
        topic: String,
        /// Why.
        #[source]
        source: KafkaError,
    },
}

impl SendError {
    /// Whether the very same record can be accepted later. False only where the record itself is at fault.
    pub fn retry(&self) -> bool {
        match self {
            Self::Encode(_) | Self::Seal(SealError::TooLarge) | Self::TooLarge { .. } => false,
            Self::Seal(SealError::NoKey(_))
            | Self::Key(_)
            | Self::Busy
            | Self::Timeout { .. }
            | Self::Broker { .. } => true,
        }
    }

    /// Stable reason code, as in metrics and dead letters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Encode(_) => "encode",
            Self::Seal(SealError::NoKey(_)) | Self::Key(_) => "no-key",
            Self::Seal(SealError::TooLarge) | Self::TooLarge { .. } => "too-large",
            Self::Busy => "busy",
            Self::Timeout { .. } => "timeout",
            Self::Broker { .. } => "broker",
        }
    }
}
