//! Whatever the demo leaves behind anywhere holds nothing of what redaction is there to find: neither what its sample
//! tickets planted, nor a corpus of our own that comes in by every door, good and bad.
#![allow(clippy::print_stdout, reason = "what is left is told before the test fails")]

use crate::running::{PATIENCE, Running};
use crate::search::Search;
use clickhouse::Client;
use deskstream_redact::{Field, RedactConfig, Redacted, Redactor, TicketNames};
use deskstream_runtime::Process;
use deskstream_runtime::config;
use deskstream_samples::tickets::{Generator, Settings};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One value of each kind that has a form of its own, in a sentence as people write it.
const CORPUS: &[(&str, &str)] = &[
    ("write to {}", "wilhelmina.quast@leaked.example"),
    ("call me at {}", "+1 415 555 2671"),
    ("I paid by {}", "4111 1111 1111 1111"),
    ("my social security number is {}", "536-90-4399"),
    ("the refund goes to {}", "DE89 3704 0044 0532 0130 00"),
    ("my address is {}", "203.0.113.177"),
    ("or {}", "2001:db8:85a3::8a2e:370:7334"),
    ("the key is {}", "AKIAIOSFODNN7LEAKED0"),
    ("my password is {}", "Zitronenfalter-88!"),
    ("I was born on {}", "11.09.1981"),
    ("my NHS number is {}", "943 476 5919"),
    ("my national insurance number is {}", "QQ 12 34 56 C"),
    ("mi DNI es {}", "12345678Z"),
    ("my BSN is {}", "111222333"),
    ("meu CPF é {}", "529.982.247-25"),
    ("my VIN is {}", "1M8GDM9AXKP042788"),
    ("I live at {}", "4711 Quastenflosser Street, Springfield, IL 62704"),
    ("pay to {}", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    ("see https://{}@host.example/x", "quast:geheim-4711"),
];

/// The requester, who says so in the text as well.
const NAME: &str = "Wilhelmina Quastenflosser";

/// What tells of a value that it may stay: nothing of the corpus may, of the planted ones those that are everybody's.
fn values(planted: &[Value]) -> Vec<String> {
    let corpus = CORPUS.iter().map(|(_, value)| (*value).to_owned());
    let sample = planted.iter().filter_map(|planted| planted["value"].as_str()).map(str::to_owned);
    // A value of three characters is in any file of some size.
    let all: BTreeSet<String> =
        corpus.chain([NAME.to_owned()]).chain(sample).filter(|v| v.len() > 5).collect();
    all.into_iter().collect()
}

fn body() -> String {
    let told = CORPUS.iter().map(|(sentence, value)| format!("{}.\n", sentence.replace("{}", value)));
    format!("Hello,\n{}Thank you\n{NAME}\n", told.collect::<String>())
}

/// Brings the corpus in by every door that there is.
async fn bring_in(
    http: &reqwest::Client,
    demo: &Running,
    welcome: &BTreeMap<String, String>,
    samples: &Value,
) {
    for tenant in samples["tenants"].as_array().unwrap() {
        let ticket = json!({
            "subject": format!("Help for {} and {}", CORPUS[0].1, CORPUS[2].1),
            "body": body(),
            "requester_name": NAME,
            "requester_email": CORPUS[0].1,
            "tags": ["vip", CORPUS[0].1],
        });
        let url = format!("{}/__control/tickets", tenant["zendesk_url"].as_str().unwrap());
        let made = http.post(url).json(&ticket).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }
    // Requests that are refused: values in the path, in the query, in headers, in a body with a wrong signature.
    let webhooks = welcome["webhooks"].replace("{tenant}", "acme");
    let values = || CORPUS.iter().map(|(_, value)| value.replace([' ', '\n'], "-"));
    for value in values() {
        let path = welcome["webhooks"].replace("{tenant}", &value);
        for url in [path, format!("{webhooks}?q={value}")] {
            let sent = http.post(url).header("x-note", &value).header("user-agent", &value).body(body());
            let answer = sent.send().await.unwrap();
            assert!(answer.status().is_client_error(), "{answer:?}");
            assert!(!answer.text().await.unwrap().contains(&value), "an answer repeats what it was sent");
        }
    }
    for name in ["pipeline", "connectors"] {
        let base = welcome[name].split_whitespace().next().unwrap().to_owned();
        let answer = http.get(format!("{base}/{}", CORPUS[0].1)).send().await.unwrap();
        assert!(!answer.text().await.unwrap().contains(CORPUS[0].1));
    }
    // A file with good rows and bad ones.
    let field = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut rows = String::from("id,subject,description,created_at,requester_email\n");
    for (i, at) in ["2026-11-01T10:00:00Z", CORPUS[9].1, ""].iter().enumerate() {
        rows += &format!("{i},{},{},{at},{}\n", field(CORPUS[0].1), field(&body()), CORPUS[0].1);
    }
    rows += &format!("{},too,few\n", CORPUS[2].1);
    let file = demo.folder.path().parent().unwrap().join(format!("import-{}.csv", std::process::id()));
    fs::write(&file, rows).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(["import", "--tenant", "acme"])
        .arg(&file)
        .env("DESKSTREAM_CONFIG", demo.path("deskstream.toml"))
        .output()
        .unwrap();
    fs::remove_file(&file).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(
        Search::new(&CORPUS.iter().map(|(_, value)| *value).collect::<Vec<_>>()).found(said.as_bytes()),
        BTreeSet::new(),
        "{said}"
    );
    assert!(said.contains("refused"), "{said}");
}

async fn until(client: &Client, sql: &str, enough: impl Fn(u64) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client.query(sql).fetch_one::<u64>().await;
        if answer.as_ref().is_ok_and(|answer| enough(*answer)) {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_personal_value_is_left_in_any_topic_table_log_metric_answer_message_or_note() {
    deskstream_runtime::install_crypto_provider();
    let mut demo = Running::start("4");
    let welcome = demo.welcome().await;
    let config = config::load(Some(&demo.path("deskstream.toml")), &Vec::new()).unwrap();
    let password = config.clickhouse.password.as_ref().map(|p| p.expose().expose_secret().to_owned());
    let client = Client::default()
        .with_url(config.clickhouse.url.as_str())
        .with_user(&config.clickhouse.user)
        .with_password(password.unwrap_or_default())
        .with_database(&config.clickhouse.database);
    let samples: Value =
        serde_json::from_str(&fs::read_to_string(demo.path("samples.json")).unwrap()).unwrap();
    let http = reqwest::Client::new();
    bring_in(&http, &demo, &welcome, &samples).await;

    // Two tickets and a row of the file, and enough of the sample's own.
    let ours = "SELECT count() FROM ticket_events WHERE body LIKE '%my password is [SECRET]%'";
    until(&client, ours, |rows| rows >= 3).await;
    until(&client, "SELECT count() FROM ticket_events", |rows| rows > 150).await;
    until(&client, "SELECT count() FROM dead_letters", |rows| rows > 0).await;
    until(&client, "SELECT count() FROM alerts", |rows| rows > 0).await;
    let control = samples["control_url"].as_str().unwrap();
    let stop =
        http.post(format!("{control}/__control/traffic")).json(&json!({"rate": 0.0})).send().await.unwrap();
    assert!(stop.status().is_success());
    until(&client, "SELECT count() FROM outcomes WHERE kind = 'write_back' AND result = 'applied'", |rows| {
        rows > 20
    })
    .await;

    let mut planted = Vec::new();
    for tenant in samples["tenants"].as_array().unwrap() {
        let url = format!("{}/__control/planted", tenant["zendesk_url"].as_str().unwrap());
        planted.extend(http.get(url).send().await.unwrap().json::<Vec<Value>>().await.unwrap());
    }
    let values = values(&planted);
    assert!(values.len() > CORPUS.len() + 50, "{}", values.len());
    let search = Search::new(&values.iter().map(String::as_str).collect::<Vec<_>>());
    let mut hits = Vec::new();

    let process = Process::start(Arc::new(config), CancellationToken::new()).await.unwrap();
    let records = search.in_topics(&process, &mut hits);
    process.shutdown.cancel();
    let tables = search.in_tables(&client, &mut hits).await;
    // What came to the people who are told.
    let urls = [("slack_control_url", "messages"), ("pagerduty_control_url", "incidents")];
    for (base, what) in urls {
        let url = format!("{}/__control/{what}", samples[base].as_str().unwrap());
        let told = http.get(url).send().await.unwrap().text().await.unwrap();
        hits.extend(search.found(told.as_bytes()).iter().map(|value| format!("{value} in {what}")));
    }
    for name in ["pipeline", "connectors"] {
        let metrics = welcome[name].split_whitespace().next().unwrap();
        for url in [metrics.to_owned(), metrics.replace("/metrics", "/readyz")] {
            let page = http.get(&url).send().await.unwrap().text().await.unwrap();
            hits.extend(search.found(page.as_bytes()).iter().map(|value| format!("{value} in {url}")));
        }
    }
    hits.extend(in_notes(&http, &samples, &search).await);
    let folder = demo.folder.path().to_owned();
    let files = search.in_files(&folder, &mut hits);
    // The search finds what is there.
    let planted_file = folder.join("logs/planted.log");
    fs::write(&planted_file, format!("oops {}", CORPUS[3].1)).unwrap();
    let mut seen = Vec::new();
    search.in_files(&folder, &mut seen);
    assert!(seen.iter().any(|hit| hit.contains("planted.log")));

    demo.interrupt();
    assert!(records > 500 && tables > 5 && files > 50, "{records} records, {tables} tables, {files} files");
    // A webhook does not say who the requester is, so that the name below a text is found by its form alone.
    let names: BTreeSet<&str> = planted
        .iter()
        .filter(|planted| planted["kind"] == "person_name")
        .filter_map(|planted| planted["value"].as_str())
        .collect();
    let (missed, hits): (Vec<_>, Vec<_>) =
        hits.into_iter().partition(|hit| names.iter().any(|name| hit.starts_with(&format!("{name} in "))));
    let missed: BTreeSet<_> = missed.iter().filter_map(|hit| hit.split(" in ").next()).collect();
    assert!(missed.len() * 20 <= names.len(), "of {} names there are left: {missed:?}", names.len());
    assert!(hits.is_empty(), "{} of {} values leaked:\n{}", hits.len(), values.len(), hits.join("\n"));
}

/// What was written back: private notes and tags on the tickets of the sample helpdesks.
async fn in_notes(http: &reqwest::Client, samples: &Value, search: &Search) -> Vec<String> {
    let (mut hits, mut notes) = (Vec::new(), 0);
    for tenant in samples["tenants"].as_array().unwrap() {
        let base = tenant["zendesk_url"].as_str().unwrap();
        for id in 1.. {
            let answer = http.get(format!("{base}/__control/tickets/{id}")).send().await.unwrap();
            if !answer.status().is_success() {
                break;
            }
            let ticket: Value = answer.json().await.unwrap();
            let ours = ticket["comments"].as_array().unwrap().iter().filter(|c| c["public"] == false);
            for note in ours {
                notes += 1;
                let text = note.to_string();
                hits.extend(
                    search.found(text.as_bytes()).iter().map(|value| format!("{value} in a note on {id}")),
                );
            }
        }
    }
    assert!(notes > 0, "no note was found");
    hits
}

/// Many more tickets than a demo has time for, redacted as the pipeline redacts them.
#[test]
fn what_the_sample_tickets_plant_is_found_in_all_of_their_languages() {
    const TICKETS: usize = 8_000;
    let settings = Settings { pii_share: 1.0, english_share: 0.4, careless_share: 0.35 };
    let mut generator = Generator::with_settings(11, settings);
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let (mut names, mut out) = (TicketNames::default(), Redacted::default());
    let (mut planted, mut left) = (0, BTreeMap::<_, Vec<String>>::new());
    for _ in 0..TICKETS {
        let ticket = generator.next_ticket();
        names.clear();
        names.add_name(&ticket.requester.name);
        names.add_email(&ticket.requester.email);
        redactor.redact_field(Field::Body, &ticket.body, &mut names, &mut out);
        let body = std::mem::take(&mut out.text);
        redactor.redact_field(Field::Subject, &ticket.subject, &mut names, &mut out);
        for value in &ticket.planted {
            planted += 1;
            if body.contains(&value.value) || out.text.contains(&value.value) {
                let text = if body.contains(&value.value) { &ticket.body } else { &ticket.subject };
                let at = text.find(&value.value).unwrap_or_default();
                let from = text.floor_char_boundary(at.saturating_sub(70));
                left.entry(value.kind)
                    .or_default()
                    .push(text[from..at + value.value.len()].replace('\n', " "));
            }
        }
    }
    assert!(planted > TICKETS, "{planted}");
    for (kind, lines) in &left {
        println!(
            "{kind:?}: {} left, for instance\n  {}",
            lines.len(),
            lines[..lines.len().min(40)].join("\n  ")
        );
    }
    assert!(left.is_empty(), "of {planted} values");
}
