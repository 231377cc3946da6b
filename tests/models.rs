//! Models over their life: compared over history, tried in the shadow, promoted, refused, rolled back; in a pipeline that runs.

use crate::bed::Bed;
use deskstream_analyze::{Analyzer, Model};
use deskstream_pipeline::reviews::{REVIEW_KIND, entity_id};
use deskstream_runtime::time::now_ms;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

/// A model with the shipped one's labels and a small table that knows nothing.
fn other(bed: &Bed) -> PathBuf {
    let mut header = Analyzer::shipped().unwrap().model().header().clone();
    header.name = "other".into();
    header.features.bits = 6;
    let table = vec![1; 64 * usize::from(header.row_width)];
    let path = bed.folder.path().join("other.dsm");
    std::fs::write(&path, Model::encode(&header, &table).unwrap()).unwrap();
    path
}

/// Runs a command of the product against the bed.
fn command(bed: &Bed, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(args)
        .arg("--config")
        .arg(bed.folder.path().join("deskstream.toml"))
        .output()
        .unwrap()
}

fn done(bed: &Bed, args: &[&str]) -> String {
    let output = command(bed, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_is_compared_tried_promoted_and_rolled_back_while_the_pipeline_runs() {
    let bed = Bed::start("").await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run"]);
    let file = other(&bed);
    let file = file.to_str().unwrap();
    bed.send(0..10).await;
    bed.wait_for_enriched(10, &["run", "connect"]);
    bed.wait_for_answer("SELECT count() FROM v_tickets", 5).await;

    // In the shadow: recorded with each event, and no label changes.
    let said = done(&bed, &["model", "shadow", file]);
    assert!(said.starts_with("candidate: other-"), "{said}");
    bed.wait_for_log("run", "other-").await;
    bed.send(10..20).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events WHERE shadow_model LIKE 'local/other-%'", 10)
        .await;
    bed.wait_for_answer("SELECT count() FROM ticket_events WHERE model LIKE 'local/other-%'", 0).await;

    // A review judges both, and so does the comparison over history.
    let (event_id, version) = bed
        .client
        .query("SELECT last_event_id, version FROM v_tickets WHERE ticket_id = '7'")
        .fetch_one::<(String, u64)>()
        .await
        .unwrap();
    let body = json!({ "event_id": event_id, "version": version, "root_cause": "delivery", "urgency": null,
        "sentiment": null, "reviewed_by": "u1", "reviewed_at": now_ms() });
    let id = entity_id("acme", "import", "7");
    bed.process.control.put_json(REVIEW_KIND, &id, "acme", "u1", &body).await.unwrap();
    let judged = "SELECT count() FROM v_quality WHERE tenant = 'acme' AND head = 'root_cause' AND language = '*' AND size_s = 0 AND samples = 1";
    bed.wait_for_answer(judged, 2).await;
    let models = format!("--models=shipped,{file}");
    let report: Value = serde_json::from_str(&done(&bed, &["compare", &models, "--json"])).unwrap();
    assert_eq!((&report["texts"], &report["events"]), (&json!(20), &json!(20)));
    let cause = &report["heads"][0];
    assert_eq!((&cause["head"], &cause["reviewed"]), (&json!("root_cause"), &json!(1)));
    assert!(cause["agreement"].as_f64().unwrap() < 0.5, "one of them knows nothing: {cause}");
    assert!(report["models"][0]["texts_per_second"].as_f64().unwrap() > 0.0);
    let table = done(&bed, &["compare", &models, "--tenant", "acme"]);
    assert!(table.contains("kappa") && table.contains("20 texts of 20 events"), "{table}");
    let none = command(&bed, &["compare", &models, "--from", "2999-01-01T00:00:00Z"]);
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("no event"));
    let one = command(&bed, &["compare", "--models", "shipped"]);
    assert!(!one.status.success() && String::from_utf8_lossy(&one.stderr).contains("name two"));

    // Promoted: the next events are its own.
    assert!(done(&bed, &["model", "promote", file]).starts_with("live: other-"));
    done(&bed, &["model", "shadow", "--off"]);
    bed.wait_for_log("run", "role=\"candidate\" model=\"none\"").await;
    bed.send(20..24).await;
    bed.wait_for_answer(
        "SELECT count() FROM ticket_events WHERE model LIKE 'local/other-%' AND shadow_model = ''",
        4,
    )
    .await;

    // A file that is no longer what was named is refused, and the old one stands.
    let named =
        deskstream_pipeline::models::named(&bed.process, deskstream_pipeline::models::Role::Live).unwrap();
    let mut forged = named.clone();
    forged.file.as_mut().unwrap().sha256 = "0".repeat(64);
    deskstream_pipeline::models::name(&bed.process, deskstream_pipeline::models::Role::Live, "test", &forged)
        .await
        .unwrap();
    bed.wait_for_log("run", "a model is refused").await;
    bed.send(24..26).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events WHERE model LIKE 'local/other-%'", 6).await;
    std::fs::write(bed.folder.path().join("noise.dsm"), b"noise").unwrap();
    let refused = command(&bed, &["model", "promote", bed.folder.path().join("noise.dsm").to_str().unwrap()]);
    assert!(!refused.status.success(), "what is no model is not named");

    // Rolled back: to the configured model, which was there before.
    deskstream_pipeline::models::name(&bed.process, deskstream_pipeline::models::Role::Live, "test", &named)
        .await
        .unwrap();
    assert!(done(&bed, &["model", "rollback"]).starts_with("live: the configured model"));
    bed.wait_for_log("run", "role=\"live\" model=\"local/tickets-").await;
    bed.send(26..28).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events WHERE model LIKE 'local/other-%'", 6).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events", 28).await;
    let shown = done(&bed, &["model", "show"]);
    assert!(shown.contains("live: the configured model") && shown.contains("before it: other-"), "{shown}");
    run.stop();
    connect.stop();
    bed.shutdown().await;
}
