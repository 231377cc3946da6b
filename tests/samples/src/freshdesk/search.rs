//! `GET /api/v2/search/tickets?query="…"&page=N`: thirty a page, ten pages at most. Of the query language: `status`,
//! `priority` and `tag` with `:`, `updated_at` with `:>` and `:<` and a day, joined by `AND`.

use super::model::Ticket;
use super::server::{ApiError, Parameters, Shared};
use crate::clock::second_text;
use axum::Json;
use axum::extract::{Query, State};
use serde_json::{Value, json};
use std::sync::Arc;

const PAGE: usize = 30;
const MOST_PAGES: usize = 10;
const LONGEST: usize = 512;

pub(super) async fn search(
    State(shared): State<Arc<Shared>>,
    Query(parameters): Query<Parameters>,
) -> Result<Json<Value>, ApiError> {
    let invalid = |field, message| ApiError::invalid(field, message, "invalid_value");
    let query = parameters.get("query").map(String::as_str).unwrap_or_default();
    let inner = query.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.filter(|inner| (1..=LONGEST).contains(&inner.len()));
    let inner = inner.ok_or_else(|| invalid("query", "It should be enclosed in double quotes"))?;
    let page = parameters.get("page").map_or(Ok(1), |page| page.parse::<usize>());
    let page = page.ok().filter(|page| (1..=MOST_PAGES).contains(page));
    let page =
        page.ok_or_else(|| invalid("page", "It should be a positive integer less than or equal to 10"))?;
    let terms: Vec<&str> = inner.split(" AND ").map(str::trim).collect();
    let account = shared.account.lock();
    let mut found = Vec::new();
    for ticket in account.tickets.values().rev().filter(|ticket| !ticket.deleted && !ticket.spam) {
        let mut fits = true;
        for term in &terms {
            fits &= fits_term(ticket, term).ok_or_else(|| invalid("query", "It has an unknown field"))?;
        }
        if fits {
            found.push(ticket);
        }
    }
    let shown: Vec<Value> = found
        .iter()
        .skip((page - 1) * PAGE)
        .take(PAGE)
        .map(|ticket| {
            json!({
                "id": ticket.id, "subject": ticket.subject, "status": ticket.status, "priority": ticket.priority,
                "tags": ticket.tags, "created_at": second_text(ticket.created_at),
                "updated_at": second_text(ticket.updated_at),
            })
        })
        .collect();
    Ok(Json(json!({"total": found.len(), "results": shown})))
}

fn fits_term(ticket: &Ticket, term: &str) -> Option<bool> {
    let (field, wanted) = term.split_once(':')?;
    let bare = |text: &str| text.trim_matches('\'').to_owned();
    Some(match field {
        "status" => ticket.status.to_string() == wanted,
        "priority" => ticket.priority.to_string() == wanted,
        "tag" => ticket.tags.contains(&bare(wanted)),
        "updated_at" => {
            let at = second_text(ticket.updated_at);
            match wanted.split_at_checked(1)? {
                (">", day) => at.as_str() >= bare(day).as_str(),
                ("<", day) => at.as_str() < bare(day).as_str(),
                _ => return None,
            }
        }
        _ => return None,
    })
}
