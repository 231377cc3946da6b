//! Delivery of alerts over a real Kafka to the sample PagerDuty and Slack: what arrives, how often, in what order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use deskstream_connectors::delivery::{self, DeliveryOptions};
use deskstream_connectors::http::Backoff;
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_embedded::{Kafka, KafkaOptions, Registry, RegistryOptions};
use deskstream_runtime::config::{self, Config};
use deskstream_runtime::{Process, kafka};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::pagerduty::{self, Incident, IncidentStatus};
use deskstream_samples::slack::{self, HookState};
use deskstream_samples::{PagerDuty, Slack};
use deskstream_schemas::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(60);
const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";
const ENQUEUE: &str = "/v2/enqueue";
const HOOK: &str = "/services/**";

/// One broker and registry for all tests of this file, each of which has topics of its own. They live in a
/// runtime that outlives any test's; their guard ends them with the process.
struct Platform {
    bootstrap: String,
    registry: String,
}

static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
    deskstream_runtime::install_crypto_provider();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let directory = tempfile::Builder::new().prefix("deskstream-delivery-").tempdir().unwrap().keep();
            let options = KafkaOptions { ephemeral: true, ..KafkaOptions::new(directory) };
            let kafka = Kafka::start(options).await.unwrap();
            let registry = Registry::start(RegistryOptions::new(kafka.bootstrap())).await.unwrap();
            sender.send(Platform { bootstrap: kafka.bootstrap(), registry: registry.url() }).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
});

async fn platform() -> &'static Platform {
    tokio::task::spawn_blocking(|| &*PLATFORM).await.unwrap()
}

async fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Both services, a configuration that names them, and topics of its own.
struct Scene {
    pagerduty: PagerDuty,
    slack: Slack,
    directory: tempfile::TempDir,
    prefix: &'static str,
    platform: &'static Platform,
}

impl Scene {
    async fn new(prefix: &'static str) -> Self {
        let slack = Slack::start(slack::Options::default()).await.unwrap();
        Self::with_slack(prefix, slack).await
    }

    async fn with_slack(prefix: &'static str, slack: Slack) -> Self {
        let platform = platform().await;
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("master", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        write("routing", ROUTING_KEY);
        write("hook", &slack.webhook_url());
        let pagerduty = PagerDuty::start(pagerduty::Options::default()).await.unwrap();
        Self { pagerduty, slack, directory, prefix, platform }
    }

    fn config(&self, group: &str) -> Config {
        let file = |name: &str| format!("file:{}", self.directory.path().join(name).display());
        let set = |key: &str, value: String| (key.to_owned(), value);
        let overrides = vec![
            set("kafka.bootstrap", self.platform.bootstrap.clone()),
            set("kafka.topic_prefix", format!("{}.", self.prefix)),
            set("registry.url", self.platform.registry.clone()),
            set("keys.master", file("master")),
            set("pipeline.group", group.to_owned()),
            set("alerts.channels.pager.kind", "pagerduty".into()),
            set("alerts.channels.pager.routing_key", file("routing")),
            set("alerts.channels.pager.url", format!("{}{ENQUEUE}", self.pagerduty.url())),
            set("alerts.channels.chat.kind", "slack".into()),
            set("alerts.channels.chat.url", file("hook")),
        ];
        config::load(None, &overrides).unwrap()
    }

    async fn run(&self) -> Run {
        self.run_with(self.prefix, Duration::from_millis(500)).await
    }

    /// Delivery in a process of its own, as far as Kafka can tell.
    async fn run_with(&self, group: &str, longest_wait: Duration) -> Run {
        let config = Arc::new(self.config(group));
        let process = Process::start(config, CancellationToken::new()).await.unwrap();
        let options = DeliveryOptions {
            wait: Backoff { first: longest_wait / 10, most: longest_wait },
            ..DeliveryOptions::default()
        };
        let tasks = delivery::spawn_with(&process, &options).await.unwrap();
        assert_eq!(tasks.len(), 2, "a task for each channel");
        let producer = Producer::new(&process, ProducerOptions::records()).unwrap();
        let alerts = Sink::new(&process, producer);
        Run { process, tasks, alerts }
    }

    fn incidents(&self) -> Vec<Incident> {
        self.pagerduty.incidents()
    }

    /// First words of the notification texts that arrived.
    fn messages(&self) -> Vec<String> {
        let messages = self.slack.messages();
        messages.iter().map(|m| m.payload["text"].as_str().unwrap().to_owned()).collect()
    }
}

struct Run {
    process: Process,
    tasks: JoinSet<()>,
    alerts: Sink<Alert>,
}

impl Run {
    async fn tell(&self, alert: &Alert) {
        self.alerts.send(&alert.key(), alert).await.unwrap();
    }

    async fn stop(self) {
        self.process.shutdown.cancel();
        self.tasks.join_all().await;
    }

    /// Ends it as `kill -9` would: nothing is committed, nothing runs to its end.
    async fn kill(mut self) {
        self.tasks.shutdown().await;
        self.process.shutdown.cancel();
    }

    /// Reads a topic from its beginning until it has so many records that `concern` the test.
    async fn read<T: Record>(&self, topic: Topic, count: usize, concern: fn(&T) -> bool) -> Vec<T> {
        let process = self.process.clone();
        let read = move || {
            let name = process.topics.name(topic);
            let consumer: BaseConsumer =
                kafka::consumer(&process.config.kafka, "test-reader").create().unwrap();
            let metadata = consumer.fetch_metadata(Some(&name), PATIENCE).unwrap();
            let mut list = TopicPartitionList::new();
            for partition in metadata.topics()[0].partitions() {
                list.add_partition_offset(&name, partition.id(), Offset::Beginning).unwrap();
            }
            consumer.assign(&list).unwrap();
            let decoder: Decoder<T> = Decoder::new(Arc::clone(&process.registry));
            let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
            while records.len() < count {
                assert!(Instant::now() < deadline, "{name}: only {} of {count} records came", records.len());
                if let Some(message) = consumer.poll(Duration::from_millis(50)) {
                    let record = decoder.decode(message.unwrap().payload().unwrap()).unwrap();
                    records.extend(Some(record).filter(concern));
                }
            }
            records
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    async fn outcomes(&self, count: usize) -> Vec<Outcome> {
        self.read(Topic::Outcomes, count, |_: &Outcome| true).await
    }
}

fn firing(rule: &str, tenant: &str, at: i64, channels: &[&str]) -> Alert {
    Alert {
        dedup_key: format!("deskstream/{rule}/{tenant}//{at}"),
        rule: rule.into(),
        tenant: tenant.into(),
        group: String::new(),
        state: AlertState::Firing,
        severity: Severity::Critical,
        value: 0.07,
        threshold: 0.05,
        summary: format!("7 % of the events of {tenant} failed <!channel>"),
        channels: channels.iter().map(|c| (*c).to_owned()).collect(),
        started_at: at,
        changed_at: at,
        labels: BTreeMap::new(),
    }
}

fn resolved(firing: &Alert) -> Alert {
    Alert { state: AlertState::Resolved, changed_at: firing.changed_at + 1000, ..firing.clone() }
}

const AT: i64 = 1_795_435_200_000;
const BOTH: &[&str] = &["pager", "chat"];

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None }
}

fn is_alert_audit(record: &AuditRecord) -> bool {
    record.action == "deliver.alert"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_opens_closes_and_is_recorded() {
    let scene = Scene::new("page").await;
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;
    run.tell(&firing("quiet", "acme", AT, &["chat"])).await;
    run.tell(&firing("recorded-only", "acme", AT, &[])).await;

    let outcomes = run.outcomes(5).await;
    assert!(outcomes.iter().all(|o| o.kind == OutcomeKind::Alert && o.result == OutcomeResult::Applied));
    assert!(outcomes.iter().all(|o| o.received_at.is_some() && o.attempts == 1));
    let told = |service: &str| outcomes.iter().filter(|o| o.service == service).count();
    assert_eq!((told("pagerduty"), told("slack")), (2, 3));

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].status, IncidentStatus::Resolved);
    assert_eq!(
        (incidents[0].severity.as_str(), incidents[0].source.as_str()),
        ("critical", "deskstream/acme")
    );
    assert_eq!(incidents[0].dedup_key, alert.dedup_key);
    assert_eq!(scene.slack.stats().pings, 0, "no text of ours may ping");
    let messages = scene.messages();
    let position = |word: &str| messages.iter().position(|m| m.contains(word)).unwrap();
    assert!(position("firing") < position("resolved"), "{messages:?}");

    let audit = run.read(Topic::Audit, 5, is_alert_audit).await;
    assert!(audit.iter().all(|a| a.outcome == AuditOutcome::Ok && a.tenant == "acme"));
    assert!(audit.iter().any(|a| a.resource == "alert/error-rate/acme/" && a.detail["service"] == "slack"));
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_until_it_arrives() {
    let scene = Scene::new("retry").await;
    // Throttled, down, up but silent, silent after taking it, throttled with a time.
    for fault in [status(429, None), status(503, None), Fault::DropBefore, Fault::DropAfter] {
        scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, fault));
    }
    for fault in [status(429, Some(1)), status(500, None), Fault::DropBefore] {
        scene.slack.faults().add(Rule::once("POST", HOOK, fault));
    }
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    let started = Instant::now();
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;

    let outcomes = run.outcomes(4).await;
    assert!(outcomes.iter().all(|o| o.result == OutcomeResult::Applied), "{outcomes:?}");
    let attempts = |service: &str| -> i32 {
        outcomes.iter().filter(|o| o.service == service).map(|o| o.attempts).max().unwrap()
    };
    assert_eq!((attempts("pagerduty"), attempts("slack")), (5, 4));
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1, "one incident however often it was sent");
    let actions: Vec<_> = incidents[0].history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    assert_eq!(scene.messages().len(), 2, "what was not applied is no repeat");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_delays_no_other() {
    let scene = Scene::new("dead").await;
    scene.slack.faults().add(Rule::once("POST", HOOK, status(503, None)).always());
    let run = scene.run().await;
    for number in 0..5 {
        run.tell(&firing("error-rate", &format!("t{number}"), AT, BOTH)).await;
    }
    eventually("every page", || (scene.incidents().len() == 5).then_some(())).await;
    assert!(scene.slack.messages().is_empty());
    scene.slack.faults().clear();
    eventually("every message", || (scene.messages().len() == 5).then_some(())).await;
    run.outcomes(10).await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_goes_to_the_dead_letter_and_the_next_goes_out() {
    let scene = Scene::new("refused").await;
    scene.slack.set_state(HookState::Removed);
    let body =
        r#"{"status":"invalid event","message":"Event object is invalid","errors":["'x' is missing"]}"#;
    let invalid = Fault::Status { status: 400, retry_after: None, body: Some(body.to_owned()) };
    scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, invalid));
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, BOTH)).await;

    let outcomes = run.outcomes(2).await;
    let of = |service: &str| outcomes.iter().find(|o| o.service == service).unwrap();
    let (slack, pagerduty) = (of("slack"), of("pagerduty"));
    assert_eq!((slack.result, slack.status, slack.attempts), (OutcomeResult::Rejected, Some(404), 1));
    assert!(slack.detail.contains("no_service"), "{}", slack.detail);
    assert_eq!((pagerduty.result, pagerduty.status), (OutcomeResult::Rejected, Some(400)));
    assert!(pagerduty.detail.contains("'x' is missing"), "{}", pagerduty.detail);
    let letters = run.read(Topic::DeadLetter, 2, |_: &DeadLetter| true).await;
    for letter in letters {
        assert_eq!(
            (letter.tenant.as_str(), &*letter.reason, letter.stage),
            ("acme", "alert-rejected", Stage::Sink)
        );
        assert!(
            letter.payload.is_some()
                && !letter.fix.is_empty()
                && letter.source.starts_with("refused.alerts/0/")
        );
    }
    let audit = run.read(Topic::Audit, 2, is_alert_audit).await;
    assert!(audit.iter().all(|a| a.outcome == AuditOutcome::Error));

    scene.slack.set_state(HookState::Active);
    run.tell(&firing("error-rate", "beta", AT, BOTH)).await;
    eventually("the next alert", || {
        (scene.messages().len() == 1 && scene.incidents().len() == 1).then_some(())
    })
    .await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_the_topic_repeats_nothing() {
    let scene = Scene::new("replay").await;
    let first = scene.run().await;
    let one = firing("error-rate", "acme", AT, BOTH);
    let two = firing("error-rate", "acme", AT + 60_000, BOTH);
    for alert in [&one, &resolved(&one), &two] {
        first.tell(alert).await;
    }
    first.outcomes(6).await;
    first.stop().await;

    // Another group starts at the topic's beginning, as one whose offsets expired.
    let second = scene.run_with("replay-again", Duration::from_millis(500)).await;
    // The same transition written twice is a replay too.
    second.tell(&two).await;
    let outcomes = second.outcomes(6 + 8).await;
    let again = outcomes.iter().filter(|o| o.result == OutcomeResult::AlreadyApplied).count();
    assert_eq!(again, 8, "{outcomes:?}");
    second.tell(&resolved(&two)).await;
    second.outcomes(6 + 8 + 2).await;

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 2, "one for each episode");
    for incident in &incidents {
        let actions: Vec<_> = incident.history.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["trigger", "resolve"]);
    }
    assert_eq!(scene.messages().len(), 4);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_post_one_page_and_one_repeat() {
    let scene = Scene::new("killed").await;
    // Taken, but the answer never comes; the next try is far away when the process is killed.
    scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, Fault::DropAfter));
    scene.slack.faults().add(Rule::once("POST", HOOK, Fault::DropAfter));
    let doomed = scene.run_with("killed", Duration::from_secs(3600)).await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    doomed.tell(&alert).await;
    eventually("both posts", || (scene.incidents().len() == 1 && scene.messages().len() == 1).then_some(()))
        .await;
    doomed.kill().await;

    let heir = scene.run().await;
    heir.tell(&resolved(&alert)).await;
    let outcomes = heir.outcomes(4).await;
    assert!(outcomes.iter().all(|o| o.result == OutcomeResult::Applied), "{outcomes:?}");
    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1, "PagerDuty merges the repeat");
    let actions: Vec<_> = incidents[0].history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    let messages = scene.messages();
    assert_eq!(messages.iter().filter(|m| m.contains("firing")).count(), 2, "the documented repeat, once");
    assert_eq!(messages.iter().filter(|m| m.contains("resolved")).count(), 1);
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_told_in_the_repeat() {
    let scene = Scene::new("lost").await;
    scene.slack.faults().add(Rule::once("POST", HOOK, Fault::DropAfter));
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["chat"])).await;
    let messages = eventually("the repeat", || {
        let messages = scene.slack.messages();
        (messages.len() == 2).then_some(messages)
    })
    .await;
    let marked = |i: usize| messages[i].payload.to_string().contains("may be a repeat");
    assert!(!marked(0) && marked(1));
    run.outcomes(1).await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_holds_for_each_alert_under_faults() {
    let scene = Scene::new("order").await;
    for skip in [1, 3, 4, 8] {
        let fault = if skip % 2 == 0 { Fault::DropAfter } else { status(500, None) };
        scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, fault).after(skip));
    }
    let run = scene.run().await;
    for episode in 0..2 {
        let alerts = (0..4).map(|n| firing("errors", &format!("t{n}"), AT + episode * 60_000, &["pager"]));
        let alerts: Vec<_> = alerts.collect();
        for alert in &alerts {
            run.tell(alert).await;
        }
        for alert in &alerts {
            run.tell(&resolved(alert)).await;
        }
    }
    run.outcomes(16).await;
    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 8, "one for each episode of each alert");
    for incident in &incidents {
        assert_eq!(incident.status, IncidentStatus::Resolved);
        let actions: Vec<_> = incident.history.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!((actions.first(), actions.last()), (Some(&"trigger"), Some(&"resolve")));
        assert_eq!(actions.iter().filter(|action| **action == "resolve").count(), 1);
    }
    for tenant in ["t0", "t1", "t2", "t3"] {
        let source = format!("deskstream/{tenant}");
        let episodes: Vec<_> =
            incidents.iter().filter(|i| i.source == source).map(|i| i.dedup_key.as_str()).collect();
        assert!(episodes.len() == 2 && episodes[0] < episodes[1], "{episodes:?}");
    }
    run.stop().await;
}

#[tokio::test]
async fn a_wrong_channel_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, "secret-key").unwrap();
    let complaint = |kind: &str, fields: &[(&str, &str)]| {
        let mut overrides = vec![
            ("keys.master".to_owned(), format!("file:{}", key.display())),
            ("alerts.channels.x.kind".to_owned(), kind.to_owned()),
        ];
        overrides.extend(fields.iter().map(|(k, v)| (format!("alerts.channels.x.{k}"), (*v).to_owned())));
        let config = config::load(None, &overrides).unwrap();
        delivery::check(&config.alerts).map_err(|error| error.to_string())
    };
    let file = format!("file:{}", key.display());
    let error = complaint("slack", &[("url", &file)]).unwrap_err();
    assert!(error.starts_with("alerts.channels.x.url: is no URL; give the incoming webhook's"), "{error}");
    assert!(!error.contains("secret-key"));
    let plain = [("routing_key", file.as_str()), ("url", "http://events.example.com/v2/enqueue")];
    let error = complaint("pagerduty", &plain).unwrap_err();
    assert!(error.starts_with("alerts.channels.x.url: is not https"), "{error}");
    complaint("pagerduty", &[("routing_key", file.as_str())]).unwrap();
}
