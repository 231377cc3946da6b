//! Redaction policies in a running job: taken in while it runs, and failing closed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use deskstream_pipeline::policy::{self, POLICY_KIND, PolicyError};
use deskstream_redact::{PiiKind, RedactConfig};
use deskstream_runtime::Process;
use deskstream_schemas::{DeadLetter, EnrichedTicket, Topic};
use std::time::{Duration, Instant};
use support::{Bed, Writer, read_until, start, stop};

const BODY: &str = "My order ORD-12345678 is lost, write to jane.doe@example.com";

/// Sends tickets until one is treated as `done` says, and returns its text.
async fn until(
    process: &Process,
    writer: &Writer,
    ticket: &mut u64,
    done: impl Fn(&EnrichedTicket) -> bool + Send + Clone + 'static,
) -> String {
    let began = Instant::now();
    loop {
        *ticket += 1;
        writer.send(&writer.event(*ticket, 1, BODY)).await;
        let id = ticket.to_string();
        let seen = read_until::<EnrichedTicket>(process, Topic::Enriched, move |tickets| {
            tickets.iter().any(|ticket| ticket.ticket_id == id)
        })
        .await;
        let last = seen.into_iter().rfind(|seen| seen.ticket_id == ticket.to_string()).unwrap();
        if done(&last) {
            return last.body;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "still {}", last.redactor);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_takes_effect_while_the_job_runs_and_a_bad_one_lets_nothing_through() {
    let bed = Bed::start().await;
    let process = bed.process("policy").await;
    let writer = Writer::new(&process).await;
    let job = start(&process, 2).await;
    let mut ticket = 0;
    let body = until(&process, &writer, &mut ticket, |_| true).await;
    assert_eq!(body, "My order ORD-12345678 is lost, write to [EMAIL]");

    // Another process sets it, as the command does.
    let admin = bed.process("policy").await;
    let text = r#"{
        "policies": {"EMAIL": "pseudonym"},
        "patterns": [{"name": "ORDER_ID", "pattern": "ORD-[0-9]{8}", "policy": "partial", "examples": ["ORD-12345678"]}]
    }"#;
    let policy: RedactConfig = serde_json::from_str(text).unwrap();
    let version = policy::store(&admin.control, &admin.vault, "acme", "test", &policy).await.unwrap();
    assert_eq!(version, 1);
    let body = until(&process, &writer, &mut ticket, |t| t.redactor.ends_with("+policy-1")).await;
    let pseudonym = policy::pseudonym_key(&admin.vault, "acme")
        .unwrap()
        .pseudonym(PiiKind::Email, "jane.doe@example.com");
    assert_eq!(body, format!("My order [CUSTOM ORDER_ID ****5678] is lost, write to [EMAIL {pseudonym}]"));

    // A policy that does not stand its own examples is not even stored.
    let mut wrong = policy.clone();
    wrong.patterns[0].examples.push("nothing".into());
    let refused = policy::store(&admin.control, &admin.vault, "acme", "test", &wrong).await.unwrap_err();
    assert!(
        matches!(refused, PolicyError::Config(_)) && refused.to_string().contains("examples[1]"),
        "{refused}"
    );

    // One that got there all the same, cut from another record, lets nothing through.
    let mut foreign = (*admin.control.get(POLICY_KIND, "acme").unwrap()).clone();
    foreign.version = 2;
    foreign.secret = Some(admin.vault.seal("acme", b"another record", b"{}").unwrap());
    admin.control.put(&foreign).await.unwrap();
    let began = Instant::now();
    let dead = loop {
        ticket += 1;
        writer.send(&writer.event(ticket, 1, BODY)).await;
        let id = format!("e-{ticket}-1");
        let (in_time, refused) = tokio::join!(
            read_until::<EnrichedTicket>(&process, Topic::Enriched, {
                let id = id.clone();
                let until = Instant::now() + Duration::from_secs(5);
                move |t| t.iter().any(|t| t.event_id == id) || Instant::now() > until
            }),
            read_until::<DeadLetter>(&process, Topic::DeadLetter, {
                let id = id.clone();
                let until = Instant::now() + Duration::from_secs(5);
                move |d| d.iter().any(|d| d.event_id.as_ref() == Some(&id)) || Instant::now() > until
            }),
        );
        let refused = refused.into_iter().find(|d| d.event_id.as_ref() == Some(&id));
        assert!(in_time.iter().any(|t| t.event_id == id) != refused.is_some(), "it went one way, not two");
        if let Some(refused) = refused {
            break refused;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the policy is still in effect");
    };
    assert_eq!(dead.reason, "policy-refused");
    assert!(dead.error.contains("acme") && dead.error.contains("version 2"), "{}", dead.error);
    let sealed = dead.payload.unwrap();
    assert!(!sealed.ciphertext.windows(8).any(|bytes| bytes == b"jane.doe"));
    assert!(process.vault.open(&sealed, dead.source.as_bytes()).is_ok(), "nothing is lost");

    admin.control.remove(POLICY_KIND, "acme").await.unwrap();
    ticket += 1;
    let body = loop {
        writer.send(&writer.event(ticket, 1, BODY)).await;
        let id = ticket.to_string();
        let until = Instant::now() + Duration::from_secs(5);
        let seen = read_until::<EnrichedTicket>(&process, Topic::Enriched, move |t| {
            t.iter().any(|t| t.ticket_id == id) || Instant::now() > until
        })
        .await;
        if let Some(last) = seen.into_iter().find(|t| t.ticket_id == ticket.to_string()) {
            break last.body;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "the policy is still refused");
        ticket += 1;
    };
    assert_eq!(body, "My order ORD-12345678 is lost, write to [EMAIL]");
    admin.shutdown.cancel();
    stop(process, job).await;
    bed.stop().await;
}
