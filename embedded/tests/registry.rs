//! The registry against a real broker, seen through HTTP and through `schema_registry_converter`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions, http};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
};
use reqwest::{Method, StatusCode};
use schema_registry_converter::{
    async_impl::{
        avro::{AvroDecoder, AvroEncoder},
        schema_registry::{
            SrSettings, get_all_subjects, get_all_versions, is_compatible_schema, post_schema,
        },
    },
    schema_registry_common::{SchemaType, SubjectNameStrategy, SuppliedSchema},
};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// One broker for all tests of this file; each test has a topic of its own. It ends with the process.
async fn bootstrap() -> &'static str {
    static KAFKA: OnceCell<(Kafka, String)> = OnceCell::const_new();
    let (_, bootstrap) = KAFKA
        .get_or_init(|| async {
            let directory = tempfile::Builder::new().prefix("deskstream-registry-").tempdir().unwrap().keep();
            let kafka =
                Kafka::start(KafkaOptions { ephemeral: true, ..KafkaOptions::new(directory) }).await.unwrap();
            let bootstrap = kafka.bootstrap();
            (kafka, bootstrap)
        })
        .await;
    bootstrap
}

async fn options(topic: &str) -> RegistryOptions {
    RegistryOptions { topic: topic.into(), ..RegistryOptions::new(bootstrap().await) }
}

/// Requests against one registry.
struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn new(registry: &Registry) -> Self {
        Self { http: http::client().unwrap(), url: registry.url() }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request
                .header("content-type", "application/vnd.schemaregistry.v1+json")
                .body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/vnd.schemaregistry.v1+json");
        (answer.status(), answer.json().await.unwrap())
    }

    async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, None).await
    }

    async fn delete(&self, path: &str) -> Value {
        self.ok(Method::DELETE, path, None).await
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.ok(Method::PUT, path, Some(body)).await
    }

    async fn register(&self, subject: &str, schema: &Value) -> i64 {
        let answer =
            self.ok(Method::POST, &format!("/subjects/{subject}/versions"), Some(schema_body(schema))).await;
        answer["id"].as_i64().unwrap()
    }

    /// The call fails with this code, and with the status that its first digits say.
    async fn fails(&self, method: Method, path: &str, body: Option<Value>, code: u64) {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(answer["error_code"], code, "{path}: {status} {answer}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(status.as_u16(), code.to_string()[..3].parse::<u16>().unwrap(), "{path}");
    }
}

fn schema_body(schema: &Value) -> Value {
    json!({ "schema": schema.to_string(), "schemaType": "AVRO" })
}

fn record(fields: &Value) -> Value {
    json!({ "type": "record", "name": "R", "namespace": "test", "fields": fields })
}

fn v1() -> Value {
    record(&json!([{ "name": "a", "type": "int" }]))
}

fn v2() -> Value {
    record(&json!([{ "name": "a", "type": "int" }, { "name": "b", "type": "string", "default": "" }]))
}

/// Reads nothing of v1: b has no default.
fn broken() -> Value {
    record(&json!([{ "name": "a", "type": "int" }, { "name": "b", "type": "string" }]))
}

const POST: Method = Method::POST;
const GET: Method = Method::GET;
const DELETE: Method = Method::DELETE;
const PUT: Method = Method::PUT;

#[tokio::test]
async fn schemas_are_registered_looked_up_and_given_out() {
    let registry = Registry::start(options("api").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/").await, json!({}));
    assert_eq!(client.get("/subjects").await, json!([]));
    assert_eq!(client.get("/schemas/types").await, json!(["AVRO"]));

    let first = client.register("events-value", &v1()).await;
    assert_eq!(client.register("events-value", &v1()).await, first, "the same schema again");
    let spaced = json!({ "schema": serde_json::to_string_pretty(&v1()).unwrap() });
    assert_eq!(
        client.ok(POST, "/subjects/events-value/versions", Some(spaced)).await,
        json!({ "id": first })
    );
    let second = client.register("events-value", &v2()).await;
    assert_eq!(second, first + 1);
    assert_eq!(client.register("other%2Fwith%20slash", &v1()).await, first, "ids are global");

    assert_eq!(client.get("/subjects").await, json!(["events-value", "other/with slash"]));
    assert_eq!(client.get("/subjects?subjectPrefix=ev").await, json!(["events-value"]));
    assert_eq!(client.get("/subjects/events-value/versions").await, json!([1, 2]));
    let latest = client.get("/subjects/events-value/versions/latest").await;
    assert_eq!(
        latest,
        json!({ "subject": "events-value", "version": 2, "id": second, "schema": v2().to_string() })
    );
    assert_eq!(client.get("/subjects/events-value/versions/-1").await, latest);
    assert_eq!(client.get("/subjects/events-value/versions/1/schema").await, v1());
    assert_eq!(client.get(&format!("/schemas/ids/{first}")).await, json!({ "schema": v1().to_string() }));
    assert_eq!(client.get(&format!("/schemas/ids/{first}/schema")).await, v1());
    assert_eq!(
        client.get(&format!("/schemas/ids/{first}/subjects")).await,
        json!(["events-value", "other/with slash"])
    );
    assert_eq!(
        client.get(&format!("/schemas/ids/{second}/versions")).await,
        json!([{ "subject": "events-value", "version": 2 }])
    );
    assert_eq!(client.get("/schemas?latestOnly=true").await.as_array().unwrap().len(), 2);
    let found = client.ok(POST, "/subjects/events-value", Some(schema_body(&v1()))).await;
    assert_eq!((&found["version"], &found["id"]), (&json!(1), &json!(first)));

    client.fails(GET, "/subjects/none/versions", None, 40401).await;
    client.fails(GET, "/subjects/none/versions/1", None, 40401).await;
    client.fails(GET, "/subjects/events-value/versions/9", None, 40402).await;
    client.fails(GET, "/subjects/events-value/versions/0", None, 42202).await;
    client.fails(GET, "/schemas/ids/999", None, 40403).await;
    client.fails(GET, "/schemas/ids/abc", None, 40403).await;
    client.fails(POST, "/subjects/none", Some(schema_body(&v1())), 40401).await;
    client.fails(POST, "/subjects/events-value", Some(schema_body(&json!("int"))), 40403).await;
    client.fails(POST, "/subjects/x/versions", Some(json!({ "schema": "{" })), 42201).await;
    client.fails(POST, "/subjects/x/versions", Some(json!({})), 42201).await;
    client
        .fails(POST, "/subjects/x/versions", Some(json!({ "schema": "{}", "schemaType": "JSON" })), 42201)
        .await;
    client.fails(POST, "/subjects/x/versions", Some(json!([1])), 400).await;
    client.fails(GET, "/nothing", None, 404).await;
    client.fails(PUT, "/subjects", Some(json!({})), 405).await;
    let plain =
        client.http.post(format!("{}/subjects/x/versions", client.url)).body("{}").send().await.unwrap();
    assert_eq!(plain.status(), 415, "a browser's form can't register");
    registry.stop().await;
}

#[tokio::test]
async fn compatibility_is_enforced_by_level() {
    let registry = Registry::start(options("levels").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/config").await, json!({ "compatibilityLevel": "BACKWARD" }));
    client.register("s", &v1()).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&broken())), 409).await;
    let check = "/compatibility/subjects/s/versions/latest";
    assert_eq!(client.ok(POST, check, Some(schema_body(&broken()))).await, json!({ "is_compatible": false }));
    let verbose = client.ok(POST, &format!("{check}?verbose=true"), Some(schema_body(&broken()))).await;
    assert!(verbose["messages"][0].as_str().unwrap().contains("'b'"), "{verbose}");
    assert_eq!(client.ok(POST, check, Some(schema_body(&v2()))).await, json!({ "is_compatible": true }));
    client.fails(POST, "/compatibility/subjects/s/versions/7", Some(schema_body(&v1())), 40402).await;
    client.fails(POST, "/compatibility/subjects/none/versions/1", Some(schema_body(&v1())), 40402).await;
    let unknown = "/compatibility/subjects/none/versions";
    assert_eq!(client.ok(POST, unknown, Some(schema_body(&v1()))).await, json!({ "is_compatible": true }));

    client.fails(GET, "/config/s", None, 40408).await;
    assert_eq!(
        client.get("/config/s?defaultToGlobal=true").await,
        json!({ "compatibilityLevel": "BACKWARD" })
    );
    assert_eq!(
        client.put("/config/s", json!({ "compatibility": "none" })).await,
        json!({ "compatibility": "NONE" })
    );
    client.register("s", &broken()).await;
    client.register("s", &json!("string")).await;
    assert_eq!(client.delete("/config/s").await, json!({ "compatibilityLevel": "NONE" }));
    client.fails(DELETE, "/config/s", None, 40401).await;
    client.fails(PUT, "/config/s", Some(json!({ "compatibility": "SOME" })), 42203).await;

    client.put("/config", json!({ "compatibility": "FULL_TRANSITIVE" })).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&json!("bytes"))), 409).await;
    assert_eq!(client.delete("/config").await, json!({ "compatibilityLevel": "FULL_TRANSITIVE" }));
    client.register("s", &json!("bytes")).await;

    assert_eq!(client.get("/mode").await, json!({ "mode": "READWRITE" }));
    client.fails(GET, "/mode/s", None, 40409).await;
    client.put("/mode/s", json!({ "mode": "READONLY" })).await;
    client.fails(POST, "/subjects/s/versions", Some(schema_body(&v2())), 42205).await;
    assert_eq!(client.delete("/mode/s").await, json!({ "mode": "READONLY" }));
    client.fails(PUT, "/mode", Some(json!({ "mode": "IMPORT" })), 42204).await;
}

#[tokio::test]
async fn deletion_takes_two_steps_and_never_frees_an_id() {
    let registry = Registry::start(options("deletions").await).await.unwrap();
    let client = Client::new(&registry);
    let first = client.register("s", &v1()).await;
    let second = client.register("s", &v2()).await;

    client.fails(DELETE, "/subjects/none", None, 40401).await;
    client.fails(DELETE, "/subjects/s/versions/9", None, 40402).await;
    client.fails(DELETE, "/subjects/s/versions/1?permanent=true", None, 40407).await;
    client.fails(DELETE, "/subjects/s?permanent=true", None, 40405).await;
    assert_eq!(client.delete("/subjects/s/versions/latest").await, json!(2));
    client.fails(DELETE, "/subjects/s/versions/2", None, 40406).await;
    client.fails(GET, "/subjects/s/versions/2", None, 40402).await;
    assert_eq!(client.get("/subjects/s/versions/2?deleted=true").await["deleted"], true);
    assert_eq!(client.get("/subjects/s/versions/latest").await["version"], 1);
    client.fails(POST, "/subjects/s", Some(schema_body(&v2())), 40403).await;
    assert_eq!(client.ok(POST, "/subjects/s?deleted=true", Some(schema_body(&v2()))).await["id"], second);

    // Again: the same id, a new version.
    assert_eq!(client.register("s", &v2()).await, second);
    assert_eq!(client.get("/subjects/s/versions").await, json!([1, 3]));
    client.put("/config/s", json!({ "compatibility": "FULL" })).await;
    assert_eq!(client.delete("/subjects/s").await, json!([1, 3]));
    client.fails(DELETE, "/subjects/s", None, 40404).await;
    client.fails(GET, "/subjects/s/versions", None, 40401).await;
    client.fails(GET, "/config/s", None, 40408).await;
    assert_eq!(client.get("/subjects").await, json!([]));
    assert_eq!(client.get("/subjects?deletedOnly=true").await, json!(["s"]));
    assert_eq!(
        client.get(&format!("/schemas/ids/{first}")).await["schema"],
        v1().to_string(),
        "data stays readable"
    );

    assert_eq!(client.delete("/subjects/s?permanent=true").await, json!([1, 2, 3]));
    client.fails(GET, &format!("/schemas/ids/{first}"), None, 40403).await;
    registry.stop().await;
    let registry = Registry::start(options("deletions").await).await.unwrap();
    let client = Client::new(&registry);
    assert_eq!(client.get("/subjects?deleted=true").await, json!([]));
    assert!(client.register("s", &json!("int")).await > second, "an id of what is gone is not given again");
    assert_eq!(client.get("/subjects/s/versions").await, json!([1]));
}

#[tokio::test]
async fn a_schema_that_others_refer_to_stays() {
    let registry = Registry::start(options("references").await).await.unwrap();
    let client = Client::new(&registry);
    let point = json!({ "type": "record", "name": "P", "fields": [{ "name": "x", "type": "int" }] });
    client.register("p", &point).await;
    let user = json!({ "type": "record", "name": "U", "fields": [{ "name": "p", "type": "P" }] });
    client.fails(POST, "/subjects/u/versions", Some(schema_body(&user)), 42201).await;
    let mut body = schema_body(&user);
    body["references"] = json!([{ "name": "P", "subject": "p", "version": 1 }]);
    let id = client.ok(POST, "/subjects/u/versions", Some(body.clone())).await["id"].clone();
    assert_eq!(client.get(&format!("/schemas/ids/{id}")).await["references"], body["references"]);
    assert_eq!(client.get("/subjects/p/versions/1/referencedby").await, json!([id]));
    client.fails(DELETE, "/subjects/p", None, 42206).await;
    client.fails(DELETE, "/subjects/p/versions/1", None, 42206).await;
    client.delete("/subjects/u").await;
    client.delete("/subjects/p").await;
}

#[tokio::test]
async fn the_rust_client_of_the_product_works_against_it() {
    http::install_tls();
    let registry = Registry::start(options("converter").await).await.unwrap();
    let settings = SrSettings::new(registry.url());
    let schema = SuppliedSchema::new(Some("test.R".into()), SchemaType::Avro, v1().to_string());
    let registered = post_schema(&settings, "events-value".into(), schema.clone()).await.unwrap();
    let strategy = SubjectNameStrategy::RecordNameStrategyWithSchema(schema.clone());
    let encoder = AvroEncoder::new(settings.clone());
    let bytes = encoder.encode(vec![("a", apache_avro::types::Value::Int(7))], strategy).await.unwrap();
    // Confluent's wire format: a zero byte, the id in big endian.
    assert_eq!(bytes[0], 0);
    assert_eq!(u32::from_be_bytes(bytes[1..5].try_into().unwrap()), registered.id);
    let decoded = AvroDecoder::new(settings.clone()).decode(Some(&bytes)).await.unwrap();
    assert_eq!(
        decoded.value,
        apache_avro::types::Value::Record(vec![("a".into(), apache_avro::types::Value::Int(7))])
    );
    assert_eq!(get_all_subjects(&settings).await.unwrap(), ["events-value", "test.R"]);
    assert_eq!(get_all_versions(&settings, "events-value".into()).await.unwrap(), [1]);
    let mut worse = schema.clone();
    worse.schema = broken().to_string();
    assert!(!is_compatible_schema(&settings, "events-value".into(), worse.clone()).await.unwrap());
    let error = post_schema(&settings, "events-value".into(), worse).await.unwrap_err();
    assert!(format!("{error:?}").contains("409"), "{error:?}");
}

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
            .args(["--exact", "kill_9_keeps_what_was_answered"])
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
