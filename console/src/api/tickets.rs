//! The unified inbox.
#![allow(unused_qualifications, reason = "utoipa writes out the type of `Query`")]

use super::Page;
use crate::App;
use crate::audit::Note;
use crate::history::millis::{self, Millis};
use crate::history::tickets::{Event, Filter, Opinion, Ticket, WriteBack};
use crate::http::cursor;
use crate::http::error::{ApiError, FieldProblem};
use crate::http::extract::{Json, Path, Query, bounded};
use crate::identity::caller::Caller;
use crate::reviews::{self, Labels, Review};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What the inbox is narrowed by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct InboxQuery {
    /// A tenant, for operators; of another one there is nothing to see.
    tenant: Option<String>,
    /// zendesk, freshdesk, import …
    platform: Option<String>,
    /// new, open, pending, hold, solved or closed.
    status: Option<String>,
    /// low, normal, high or critical.
    urgency: Option<String>,
    /// negative, neutral or positive.
    sentiment: Option<String>,
    /// What it is about.
    root_cause: Option<String>,
    /// ISO 639-1.
    language: Option<String>,
    /// none, low, normal, high or urgent.
    priority: Option<String>,
    /// Only tickets that are not solved.
    open: Option<bool>,
    /// Words of the redacted subject or summary.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Changed at this time or later (RFC 3339).
    from: Option<String>,
    /// Changed at this time or before.
    to: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Rows of a page, 1 to 200.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// List tickets
///
/// Of all helpdesks, in their latest state, the last changed first. What names persons was removed before it was stored.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", params(InboxQuery),
    responses((status = 200, body = Page<Ticket>), (status = 422, body = crate::http::error::Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Query(asked): Query<InboxQuery>,
) -> Result<axum::Json<Page<Ticket>>, ApiError> {
    let limit = cursor::limit(asked.limit)?;
    let after = cursor::decode(asked.cursor.as_deref())?;
    let filter = Filter {
        equal: [
            ("tenant", bounded("tenant", asked.tenant)?),
            ("platform", bounded("platform", asked.platform)?),
            ("status", bounded("status", asked.status)?),
            ("urgency", bounded("urgency", asked.urgency)?),
            ("sentiment", bounded("sentiment", asked.sentiment)?),
            ("root_cause", bounded("root_cause", asked.root_cause)?),
            ("language", bounded("language", asked.language)?),
            ("priority", bounded("priority", asked.priority)?),
        ],
        text: bounded("q", asked.q)?,
        open: asked.open.unwrap_or(false),
        from: millis::parse("from", asked.from.as_deref())?,
        to: millis::parse("to", asked.to.as_deref())?,
    };
    note.resource("tickets");
    let rows = app.history.tickets(&caller.scope, &filter, after, limit + 1).await?;
    note.detail("rows", rows.len().min(usize::try_from(limit).unwrap_or_default()).to_string());
    Ok(Page::of(rows, limit, Ticket::key))
}

/// What lists can be narrowed by, and what a correction may say.
#[derive(Serialize, ToSchema)]
pub struct Filters {
    /// Helpdesks with tickets.
    pub platforms: Vec<String>,
    /// Languages of tickets.
    pub languages: Vec<String>,
    /// Root causes of tickets, and those of the model.
    pub root_causes: Vec<String>,
    /// The model's labels, which a correction chooses from.
    pub labels: ModelLabels,
}

/// The labels of the model.
#[derive(Serialize, ToSchema)]
pub struct ModelLabels {
    /// Of root causes.
    pub root_cause: Vec<String>,
    /// Of urgency, the least first.
    pub urgency: Vec<String>,
    /// Of sentiment.
    pub sentiment: Vec<String>,
}

/// Show what tickets can be narrowed by
#[utoipa::path(get, path = "/api/v1/tickets/filters", tag = "tickets", responses((status = 200, body = Filters)))]
pub async fn filters(State(app): State<App>, caller: Caller) -> Result<axum::Json<Filters>, ApiError> {
    let seen = app.history.seen(&caller.scope).await?;
    let labels = &app.labels;
    let causes: std::collections::BTreeSet<_> =
        seen.root_causes.into_iter().chain(labels.root_cause.iter().cloned()).collect();
    Ok(axum::Json(Filters {
        platforms: seen.platforms,
        languages: seen.languages,
        root_causes: causes.into_iter().filter(|cause| !cause.is_empty()).collect(),
        labels: ModelLabels {
            root_cause: labels.root_cause.clone(),
            urgency: labels.urgency.clone(),
            sentiment: labels.sentiment.clone(),
        },
    }))
}

/// A ticket with all that is known of it.
#[derive(Serialize, ToSchema)]
pub struct TicketDetail {
    /// Its tenant.
    pub tenant: String,
    /// The helpdesk.
    pub platform: String,
    /// Its id there.
    pub ticket_id: String,
    /// What was written and how it was judged, newest first; at most 500.
    pub events: Vec<Event>,
    /// What the helpdesk answered to write-backs, newest first.
    pub write_backs: Vec<WriteBack>,
    /// What language models said, newest first.
    pub opinions: Vec<Opinion>,
    /// The latest correction by a reviewer.
    pub review: Option<Review>,
}

/// Show a ticket
#[utoipa::path(get, path = "/api/v1/tickets/{platform}/{ticket_id}", tag = "tickets",
    params(("platform" = String, Path, description = "The helpdesk"), ("ticket_id" = String, Path, description = "Its id there")),
    responses((status = 200, body = TicketDetail), (status = 404, body = crate::http::error::Problem),
        (status = 409, description = "An operator has to choose a tenant first", body = crate::http::error::Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path((platform, ticket)): Path<(String, String)>,
) -> Result<axum::Json<TicketDetail>, ApiError> {
    let tenant = caller.scope.one()?;
    note.resource(format!("ticket/{platform}/{ticket}"));
    let (events, write_backs, opinions) = tokio::try_join!(
        app.history.events(&caller.scope, &platform, &ticket),
        app.history.write_backs(&caller.scope, &platform, &ticket),
        app.history.opinions(&caller.scope, &platform, &ticket),
    )?;
    if events.is_empty() {
        return Err(ApiError::NotFound);
    }
    let review = reviews::get(&app.process, tenant, &platform, &ticket);
    let tenant = tenant.to_owned();
    Ok(axum::Json(TicketDetail {
        tenant,
        platform,
        ticket_id: ticket,
        events,
        write_backs,
        opinions,
        review,
    }))
}

/// A correction. What is left out was right, or is not judged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReview {
    /// What it is about.
    pub root_cause: Option<String>,
    /// How urgent it is.
    pub urgency: Option<String>,
    /// How its writer feels.
    pub sentiment: Option<String>,
}

fn check(labels: &Labels, asked: &NewReview) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    for (field, value, known) in [
        ("root_cause", &asked.root_cause, &labels.root_cause),
        ("urgency", &asked.urgency, &labels.urgency),
        ("sentiment", &asked.sentiment, &labels.sentiment),
    ] {
        if let Some(value) = value
            && !known.contains(value)
        {
            problems.push(FieldProblem::new(
                field,
                "is no label",
                format!("give one of {}", known.join(", ")),
            ));
        }
    }
    if asked.root_cause.is_none() && asked.urgency.is_none() && asked.sentiment.is_none() {
        problems.push(FieldProblem::new(
            "root_cause",
            "is missing, and so are the others",
            "give one at least",
        ));
    }
    if problems.is_empty() { Ok(()) } else { Err(ApiError::Invalid(problems)) }
}

/// Correct a ticket's analysis
///
/// Becomes a review event; the latest of a ticket holds.
#[utoipa::path(post, path = "/api/v1/tickets/{platform}/{ticket_id}/reviews", tag = "tickets", request_body = NewReview,
    params(("platform" = String, Path, description = "The helpdesk"), ("ticket_id" = String, Path, description = "Its id there"),
        ("Idempotency-Key" = Option<String>, Header, description = "A request sent again gets the first answer")),
    responses((status = 201, body = Review), (status = 404, body = crate::http::error::Problem),
        (status = 422, body = crate::http::error::Problem)))]
pub async fn review(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Path((platform, ticket)): Path<(String, String)>,
    Json(asked): Json<NewReview>,
) -> Result<impl IntoResponse, ApiError> {
    let tenant = caller.scope.one()?;
    note.resource(format!("ticket/{platform}/{ticket}"));
    check(&app.labels, &asked)?;
    let events = app.history.events(&caller.scope, &platform, &ticket).await?;
    let latest = events.first().ok_or(ApiError::NotFound)?;
    let review = Review {
        event_id: latest.event_id.clone(),
        version: latest.version,
        root_cause: asked.root_cause,
        urgency: asked.urgency,
        sentiment: asked.sentiment,
        reviewed_by: caller.id.clone(),
        reviewed_at: Millis(deskstream_runtime::time::now_ms()),
    };
    for (name, value) in
        [("root_cause", &review.root_cause), ("urgency", &review.urgency), ("sentiment", &review.sentiment)]
    {
        if let Some(value) = value {
            note.detail(name, value);
        }
    }
    let _changing = app.changes.lock().await;
    reviews::store(&app.process, tenant, &platform, &ticket, &review).await?;
    Ok((StatusCode::CREATED, axum::Json(review)))
}
