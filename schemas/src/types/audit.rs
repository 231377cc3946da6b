//! The audit trail: its records, their chain, and the signed ends of it.

use super::enriched::Text;
use crate::{Record, Subject, Topic};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kind of actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ActorKind {
    System,
    User,
    ApiKey,
}

/// How an audited action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum AuditOutcome {
    Ok,
    Denied,
    Error,
}

/// Who did what to which thing; see `audit.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct AuditRecord {
    pub audit_id: String,
    pub tenant: String,
    pub at: i64,
    pub actor_kind: ActorKind,
    pub actor: String,
    pub action: Text,
    pub resource: String,
    pub outcome: AuditOutcome,
    pub detail: BTreeMap<Text, String>,
    pub source_ip: Option<String>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
}

impl Record for AuditRecord {
    const SUBJECT: Subject = Subject::Value(Topic::Audit);
}

/// How long an audit record is kept, and so which of a tenant's chains it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Retention {
    /// What people and outside services caused or saw.
    Audit,
    /// What the pipeline did by itself.
    Processing,
}

/// An audit record in its place in the chain; see `audit.chain.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct AuditLink {
    pub retention: Retention,
    pub sequence: i64,
    pub chained_at: i64,
    #[serde(with = "apache_avro::serde::bytes")]
    pub previous: Vec<u8>,
    #[serde(with = "apache_avro::serde::bytes")]
    pub hash: Vec<u8>,
    pub record: AuditRecord,
}

impl Record for AuditLink {
    const SUBJECT: Subject = Subject::Value(Topic::AuditChain);
}

/// The newest link of a chain, signed; see `audit.heads.avsc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "every field is documented in the schema, which a test holds to this type")]
pub struct AuditHead {
    pub tenant: String,
    pub retention: Retention,
    pub sequence: i64,
    #[serde(with = "apache_avro::serde::bytes")]
    pub hash: Vec<u8>,
    pub chained_at: i64,
    pub key_id: String,
    #[serde(with = "apache_avro::serde::bytes")]
    pub signature: Vec<u8>,
}

impl Record for AuditHead {
    const SUBJECT: Subject = Subject::Value(Topic::AuditHeads);
}
