//! The audit trail, shown and exported.
#![allow(unused_qualifications, reason = "utoipa writes out the type of `Query`")]

use super::Page;
use crate::App;
use crate::audit::Note;
use crate::history::audit::{AuditFilter, Entry};
use crate::history::millis;
use crate::http::cursor;
use crate::http::error::ApiError;
use crate::http::extract::{Query, bounded};
use crate::identity::caller::Caller;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures::StreamExt as _;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Most rows of one export; more are taken by narrower ranges of time.
const MOST_ROWS: u32 = 1_000_000;

/// Rows are sent in pieces of about this.
const PIECE: usize = 32 * 1024;

/// What the trail is narrowed by.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// A tenant, for operators; of another one there is nothing to see.
    tenant: Option<String>,
    /// user, api_key or system.
    actor_kind: Option<String>,
    /// Id of a user or key, or name of a process.
    actor: Option<String>,
    /// verb.noun
    action: Option<String>,
    /// What it was done to.
    resource: Option<String>,
    /// ok, denied or error.
    outcome: Option<String>,
    /// The X-Request-Id of an answer.
    request_id: Option<String>,
    /// At this time or later (RFC 3339).
    from: Option<String>,
    /// At this time or before.
    to: Option<String>,
    /// `next` of the page before; not for exports.
    cursor: Option<String>,
    /// Rows of a page, 1 to 200; not for exports.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// For exports: csv or jsonl.
    format: Option<Format>,
}

/// Form of an export.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated, with a line of names.
    Csv,
    /// One JSON object a line.
    #[default]
    Jsonl,
}

impl AuditQuery {
    fn filter(&self) -> Result<AuditFilter, ApiError> {
        Ok(AuditFilter {
            equal: [
                ("tenant", bounded("tenant", self.tenant.clone())?),
                ("actor_kind", bounded("actor_kind", self.actor_kind.clone())?),
                ("actor", bounded("actor", self.actor.clone())?),
                ("action", bounded("action", self.action.clone())?),
                ("resource", bounded("resource", self.resource.clone())?),
                ("outcome", bounded("outcome", self.outcome.clone())?),
                ("request_id", bounded("request_id", self.request_id.clone())?),
            ],
            from: millis::parse("from", self.from.as_deref())?,
            to: millis::parse("to", self.to.as_deref())?,
        })
    }
}

/// Show the audit trail
///
/// The newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = Page<Entry>), (status = 422, body = crate::http::error::Problem)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Query(asked): Query<AuditQuery>,
) -> Result<axum::Json<Page<Entry>>, ApiError> {
    note.resource("audit");
    let limit = cursor::limit(asked.limit)?;
    let after = cursor::decode(asked.cursor.as_deref())?;
    let rows = app.history.audit(&caller.scope, &asked.filter()?, after, limit + 1).await?;
    Ok(Page::of(rows, limit, Entry::key))
}

/// Export the audit trail
///
/// As CSV or JSON lines, the newest first; at most a million rows.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", params(AuditQuery),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 422, body = crate::http::error::Problem)))]
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    note: Note,
    Query(asked): Query<AuditQuery>,
) -> Result<impl IntoResponse, ApiError> {
    note.resource("audit");
    if asked.cursor.is_some() || asked.limit.is_some() {
        return Err(ApiError::field("cursor", "and limit are for pages", "narrow an export by from and to"));
    }
    let format = asked.format.unwrap_or_default();
    note.detail("format", format!("{format:?}").to_lowercase());
    let rows = app.history.audit_rows(&caller.scope, &asked.filter()?, MOST_ROWS)?;
    let head = if format == Format::Csv { line(&NAMES.map(str::to_owned)) } else { Vec::new() };
    let pieces = futures::stream::unfold(Some((rows, head)), move |state| async move {
        let (mut rows, mut piece) = state?;
        loop {
            match rows.next().await {
                Ok(Some(row)) => write(format, &row, &mut piece),
                Ok(None) => return (!piece.is_empty()).then(|| (Ok(Bytes::from(piece)), None)),
                Err(error) => {
                    drop(ApiError::from(error));
                    // The body breaks off, so that nobody takes a part for the whole.
                    return Some((Err(std::io::Error::other("ClickHouse broke off")), None));
                }
            }
            if piece.len() >= PIECE {
                return Some((Ok(Bytes::from(piece)), Some((rows, Vec::with_capacity(PIECE)))));
            }
        }
    });
    let (kind, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"audit.csv\""),
        Format::Jsonl => ("application/x-ndjson", "attachment; filename=\"audit.jsonl\""),
    };
    Ok((
        [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)],
        Body::from_stream(pieces.fuse()),
    ))
}

const NAMES: [&str; 12] = [
    "at",
    "tenant",
    "actor_kind",
    "actor",
    "action",
    "resource",
    "outcome",
    "detail",
    "source_ip",
    "user_agent",
    "request_id",
    "audit_id",
];

fn write(format: Format, row: &Entry, piece: &mut Vec<u8>) {
    if format == Format::Jsonl {
        // Strings and numbers have a JSON form.
        drop(serde_json::to_writer(&mut *piece, row));
        piece.push(b'\n');
        return;
    }
    let detail =
        row.detail.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    piece.extend(line(&[
        row.at.to_string(),
        row.tenant.clone(),
        row.actor_kind.clone(),
        row.actor.clone(),
        row.action.clone(),
        row.resource.clone(),
        row.outcome.clone(),
        detail,
        row.source_ip.clone(),
        row.user_agent.clone(),
        row.request_id.clone(),
        row.audit_id.clone(),
    ]));
}

fn line(cells: &[String; 12]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Memory takes any number of bytes.
    drop(writer.write_record(cells.iter().map(|cell| harmless(cell).into_owned())));
    writer.into_inner().unwrap_or_default()
}

/// A user agent is its sender's text: a spreadsheet must not take it for a formula.
fn harmless(cell: &str) -> std::borrow::Cow<'_, str> {
    match cell.chars().next() {
        // `*` is a tenant.
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{cell}").into(),
        _ => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula() {
        assert_eq!(harmless("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(harmless("Mozilla/5.0"), "Mozilla/5.0");
        assert_eq!(String::from_utf8(line(&NAMES.map(str::to_owned))).unwrap().matches(',').count(), 11);
    }
}
