//! What is in an entry: an event with its content, or a dead letter, as Avro records with the ids of their schemas,
//! sealed as a whole under the tenant's data key.
//!
//! The plaintext of an event is the length of its record as a big-endian u32, that record, and the record of its
//! content. Avro because an entry may be read by a later version than wrote it.

use super::KeepError;
use super::store::Entry;
use deskstream_runtime::Process;
use deskstream_runtime::seal::{OpenError, SealError, Vault};
use deskstream_schemas::{
    DeadLetter, DecodeError, Decoder, EVERY_TENANT, Encoder, Record, Sealed, TicketContent, TicketEvent,
};
use std::sync::Arc;
use std::time::Duration;

const EVENT: u8 = 1;
const LETTER: u8 = 2;

/// The registry is asked again after this.
const SCHEMA_RETRY: Duration = Duration::from_millis(100);

/// What was kept.
pub(super) enum Unsealed {
    Event(Box<(TicketEvent, TicketContent)>),
    Letter(Box<DeadLetter>),
}

/// An entry that can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntryError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("an entry of the spool has another shape than this version writes")]
    Shape,
}

impl EntryError {
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Open(OpenError::UnknownKey(_) | OpenError::Destroyed(_)) => "unknown-key",
            Self::Open(OpenError::Tampered) => "tampered",
            Self::Decode(error) => error.reason(),
            Self::Shape => "bad-entry",
        }
    }
}

/// Seals entries and opens them.
pub(super) struct Codec {
    event: Encoder<TicketEvent>,
    content: Encoder<TicketContent>,
    letter: Encoder<DeadLetter>,
    events: Decoder<TicketEvent>,
    contents: Decoder<TicketContent>,
    letters: Decoder<DeadLetter>,
}

impl Codec {
    pub(super) fn new(process: &Process) -> Self {
        let registry = || Arc::clone(&process.registry);
        Self {
            event: Encoder::new(&process.ids),
            content: Encoder::new(&process.ids),
            letter: Encoder::new(&process.ids),
            events: Decoder::new(registry()),
            contents: Decoder::new(registry()),
            letters: Decoder::new(registry()),
        }
    }

    pub(super) fn event(
        &self,
        vault: &Vault,
        event: &TicketEvent,
        content: &TicketContent,
    ) -> Result<Entry, KeepError> {
        let mut plain = vec![0; 4];
        self.event.encode_into(event, &mut plain)?;
        let length = u32::try_from(plain.len() - 4).map_err(|_| SealError::TooLarge)?;
        plain[..4].copy_from_slice(&length.to_be_bytes());
        self.content.encode_into(content, &mut plain)?;
        Ok(sealed(vault, &event.tenant, EVENT, &plain)?)
    }

    pub(super) fn letter(
        &self,
        vault: &Vault,
        tenant: &str,
        letter: &DeadLetter,
    ) -> Result<Entry, KeepError> {
        let plain = self.letter.encode(letter)?;
        Ok(sealed(vault, tenant, LETTER, &plain)?)
    }

    /// Opens an entry; waits while the registry is asked for its schemas.
    pub(super) async fn open(&self, vault: &Vault, entry: &Entry) -> Result<Unsealed, EntryError> {
        let plain = vault.open(&seal_of(entry), &aad(&entry.tenant, entry.kind))?;
        match entry.kind {
            EVENT => {
                let (length, rest) = plain.split_first_chunk().ok_or(EntryError::Shape)?;
                let length = u32::from_be_bytes(*length) as usize;
                let (event, content) = rest.split_at_checked(length).ok_or(EntryError::Shape)?;
                let event = decode(&self.events, event).await?;
                Ok(Unsealed::Event(Box::new((event, decode(&self.contents, content).await?))))
            }
            LETTER => Ok(Unsealed::Letter(Box::new(decode(&self.letters, &plain).await?))),
            _ => Err(EntryError::Shape),
        }
    }
}

/// The entry's content as it stands on disk.
pub(super) fn seal_of(entry: &Entry) -> Sealed {
    Sealed { key_id: entry.key_id.clone(), nonce: entry.nonce.clone(), ciphertext: entry.ciphertext.clone() }
}

fn sealed(vault: &Vault, tenant: &str, kind: u8, plain: &[u8]) -> Result<Entry, SealError> {
    let owner = if vault.has_key(tenant) { tenant } else { EVERY_TENANT };
    let Sealed { key_id, nonce, ciphertext } = vault.seal(owner, &aad(tenant, kind), plain)?;
    Ok(Entry { tenant: tenant.to_owned(), kind, key_id, nonce, ciphertext })
}

fn aad(tenant: &str, kind: u8) -> Vec<u8> {
    format!("spool/{tenant}/{kind}").into_bytes()
}

async fn decode<T: Record>(decoder: &Decoder<T>, bytes: &[u8]) -> Result<T, DecodeError> {
    loop {
        match decoder.decode(bytes) {
            Err(DecodeError::Pending { .. }) => tokio::time::sleep(SCHEMA_RETRY).await,
            decoded => return decoded,
        }
    }
}
