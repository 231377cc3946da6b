//! The broker is killed while helpdesks send; then our own process is, with the spool on its disk. Both come back:
//! every webhook that was answered 2xx is there, and is counted once.

use crate::bed::{Bed, PATIENCE, event_id};
use deskstream_embedded::process::Supervised;
use deskstream_embedded::{Kafka, KafkaOptions, ports};
use deskstream_samples::zendesk::sign;
use jiff::{Timestamp, Unit};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

const SECRET: &str = "a-webhook-secret-of-the-tests";

/// Events of one burst; two a ticket.
const BURST: usize = 150;

fn created(number: usize) -> String {
    let now = Timestamp::now().to_string();
    let (ticket, requester) = ((number / 2).to_string(), (900 + number / 2).to_string());
    let kind = if number.is_multiple_of(2) { "created" } else { "status_changed" };
    json!({
        "type": format!("zen:event-type:ticket.{kind}"), "id": event_id(number), "time": now,
        "subject": format!("zen:ticket:{ticket}"), "account_id": 1, "zendesk_event_version": "2022-11-06", "event": {},
        "detail": {
            "id": ticket, "actor_id": requester, "requester_id": requester, "submitter_id": "3", "status": "NEW",
            "priority": null, "subject": "Cannot log in", "description": "Please reset my password", "tags": null,
            "via": {"channel": "email"}, "type": null, "created_at": now, "updated_at": now,
        },
    })
    .to_string()
}

/// Sends a webhook as Zendesk does; none if nobody listens.
async fn send(client: &reqwest::Client, port: u16, number: usize) -> Option<u16> {
    let body = created(number);
    let at = Timestamp::now().round(Unit::Second).unwrap().to_string();
    let request = client
        .post(format!("http://127.0.0.1:{port}/webhooks/zendesk/acme"))
        .header("X-Zendesk-Webhook-Signature", sign(SECRET, &at, body.as_bytes()))
        .header("X-Zendesk-Webhook-Signature-Timestamp", at)
        .body(body);
    Some(request.send().await.ok()?.status().as_u16())
}

/// Every one of them is answered 200.
async fn burst(client: &reqwest::Client, port: u16, numbers: std::ops::Range<usize>) {
    let sends = numbers.map(|number| async move { (number, send(client, port, number).await) });
    for (number, status) in futures::future::join_all(sends).await {
        assert_eq!(status, Some(200), "webhook {number}");
    }
}

fn connect(bed: &Bed, name: &str, port: u16, spool: &Path) -> Supervised {
    let webhooks = format!("http.webhooks=127.0.0.1:{port}");
    let directory = format!("spool.directory={}", spool.display());
    let set = ["--set", &webhooks, "--set", &directory, "--set", "spool.after=300ms"];
    bed.service(name, &[&["connect"], &set[..]].concat())
}

async fn listening(client: &reqwest::Client, port: u16, log: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while client.get(format!("http://127.0.0.1:{port}/")).send().await.is_err() {
        assert!(Instant::now() < deadline, "nobody listens for webhooks: {}", log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_the_death_of_the_broker_and_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let mut kafka = Kafka::start(KafkaOptions::new(folder.path().join("kafka"))).await.unwrap();
    let settings = format!(
        "[tenants.acme.zendesk]\nurl = \"http://127.0.0.1:1\"\nemail = \"bot@acme.example\"\n\
         api_token = \"file:{0}\"\nwebhook_secret = \"file:{0}\"\n",
        secret.display()
    );
    let bed = Bed::start_with(&settings, |given| given.kafka = Some(kafka.bootstrap())).await;
    let port = ports::free(1, "the test").unwrap()[0];
    let spool = folder.path().join("spool");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let mut first = connect(&bed, "connect-1", port, &spool);
    listening(&client, port, || bed.log("connect-1")).await;
    burst(&client, port, 0..BURST).await;
    kafka.kill_node(1);
    burst(&client, port, BURST..2 * BURST).await;
    // In the midst of a burst: what was answered counts, the rest the helpdesk sends again.
    let dying = async {
        let sends = (2 * BURST..3 * BURST).map(|number| {
            let client = &client;
            async move { (number, send(client, port, number).await) }
        });
        futures::future::join_all(sends).await
    };
    let killed = async {
        // Somewhere in it.
        tokio::time::sleep(Duration::from_millis(15)).await;
        first.kill();
    };
    let (answers, ()) = tokio::join!(dying, killed);
    let unanswered: Vec<_> = answers.iter().filter(|(_, s)| *s != Some(200)).map(|(n, _)| *n).collect();

    let kafka = kafka.restart().await.unwrap();
    let mut second = connect(&bed, "connect-2", port, &spool);
    listening(&client, port, || bed.log("connect-2")).await;
    for number in &unanswered {
        assert_eq!(send(&client, port, *number).await, Some(200));
    }
    burst(&client, port, 3 * BURST..4 * BURST).await;
    // A delivery that the helpdesk repeats although it was answered.
    burst(&client, port, BURST..BURST + 10).await;

    let sent = 4 * BURST;
    let mut pipeline = bed.service("run", &["run"]);
    bed.wait_for_enriched(sent, &["connect-2", "run"]);
    let ids = bed.enriched_ids();
    let expected: BTreeSet<_> = (0..sent).map(event_id).collect();
    let missing: Vec<_> = expected.iter().filter(|id| !ids.contains_key(*id)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert_eq!(ids.len(), sent, "something else is in enriched");
    let rows = u64::try_from(sent).unwrap();
    for (count, wanted) in [("events", rows), ("tickets", rows / 2)] {
        let sql = format!("SELECT toUInt64(sum({count})) FROM v_window_1d WHERE tenant = 'acme'");
        bed.wait_for_answer(&sql, wanted).await;
    }
    bed.wait_for_answer("SELECT uniqExact(event_id) FROM ticket_events", rows).await;
    bed.assert_integrity().await;
    let log = bed.log("connect-2");
    assert!(log.contains("the spool holds entries of an earlier run"), "{log}");
    pipeline.stop();
    second.stop();
    bed.shutdown().await;
    kafka.stop().await;
}
