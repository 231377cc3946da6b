//! From a ticket's analysis to a write-back: tags, note and priority. Pure.

use deskstream_runtime::config::{PriorityPolicy, WriteBackConfig};
use deskstream_schemas::{Command, EnrichedTicket, Label, Origin, Platform, Priority, Tier};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

/// Namespace of command ids (a UUIDv4 drawn once).
const COMMANDS: Uuid = Uuid::from_u128(0x5a0c_6a1e_7d3b_4f5c_9c57_2f0b_1d6e_8a42);

/// An urgency below this is not worth overruling an empty priority field for.
const PRIORITY_CONFIDENCE: f32 = 0.6;

/// What shall be written to a ticket.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    tags: Vec<String>,
    priority: Option<Priority>,
}

impl Decision {
    /// What the analysis calls for; none where there is no helpdesk to write to, and none for what a backfill brings: its
    /// tickets are of the past.
    pub fn of(ticket: &EnrichedTicket, config: &WriteBackConfig) -> Option<Self> {
        let past = ticket.platform == Platform::Import || ticket.origin == Origin::Backfill;
        if !config.enabled || past {
            return None;
        }
        let analysis = &ticket.analysis;
        let prefix = &config.tag_prefix;
        let mut tags: Vec<String> = [
            ("cause", &analysis.root_cause),
            ("urgency", &analysis.urgency),
            ("sentiment", &analysis.sentiment),
        ]
        .into_iter()
        .filter(|(_, label)| !label.abstained)
        .map(|(head, label)| format!("{prefix}{head}_{}", label.value))
        .collect();
        if analysis.language != "und" {
            tags.push(format!("{prefix}lang_{}", analysis.language));
        }
        tags.sort();
        let priority = match config.priority {
            PriorityPolicy::Never => None,
            PriorityPolicy::IfUnset if ticket.priority.is_some() => None,
            PriorityPolicy::IfUnset => priority(&analysis.urgency),
        };
        (!tags.is_empty() || priority.is_some()).then_some(Self { tags, priority })
    }

    /// Equal for equal decisions on a ticket.
    pub fn hash(&self) -> u64 {
        xxh3_64(format!("{:?}{:?}", self.tags, self.priority).as_bytes())
    }

    /// The command that carries it out. The id follows from the ticket and the decision alone, so that the same
    /// decision, met again after a restart, is recognised.
    pub fn command(self, ticket: &EnrichedTicket, config: &WriteBackConfig, now: i64) -> Command {
        let key = ticket.key();
        let command_id =
            Uuid::new_v5(&COMMANDS, format!("{key}/{:016x}", self.hash()).as_bytes()).to_string();
        let note = config.note.then(|| note(ticket, &command_id));
        Command {
            command_id,
            tenant: ticket.tenant.clone(),
            platform: ticket.platform,
            ticket_id: ticket.ticket_id.clone(),
            event_id: ticket.event_id.clone(),
            version: ticket.version,
            issued_at: now,
            received_at: ticket.received_at,
            tag_prefix: config.tag_prefix.clone(),
            tags: self.tags,
            note,
            priority: self.priority,
            // Nobody writes drafts yet.
            draft: None,
            fields: fields(ticket),
        }
    }
}

/// What the analysis is sure of, for custom fields of the account.
fn fields(ticket: &EnrichedTicket) -> BTreeMap<String, String> {
    let analysis = &ticket.analysis;
    let labels = [
        ("root_cause", &analysis.root_cause),
        ("urgency", &analysis.urgency),
        ("sentiment", &analysis.sentiment),
        ("industry", &analysis.industry),
    ];
    let sure = labels.into_iter().filter(|(_, label)| !label.abstained);
    let mut fields: BTreeMap<_, _> =
        sure.map(|(name, label)| (name.to_owned(), label.value.to_string())).collect();
    if analysis.language != "und" {
        fields.insert("language".to_owned(), analysis.language.to_string());
    }
    fields
}

fn priority(urgency: &Label) -> Option<Priority> {
    if urgency.abstained || urgency.confidence < PRIORITY_CONFIDENCE {
        return None;
    }
    match urgency.value.as_ref() {
        "low" => Some(Priority::Low),
        "normal" => Some(Priority::Normal),
        "high" => Some(Priority::High),
        "critical" => Some(Priority::Urgent),
        _ => None,
    }
}

fn note(ticket: &EnrichedTicket, command_id: &str) -> String {
    let analysis = &ticket.analysis;
    let label =
        |l: &Label| json!({ "value": l.value, "confidence": round(l.confidence), "sure": !l.abstained });
    // They are the local model's: whoever judged otherwise had others.
    let reasons = if analysis.tier == Tier::Local { ticket.urgency_reasons.as_slice() } else { &[] };
    json!({
        "deskstream": {
            "command_id": command_id,
            "root_cause": label(&analysis.root_cause),
            "urgency": label(&analysis.urgency),
            "urgency_reasons": reasons,
            "sentiment": label(&analysis.sentiment),
            "sentiment_score": round(analysis.sentiment_score),
            "industry": label(&analysis.industry),
            "language": analysis.language,
            "summary": ticket.summary,
            "redacted": ticket.redactions,
            "model": analysis.model,
            "redactor": ticket.redactor,
        }
    })
    .to_string()
}

fn round(share: f32) -> f64 {
    (f64::from(share) * 1000.0).round() / 1000.0
}
