//! The registry's state in memory: a fold over the records of the topic. No clock, no I/O.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    avro::{Compatibility, Parsed, identity},
    record::{Mode, Record, Reference, SchemaValue},
};

/// One version of a subject.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) value: Arc<SchemaValue>,
    /// `None` if it is not Avro, or Avro that we can't read: then it is served and never compared.
    pub(super) parsed: Option<Arc<Parsed>>,
    identity: Arc<Identity>,
}

/// What makes a schema the same as another.
pub(super) type Identity = (String, Vec<Reference>);

/// Everything the registry knows.
#[derive(Debug, Default)]
pub(super) struct State {
    subjects: BTreeMap<String, BTreeMap<i32, Version>>,
    /// Where each id is used, soft-deleted versions included.
    ids: BTreeMap<i32, BTreeSet<(String, i32)>>,
    by_identity: HashMap<Arc<Identity>, i32>,
    config: BTreeMap<Option<String>, Compatibility>,
    modes: BTreeMap<Option<String>, Mode>,
    max_id: i32,
}

impl State {
    /// Takes in one record, as it stands in the topic.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Schema(value) => self.put(*value),
            Record::Forget { subject, version } => self.forget(&subject, version),
            Record::DeleteSubject { subject, version } => {
                for entry in
                    self.subjects.get_mut(&subject).into_iter().flat_map(|all| all.range_mut(..=version))
                {
                    Arc::make_mut(&mut entry.1.value).deleted = true;
                }
            }
            Record::Config { subject, level } => set(&mut self.config, subject, level),
            Record::Mode { subject, mode } => set(&mut self.modes, subject, mode),
            Record::MaxId(id) => self.max_id = self.max_id.max(id),
            Record::Noop => {}
        }
    }

    fn put(&mut self, value: SchemaValue) {
        let key = (value.subject.clone(), value.version);
        // A record may change a version's id only if someone wrote the topic by hand: the last one holds.
        self.forget(&key.0, key.1);
        let identity = identity(&value.schema).unwrap_or_else(|_| value.schema.clone());
        let identity = Arc::new((identity, value.references.clone()));
        let avro = value.schema_type.as_deref().is_none_or(|kind| kind == "AVRO");
        let parsed = match self.closure(&value.references) {
            Some(referenced) if avro => Parsed::new(&value.schema, &referenced).ok().map(Arc::new),
            _ => None,
        };
        self.max_id = self.max_id.max(value.id);
        self.ids.entry(value.id).or_default().insert(key);
        self.by_identity.insert(Arc::clone(&identity), value.id);
        let versions = self.subjects.entry(value.subject.clone()).or_default();
        versions.insert(value.version, Version { value: Arc::new(value), parsed, identity });
    }

    fn forget(&mut self, subject: &str, version: i32) {
        let Some(versions) = self.subjects.get_mut(subject) else { return };
        let Some(gone) = versions.remove(&version) else { return };
        if versions.is_empty() {
            self.subjects.remove(subject);
        }
        if let Some(uses) = self.ids.get_mut(&gone.value.id) {
            uses.remove(&(subject.to_owned(), version));
            if uses.is_empty() {
                self.ids.remove(&gone.value.id);
                if self.by_identity.get(&gone.identity) == Some(&gone.value.id) {
                    self.by_identity.remove(&gone.identity);
                }
            }
        }
    }

    /// The subjects that begin with `prefix`, with soft-deleted ones or only those or none.
    pub(super) fn subjects(&self, prefix: &str, deleted: Deleted) -> Vec<&str> {
        self.subjects
            .iter()
            .filter(|(name, versions)| {
                name.starts_with(prefix)
                    && deleted.wants(versions.values().all(|version| version.value.deleted))
            })
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// A subject's versions, oldest first; empty if there are none.
    pub(super) fn versions(
        &self,
        subject: &str,
        deleted: Deleted,
    ) -> impl DoubleEndedIterator<Item = &Version> {
        self.subjects
            .get(subject)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(move |version| deleted.wants(version.value.deleted))
    }

    /// One version, soft-deleted or not.
    pub(super) fn version(&self, subject: &str, version: i32) -> Option<&Version> {
        self.subjects.get(subject)?.get(&version)
    }

    /// The number that the subject's next version has.
    pub(super) fn next_version(&self, subject: &str) -> i32 {
        self.subjects
            .get(subject)
            .and_then(|versions| versions.last_key_value())
            .map_or(1, |(last, _)| last + 1)
    }

    /// Any version that has this id.
    pub(super) fn by_id(&self, id: i32) -> Option<&Version> {
        let (subject, version) = self.ids.get(&id)?.first()?;
        self.version(subject, *version)
    }

    /// Where an id is used.
    pub(super) fn uses(&self, id: i32, deleted: Deleted) -> Vec<(&str, i32)> {
        self.ids
            .get(&id)
            .into_iter()
            .flatten()
            .filter(|(subject, version)| {
                self.version(subject, *version).is_some_and(|found| deleted.wants(found.value.deleted))
            })
            .map(|(subject, version)| (subject.as_str(), *version))
            .collect()
    }

    /// The newest version of `subject` with this content.
    pub(super) fn find(&self, subject: &str, identity: &Identity, deleted: Deleted) -> Option<&Version> {
        self.versions(subject, deleted).rev().find(|version| *version.identity == *identity)
    }

    /// The id of this content in any subject, or the next free one.
    pub(super) fn id_for(&self, identity: &Identity) -> i32 {
        self.by_identity.get(identity).copied().unwrap_or(self.max_id + 1)
    }

    /// The highest id that was ever given.
    pub(super) fn max_id(&self) -> i32 {
        self.max_id
    }

    /// The ids of schemas that refer to this version.
    pub(super) fn referenced_by(&self, subject: &str, version: i32) -> BTreeSet<i32> {
        let refers = |reference: &Reference| reference.subject == subject && reference.version == version;
        self.subjects
            .values()
            .flat_map(BTreeMap::values)
            .filter(|entry| !entry.value.deleted && entry.value.references.iter().any(refers))
            .map(|entry| entry.value.id)
            .collect()
    }

    /// The texts of all schemas that `references` lead to, each once; `None` if one is missing.
    pub(super) fn closure(&self, references: &[Reference]) -> Option<Vec<String>> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Reference> = references.iter().collect();
        let mut texts = Vec::new();
        while let Some(reference) = open.pop() {
            if seen.insert((&reference.subject, reference.version)) {
                let version = self.version(&reference.subject, reference.version)?;
                texts.push(version.value.schema.clone());
                open.extend(&version.value.references);
            }
        }
        Some(texts)
    }

    /// The level set for a subject, or globally with `None`.
    pub(super) fn level(&self, subject: Option<&str>) -> Option<Compatibility> {
        self.config.get(&subject.map(str::to_owned)).copied()
    }

    /// The mode set for a subject, or globally with `None`.
    pub(super) fn mode(&self, subject: Option<&str>) -> Option<Mode> {
        self.modes.get(&subject.map(str::to_owned)).copied()
    }
}

/// Which versions count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deleted {
    /// Those that are not deleted.
    No,
    /// All.
    Too,
    /// The soft-deleted ones.
    Only,
}

impl Deleted {
    fn wants(self, deleted: bool) -> bool {
        match self {
            Self::No => !deleted,
            Self::Too => true,
            Self::Only => deleted,
        }
    }
}

fn set<T>(map: &mut BTreeMap<Option<String>, T>, key: Option<String>, value: Option<T>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn schema(subject: &str, version: i32, id: i32, text: &str) -> Record {
        Record::Schema(Box::new(SchemaValue {
            subject: subject.into(),
            version,
            id,
            schema_type: None,
            references: Vec::new(),
            schema: text.into(),
            deleted: false,
        }))
    }

    #[test]
    fn soft_deletion_hides_and_keeps() {
        let mut state = State::default();
        state.apply(schema("s", 1, 1, "\"int\""));
        state.apply(schema("s", 2, 2, "\"long\""));
        state.apply(Record::DeleteSubject { subject: "s".into(), version: 2 });
        assert!(state.subjects("", Deleted::No).is_empty());
        assert_eq!(state.subjects("", Deleted::Only), ["s"]);
        assert_eq!(state.versions("s", Deleted::Too).count(), 2);
        assert_eq!(state.next_version("s"), 3);
        assert!(state.by_id(2).is_some(), "data with the id can still be read");
    }

    #[test]
    fn an_id_is_never_given_twice() {
        let mut state = State::default();
        state.apply(schema("s", 1, 5, "\"int\""));
        state.apply(Record::Forget { subject: "s".into(), version: 1 });
        assert_eq!(state.id_for(&("\"int\"".into(), Vec::new())), 6);
        // After compaction only this record tells.
        let mut restarted = State::default();
        restarted.apply(Record::MaxId(5));
        assert_eq!(restarted.id_for(&("\"int\"".into(), Vec::new())), 6);
    }

    #[test]
    fn the_same_content_has_one_id_in_all_subjects() {
        let mut state = State::default();
        state.apply(schema("a", 1, 1, "\"int\""));
        state.apply(schema("b", 1, 1, "\"int\""));
        assert_eq!(state.uses(1, Deleted::No), [("a", 1), ("b", 1)]);
        state.apply(Record::Forget { subject: "a".into(), version: 1 });
        assert_eq!(state.id_for(&("\"int\"".into(), Vec::new())), 1);
    }

    #[test]
    fn what_is_not_avro_is_kept_and_not_compared() {
        let mut state = State::default();
        let Record::Schema(mut value) = schema("s", 1, 1, "syntax = \"proto3\";") else { unreachable!() };
        value.schema_type = Some("PROTOBUF".into());
        state.apply(Record::Schema(value));
        assert!(state.by_id(1).unwrap().parsed.is_none());
    }

    fn change() -> impl Strategy<Value = Record> {
        let subject = prop_oneof![Just("a"), Just("b")];
        let text = prop_oneof![Just("\"int\""), Just("\"long\""), Just("\"string\"")];
        prop_oneof![
            (subject.clone(), 1..4i32, 1..5i32, text).prop_map(|(s, v, id, text)| schema(s, v, id, text)),
            (subject.clone(), 1..4i32)
                .prop_map(|(subject, version)| Record::Forget { subject: subject.into(), version }),
            (subject, 1..4i32)
                .prop_map(|(subject, version)| Record::DeleteSubject { subject: subject.into(), version }),
        ]
    }

    proptest! {
        /// Whatever the order of records, the two indices say the same as the versions.
        #[test]
        fn the_indices_agree_with_the_versions(changes in proptest::collection::vec(change(), 0..30)) {
            let mut state = State::default();
            for change in changes {
                state.apply(change);
            }
            for (subject, versions) in &state.subjects {
                for (number, version) in versions {
                    prop_assert!(state.ids[&version.value.id].contains(&(subject.clone(), *number)));
                }
            }
            for (id, uses) in &state.ids {
                prop_assert!(!uses.is_empty());
                for (subject, number) in uses {
                    prop_assert_eq!(state.version(subject, *number).unwrap().value.id, *id);
                }
                prop_assert!(*id <= state.max_id);
            }
        }
    }
}
