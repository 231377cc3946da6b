//! What each stage of `enrich` allocates for a ticket of about 1 KiB. `make bench` prints it; here it may not grow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are what the bench is run for")]

mod support;

use deskstream_analyze::{Analyzer, Scratch};
use deskstream_pipeline::RawRecord;
use deskstream_pipeline::enrich::{BatchTally, Enricher, Limits, Redactors, Shared};
use deskstream_pipeline::models::Models;
use deskstream_redact::{RedactConfig, Redacted, Redactor};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::*;
use std::hint::black_box;
use std::sync::Arc;
use support::Bed;

const BODY: &str = "Hello, I ordered a pair of boots on Monday and the tracking page has not moved since. My account \
    shows two charges of 49.90 for the same order, please return one of them. You reach me at jane.roe@example.com \
    or by phone at +1 212 555 0147 until six. ";

fn event() -> TicketEvent {
    let now = now_ms();
    TicketEvent {
        event_id: "e-1".into(),
        tenant: "acme".into(),
        platform: Platform::Zendesk,
        ticket_id: "1".into(),
        kind: EventKind::Created,
        origin: Origin::Webhook,
        occurred_at: now,
        received_at: now,
        created_at: now,
        version: now,
        status: TicketStatus::New,
        priority: None,
        ticket_type: None,
        channel: Some("email".into()),
        requester_ref: Some("4711".into()),
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        content: Sealed { key_id: String::new(), nonce: vec![], ciphertext: vec![] },
    }
}

/// Runs it once to let buffers grow, then counts.
fn count(stage: &str, most: u64, mut run: impl FnMut()) {
    run();
    let counted = allocation_counter::measure(&mut run);
    println!("{stage:<28}{:>6} allocations{:>9} bytes", counted.count_total, counted.bytes_total);
    assert!(counted.count_total <= most, "{stage}: {} allocations, {most} are allowed", counted.count_total);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_allocates_little() {
    let bed = Bed::start().await;
    let process = bed.process("allocations").await;
    process.control.ensure_data_key("acme", "test").await.unwrap();
    let content =
        TicketContent { subject: "Charged twice".into(), body: BODY.repeat(4), ..TicketContent::default() };
    let plain = Encoder::<TicketContent>::new(&process.ids).encode(&content).unwrap();
    let mut event = event();
    event.content = process.vault.seal("acme", event.content_aad().as_bytes(), &plain).unwrap();
    let framed = Encoder::<TicketEvent>::new(&process.ids).encode(&event).unwrap();

    let events: Decoder<TicketEvent> = Decoder::new(Arc::clone(&process.registry));
    let contents: Decoder<TicketContent> = Decoder::new(Arc::clone(&process.registry));
    while events.decode(&framed).is_err() || contents.decode(&plain).is_err() {
        tokio::task::yield_now().await;
    }
    count("decode event", 10, || drop(black_box(events.decode(&framed))));
    count("decrypt and decode content", 8, || {
        let plain = process.vault.open(&event.content, event.content_aad().as_bytes()).unwrap();
        drop(black_box(contents.decode(&plain)));
    });
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut redacted = Redacted::default();
    count("redact", 0, || redactor.redact(black_box(&content.body), &mut redacted));
    let (analyzer, mut scratch) = (Analyzer::shipped().unwrap(), Scratch::default());
    count("analyze", 1, || {
        drop(black_box(analyzer.analyze(&content.subject, &redacted.text, &mut scratch)));
    });

    let limits =
        Limits { max_text_bytes: 262_144, future_ms: 600_000, past_ms: i64::MAX / 4, key_patience_ms: 0 };
    let redactors = Redactors::follow(&process, true).unwrap();
    let mut enricher =
        Enricher::new(Arc::new(Shared::new(&process, redactors, Arc::new(Models::new(analyzer)), limits)));
    let record = RawRecord { offset: 0, timestamp: 0, payload: Some(framed) };
    let (mut out, mut tally) = (Vec::new(), BatchTally::default());
    while out.is_empty() {
        enricher.step(0, &record, now_ms(), &mut tally, &mut out);
        tokio::task::yield_now().await;
    }
    let tickets: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
    let enriched = loop {
        if let Ok(enriched) = tickets.decode(&out[0].payload) {
            break enriched;
        }
        tokio::task::yield_now().await;
    };
    let encoder: Encoder<EnrichedTicket> = Encoder::new(&process.ids);
    let mut buffer = Vec::new();
    count("encode enriched", 0, || {
        buffer.clear();
        encoder.encode_into(&enriched, &mut buffer).unwrap();
    });
    count("enrich, all of it", 36, || {
        out.clear();
        enricher.step(0, &record, now_ms(), &mut tally, &mut out);
    });
    count("decode enriched", 40, || drop(black_box(tickets.decode(&out[0].payload))));
    process.shutdown.cancel();
    bed.stop().await;
}
