//! Nothing personal lies anywhere in clear, and what is erased opens nowhere any more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;
#[path = "support/search.rs"]
mod search;

use bed::{Bed, event};
use deskstream_runtime::seal::{MasterKey, OpenError};
use deskstream_schemas::{Decoder, TicketContent, TicketEvent, Topic};
use secrecy::ExposeSecret;
use std::process::Command;
use std::sync::Arc;

/// What no topic, table, file or log may hold in clear, by kind. Grows with the detectors.
const CORPUS: &[(&str, &str)] = &[
    ("email", "wilhelmina.quast@erased.example"),
    ("phone", "+1 415 555 2671"),
    ("payment card", "4111 1111 1111 1111"),
    ("ssn", "536-90-4399"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("ipv4", "203.0.113.77"),
    ("aws key", "AKIAIOSFODNN7EXAMPLE"),
];

/// Only ever in fields that are not processed further, so that no detector has to know it.
const NEVER_ON: [&str; 2] = ["Wilhelmina Quastenflosser", "custom-field-8842-value"];

fn values() -> Vec<&'static str> {
    CORPUS.iter().map(|(_, value)| *value).chain(NEVER_ON).collect()
}

/// A ticket with the whole corpus in each of its texts.
fn content() -> TicketContent {
    let all = CORPUS.iter().map(|(kind, value)| format!("my {kind} is {value}. ")).collect::<String>();
    TicketContent {
        subject: format!("Help: {all}"),
        body: format!("Hello,\n{all}\nPlease help."),
        tags: vec![CORPUS[0].1.into()],
        requester_name: Some(NEVER_ON[0].into()),
        requester_email: Some(CORPUS[0].1.into()),
        external_id: Some(NEVER_ON[1].into()),
        fields: [("serial".to_owned(), NEVER_ON[1].to_owned())].into(),
        ..TicketContent::default()
    }
}

async fn send(bed: &Bed, number: usize, requester: Option<&str>) {
    let event = TicketEvent { requester_ref: requester.map(str::to_owned), ..event(number) };
    bed.sink.send(event, &content()).await.unwrap();
}

fn deskstream(bed: &Bed, args: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(args)
        .env("DESKSTREAM_CONFIG", bed.folder.path().join("deskstream.toml"))
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), text)
}

async fn assert_clean(bed: &Bed) {
    let mut hits = Vec::new();
    let records = search::in_topics(bed, &values(), &mut hits);
    let tables = search::in_tables(bed, &values(), &mut hits).await;
    // Kafka's segments, ClickHouse's parts and every process's log.
    let files = search::in_files(bed.folder.path(), &values(), &mut hits);
    assert!(records > 10 && tables > 5 && files > 50, "{records} records, {tables} tables, {files} files");
    assert!(hits.is_empty(), "{hits:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_in_clear_and_an_erased_requester_is_gone() {
    // On disk, below the folder that is searched.
    let bed = Bed::start_with("", |options| options.ephemeral = false).await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run"]);
    for number in 0..4 {
        send(&bed, number, Some("4711")).await;
    }
    // An event whose requester is known by the address only, also as its reference, as files have them.
    send(&bed, 4, None).await;
    send(&bed, 6, Some(CORPUS[0].1)).await;
    send(&bed, 8, Some("42")).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events", 7).await;
    assert_clean(&bed).await;

    // The search finds what is there: a value in a file, a topic and a table each.
    let mut hits = Vec::new();
    let planted = bed.folder.path().join("planted.log");
    std::fs::write(&planted, format!("oops {}", CORPUS[0].1)).unwrap();
    search::in_files(bed.folder.path(), &[CORPUS[0].1], &mut hits);
    search::in_topics(&bed, &["event-8"], &mut hits);
    search::in_tables(&bed, &["event-8"], &mut hits).await;
    for place in ["planted.log", "topic enriched", "rows of ticket_events"] {
        assert!(hits.iter().any(|hit| hit.contains(place)), "{place}: {hits:?}");
    }
    std::fs::remove_file(planted).unwrap();

    // Two more of the requester's events lie on the topic, unread, when the erasure comes.
    run.stop();
    for number in 10..12 {
        send(&bed, number, Some("4711")).await;
    }
    let erase = ["erase", "--tenant", "acme", "--requester", "4711"];
    let (ok, counted) = deskstream(&bed, &[&erase[..], &["--dry-run"]].concat());
    assert!(ok && counted.contains("\"keys\": 1") && counted.contains("\"ticket_events\": 4"), "{counted}");
    let (ok, erased) = deskstream(&bed, &erase);
    assert!(ok && erased.contains("\"tickets\": 2") && erased.contains("\"ticket_events\": 4"), "{erased}");
    assert!(!erased.contains("4711"), "{erased}");
    for table in ["ticket_events", "tickets"] {
        let sql = format!("SELECT count() FROM {table} WHERE requester_ref = '4711'");
        bed.wait_for_answer(&sql, 0).await;
    }
    bed.wait_for_answer("SELECT count() FROM audit WHERE action = 'erase.requester'", 1).await;
    bed.wait_for_answer("SELECT count() FROM audit WHERE resource LIKE '%4711%'", 0).await;

    // What is sealed lies there and does not open; others' still does.
    let decoder: Decoder<TicketEvent> = Decoder::new(Arc::clone(&bed.process.registry));
    let (mut gone, mut there) = (0, 0);
    for (_, payload) in search::records(&bed, Topic::Events) {
        let event = decoder.decode(&payload).unwrap();
        let opened = bed.process.vault.open(&event.content, event.content_aad().as_bytes());
        match event.requester_ref.as_deref() {
            Some("4711") => gone += usize::from(matches!(opened, Err(OpenError::Destroyed(_)))),
            _ => there += usize::from(opened.is_ok()),
        }
    }
    assert_eq!((gone, there), (6, 3));

    // The stream goes on: the unread events are refused at once, new ones come through, of the same requester too.
    let mut run = bed.service("run-again", &["run"]);
    send(&bed, 12, Some("42")).await;
    send(&bed, 14, Some("4711")).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events", 5).await;
    let refused = "SELECT count() FROM dead_letters WHERE reason IN ('erased', 'unknown-key')";
    bed.wait_for_answer(refused, 2).await;
    let (ok, again) = deskstream(&bed, &erase);
    assert!(ok && again.contains("\"keys\": 1") && again.contains("\"ticket_events\": 1"), "{again}");
    let (ok, again) = deskstream(&bed, &erase);
    assert!(ok && again.contains("\"keys\": 0") && again.contains("\"ticket_events\": 0"), "{again}");
    assert_clean(&bed).await;
    run.stop();
    connect.stop();
    bed.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_and_every_event_still_opens() {
    let bed = Arc::new(Bed::start("").await);
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run"]);
    let traffic = bed::Traffic::start(&bed, 0);
    bed.wait_for_enriched(50, &["run"]);
    let (ok, said) = deskstream(&bed, &["keys", "rotate", "--tenant", "acme"]);
    assert!(ok && said.contains("seals from now on"), "{said}");
    bed.wait_for_enriched(traffic.sent() + 50, &["run"]);

    // A new master key, of which the running processes know nothing: they keep what they have unwrapped.
    let path = bed.folder.path();
    let old = std::fs::read_to_string(path.join("master")).unwrap();
    std::fs::write(path.join("master-old"), old).unwrap();
    std::fs::write(path.join("master"), MasterKey::generate().expose_secret()).unwrap();
    let (ok, said) = deskstream(&bed, &["keys", "rotate-master"]);
    assert!(!ok && said.contains("keys.older"), "{said}");
    let older = format!("keys.older=[\"file:{}\"]", path.join("master-old").display());
    let (ok, said) = deskstream(&bed, &["keys", "--set", &older, "rotate-master"]);
    assert!(ok && said.contains("data keys rewrapped by master-"), "{said}");
    bed.wait_for_enriched(traffic.sent() + 50, &["run"]);

    // Started again with the new master key alone, they go on.
    run.stop();
    let mut run = bed.service("run-again", &["run"]);
    bed.wait_for_enriched(traffic.sent() + 50, &["run-again"]);
    let sent = traffic.stop().await;
    bed.assert_each_exactly_once(sent).await;
    run.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
}
