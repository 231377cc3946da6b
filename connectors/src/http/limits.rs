//! What services say of their rate limits, in the many ways in which they spell it.
//!
//! | spelling | who |
//! | --- | --- |
//! | `X-Rate-Limit`, `X-Rate-Limit-Remaining` | Zendesk |
//! | `ratelimit-limit`, `ratelimit-remaining`, `ratelimit-reset` (seconds) | Zendesk; IETF drafts to 06 |
//! | `rate-limit`, `rate-limit-limit`, `rate-limit-remaining` … | Zendesk, older |
//! | `zendesk-ratelimit-<endpoint>: total=100; remaining=99; resets=41`, `zendesk-rate-limit-<endpoint>: …` | Zendesk, one endpoint |
//! | `X-RateLimit-Total`, `X-RateLimit-Remaining` | Freshdesk |
//! | `X-RateLimit-Limit`, `-Remaining`, `-Reset` (Unix time) | Intercom |
//! | `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests` (`6m0s`) | OpenAI |
//! | `Retry-After`: seconds, or an HTTP date | all |
//!
//! What can't be read is ignored: a service that renames a header slows nothing down.

use http::HeaderMap;
use http::header::RETRY_AFTER;
use jiff::Timestamp;
use std::time::Duration;

/// Larger numbers are Unix times, not seconds to go: a reset is never 30 years away.
const UNIX_TIME_FROM: u64 = 1_000_000_000;

/// Longer waits than this are not believed: no limit of a helpdesk lasts longer, a broken clock may.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// A service's limits, as far as it told them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests per window, in all.
    pub limit: Option<u32>,
    /// What is left of it.
    pub remaining: Option<u32>,
    /// When the window ends.
    pub resets_in: Option<Duration>,
    /// The endpoint's own limit, where that has one.
    pub endpoint: Option<EndpointLimit>,
}

/// The limit of one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EndpointLimit {
    /// Requests per window.
    pub limit: Option<u32>,
    /// What is left of it.
    pub remaining: Option<u32>,
    /// When the window ends.
    pub resets_in: Option<Duration>,
}

impl RateLimits {
    /// Reads what the headers of an answer say.
    pub fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let mut limits = Self::default();
        for (name, value) in headers {
            let Ok(value) = value.to_str() else { continue };
            let name = name.as_str();
            let name = name.strip_prefix("x-").unwrap_or(name);
            let (vendor, name) = match name.strip_prefix("zendesk-") {
                Some(rest) => (true, rest),
                None => (false, name),
            };
            let Some(rest) = name.strip_prefix("ratelimit").or_else(|| name.strip_prefix("rate-limit"))
            else {
                continue;
            };
            if vendor {
                // Where a request counts for several, the one that is used up first is the one to heed.
                limits.endpoint = [limits.endpoint, endpoint(value, now)]
                    .into_iter()
                    .flatten()
                    .min_by_key(|own| own.remaining.unwrap_or(u32::MAX));
                continue;
            }
            match rest.strip_suffix("-requests").unwrap_or(rest) {
                "" if value.contains('=') => {
                    // One header for all, as in IETF draft 07: `limit=100, remaining=50, reset=5`.
                    if let Some(all) = endpoint(value, now) {
                        limits.limit = all.limit.or(limits.limit);
                        limits.remaining = all.remaining.or(limits.remaining);
                        limits.resets_in = all.resets_in.or(limits.resets_in);
                    }
                }
                "" | "-limit" | "-total" => limits.limit = number(value).or(limits.limit),
                "-remaining" => limits.remaining = number(value).or(limits.remaining),
                "-reset" => limits.resets_in = wait(value, now).or(limits.resets_in),
                _ => {}
            }
        }
        limits
    }

    /// How long to wait since nothing is left; `None` if something is, or nothing was said.
    pub fn exhausted(&self, default: Duration) -> Option<Duration> {
        (self.remaining == Some(0)).then(|| self.resets_in.unwrap_or(default))
    }
}

impl EndpointLimit {
    /// As [`RateLimits::exhausted`].
    pub fn exhausted(&self, default: Duration) -> Option<Duration> {
        (self.remaining == Some(0)).then(|| self.resets_in.unwrap_or(default))
    }
}

/// The wait that `Retry-After` asks for.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    wait(headers.get(RETRY_AFTER)?.to_str().ok()?, now)
}

/// `total=100; remaining=99; resets=41`, with `,` or `;` between.
fn endpoint(value: &str, now: Timestamp) -> Option<EndpointLimit> {
    let mut found = EndpointLimit::default();
    for part in value.split([';', ',']) {
        let Some((name, value)) = part.split_once('=') else { continue };
        match name.trim() {
            "total" | "limit" => found.limit = number(value),
            "remaining" => found.remaining = number(value),
            "resets" | "reset" => found.resets_in = wait(value, now),
            _ => {}
        }
    }
    (found != EndpointLimit::default()).then_some(found)
}

/// The leading number: `100`, or `100, 100;w=60`.
fn number(value: &str) -> Option<u32> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    value[..digits].parse().ok()
}

/// Seconds, a Unix time, a duration such as `6m0s`, or an HTTP date.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let until = |at: i64| Duration::from_secs(u64::try_from(at.saturating_sub(now.as_second())).unwrap_or(0));
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        if seconds >= UNIX_TIME_FROM {
            until(i64::try_from(seconds).unwrap_or(i64::MAX))
        } else {
            Duration::from_secs(seconds)
        }
    } else if let Ok(seconds) = value.parse::<f64>() {
        Duration::try_from_secs_f64(seconds).ok()?
    } else if let Ok(duration) = humantime::parse_duration(value) {
        duration
    } else {
        until(jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?.as_second())
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    const NOW: &str = "2026-11-23T12:00:00Z";

    fn read(headers: &[(&'static str, &str)]) -> (RateLimits, Option<Duration>) {
        let map: HeaderMap = headers
            .iter()
            .map(|(k, v)| (HeaderName::from_bytes(k.as_bytes()).unwrap(), HeaderValue::from_str(v).unwrap()))
            .collect();
        let now = NOW.parse().unwrap();
        (RateLimits::read(&map, now), retry_after(&map, now))
    }

    fn account(limit: u32, remaining: u32, resets_in: Option<u64>) -> RateLimits {
        RateLimits {
            limit: Some(limit),
            remaining: Some(remaining),
            resets_in: resets_in.map(Duration::from_secs),
            endpoint: None,
        }
    }

    #[test]
    fn every_known_spelling_is_read() {
        for (headers, expected) in [
            (&[("X-Rate-Limit", "700"), ("X-Rate-Limit-Remaining", "699")][..], account(700, 699, None)),
            (
                &[("ratelimit-limit", "700"), ("ratelimit-remaining", "1"), ("ratelimit-reset", "43")],
                account(700, 1, Some(43)),
            ),
            (
                &[("rate-limit", "400"), ("rate-limit-remaining", "399"), ("rate-limit-reset", "1")],
                account(400, 399, Some(1)),
            ),
            (&[("rate-limit-limit", "400"), ("rate-limit-remaining", "3")], account(400, 3, None)),
            (&[("X-RateLimit-Total", "50"), ("X-RateLimit-Remaining", "0")], account(50, 0, None)),
            (
                &[
                    ("X-RateLimit-Limit", "167"),
                    ("X-RateLimit-Remaining", "5"),
                    ("X-RateLimit-Reset", "1795435210"),
                ],
                account(167, 5, Some(10)),
            ),
            (
                &[
                    ("x-ratelimit-limit-requests", "60"),
                    ("x-ratelimit-remaining-requests", "59"),
                    ("x-ratelimit-reset-requests", "6m0s"),
                    ("x-ratelimit-limit-tokens", "150000"),
                ],
                account(60, 59, Some(360)),
            ),
            (&[("ratelimit", "limit=100, remaining=50, reset=5")], account(100, 50, Some(5))),
            (&[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "9")], account(100, 9, None)),
        ] {
            assert_eq!(read(headers).0, expected, "{headers:?}");
        }
    }

    #[test]
    fn an_endpoint_has_limits_of_its_own() {
        for name in ["zendesk-ratelimit-tickets-index", "Zendesk-Rate-Limit-Tickets-Update"] {
            let (limits, _) = read(&[("X-Rate-Limit", "700"), (name, "total=100; remaining=99; resets=41")]);
            let endpoint = limits.endpoint.unwrap();
            assert_eq!((endpoint.limit, endpoint.remaining), (Some(100), Some(99)));
            assert_eq!(endpoint.resets_in, Some(Duration::from_secs(41)));
            assert_eq!(limits.limit, Some(700));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(read(&[("Retry-After", "93")]).1, Some(Duration::from_secs(93)));
        assert_eq!(
            read(&[("Retry-After", "Mon, 23 Nov 2026 12:01:30 GMT")]).1,
            Some(Duration::from_secs(90))
        );
        assert_eq!(read(&[("Retry-After", "Mon, 23 Nov 2026 11:00:00 GMT")]).1, Some(Duration::ZERO));
        assert_eq!(read(&[("Retry-After", "99999999")]).1, Some(LONGEST_WAIT));
        assert_eq!(read(&[("Retry-After", "soon")]).1, None);
    }

    #[test]
    fn nothing_left_means_waiting_for_the_reset() {
        let minute = Duration::from_secs(60);
        assert_eq!(account(10, 0, Some(7)).exhausted(minute), Some(Duration::from_secs(7)));
        assert_eq!(account(10, 0, None).exhausted(minute), Some(minute));
        assert_eq!(account(10, 1, Some(7)).exhausted(minute), None);
        assert_eq!(RateLimits::default().exhausted(minute), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~]{0,40}") {
            let _ = read(&[("ratelimit", &value), ("ratelimit-limit", &value), ("ratelimit-reset", &value),
                ("zendesk-ratelimit-x", &value), ("retry-after", &value)]);
        }
    }
}
