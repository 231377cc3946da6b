//! Search: enough of the query language for tools and tests.
//!
//! Known terms: `type:ticket`, `status:`, `priority:`, `tags:`, `requester:` (address or id), `created` and
//! `updated` with `>`, `>=`, `<`, `<=` or `:` and a date; a leading `-` negates; other words must occur in
//! subject or description. Offset paging, 100 a page, 1000 results at most, as documented.

use super::model::Ticket;
use super::paging::{self, Query};
use super::server::{ApiError, Shared};
use super::state::Account;
use crate::clock::second_text;
use axum::Json;
use axum::extract::{Query as QueryString, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

const MOST_RESULTS: usize = 1_000;

pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    QueryString(query): QueryString<Query>,
) -> Result<Response, ApiError> {
    let Some(text) = query.get("query").filter(|text| !text.trim().is_empty()) else {
        return Err(ApiError::Bad {
            error: "invalid",
            description: "Invalid search: query is missing".to_owned(),
        });
    };
    let page: usize = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let size: usize = query.get("per_page").and_then(|size| size.parse().ok()).unwrap_or(100);
    if page.saturating_sub(1).saturating_mul(size.min(100)) >= MOST_RESULTS {
        let description = "Invalid search: Requested response size was greater than Search Response Limits";
        return Ok((
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(json!({"error": "invalid", "description": description})),
        )
            .into_response());
    }
    let found = found(&shared, text, MOST_RESULTS);
    let mut answer =
        paging::page("results", found, &query, &format!("{}/api/v2/search.json", shared.base()))?;
    answer["facets"] = Value::Null;
    Ok(Json(answer).into_response())
}

/// `GET /search/export`: by cursor, of one type, without an end.
pub(super) async fn export(
    State(shared): State<Arc<Shared>>,
    QueryString(query): QueryString<Query>,
) -> Result<Response, ApiError> {
    let text = query.get("query").filter(|text| !text.trim().is_empty());
    let text = text.ok_or(ApiError::BadParameter { name: "query", expected: "a query" })?;
    if query.get("filter[type]").map(String::as_str) != Some("ticket") || !query.contains_key("page[size]") {
        return Err(ApiError::BadParameter { name: "filter[type]", expected: "a type, and page[size]" });
    }
    let found = found(&shared, text, usize::MAX);
    let url = format!("{}/api/v2/search/export.json", shared.base());
    Ok(Json(paging::page("results", found, &query, &url)?).into_response())
}

/// The newest first.
fn found(shared: &Shared, text: &str, most: usize) -> Vec<Value> {
    let terms: Vec<&str> = text.split_whitespace().collect();
    let account = shared.account.lock();
    let fitting =
        account.tickets.values().rev().filter(|ticket| terms.iter().all(|term| fits(&account, ticket, term)));
    let shown = fitting.take(most).map(|ticket| {
        let mut value = ticket.rest(shared.base());
        value["result_type"] = json!("ticket");
        value
    });
    shown.collect()
}

fn fits(account: &Account, ticket: &Ticket, term: &str) -> bool {
    match term.strip_prefix('-') {
        Some(rest) if !rest.is_empty() => !fits(account, ticket, rest),
        _ => fits_plain(account, ticket, term),
    }
}

fn fits_plain(account: &Account, ticket: &Ticket, term: &str) -> bool {
    for (field, second) in [("created", ticket.created_at), ("updated", ticket.updated_at)] {
        if let Some(rest) = term.strip_prefix(field)
            && rest.starts_with(['>', '<', ':'])
        {
            return date_fits(&second_text(second), rest);
        }
    }
    let Some((key, wanted)) = term.split_once(':') else {
        let word = term.to_lowercase();
        return ticket.subject.to_lowercase().contains(&word)
            || ticket.description.to_lowercase().contains(&word);
    };
    match key {
        "type" => wanted == "ticket" || ticket.kind.is_some_and(|kind| kind.lower() == wanted),
        "status" => ticket.status.lower() == wanted,
        "priority" => ticket.priority.map_or("none", super::model::Priority::lower) == wanted,
        "tags" => ticket.tags.contains(wanted),
        "requester" => {
            ticket.requester_id.to_string() == wanted
                || account
                    .users
                    .get(&ticket.requester_id)
                    .is_some_and(|user| user.email.eq_ignore_ascii_case(wanted))
        }
        _ => false,
    }
}

/// Compares as text, which orders ISO 8601 dates in UTC; a date without a time fits its whole day.
fn date_fits(value: &str, condition: &str) -> bool {
    let (operator, wanted) =
        condition.split_at(condition.find(|c: char| c.is_ascii_digit()).unwrap_or(condition.len()));
    let value = &value[..wanted.len().min(value.len())];
    match operator {
        ">" => value > wanted,
        ">=" => value >= wanted,
        "<" => value < wanted,
        "<=" => value <= wanted,
        ":" => value == wanted,
        _ => false,
    }
}
