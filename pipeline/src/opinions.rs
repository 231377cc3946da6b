//! When a second opinion is asked for, and what is asked. Pure: a replay decides as the first time did.

use deskstream_runtime::config::{Ask, Config, OpinionPolicy};
use deskstream_schemas::{EnrichedTicket, OpinionRequest, Priority, Text, TicketStatus};
use std::collections::HashMap;
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Namespace of request ids (a UUIDv4 drawn once).
const REQUESTS: Uuid = Uuid::from_u128(0xd2c1_7c52_3f0e_4b0b_8a45_91e7_5d06_4c3a);

/// Importance grows no further.
const MOST_IMPORTANT: f64 = 2.0;

/// An unhappy requester makes a mistake dearer.
const UNHAPPY: f64 = 0.25;

/// Identity of a redacted text, as the schemas define it.
pub fn text_hash(subject: &str, body: &str) -> i64 {
    let mut hasher = Xxh3::new();
    hasher.update(subject.as_bytes());
    hasher.update(&[0]);
    hasher.update(body.as_bytes());
    hasher.digest().cast_signed()
}

/// Why a ticket is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct Asking {
    /// The policy's reason.
    pub reason: &'static str,
    /// Uncertainty times importance.
    pub value: f64,
}

/// The policies of all tenants.
#[derive(Debug, Clone)]
pub struct Policies {
    common: OpinionPolicy,
    own: HashMap<String, OpinionPolicy>,
    max_text_bytes: usize,
}

impl Policies {
    /// As configured.
    pub fn new(config: &Config) -> Self {
        let own = config.tenants.iter().filter_map(|(id, tenant)| {
            let own = tenant.opinions.as_ref()?;
            Some((id.clone(), config.opinions.policy.with(own)))
        });
        Self {
            common: config.opinions.policy.clone(),
            own: own.collect(),
            max_text_bytes: config.opinions.max_text_bytes,
        }
    }

    fn of(&self, tenant: &str) -> &OpinionPolicy {
        self.own.get(tenant).unwrap_or(&self.common)
    }

    /// Whether somebody is to be asked about the ticket. Its text is not looked at, but for whether there is some.
    pub fn asks(&self, ticket: &EnrichedTicket) -> Option<Asking> {
        let policy = self.of(&ticket.tenant);
        if policy.ask == Ask::Never || ticket.notes.iter().any(|note| note == "empty-text") {
            return None;
        }
        let value = ticket.analysis.uncertainty() * importance(ticket);
        let done = matches!(ticket.status, TicketStatus::Solved | TicketStatus::Closed);
        let reason = match policy.ask {
            Ask::Never => None,
            Ask::Always => Some("always"),
            Ask::Sample => (share_of(&ticket.key()) < policy.sample).then_some("sample"),
            // Nobody acts on these any more.
            Ask::LowConfidence | Ask::ExpectedValue if done => None,
            Ask::LowConfidence => {
                let analysis = &ticket.analysis;
                (analysis.root_cause.abstained || analysis.urgency.abstained).then_some("low-confidence")
            }
            Ask::ExpectedValue => (value >= policy.min_value).then_some("expected-value"),
        };
        Some(Asking { reason: reason?, value })
    }

    /// The question about a ticket, if there is one.
    pub fn request(&self, ticket: &EnrichedTicket, now: i64) -> Option<OpinionRequest> {
        let Asking { reason, value } = self.asks(ticket)?;
        let text_hash = text_hash(&ticket.subject, &ticket.body);
        let name = format!("{}/{}/{text_hash:016x}", ticket.key(), ticket.version);
        let subject = head(&ticket.subject, self.max_text_bytes / 4);
        Some(OpinionRequest {
            request_id: Uuid::new_v5(&REQUESTS, name.as_bytes()).to_string(),
            tenant: ticket.tenant.clone(),
            platform: ticket.platform,
            ticket_id: ticket.ticket_id.clone(),
            event_id: ticket.event_id.clone(),
            version: ticket.version,
            text_hash,
            asked_at: now,
            reason: Text::Borrowed(reason),
            value,
            language: ticket.analysis.language.clone(),
            subject: subject.to_owned(),
            body: head(&ticket.body, self.max_text_bytes - subject.len()).to_owned(),
            local: ticket.analysis.clone(),
        })
    }
}

/// How dear a mistake is; 0.5 to 2, and 1 for an ordinary ticket.
fn importance(ticket: &EnrichedTicket) -> f64 {
    let judged = match ticket.analysis.urgency.value.as_ref() {
        "low" => 0.5,
        "high" => 1.5,
        "critical" => 2.0,
        _ => 1.0,
    };
    let set = match ticket.priority {
        Some(Priority::Urgent) => 2.0,
        Some(Priority::High) => 1.5,
        Some(Priority::Normal) => 1.0,
        Some(Priority::Low) | None => 0.5,
    };
    let unhappy = ticket.analysis.sentiment.value == "negative" && !ticket.analysis.sentiment.abstained;
    (f64::max(judged, set) + if unhappy { UNHAPPY } else { 0.0 }).min(MOST_IMPORTANT)
}

/// A number from 0 to 1 that belongs to the key for ever.
fn share_of(key: &str) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "the upper 53 bits fit")]
    let share = (xxh3_64(key.as_bytes()) >> 11) as f64 / (1_u64 << 53) as f64;
    share
}

/// At most `limit` bytes from the front, cut between characters.
fn head(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use deskstream_schemas::{Analysis, EventKind, Label, Origin, Platform, Tier};
    use proptest::prelude::*;

    pub(crate) fn policies(ask: Ask) -> Policies {
        let policy = OpinionPolicy {
            ask,
            sample: 0.25,
            min_value: 0.5,
            monthly_budget_usd: 1.0,
            ticket_ceiling_usd: 0.01,
        };
        Policies { common: policy, own: HashMap::new(), max_text_bytes: 400 }
    }

    fn label(value: &'static str, confidence: f32) -> Label {
        Label { value: value.into(), confidence, abstained: confidence < 0.5 }
    }

    pub(crate) fn ticket(id: u64, version: i64, confidence: f32, body: &str) -> EnrichedTicket {
        EnrichedTicket {
            event_id: format!("e-{id}-{version}"),
            tenant: "acme".into(),
            platform: Platform::Zendesk,
            ticket_id: id.to_string(),
            kind: EventKind::Created,
            origin: Origin::Webhook,
            occurred_at: 1_000_000,
            received_at: 1_000_000,
            created_at: 1_000_000,
            version,
            status: TicketStatus::New,
            priority: None,
            ticket_type: None,
            channel: None,
            requester_ref: None,
            assignee_ref: None,
            group_ref: None,
            organization_ref: None,
            enriched_at: 1_000_001,
            source_partition: 0,
            source_offset: 0,
            tags: vec![],
            subject: "Help".into(),
            body: body.into(),
            summary: String::new(),
            spans: vec![],
            redactions: std::collections::BTreeMap::new(),
            redactor: "1".into(),
            analysis: Analysis {
                root_cause: label("billing", confidence),
                urgency: label("normal", confidence),
                sentiment: label("neutral", confidence),
                sentiment_score: 0.0,
                industry: label("saas", confidence),
                language: "en".into(),
                language_confidence: 1.0,
                tier: Tier::Local,
                model: "local/x".into(),
                latency_us: 1,
                tokens_in: 0,
                tokens_out: 0,
                cost_microusd: 0,
            },
            notes: vec![],
            shadow: None,
            urgency_reasons: vec![],
        }
    }

    fn asks(ask: Ask, ticket: &EnrichedTicket) -> Option<&'static str> {
        policies(ask).asks(ticket).map(|asking| asking.reason)
    }

    #[test]
    fn each_policy_asks_about_what_it_is_for() {
        let (sure, unsure) = (ticket(1, 1, 0.95, "x"), ticket(1, 1, 0.3, "x"));
        for t in [&sure, &unsure] {
            assert_eq!(asks(Ask::Never, t), None);
            assert_eq!(asks(Ask::Always, t), Some("always"));
        }
        assert_eq!(asks(Ask::LowConfidence, &sure), None);
        assert_eq!(asks(Ask::LowConfidence, &unsure), Some("low-confidence"));
        assert_eq!(asks(Ask::ExpectedValue, &sure), None);
        assert_eq!(asks(Ask::ExpectedValue, &unsure), Some("expected-value"));
        let solved = EnrichedTicket { status: TicketStatus::Solved, ..unsure.clone() };
        assert_eq!(asks(Ask::LowConfidence, &solved), None);
        assert_eq!(asks(Ask::Always, &solved), Some("always"));
        let empty = EnrichedTicket { notes: vec!["empty-text".into()], ..unsure };
        assert_eq!(asks(Ask::Always, &empty), None, "there is nothing to judge");
    }

    #[test]
    fn the_same_doubt_is_worth_more_on_an_important_ticket() {
        let plain = ticket(1, 1, 0.7, "x");
        let mut pressing = EnrichedTicket { priority: Some(Priority::Urgent), ..plain.clone() };
        pressing.analysis.sentiment = label("negative", 0.7);
        let value = |t: &EnrichedTicket| policies(Ask::Always).asks(t).unwrap().value;
        assert!((value(&plain) - 0.3).abs() < 1e-6, "{}", value(&plain));
        assert!((value(&pressing) - 0.6).abs() < 1e-6, "{}", value(&pressing));
    }

    #[test]
    fn a_sample_is_the_configured_share_and_always_the_same_tickets() {
        let sampled = |version| {
            (0..4000).filter(move |id| asks(Ask::Sample, &ticket(*id, version, 0.9, "x")).is_some())
        };
        let first: Vec<_> = sampled(1).collect();
        assert!((900..1100).contains(&first.len()), "{}", first.len());
        assert_eq!(first, sampled(2).collect::<Vec<_>>());
    }

    #[test]
    fn a_redelivery_asks_under_the_same_id_and_a_new_text_under_another() {
        let id = |t: &EnrichedTicket, now| policies(Ask::Always).request(t, now).unwrap().request_id;
        let first = ticket(1, 1, 0.5, "a");
        assert_eq!(id(&first, 1), id(&first, 2));
        assert_ne!(id(&first, 1), id(&ticket(1, 1, 0.5, "b"), 1));
        assert_ne!(text_hash("a", "bc"), text_hash("ab", "c"));
    }

    proptest! {
        #[test]
        fn what_is_asked_is_bounded_and_stays_text(subject in ".{0,300}", body in ".{0,600}") {
            let ticket = EnrichedTicket { subject, ..ticket(1, 1, 0.5, &body) };
            let request = policies(Ask::Always).request(&ticket, 1).unwrap();
            prop_assert!(request.subject.len() + request.body.len() <= 400);
            prop_assert!(ticket.body.starts_with(&request.body) && ticket.subject.starts_with(&request.subject));
        }
    }
}
