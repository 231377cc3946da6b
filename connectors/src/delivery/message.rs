//! Alert text as services take it: cut to their limits, and without anything that they would act on.

use deskstream_schemas::{Alert, AlertState};
use std::borrow::Cow;

const ELLIPSIS: char = '…';

/// At most `most` characters, cut with an ellipsis; control characters become spaces.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut cut: String = text.chars().map(printable).take(most).collect();
    if text.chars().nth(most).is_some() && cut.pop().is_some() {
        cut.push(ELLIPSIS);
    }
    cut
}

/// As [`cut`], escaped for Slack: `&`, `<` and `>` as entities, so that no text can mention, link or ping. The
/// limit is that of the escaped text, and no entity is cut in two.
pub(super) fn escape(text: &str, most: usize) -> String {
    let mut escaped = String::with_capacity(text.len().min(4 * most));
    let mut length = 0;
    let mut rest = text.chars().map(printable).peekable();
    while let Some(c) = rest.next() {
        let piece: Cow<'static, str> = match c {
            '&' => "&amp;".into(),
            '<' => "&lt;".into(),
            '>' => "&gt;".into(),
            c => c.to_string().into(),
        };
        let room_after = usize::from(rest.peek().is_some());
        let piece_length = piece.chars().count();
        if length + piece_length + room_after > most {
            if most > 0 {
                escaped.push(ELLIPSIS);
            }
            break;
        }
        escaped.push_str(&piece);
        length += piece_length;
    }
    escaped
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The summary, or what can be said without one.
pub(super) fn summary(alert: &Alert) -> Cow<'_, str> {
    if alert.summary.trim().is_empty() {
        Cow::Owned(format!("{} for {}", alert.rule, alert.tenant))
    } else {
        Cow::Borrowed(&alert.summary)
    }
}

/// Name of a state in outcomes and messages.
pub(super) fn state(alert: &Alert) -> &'static str {
    match alert.state {
        AlertState::Firing => "firing",
        AlertState::Resolved => "resolved",
    }
}

/// A time as ISO 8601 in UTC.
pub(super) fn timestamp(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default().to_string()
}

/// A value at most as precise as a human reads it.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use deskstream_schemas::Severity;
    use proptest::prelude::*;

    /// An alert with every field set.
    pub(in crate::delivery) fn alert() -> Alert {
        Alert {
            dedup_key: "deskstream/error-rate/acme//1795435200000".into(),
            rule: "error-rate".into(),
            tenant: "acme".into(),
            group: String::new(),
            state: AlertState::Firing,
            severity: Severity::Critical,
            value: 0.0734,
            threshold: 0.05,
            summary: "7.34 % of the events of acme failed in the last 5 minutes (limit 5 %)".into(),
            channels: vec!["pager".into(), "chat".into()],
            started_at: 1_795_435_200_000,
            changed_at: 1_795_435_260_000,
            labels: [("runbook".to_owned(), "error-rate".to_owned())].into(),
        }
    }

    #[test]
    fn text_is_cut_by_characters() {
        assert_eq!(cut("Störung", 7), "Störung");
        assert_eq!(cut("Störung", 6), "Störu…");
        assert_eq!(cut("a\nb\u{7}c", 9), "a b c");
    }

    #[test]
    fn nothing_can_ping() {
        assert_eq!(escape("<!channel> & <@U1>", 99), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(escape("a&b", 6), "a…");
        assert_eq!(escape("a&b", 7), "a&amp;b");
        assert_eq!(escape("abc", 0), "");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [number(0.0734), number(11.0), number(250.5), number(0.0)],
            ["0.0734", "11", "250.5", "0"]
        );
    }

    proptest! {
        #[test]
        fn limits_hold_and_entities_stay_whole(text in "[a&<>é\\n]{0,40}", most in 0usize..60) {
            let escaped = escape(&text, most);
            prop_assert!(escaped.chars().count() <= most);
            let plain = escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            prop_assert!(!plain.contains(['&', '<', '>']), "{escaped}");
            prop_assert!(cut(&text, most).chars().count() <= most);
        }
    }
}
