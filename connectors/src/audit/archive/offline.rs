//! Verifies an archive by itself: no Kafka, no ClickHouse, only objects and public keys.

use super::super::chain::ChainId;
use super::super::rows::{RETENTIONS, parse};
use super::super::signing::PublicKeys;
use super::super::verify::{Report, Walk};
use super::month::{ArchiveError, fetch};
use super::read::{self, ReadError};
use super::store::{self, StoreError};
use crate::clickhouse::names;
use deskstream_schemas::AuditHead;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An archive can't be verified.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// It can't be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It can't be listed.
    #[error("list the archive")]
    List(#[source] object_store::Error),
    /// An object can't be read.
    #[error(transparent)]
    Object(#[from] ArchiveError),
    /// Heads are no JSON of ours.
    #[error("{object} holds no heads: was it written by `deskstream audit archive`?")]
    Heads {
        /// Its path.
        object: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Rows can't be read.
    #[error("read {object}")]
    Rows {
        /// Its path.
        object: String,
        /// Why.
        #[source]
        source: ReadError,
    },
    /// There is nothing.
    #[error("there is no audit trail in {0}")]
    Empty(String),
}

/// Walks every chain of the archive, month after month. `keys` should come from elsewhere: who can change the archive
/// can change the keys that lie in it.
pub async fn verify_archive(place: &str, keys: &PublicKeys) -> Result<Vec<Report>, OfflineError> {
    let store = store::open(place)?;
    let objects: Vec<_> =
        store.list(None).map_ok(|meta| meta.location).try_collect().await.map_err(OfflineError::List)?;
    let mut chains: BTreeMap<ChainId, Vec<Path>> = BTreeMap::new();
    for object in objects {
        let parts: Vec<_> = object.parts().map(|part| decoded(part.as_ref())).collect();
        let [retention, tenant, file] = parts.as_slice() else { continue };
        let Some(retention) = parse(&RETENTIONS, names::retention, retention) else { continue };
        if file.ends_with(".parquet") || file.ends_with(".heads.json") {
            chains.entry(ChainId { tenant: tenant.clone(), retention }).or_default().push(object);
        }
    }
    if chains.is_empty() {
        return Err(OfflineError::Empty(place.to_owned()));
    }
    let mut reports = Vec::with_capacity(chains.len());
    for (chain, mut objects) in chains {
        objects.sort_unstable();
        reports.push(walk(&store, chain, &objects, keys).await?);
    }
    Ok(reports)
}

/// A tenant's name as it stands in a path has its special characters encoded.
fn decoded(part: &str) -> String {
    percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned()
}

async fn walk(
    store: &Arc<dyn ObjectStore>,
    chain: ChainId,
    objects: &[Path],
    keys: &PublicKeys,
) -> Result<Report, OfflineError> {
    let (rows, heads): (Vec<_>, Vec<_>) =
        objects.iter().partition(|object| object.as_ref().ends_with(".parquet"));
    let mut signed: Vec<AuditHead> = Vec::new();
    for object in heads {
        let file = fetch(store, object).await?;
        let read: Vec<AuditHead> = serde_json::from_reader(std::io::BufReader::new(file))
            .map_err(|source| OfflineError::Heads { object: object.to_string(), source })?;
        signed.extend(read);
    }
    // Nothing is past its retention in an archive; it begins where it begins.
    let mut walk = Walk::new(chain.clone(), &signed, keys, 0);
    let key = chain.key();
    for object in rows {
        let file = fetch(store, object).await?;
        let key = key.clone();
        let read = tokio::task::spawn_blocking(move || {
            let read = read::rows(file, &key, |row| walk.step(row));
            (walk, read)
        });
        let read = read.await.expect("reading Parquet does not panic");
        walk = read.0;
        read.1.map_err(|source| OfflineError::Rows { object: object.to_string(), source })?;
    }
    Ok(walk.finish())
}
