//! From results to HTTP responses: headers, encoding, and errors before and after the first byte.

use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::response::Builder;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::compression::{Encoder, Encoding};
use crate::exception::Exception;
use crate::ffi::Statistics;
use crate::format::content_type;

/// Why a body broke off after its head had been sent.
#[derive(Debug, thiserror::Error)]
#[error("the statement failed after its answer had begun")]
pub struct BrokenOff;

/// Every response's body.
pub type Body = UnsyncBoxBody<Bytes, BrokenOff>;

/// A body held whole.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A short plain text.
pub fn text(status: StatusCode, message: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    response
}

/// An error, before anything was sent.
pub fn failure(error: &Exception, query_id: &str) -> Response<Body> {
    let mut response = text(error.status(), error.body());
    let headers = response.headers_mut();
    headers.insert("x-clickhouse-exception-code", HeaderValue::from(error.code()));
    if let Ok(id) = HeaderValue::from_str(query_id) {
        headers.insert("x-clickhouse-query-id", id);
    }
    response
}

/// What every good answer's head says.
pub struct Head<'a> {
    /// The statement's id.
    pub query_id: &'a str,
    /// The answer's format.
    pub format: &'a str,
    /// How the body is encoded.
    pub encoding: Encoding,
    /// What it took so far.
    pub statistics: Statistics,
    /// When the request came.
    pub since: Instant,
}

impl Head<'_> {
    fn builder(&self) -> Builder {
        let mut builder = Response::builder()
            .status(StatusCode::OK)
            .header(CONTENT_TYPE, content_type(self.format))
            .header("x-clickhouse-server-display-name", "deskstream-clickhouse")
            .header("x-clickhouse-query-id", self.query_id)
            .header("x-clickhouse-format", self.format)
            .header("x-clickhouse-timezone", "UTC")
            .header("x-clickhouse-summary", summary(&self.statistics, self.since));
        if self.encoding == Encoding::Lz4Frame {
            builder = builder.header(CONTENT_ENCODING, "lz4");
        }
        builder
    }
}

/// All values are strings, as ClickHouse writes them.
fn summary(statistics: &Statistics, since: Instant) -> String {
    let Statistics { read_rows, read_bytes, result_rows, result_bytes, written_rows, written_bytes } =
        statistics;
    let elapsed_ns = since.elapsed().as_nanos();
    format!(
        "{{\"read_rows\":\"{read_rows}\",\"read_bytes\":\"{read_bytes}\",\"written_rows\":\"{written_rows}\",\
         \"written_bytes\":\"{written_bytes}\",\"total_rows_to_read\":\"0\",\"result_rows\":\"{result_rows}\",\
         \"result_bytes\":\"{result_bytes}\",\"elapsed_ns\":\"{elapsed_ns}\"}}"
    )
}

/// A good answer held whole.
pub fn whole(head: &Head<'_>, body: Bytes) -> Response<Body> {
    let mut encoder = Encoder::new(head.encoding);
    let body = match head.encoding {
        Encoding::Plain => body,
        Encoding::Blocks | Encoding::Lz4Frame => {
            let mut encoded = encoder.chunk(body).to_vec();
            encoded.extend_from_slice(&encoder.end());
            encoded.into()
        }
    };
    finish(head.builder(), full(body))
}

/// A good answer that comes in chunks. An error among them is written into the body the way ClickHouse has since
/// 25.11, between marks named in a header, and then the body breaks off, so that no client takes it for whole.
pub fn streamed(head: &Head<'_>, chunks: mpsc::Receiver<Result<Bytes, Exception>>) -> Response<Body> {
    let tag = Uuid::new_v4().simple().to_string()[..16].to_owned();
    let builder = head.builder().header("x-clickhouse-exception-tag", &tag);
    let state = Streamed { chunks, encoder: Encoder::new(head.encoding), tag, stage: Stage::Chunks };
    let frames = stream::unfold(state, |mut state| async move {
        let frame = state.next().await?;
        Some((frame, state))
    });
    finish(builder, StreamBody::new(frames.map(|frame| frame.map(Frame::data))).boxed_unsync())
}

fn finish(builder: Builder, body: Body) -> Response<Body> {
    // Only a format's name comes from the client, and the engine has accepted it as one.
    builder.body(body).unwrap_or_else(|error| {
        text(StatusCode::INTERNAL_SERVER_ERROR, format!("building the response: {error}\n"))
    })
}

enum Stage {
    Chunks,
    BreakOff,
    Ended,
}

struct Streamed {
    chunks: mpsc::Receiver<Result<Bytes, Exception>>,
    encoder: Encoder,
    tag: String,
    stage: Stage,
}

impl Streamed {
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        match self.stage {
            Stage::Chunks => match self.chunks.recv().await {
                Some(Ok(chunk)) => Some(Ok(self.encoder.chunk(chunk))),
                Some(Err(error)) => {
                    self.stage = Stage::BreakOff;
                    Some(Ok(self.encoder.chunk(self.mark(&error).into())))
                }
                None => {
                    self.stage = Stage::Ended;
                    let end = self.encoder.end();
                    (!end.is_empty()).then_some(Ok(end))
                }
            },
            Stage::BreakOff => {
                // hyper writes what it has when a body is not ready; an error at once would discard it.
                tokio::task::yield_now().await;
                self.stage = Stage::Ended;
                Some(Err(BrokenOff))
            }
            Stage::Ended => None,
        }
    }

    fn mark(&self, error: &Exception) -> String {
        let (tag, message) = (&self.tag, error.body());
        format!("\r\n__exception__\r\n{tag}\r\n{message}{} {tag}\r\n__exception__\r\n", message.len())
    }
}
