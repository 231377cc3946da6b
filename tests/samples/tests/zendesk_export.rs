//! Incremental export: order, cursor, the last minute, repetitions.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

mod common;

use common::Desk;
use deskstream_samples::Clock;
use deskstream_samples::zendesk::{Limits, Options};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

const START: i64 = 1_795_435_200;

async fn desk(options: Options) -> Desk {
    let at = jiff::Timestamp::from_second(START).unwrap();
    Desk::start(Options { clock: Clock::held_at(at), limits: Limits::none(), ..options }).await
}

fn ids(page: &Value) -> Vec<u64> {
    page["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn pages_follow_the_cursor_and_leave_out_the_last_minute() {
    let desk = desk(Options::default()).await;
    for _ in 0..5 {
        desk.ticket();
        desk.zendesk.clock().advance(Duration::from_secs(10));
    }
    desk.zendesk.clock().advance(Duration::from_secs(30));
    // Now is START + 80; what happened after START + 20 is too new.
    let first = desk
        .get(&format!("/api/v2/incremental/tickets/cursor.json?start_time={START}&per_page=2"))
        .await
        .json();
    assert_eq!((ids(&first), &first["end_of_stream"]), (vec![1, 2], &json!(false)));
    assert_eq!(first["before_cursor"], Value::Null);
    let second = desk.get(first["after_url"].as_str().unwrap()).await.json();
    assert_eq!((ids(&second), &second["end_of_stream"]), (vec![3], &json!(true)));

    desk.zendesk.clock().advance(Duration::from_secs(100));
    let cursor = second["after_cursor"].as_str().unwrap();
    let later = desk.get(&format!("/api/v2/incremental/tickets/cursor?cursor={cursor}")).await.json();
    assert_eq!((ids(&later), &later["end_of_stream"]), (vec![4, 5], &json!(true)));
    let empty = desk.get(later["after_url"].as_str().unwrap()).await.json();
    assert_eq!((ids(&empty), &empty["end_of_stream"]), (vec![], &json!(true)));
    assert_eq!(empty["after_cursor"], later["after_cursor"], "the place is kept");
    assert_eq!(desk.zendesk.stats().exported_tickets, 5);
}

#[tokio::test]
async fn a_start_time_within_the_last_minute_is_refused() {
    let desk = desk(Options::default()).await;
    let recent = desk.get(&format!("/api/v2/incremental/tickets/cursor?start_time={}", START - 30)).await;
    assert_eq!((recent.status, &recent.json()["error"]), (400, &json!("StartTimeTooRecent")));
    let allowed =
        desk.get(&format!("/api/v2/incremental/tickets/cursor?start_time={}", START - 60)).await.json();
    assert_eq!((&allowed["end_of_stream"], &allowed["after_cursor"]), (&json!(true), &Value::Null));
    assert_eq!(desk.get("/api/v2/incremental/tickets/cursor").await.status, 400);
    assert_eq!(desk.get("/api/v2/incremental/tickets/cursor?cursor=junk").await.status, 400);
}

#[tokio::test]
async fn a_changed_ticket_comes_again_and_a_system_change_keeps_its_old_date() {
    let desk = desk(Options::default()).await;
    let (one, two) = (desk.ticket(), desk.ticket());
    desk.zendesk.clock().advance(Duration::from_secs(100));
    let first = desk.get(&format!("/api/v2/incremental/tickets/cursor?start_time={START}")).await.json();
    assert_eq!(ids(&first), [one, two]);
    desk.zendesk.requester_comment(one, "any news?");
    assert!(desk.zendesk.system_update(two));
    desk.zendesk.clock().advance(Duration::from_secs(100));
    let again = desk.get(first["after_url"].as_str().unwrap()).await.json();
    assert_eq!(ids(&again), [one, two]);
    let dates: HashMap<u64, &Value> = again["tickets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ticket| (ticket["id"].as_u64().unwrap(), &ticket["updated_at"]))
        .collect();
    let old = jiff::Timestamp::from_second(START).unwrap().to_string();
    assert_ne!(dates[&one], &json!(old));
    assert_eq!(
        dates[&two],
        &json!(old),
        "earlier than the export's place: a reader must not mistake it for news"
    );
    let since_then =
        desk.get(&format!("/api/v2/incremental/tickets/cursor?start_time={}", START + 100)).await.json();
    assert_eq!(ids(&since_then), [one, two], "updated_at of the second lies before start_time");
}

#[tokio::test]
async fn pages_may_repeat_their_neighbours_last_ticket() {
    let desk = desk(Options { repeat_exported: true, ..Options::default() }).await;
    for _ in 0..5 {
        desk.ticket();
    }
    desk.zendesk.clock().advance(Duration::from_secs(100));
    let mut path = format!("/api/v2/incremental/tickets/cursor?start_time={START}&per_page=2");
    let mut seen = Vec::new();
    loop {
        let page = desk.get(&path).await.json();
        seen.extend(ids(&page));
        if page["end_of_stream"] == true {
            break;
        }
        path = format!("{}&per_page=2", page["after_url"].as_str().unwrap());
    }
    assert_eq!(seen, [1, 2, 2, 3, 4, 4, 5]);
}

#[tokio::test]
async fn exports_are_for_admins_and_ten_a_minute() {
    let agent = desk(Options { admin: false, ..Options::default() }).await;
    let path = format!("/api/v2/incremental/tickets/cursor?start_time={}", START - 100);
    assert_eq!(agent.get(&path).await.status, 403);

    let desk = desk(Options::default()).await;
    desk.zendesk.set_limits(Limits::default());
    for _ in 0..10 {
        assert_eq!(desk.get(&path).await.status, 200);
    }
    let refused = desk.get(&path).await;
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "60"));
}
