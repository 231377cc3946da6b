//! A broker for all tests, a client of the API, and schemas.

use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions, http};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// One broker for all tests of this file; each test has a topic of its own. It ends with the process.
pub async fn bootstrap() -> &'static str {
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

pub async fn options(topic: &str) -> RegistryOptions {
    RegistryOptions { topic: topic.into(), ..RegistryOptions::new(bootstrap().await) }
}

/// Requests against one registry.
pub struct Client {
    pub http: reqwest::Client,
    pub url: String,
}

impl Client {
    pub fn new(registry: &Registry) -> Self {
        Self { http: http::client().unwrap(), url: registry.url() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
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

    pub async fn ok(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub async fn get(&self, path: &str) -> Value {
        self.ok(Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Value {
        self.ok(Method::DELETE, path, None).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Value {
        self.ok(Method::PUT, path, Some(body)).await
    }

    pub async fn register(&self, subject: &str, schema: &Value) -> i64 {
        let answer =
            self.ok(Method::POST, &format!("/subjects/{subject}/versions"), Some(schema_body(schema))).await;
        answer["id"].as_i64().unwrap()
    }

    /// The call fails with this code, and with the status that its first digits say.
    pub async fn fails(&self, method: Method, path: &str, body: Option<Value>, code: u64) {
        let (status, answer) = self.call(method, path, body).await;
        assert_eq!(answer["error_code"], code, "{path}: {status} {answer}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert_eq!(status.as_u16(), code.to_string()[..3].parse::<u16>().unwrap(), "{path}");
    }
}

pub fn schema_body(schema: &Value) -> Value {
    json!({ "schema": schema.to_string(), "schemaType": "AVRO" })
}

pub fn record(fields: &Value) -> Value {
    json!({ "type": "record", "name": "R", "namespace": "test", "fields": fields })
}

pub fn v1() -> Value {
    record(&json!([{ "name": "a", "type": "int" }]))
}

pub fn v2() -> Value {
    record(&json!([{ "name": "a", "type": "int" }, { "name": "b", "type": "string", "default": "" }]))
}

/// Reads nothing of v1: b has no default.
pub fn broken() -> Value {
    record(&json!([{ "name": "a", "type": "int" }, { "name": "b", "type": "string" }]))
}

pub const POST: Method = Method::POST;
pub const GET: Method = Method::GET;
pub const DELETE: Method = Method::DELETE;
pub const PUT: Method = Method::PUT;
