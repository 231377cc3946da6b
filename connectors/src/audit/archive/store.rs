//! Where objects lie.

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use std::sync::Arc;
use url::Url;

/// The archive can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory can't be made or read.
    #[error("use directory {directory} as the archive: check audit.archive and its permissions")]
    Directory {
        /// As configured.
        directory: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The service refused.
    #[error("use {place} as the archive: check audit.archive, AWS_ENDPOINT, AWS_REGION and the credentials")]
    Service {
        /// As configured.
        place: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
    /// It is neither a directory nor a bucket.
    #[error("audit.archive: `{0}` is no directory and no s3://BUCKET/PREFIX")]
    Place(String),
}

/// Opens `place`: a directory, which is made, or `s3://BUCKET/PREFIX`, whose credentials are those of the environment
/// (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT` … as object_store's `AmazonS3Builder` reads them).
pub(super) fn open(place: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
    if !place.contains("://") && !place.starts_with("s3:") {
        let directory = |source| StoreError::Directory { directory: place.to_owned(), source };
        std::fs::create_dir_all(place).map_err(directory)?;
        let local = LocalFileSystem::new_with_prefix(place);
        let local = local.map_err(|error| directory(std::io::Error::other(error)))?;
        // What is written and what is known of it survives a crash of the machine: rows are dropped on its word.
        return Ok(Arc::new(local.with_fsync(true)));
    }
    let url = Url::parse(place).map_err(|_| StoreError::Place(place.to_owned()))?;
    if url.scheme() != "s3" || url.host_str().is_none() {
        return Err(StoreError::Place(place.to_owned()));
    }
    let service = |source| StoreError::Service { place: place.to_owned(), source };
    let bucket = AmazonS3Builder::from_env().with_url(place).build().map_err(service)?;
    let prefix = Path::from_url_path(url.path()).map_err(|source| service(source.into()))?;
    Ok(Arc::new(PrefixStore::new(bucket, prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_can_not_be_used_says_why() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let within = format!("{}/archive", file.path().display());
        let told = open(&within).unwrap_err().to_string();
        assert!(told.contains(&within) && told.contains("audit.archive"), "{told}");
        for place in ["ftp://host/x", "s3:bucket", "gopher://"] {
            assert!(open(place).is_err(), "{place}");
        }
        deskstream_runtime::install_crypto_provider();
        let bucket = open("s3://trail/of/acme").unwrap();
        assert!(bucket.to_string().contains("of/acme"), "{bucket}");
    }
}
