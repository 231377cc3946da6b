//! Which local model judges, and which one is tried beside it: named in the `control` topic, exchanged while the job runs.
//!
//! * `model/live`: the file whose labels count. Promotion and rollback are new versions of this entity; the file that was
//!   live before is named in it too.
//! * `model/candidate`: a file that judges the same texts in the shadow. What it says is recorded with the event and
//!   measured against reviews, and changes nothing.
//!
//! A file is named by path and SHA-256, and has to lie at that path on every machine of the job. One that is not there, has
//! another checksum, or can't be read as a model is refused, and whatever was there before stands: a tenant's tickets must
//! not wait for a file. Without an entity the configured model is live.

use crate::metrics;
use arc_swap::{ArcSwap, ArcSwapOption};
use deskstream_analyze::{Analyzer, Model, ModelError};
use deskstream_runtime::Process;
use deskstream_schemas::{ControlEntity, EVERY_TENANT, Text};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Kind of the control entities that name models.
pub const MODEL_KIND: &str = "model";

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its labels count.
    Live,
    /// It judges in the shadow.
    Candidate,
}

impl Role {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Live, Self::Candidate];

    /// Id of the entity.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Candidate => "candidate",
        }
    }
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it lies, on every machine of the job.
    pub path: PathBuf,
    /// Of its bytes, in hexadecimal.
    pub sha256: String,
    /// Name and checksum that the model gives itself.
    pub version: String,
}

/// The body of the entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The model; none is the configured one, and no candidate.
    pub file: Option<ModelFile>,
    /// What it was before: where a rollback leads to.
    pub previous: Option<ModelFile>,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ModelRefused {
    /// Its bytes are not those that were named.
    #[error(
        "{path} has the SHA-256 {found} in place of {named}: copy the file that was promoted to every machine"
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: String,
        /// What was named.
        named: String,
    },
    /// It calls itself otherwise.
    #[error("{path} is {found} in place of {named}")]
    Version {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What was named.
        named: String,
    },
    /// It is no model that can be used.
    #[error("{path} is no model that can be used")]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ModelError,
    },
    /// The entity can't be read.
    #[error("the entity names no model")]
    Body(#[source] serde_json::Error),
}

impl ModelFile {
    /// Describes a file as it is, after it was read as a model.
    ///
    /// # Errors
    /// If it can't be used.
    pub fn of(path: &Path) -> Result<Self, ModelRefused> {
        let bytes = read(path)?;
        let analyzer = analyzer(path, &bytes)?;
        let version = analyzer.version().to_owned();
        Ok(Self { path: path.to_owned(), sha256: digest(&bytes), version })
    }

    /// Opens it, if it is the file that was named.
    ///
    /// # Errors
    /// If it is not, or can't be used.
    pub fn open(&self) -> Result<Analyzer, ModelRefused> {
        let path = || self.path.clone();
        // Read once: what is checked is what is used, whatever happens to the file meanwhile.
        let bytes = read(&self.path)?;
        let found = digest(&bytes);
        if !found.eq_ignore_ascii_case(&self.sha256) {
            return Err(ModelRefused::Checksum { path: path(), found, named: self.sha256.clone() });
        }
        let analyzer = analyzer(&self.path, &bytes)?;
        if analyzer.version() != self.version {
            let found = analyzer.version().to_owned();
            return Err(ModelRefused::Version { path: path(), found, named: self.version.clone() });
        }
        Ok(analyzer)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ModelRefused> {
    Model::read(path).map_err(|source| ModelRefused::Model { path: path.to_owned(), source })
}

fn analyzer(path: &Path, bytes: &[u8]) -> Result<Analyzer, ModelRefused> {
    let failed = |source| ModelRefused::Model { path: path.to_owned(), source };
    Analyzer::from_model(Model::from_bytes(bytes).map_err(failed)?).map_err(failed)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// What the entity of a role says.
///
/// # Errors
/// If it can't be read.
pub fn named(process: &Process, role: Role) -> Result<Named, ModelRefused> {
    match process.control.get(MODEL_KIND, role.as_str()) {
        Some(entity) => serde_json::from_str(&entity.body).map_err(ModelRefused::Body),
        None => Ok(Named::default()),
    }
}

/// Writes what a role's model is; what it was before is kept beside it.
///
/// # Errors
/// If it can't be written.
pub async fn name(
    process: &Process,
    role: Role,
    by: &str,
    named: &Named,
) -> Result<(), deskstream_runtime::control::ControlError> {
    let body = serde_json::json!(named);
    process.control.put_json(MODEL_KIND, role.as_str(), EVERY_TENANT, by, &body).await
}

/// A model in use.
#[derive(Debug)]
pub struct Loaded {
    /// The model.
    pub analyzer: Analyzer,
    /// How records name it.
    pub name: Text,
}

impl Loaded {
    fn new(analyzer: Analyzer) -> Self {
        let name = Text::Owned(format!("local/{}", analyzer.version()));
        Self { analyzer, name }
    }
}

/// Version and time of an entity that was looked at.
type Seen = Option<(i64, i64)>;

/// The models of a process.
#[derive(Debug)]
pub struct Models {
    configured: Arc<Loaded>,
    live: ArcSwap<Loaded>,
    candidate: ArcSwapOption<Loaded>,
    seen: parking_lot::Mutex<[Seen; Role::ALL.len()]>,
}

impl Models {
    /// With the configured model alone.
    pub fn new(configured: Analyzer) -> Self {
        let configured = Arc::new(Loaded::new(configured));
        let live = ArcSwap::new(Arc::clone(&configured));
        Self { configured, live, candidate: ArcSwapOption::empty(), seen: parking_lot::Mutex::default() }
    }

    /// With what the process knows, followed from now on.
    pub fn follow(process: &Process, configured: Analyzer) -> Arc<Self> {
        let models = Arc::new(Self::new(configured));
        let mut changes = process.control.changes();
        changes.mark_unchanged();
        models.update(|role| process.control.get(MODEL_KIND, role.as_str()));
        let (process, following) = (process.clone(), Arc::clone(&models));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = process.shutdown.cancelled() => return,
                }
                let (control, following) = (process.control.clone(), Arc::clone(&following));
                // Reading and checking a file takes tens of milliseconds.
                let done = tokio::task::spawn_blocking(move || {
                    following.update(|role| control.get(MODEL_KIND, role.as_str()));
                });
                if done.await.is_err() {
                    tracing::error!("taking in a model panicked, the former one stays");
                }
            }
        });
        models
    }

    /// The model whose labels count.
    pub fn live(&self) -> arc_swap::Guard<Arc<Loaded>> {
        self.live.load()
    }

    /// The one in the shadow.
    pub fn candidate(&self) -> arc_swap::Guard<Option<Arc<Loaded>>> {
        self.candidate.load()
    }

    /// Takes in what the entities say now.
    pub fn update(&self, entity: impl Fn(Role) -> Option<Arc<ControlEntity>>) {
        let mut seen = self.seen.lock();
        for (role, seen) in Role::ALL.into_iter().zip(seen.iter_mut()) {
            let entity = entity(role);
            let now = entity.as_ref().map(|entity| (entity.version, entity.updated_at));
            if now == *seen {
                continue;
            }
            *seen = now;
            let state = match self.take(role, entity.as_deref()) {
                Ok(name) => {
                    tracing::info!(
                        role = role.as_str(),
                        model = name.as_deref().unwrap_or("none"),
                        "model in use"
                    );
                    "taken"
                }
                Err(error) => {
                    let error = deskstream_runtime::telemetry::told(&error);
                    tracing::error!(role = role.as_str(), %error, "a model is refused, the former one stays");
                    "refused"
                }
            };
            metrics::MODELS.with_label_values(&[role.as_str(), state]).inc();
        }
    }

    fn take(&self, role: Role, entity: Option<&ControlEntity>) -> Result<Option<String>, ModelRefused> {
        let named: Named = match entity {
            Some(entity) => serde_json::from_str(&entity.body).map_err(ModelRefused::Body)?,
            None => Named::default(),
        };
        let loaded = named.file.map(|file| file.open()).transpose()?.map(|a| Arc::new(Loaded::new(a)));
        Ok(match role {
            Role::Live => {
                let live = loaded.unwrap_or_else(|| Arc::clone(&self.configured));
                let name = live.name.to_string();
                self.live.store(live);
                Some(name)
            }
            Role::Candidate => {
                let name = loaded.as_ref().map(|loaded| loaded.name.to_string());
                self.candidate.store(loaded);
                name
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(version: i64, file: Option<ModelFile>) -> Option<Arc<ControlEntity>> {
        Some(Arc::new(ControlEntity {
            kind: MODEL_KIND.into(),
            id: "live".into(),
            tenant: EVERY_TENANT.into(),
            version,
            updated_at: version,
            updated_by: "u".into(),
            body: serde_json::json!(Named { file, previous: None }).to_string(),
            secret: None,
        }))
    }

    /// Another model than the shipped one: its labels with a small table that knows nothing.
    fn other(folder: &Path) -> ModelFile {
        let mut header = Analyzer::shipped().unwrap().model().header().clone();
        header.name = "other".into();
        header.features.bits = 6;
        let table = vec![1; 64 * usize::from(header.row_width)];
        let path = folder.join("other.dsm");
        std::fs::write(&path, Model::encode(&header, &table).unwrap()).unwrap();
        ModelFile::of(&path).unwrap()
    }

    #[test]
    fn a_model_is_exchanged_and_one_that_is_not_what_was_named_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = other(folder.path());
        let models = Models::new(Analyzer::shipped().unwrap());
        let shipped = models.live().name.clone();
        let live = |version: i64, file: Option<ModelFile>| {
            let named = entity(version, file);
            models.update(|role| (role == Role::Live).then(|| named.clone()).flatten());
            models.live().name.clone()
        };
        let taken = live(1, Some(file.clone()));
        assert_eq!(taken, format!("local/{}", file.version));
        assert_ne!(taken, shipped);
        for wrong in [
            ModelFile { sha256: "0".repeat(64), ..file.clone() },
            ModelFile { version: "other@0".into(), ..file.clone() },
            ModelFile { path: folder.path().join("nowhere"), ..file.clone() },
        ] {
            assert!(wrong.open().is_err());
            assert_eq!(live(2, Some(wrong)), taken, "the old one stands");
        }
        // The file is changed after it was promoted: what runs goes on, and a restart would refuse it.
        std::fs::write(&file.path, b"no model").unwrap();
        assert!(matches!(file.open(), Err(ModelRefused::Checksum { .. })));
        assert!(matches!(ModelFile::of(&file.path), Err(ModelRefused::Model { .. })));
        assert_eq!(live(3, None), shipped, "back to the configured one");
        assert!(models.candidate().is_none());
    }
}
