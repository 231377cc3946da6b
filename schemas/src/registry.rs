//! The schema registry as a client sees it: registration at start, look-ups by id that never wait.

use crate::{Subject, Topics};
use apache_avro::Schema;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_schema_by_id_and_type, is_compatible_schema, post_schema,
};
use schema_registry_converter::error::SRCError;
use schema_registry_converter::schema_registry_common::{RawError, SchemaType, SuppliedSchema};
use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A schema registry answers `error_code` 40403 for an id it does not have (Confluent's REST description).
const SCHEMA_NOT_FOUND: u32 = 40403;

/// Ids come from record headers, and so from anyone who may write to a topic: what is remembered is bounded.
const MAX_REMEMBERED: usize = 4096;

const RETRY_AFTER: Duration = Duration::from_millis(500);

/// The registry refused, or could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The client could not be made.
    #[error("set up a client for the schema registry at {url}")]
    Client {
        /// The registry's URL.
        url: String,
        /// Why.
        #[source]
        source: Box<SRCError>,
    },
    /// A schema could not be registered.
    #[error("can't register subject {subject} at the schema registry {url}: {}", if *.incompatible { "the change breaks readers of earlier versions; give new fields a default, never rename or retype" } else { "start it, or set registry.url (--registry), user and password" })]
    Register {
        /// The subject.
        subject: String,
        /// The registry's URL.
        url: String,
        /// Whether the registry was reached and said that the schema breaks compatibility.
        incompatible: bool,
        /// Why.
        #[source]
        source: Box<SRCError>,
    },
}

/// Where the registry is and who asks.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Base URL.
    pub url: String,
    /// User and password of HTTP basic auth.
    pub basic_auth: Option<(String, String)>,
    /// How long one call may take.
    pub timeout: Duration,
}

/// The ids under which our schemas are registered.
#[derive(Debug, Clone)]
pub struct SchemaIds(HashMap<Subject, u32>);

impl SchemaIds {
    /// The id of a subject's schema.
    pub fn id(&self, subject: Subject) -> u32 {
        self.0[&subject]
    }
}

/// What is known of a schema id.
#[derive(Debug, Clone, Copy)]
pub enum Lookup {
    /// The schema.
    Known(&'static Schema),
    /// The registry says that there is none.
    Missing,
    /// The registry is being asked.
    Pending,
}

/// A client of the schema registry.
#[derive(Debug)]
pub struct Registry {
    url: String,
    settings: SrSettings,
    known: Arc<Mutex<HashMap<u32, Lookup>>>,
    runtime: tokio::runtime::Handle,
}

impl Registry {
    /// A client; look-ups run on the current tokio runtime.
    pub fn new(options: &RegistryOptions) -> Result<Self, RegistryError> {
        let mut builder = SrSettings::new_builder(options.url.clone());
        builder.set_timeout(options.timeout);
        if let Some((user, password)) = &options.basic_auth {
            builder.set_basic_authorization(user, Some(password));
        }
        let settings = builder
            .build()
            .map_err(|e| RegistryError::Client { url: options.url.clone(), source: Box::new(e) })?;
        Ok(Self {
            url: options.url.clone(),
            settings,
            known: Arc::default(),
            runtime: tokio::runtime::Handle::current(),
        })
    }

    /// Registers every schema of the product, or finds it registered, and returns their ids.
    pub async fn register_all(&self, topics: &Topics) -> Result<SchemaIds, RegistryError> {
        let mut ids = HashMap::new();
        for subject in Subject::all() {
            let name = subject.name(topics);
            let supplied = SuppliedSchema::new(None, SchemaType::Avro, subject.source().to_owned());
            let registered = match post_schema(&self.settings, name.clone(), supplied.clone()).await {
                Ok(registered) => registered,
                Err(source) => {
                    let incompatible = matches!(
                        is_compatible_schema(&self.settings, name.clone(), supplied).await,
                        Ok(false)
                    );
                    return Err(RegistryError::Register {
                        subject: name,
                        url: self.url.clone(),
                        incompatible,
                        source: Box::new(source),
                    });
                }
            };
            ids.insert(subject, registered.id);
            self.remember(registered.id, Lookup::Known(subject.schema()));
        }
        Ok(SchemaIds(ids))
    }

    /// What is known of a schema id. Asks the registry in the background where nothing is.
    pub fn lookup(&self, id: u32) -> Lookup {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&id) {
            return *found;
        }
        make_room(&mut known);
        known.insert(id, Lookup::Pending);
        drop(known);
        let (settings, known) = (self.settings.clone(), Arc::clone(&self.known));
        self.runtime.spawn(async move {
            let found = match get_schema_by_id_and_type(id, &settings, SchemaType::Avro).await {
                // A schema lives as long as the process: there are few, and readers borrow them.
                Ok(found) => Schema::parse_str(&found.schema)
                    .map_or(Lookup::Missing, |schema| Lookup::Known(Box::leak(Box::new(schema)))),
                Err(e) if is_not_found(&e) => Lookup::Missing,
                Err(_) => {
                    tokio::time::sleep(RETRY_AFTER).await;
                    known.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    return;
                }
            };
            known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, found);
        });
        Lookup::Pending
    }

    fn remember(&self, id: u32, found: Lookup) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, found);
    }
}

fn make_room(known: &mut HashMap<u32, Lookup>) {
    if known.len() >= MAX_REMEMBERED {
        known.retain(|_, found| matches!(found, Lookup::Known(_)));
    }
}

fn is_not_found(error: &SRCError) -> bool {
    let code = error.source().and_then(|e| e.downcast_ref::<RawError>()).map(|e| e.error_code);
    code == Some(SCHEMA_NOT_FOUND)
}
