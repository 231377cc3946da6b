//! The redactor of each tenant, kept in step with the policies in the `control` topic.
//!
//! Fail closed: a tenant whose policy can't be used has no redactor, not the default one, which would let through what
//! the policy was to hide. Its events go to the dead letter, sealed as they came, until the policy is mended.

use crate::metrics;
use crate::policy::{POLICY_KIND, pseudonym_key, read};
use arc_swap::ArcSwap;
use deskstream_redact::{ConfigError, RedactConfig, Redactor, VERSION};
use deskstream_runtime::Process;
use deskstream_runtime::health::Part;
use deskstream_runtime::seal::Vault;
use deskstream_schemas::{ControlEntity, EVERY_TENANT, Text};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;

/// A redactor, and what a ticket tells of it.
#[derive(Debug, Clone)]
pub struct TenantRedactor {
    /// The redactor.
    pub redactor: Redactor,
    /// Version of the detectors and of the policy.
    pub version: Text,
}

/// Why a tenant's tickets can't be redacted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the redaction policy of {owner}, version {version}, can't be used: {reason}")]
pub struct PolicyRefused {
    /// The tenant whose policy it is, `*` for the installation's.
    pub owner: Arc<str>,
    /// Its version.
    pub version: i64,
    /// Why.
    pub reason: Arc<str>,
}

type Usable = Result<Arc<TenantRedactor>, PolicyRefused>;

/// A policy as it was read.
struct Compiled {
    version: i64,
    at: i64,
    /// The installation's policy, with keys: each tenant needs a redactor with its own.
    is_keyed_default: bool,
    usable: Usable,
}

#[derive(Default)]
struct Policies {
    by_owner: HashMap<String, Arc<Compiled>>,
    /// Redactors of tenants under the installation's policy, if it needs their keys.
    keyed: RwLock<HashMap<String, Usable>>,
}

/// The redactors of a process.
pub struct Redactors {
    base: Arc<TenantRedactor>,
    entities: bool,
    vault: Arc<Vault>,
    policies: ArcSwap<Policies>,
}

impl Redactors {
    /// Redactors without any policy but the default one.
    ///
    /// # Errors
    /// If the default can't be used.
    pub fn new(entities: bool, vault: Arc<Vault>) -> Result<Self, ConfigError> {
        let redactor = Redactor::new(&RedactConfig { entities, ..RedactConfig::default() })?;
        let base = Arc::new(TenantRedactor { redactor, version: Text::Borrowed(VERSION) });
        Ok(Self { base, entities, vault, policies: ArcSwap::default() })
    }

    /// Redactors with the policies that the process knows, and follows from now on.
    ///
    /// # Errors
    /// If the default can't be used. A policy that can't be used is no error here: only its tenant waits.
    pub fn follow(process: &Process, entities: bool) -> Result<Arc<Self>, ConfigError> {
        let redactors = Arc::new(Self::new(entities, Arc::clone(&process.vault))?);
        let part = process.health.part("redaction-policies");
        let mut changes = process.control.changes();
        changes.mark_unchanged();
        redactors.update(&process.control.list(POLICY_KIND), &part);
        let (process, following) = (process.clone(), Arc::clone(&redactors));
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = process.shutdown.cancelled() => return,
                }
                let (entities, part) = (process.control.list(POLICY_KIND), part.clone());
                let following = Arc::clone(&following);
                // A policy with many patterns takes milliseconds to compile.
                let done = tokio::task::spawn_blocking(move || following.update(&entities, &part)).await;
                if done.is_err() {
                    tracing::error!("taking in redaction policies panicked, the former ones stay");
                }
            }
        });
        Ok(redactors)
    }

    /// Takes in the policies as they are now.
    pub fn update(&self, entities: &[Arc<ControlEntity>], part: &Part) {
        let old = self.policies.load();
        let is_known = |entity: &ControlEntity| {
            let known = old.by_owner.get(&entity.id)?;
            let same = known.version == entity.version && known.at == entity.updated_at;
            // What was refused may be usable by now, for instance since its key has come.
            (same && known.usable.is_ok()).then(|| Arc::clone(known))
        };
        let mut all_known = old.by_owner.len() == entities.len();
        let by_owner: HashMap<String, Arc<Compiled>> = entities
            .iter()
            .map(|entity| {
                let known = is_known(entity);
                all_known &= known.is_some();
                (entity.id.clone(), known.unwrap_or_else(|| Arc::new(self.compile(entity))))
            })
            .collect();
        // One tenant's bad policy must not take the process out of service for the others.
        part.ready();
        if all_known {
            return;
        }
        let mut refused = 0;
        for (owner, compiled) in &by_owner {
            let was = old.by_owner.get(owner);
            match &compiled.usable {
                Ok(_) if was.is_some_and(|was| Arc::ptr_eq(was, compiled)) => {}
                Ok(_) => {
                    tracing::info!(tenant = owner, version = compiled.version, "redaction policy in effect");
                }
                Err(error) => {
                    refused += 1;
                    if was.is_none_or(|was| was.usable.as_ref().err() != Some(error)) {
                        tracing::error!(tenant = owner, %error, "events of the tenant go to the dead letter");
                    }
                }
            }
        }
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        metrics::POLICIES.with_label_values(&["in_effect"]).set(count(by_owner.len() - refused));
        metrics::POLICIES.with_label_values(&["refused"]).set(count(refused));
        self.policies.store(Arc::new(Policies { by_owner, keyed: RwLock::default() }));
    }

    fn compile(&self, entity: &ControlEntity) -> Compiled {
        let owner: Arc<str> = entity.id.as_str().into();
        let refused = |reason: String| PolicyRefused {
            owner: Arc::clone(&owner),
            version: entity.version,
            reason: reason.into(),
        };
        let mut compiled = Compiled {
            version: entity.version,
            at: entity.updated_at,
            is_keyed_default: false,
            usable: Err(refused(String::new())),
        };
        let config = match read(&self.vault, entity) {
            Ok(config) => RedactConfig { entities: config.entities && self.entities, ..config },
            Err(error) => {
                compiled.usable = Err(refused(error.to_string()));
                return compiled;
            }
        };
        compiled.usable =
            self.redactor(&config, &entity.id, entity.version).map_err(|e| refused(e.to_string()));
        compiled.is_keyed_default = entity.id == EVERY_TENANT && config.needs_key();
        compiled
    }

    fn redactor(
        &self,
        config: &RedactConfig,
        owner: &str,
        version: i64,
    ) -> Result<Arc<TenantRedactor>, ConfigError> {
        let key = config.needs_key().then(|| pseudonym_key(&self.vault, owner)).flatten();
        let redactor = self.base.redactor.derive(config, key.as_ref())?;
        let whose = if owner == EVERY_TENANT { "default" } else { "policy" };
        Ok(Arc::new(TenantRedactor {
            redactor,
            version: Text::Owned(format!("{VERSION}+{whose}-{version}")),
        }))
    }

    /// The tenant's redactor.
    ///
    /// # Errors
    /// If the policy that holds for the tenant can't be used.
    pub fn of(&self, tenant: &str) -> Usable {
        let policies = self.policies.load();
        if policies.by_owner.is_empty() {
            return Ok(Arc::clone(&self.base));
        }
        if let Some(own) = policies.by_owner.get(tenant) {
            return own.usable.clone();
        }
        let Some(shared) = policies.by_owner.get(EVERY_TENANT) else { return Ok(Arc::clone(&self.base)) };
        if !shared.is_keyed_default {
            return shared.usable.clone();
        }
        if let Some(known) = policies.keyed.read().get(tenant) {
            return known.clone();
        }
        let made = shared.usable.clone().and_then(|shared| self.with_key(tenant, &shared));
        // Without a key there is no event of the tenant that could be opened; the key may be on its way.
        if made.is_ok() {
            policies.keyed.write().insert(tenant.to_owned(), made.clone());
        }
        made
    }

    fn with_key(&self, tenant: &str, shared: &TenantRedactor) -> Usable {
        let refused = |error: ConfigError| PolicyRefused {
            owner: EVERY_TENANT.into(),
            version: 0,
            reason: error.to_string().into(),
        };
        let key = pseudonym_key(&self.vault, tenant).ok_or_else(|| refused(ConfigError::NoKey))?;
        let redactor = shared.redactor.rekeyed(&key);
        Ok(Arc::new(TenantRedactor { redactor, version: shared.version.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy;
    use deskstream_redact::{PiiKind, Redacted};
    use deskstream_runtime::health::Health;
    use deskstream_runtime::seal::LocalMaster;

    struct World {
        vault: Arc<Vault>,
        redactors: Redactors,
        entities: Vec<Arc<ControlEntity>>,
    }

    impl World {
        fn new() -> Self {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
            let master = ("keys.master".to_owned(), format!("file:{}", file.path().display()));
            let config = deskstream_runtime::config::load(None, &vec![master]).unwrap();
            let vault = Arc::new(Vault::with_wrap(Box::new(LocalMaster::load(&config.keys).unwrap())));
            for tenant in ["acme", "other", EVERY_TENANT] {
                vault.learn(&vault.new_data_key(tenant, "test").unwrap()).unwrap();
            }
            let redactors = Redactors::new(false, Arc::clone(&vault)).unwrap();
            Self { vault, redactors, entities: Vec::new() }
        }

        fn set(&mut self, owner: &str, version: i64, policy: &str) {
            let config: RedactConfig = serde_json::from_str(policy).unwrap();
            let entity = policy::entity(&self.vault, owner, version, "test", &config).unwrap();
            self.entities.retain(|entity| entity.id != owner);
            self.entities.push(Arc::new(entity));
            self.update();
        }

        fn update(&self) {
            self.redactors.update(&self.entities, &Health::default().part("test"));
        }

        fn redact(&self, tenant: &str) -> String {
            let mut out = Redacted::default();
            self.redactors.of(tenant).unwrap().redactor.redact("to ana@example.com", &mut out);
            out.text
        }
    }

    #[test]
    fn a_tenants_own_policy_stands_for_the_installations() {
        let mut world = World::new();
        assert_eq!(world.redact("acme"), "to [EMAIL]");
        world.set(EVERY_TENANT, 1, r#"{"policies": {"EMAIL": "keep"}}"#);
        assert_eq!(world.redact("acme"), "to ana@example.com");
        world.set("acme", 1, r#"{"policies": {"PHONE": "off"}}"#);
        assert_eq!(world.redact("acme"), "to [EMAIL]");
        assert_eq!(world.redact("other"), "to ana@example.com");
        assert!(world.redactors.of("acme").unwrap().version.ends_with("+policy-1"));
        assert!(world.redactors.of("other").unwrap().version.ends_with("+default-1"));
    }

    #[test]
    fn under_one_policy_each_tenant_has_pseudonyms_of_its_own() {
        let mut world = World::new();
        world.set(EVERY_TENANT, 1, r#"{"policies": {"EMAIL": "pseudonym"}}"#);
        let expected = |tenant: &str| {
            let key = pseudonym_key(&world.vault, tenant).unwrap();
            format!("to [EMAIL {}]", key.pseudonym(PiiKind::Email, "ana@example.com"))
        };
        assert_eq!(world.redact("acme"), expected("acme"));
        assert_eq!(world.redact("other"), expected("other"));
        assert_ne!(world.redact("acme"), world.redact("other"));
        assert!(world.redactors.of("nobody").is_err(), "without a key there are no pseudonyms");
    }

    #[test]
    fn a_policy_that_cannot_be_used_lets_nothing_through_for_its_tenant_alone() {
        let mut world = World::new();
        world.set("acme", 1, r#"{"policies": {"EMAIL": "keep"}}"#);
        // The policy of another tenant under acme's name.
        let config = RedactConfig::default();
        let mut stolen = policy::entity(&world.vault, "other", 2, "test", &config).unwrap();
        (stolen.id, stolen.tenant) = ("acme".to_owned(), "acme".to_owned());
        world.entities = vec![Arc::new(stolen)];
        world.update();
        let error = world.redactors.of("acme").unwrap_err().to_string();
        assert!(error.contains("acme, version 2"), "{error}");
        assert_eq!(world.redact("other"), "to [EMAIL]");
        world.set("acme", 3, "{}");
        assert_eq!(world.redact("acme"), "to [EMAIL]");
        world.entities.clear();
        world.update();
        assert_eq!(world.redact("acme"), "to [EMAIL]");
    }
}
