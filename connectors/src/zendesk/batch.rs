//! Many updates by one request, where single ones would have to wait: `update_many`.
//!
//! An account may update a hundred tickets a minute by single requests, and a hundred by *one* request here. So whoever finds
//! no turn for a single update hands its update in; those that come within [`WINDOW`] go out together. Each keeps its own
//! safe-update stamp. Zendesk answers with a job; it is asked after the job until that is finished, and each ticket's result
//! goes back to who handed it in.
//!
//! What a single update's answer tells of what it replaced a job does not tell: see decision 0031, and `batch` in the
//! account's settings. A job whose end can't be found out leaves its updates uncertain: each is looked for by its note
//! before it is written again, and one that comes late after all finds an outdated stamp.

use super::client::{Api, Replaced, SERVICE, Update, Updated};
use crate::http::{Backoff, Call, CallError, Cause, Effect, Hint};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// More tickets Zendesk does not take in one request.
const MOST: usize = 100;

/// How long the first update waits for others. Under load a hundred come together; with fewer nobody waits for long.
const WINDOW: Duration = Duration::from_millis(200);

/// Jobs at the same time. Zendesk runs 30 for an account, and others use it too.
const JOBS: usize = 4;

/// Waits between two questions after a job, which takes a second for each ten tickets or so.
const ASK: Backoff = Backoff { first: Duration::from_millis(300), most: Duration::from_secs(5) };

/// A job that is not finished by then is not waited for.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

const ENDPOINT: &str = "tickets_update_many";

/// Takes updates in, and gives back what became of them.
pub(super) struct Batcher {
    rows: mpsc::Sender<Row>,
}

struct Row {
    ticket: String,
    update: Update,
    answer: oneshot::Sender<Done>,
}

/// What became of an update.
#[derive(Clone)]
enum Done {
    Known(Updated),
    Failed { status: Option<StatusCode>, effect: Effect, hint: Hint },
}

#[derive(Serialize)]
struct Sent<'a> {
    id: &'a serde_json::value::RawValue,
    #[serde(flatten)]
    update: &'a Update,
}

#[derive(Deserialize)]
struct Status {
    job_status: Job,
}

#[derive(Deserialize)]
struct Job {
    id: String,
    status: String,
    #[serde(default)]
    results: Option<Vec<Outcome>>,
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    success: Option<bool>,
    #[serde(default)]
    error: Option<String>,
}

impl Outcome {
    fn updated(&self) -> Updated {
        match (self.success, self.error.as_deref()) {
            (Some(true), _) | (None, None) => Updated::Applied(Replaced::default()),
            (_, Some("UpdateConflict")) => Updated::Conflict,
            (_, Some("TicketNotFound" | "RecordNotFound")) => Updated::NotFound,
            _ => Updated::Refused(StatusCode::UNPROCESSABLE_ENTITY),
        }
    }
}

impl Batcher {
    /// A batcher whose task ends with it.
    pub(super) fn start(api: Arc<Api>) -> Self {
        let (rows, received) = mpsc::channel(MOST);
        tokio::spawn(gather(api, received));
        Self { rows }
    }

    /// Updates a ticket with others; returns when its fate is known.
    pub(super) async fn update(&self, ticket: &str, update: Update) -> Result<Updated, CallError> {
        let (answer, done) = oneshot::channel();
        let row = Row { ticket: ticket.to_owned(), update, answer };
        let unsent = Done::Failed { status: None, effect: Effect::None, hint: Hint::Backoff };
        // The task has ended with the process, before it took the row or while it was out.
        let done = match self.rows.send(row).await {
            Err(_) => unsent,
            Ok(()) => {
                let lost = Done::Failed { status: None, effect: Effect::Unknown, hint: Hint::Backoff };
                done.await.unwrap_or(lost)
            }
        };
        match done {
            Done::Known(updated) => Ok(updated),
            Done::Failed { status, effect, hint } => {
                let cause = status.map_or(Cause::Malformed("the batch's result is not known"), |status| {
                    Cause::Status { status, code: None }
                });
                Err(CallError { service: SERVICE, endpoint: ENDPOINT, cause, effect, hint, attempts: 1 })
            }
        }
    }
}

/// Gathers updates and sends them, until nobody hands any in.
async fn gather(api: Arc<Api>, mut received: mpsc::Receiver<Row>) {
    let jobs = Arc::new(Semaphore::new(JOBS));
    while let Some(first) = received.recv().await {
        let mut batch = vec![first];
        let until = Instant::now() + WINDOW;
        while batch.len() < MOST
            && let Ok(Some(row)) = tokio::time::timeout_at(until, received.recv()).await
        {
            batch.push(row);
        }
        // While all jobs are out more gather in the channel, and who hands in waits.
        let Ok(place) = Arc::clone(&jobs).acquire_owned().await else { return };
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let ended = send(&api, &batch).await;
            for row in batch {
                let done = match &ended {
                    Ok(results) => results.get(&row.ticket).cloned().map_or(
                        // A job that says nothing of a ticket leaves it open.
                        Done::Failed { status: None, effect: Effect::Unknown, hint: Hint::Backoff },
                        Done::Known,
                    ),
                    Err(failed) => failed.clone(),
                };
                // Who no longer waits looks for the note.
                drop(row.answer.send(done));
            }
            drop(place);
        });
    }
}

/// Sends a batch and waits for its job: what became of each ticket, as far as the job tells.
async fn send(api: &Api, batch: &[Row]) -> Result<HashMap<String, Updated>, Done> {
    let ids: Vec<_> = batch
        .iter()
        .map(|row| serde_json::value::RawValue::from_string(row.ticket.clone()))
        .collect::<Result<_, _>>()
        .map_err(|_| Done::Failed { status: None, effect: Effect::None, hint: Hint::Never })?;
    let tickets: Vec<_> = ids.iter().zip(batch).map(|(id, row)| Sent { id, update: &row.update }).collect();
    let body = serde_json::to_vec(&serde_json::json!({ "tickets": tickets })).expect("texts are JSON");
    let call = Call::write(ENDPOINT, Method::PUT, "/api/v2/tickets/update_many", Bytes::from(body));
    let failed =
        |error: &CallError| Done::Failed { status: error.status(), effect: error.effect, hint: error.hint };
    let answer = api.http().call(&call).await.map_err(|error| {
        tracing::warn!(%error, tickets = batch.len(), "a batch of updates was not taken");
        failed(&error)
    })?;
    let begun: Status =
        api.http().json(ENDPOINT, &answer, Effect::Unknown).map_err(|error| failed(&error))?;
    let mut job = begun.job_status;
    let deadline = Instant::now() + PATIENCE;
    let mut waits = ASK.waits();
    loop {
        match job.status.as_str() {
            "completed" | "failed" | "killed" => break,
            _ if Instant::now() > deadline => break,
            _ => {}
        }
        tokio::time::sleep(waits.next().unwrap_or(ASK.most)).await;
        let url = format!("/api/v2/job_statuses/{}", job.id);
        let asked = api.http().call(&Call::get("job_status", &url)).await;
        let status =
            asked.and_then(|answer| api.http().json::<Status>("job_status", &answer, Effect::Unknown));
        match status {
            Ok(status) => job = status.job_status,
            Err(error) if error.retry() => {
                tracing::warn!(%error, "a job's status can't be read now");
                if Instant::now() > deadline {
                    break;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a job's status can't be read");
                break;
            }
        }
    }
    let results = job.results.unwrap_or_default();
    Ok(results.iter().filter_map(|row| Some((row.id?.to_string(), row.updated()))).collect())
}
