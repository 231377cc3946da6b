//! Listing, searching, viewing and changing conversations.

use super::count;
use super::model::{ADMIN, Conversation};
use super::server::{ApiError, Shared};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

type Answered = Result<Json<Value>, ApiError>;

const NOT_FOUND: ApiError = ApiError::NotFound("Resource Not Found");

fn number(id: &str) -> Result<u64, ApiError> {
    id.parse().map_err(|_| NOT_FOUND)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_slice(body).map_err(|_| ApiError::bad("client_error", "Body is not valid JSON"))
}

/// The admin that a change is made by has to be one of the workspace.
fn by_admin(fields: &Map<String, Value>) -> Result<(), ApiError> {
    let id = fields.get("admin_id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    if id.is_some_and(|id| id == ADMIN.to_string()) {
        Ok(())
    } else {
        Err(ApiError::bad("parameter_not_found", "admin_id was not found"))
    }
}

pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    let per_page = query.get("per_page").map_or(Some(20), |text| text.parse().ok());
    page(&shared, per_page, query.get("starting_after").map(String::as_str), |_| true)
}

pub(super) async fn search(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered {
    let fields = object(&body)?;
    let query = fields.get("query").ok_or_else(|| ApiError::bad("parameter_invalid", "query is missing"))?;
    let test = filter(query)?;
    let pagination = fields.get("pagination");
    let per_page = pagination
        .and_then(|pagination| pagination.get("per_page"))
        .map_or(Some(20), |size| size.as_u64().and_then(|size| usize::try_from(size).ok()));
    let after = pagination.and_then(|pagination| pagination.get("starting_after")).and_then(Value::as_str);
    page(&shared, per_page, after, |found| test(found))
}

type Test = Box<dyn Fn(&Conversation) -> bool>;

/// Of the query language: `AND` and `OR` of comparisons of times, ids and state.
fn filter(query: &Value) -> Result<Test, ApiError> {
    let invalid = |what: &str| ApiError::bad("parameter_invalid", format!("{what} is not valid"));
    let operator = query.get("operator").and_then(Value::as_str).ok_or_else(|| invalid("operator"))?;
    let value = query.get("value").ok_or_else(|| invalid("value"))?;
    if let ("AND" | "OR", Some(list)) = (operator, value.as_array()) {
        let tests = list.iter().map(filter).collect::<Result<Vec<Test>, _>>()?;
        let all = operator == "AND";
        return Ok(Box::new(move |found| {
            if all { tests.iter().all(|test| test(found)) } else { tests.iter().any(|test| test(found)) }
        }));
    }
    let field = query.get("field").and_then(Value::as_str).ok_or_else(|| invalid("field"))?;
    let read: fn(&Conversation) -> i64 = match field {
        "updated_at" => |found| found.updated_at,
        "created_at" => |found| found.created_at,
        _ => return Err(invalid("field")),
    };
    let value = value.as_i64().or_else(|| value.as_str()?.parse().ok()).ok_or_else(|| invalid("value"))?;
    let compare: fn(i64, i64) -> bool = match operator {
        ">" => |held, wanted| held > wanted,
        "<" => |held, wanted| held < wanted,
        "=" => |held, wanted| held == wanted,
        _ => return Err(invalid("operator")),
    };
    Ok(Box::new(move |found| compare(read(found), value)))
}

/// The latest changes first. The cursor is the last one's change and id, in no documented form.
fn page(
    shared: &Shared,
    per_page: Option<usize>,
    after: Option<&str>,
    test: impl Fn(&Conversation) -> bool,
) -> Answered {
    let per_page = per_page
        .filter(|size| (1..=150).contains(size))
        .ok_or_else(|| ApiError::bad("parameter_invalid", "per_page must be 1 to 150"))?;
    let after: Option<(i64, u64)> = match after {
        None => None,
        Some(cursor) => {
            let read = cursor.split_once('-').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
            Some(read.ok_or_else(|| ApiError::bad("parameter_invalid", "starting_after is not valid"))?)
        }
    };
    count(&shared.counters.searches);
    let workspace = shared.workspace.lock();
    let mut found: Vec<&Conversation> =
        workspace.conversations.values().filter(|found| test(found)).collect();
    found.sort_by_key(|found| std::cmp::Reverse((found.updated_at, found.id)));
    let total = found.len();
    let rest =
        found.into_iter().filter(|found| after.is_none_or(|after| (found.updated_at, found.id) < after));
    let mut page: Vec<&Conversation> = rest.take(per_page + 1).collect();
    let more = page.len() > per_page;
    page.truncate(per_page);
    let mut pages = json!({
        "type": "pages", "page": 1, "per_page": per_page, "total_pages": total.div_ceil(per_page),
    });
    if more && let Some(last) = page.last() {
        let cursor = format!("{}-{}", last.updated_at, last.id);
        pages["next"] = json!({"per_page": per_page, "starting_after": cursor});
    }
    let shown: Vec<Value> = page.iter().filter_map(|found| workspace.shown(found.id, false)).collect();
    Ok(Json(json!({
        "type": "conversation.list", "conversations": shown, "total_count": total, "pages": pages,
    })))
}

pub(super) async fn view(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answered {
    count(&shared.counters.views);
    shared.workspace.lock().shown(number(&id)?, true).map(Json).ok_or(NOT_FOUND)
}

/// Takes read, title, custom attributes and company, and nothing else: no priority.
pub(super) async fn update(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let (id, fields) = (number(&id)?, object(&body)?);
    let now = shared.now();
    let mut workspace = shared.workspace.lock();
    let attributes = fields.get("custom_attributes").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(name) = attributes.keys().find(|name| !workspace.attributes.contains(name)) {
        let message = format!("Custom attribute '{name}' does not exist");
        return Err(ApiError::bad("parameter_invalid", message));
    }
    let found = workspace.conversations.get_mut(&id).ok_or(NOT_FOUND)?;
    if let Some(title) = fields.get("title").and_then(Value::as_str) {
        found.title = Some(title.to_owned());
    }
    found.custom_attributes.extend(attributes);
    found.updated_at = now;
    count(&shared.counters.updates);
    workspace.shown(id, true).map(Json).ok_or(NOT_FOUND)
}

pub(super) async fn reply(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let (id, fields) = (number(&id)?, object(&body)?);
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    if text("type") != Some("admin") {
        return Err(ApiError::bad("parameter_invalid", "type is not valid"));
    }
    by_admin(&fields)?;
    let kind = match text("message_type") {
        Some(kind @ ("note" | "comment")) => kind,
        _ => return Err(ApiError::bad("parameter_invalid", "message_type is not valid")),
    };
    let body = text("body").filter(|body| !body.is_empty());
    let body = body.ok_or_else(|| ApiError::bad("parameter_not_found", "body is missing"))?;
    let shown = shared.workspace.lock().reply(id, kind, body, true, shared.now()).ok_or(NOT_FOUND)?;
    count(if kind == "note" { &shared.counters.notes } else { &shared.counters.replies });
    Ok(Json(shown))
}

pub(super) async fn attach(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> Answered {
    let (id, fields) = (number(&id)?, object(&body)?);
    by_admin(&fields)?;
    let tag = fields.get("id").and_then(Value::as_str).ok_or(NOT_FOUND)?;
    set_tag(&shared, id, number(tag)?, true)
}

pub(super) async fn detach(
    State(shared): State<Arc<Shared>>,
    Path((id, tag)): Path<(String, String)>,
    body: Bytes,
) -> Answered {
    by_admin(&object(&body)?)?;
    set_tag(&shared, number(&id)?, number(&tag)?, false)
}

fn set_tag(shared: &Shared, id: u64, tag: u64, on: bool) -> Answered {
    let now = shared.now();
    let mut workspace = shared.workspace.lock();
    if !workspace.tags.contains_key(&tag) {
        return Err(NOT_FOUND);
    }
    workspace.set_tag(id, tag, on, now).ok_or(NOT_FOUND)?;
    count(&shared.counters.updates);
    Ok(Json(workspace.tag_json(tag, now)))
}

pub(super) async fn tags(State(shared): State<Arc<Shared>>) -> Json<Value> {
    let workspace = shared.workspace.lock();
    let tags =
        workspace.tags.iter().map(|(id, name)| json!({"type": "tag", "id": id.to_string(), "name": name}));
    Json(json!({"type": "list", "data": tags.collect::<Vec<_>>()}))
}

pub(super) async fn tag(State(shared): State<Arc<Shared>>, body: Bytes) -> Answered {
    let fields = object(&body)?;
    let name = fields.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::bad("parameter_not_found", "name is missing"))?;
    let id = shared.workspace.lock().tag(name);
    Ok(Json(json!({"type": "tag", "id": id.to_string(), "name": name})))
}
