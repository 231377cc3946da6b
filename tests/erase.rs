//! Nothing personal lies anywhere in clear, and what is erased opens nowhere any more.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;
#[path = "../runtime/tests/transit/real.rs"]
mod real;
#[path = "support/search.rs"]
mod search;
#[path = "../runtime/tests/transit/server.rs"]
mod server;

use bed::{Bed, event};
use deskstream_connectors::clickhouse::MIGRATIONS;
use deskstream_connectors::kafka::EventSink;
use deskstream_runtime::seal::{MasterKey, OpenError};
use deskstream_schemas::{Decoder, TicketContent, TicketEvent, Topic};
use search::Search;
use secrecy::ExposeSecret;
use server::Server;
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

/// Who is erased: the helpdesk's id, and another who is known by the address alone.
const REQUESTER: &str = "requester-4711-q";
const ADDRESS: &str = CORPUS[0].1;

fn search() -> Search {
    Search::new(&CORPUS.iter().map(|(_, value)| *value).chain(NEVER_ON).collect::<Vec<_>>())
}

/// A ticket with the whole corpus in each of its texts.
fn content() -> TicketContent {
    let all = CORPUS.iter().map(|(kind, value)| format!("my {kind} is {value}. ")).collect::<String>();
    TicketContent {
        subject: format!("Help: {all}"),
        body: format!("Hello,\n{all}\nPlease help."),
        tags: vec![ADDRESS.into()],
        requester_name: Some(NEVER_ON[0].into()),
        requester_email: Some(ADDRESS.into()),
        external_id: Some(NEVER_ON[1].into()),
        fields: [("serial".to_owned(), NEVER_ON[1].to_owned())].into(),
        ..TicketContent::default()
    }
}

async fn send(bed: &Bed, tenant: &str, number: usize, requester: Option<&str>) {
    let requester_ref = requester.map(str::to_owned);
    let event = TicketEvent { tenant: tenant.into(), requester_ref, ..event(number) };
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

/// Erases and gives what was done; the answer names nobody.
fn erase(bed: &Bed, more: &[&str]) -> serde_json::Value {
    let (ok, said) = deskstream(bed, &[&["erase", "--json", "--tenant", "acme"], more].concat());
    assert!(ok && !said.contains(REQUESTER) && !said.contains(ADDRESS), "{said}");
    serde_json::from_str(&said).unwrap()
}

async fn assert_clean(bed: &Bed) {
    let (search, mut hits) = (search(), Vec::new());
    let records = search.in_topics(&bed.process, &mut hits);
    let tables = search.in_tables(&bed.client, &mut hits).await;
    // Kafka's segments, ClickHouse's parts and every process's log.
    let files = search.in_files(bed.folder.path(), &mut hits);
    assert!(records > 10 && tables > 5 && files > 50, "{records} records, {tables} tables, {files} files");
    assert!(hits.is_empty(), "{hits:#?}");
}

/// Files of ClickHouse that hold a value.
fn files_with(bed: &Bed, value: &str) -> Vec<String> {
    let mut hits = Vec::new();
    Search::new(&[value]).in_files(&bed.folder.path().join("platform"), &mut hits);
    hits.retain(|hit| hit.contains("clickhouse"));
    hits
}

/// How many events of whom open, and how many were destroyed.
fn opened(bed: &Bed, of: impl Fn(&TicketEvent) -> bool) -> (usize, usize) {
    let decoder: Decoder<TicketEvent> = Decoder::new(Arc::clone(&bed.process.registry));
    let (mut open, mut gone) = (0, 0);
    for (_, payload) in search::records(&bed.process, Topic::Events) {
        let event = decoder.decode(&payload).unwrap();
        if of(&event) {
            match bed.process.vault.open(&event.content, event.content_aad().as_bytes()) {
                Ok(_) => open += 1,
                Err(OpenError::Destroyed(_)) => gone += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    (open, gone)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_left_in_clear_and_who_is_erased_is_gone() {
    // On disk, below the folder that is searched.
    let bed = Bed::start_with("", |options| options.ephemeral = false).await;
    EventSink::ready_tenant(&bed.process, "other", "test").await.unwrap();
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run"]);
    let migrations = u64::try_from(MIGRATIONS.len()).unwrap();
    bed.wait_for_answer("SELECT uniqExact(version) FROM schema_migrations", migrations).await;
    // Outdated parts go after a second rather than eight minutes, and the cleaner looks every second.
    for table in [
        "ticket_events",
        "tickets",
        "outcomes",
        "dead_letters",
        "opinions",
        "judgements",
        "reviews",
        "windows",
        "quality",
        "drift",
        "alerts",
    ] {
        let sql = format!(
            "ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 1, cleanup_delay_period = 1, \
             max_cleanup_delay_period = 1, cleanup_delay_period_random_add = 0"
        );
        bed.client.query(&sql).execute().await.unwrap();
    }
    for number in 0..4 {
        send(&bed, "acme", number, Some(REQUESTER)).await;
    }
    // Known by the address only, also where that is given as the reference; and others.
    send(&bed, "acme", 4, None).await;
    send(&bed, "acme", 6, Some(ADDRESS)).await;
    send(&bed, "acme", 8, Some("42")).await;
    send(&bed, "other", 0, None).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events", 8).await;
    assert_clean(&bed).await;

    // The search finds what is there: a value in a file, a topic and a table each.
    let mut hits = Vec::new();
    let planted = bed.folder.path().join("planted.log");
    std::fs::write(&planted, format!("oops {ADDRESS}")).unwrap();
    search().in_files(bed.folder.path(), &mut hits);
    let there = Search::new(&["event-8"]);
    there.in_topics(&bed.process, &mut hits);
    there.in_tables(&bed.client, &mut hits).await;
    for place in ["planted.log", "topic enriched", "rows of ticket_events"] {
        assert!(hits.iter().any(|hit| hit.contains(place)), "{place}: {hits:?}");
    }
    assert!(!files_with(&bed, REQUESTER).is_empty(), "ClickHouse's files can't be searched for it");
    std::fs::remove_file(planted).unwrap();

    // Two more of the requester's events lie on the topic, unread, when the erasure comes.
    run.stop();
    for number in 10..12 {
        send(&bed, "acme", number, Some(REQUESTER)).await;
    }
    let counted = erase(&bed, &["--requester", REQUESTER, "--dry-run"]);
    assert_eq!((&counted["keys"], &counted["rows"]["ticket_events"]), (&1.into(), &4.into()), "{counted}");
    assert_eq!(opened(&bed, |event| event.requester_ref.as_deref() == Some(REQUESTER)), (6, 0));
    let erased = erase(&bed, &["--requester", REQUESTER]);
    assert_eq!((&erased["tickets"], &erased["rows"]["ticket_events"]), (&2.into(), &4.into()), "{erased}");
    bed.wait_for_answer("SELECT count() FROM audit_trail WHERE action = 'erase.requester'", 1).await;
    let named = format!("SELECT count() FROM audit_trail WHERE resource LIKE '%{REQUESTER}%'");
    bed.wait_for_answer(&named, 0).await;
    // No row, and no file.
    let rows = format!("SELECT count() FROM ticket_events WHERE requester_ref = '{REQUESTER}'");
    bed.wait_for_answer(&rows, 0).await;
    let left = files_with(&bed, REQUESTER);
    assert!(left.is_empty(), "{left:?}");
    let is_erased = |event: &TicketEvent| event.requester_ref.as_deref() == Some(REQUESTER);
    assert_eq!(opened(&bed, is_erased), (0, 6));
    assert_eq!(opened(&bed, |event| !is_erased(event)), (4, 0));

    // Who is known by an address is found by it, though no row holds it.
    let erased = erase(&bed, &["--requester", &ADDRESS.to_uppercase()]);
    assert_eq!((&erased["keys"], &erased["rows"]["ticket_events"]), (&1.into(), &2.into()), "{erased}");
    bed.wait_for_answer("SELECT count() FROM ticket_events WHERE tenant = 'acme'", 1).await;

    // The stream goes on: the unread events are refused at once, new ones come through, of the same requester too.
    let mut run = bed.service("run-again", &["run"]);
    send(&bed, "acme", 12, Some("42")).await;
    send(&bed, "acme", 14, Some(REQUESTER)).await;
    bed.wait_for_answer("SELECT count() FROM ticket_events", 4).await;
    let refused = "SELECT count() FROM dead_letters WHERE reason IN ('erased', 'unknown-key')";
    bed.wait_for_answer(refused, 2).await;
    let again = erase(&bed, &["--requester", REQUESTER]);
    assert_eq!((&again["keys"], &again["rows"]["ticket_events"]), (&1.into(), &1.into()), "{again}");
    let again = erase(&bed, &["--requester", REQUESTER]);
    assert_eq!((&again["keys"], &again["rows"]["ticket_events"]), (&0.into(), &0.into()), "{again}");

    // At last the tenant: all of its keys, rows and files, and nothing of the other's.
    let erased = erase(&bed, &["--whole-tenant"]);
    assert_eq!(erased["rows"]["ticket_events"], 2, "{erased}");
    assert_eq!(opened(&bed, |event| event.tenant == "acme").0, 0);
    assert_eq!(opened(&bed, |event| event.tenant == "other"), (1, 0));
    for table in ["ticket_events", "tickets", "dead_letters"] {
        bed.wait_for_answer(&format!("SELECT count() FROM {table} WHERE tenant = 'acme'"), 0).await;
    }
    let left = files_with(&bed, "event-8");
    assert!(left.is_empty(), "{left:?}");
    let refused = bed.sink.send(TicketEvent { ..event(16) }, &content()).await;
    assert!(refused.is_err(), "an erased tenant's events are taken");
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
    let before = bed.process.vault.active_key("acme").unwrap();
    let (ok, said) = deskstream(&bed, &["keys", "rotate", "--tenant", "acme"]);
    assert!(ok && said.contains("seals from now on"), "{said}");
    bed.wait_for_enriched(traffic.sent() + 50, &["run"]);
    assert_ne!(bed.process.vault.active_key("acme"), Some(before));

    // A new master key, of which the running processes know nothing: they keep what they have unwrapped.
    let path = bed.folder.path();
    let old = std::fs::read_to_string(path.join("master")).unwrap();
    std::fs::write(path.join("master-old"), old).unwrap();
    std::fs::write(path.join("master"), MasterKey::generate().expose_secret()).unwrap();
    // Nothing begins with a master key that can't unwrap what is there: no key is made beside it, no event refused.
    for command in [&["keys", "rewrap"][..], &["run"], &["keys", "rotate", "--tenant", "acme"]] {
        let (ok, said) = deskstream(&bed, command);
        assert!(
            !ok && said.contains("keys.older") && said.contains("wrapped by master-"),
            "{command:?}: {said}"
        );
    }
    let config = std::fs::read_to_string(path.join("deskstream.toml")).unwrap();
    let older = format!("[keys]\nolder = [\"file:{}\"]\n", path.join("master-old").display());
    std::fs::write(path.join("deskstream.toml"), config.replace("[keys]\n", &older)).unwrap();
    let (ok, said) = deskstream(&bed, &["keys", "rewrap"]);
    assert!(ok && said.contains("data keys rewrapped by master-"), "{said}");
    bed.wait_for_enriched(traffic.sent() + 50, &["run"]);

    // Started again with the new master key alone, they go on.
    std::fs::write(path.join("deskstream.toml"), &config).unwrap();
    let (ok, said) = deskstream(&bed, &["keys", "list"]);
    assert!(ok && said.lines().count() >= 3, "{said}");
    run.stop();
    let mut run = bed.service("run-again", &["run"]);
    bed.wait_for_enriched(traffic.sent() + 50, &["run-again"]);

    // From the master key into Vault, where there is one (`scripts/openbao.sh`). It has a runtime of its own.
    let vault = std::thread::spawn(real::Real::start).join().unwrap();
    if let Some(vault) = vault {
        let token = path.join("vault-token");
        std::fs::write(&token, vault.token()).unwrap();
        let section = format!(
            "{config}[keys.vault]\naddress = {:?}\ntoken = \"file:{}\"\nkey = \"deskstream\"\n",
            vault.address(),
            token.display()
        );
        let config = section.replace("[keys]\n", "[keys]\nkms = \"vault\"\n");
        let older = format!("[keys]\nolder = [\"file:{}\"]\n", path.join("master").display());
        std::fs::write(path.join("deskstream.toml"), config.replace("[keys]\n", &older)).unwrap();
        let (ok, said) = deskstream(&bed, &["keys", "rewrap"]);
        assert!(ok && said.contains("data keys rewrapped by vault:transit/deskstream:v1"), "{said}");
        std::fs::write(path.join("deskstream.toml"), config).unwrap();
        run.stop();
        run = bed.service("run-vault", &["run"]);
        bed.wait_for_enriched(traffic.sent() + 50, &["run-vault"]);
        // Away: what runs goes on, what starts says so.
        std::thread::spawn(move || drop(vault)).join().unwrap();
        bed.wait_for_enriched(traffic.sent() + 50, &["run-vault"]);
        let (ok, said) = deskstream(&bed, &["keys", "list"]);
        assert!(!ok && said.contains("can't reach Vault"), "{said}");
    }
    let sent = traffic.stop().await;
    bed.assert_each_exactly_once(sent).await;
    run.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
}
