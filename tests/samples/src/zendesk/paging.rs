//! Cursor and offset paging of lists.
//!
//! Cursor paging (`page[size]`, `page[after]`) answers with `meta` and `links`; offset paging (`page`,
//! `per_page`) with `count`, `next_page` and `previous_page`. Both give at most 100 records a page.

use super::server::ApiError;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Query parameters of a list.
pub(super) type Query = HashMap<String, String>;

const LARGEST_PAGE: usize = 100;

/// Cuts one page out of `items` and wraps it under `name`. `path` is absolute.
pub(super) fn page(name: &str, items: Vec<Value>, query: &Query, path: &str) -> Result<Value, ApiError> {
    match query.get("page[size]") {
        Some(size) => by_cursor(name, items, query, path, size),
        None => by_offset(name, items, query, path),
    }
}

fn number(text: &str, name: &'static str) -> Result<usize, ApiError> {
    text.parse().map_err(|_| ApiError::BadParameter { name, expected: "an integer" })
}

fn by_cursor(
    name: &str,
    items: Vec<Value>,
    query: &Query,
    path: &str,
    size: &str,
) -> Result<Value, ApiError> {
    let size = number(size, "page[size]")?.clamp(1, LARGEST_PAGE);
    let start = match query.get("page[after]") {
        None => 0,
        Some(cursor) => {
            let decoded = BASE64_STANDARD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let place = decoded
                .as_deref()
                .and_then(|text| text.strip_prefix("after:"))
                .and_then(|text| text.parse().ok());
            place.ok_or(ApiError::BadParameter { name: "page[after]", expected: "a cursor of this list" })?
        }
    };
    let total = items.len();
    let records: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start + records.len();
    let has_more = end < total;
    let cursor = |place: usize| BASE64_STANDARD.encode(format!("after:{place}"));
    let after = (!records.is_empty()).then(|| cursor(end));
    let before = (!records.is_empty()).then(|| cursor(start));
    let link = |cursor: &Option<String>| {
        cursor.as_ref().map(|cursor| format!("{path}?page%5Bafter%5D={cursor}&page%5Bsize%5D={size}"))
    };
    let (next, prev) =
        (if has_more { link(&after) } else { None }, if start > 0 { link(&before) } else { None });
    Ok(json!({
        name: records,
        "meta": {"has_more": has_more, "after_cursor": after, "before_cursor": before},
        "links": {"next": next, "prev": prev},
    }))
}

fn by_offset(name: &str, items: Vec<Value>, query: &Query, path: &str) -> Result<Value, ApiError> {
    let size = match query.get("per_page") {
        Some(text) => number(text, "per_page")?.clamp(1, LARGEST_PAGE),
        None => LARGEST_PAGE,
    };
    let index = match query.get("page") {
        Some(text) => number(text, "page")?.max(1),
        None => 1,
    };
    let total = items.len();
    let records: Vec<Value> = items.into_iter().skip((index - 1) * size).take(size).collect();
    let link = |index: usize| format!("{path}?page={index}&per_page={size}");
    let next = (index * size < total).then(|| link(index + 1));
    let previous = (index > 1).then(|| link(index - 1));
    Ok(json!({name: records, "count": total, "next_page": next, "previous_page": previous}))
}
