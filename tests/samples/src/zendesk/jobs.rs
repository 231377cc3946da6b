//! Bulk updates and the jobs that do them.
//!
//! The answer is a job; its result is read from `/job_statuses/{id}`. A completed job may hold failed rows.
//! At most 30 jobs may be queued or working. Only here do `additional_tags` and `remove_tags` exist.

use super::changes::{TagEdit, TicketUpdate};
use super::model::Channel;
use super::paging::Query;
use super::server::{ApiError, Caller, Shared, read_json};
use super::state::{Account, Job, Refusal};
use super::tickets::{count_write, read_ids, read_stamp, read_update, strings};
use crate::ids;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, Query as QueryString, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

type App = State<Arc<Shared>>;

const UNFINISHED_JOBS: usize = 30;
const JOBS_KEPT: usize = 1_000;

struct Row {
    id: u64,
    update: TicketUpdate,
    stamp: Option<i64>,
}

pub(super) async fn update_many(
    State(shared): App,
    Extension(caller): Extension<Caller>,
    QueryString(query): QueryString<Query>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let body = read_json(&body)?;
    let rows = match query.get("ids") {
        Some(ids) => {
            let fields =
                body.get("ticket").ok_or(ApiError::BadParameter { name: "ticket", expected: "an object" })?;
            let (update, stamp) = (read_bulk_update(fields)?, read_stamp(fields)?);
            read_ids(ids)?.into_iter().map(|id| Row { id, update: update.clone(), stamp }).collect()
        }
        None => batch(&body)?,
    };
    let id = format!("V3-{}", ids::hex(32));
    let job = Job { status: "queued", total: rows.len(), progress: 0, message: None, results: Vec::new() };
    let answer = {
        let mut account = shared.account.lock();
        if account.jobs.values().filter(|job| matches!(job.status, "queued" | "working")).count()
            >= UNFINISHED_JOBS
        {
            return Err(ApiError::TooManyJobs);
        }
        forget_finished(&mut account);
        let answer = rest(&id, &job, shared.base());
        account.jobs.insert(id.clone(), job);
        answer
    };
    shared.tasks.spawn(work(Arc::clone(&shared), id, rows, caller.0));
    Ok(Json(answer).into_response())
}

fn forget_finished(account: &mut Account) {
    if account.jobs.len() >= JOBS_KEPT {
        account.jobs.retain(|_, job| matches!(job.status, "queued" | "working"));
    }
}

fn batch(body: &Value) -> Result<Vec<Row>, ApiError> {
    let rows = body.get("tickets").and_then(Value::as_array);
    let rows = rows.filter(|rows| (1..=100).contains(&rows.len()));
    let rows =
        rows.ok_or(ApiError::BadParameter { name: "tickets", expected: "an array of 1 to 100 tickets" })?;
    rows.iter()
        .map(|fields| {
            let id = fields.get("id").and_then(Value::as_u64);
            let id = id.ok_or(ApiError::BadParameter { name: "id", expected: "an integer" })?;
            Ok(Row { id, update: read_bulk_update(fields)?, stamp: read_stamp(fields)? })
        })
        .collect()
}

fn read_bulk_update(fields: &Value) -> Result<TicketUpdate, ApiError> {
    let mut update = read_update(fields)?;
    update.tags.extend(strings(fields.get("additional_tags"))?.map(TagEdit::Add));
    update.tags.extend(strings(fields.get("remove_tags"))?.map(TagEdit::Remove));
    Ok(update)
}

async fn work(shared: Arc<Shared>, job_id: String, rows: Vec<Row>, caller: u64) {
    let pause = shared.options.job_delay;
    tokio::time::sleep(pause).await;
    set(&shared, &job_id, |job| job.status = "working");
    for row in rows {
        let comment = row.update.comment.as_ref().map(|comment| comment.public);
        let outcome = {
            let mut account = shared.account.lock();
            let checked = row.stamp.map_or(Ok(()), |stamp| account.check_stamp(row.id, stamp));
            let now = shared.clock.second();
            checked.and_then(|()| account.update(row.id, row.update, caller, Channel::Api, now))
        };
        let result = match outcome {
            Ok((_, events)) => {
                count_write(&shared, comment);
                super::publish(&shared, events);
                json!({"id": row.id, "action": "update", "status": "Updated", "success": true})
            }
            Err(refusal) => {
                let (error, details) = match refusal {
                    Refusal::NoSuchTicket => ("TicketNotFound", "Ticket not found"),
                    Refusal::Closed => ("TicketUpdateFailed", "Status: closed prevents ticket update"),
                    Refusal::Conflict => {
                        ("UpdateConflict", "Safe Update prevented the update due to outdated ticket data.")
                    }
                };
                json!({"id": row.id, "action": "update", "success": false, "error": error, "details": details})
            }
        };
        set(&shared, &job_id, |job| {
            job.progress += 1;
            job.results.push(result);
        });
    }
    let message = format!("Completed at {}", shared.clock.now());
    set(&shared, &job_id, |job| {
        job.status = "completed";
        job.message = Some(message);
    });
}

fn set(shared: &Shared, id: &str, change: impl FnOnce(&mut Job)) {
    if let Some(job) = shared.account.lock().jobs.get_mut(id) {
        change(job);
    }
}

pub(super) async fn show(State(shared): App, Path(id): Path<String>) -> Result<Response, ApiError> {
    let account = shared.account.lock();
    let job = account.jobs.get(&id).ok_or(ApiError::NotFound)?;
    Ok(Json(rest(&id, job, shared.base())).into_response())
}

fn rest(id: &str, job: &Job, base: &str) -> Value {
    let results = if job.status == "completed" { json!(job.results) } else { Value::Null };
    json!({"job_status": {
        "id": id, "job_type": "Bulk Update Ticket", "url": format!("{base}/api/v2/job_statuses/{id}.json"),
        "total": job.total, "progress": job.progress, "status": job.status, "message": job.message, "results": results,
    }})
}
