//! The job against a real Kafka broker and schema registry.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use deskstream_schemas::*;
use std::collections::BTreeMap;
use support::{Bed, Writer, read_until, start, stop};

/// The latest version of each window.
fn latest(windows: &[Window]) -> BTreeMap<String, &Window> {
    let mut latest: BTreeMap<String, &Window> = BTreeMap::new();
    for window in windows {
        let held = latest.entry(window.key()).or_insert(window);
        if held.version < window.version {
            *held = window;
        }
    }
    latest
}

fn tickets_by_day(windows: &[Window]) -> i64 {
    latest(windows).values().filter(|w| w.tenant == "acme" && w.size_s == 86400).map(|w| w.tickets).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_enriched_and_counted_exactly_once_across_restarts() {
    let bed = Bed::start().await;
    let process = bed.process("life").await;
    let writer = Writer::new(&process).await;
    let job = start(&process, 2).await;
    for ticket in 0..50 {
        writer
            .send(&writer.event(
                ticket,
                1,
                "Refund me! Write to jane.doe@example.com or card 4111 1111 1111 1111",
            ))
            .await;
    }
    let enriched = read_until::<EnrichedTicket>(&process, Topic::Enriched, |r| r.len() >= 50).await;
    for ticket in &enriched {
        assert!(!ticket.body.contains("jane.doe") && !ticket.body.contains("4111"), "{}", ticket.body);
        assert_eq!(ticket.redactions.get("EMAIL"), Some(&1));
        assert_eq!(ticket.redactions.values().sum::<i32>(), 2, "{:?}", ticket.redactions);
    }
    let windows = read_until::<Window>(&process, Topic::Windows, |w| tickets_by_day(w) == 50).await;
    let day =
        latest(&windows).into_values().find(|w| w.tenant == "acme" && w.size_s == 86400).unwrap().clone();
    assert_eq!((day.events, day.errors, day.redactions.get("EMAIL")), (50, 0, Some(&50)));
    assert_eq!(day.urgency.values().sum::<i64>(), 50);
    let commands = read_until::<Command>(&process, Topic::Commands, |c| c.len() >= 50).await;
    let ids: std::collections::BTreeSet<_> = commands.iter().map(|c| c.command_id.clone()).collect();
    assert_eq!(ids.len(), 50);
    stop(process, job).await;

    // A second life, with another number of workers: a redelivery, a correction, a new ticket.
    let process = bed.process("life").await;
    let writer = Writer::new(&process).await;
    let job = start(&process, 1).await;
    writer.send(&writer.event(0, 1, "redelivered")).await;
    writer.send(&writer.event(1, 2, "Thank you, this is wonderful, all is well now!")).await;
    writer.send(&writer.event(50, 1, "A new one")).await;
    let enriched = read_until::<EnrichedTicket>(&process, Topic::Enriched, |r| r.len() >= 53).await;
    let mut positions: Vec<_> = enriched.iter().map(|t| (t.source_partition, t.source_offset)).collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions.len(), 53, "an event was enriched twice");
    let windows = read_until::<Window>(&process, Topic::Windows, |w| {
        tickets_by_day(w) == 51
            && latest(w).values().any(|w| w.tenant == "acme" && w.size_s == 86400 && w.events == 52)
    })
    .await;
    assert!(windows.iter().all(|w| w.tickets <= 51 && w.events <= 52), "a window counted something twice");
    stop(process, job).await;
    bed.stop().await;
}

/// Agents and those in copy are named by the helpdesk; their names are masked where nothing in the text gives them away.
/// What a backfill brings is enriched as all is, and not written back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_who_takes_part_is_masked_and_the_past_is_not_written_to() {
    let bed = Bed::start().await;
    let process = bed.process("people").await;
    let writer = Writer::new(&process).await;
    let job = start(&process, 1).await;
    let people =
        [(PersonRole::Agent, "Quentilda Zobrist", None), (PersonRole::Cc, "", Some("brunho@cc.example"))];
    let content = TicketContent {
        subject: "zobrist again".into(),
        body: "it was quentilda and later brunho saw it, I want my money back now".into(),
        people: people
            .map(|(role, name, email): (_, &str, Option<&str>)| Person {
                role,
                name: Some(name.to_owned()).filter(|name| !name.is_empty()),
                email: email.map(str::to_owned),
            })
            .into(),
        ..TicketContent::default()
    };
    for (ticket, origin) in [(1, Origin::Backfill), (2, Origin::Webhook)] {
        let mut event = writer.event(ticket, 1, "");
        event.origin = origin;
        let plain = writer.contents.encode(&content).unwrap();
        event.content = process.vault.seal("acme", event.content_aad().as_bytes(), &plain).unwrap();
        writer.send(&event).await;
    }
    let enriched = read_until::<EnrichedTicket>(&process, Topic::Enriched, |r| r.len() >= 2).await;
    for ticket in &enriched {
        assert_eq!(ticket.subject, "[PERSON] again");
        assert_eq!(ticket.body, "it was [PERSON] and later [PERSON] saw it, I want my money back now");
    }
    // The later one has its command; the earlier one, of the same partition or not, has had its time.
    let commands =
        read_until::<Command>(&process, Topic::Commands, |c| c.iter().any(|c| c.ticket_id == "2")).await;
    assert!(commands.iter().all(|command| command.ticket_id != "1"), "{commands:?}");
    stop(process, job).await;
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_records_go_to_the_dead_letter_and_the_stream_goes_on() {
    let bed = Bed::start().await;
    let process = bed.process("bad").await;
    let writer = Writer::new(&process).await;
    let job = start(&process, 1).await;
    let good = writer.event(1, 1, "fine");
    let framed = writer.events.encode(&good).unwrap();

    writer.send_raw("k", b"").await;
    writer.send_raw("k", b"not avro at all").await;
    writer.send_raw("k", &[&[0, 0, 0, 0xff, 0xff], &framed[5..]].concat()).await;
    writer.send_raw("k", &framed[..framed.len() - 3]).await;
    writer.send_raw("k", &[&framed[..5], &[0xff; 40]].concat()).await;
    let mut tampered = good.clone();
    tampered.ticket_id = "2".into();
    writer.send(&tampered).await;
    let mut keyless = good.clone();
    keyless.event_id = "keyless".into();
    keyless.content.key_id = "acme/destroyed".into();
    writer.send(&keyless).await;
    let mut future = writer.event(3, 1, "from the future");
    future.occurred_at += 86_400_000;
    writer.send(&future).await;
    let mut past = writer.event(4, 1, "from the past");
    past.occurred_at = -1_000_000_000_000;
    writer.send(&past).await;
    // Avro says that it is a string; its bytes are none.
    let mut not_utf8 = framed.clone();
    let at = not_utf8.windows(4).position(|bytes| bytes == b"acme").unwrap();
    not_utf8[at] = 0xff;
    writer.send_raw("k", &not_utf8).await;
    writer.send(&writer.event(5, 1, "")).await;
    let mut mute = writer.event(7, 1, "");
    let empty = writer.contents.encode(&TicketContent::default()).unwrap();
    mute.content = process.vault.seal("acme", mute.content_aad().as_bytes(), &empty).unwrap();
    writer.send(&mute).await;
    writer.send(&writer.event(6, 1, &"ß ".repeat(2_000_000))).await;
    writer.send(&good).await;

    let enriched = read_until::<EnrichedTicket>(&process, Topic::Enriched, |r| r.len() >= 4).await;
    let notes: BTreeMap<_, _> = enriched.iter().map(|t| (t.ticket_id.clone(), t.notes.join(","))).collect();
    assert_eq!(notes["1"], "");
    assert_eq!(notes["6"], "truncated-text");
    // The subject is there: only the body is empty.
    assert_eq!(notes["5"], "");
    assert_eq!(notes["7"], "empty-text");
    let dead = read_until::<DeadLetter>(&process, Topic::DeadLetter, |d| d.len() >= 10).await;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    dead.iter().for_each(|d| *reasons.entry(d.reason.to_string()).or_default() += 1);
    let expected = [
        ("bad-avro", 3),
        ("future-time", 1),
        ("not-framed", 2),
        ("past-time", 1),
        ("tampered", 1),
        ("unknown-key", 1),
        ("unknown-schema", 1),
    ];
    assert_eq!(reasons, expected.map(|(r, n)| (r.to_owned(), n)).into());
    for letter in &dead {
        let payload =
            letter.payload.as_ref().map(|p| process.vault.open(p, letter.source.as_bytes()).unwrap());
        assert_eq!(
            payload.unwrap().len(),
            usize::try_from(letter.payload_bytes).unwrap(),
            "{}",
            letter.reason
        );
        assert!(!letter.fix.is_empty());
    }
    let windows = read_until::<Window>(&process, Topic::Windows, |w| {
        latest(w).values().any(|w| w.tenant == EVERY_TENANT && w.size_s == 3600 && w.errors == 10)
    })
    .await;
    assert!(windows.iter().any(|w| w.error_reasons.contains_key("unknown-schema")));
    stop(process, job).await;
    bed.stop().await;
}
