//! Each step of `enrich` alone, on one core.

use super::throughput::{event, tickets};
use crate::commands::demo::setup::Setup;
use deskstream_analyze::{Analyzer, Scratch};
use deskstream_connectors::kafka::EventSink;
use deskstream_pipeline::RawRecord;
use deskstream_pipeline::enrich::{BatchTally, Enricher, Limits, Redactors, Shared};
use deskstream_pipeline::models::Models;
use deskstream_redact::{RedactConfig, Redacted, Redactor};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Decoder, Encoder, EnrichedTicket, TicketContent, TicketEvent};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const TICKETS: usize = 2000;
const ROUNDS: usize = 5;

/// Nanoseconds per event of each stage, best of some rounds.
pub async fn measure(setup: &Setup) -> anyhow::Result<Value> {
    setup.configure_bare()?;
    let process = super::client(setup).await?;
    EventSink::ready_tenant(&process, "acme", "bench").await?;
    let contents = tickets(TICKETS);
    let (event_encoder, content_encoder) =
        (Encoder::<TicketEvent>::new(&process.ids), Encoder::<TicketContent>::new(&process.ids));
    let mut events = Vec::new();
    for (number, content) in contents.iter().enumerate() {
        let mut event = event(number, now_ms());
        event.content =
            process.vault.seal("acme", event.content_aad().as_bytes(), &content_encoder.encode(content)?)?;
        events.push(event);
    }
    let framed = events.iter().map(|e| event_encoder.encode(e)).collect::<Result<Vec<_>, _>>()?;
    let decoder: Decoder<TicketEvent> = Decoder::new(Arc::clone(&process.registry));
    let content_decoder: Decoder<TicketContent> = Decoder::new(Arc::clone(&process.registry));
    let redactor = Redactor::new(&RedactConfig::default())?;
    let analyzer = Analyzer::shipped()?;
    let (mut redacted, mut scratch) = (Redacted::default(), Scratch::default());
    let bytes: usize = contents.iter().map(|c| c.subject.len() + c.body.len()).sum();

    let decode = best(|| framed.iter().for_each(|f| drop(black_box(decoder.decode(f)))));
    let open = best(|| {
        for event in &events {
            let plain =
                process.vault.open(&event.content, event.content_aad().as_bytes()).unwrap_or_default();
            drop(black_box(content_decoder.decode(&plain)));
        }
    });
    let redact = best(|| {
        for content in &contents {
            redactor.redact(&content.subject, &mut redacted);
            redactor.redact(&content.body, &mut redacted);
            black_box(&redacted.text);
        }
    });
    let analyze = best(|| {
        for content in &contents {
            drop(black_box(analyzer.analyze(&content.subject, &content.body, &mut scratch)));
        }
    });

    let limits =
        Limits { max_text_bytes: 262_144, future_ms: 600_000, past_ms: i64::MAX / 4, key_patience_ms: 0 };
    let redactors = Redactors::follow(&process, true)?;
    let models = Arc::new(Models::new(Analyzer::shipped()?));
    let shared = Arc::new(Shared::new(&process, redactors, models, limits));
    let mut enricher = Enricher::new(shared);
    let records: Vec<RawRecord> = (0..)
        .zip(&framed)
        .map(|(offset, f)| RawRecord { offset, timestamp: 0, payload: Some(f.clone()) })
        .collect();
    let (mut out, mut tally) = (Vec::new(), BatchTally::default());
    let whole = best(|| {
        out.clear();
        for record in &records {
            enricher.step(0, record, now_ms(), &mut tally, &mut out);
        }
    });
    let enriched_decoder: Decoder<EnrichedTicket> = Decoder::new(Arc::clone(&process.registry));
    let enriched = out.iter().map(|r| enriched_decoder.decode(&r.payload)).collect::<Result<Vec<_>, _>>()?;
    let encoder: Encoder<EnrichedTicket> = Encoder::new(&process.ids);
    let mut buffer = Vec::new();
    let encode = best(|| {
        for ticket in &enriched {
            buffer.clear();
            let _ = black_box(encoder.encode_into(ticket, &mut buffer));
        }
    });
    let decode_enriched =
        best(|| out.iter().for_each(|r| drop(black_box(enriched_decoder.decode(&r.payload)))));
    process.shutdown.cancel();
    let row = |ns: f64| json!({ "ns_per_event": ns.round(), "events_per_s": (1e9 / ns).round() });
    Ok(json!({
        "text_bytes_per_event": bytes / TICKETS,
        "decode_event": row(decode),
        "decrypt_and_decode_content": row(open),
        "redact": row(redact),
        "analyze": row(analyze),
        "encode_enriched": row(encode),
        "enrich_all_of_it": row(whole),
        "decode_enriched": row(decode_enriched),
    }))
}

/// Nanoseconds per ticket.
fn best(mut run: impl FnMut()) -> f64 {
    run();
    let rounds = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    #[allow(clippy::cast_precision_loss, reason = "counts are small")]
    let ns = rounds.min().unwrap_or_default().as_nanos() as f64 / TICKETS as f64;
    ns
}
