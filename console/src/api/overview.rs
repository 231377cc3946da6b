//! Live numbers.
#![allow(unused_qualifications, reason = "utoipa writes out the type of `Query`")]

use crate::App;
use crate::history::overview::Overview;
use crate::http::error::ApiError;
use crate::http::extract::Query;
use crate::identity::caller::{Caller, Scope};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use deskstream_runtime::time::now_ms;
use futures::{Stream, StreamExt as _};
use moka::future::Cache;
use prometheus::{IntGauge, register_int_gauge};
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

/// A week.
const MOST_MINUTES: u32 = 7 * 24 * 60;

/// Windows are published about as often.
const PERIOD: Duration = Duration::from_secs(2);

/// Answers, kept for a moment: however many look at one tenant's numbers, ClickHouse is asked once.
pub type Answers = Cache<(Scope, u32), Arc<Overview>>;

static STREAMS: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_console_streams", "Open streams of live numbers")
        .expect("a metric is registered once, under a valid name")
});

/// Room for a stream, counted while it is taken.
struct Turn(#[allow(dead_code, reason = "held until the stream ends")] OwnedSemaphorePermit);

impl Turn {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        STREAMS.inc();
        Self(permit)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        STREAMS.dec();
    }
}

/// An empty cache.
pub fn answers() -> Answers {
    Cache::builder().max_capacity(1000).time_to_live(Duration::from_secs(1)).build()
}

/// Which time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Range {
    /// The last so many minutes; 60 if left out, a week at most.
    #[param(minimum = 1, maximum = 10080)]
    minutes: Option<u32>,
}

impl Range {
    fn minutes(&self) -> Result<u32, ApiError> {
        match self.minutes {
            None => Ok(60),
            Some(minutes) if (1..=MOST_MINUTES).contains(&minutes) => Ok(minutes),
            Some(_) => Err(ApiError::field("minutes", "is out of range", "give 1 to 10080")),
        }
    }
}

async fn answer(app: &App, scope: &Scope, minutes: u32) -> Result<Arc<Overview>, ApiError> {
    let ask = async {
        let mut overview = app.history.overview(scope, minutes, now_ms()).await?;
        // What a tenant's share of it is nobody knows, and of the others' events it is not told.
        overview.lag = scope.is_all().then(|| app.lag.events()).flatten();
        Ok::<_, ApiError>(Arc::new(overview))
    };
    // Its cause was logged by the one that asked.
    app.answers.try_get_with((scope.clone(), minutes), ask).await.map_err(|_| ApiError::Away("ClickHouse"))
}

/// Show the overview
///
/// Throughput, urgency, sentiment and root causes of the last minutes, and the alerts that fire now.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", params(Range),
    responses((status = 200, body = Overview), (status = 422, body = crate::http::error::Problem)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    Query(range): Query<Range>,
) -> Result<axum::Json<Arc<Overview>>, ApiError> {
    Ok(axum::Json(answer(&app, &caller.scope, range.minutes()?).await?))
}

/// Follow the overview
///
/// Server-sent events: `overview` with the same JSON, whenever it changes; `ended` when the access token expires or the
/// session ends, and the caller has to connect again.
#[utoipa::path(get, path = "/api/v1/overview/stream", tag = "overview", params(Range),
    responses((status = 200, content_type = "text/event-stream", body = String)))]
pub async fn stream(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(range): Query<Range>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let minutes = range.minutes()?;
    let turn = Arc::clone(&app.streams).try_acquire_owned();
    let turn = turn
        .map_err(|_| ApiError::TooMany { what: "too many open streams", after: Duration::from_secs(10) })?;
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let state = (app, caller, headers, ticks, Turn::new(turn), String::new(), false);
    let events = futures::stream::unfold(
        state,
        move |(app, caller, headers, mut ticks, turn, mut last, ended)| async move {
            if ended {
                return None;
            }
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    () = app.process.shutdown.cancelled() => return None,
                }
                // What may be seen can change while one looks.
                let same = Caller::of(&app.process, &headers).is_ok_and(|now| {
                    now.scope == caller.scope
                        && now.may(crate::identity::permissions::Permission::ReadMetrics)
                });
                if !same {
                    let event = Event::default().event("ended").data("{}");
                    return Some((Ok(event), (app, caller, headers, ticks, turn, last, true)));
                }
                // ClickHouse being away ends no stream.
                let Ok(overview) = answer(&app, &caller.scope, minutes).await else { continue };
                let data = serde_json::to_string(&*overview).unwrap_or_default();
                if data != last {
                    last.clone_from(&data);
                    let event = Event::default().event("overview").data(data);
                    return Some((Ok(event), (app, caller, headers, ticks, turn, last, false)));
                }
            }
        },
    );
    Ok(Sse::new(events.fuse()).keep_alive(KeepAlive::default()))
}
