//! Rivals, unfit topics, brokers that go, and kill -9.

use super::support::{Client, POST, bootstrap, options, schema_body, v1, v2};
use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions, http};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use serde_json::{Value, json};
use std::process::Command;
use std::time::{Duration, Instant};

#[tokio::test]
async fn changes_at_the_same_moment_get_different_ids() {
    let registry = Registry::start(options("concurrent").await).await.unwrap();
    let client = std::sync::Arc::new(Client::new(&registry));
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let client = std::sync::Arc::clone(&client);
            // Ten schemas, each sent twice.
            let schema = json!({ "type": "fixed", "name": "F", "size": 1 + n % 10 });
            tokio::spawn(async move { (n % 10, client.register(&format!("s{n}"), &schema).await) })
        })
        .collect();
    let mut ids = std::collections::BTreeMap::new();
    for task in tasks {
        let (schema, id) = task.await.unwrap();
        assert_eq!(*ids.entry(schema).or_insert(id), id);
    }
    let distinct: std::collections::BTreeSet<_> = ids.values().collect();
    assert_eq!(distinct.len(), 10);
}

#[tokio::test]
async fn a_newer_registry_fences_the_older_one() {
    let old = Registry::start(options("fencing").await).await.unwrap();
    let old_client = Client::new(&old);
    let id = old_client.register("s", &v1()).await;
    let new = Registry::start(options("fencing").await).await.unwrap();
    let new_client = Client::new(&new);
    let second = new_client.register("s", &v2()).await;
    assert_eq!(second, id + 1);
    let (status, answer) = old_client.call(POST, "/subjects/t/versions", Some(schema_body(&v1()))).await;
    assert_eq!((status.as_u16(), &answer["error_code"]), (500, &json!(50003)), "{answer}");
    // For good: it must not fence back.
    old_client.call(POST, "/subjects/t/versions", Some(schema_body(&v1()))).await;
    new_client.register("u", &v1()).await;
    // It still follows what the new one does.
    let deadline = Instant::now() + Duration::from_secs(20);
    while old_client.get("/subjects").await != json!(["s", "u"]) {
        assert!(Instant::now() < deadline, "the old registry never saw the change");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_unfit_topic_is_refused() {
    let admin: AdminClient<_> =
        ClientConfig::new().set("bootstrap.servers", bootstrap().await).create().unwrap();
    let compacted = NewTopic::new("wide", 2, TopicReplication::Fixed(1)).set("cleanup.policy", "compact");
    let deleting = NewTopic::new("deleting", 1, TopicReplication::Fixed(1)).set("cleanup.policy", "delete");
    admin.create_topics(&[compacted, deleting], &AdminOptions::new()).await.unwrap();
    for (topic, said) in [("wide", "2 partitions"), ("deleting", "cleanup.policy is delete")] {
        let error = Registry::start(options(topic).await).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn an_unreachable_broker_is_an_error() {
    let options = RegistryOptions { timeout: Duration::from_secs(1), ..RegistryOptions::new("127.0.0.1:1") };
    let error = Registry::start(options).await.unwrap_err().to_string();
    assert!(error.contains("reach Kafka at 127.0.0.1:1"), "{error}");
}

/// The broker is killed under the registry: changes fail or wait, nothing is invented, and all goes on afterwards.
#[tokio::test]
async fn the_registry_survives_its_brokers_crash() {
    let directory = tempfile::tempdir().unwrap();
    let mut kafka = Kafka::start(KafkaOptions::new(directory.path())).await.unwrap();
    let options =
        RegistryOptions { timeout: Duration::from_secs(2), ..RegistryOptions::new(kafka.bootstrap()) };
    let registry = Registry::start(options).await.unwrap();
    let client = Client::new(&registry);
    let first = client.register("s", &v1()).await;
    kafka.kill();
    let (status, answer) = client.call(POST, "/subjects/s/versions", Some(schema_body(&v2()))).await;
    assert_eq!(status, 500, "{answer}");
    assert_eq!(client.get("/subjects/s/versions").await, json!([1]), "reads go on");
    kafka.restart_blocking().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let second = loop {
        let (status, answer) = client.call(POST, "/subjects/s/versions", Some(schema_body(&v2()))).await;
        if status == 200 {
            break answer["id"].as_i64().unwrap();
        }
        assert!(Instant::now() < deadline, "the registry never recovered: {answer}");
    };
    assert_eq!(second, first + 1);
    assert_eq!(client.get("/subjects/s/versions").await, json!([1, 2]));
    registry.stop().await;
}

/// A child that does not outlive a failed test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The test binary plays the registry's process and is killed with -9 in the middle of registrations.
#[tokio::test]
async fn kill_9_keeps_what_was_answered() {
    const ROLE: &str = "DESKSTREAM_TEST_REGISTRY";
    if let Ok(role) = std::env::var(ROLE) {
        let (bootstrap, file) = role.split_once(' ').unwrap();
        let options = RegistryOptions { topic: "killed".into(), ..RegistryOptions::new(bootstrap) };
        let registry = Registry::start(options).await.unwrap();
        std::fs::write(format!("{file}.new"), registry.url()).unwrap();
        std::fs::rename(format!("{file}.new"), file).unwrap();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let mut answered: Vec<(i64, Value)> = Vec::new();
    for round in 0..3 {
        let file = directory.path().join(format!("url-{round}"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "failures::kill_9_keeps_what_was_answered"])
            .env(ROLE, format!("{} {}", bootstrap().await, file.display()))
            .spawn()
            .unwrap();
        let child = Ended(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        while !file.exists() {
            assert!(Instant::now() < deadline, "the registry never started");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let client = Client { http: http::client().unwrap(), url: std::fs::read_to_string(&file).unwrap() };
        for (id, schema) in &answered {
            assert_eq!(client.get(&format!("/schemas/ids/{id}/schema")).await, *schema);
        }
        for n in 0..10 {
            let schema = json!({ "type": "fixed", "name": "F", "size": round * 100 + n + 1 });
            answered.push((client.register(&format!("s{n}-{round}"), &schema).await, schema));
        }
        // One more is on its way when the process dies.
        let racing = json!({ "type": "fixed", "name": "F", "size": round * 100 + 99 });
        let request = client.http.post(format!("{}/subjects/racing/versions", client.url));
        let request =
            request.header("content-type", "application/json").body(schema_body(&racing).to_string());
        let racing = tokio::spawn(request.send());
        tokio::task::yield_now().await;
        drop(child);
        let _ = racing.await;
    }
    let registry = Registry::start(options("killed").await).await.unwrap();
    let client = Client::new(&registry);
    for (id, schema) in &answered {
        assert_eq!(client.get(&format!("/schemas/ids/{id}/schema")).await, *schema);
    }
    let ids: std::collections::BTreeSet<_> = answered.iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), answered.len(), "no id was given twice");
}
