//! One change of a ticket is one event, whichever ways it comes by.

use super::super::facts::{Fact, Position};
use super::super::reviewed::Reviews;
use super::super::tally::{Dimension, WindowKey};
use super::*;
use crate::opinions::tests::policies;
use deskstream_runtime::config::Ask;
use deskstream_schemas::{Analysis, EventKind, Label, Origin, Platform, TicketStatus, Tier};

const NOW: i64 = 1_795_435_200_000;

fn ticket(event_id: &str, origin: Origin, version: i64) -> EnrichedTicket {
    let label = |value: &'static str| Label { value: value.into(), confidence: 0.9, abstained: false };
    EnrichedTicket {
        event_id: event_id.into(),
        tenant: "acme".into(),
        platform: Platform::Zendesk,
        ticket_id: "17".into(),
        kind: EventKind::Updated,
        origin,
        occurred_at: NOW,
        received_at: NOW,
        created_at: NOW,
        version,
        status: TicketStatus::Open,
        priority: None,
        ticket_type: None,
        channel: None,
        requester_ref: None,
        assignee_ref: None,
        group_ref: None,
        organization_ref: None,
        enriched_at: NOW,
        source_partition: 0,
        source_offset: 0,
        tags: Vec::new(),
        subject: String::new(),
        body: String::new(),
        summary: String::new(),
        spans: Vec::new(),
        redactions: BTreeMap::new(),
        redactor: "test".into(),
        analysis: Analysis {
            root_cause: label("refund"),
            urgency: label("high"),
            sentiment: label("negative"),
            sentiment_score: -0.5,
            industry: label("retail"),
            language: "en".into(),
            language_confidence: 1.0,
            tier: Tier::Local,
            model: "test".into(),
            latency_us: 1,
            tokens_in: 0,
            tokens_out: 0,
            cost_microusd: 0,
        },
        notes: Vec::new(),
        shadow: None,
        urgency_reasons: Vec::new(),
    }
}

/// Events and tickets that the day counts after these.
fn counted(events: &[(&str, Origin, i64)]) -> (i64, i64) {
    let mut tickets = Tickets::new(write_back(), policies(Ask::Never), DAY_MS, Reviews::default());
    let mut gathered = Gathered::default();
    let position = Position { partition: 0, offset: 0 };
    for (event_id, origin, version) in events {
        tickets.apply(Fact::new(ticket(event_id, *origin, *version), position, false), NOW, &mut gathered);
    }
    let windows = gathered.into_windows(NOW, DAY_MS);
    let day = &windows[&WindowKey::containing("acme".into(), 86_400, NOW)];
    (day.get(&Dimension::Events), day.get(&Dimension::Tickets))
}

fn write_back() -> WriteBackConfig {
    WriteBackConfig {
        enabled: true,
        dry_run: false,
        tag_prefix: "ds_".into(),
        tags: true,
        priority: deskstream_runtime::config::PriorityPolicy::Never,
        note: true,
        draft: deskstream_runtime::config::DraftPolicy::Never,
        custom_fields: true,
        max_per_hour: None,
    }
}

#[test]
fn a_poll_that_finds_what_a_webhook_told_is_the_same_event() {
    let (webhook, poll, backfill) = (Origin::Webhook, Origin::Poll, Origin::Backfill);
    for (events, wanted) in [
        (vec![("w", webhook, 5), ("w", webhook, 5)], 1),
        (vec![("w", webhook, 5), ("p", poll, 5)], 1),
        (vec![("w", webhook, 5), ("p", poll, 4)], 1),
        (vec![("w", webhook, 5), ("b", backfill, 5), ("p", poll, 5)], 1),
        // What no webhook has told is new.
        (vec![("w", webhook, 5), ("p", poll, 6)], 2),
        // Two webhooks of one second are two changes, in whatever order they come.
        (vec![("w", webhook, 5), ("v", webhook, 5)], 2),
        (vec![("w", webhook, 5), ("v", webhook, 4)], 2),
    ] {
        assert_eq!(counted(&events), (wanted, 1), "{events:?}");
    }
}
