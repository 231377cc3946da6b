//! Holds the Rust types to the schemas, the schemas to their documentation, and both to earlier versions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, from_value};
use deskstream_schemas::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Writes with the schema, reads back by both ways that the product reads: directly and by resolution.
fn round_trip<T: Record + PartialEq + std::fmt::Debug>(record: &T) {
    let schema = T::SUBJECT.schema();
    let datum = GenericDatumWriter::builder(schema)
        .human_readable(false)
        .build()
        .unwrap()
        .write_ser_to_vec(record)
        .unwrap_or_else(|e| panic!("{:?} does not fit its schema: {e}", T::SUBJECT));
    let direct = GenericDatumReader::builder(schema).human_readable(false).build().unwrap();
    assert_eq!(&direct.read_deser::<T>(&mut datum.as_slice()).unwrap(), record);
    let resolving =
        GenericDatumReader::builder(schema).reader_schema(schema).human_readable(false).build().unwrap();
    let value = resolving.read_value(&mut datum.as_slice()).unwrap();
    assert_eq!(&from_value::<T>(&value).unwrap(), record);
}

fn sealed() -> Sealed {
    Sealed { key_id: "k1".into(), nonce: vec![0, 255, 1], ciphertext: vec![9; 40] }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn label(value: &'static str) -> Label {
    Label { value: value.into(), confidence: 0.75, abstained: true }
}

fn analysis() -> Analysis {
    Analysis {
        root_cause: label("refund"),
        urgency: label("high"),
        sentiment: label("negative"),
        sentiment_score: -0.5,
        industry: label("finance"),
        language: "de".into(),
        language_confidence: 0.9,
        tier: Tier::Human,
        model: "local-1".into(),
        latency_us: 12,
        tokens_in: 1,
        tokens_out: 2,
        cost_microusd: 3,
    }
}

fn counts<K: From<&'static str> + Ord, V: From<u8>>() -> BTreeMap<K, V> {
    [(K::from("a"), V::from(1)), (K::from("b"), V::from(2))].into()
}

#[test]
fn every_type_fits_its_schema() {
    round_trip(&TicketEvent {
        event_id: "e".into(),
        tenant: "t".into(),
        platform: Platform::Import,
        ticket_id: "7".into(),
        kind: EventKind::Updated,
        origin: Origin::Import,
        occurred_at: 1,
        received_at: 2,
        created_at: 3,
        version: -4,
        status: TicketStatus::Closed,
        priority: Some(Priority::Urgent),
        ticket_type: some("incident"),
        channel: None,
        requester_ref: some("r"),
        assignee_ref: None,
        group_ref: some("g"),
        organization_ref: some("o"),
        content: sealed(),
    });
    round_trip(&TicketContent {
        subject: "s".into(),
        body: "b\u{1F600}".into(),
        tags: vec!["x".into()],
        requester_name: some("n"),
        requester_email: None,
        external_id: some("x"),
        author_is_agent: true,
        fields: [("f".to_owned(), "v".to_owned())].into(),
        people: vec![Person { role: PersonRole::Cc, name: some("p"), email: None }],
        attachments: vec![Attachment { name: None, content_type: some("image/png"), bytes: Some(7) }],
    });
    round_trip(&EnrichedTicket {
        event_id: "e".into(),
        tenant: "t".into(),
        platform: Platform::Zendesk,
        ticket_id: "7".into(),
        kind: EventKind::Created,
        origin: Origin::Webhook,
        occurred_at: 1,
        received_at: 2,
        created_at: 3,
        version: 4,
        status: TicketStatus::New,
        priority: None,
        ticket_type: None,
        channel: some("web"),
        requester_ref: None,
        assignee_ref: some("a"),
        group_ref: None,
        organization_ref: None,
        enriched_at: 5,
        source_partition: 6,
        source_offset: 7,
        tags: vec![],
        subject: "s".into(),
        body: "[EMAIL]".into(),
        summary: "s".into(),
        spans: vec![Span {
            field: SpanField::Tag,
            start: 0,
            end: 3,
            kind: "EMAIL".into(),
            detector: "email".into(),
            score: 1.0,
        }],
        redactions: [("EMAIL".into(), 1)].into(),
        redactor: "1".into(),
        analysis: analysis(),
        notes: vec!["future-time".into()],
        shadow: Some(analysis()),
        urgency_reasons: vec!["right now".into()],
    });
    round_trip(&TicketState {
        tenant: "t".into(),
        platform: Platform::Freshdesk,
        ticket_id: "7".into(),
        occurred_at: 1,
        received_at: 2,
        created_at: 3,
        version: 4,
        status: TicketStatus::Hold,
        priority: Some(Priority::Low),
        ticket_type: None,
        channel: None,
        requester_ref: None,
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        last_event_id: "e".into(),
        analysis: analysis(),
        redactions: [("PHONE".into(), 2)].into(),
        recent_events: vec![i64::MIN, i64::MAX],
    });
    round_trip(&Window {
        tenant: "t".into(),
        size_s: 60,
        window_start: 1,
        window_end: 2,
        version: 3,
        is_final: true,
        events: 4,
        errors: 5,
        success_rate: 0.5,
        error_rate: 0.25,
        error_reasons: counts(),
        latency_p50_ms: 1.0,
        latency_p95_ms: 2.0,
        latency_p99_ms: 3.0,
        latency_sum_ms: 6,
        latency_sketch: counts(),
        redactions: counts(),
        tickets: 7,
        urgency: counts(),
        sentiment: counts(),
        root_causes: counts(),
        industries: counts(),
        languages: counts(),
        negative_share: 0.125,
        high_urgency: 8,
        tiers: counts(),
        opinions: counts(),
        opinion_tokens_in: 9,
        opinion_tokens_out: 10,
        opinion_cost_microusd: 11,
    });
    round_trip(&OpinionRequest {
        request_id: "r".into(),
        tenant: "t".into(),
        platform: Platform::Zendesk,
        ticket_id: "7".into(),
        event_id: "e".into(),
        version: 1,
        text_hash: i64::MIN,
        asked_at: 2,
        reason: "always".into(),
        value: 0.5,
        language: "en".into(),
        subject: "s".into(),
        body: "b".into(),
        local: analysis(),
    });
    round_trip(&Opinion {
        opinion_id: "o".into(),
        request_id: "r".into(),
        tenant: "t".into(),
        platform: Platform::Zendesk,
        ticket_id: "7".into(),
        event_id: "e".into(),
        version: 1,
        text_hash: -5,
        asked_at: 2,
        answered_at: 3,
        result: OpinionResult::Answered,
        reason: "".into(),
        provider: "primary".into(),
        prompt: "v1".into(),
        content_hash: "ab".into(),
        cached: false,
        attempts: 2,
        latency_ms: 4,
        tokens_in: 5,
        tokens_out: 6,
        cost_microusd: 7,
        price_as_of: "2026-11-01".into(),
        analysis: Some(analysis()),
    });
    round_trip(&Review {
        tenant: "t".into(),
        platform: Platform::Zendesk,
        ticket_id: "7".into(),
        event_id: "e".into(),
        version: 1,
        root_cause: Some("refund".into()),
        urgency: None,
        sentiment: Some("neutral".into()),
        reviewed_by: "u".into(),
        reviewed_at: 2,
        result: ReviewResult::TextChanged,
        text_hash: Some(-3),
        created_at: None,
        language: "de".into(),
        predictions: vec![Prediction {
            tier: Tier::Llm,
            model: "m".into(),
            root_cause: label("refund"),
            urgency: label("low"),
            sentiment: label("positive"),
        }],
        applied_at: 4,
    });
    round_trip(&Quality {
        tenant: "*".into(),
        head: "urgency".into(),
        model: "m".into(),
        language: "*".into(),
        size_s: 0,
        window_start: 0,
        version: 1,
        samples: 2,
        correct: 1,
        answered: 1,
        answered_correct: 1,
        accuracy: 0.5,
        accuracy_low: 0.25,
        accuracy_high: 0.75,
        macro_precision: 0.5,
        macro_recall: 0.5,
        macro_f1: 0.5,
        macro_f1_low: 0.0,
        macro_f1_high: 1.0,
        classes: vec![ClassQuality {
            label: "high".into(),
            support: 1,
            predicted: 2,
            true_positives: 1,
            precision: 0.5,
            precision_low: 0.0,
            precision_high: 1.0,
            recall: 1.0,
            recall_low: 0.5,
            recall_high: 1.0,
            f1: 0.75,
            f1_low: 0.125,
            f1_high: 1.0,
        }],
        confusion: vec![Confusion { human: "low".into(), predicted: "high".into(), count: 1 }],
    });
    round_trip(&Drift {
        tenant: "t".into(),
        head: "language".into(),
        window_start: 1,
        version: 2,
        is_final: true,
        tickets: 3,
        labels: counts(),
        confidences: counts(),
        reference_start: 4,
        reference_tickets: 5,
        label_psi: Some(0.25),
        confidence_psi: None,
        label_noise: Some(0.5),
        confidence_noise: None,
    });
    round_trip(&Alert {
        dedup_key: "d".into(),
        rule: "r".into(),
        tenant: "*".into(),
        group: String::new(),
        state: AlertState::Resolved,
        severity: Severity::Info,
        value: 1.0,
        threshold: 2.0,
        summary: "s".into(),
        channels: vec!["pager".into()],
        started_at: 1,
        changed_at: 2,
        labels: [("a".to_owned(), "b".to_owned())].into(),
    });
    round_trip(&Command {
        command_id: "c".into(),
        tenant: "t".into(),
        platform: Platform::Intercom,
        ticket_id: "7".into(),
        event_id: "e".into(),
        version: 1,
        issued_at: 2,
        received_at: 3,
        tag_prefix: "ds_".into(),
        tags: vec!["ds_a".into()],
        note: some("{}"),
        priority: Some(Priority::High),
        draft: Some("Dear Sam,".into()),
        fields: [("root_cause".to_owned(), "refund".to_owned())].into(),
    });
    round_trip(&Outcome {
        kind: OutcomeKind::Alert,
        subject: "c".into(),
        tenant: "t".into(),
        service: "zendesk".into(),
        ticket_id: None,
        result: OutcomeResult::Failed,
        status: Some(503),
        attempts: 2,
        detail: "d".into(),
        received_at: Some(1),
        finished_at: 2,
        rate_limit: Some(700),
        rate_remaining: None,
    });
    let audit = AuditRecord {
        audit_id: "a".into(),
        tenant: "t".into(),
        at: 1,
        actor_kind: ActorKind::ApiKey,
        actor: "p".into(),
        action: "enrich.batch".into(),
        resource: "r".into(),
        outcome: AuditOutcome::Error,
        detail: [("k".into(), "v".to_owned())].into(),
        source_ip: some("127.0.0.1"),
        user_agent: None,
        request_id: None,
    };
    round_trip(&audit);
    round_trip(&AuditLink {
        retention: Retention::Processing,
        sequence: 1,
        chained_at: 2,
        previous: vec![0; 32],
        hash: vec![255; 32],
        record: audit,
    });
    round_trip(&AuditHead {
        tenant: "t".into(),
        retention: Retention::Audit,
        sequence: 1,
        hash: vec![7; 32],
        chained_at: 2,
        key_id: "k".into(),
        signature: vec![9; 64],
    });
    round_trip(&DeadLetter {
        tenant: "*".into(),
        stage: Stage::Sink,
        reason: "bad-avro".into(),
        error: "e".into(),
        fix: "f".into(),
        source: "events/0/1".into(),
        event_id: None,
        failed_at: 1,
        attempts: 2,
        payload: Some(sealed()),
        payload_bytes: 3,
    });
    round_trip(&ControlEntity {
        kind: "cursor".into(),
        id: "t/zendesk".into(),
        tenant: "t".into(),
        version: 1,
        updated_at: 2,
        updated_by: "me".into(),
        body: "{}".into(),
        secret: Some(sealed()),
    });
}

#[test]
fn every_field_is_documented() {
    fn walk(path: &str, node: &serde_json::Value) {
        if let Some(object) = node.as_object() {
            let named = matches!(object.get("type").and_then(|t| t.as_str()), Some("record" | "enum"));
            let field = object.contains_key("name") && !named;
            if named || field {
                let doc = object.get("doc").and_then(|d| d.as_str()).unwrap_or_default();
                assert!(doc.len() > 10, "{path}/{} has no documentation", object["name"]);
            }
            let path = object.get("name").map_or(path.to_owned(), |n| format!("{path}/{n}"));
            object.iter().filter(|(k, _)| *k != "default").for_each(|(_, child)| walk(&path, child));
        } else if let Some(array) = node.as_array() {
            array.iter().for_each(|child| walk(path, child));
        }
    }
    for subject in Subject::all() {
        walk("", &serde_json::from_str(subject.source()).unwrap());
    }
}

fn history() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("history")
}

fn file_stem(subject: Subject) -> String {
    match subject {
        Subject::Value(topic) => topic.base_name().to_owned(),
        Subject::Content => "content".to_owned(),
    }
}

/// `history/NAME.vN.avsc` are the versions that were ever released, never edited. `REWRITE=1` adds the present
/// one as the next version.
#[test]
fn every_schema_reads_all_its_earlier_versions() {
    for subject in Subject::all() {
        let stem = file_stem(subject);
        let mut versions = Vec::new();
        while let Ok(text) =
            std::fs::read_to_string(history().join(format!("{stem}.v{}.avsc", versions.len() + 1)))
        {
            versions.push(Schema::parse_str(&text).unwrap());
        }
        for (i, earlier) in versions.iter().enumerate() {
            SchemaCompatibility::can_read(earlier, subject.schema())
                .unwrap_or_else(|e| panic!("{stem}.avsc can't read its version {}: {e}", i + 1));
        }
        if versions.last().map(Schema::canonical_form) != Some(subject.schema().canonical_form()) {
            let next = history().join(format!("{stem}.v{}.avsc", versions.len() + 1));
            assert!(
                std::env::var_os("REWRITE").is_some(),
                "{stem}.avsc has changed: freeze it as {} by REWRITE=1 cargo test -p deskstream-schemas",
                next.display()
            );
            std::fs::write(next, subject.source()).unwrap();
        }
    }
}

#[test]
fn a_breaking_change_is_found() {
    let source = Subject::Value(Topic::Commands).source();
    let renamed = Schema::parse_str(&source.replace("\"tag_prefix\"", "\"prefix\"")).unwrap();
    assert!(SchemaCompatibility::can_read(Subject::Value(Topic::Commands).schema(), &renamed).is_err());
}

#[test]
fn a_chain_holds_records_as_the_audit_topic_has_them() {
    let parse = |topic| serde_json::from_str::<serde_json::Value>(Subject::Value(topic).source()).unwrap();
    let mut alone = parse(Topic::Audit);
    alone.as_object_mut().unwrap().remove("namespace");
    let chain = parse(Topic::AuditChain);
    let record = chain["fields"].as_array().unwrap().iter().find(|field| field["name"] == "record").unwrap();
    assert_eq!(record["type"], alone);
}
