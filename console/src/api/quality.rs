//! How well models judge.
#![allow(unused_qualifications, reason = "utoipa writes out the type of `Query`")]

use crate::App;
use crate::history::quality::QualityReport;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::identity::caller::Caller;
use axum::Json;
use axum::extract::State;
use deskstream_runtime::time::now_ms;
use serde::Deserialize;
use utoipa::IntoParams;

/// A year and a month.
const MOST_DAYS: u32 = 400;

/// ISO 639-1 codes are shorter; what names no language has no quality.
const MOST_LETTERS: usize = 16;

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Asked {
    /// Days of the series; 30 if left out.
    #[param(minimum = 1, maximum = 400)]
    days: Option<u32>,
    /// ISO 639-1 code of a language; all languages if left out.
    #[param(pattern = "^[A-Za-z*-]{1,16}$")]
    language: Option<String>,
}

/// Show how well models judge
///
/// Precision, recall and F1 against reviews by humans, and how far tickets have moved from the days before.
#[utoipa::path(get, path = "/api/v1/quality", tag = "overview", params(Asked),
    responses((status = 200, body = QualityReport), (status = 422, body = crate::http::error::Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<QualityReport>, ApiError> {
    let days = match asked.days {
        None => 30,
        Some(days) if (1..=MOST_DAYS).contains(&days) => days,
        Some(_) => return Err(ApiError::field("days", "is out of range", "give 1 to 400")),
    };
    let language = asked.language.as_deref().unwrap_or("*");
    let known = |c: char| c.is_ascii_alphabetic() || c == '-' || c == '*';
    if language.is_empty() || language.len() > MOST_LETTERS || !language.chars().all(known) {
        return Err(ApiError::field("language", "is no code of a language", "give one such as en, or none"));
    }
    Ok(Json(app.history.quality(&caller.scope, language, days, now_ms()).await?))
}
