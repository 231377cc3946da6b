//! Confluent wire format: a zero byte, the schema id as a big-endian u32, then the Avro datum.
//!
//! Neither side waits: an encoder knows its id from registration, and a decoder that meets an id it has not
//! seen says [`DecodeError::Pending`] while the registry is asked in the background.

use crate::registry::{Lookup, Registry, SchemaIds};
use crate::{Record, Subject};
use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

const MAGIC: u8 = 0;
const HEADER_BYTES: usize = 5;

/// No field of ours is larger: what claims more is a poison record, and must not make us allocate.
const MAX_ALLOCATION_BYTES: usize = 16 * 1024 * 1024;

/// A buffer is not made larger than this before there is something to put into it.
const MOST_EXPECTED_BYTES: usize = 16 * 1024;

/// Bounds what one length prefix in a record may make the process allocate. Called once, at start.
pub fn limit_allocations() {
    apache_avro::util::max_allocation_bytes(MAX_ALLOCATION_BYTES);
}

/// A record could not be written.
#[derive(Debug, thiserror::Error)]
#[error("encode a record of subject {subject:?}")]
pub struct EncodeError {
    subject: Subject,
    #[source]
    source: Box<apache_avro::Error>,
}

/// A record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin with the magic byte and a schema id.
    #[error("not in Confluent wire format: {bytes} bytes, first byte {first:?}")]
    NotFramed {
        /// Length of the record.
        bytes: usize,
        /// Its first byte, which is 0 in Confluent wire format.
        first: Option<u8>,
    },
    /// The registry has not answered yet; try again.
    #[error("schema {id} is being fetched from the registry")]
    Pending {
        /// The schema's id.
        id: u32,
    },
    /// The registry has no such schema.
    #[error("schema {id} does not exist in the registry")]
    UnknownSchema {
        /// The schema's id.
        id: u32,
    },
    /// The writer's schema can't be read as ours.
    #[error("schema {id} can't be read as {subject:?}")]
    Incompatible {
        /// The writer's schema.
        id: u32,
        /// What the reader expects.
        subject: Subject,
        /// Why.
        #[source]
        source: Box<apache_avro::Error>,
    },
    /// The datum does not follow its schema. The cause is left out: it may quote the record.
    #[error("the record does not follow schema {id}")]
    Malformed {
        /// The writer's schema.
        id: u32,
    },
}

impl DecodeError {
    /// Stable reason code, as in dead letters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFramed { .. } => "not-framed",
            Self::Pending { .. } => "schema-pending",
            Self::UnknownSchema { .. } => "unknown-schema",
            Self::Incompatible { .. } => "incompatible-schema",
            Self::Malformed { .. } => "bad-avro",
        }
    }
}

/// The schema id of a framed record.
pub fn frame_id(bytes: &[u8]) -> Option<u32> {
    match bytes {
        [MAGIC, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => None,
    }
}

/// Writes records of one type.
pub struct Encoder<T> {
    header: [u8; HEADER_BYTES],
    writer: GenericDatumWriter<'static>,
    /// Size of the largest of late: the next record is likely to fit without growing its buffer.
    size: AtomicUsize,
    record: PhantomData<fn(&T)>,
}

impl<T: Record> Encoder<T> {
    /// An encoder that marks its records with the id under which the schema was registered.
    pub fn new(ids: &SchemaIds) -> Self {
        let mut header = [MAGIC; HEADER_BYTES];
        header[1..].copy_from_slice(&ids.id(T::SUBJECT).to_be_bytes());
        let writer = GenericDatumWriter::builder(T::SUBJECT.schema())
            .human_readable(false)
            .build()
            .expect("a shipped schema resolves: a test holds it");
        Self { header, writer, size: AtomicUsize::new(0), record: PhantomData }
    }

    /// Appends the framed record to `buffer`; leaves it as it was on an error.
    pub fn encode_into(&self, record: &T, buffer: &mut Vec<u8>) -> Result<(), EncodeError> {
        let before = buffer.len();
        buffer.extend_from_slice(&self.header);
        self.writer.write_ser(buffer, record).map(|_| ()).map_err(|source| {
            buffer.truncate(before);
            EncodeError { subject: T::SUBJECT, source: Box::new(source) }
        })
    }

    /// The framed record.
    pub fn encode(&self, record: &T) -> Result<Vec<u8>, EncodeError> {
        let usual = self.size.load(Ordering::Relaxed);
        let mut buffer = Vec::with_capacity(usual + HEADER_BYTES);
        self.encode_into(record, &mut buffer)?;
        // It sinks again, so that one large record does not make all later ones ask for as much.
        let usual = buffer.len().max(usual - usual / 16).min(MOST_EXPECTED_BYTES);
        self.size.store(usual, Ordering::Relaxed);
        Ok(buffer)
    }
}

/// How records of one writer's schema are read.
enum Reader {
    /// The writer's schema is ours: straight into the Rust type.
    Same(GenericDatumReader<'static>),
    /// It is another version: through Avro's schema resolution.
    Resolving(GenericDatumReader<'static>),
}

/// Reads records of one type, whichever version of its schema they were written with.
pub struct Decoder<T> {
    registry: Arc<Registry>,
    readers: RwLock<HashMap<u32, Arc<Reader>>>,
    record: PhantomData<fn() -> T>,
}

impl<T: Record> Decoder<T> {
    /// A decoder that asks `registry` for schemas it meets.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, readers: RwLock::default(), record: PhantomData }
    }

    /// Reads a framed record.
    pub fn decode(&self, bytes: &[u8]) -> Result<T, DecodeError> {
        let Some(id) = frame_id(bytes) else {
            return Err(DecodeError::NotFramed { bytes: bytes.len(), first: bytes.first().copied() });
        };
        let mut datum = &bytes[HEADER_BYTES..];
        let record = match &*self.reader(id)? {
            Reader::Same(reader) => {
                reader.read_deser::<T>(&mut datum).map_err(|_| DecodeError::Malformed { id })?
            }
            Reader::Resolving(reader) => {
                let value = reader.read_value(&mut datum).map_err(|_| DecodeError::Malformed { id })?;
                apache_avro::from_value::<T>(&value).map_err(|_| DecodeError::Malformed { id })?
            }
        };
        if datum.is_empty() { Ok(record) } else { Err(DecodeError::Malformed { id }) }
    }

    fn reader(&self, id: u32) -> Result<Arc<Reader>, DecodeError> {
        if let Some(reader) = self.readers.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(Arc::clone(reader));
        }
        let writer = match self.registry.lookup(id) {
            Lookup::Pending => return Err(DecodeError::Pending { id }),
            Lookup::Missing => return Err(DecodeError::UnknownSchema { id }),
            Lookup::Known(schema) => schema,
        };
        let reader = Arc::new(Self::read_from(id, writer)?);
        self.readers.write().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&reader));
        Ok(reader)
    }

    fn read_from(id: u32, writer: &'static Schema) -> Result<Reader, DecodeError> {
        let ours = T::SUBJECT.schema();
        let incompatible =
            |source| DecodeError::Incompatible { id, subject: T::SUBJECT, source: Box::new(source) };
        let same = writer.canonical_form() == ours.canonical_form();
        if !same {
            apache_avro::schema_compatibility::SchemaCompatibility::can_read(writer, ours).map_err(|e| {
                incompatible(apache_avro::error::Details::DeserializeValue(e.to_string()).into())
            })?;
        }
        let reader = GenericDatumReader::builder(writer).human_readable(false);
        if same {
            reader.build().map(Reader::Same).map_err(incompatible)
        } else {
            reader.reader_schema(ours).build().map(Reader::Resolving).map_err(incompatible)
        }
    }
}
