//! A console of its own for each test, on topics and a database of its own, and a client of it.

use deskstream_connectors::audit;
use deskstream_connectors::clickhouse::{SinkOptions, migrate, run_all};
use deskstream_connectors::kafka::{DeadLetterSink, Producer, ProducerOptions};
use deskstream_console::{Console, start};
use deskstream_embedded::Platform;
use deskstream_runtime::config::load;
use deskstream_runtime::{Process, kafka};
use deskstream_schemas::Platform as Helpdesk;
use deskstream_schemas::{
    Analysis, Encoder, EnrichedTicket, EventKind, Label, Origin, Outcome, OutcomeKind, OutcomeResult,
    Priority, Record, Span, SpanField, TicketStatus, Tier, Topic,
};
use rdkafka::producer::{FutureProducer, FutureRecord};
use reqwest::{Method, StatusCode, header::HeaderMap};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PASSWORD: &str = "correct horse battery staple";
pub const OPERATOR: &str = "olga@desk.example";

/// A process with a console.
pub struct World {
    pub process: Process,
    pub console: Console,
    pub api: Api,
    producer: FutureProducer,
}

/// A client.
#[derive(Clone)]
pub struct Api {
    pub base: String,
    pub client: reqwest::Client,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a problem, which has its media type.
    pub fn problem(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{self:?}");
        problem["type"].as_str().unwrap().strip_prefix("urn:deskstream:problem:").unwrap().to_owned()
    }

    pub fn cookie(&self) -> String {
        let cookie = self.headers["set-cookie"].to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    pub fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["access_token"].as_str().unwrap().to_owned()
    }
}

impl Api {
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.unwrap() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).bearer_auth(token).json(body)).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path).bearer_auth(token)).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.send(self.request(Method::POST, "/api/v1/auth/sign-in").json(&body)).await
    }

    pub async fn refresh(&self, cookie: &str) -> Answer {
        let request = self.request(Method::POST, "/api/v1/auth/refresh");
        self.send(request.header("cookie", cookie).header("origin", &self.base)).await
    }

    pub async fn bootstrap(&self, token: &str) -> Answer {
        let body = json!({ "token": token, "email": OPERATOR, "name": "Olga", "password": PASSWORD });
        self.send(self.request(Method::POST, "/api/v1/auth/bootstrap").json(&body)).await
    }
}

impl World {
    pub async fn new(name: &str) -> Self {
        Self::with(name, &[]).await
    }

    pub async fn with(name: &str, overrides: &[(&str, &str)]) -> Self {
        let process = process(name, overrides).await;
        for tenant in ["acme", "umbrella"] {
            process.control.ensure_data_key(tenant, "test").await.unwrap();
        }
        let console = start(&process).await.unwrap();
        let scheme = if process.config.console.certificate.is_some() { "https" } else { "http" };
        let base = format!("{scheme}://{}", console.server.address);
        let api = Api { base, client: reqwest::Client::new() };
        let producer = kafka::producer(&process.config.kafka).create().unwrap();
        Self { process, console, api, producer }
    }

    /// The first operator's access token.
    pub async fn operator(&self) -> String {
        let token = self.console.bootstrap.as_ref().unwrap().expose_secret();
        self.api.bootstrap(token).await.token()
    }

    /// The operator's access token, for a tenant.
    pub async fn within(&self, operator: &str, tenant: &str) -> String {
        self.api.post(operator, "/api/v1/auth/tenant", &json!({ "tenant": tenant })).await.token()
    }

    /// Makes a user by who may, and signs in as that.
    pub async fn user(&self, by: &str, role: &str, email: &str) -> String {
        let user = json!({ "email": email, "name": "Some One", "role": role, "password": PASSWORD });
        let made = self.api.post(by, "/api/v1/users", &user).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.api.sign_in(email, PASSWORD).await.token()
    }

    /// Admins of acme and umbrella.
    pub async fn admins(&self) -> (String, String) {
        let operator = self.operator().await;
        let acme = self.within(&operator, "acme").await;
        let anna = self.user(&acme, "admin", "anna@acme.example").await;
        let umbrella = self.within(&acme, "umbrella").await;
        let ulf = self.user(&umbrella, "admin", "ulf@umbrella.example").await;
        (anna, ulf)
    }

    /// Starts the ClickHouse sinks, and what chains the audit trail before them.
    pub async fn sinks(&self) {
        let producer = Producer::new(&self.process, ProducerOptions::records()).unwrap();
        let dead_letters = DeadLetterSink::start(&self.process, producer, "test").await.unwrap();
        let options = SinkOptions {
            batch_age: Duration::from_millis(20),
            insert_interval: Duration::ZERO,
            ..SinkOptions::new(&self.process.config)
        };
        let process = self.process.clone();
        audit::spawn(&process, dead_letters.clone(), &TaskTracker::new()).await.unwrap();
        tokio::spawn(async move { run_all(&process, &options, Some(dead_letters)).await.unwrap() });
    }

    pub async fn produce<T: Record>(&self, topic: Topic, key: &str, record: &T) {
        let payload = Encoder::<T>::new(&self.process.ids).encode(record).unwrap();
        let topic = self.process.topics.name(topic);
        let record = FutureRecord::to(&topic).partition(0).key(key).payload(&payload);
        self.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).unwrap();
    }

    /// Waits until a path answers as wanted.
    pub async fn until(&self, token: &str, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.api.get(token, path).await;
            if answer.status == 200 && done(&answer.json()) {
                return answer.json();
            }
            assert!(Instant::now() < deadline, "{path} answers {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

pub async fn process(name: &str, overrides: &[(&str, &str)]) -> Process {
    deskstream_runtime::install_crypto_provider();
    let platform = Platform::for_tests();
    let endpoint = platform.clickhouse();
    let directory = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = directory.path().join(file);
        std::fs::write(&path, text).unwrap();
        format!("file:{}", path.display())
    };
    let mut settings: Vec<(String, String)> = [
        ("kafka.bootstrap", platform.kafka()),
        ("kafka.topic_prefix", &format!("{name}.")),
        ("kafka.partitions", "2"),
        ("registry.url", platform.registry()),
        ("clickhouse.url", endpoint.url.as_str()),
        ("clickhouse.database", name),
        ("clickhouse.user", &endpoint.user),
        ("clickhouse.password", &write("password", endpoint.password.expose_secret())),
        ("keys.master", &write("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")),
        ("pipeline.group", name),
        ("console.listen", "127.0.0.1:0"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    settings.extend(overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    // A flag is a text: numbers stand in the file.
    let (numbers, settings): (Vec<_>, Vec<_>) =
        settings.into_iter().partition(|(_, value)| value.parse::<u32>().is_ok());
    let file = directory.path().join("deskstream.toml");
    let lines: Vec<_> = numbers.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let config = load(Some(&file), &settings).unwrap_or_else(|error| panic!("{error}"));
    migrate(&config.clickhouse).await.unwrap();
    Process::start(Arc::new(config), CancellationToken::new()).await.unwrap()
}

pub fn label(value: &'static str) -> Label {
    Label { value: value.into(), confidence: 0.75, abstained: false }
}

/// A ticket of a tenant whose texts hold `mark`.
pub fn ticket(tenant: &str, id: &str, at: i64, mark: &str) -> EnrichedTicket {
    EnrichedTicket {
        event_id: format!("e-{tenant}-{id}-{at}"),
        tenant: tenant.to_owned(),
        platform: Helpdesk::Zendesk,
        ticket_id: id.to_owned(),
        kind: EventKind::Created,
        origin: Origin::Webhook,
        occurred_at: at,
        received_at: at + 5,
        created_at: at,
        version: at,
        status: TicketStatus::Open,
        priority: Some(Priority::High),
        ticket_type: Some("incident".into()),
        channel: None,
        requester_ref: Some("r1".into()),
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        enriched_at: at + 25,
        source_partition: 0,
        source_offset: at,
        tags: vec!["vip".into()],
        subject: format!("Refund {mark} [EMAIL]"),
        body: format!("I want my money back, {mark}"),
        summary: format!("Wants a refund, {mark}."),
        spans: vec![Span {
            field: SpanField::Subject,
            start: 7,
            end: 21,
            kind: "email".into(),
            detector: "regex".into(),
            score: 1.0,
        }],
        redactions: BTreeMap::from([("email".into(), 1)]),
        redactor: "1".into(),
        analysis: Analysis {
            root_cause: label("refund"),
            urgency: label("high"),
            sentiment: label("negative"),
            sentiment_score: -0.5,
            industry: label("retail"),
            language: "en".into(),
            language_confidence: 0.9,
            tier: Tier::Local,
            model: "linear-1".into(),
            latency_us: 40,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        },
        notes: vec![],
        shadow: None,
        urgency_reasons: vec![],
    }
}

/// What the helpdesk answered to a write-back.
pub fn outcome(tenant: &str, ticket: &str, at: i64, mark: &str) -> Outcome {
    Outcome {
        kind: OutcomeKind::WriteBack,
        subject: format!("command-{tenant}-{ticket}"),
        tenant: tenant.to_owned(),
        service: "zendesk".into(),
        ticket_id: Some(ticket.to_owned()),
        result: OutcomeResult::Applied,
        status: Some(200),
        attempts: 1,
        detail: format!("tags {mark}"),
        finished_at: at,
        received_at: Some(at),
        rate_limit: None,
        rate_remaining: None,
    }
}
