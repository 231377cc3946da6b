//! What happens to one event. Pure but for the codecs' schema look-ups: the clock comes in as an argument.

use super::redactors::{Redactors, TenantRedactor};
use super::tally::BatchTally;
use crate::metrics;
use crate::models::Models;
use crate::opinions::Policies;
use crate::source::RawRecord;
use deskstream_analyze::{Analysis as LocalAnalysis, Scratch};
use deskstream_redact::{Field, Redacted, Redactor, TicketNames};
use deskstream_runtime::Process;
use deskstream_runtime::seal::{OpenError, Vault, is_reference};
use deskstream_schemas::{
    Analysis, DeadLetter, DecodeError, Decoder, EVERY_TENANT, Encoder, EnrichedTicket, Label, OpinionRequest,
    Span, SpanField, Stage, Text, TicketContent, TicketEvent, Tier, Topic,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

/// Clocks of two machines lie no further apart than this.
const CLOCKS_APART_MS: i64 = 60_000;

/// A record ready to be produced.
#[derive(Debug, Clone)]
pub struct OutRecord {
    /// Where to.
    pub topic: Topic,
    /// Its key.
    pub key: String,
    /// Its value, framed.
    pub payload: Vec<u8>,
}

/// What can be said after one event was looked at.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It is dealt with: enriched, or dead-lettered.
    Done,
    /// A schema or a key is on its way: look again soon.
    Retry,
}

/// Bounds on what is accepted.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longer text is cut.
    pub max_text_bytes: usize,
    /// Event times further ahead go to the dead letter, in milliseconds.
    pub future_ms: i64,
    /// Event times further back go to the dead letter, in milliseconds.
    pub past_ms: i64,
    /// How long an event waits for its data key, in milliseconds.
    pub key_patience_ms: i64,
}

/// Why an event can't be enriched.
struct Refusal {
    tenant: String,
    event_id: Option<String>,
    stage: Stage,
    reason: Text,
    error: String,
    fix: Text,
}

/// Shared by a process's workers.
pub struct Shared {
    events: Decoder<TicketEvent>,
    contents: Decoder<TicketContent>,
    enriched: Encoder<EnrichedTicket>,
    dead: Encoder<DeadLetter>,
    requests: Encoder<OpinionRequest>,
    policies: Policies,
    vault: Arc<Vault>,
    redactors: Arc<Redactors>,
    models: Arc<Models>,
    limits: Limits,
    source: Arc<str>,
}

impl Shared {
    /// Everything that does not change from event to event.
    pub fn new(process: &Process, redactors: Arc<Redactors>, models: Arc<Models>, limits: Limits) -> Self {
        Self {
            events: Decoder::new(Arc::clone(&process.registry)),
            contents: Decoder::new(Arc::clone(&process.registry)),
            enriched: Encoder::new(&process.ids),
            dead: Encoder::new(&process.ids),
            requests: Encoder::new(&process.ids),
            policies: Policies::new(&process.config),
            vault: Arc::clone(&process.vault),
            redactors,
            models,
            limits,
            source: process.topics.name(Topic::Events).into(),
        }
    }
}

/// Enriches events; one a worker, since it keeps buffers.
pub struct Enricher {
    shared: Arc<Shared>,
    redacted: Redacted,
    names: TicketNames,
    scratch: Scratch,
    /// Since when an event waits for its key, and keys no longer waited for.
    waiting_since: Option<i64>,
    given_up: HashSet<String>,
}

impl Enricher {
    /// An enricher over shared parts.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            redacted: Redacted::default(),
            names: TicketNames::default(),
            scratch: Scratch::default(),
            waiting_since: None,
            given_up: HashSet::new(),
        }
    }

    /// Looks at one record of the events topic; appends what comes of it to `out`.
    pub fn step(
        &mut self,
        partition: i32,
        record: &RawRecord,
        now: i64,
        tally: &mut BatchTally,
        out: &mut Vec<OutRecord>,
    ) -> Step {
        let refusal = match self.enrich(partition, record, now, tally, out) {
            Ok(step) => return step,
            Err(refusal) => refusal,
        };
        let source = format!("{}/{partition}/{}", self.shared.source, record.offset);
        tally.dead_letter(&refusal.tenant, &refusal.reason);
        let dead = self.dead_letter(*refusal, source, record, now);
        let key = dead.source.clone();
        match self.shared.dead.encode(&dead) {
            Ok(payload) => out.push(OutRecord { topic: Topic::DeadLetter, key, payload }),
            // Its fields fit the schema by construction: a failure would be a bug, and must not stop the stream.
            Err(error) => tracing::error!(source = %key, %error, "a dead letter could not be encoded"),
        }
        Step::Done
    }

    fn enrich(
        &mut self,
        partition: i32,
        record: &RawRecord,
        now: i64,
        tally: &mut BatchTally,
        out: &mut Vec<OutRecord>,
    ) -> Result<Step, Box<Refusal>> {
        let shared = Arc::clone(&self.shared);
        let payload = record.payload.as_deref().unwrap_or_default();
        let event = match shared.events.decode(payload) {
            Ok(event) => event,
            Err(DecodeError::Pending { .. }) => return Ok(Step::Retry),
            Err(error) => return Err(undecodable(&error, EVERY_TENANT, None, "events")),
        };
        let refuse = |stage, reason: &'static str, error: String, fix: &'static str| {
            Box::new(Refusal {
                tenant: event.tenant.clone(),
                event_id: Some(event.event_id.clone()),
                stage,
                reason: reason.into(),
                error,
                fix: fix.into(),
            })
        };
        if event.occurred_at > now + shared.limits.future_ms {
            let error = format!("event time lies {} ms ahead of our clock", event.occurred_at - now);
            return Err(refuse(
                Stage::Decode,
                "future-time",
                error,
                "set the sender's clock, or raise pipeline.future_limit",
            ));
        }
        if event.occurred_at < now - shared.limits.past_ms {
            let error = format!("event time lies {} ms behind our clock", now - event.occurred_at);
            return Err(refuse(
                Stage::Decode,
                "past-time",
                error,
                "check the sender's time unit, or raise pipeline.past_limit",
            ));
        }
        let plain = match shared.vault.open(&event.content, event.content_aad().as_bytes()) {
            Ok(plain) => plain,
            Err(error @ OpenError::Destroyed(_)) => {
                self.waiting_since = None;
                return Err(refuse(
                    Stage::Decrypt,
                    "erased",
                    error.to_string(),
                    "nothing: the requester or the tenant was erased",
                ));
            }
            Err(OpenError::UnknownKey(key)) => {
                // A key is there before its event: what is older than this process and not known to it never will be.
                let may_come = event.received_at > shared.vault.started_at() - CLOCKS_APART_MS;
                if may_come && self.keep_waiting(&key, now) {
                    return Ok(Step::Retry);
                }
                let error = OpenError::UnknownKey(key).to_string();
                return Err(refuse(
                    Stage::Decrypt,
                    "unknown-key",
                    error,
                    "if the key was not destroyed on purpose, restore it in the control topic and replay",
                ));
            }
            Err(error @ OpenError::Tampered) => {
                return Err(refuse(
                    Stage::Decrypt,
                    "tampered",
                    error.to_string(),
                    "find out who else writes to the events topic",
                ));
            }
        };
        self.waiting_since = None;
        let content = match shared.contents.decode(&plain) {
            Ok(content) => content,
            Err(DecodeError::Pending { .. }) => return Ok(Step::Retry),
            Err(error) => return Err(undecodable(&error, &event.tenant, Some(&event.event_id), "content")),
        };
        let redactor = shared.redactors.of(&event.tenant).map_err(|refused| {
            refuse(
                Stage::Redact,
                "policy-refused",
                refused.to_string(),
                "mend the policy (`deskstream policy check`, `deskstream policy set`), then send the ticket again",
            )
        })?;
        let enriched = self.enriched(partition, record.offset, event, &content, &redactor, now);
        let key = enriched.key();
        let payload = shared.enriched.encode(&enriched).map_err(|error| {
            Box::new(Refusal {
                tenant: enriched.tenant.clone(),
                event_id: Some(enriched.event_id.clone()),
                stage: Stage::Analyze,
                reason: "encode".into(),
                error: error.to_string(),
                fix: "report this: it is a bug of Deskstream".into(),
            })
        })?;
        tally.enriched(&enriched);
        if let Some(request) = shared.policies.request(&enriched, now) {
            match shared.requests.encode(&request) {
                Ok(payload) => {
                    metrics::REQUESTS.with_label_values(&[&*request.reason]).inc();
                    out.push(OutRecord { topic: Topic::OpinionRequests, key: key.clone(), payload });
                }
                // The local judgement stands.
                Err(error) => tracing::error!(%error, "a request for a second opinion could not be encoded"),
            }
        }
        out.push(OutRecord { topic: Topic::Enriched, key, payload });
        Ok(Step::Done)
    }

    fn enriched(
        &mut self,
        partition: i32,
        offset: i64,
        event: TicketEvent,
        content: &TicketContent,
        by: &TenantRedactor,
        now: i64,
    ) -> EnrichedTicket {
        let shared = Arc::clone(&self.shared);
        let mut notes = Vec::new();
        let subject = cut(&content.subject, shared.limits.max_text_bytes, &mut notes);
        let body = cut(&content.body, shared.limits.max_text_bytes, &mut notes);
        if subject.trim().is_empty() && body.trim().is_empty() {
            notes.push(Text::Borrowed("empty-text"));
        }
        let (mut spans, mut redactions) = (Vec::new(), BTreeMap::new());
        self.names.clear();
        content.requester_name.iter().for_each(|name| self.names.add_name(name));
        content.requester_email.iter().for_each(|address| self.names.add_email(address));
        for person in &content.people {
            person.name.iter().for_each(|name| self.names.add_name(name));
            person.email.iter().for_each(|address| self.names.add_email(address));
        }
        // The body reveals names that the subject may repeat, but spans are told in the order of the fields.
        let mut body_spans = Vec::new();
        let body = self.redact(&by.redactor, SpanField::Body, body, &mut body_spans, &mut redactions);
        let subject = self.redact(&by.redactor, SpanField::Subject, subject, &mut spans, &mut redactions);
        spans.append(&mut body_spans);
        let tags = content
            .tags
            .iter()
            .map(|t| self.redact(&by.redactor, SpanField::Tag, t, &mut spans, &mut redactions))
            .collect();
        let started = Instant::now();
        let live = shared.models.live();
        let mut local = live.analyzer.analyze(&subject, &body, &mut self.scratch);
        let urgency_reasons = std::mem::take(&mut local.urgency_reasons);
        let latency_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
        let (summary, analysis) = convert(local, live.name.clone(), latency_us);
        let shadow = shared.models.candidate().as_ref().map(|candidate| {
            let started = Instant::now();
            let said = candidate.analyzer.analyze(&subject, &body, &mut self.scratch);
            let latency_us = i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX);
            convert(said, candidate.name.clone(), latency_us).1
        });
        EnrichedTicket {
            event_id: event.event_id,
            tenant: event.tenant,
            platform: event.platform,
            ticket_id: event.ticket_id,
            kind: event.kind,
            origin: event.origin,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            created_at: event.created_at,
            version: event.version,
            status: event.status,
            priority: event.priority,
            ticket_type: self.clean(&by.redactor, event.ticket_type),
            channel: self.clean(&by.redactor, event.channel),
            requester_ref: self.clean(&by.redactor, event.requester_ref),
            assignee_ref: self.clean(&by.redactor, event.assignee_ref),
            group_ref: self.clean(&by.redactor, event.group_ref),
            organization_ref: self.clean(&by.redactor, event.organization_ref),
            enriched_at: now,
            source_partition: partition,
            source_offset: offset,
            tags,
            subject,
            body,
            summary,
            spans,
            redactions,
            redactor: by.version.clone(),
            analysis,
            notes,
            shadow,
            urgency_reasons,
        }
    }

    fn redact(
        &mut self,
        redactor: &Redactor,
        field: SpanField,
        text: &str,
        spans: &mut Vec<Span>,
        redactions: &mut BTreeMap<Text, i32>,
    ) -> String {
        let place = match field {
            SpanField::Subject => Field::Subject,
            SpanField::Body => Field::Body,
            SpanField::Tag => Field::Tag,
        };
        redactor.redact_field(place, text, &mut self.names, &mut self.redacted);
        for span in &self.redacted.spans {
            let kind = Text::Borrowed(span.kind.as_str());
            *redactions.entry(kind.clone()).or_default() += 1;
            spans.push(Span {
                field,
                start: i32::try_from(span.start).unwrap_or(i32::MAX),
                end: i32::try_from(span.end).unwrap_or(i32::MAX),
                kind,
                detector: match redactor.pattern_name(span) {
                    Some(name) => Text::Owned(format!("{}:{name}", span.detector)),
                    None => Text::Borrowed(span.detector.as_str()),
                },
                score: span.score,
            });
        }
        std::mem::take(&mut self.redacted.text)
    }

    /// References are opaque ids where helpdesks give them, but an imported file may hold addresses there. Digits are
    /// let be: a helpdesk's id may look like a telephone number. So is the keyed hash of a requester, which erasure finds.
    fn clean(&mut self, redactor: &Redactor, value: Option<String>) -> Option<String> {
        let value = value?;
        if value.bytes().all(|b| b.is_ascii_digit()) || is_reference(&value) {
            return Some(value);
        }
        redactor.redact(&value, &mut self.redacted);
        Some(if self.redacted.spans.is_empty() { value } else { self.redacted.text.clone() })
    }

    /// An event may overtake its tenant's data key by moments, since they come by different topics.
    fn keep_waiting(&mut self, key: &str, now: i64) -> bool {
        if self.given_up.contains(key) {
            return false;
        }
        let since = *self.waiting_since.get_or_insert(now);
        if now - since < self.shared.limits.key_patience_ms {
            return true;
        }
        self.waiting_since = None;
        self.given_up.insert(key.to_owned());
        false
    }

    fn dead_letter(&self, refusal: Refusal, source: String, record: &RawRecord, now: i64) -> DeadLetter {
        let payload = record.payload.as_deref().unwrap_or_default();
        let vault = &self.shared.vault;
        let sealed = vault
            .seal(&refusal.tenant, source.as_bytes(), payload)
            .or_else(|_| vault.seal(EVERY_TENANT, source.as_bytes(), payload));
        DeadLetter {
            tenant: refusal.tenant,
            stage: refusal.stage,
            reason: refusal.reason,
            error: refusal.error,
            fix: refusal.fix,
            source,
            event_id: refusal.event_id,
            failed_at: now,
            attempts: 1,
            payload: sealed.ok(),
            payload_bytes: i64::try_from(payload.len()).unwrap_or(i64::MAX),
        }
    }
}

fn undecodable(error: &DecodeError, tenant: &str, event_id: Option<&str>, what: &str) -> Box<Refusal> {
    Box::new(Refusal {
        tenant: tenant.to_owned(),
        event_id: event_id.map(str::to_owned),
        stage: Stage::Decode,
        reason: error.reason().into(),
        error: format!("{what}: {error}"),
        fix: "write records with the schemas that `deskstream migrate` registers".into(),
    })
}

/// At most `limit` bytes of the text, cut between characters.
fn cut<'a>(text: &'a str, limit: usize, notes: &mut Vec<Text>) -> &'a str {
    if text.len() <= limit {
        return text;
    }
    notes.push(Text::Borrowed("truncated-text"));
    let end = (0..=limit).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

fn convert(local: LocalAnalysis, model: Text, latency_us: i64) -> (String, Analysis) {
    let label = |l: deskstream_analyze::Label| Label {
        value: Text::Owned(l.name.to_string()),
        confidence: l.confidence,
        abstained: l.abstained,
    };
    let analysis = Analysis {
        root_cause: label(local.root_cause),
        urgency: label(local.urgency),
        sentiment: label(local.sentiment),
        sentiment_score: local.sentiment_score,
        industry: label(local.industry),
        language: Text::Borrowed(local.language.code),
        language_confidence: local.language.confidence,
        tier: Tier::Local,
        model,
        latency_us,
        tokens_in: 0,
        tokens_out: 0,
        cost_microusd: 0,
    };
    (local.summary, analysis)
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn text_is_cut_between_characters() {
        let mut notes = Vec::new();
        assert_eq!(cut("aé", 3, &mut notes), "aé");
        assert!(notes.is_empty());
        assert_eq!(cut("aé", 2, &mut notes), "a");
        assert_eq!(notes, ["truncated-text"]);
    }
}
