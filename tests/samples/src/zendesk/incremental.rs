//! Cursor-based incremental export of tickets.
//!
//! Order is `(generated_timestamp, id)`, position is carried by an opaque cursor, and the last minute is left
//! out so that no late write can slip in before a position already given. A ticket comes again whenever it
//! changed again; the system's own changes move it too, so `updated_at` may lie before `start_time`. A first
//! page without tickets has null cursors: a client must then keep its `start_time`.

use super::paging::Query;
use super::server::{ApiError, Shared};
use super::state::Account;
use super::stats::count;
use axum::Json;
use axum::extract::{Query as QueryString, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const LARGEST_PAGE: usize = 1_000;

/// After this `(generated_at, ticket id)`.
type Position = (i64, u64);

/// The form seen in the vendor's example: base64 of `1576613539.0||467|`.
fn cursor(position: Position) -> String {
    BASE64_STANDARD.encode(format!("{}.0||{}|", position.0, position.1))
}

fn read_cursor(text: &str) -> Option<Position> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    let (second, id) = decoded.strip_suffix('|')?.split_once(".0||")?;
    Some((second.parse().ok()?, id.parse().ok()?))
}

pub(super) async fn tickets(
    State(shared): State<Arc<Shared>>,
    QueryString(query): QueryString<Query>,
) -> Result<Response, ApiError> {
    if !shared.options.admin {
        return Err(ApiError::Forbidden(
            "You do not have access to this page. Please contact the account owner.",
        ));
    }
    let size = match query.get("per_page") {
        Some(text) => {
            text.parse().map_err(|_| ApiError::BadParameter { name: "per_page", expected: "an integer" })?
        }
        None => LARGEST_PAGE,
    };
    let size = size.clamp(1, LARGEST_PAGE);
    let margin = i64::try_from(shared.options.export_margin.as_secs()).unwrap_or(i64::MAX);
    let newest = shared.clock.second() - margin;
    let (after, start) = start(&query, newest)?;

    let account = shared.account.lock();
    let (mut page, last, more) = collect(&account, shared.base(), after, newest, size);
    let at = last.or(start);
    // A page's last ticket once more on the next page, where the options ask for repetitions.
    if let (Some(position), true) = (start, shared.options.repeat_exported)
        && let Some(ticket) = account.tickets.get(&position.1)
    {
        page.insert(0, ticket.rest(shared.base()));
    }
    let users = query
        .get("include")
        .is_some_and(|include| include.split(',').any(|part| part == "users"))
        .then(|| users(&account, shared.base(), &page));
    drop(account);

    count(&shared.counters.export_pages);
    shared.counters.exported_tickets.fetch_add(page.len() as u64, Ordering::Relaxed);
    let after_cursor = at.map(cursor);
    let path = format!("{}/api/v2/incremental/tickets/cursor.json", shared.base());
    let after_url = after_cursor.as_ref().map(|cursor| format!("{path}?cursor={}", escape(cursor)));
    let mut body = json!({
        "tickets": page, "after_cursor": after_cursor, "after_url": after_url,
        "before_cursor": null, "before_url": null, "end_of_stream": !more,
    });
    if let Some(users) = users {
        body["users"] = users;
    }
    Ok(Json(body).into_response())
}

/// Whom the tickets of a page name, once each.
fn users(account: &Account, base: &str, page: &[Value]) -> Value {
    let ids = page.iter().flat_map(|ticket| {
        ["requester_id", "submitter_id", "assignee_id"].into_iter().filter_map(|name| ticket[name].as_u64())
    });
    let ids: BTreeSet<u64> = ids.collect();
    ids.iter().filter_map(|id| account.users.get(id)).map(|user| user.rest(base)).collect()
}

/// Where to begin: a bound, and the position of the cursor if one was given.
fn start(query: &Query, newest: i64) -> Result<(Position, Option<Position>), ApiError> {
    if let Some(text) = query.get("cursor") {
        let position = read_cursor(text)
            .ok_or(ApiError::BadParameter { name: "cursor", expected: "a cursor of this export" })?;
        return Ok((position, Some(position)));
    }
    let time = query.get("start_time").and_then(|text| text.parse::<i64>().ok());
    let time =
        time.ok_or(ApiError::BadParameter { name: "start_time", expected: "seconds since the epoch" })?;
    if time > newest {
        return Err(ApiError::Bad {
            error: "StartTimeTooRecent",
            description: "Too recent start_time. Use a start_time older than 1 minute".to_owned(),
        });
    }
    // Changed at or after the start time.
    Ok(((time, 0), None))
}

fn collect(
    account: &Account,
    base: &str,
    after: Position,
    newest: i64,
    size: usize,
) -> (Vec<Value>, Option<Position>, bool) {
    let mut page = Vec::new();
    let mut last = None;
    let mut positions = account
        .export
        .range((Bound::Excluded(after), Bound::Unbounded))
        .take_while(|(second, _)| *second <= newest);
    for position in positions.by_ref().take(size) {
        if let Some(ticket) = account.tickets.get(&position.1) {
            page.push(ticket.rest(base));
        }
        last = Some(*position);
    }
    (page, last, positions.next().is_some())
}

fn escape(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_look_like_the_documented_one() {
        assert_eq!(cursor((1_576_613_539, 467)), "MTU3NjYxMzUzOS4wfHw0Njd8");
        assert_eq!(read_cursor("MTU3NjYxMzUzOS4wfHw0Njd8"), Some((1_576_613_539, 467)));
        assert_eq!(read_cursor("nonsense"), None);
    }
}
