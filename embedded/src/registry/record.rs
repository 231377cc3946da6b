//! The records of the `_schemas` topic, in the format of Confluent's registry: JSON keys and values.
//!
//! | key | value |
//! | --- | --- |
//! | `{"keytype":"SCHEMA","subject":s,"version":v,"magic":1}` | the version, `deleted` or not; null: gone for good |
//! | `{"keytype":"CONFIG","subject":s or null,"magic":0}` | `{"compatibilityLevel":…}`; null: unset |
//! | `{"keytype":"MODE","subject":s or null,"magic":0}` | `{"mode":…}`; null: unset |
//! | `{"keytype":"DELETE_SUBJECT","subject":s,"magic":0}` | `{"subject":s,"version":v}`: all up to v are soft-deleted |
//! | `{"keytype":"NOOP","magic":0}` | null |
//! | `{"keytype":"DESKSTREAM_MAX_ID","magic":0}` | `{"id":n}`: ids up to n were given, some to what is gone |
//!
//! The last is ours: without it, the id of a schema that was deleted for good could be given to another after a
//! restart, and old data would be read with it. Confluent's registry logs and skips key types it does not know,
//! and so do we.

use serde::{Deserialize, Serialize};

use super::avro::Compatibility;

/// A named schema that another one uses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) version: i32,
}

/// A version as it is stored; also the body of many answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SchemaValue {
    pub(super) subject: String,
    pub(super) version: i32,
    pub(super) id: i32,
    /// Left out for Avro, as Confluent's registry does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) schema_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Reference>,
    pub(super) schema: String,
    #[serde(default)]
    pub(super) deleted: bool,
}

/// Whether changes are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Mode {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// One change of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Schema(Box<SchemaValue>),
    Forget { subject: String, version: i32 },
    DeleteSubject { subject: String, version: i32 },
    Config { subject: Option<String>, level: Option<Compatibility> },
    Mode { subject: Option<String>, mode: Option<Mode> },
    MaxId(i32),
    Noop,
}

// The order of the fields is that of Confluent's keys: compaction compares bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "keytype")]
enum Key {
    #[serde(rename = "SCHEMA")]
    Schema { subject: String, version: i32, magic: u8 },
    #[serde(rename = "CONFIG")]
    Config { subject: Option<String>, magic: u8 },
    #[serde(rename = "MODE")]
    Mode { subject: Option<String>, magic: u8 },
    #[serde(rename = "DELETE_SUBJECT")]
    DeleteSubject { subject: String, magic: u8 },
    #[serde(rename = "NOOP")]
    Noop { magic: u8 },
    #[serde(rename = "DESKSTREAM_MAX_ID")]
    MaxId { magic: u8 },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigValue {
    compatibility_level: Compatibility,
}

#[derive(Debug, Serialize, Deserialize)]
struct ModeValue {
    mode: Mode,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeleteSubjectValue {
    subject: String,
    version: i32,
}

#[derive(Debug, Serialize, Deserialize)]
struct MaxIdValue {
    id: i32,
}

impl Record {
    /// The record's key and value.
    pub(super) fn encode(&self) -> serde_json::Result<(Vec<u8>, Option<Vec<u8>>)> {
        fn some<T: Serialize>(value: &T) -> serde_json::Result<Option<Vec<u8>>> {
            serde_json::to_vec(value).map(Some)
        }
        let (key, value) = match self {
            Self::Schema(schema) => {
                let key = Key::Schema { subject: schema.subject.clone(), version: schema.version, magic: 1 };
                (key, some(schema)?)
            }
            Self::Forget { subject, version } => {
                (Key::Schema { subject: subject.clone(), version: *version, magic: 1 }, None)
            }
            Self::DeleteSubject { subject, version } => {
                let value = DeleteSubjectValue { subject: subject.clone(), version: *version };
                (Key::DeleteSubject { subject: subject.clone(), magic: 0 }, some(&value)?)
            }
            Self::Config { subject, level } => {
                let value =
                    level.map(|level| some(&ConfigValue { compatibility_level: level })).transpose()?;
                (Key::Config { subject: subject.clone(), magic: 0 }, value.flatten())
            }
            Self::Mode { subject, mode } => {
                let value = mode.map(|mode| some(&ModeValue { mode })).transpose()?;
                (Key::Mode { subject: subject.clone(), magic: 0 }, value.flatten())
            }
            Self::MaxId(id) => (Key::MaxId { magic: 0 }, some(&MaxIdValue { id: *id })?),
            Self::Noop => (Key::Noop { magic: 0 }, None),
        };
        Ok((serde_json::to_vec(&key)?, value))
    }

    /// Reads what [`Record::encode`] or Confluent's registry wrote.
    pub(super) fn decode(key: &[u8], value: Option<&[u8]>) -> serde_json::Result<Self> {
        Ok(match serde_json::from_slice(key)? {
            Key::Schema { subject, version, .. } => match value {
                Some(value) => Self::Schema(serde_json::from_slice(value)?),
                None => Self::Forget { subject, version },
            },
            Key::DeleteSubject { subject, .. } => match value {
                Some(value) => {
                    let value: DeleteSubjectValue = serde_json::from_slice(value)?;
                    Self::DeleteSubject { subject, version: value.version }
                }
                None => Self::Noop,
            },
            Key::Config { subject, .. } => {
                let value: Option<ConfigValue> = value.map(serde_json::from_slice).transpose()?;
                Self::Config { subject, level: value.map(|value| value.compatibility_level) }
            }
            Key::Mode { subject, .. } => {
                let value: Option<ModeValue> = value.map(serde_json::from_slice).transpose()?;
                Self::Mode { subject, mode: value.map(|value| value.mode) }
            }
            Key::MaxId { .. } => match value {
                Some(value) => Self::MaxId(serde_json::from_slice::<MaxIdValue>(value)?.id),
                None => Self::Noop,
            },
            Key::Noop { .. } => Self::Noop,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> SchemaValue {
        SchemaValue {
            subject: "s-value".into(),
            version: 2,
            id: 7,
            schema_type: None,
            references: Vec::new(),
            schema: r#"{"type":"string"}"#.into(),
            deleted: false,
        }
    }

    #[test]
    fn records_are_those_of_confluents_registry() {
        let (key, value) = Record::Schema(Box::new(schema())).encode().unwrap();
        assert_eq!(
            String::from_utf8(key).unwrap(),
            r#"{"keytype":"SCHEMA","subject":"s-value","version":2,"magic":1}"#
        );
        assert_eq!(
            String::from_utf8(value.unwrap()).unwrap(),
            r#"{"subject":"s-value","version":2,"id":7,"schema":"{\"type\":\"string\"}","deleted":false}"#
        );
        let (key, value) =
            Record::Config { subject: None, level: Some(Compatibility::Full) }.encode().unwrap();
        assert_eq!(String::from_utf8(key).unwrap(), r#"{"keytype":"CONFIG","subject":null,"magic":0}"#);
        assert_eq!(String::from_utf8(value.unwrap()).unwrap(), r#"{"compatibilityLevel":"FULL"}"#);
    }

    #[test]
    fn every_record_comes_back() {
        let subject = Some("s".to_owned());
        for record in [
            Record::Schema(Box::new(schema())),
            Record::Forget { subject: "s".into(), version: 1 },
            Record::DeleteSubject { subject: "s".into(), version: 3 },
            Record::Config { subject: subject.clone(), level: Some(Compatibility::ForwardTransitive) },
            Record::Config { subject: subject.clone(), level: None },
            Record::Mode { subject, mode: Some(Mode::ReadOnly) },
            Record::Mode { subject: None, mode: None },
            Record::MaxId(9),
            Record::Noop,
        ] {
            let (key, value) = record.encode().unwrap();
            assert_eq!(Record::decode(&key, value.as_deref()).unwrap(), record);
        }
    }

    #[test]
    fn fields_of_newer_registries_are_ignored_and_unknown_keys_are_errors() {
        let key = br#"{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}"#;
        let value =
            br#"{"subject":"s","version":1,"id":1,"md5":"x","schema":"\"int\"","deleted":false,"ts":1}"#;
        assert!(matches!(Record::decode(key, Some(value)).unwrap(), Record::Schema(_)));
        assert!(Record::decode(br#"{"keytype":"CONTEXT","magic":0}"#, None).is_err());
        assert!(Record::decode(b"no json", None).is_err());
    }
}
