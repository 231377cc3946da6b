//! From a preloaded topic to committed `enriched` and to ClickHouse.

use super::{Place, per_second};
use crate::commands::demo::children::{Metrics, service};
use crate::commands::demo::setup::Setup;
use crate::commands::demo::summary::doubled_offsets;
use anyhow::bail;
use deskstream_connectors::kafka::{EventSink, unsealed};
use deskstream_runtime::Process;
use deskstream_runtime::time::now_ms;
use deskstream_samples::tickets::Generator;
use deskstream_schemas::{EventKind, Origin, Platform, TicketContent, TicketEvent, TicketStatus};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use std::ops::Range;
use std::time::{Duration, Instant};

/// Distinct texts; more would only cost start-up time.
const TEXTS: usize = 5000;

/// Tickets; each event after so many is an update of one.
const DISTINCT_TICKETS: usize = 200_000;

/// Sends on their way at the same time.
const IN_FLIGHT: usize = 4096;

const PATIENCE: Duration = Duration::from_secs(900);

/// Tickets of about 1 KiB.
pub fn tickets(count: usize) -> Vec<TicketContent> {
    let mut generator = Generator::new(1);
    let contents = (0..count).map(|_| {
        let ticket = generator.next_ticket();
        let mut body = ticket.body;
        // The sample's mean is below: a signature's worth of plain words fills up to 1 KiB.
        while body.len() < 1000 {
            body.push_str(" We have been customers for three years and would like to stay with you.");
        }
        TicketContent { subject: ticket.subject, body, ..TicketContent::default() }
    });
    contents.collect()
}

/// An event without its content. Tickets come again after a while: what is held in memory grows with their number.
pub fn event(number: usize, now: i64) -> TicketEvent {
    TicketEvent {
        event_id: format!("bench-{number}"),
        tenant: "acme".to_owned(),
        platform: Platform::Import,
        ticket_id: (number % DISTINCT_TICKETS).to_string(),
        kind: EventKind::Created,
        origin: Origin::Import,
        occurred_at: now,
        received_at: now,
        created_at: now,
        version: now,
        status: TicketStatus::New,
        priority: None,
        ticket_type: None,
        channel: Some("email".to_owned()),
        requester_ref: Some("4711".to_owned()),
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        content: unsealed(),
    }
}

/// Preloads, then measures.
pub async fn measure(place: &Place, events: usize) -> anyhow::Result<Value> {
    let (setup, workers) = (&place.setup, place.workers);
    let loading = Instant::now();
    let loader = Loader::new(setup).await?;
    loader.send(0..events).await?;
    let loaded = loading.elapsed();
    loader.stop();

    let (_, mut connect) = service(setup, "connect", setup.admin_connect, None).await?;
    let (_, mut run) = service(setup, "run", setup.admin_run, Some(workers)).await?;
    let meter = place.meter(vec![("run".to_owned(), run.pid()), ("connect".to_owned(), connect.pid())]);
    let started = Instant::now();
    let (mut enriched_in, mut inserted_in) = (None, None);
    let client = setup.reader_client();
    while inserted_in.is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if started.elapsed() > PATIENCE {
            bail!("{events} events did not arrive within {}s", PATIENCE.as_secs());
        }
        if enriched_in.is_none() && Metrics::of(setup).await.enriched >= events as u64 {
            enriched_in = Some(started.elapsed());
        }
        if rows(&client).await >= events as u64 {
            inserted_in = Some(started.elapsed());
        }
    }
    let (enriched_in, inserted_in) =
        (enriched_in.unwrap_or_else(|| started.elapsed()), inserted_in.unwrap_or_default());
    let used = meter.read(events);
    let doubled = doubled_offsets(&client).await?;
    connect.stop();
    run.stop();
    Ok(json!({
        "events": events,
        "workers": workers,
        "loaded_per_s": per_second(events, loaded),
        "enriched_per_s": per_second(events, enriched_in),
        "in_clickhouse_per_s": per_second(events, inserted_in),
        "doubled_offsets": doubled,
        "processes": used,
    }))
}

/// Rows in ClickHouse so far.
pub async fn rows(client: &clickhouse::Client) -> u64 {
    client.query("SELECT count() FROM ticket_events").fetch_one::<u64>().await.unwrap_or(0)
}

/// Writes events into the topic `events`, as a connector would.
pub struct Loader {
    process: Process,
    sink: EventSink,
    texts: Vec<TicketContent>,
}

impl Loader {
    /// Writes the configuration, and gets ready.
    pub async fn new(setup: &Setup) -> anyhow::Result<Self> {
        setup.configure_bare()?;
        let process = super::client(setup).await?;
        EventSink::ready_tenant(&process, "acme", "bench").await?;
        let sink = EventSink::new(&process)?;
        Ok(Self { process, sink, texts: tickets(TEXTS) })
    }

    /// Sends these events and waits for the broker's word.
    pub async fn send(&self, numbers: Range<usize>) -> anyhow::Result<()> {
        let sends = stream::iter(numbers).map(|number| async move {
            self.sink.send(event(number, now_ms()), &self.texts[number % TEXTS]).await.map(drop)
        });
        Ok(sends.buffer_unordered(IN_FLIGHT).try_collect::<()>().await?)
    }

    /// Lets go of the broker.
    pub fn stop(self) {
        self.process.shutdown.cancel();
    }
}
