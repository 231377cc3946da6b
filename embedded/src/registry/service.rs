//! What each request of the API does: questions are answered from the state, changes are decided one at a time.

use std::{
    collections::BTreeSet,
    sync::{Arc, RwLock, RwLockReadGuard},
};

use tokio::sync::Mutex;

use super::{
    RegistryOptions,
    avro::{Compatibility, Parsed},
    error::ApiError,
    log::{Log, WriteError},
    proposal::{Proposal, Which, check_subject, understand},
    record::{Mode, Record, SchemaValue},
    state::{Deleted, State, Version},
};
use crate::{Error, Result};

#[derive(Debug)]
pub(super) struct Service {
    state: Arc<RwLock<State>>,
    log: Log,
    default_level: Compatibility,
    /// Held from a decision to its effect. True: an earlier change's outcome is not known, because it failed or
    /// because its request was abandoned half-way; it must be settled first.
    unsettled: Mutex<bool>,
}

type Answer<T> = Result<T, ApiError>;

impl Service {
    /// Opens the topic, fences earlier registries, and reads everything.
    pub(super) async fn open(options: &RegistryOptions) -> Result<Self> {
        let state = Arc::default();
        let log = Log::open(options, Arc::clone(&state)).await?;
        log.settle().await.map_err(|error| Error::SchemaTopic {
            topic: options.topic.clone(),
            detail: match error {
                WriteError::Fenced => "another registry took it over at the same moment".into(),
                WriteError::Timeout => {
                    format!("{} did not answer in {:?}", options.bootstrap, options.timeout)
                }
                WriteError::Failed(reason) => reason,
            },
        })?;
        Ok(Self { state, log, default_level: options.compatibility, unsettled: Mutex::new(false) })
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        // A panic while applying a record leaves at worst that record out.
        self.state.read().unwrap_or_else(|broken| broken.into_inner())
    }

    /// Decides on a change with the state at rest, writes it, and waits until it is in the state.
    async fn change<T>(&self, decide: impl FnOnce(&State) -> Answer<(Vec<Record>, T)>) -> Answer<T> {
        let store = |error| match error {
            WriteError::Fenced => ApiError::fenced(),
            WriteError::Timeout => ApiError::timeout(),
            WriteError::Failed(reason) => ApiError::store(reason),
        };
        let mut unsettled = self.unsettled.lock().await;
        if *unsettled {
            self.log.settle().await.map_err(store)?;
            *unsettled = false;
        }
        let (records, answer) = decide(&self.state())?;
        if records.is_empty() {
            return Ok(answer);
        }
        // Set before the wait, since this future may be dropped there.
        *unsettled = true;
        self.log.write(records).await.map_err(store)?;
        *unsettled = false;
        Ok(answer)
    }

    pub(super) async fn register(&self, subject: &str, proposal: &Proposal) -> Answer<i32> {
        check_subject(subject)?;
        self.change(|state| {
            let candidate = understand(state, proposal)?;
            if let Some(version) = state.find(subject, &candidate.identity, Deleted::No) {
                return Ok((Vec::new(), version.value.id));
            }
            self.writable(state, subject)?;
            let earlier: Vec<&Version> = state.versions(subject, Deleted::No).collect();
            let reasons = follows(&candidate.parsed, &earlier, self.level(state, subject));
            if !reasons.is_empty() {
                return Err(ApiError::incompatible(&reasons));
            }
            let id = state.id_for(&candidate.identity);
            let value = SchemaValue {
                subject: subject.into(),
                version: state.next_version(subject),
                id,
                schema_type: None,
                references: candidate.identity.1,
                schema: candidate.text,
                deleted: false,
            };
            Ok((vec![Record::Schema(Box::new(value))], id))
        })
        .await
    }

    pub(super) fn lookup(
        &self,
        subject: &str,
        proposal: &Proposal,
        deleted: Deleted,
    ) -> Answer<Arc<SchemaValue>> {
        let state = self.state();
        if state.versions(subject, deleted).next().is_none() {
            return Err(ApiError::no_such_subject(subject));
        }
        let candidate = understand(&state, proposal)?;
        let found = state.find(subject, &candidate.identity, deleted).ok_or_else(ApiError::no_such_schema)?;
        Ok(Arc::clone(&found.value))
    }

    pub(super) fn version(&self, subject: &str, which: Which, deleted: Deleted) -> Answer<Arc<SchemaValue>> {
        let state = self.state();
        find(&state, subject, which, deleted).map(|version| Arc::clone(&version.value))
    }

    /// Why the proposal may not follow; `which` narrows the question to one version.
    pub(super) fn compatible(
        &self,
        subject: &str,
        which: Option<Which>,
        proposal: &Proposal,
    ) -> Answer<Vec<String>> {
        let state = self.state();
        let candidate = understand(&state, proposal)?;
        let earlier: Vec<&Version> = match which {
            None => state.versions(subject, Deleted::No).collect(),
            Some(Which::Latest) => state.versions(subject, Deleted::No).next_back().into_iter().collect(),
            Some(Which::Number(number)) => {
                let found = state.version(subject, number).filter(|version| !version.value.deleted);
                vec![found.ok_or_else(|| ApiError::no_such_version(number))?]
            }
        };
        Ok(follows(&candidate.parsed, &earlier, self.level(&state, subject)))
    }

    pub(super) async fn delete_subject(&self, subject: &str, permanent: bool) -> Answer<Vec<i32>> {
        self.change(|state| {
            self.writable(state, subject)?;
            let all: Vec<&Version> = state.versions(subject, Deleted::Too).collect();
            let live: Vec<i32> = all
                .iter()
                .filter(|version| !version.value.deleted)
                .map(|version| version.value.version)
                .collect();
            if all.is_empty() {
                return Err(ApiError::no_such_subject(subject));
            }
            unreferenced(state, subject, all.iter().map(|version| version.value.version))?;
            if permanent {
                if !live.is_empty() {
                    return Err(ApiError::subject_not_soft_deleted(subject));
                }
                let gone: Vec<i32> = all.iter().map(|version| version.value.version).collect();
                return Ok((forget(state, subject, &gone), gone));
            }
            let Some(last) = live.last() else { return Err(ApiError::subject_soft_deleted(subject)) };
            let name = Some(subject.to_owned());
            let mut records = vec![Record::DeleteSubject { subject: subject.into(), version: *last }];
            if state.level(Some(subject)).is_some() {
                records.push(Record::Config { subject: name.clone(), level: None });
            }
            if state.mode(Some(subject)).is_some() {
                records.push(Record::Mode { subject: name, mode: None });
            }
            Ok((records, live))
        })
        .await
    }

    pub(super) async fn delete_version(&self, subject: &str, which: Which, permanent: bool) -> Answer<i32> {
        self.change(|state| {
            self.writable(state, subject)?;
            // The latest that there is, or, of those deleted, the latest to delete for good.
            let deleted = if permanent || which != Which::Latest { Deleted::Too } else { Deleted::No };
            let found = find(state, subject, which, deleted)?;
            let number = found.value.version;
            unreferenced(state, subject, [number])?;
            if permanent {
                if !found.value.deleted {
                    return Err(ApiError::version_not_soft_deleted(subject, number));
                }
                return Ok((forget(state, subject, &[number]), number));
            }
            if found.value.deleted {
                return Err(ApiError::version_soft_deleted(subject, number));
            }
            let value = SchemaValue { deleted: true, ..(*found.value).clone() };
            Ok((vec![Record::Schema(Box::new(value))], number))
        })
        .await
    }

    /// The level for a subject or globally; `inherit` falls back to what holds for it.
    pub(super) fn config(&self, subject: Option<&str>, inherit: bool) -> Answer<Compatibility> {
        let state = self.state();
        match subject {
            None => Ok(self.global(&state)),
            Some(subject) => state
                .level(Some(subject))
                .or_else(|| inherit.then(|| self.global(&state)))
                .ok_or_else(|| ApiError::no_config(subject)),
        }
    }

    pub(super) async fn set_config(&self, subject: Option<&str>, level: Compatibility) -> Answer<()> {
        if let Some(subject) = subject {
            check_subject(subject)?;
        }
        let record = Record::Config { subject: subject.map(str::to_owned), level: Some(level) };
        self.change(|_| Ok((vec![record], ()))).await
    }

    /// Unsets the level and returns what it was.
    pub(super) async fn delete_config(&self, subject: Option<&str>) -> Answer<Compatibility> {
        self.change(|state| {
            let was = match (state.level(subject), subject) {
                (Some(level), _) => level,
                (None, None) => return Ok((Vec::new(), self.global(state))),
                (None, Some(subject)) => return Err(ApiError::no_such_subject(subject)),
            };
            Ok((vec![Record::Config { subject: subject.map(str::to_owned), level: None }], was))
        })
        .await
    }

    pub(super) fn mode(&self, subject: Option<&str>, inherit: bool) -> Answer<Mode> {
        let state = self.state();
        let global = state.mode(None).unwrap_or_default();
        match subject {
            None => Ok(global),
            Some(subject) => state
                .mode(Some(subject))
                .or_else(|| inherit.then_some(global))
                .ok_or_else(|| ApiError::no_mode(subject)),
        }
    }

    pub(super) async fn set_mode(&self, subject: Option<&str>, mode: Mode) -> Answer<()> {
        if let Some(subject) = subject {
            check_subject(subject)?;
        }
        let record = Record::Mode { subject: subject.map(str::to_owned), mode: Some(mode) };
        self.change(|_| Ok((vec![record], ()))).await
    }

    pub(super) async fn delete_mode(&self, subject: &str) -> Answer<Mode> {
        self.change(|state| {
            let was = state.mode(Some(subject)).ok_or_else(|| ApiError::no_such_subject(subject))?;
            Ok((vec![Record::Mode { subject: Some(subject.into()), mode: None }], was))
        })
        .await
    }

    pub(super) fn referenced_by(&self, subject: &str, which: Which) -> Answer<BTreeSet<i32>> {
        let state = self.state();
        let number = find(&state, subject, which, Deleted::No)?.value.version;
        Ok(state.referenced_by(subject, number))
    }

    fn global(&self, state: &State) -> Compatibility {
        state.level(None).unwrap_or(self.default_level)
    }

    fn level(&self, state: &State, subject: &str) -> Compatibility {
        state.level(Some(subject)).unwrap_or_else(|| self.global(state))
    }

    fn writable(&self, state: &State, subject: &str) -> Answer<()> {
        match state.mode(Some(subject)).or(state.mode(None)).unwrap_or_default() {
            Mode::ReadWrite => Ok(()),
            Mode::ReadOnly => Err(ApiError::read_only(&format!("Subject {subject}"))),
        }
    }
}

fn find<'s>(state: &'s State, subject: &str, which: Which, deleted: Deleted) -> Answer<&'s Version> {
    let found = match which {
        Which::Latest => state.versions(subject, deleted).next_back(),
        Which::Number(number) => {
            state.versions(subject, deleted).find(|version| version.value.version == number)
        }
    };
    found.ok_or_else(|| match which {
        Which::Number(number) if state.versions(subject, Deleted::Too).next().is_some() => {
            ApiError::no_such_version(number)
        }
        _ => ApiError::no_such_subject(subject),
    })
}

fn follows(parsed: &Parsed, earlier: &[&Version], level: Compatibility) -> Vec<String> {
    if level == Compatibility::None {
        return Vec::new();
    }
    let considered = if level.transitive() { earlier } else { &earlier[earlier.len().saturating_sub(1)..] };
    let mut comparable = Vec::with_capacity(considered.len());
    let mut reasons = Vec::new();
    for version in considered {
        match &version.parsed {
            Some(parsed) => comparable.push((version.value.version, &**parsed)),
            None => reasons.push(format!("{{version {} is not Avro}}", version.value.version)),
        }
    }
    reasons.extend(parsed.follows(&comparable, level));
    reasons
}

fn unreferenced(state: &State, subject: &str, versions: impl IntoIterator<Item = i32>) -> Answer<()> {
    match versions.into_iter().find(|version| !state.referenced_by(subject, *version).is_empty()) {
        Some(version) => Err(ApiError::referenced(subject, version)),
        None => Ok(()),
    }
}

/// Tombstones, and the highest id if it goes with them.
fn forget(state: &State, subject: &str, versions: &[i32]) -> Vec<Record> {
    let tombstone = |version: &i32| Record::Forget { subject: subject.into(), version: *version };
    // Before the tombstones: should only a part be compacted away, the id is already safe.
    std::iter::once(Record::MaxId(state.max_id())).chain(versions.iter().map(tombstone)).collect()
}
