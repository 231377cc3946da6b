//! Every topic's table, and the migrations that make them.

use super::support::{World, config, event, label, send, send_bytes};
use deskstream_connectors::clickhouse::{MigrateError, QUERIES, client, migrate};
use deskstream_embedded::Platform;
use deskstream_schemas::{
    ActorKind, Alert, AlertState, Analysis, AuditHead, AuditLink, AuditOutcome, AuditRecord, ClassQuality,
    Confusion, Drift, EnrichedTicket, Opinion, OpinionResult, Outcome, OutcomeKind, OutcomeResult,
    Prediction, Quality, Retention, Review, ReviewResult, Severity, Tier, Topic, Window,
};
use std::collections::BTreeMap;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_topic_reaches_its_table_and_every_question_has_an_answer() {
    let world = World::new("tables", Platform::for_tests().clickhouse()).await;
    let now = deskstream_runtime::time::now_ms();
    let mut first = event(0, 4);
    (first.occurred_at, first.created_at, first.tenant) = (now, now, "acme".into());
    // A human's word on the same version, arriving before the model's.
    let mut second = first.clone();
    second.analysis.tier = Tier::Human;
    second.analysis.urgency = label("low");
    second.source_offset = 5;
    send(&world, Topic::Enriched, 0, &second.key(), &second).await;
    send(&world, Topic::Enriched, 0, &first.key(), &first).await;
    for (version, events) in [(1, 10), (3, 12), (2, 11)] {
        let window = Window {
            tenant: "acme".into(),
            size_s: 86_400,
            window_start: now / 86_400_000 * 86_400_000,
            window_end: (now / 86_400_000 + 1) * 86_400_000,
            version,
            is_final: false,
            events,
            errors: 1,
            success_rate: 0.9,
            error_rate: 0.1,
            error_reasons: BTreeMap::from([("bad-avro".into(), 1)]),
            latency_p50_ms: 1.5,
            latency_p95_ms: 2.5,
            latency_p99_ms: 3.5,
            latency_sum_ms: 30,
            latency_sketch: BTreeMap::from([("365".into(), 9), ("391".into(), 1)]),
            redactions: BTreeMap::new(),
            tickets: 3,
            urgency: BTreeMap::from([("high".into(), 3)]),
            sentiment: BTreeMap::from([("negative".into(), 2)]),
            root_causes: BTreeMap::new(),
            industries: BTreeMap::new(),
            languages: BTreeMap::from([("en".into(), 3)]),
            negative_share: 0.67,
            high_urgency: 3,
            tiers: BTreeMap::from([("llm".into(), 3)]),
            opinions: BTreeMap::from([("answered".into(), 2)]),
            opinion_tokens_in: 800,
            opinion_tokens_out: 120,
            opinion_cost_microusd: 200,
        };
        send(&world, Topic::Windows, 0, &window.key(), &window).await;
        let hour = Window { size_s: 3600, ..window };
        send(&world, Topic::Windows, 0, &hour.key(), &hour).await;
    }
    // A second opinion on the text of another ticket, which comes before its event, and one on a text that it no longer has.
    let mut judged = event(0, 6);
    (judged.occurred_at, judged.created_at, judged.tenant) = (now, now, "acme".into());
    judged.ticket_id = "judged".into();
    for (hash, cause, at) in [(text_hash(&judged), "refund", now), (7, "delivery", now + 5)] {
        let opinion = opinion(&judged, hash, cause, at);
        send(&world, Topic::Opinions, 0, &opinion.key(), &opinion).await;
    }
    // A candidate has looked at it, too.
    judged.shadow = Some(Analysis { model: "local/y".into(), ..judged.analysis.clone() });
    send(&world, Topic::Enriched, 0, &judged.key(), &judged).await;
    send_quality(&world, &judged, now).await;
    for (state, changed_at) in [(AlertState::Firing, now - 60_000), (AlertState::Resolved, now)] {
        let alert = Alert {
            dedup_key: "rule/acme//1".into(),
            rule: "error-rate".into(),
            tenant: "acme".into(),
            group: String::new(),
            state,
            severity: Severity::Critical,
            value: 0.07,
            threshold: 0.05,
            summary: "errors".into(),
            channels: vec!["pager".into()],
            started_at: now - 60_000,
            changed_at,
            labels: BTreeMap::from([("team".into(), "ops".into())]),
        };
        send(&world, Topic::Alerts, 0, &alert.key(), &alert).await;
    }
    let audit = AuditRecord {
        audit_id: "a1".into(),
        tenant: "acme".into(),
        at: now,
        actor_kind: ActorKind::User,
        actor: "kim".into(),
        action: "review.ticket".into(),
        resource: "ticket/1".into(),
        outcome: AuditOutcome::Ok,
        detail: BTreeMap::from([("field".into(), "urgency".into())]),
        source_ip: Some("10.0.0.1".into()),
        user_agent: None,
        request_id: None,
    };
    let link = AuditLink {
        retention: Retention::Audit,
        sequence: 1,
        chained_at: now,
        previous: vec![0; 32],
        hash: vec![0xab; 32],
        record: audit,
    };
    send(&world, Topic::AuditChain, 0, "acme", &link).await;
    for sequence in [1, 2] {
        let head = AuditHead {
            tenant: "acme".into(),
            retention: Retention::Audit,
            sequence,
            hash: vec![0xab; 32],
            chained_at: now,
            key_id: "k".into(),
            signature: vec![0xcd; 64],
        };
        send(&world, Topic::AuditHeads, 0, "acme/audit", &head).await;
    }
    let outcome = Outcome {
        kind: OutcomeKind::WriteBack,
        subject: "c1".into(),
        tenant: "acme".into(),
        service: "zendesk".into(),
        ticket_id: Some("1".into()),
        result: OutcomeResult::Applied,
        status: Some(200),
        attempts: 2,
        detail: String::new(),
        received_at: Some(now - 400),
        finished_at: now,
        rate_limit: Some(700),
        rate_remaining: None,
    };
    send(&world, Topic::Outcomes, 0, "c1", &outcome).await;
    // What can't be read goes to the dead letter, and from there to its own table; the stream goes on.
    send_bytes(&world, Topic::Outcomes, 0, "acme/x", b"not avro").await;
    send(&world, Topic::Outcomes, 0, "c2", &Outcome { subject: "c2".into(), received_at: None, ..outcome })
        .await;

    let sinks = world.sinks().await;
    for (table, rows) in [
        ("ticket_events", 3),
        ("v_tickets", 2),
        ("opinions", 2),
        ("judgements", 2),
        ("v_reviews", 2),
        ("v_quality", 1),
        ("v_quality_classes", 2),
        ("v_confusion", 1),
        ("v_drift", 1),
        ("v_window_1d", 1),
        ("v_window_1h", 1),
        ("alerts", 2),
        ("audit_trail", 1),
        ("outcomes", 2),
        ("dead_letters", 1),
    ] {
        world.until_rows(table, rows).await;
    }
    sinks.stop().await;

    let one = |sql: &'static str| world.client.query(sql);
    assert_eq!(
        one("SELECT events FROM v_window_1d").fetch_one::<u64>().await.unwrap(),
        12,
        "the highest version"
    );
    let cost = one("SELECT opinion_cost_microusd, opinions['answered'] FROM v_window_1d");
    assert_eq!(cost.fetch_one::<(u64, u64)>().await.unwrap(), (200, 2));
    // Opinions replace what the local model said; a reviewer's word on the root cause replaces both, and that on the urgency
    // does not, since it was about another text.
    let better = one("SELECT tier, root_cause, model, urgency FROM v_tickets WHERE ticket_id = 'judged'");
    let expected = ["human", "delivery", "main/small", "critical"].map(str::to_owned);
    assert_eq!(better.fetch_one::<(String, String, String, String)>().await.unwrap(), expected.into());
    let class = one("SELECT support, recall, recall_high FROM v_quality_classes WHERE label = 'delivery'");
    assert_eq!(class.fetch_one::<(u64, f64, f64)>().await.unwrap(), (2, 0.5, 0.9));
    let drift = one("SELECT labels['refund'], label_psi, confidence_psi FROM v_drift");
    assert_eq!(drift.fetch_one::<(u64, Option<f64>, Option<f64>)>().await.unwrap(), (60, Some(0.3), None));
    let silent = one(
        "SELECT count() FROM system.columns WHERE database = currentDatabase() AND comment = ''
            AND table IN ('reviews', 'quality', 'drift', 'v_reviews', 'v_quality', 'v_quality_classes', 'v_confusion', 'v_drift')",
    );
    assert_eq!(silent.fetch_one::<u64>().await.unwrap(), 0, "every column says what it is");
    let ticket =
        one("SELECT tier, urgency, open, redaction_count FROM v_tickets WHERE ticket_id != 'judged'");
    let expected = ("human".to_owned(), "low".to_owned(), true, 1);
    assert_eq!(ticket.fetch_one::<(String, String, bool, u64)>().await.unwrap(), expected);
    let letter =
        one("SELECT tenant, stage, reason, source FROM dead_letters")
            .fetch_one::<(String, String, String, String)>();
    let expected =
        ("acme".to_owned(), "sink".to_owned(), "not-framed".to_owned(), "tables.outcomes/0/1".to_owned());
    assert_eq!(letter.await.unwrap(), expected);
    let chained = one("SELECT sequence, hash FROM audit_trail").fetch_one::<(u64, String)>().await.unwrap();
    assert_eq!(chained, (1, "ab".repeat(32)));
    let head = one("SELECT sequence, signature FROM audit_heads FINAL").fetch_one::<(u64, String)>().await;
    assert_eq!(head.unwrap(), (2, "cd".repeat(64)), "the last of the hour");
    let episode =
        one("SELECT firing, duration_s FROM v_alert_episodes").fetch_one::<(bool, Option<i64>)>().await;
    assert_eq!(episode.unwrap(), (false, Some(60)));
    let spans =
        one("SELECT `spans.kind`[1], `spans.end`[1] FROM ticket_events LIMIT 1").fetch_one::<(String, u32)>();
    assert_eq!(spans.await.unwrap(), ("email".to_owned(), 21));

    for query in QUERIES {
        let mut asked = world.client.query_raw(query.sql).with_setting("default_format", "JSONEachRow");
        for (name, kind, example) in query.parameters() {
            assert!(matches!(kind, "String" | "UInt32"), "{}: {kind}", query.name);
            asked = asked.with_setting(format!("param_{name}"), example);
        }
        let mut answer =
            asked.fetch_bytes("JSONEachRow").unwrap_or_else(|error| panic!("{}: {error}", query.name));
        let answer = answer.collect().await.unwrap_or_else(|error| panic!("{}: {error}", query.name));
        // Those about a week or a month, a tenant `acme` or a ticket's id have something to say.
        let silent = query.name.starts_with("integrity_") || query.name == "latency_by_day";
        assert_eq!(answer.is_empty(), silent, "{}: {}", query.name, String::from_utf8_lossy(&answer));
    }
}

/// A review in two versions, and a window of quality and of drift in as many.
async fn send_quality(world: &World, judged: &EnrichedTicket, now: i64) {
    for (applied_at, cause) in [(2, "delivery"), (1, "billing")] {
        let said = |tier| Prediction {
            tier,
            model: "m".into(),
            root_cause: label("refund"),
            urgency: label("high"),
            sentiment: label("neutral"),
        };
        let review = Review {
            tenant: "acme".into(),
            platform: judged.platform,
            ticket_id: "judged".into(),
            event_id: "an earlier one".into(),
            version: 1,
            root_cause: Some(cause.into()),
            urgency: Some("low".into()),
            sentiment: None,
            reviewed_by: "u".into(),
            reviewed_at: now,
            result: ReviewResult::Applied,
            text_hash: Some(77),
            created_at: Some(now),
            language: "en".into(),
            predictions: vec![said(Tier::Local), said(Tier::Llm)],
            applied_at,
        };
        send(world, Topic::Reviews, 0, &review.key(), &review).await;
    }
    let class = |name: &'static str, support, hits| ClassQuality {
        label: name.into(),
        support,
        predicted: 1,
        true_positives: hits,
        precision: 1.0,
        precision_low: 0.2,
        precision_high: 1.0,
        recall: 0.5,
        recall_low: 0.1,
        recall_high: 0.9,
        f1: 0.67,
        f1_low: 0.1,
        f1_high: 0.95,
    };
    for (version, samples) in [(2, 3), (1, 2)] {
        let quality = Quality {
            tenant: "acme".into(),
            head: "root_cause".into(),
            model: "m".into(),
            language: "*".into(),
            size_s: 86_400,
            window_start: now / 86_400_000 * 86_400_000,
            version,
            samples,
            correct: 2,
            answered: 2,
            answered_correct: 1,
            accuracy: 0.67,
            accuracy_low: 0.2,
            accuracy_high: 0.94,
            macro_precision: 1.0,
            macro_recall: 0.75,
            macro_f1: 0.8,
            macro_f1_low: 0.5,
            macro_f1_high: 1.0,
            classes: vec![class("delivery", 2, 1), class("refund", 1, 1)],
            confusion: vec![Confusion { human: "delivery".into(), predicted: "refund".into(), count: 1 }],
        };
        send(world, Topic::Quality, 0, &quality.key(), &quality).await;
        let drift = Drift {
            tenant: "acme".into(),
            head: "root_cause".into(),
            window_start: now / 86_400_000 * 86_400_000,
            version,
            is_final: false,
            tickets: 60,
            labels: BTreeMap::from([("refund".into(), 60)]),
            confidences: BTreeMap::new(),
            reference_start: now - 86_400_000,
            reference_tickets: 400,
            label_psi: Some(0.3),
            confidence_psi: None,
            label_noise: Some(0.1),
            confidence_noise: None,
        };
        send(world, Topic::Drift, 0, &drift.key(), &drift).await;
    }
}

fn text_hash(ticket: &EnrichedTicket) -> i64 {
    xxhash_rust::xxh3::xxh3_64(format!("{}\0{}", ticket.subject, ticket.body).as_bytes()).cast_signed()
}

fn opinion(ticket: &EnrichedTicket, text_hash: i64, cause: &'static str, at: i64) -> Opinion {
    let mut analysis = ticket.analysis.clone();
    analysis.tier = Tier::Llm;
    analysis.model = "main/small".into();
    analysis.root_cause = label(cause);
    analysis.urgency = label("critical");
    Opinion {
        opinion_id: cause.into(),
        request_id: "r".into(),
        tenant: ticket.tenant.clone(),
        platform: ticket.platform,
        ticket_id: ticket.ticket_id.clone(),
        event_id: ticket.event_id.clone(),
        version: ticket.version,
        text_hash,
        asked_at: at,
        answered_at: at,
        result: OpinionResult::Answered,
        reason: "".into(),
        provider: "main".into(),
        prompt: "v1".into(),
        content_hash: String::new(),
        cached: false,
        attempts: 1,
        latency_ms: 900,
        tokens_in: 400,
        tokens_out: 60,
        cost_microusd: 100,
        price_as_of: "2026-11-01".into(),
        analysis: Some(analysis),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_and_never_changed() {
    let config = config("migrations", Platform::for_tests().clickhouse()).clickhouse;
    let first = migrate(&config).await.unwrap();
    assert_eq!(
        (first.applied.len(), first.already),
        (deskstream_connectors::clickhouse::MIGRATIONS.len(), 0)
    );
    let again = migrate(&config).await.unwrap();
    assert_eq!((again.applied.len(), again.already), (0, first.applied.len()));

    let client = client(&config);
    let record = |version: u32, checksum: &'static str| {
        let sql = "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (?, 'x', ?, now64(3) + 60)";
        client.query(sql).bind(version).bind(checksum.repeat(64)).execute()
    };
    record(2, "0").await.unwrap();
    assert!(matches!(migrate(&config).await, Err(MigrateError::Changed { version: 2, .. })));
    record(9999, "0").await.unwrap();
    let newer = migrate(&config).await.unwrap_err();
    assert!(matches!(newer, MigrateError::Newer { version: 9999, .. }), "{newer}");

    let mut nowhere = config;
    nowhere.url = "http://127.0.0.1:1".parse().unwrap();
    let error = migrate(&nowhere).await.unwrap_err().to_string();
    assert!(error.contains("clickhouse.url") && error.contains("127.0.0.1:1"), "{error}");
}
