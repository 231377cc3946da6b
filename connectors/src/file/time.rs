//! Dates as people and programs write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Larger numbers are milliseconds, not seconds: as seconds they would lie beyond the year 5138.
const MILLISECONDS_FROM: i64 = 100_000_000_000;

/// Milliseconds since the Unix epoch. Takes RFC 3339, `YYYY-MM-DD[ T]HH:MM[:SS[.fff]]` with or without zone,
/// `YYYY-MM-DD`, and Unix times in seconds or milliseconds. What has no zone is taken as UTC.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let plausible = number.is_finite() && number.abs() < 1e15;
        let whole = number as i64;
        return plausible
            .then(|| if whole.abs() >= MILLISECONDS_FROM { whole } else { (number * 1000.0) as i64 });
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_millisecond());
    }
    let bare = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" GMT")).unwrap_or(text);
    let local = bare.parse::<DateTime>().ok().or_else(|| Some(bare.parse::<Date>().ok()?.at(0, 0, 0, 0)));
    local.and_then(|local| TimeZone::UTC.to_timestamp(local).ok()).map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_forms_are_read() {
        let noon = 1_795_435_200_000;
        for text in [
            "2026-11-23T12:00:00Z",
            "2026-11-23T13:00:00+01:00",
            "2026-11-23T12:00:00.000Z",
            "2026-11-23 12:00:00",
            "2026-11-23 12:00",
            "2026-11-23T12:00",
            "2026-11-23 12:00:00 UTC",
            "2026-11-23 12:00:00Z",
            "1795435200",
            "1795435200000",
            "1795435200.0",
            " 1795435200 ",
        ] {
            assert_eq!(parse(text), Some(noon), "{text}");
        }
        assert_eq!(parse("2026-11-23"), Some(noon - 12 * 3600 * 1000));
        assert_eq!(parse("2026-11-23 12:00:00.250"), Some(noon + 250));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "soon", "23/11/2026", "2026-13-01", "NaN", "inf", "1e300"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            let _ = parse(&text);
        }

        #[test]
        fn seconds_and_milliseconds_agree(second in 0i64..4_000_000_000) {
            prop_assert_eq!(parse(&second.to_string()), Some(second * 1000));
        }
    }
}
