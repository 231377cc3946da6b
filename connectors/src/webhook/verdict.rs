//! How a webhook request ends: status, counter and body, in one place.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    /// On disk, to be replayed.
    Spooled,
    Replayed,
    Ignored,
    OwnUpdate,
    UnknownTenant,
    /// Not from an address that the account allows.
    ForeignSource,
    TooLarge,
    Unsigned,
    BadSignature,
    Stale,
    NotJson,
    BadShape,
    Unprocessable,
    BodyTimeout,
    BodyBroken,
    /// Too many requests are under way.
    Busy,
    /// Too many of them are the tenant's.
    OverShare,
    /// The broker did not acknowledge.
    BrokerAway,
    /// The broker does not acknowledge, and the disk takes no more.
    SpoolFull,
    /// The helpdesk does not give the ticket that the request names.
    HelpdeskAway,
}

impl Verdict {
    /// Value of the label `result`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Spooled => "spooled",
            Self::Replayed => "replayed",
            Self::Ignored => "ignored",
            Self::OwnUpdate => "own_update",
            Self::UnknownTenant => "unknown_tenant",
            Self::ForeignSource => "foreign_source",
            Self::TooLarge => "too_large",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::Stale => "stale",
            Self::NotJson => "not_json",
            Self::BadShape => "bad_shape",
            Self::Unprocessable => "unprocessable",
            Self::BodyTimeout => "body_timeout",
            Self::BodyBroken => "body_broken",
            Self::Busy => "busy",
            Self::OverShare => "over_share",
            Self::BrokerAway => "broker_away",
            Self::SpoolFull => "spool_full",
            Self::HelpdeskAway => "helpdesk_away",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Accepted | Self::Spooled | Self::Replayed | Self::Ignored | Self::OwnUpdate => {
                StatusCode::OK
            }
            Self::UnknownTenant => StatusCode::NOT_FOUND,
            Self::ForeignSource => StatusCode::FORBIDDEN,
            Self::TooLarge | Self::Unprocessable => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsigned | Self::BadSignature | Self::Stale => StatusCode::UNAUTHORIZED,
            Self::NotJson | Self::BadShape | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::OverShare => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::BrokerAway | Self::SpoolFull | Self::HelpdeskAway => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// Seconds after which the sender shall try again. Zendesk does so only for waits of less than a minute;
    /// `spread` (0 to 1) keeps senders from coming back all at once.
    pub(super) fn retry_after(self, spread: f64) -> Option<u64> {
        let (from, to) = match self {
            Self::Busy | Self::OverShare => (1.0, 6.0),
            Self::BrokerAway | Self::SpoolFull | Self::HelpdeskAway => (5.0, 45.0),
            _ => return None,
        };
        Some((from + (to - from) * spread.clamp(0.0, 1.0)) as u64)
    }

    /// Whether the same request may be taken when it comes again.
    pub(super) fn passes(self) -> bool {
        self.retry_after(0.0).is_some()
    }

    pub(super) fn response(self, spread: f64) -> Response {
        let body = match self.status() {
            StatusCode::OK => "{\"ok\":true}\n".to_owned(),
            _ => format!("{{\"error\":\"{}\"}}\n", self.name()),
        };
        let json = HeaderValue::from_static("application/json");
        let mut response = (self.status(), [(header::CONTENT_TYPE, json)], body).into_response();
        if let Some(seconds) = self.retry_after(spread) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::BodyTimeout | Self::BodyBroken | Self::TooLarge) {
            // The rest of the body is not read: the connection can't be used again.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_told_to_come_back_within_a_minute() {
        for verdict in [
            Verdict::Busy,
            Verdict::OverShare,
            Verdict::BrokerAway,
            Verdict::SpoolFull,
            Verdict::HelpdeskAway,
        ] {
            for spread in [0.0, 0.5, 1.0, 7.0] {
                let seconds = verdict.retry_after(spread).unwrap();
                assert!((1..60).contains(&seconds), "{seconds}");
            }
            let status = match verdict {
                Verdict::OverShare => StatusCode::TOO_MANY_REQUESTS,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            assert_eq!(verdict.response(0.3).status(), status);
        }
        assert_eq!(Verdict::Stale.retry_after(0.5), None);
    }
}
