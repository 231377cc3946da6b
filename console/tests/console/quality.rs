//! Quality and drift, from records that came through Kafka and the ClickHouse sink.

use crate::support::World;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ClassQuality, Confusion, Drift, Quality, Topic};
use serde_json::json;
use std::collections::BTreeMap;

fn quality(size_s: i32, window_start: i64, language: &'static str, version: i64, samples: i64) -> Quality {
    Quality {
        tenant: "acme".into(),
        head: "urgency".into(),
        model: "local/x".into(),
        language: language.into(),
        size_s,
        window_start,
        version,
        samples,
        correct: 3,
        answered: 3,
        answered_correct: 2,
        accuracy: 0.75,
        accuracy_low: 0.3,
        accuracy_high: 0.95,
        macro_precision: 0.7,
        macro_recall: 0.8,
        macro_f1: 0.72,
        macro_f1_low: 0.4,
        macro_f1_high: 0.99,
        classes: vec![ClassQuality {
            label: "high".into(),
            support: 2,
            predicted: 3,
            true_positives: 2,
            precision: 0.67,
            precision_low: 0.2,
            precision_high: 0.94,
            recall: 1.0,
            recall_low: 0.34,
            recall_high: 1.0,
            f1: 0.8,
            f1_low: 0.3,
            f1_high: 0.97,
        }],
        confusion: vec![Confusion { human: "low".into(), predicted: "high".into(), count: 1 }],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quality_is_shown_in_its_latest_version_and_to_its_tenant_only() {
    let world = World::new("quality").await;
    let (anna, ulf) = world.admins().await;
    world.sinks().await;
    let today = now_ms() / 86_400_000 * 86_400_000;
    for record in [
        quality(0, 0, "*", 2, 5),
        quality(0, 0, "*", 1, 4),
        quality(0, 0, "de", 1, 1),
        quality(86_400, today, "*", 1, 4),
        quality(86_400, today - 90 * 86_400_000, "*", 1, 1),
    ] {
        world.produce(Topic::Quality, &record.key(), &record).await;
    }
    let drift = Drift {
        tenant: "acme".into(),
        head: "language".into(),
        window_start: today,
        version: 1,
        is_final: false,
        tickets: 80,
        labels: BTreeMap::new(),
        confidences: BTreeMap::new(),
        reference_start: today - 7 * 86_400_000,
        reference_tickets: 900,
        label_psi: Some(0.4),
        confidence_psi: None,
        label_noise: Some(0.05),
        confidence_noise: None,
    };
    world.produce(Topic::Drift, &drift.key(), &drift).await;
    let whole = |report: &serde_json::Value| {
        let of = |name: &str| report[name].as_array().unwrap().len();
        (of("models"), of("labels"), of("confusion"), of("days"), of("drift")) == (1, 1, 1, 1, 1)
    };
    let report = world.until(&anna, "/api/v1/quality", whole).await;
    assert_eq!(report["models"][0]["samples"], 5, "the latest version holds");
    assert_eq!(report["models"][0]["macro_f1_low"], 0.4);
    assert_eq!(report["labels"][0]["label"], "high");
    assert_eq!(report["confusion"][0]["human"], "low");
    assert_eq!(report["drift"][0]["label_psi"], 0.4);
    assert_eq!(report["drift"][0]["confidence_psi"], json!(null));
    let longer = world.api.get(&anna, "/api/v1/quality?days=100").await.json();
    assert_eq!(longer["days"].as_array().unwrap().len(), 2);
    let german = world.api.get(&anna, "/api/v1/quality?language=de").await.json();
    assert_eq!(german["models"][0]["samples"], 1);
    let others = world.api.get(&ulf, "/api/v1/quality").await.json();
    for part in ["models", "labels", "confusion", "days", "drift"] {
        assert_eq!(others[part], json!([]), "{part}");
    }
}
