//! The private note of a write-back: JSON for programs, and the mark by which we know our own writes.
//!
//! ```json
//! {"deskstream_command": "<command id>", "ticket_version": 1795435200000, "analysis": { … }}
//! ```
//!
//! The draft of a reply follows it, after a line that says so: one note, so that it is there once, as the decision is.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Begins every note of ours.
const MARK: &str = "{\"deskstream_command\"";

/// Zendesk takes comments of 64 KiB, Freshdesk tells no limit; agents read them, so ours stay far below.
const MAX_BYTES: usize = 16 * 1024;

#[derive(Serialize)]
struct Note<'a> {
    deskstream_command: &'a str,
    ticket_version: i64,
    analysis: Value,
}

/// What a note of ours says of its command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Written {
    /// The command that wrote it.
    #[serde(rename = "deskstream_command")]
    pub command_id: String,
    /// The ticket's version that the command's decision rests on.
    #[serde(rename = "ticket_version", default)]
    pub version: i64,
}

/// What stands above a draft: agents shall not take it for something that was sent.
pub const DRAFT: &str = "Draft of a reply by Deskstream, not sent to the requester:";

/// The text of a note. An analysis that is too large is left out, and said to be; a draft that is, is cut.
pub fn text(command_id: &str, version: i64, analysis: Option<&str>, draft: Option<&str>) -> String {
    let note = of_analysis(command_id, version, analysis.unwrap_or("null"));
    let Some(draft) = draft.map(str::trim) else { return note };
    let mut end = draft.len().min(MAX_BYTES);
    while !draft.is_char_boundary(end) {
        end -= 1;
    }
    format!("{note}\n\n{DRAFT}\n\n{}", &draft[..end])
}

fn of_analysis(command_id: &str, version: i64, analysis: &str) -> String {
    let write = |analysis| {
        let note = Note { deskstream_command: command_id, ticket_version: version, analysis };
        serde_json::to_string(&note).expect("strings, a number and JSON are JSON")
    };
    let analysis = serde_json::from_str(analysis).unwrap_or_else(|_| Value::String(analysis.to_owned()));
    let note = write(analysis);
    if note.len() <= MAX_BYTES { note } else { write(serde_json::json!({"omitted": "too large for a note"})) }
}

/// Whether a comment is a note of ours.
pub fn is_ours(comment: &str) -> bool {
    comment.trim_start().starts_with(MARK)
}

/// What a comment says if it is a note of ours.
pub fn read(comment: &str) -> Option<Written> {
    // What follows the first value is a draft.
    let mut values = serde_json::Deserializer::from_str(comment.trim()).into_iter::<Written>();
    if is_ours(comment) { values.next()?.ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_tells_its_command() {
        let note = text("c-1", 42, Some(r#"{"urgency":"high"}"#), None);
        insta::assert_snapshot!(note, @r#"{"deskstream_command":"c-1","ticket_version":42,"analysis":{"urgency":"high"}}"#);
        assert_eq!(read(&format!(" {note}\n")), Some(Written { command_id: "c-1".into(), version: 42 }));
    }

    #[test]
    fn what_others_write_is_not_ours() {
        for comment in ["", "Please help", "{\"analysis\":1}", "see {\"deskstream_command\":\"c-1\"}"] {
            assert!(!is_ours(comment) && read(comment).is_none(), "{comment}");
        }
        assert_eq!(read("{\"deskstream_command\":17}"), None);
    }

    #[test]
    fn a_note_is_bounded_and_stays_readable() {
        let note = text("c-1", 1, Some(&"x".repeat(100_000)), None);
        assert!(note.len() <= MAX_BYTES);
        assert_eq!(read(&note).unwrap().command_id, "c-1");
    }

    #[test]
    fn a_draft_follows_and_the_note_stays_readable() {
        let note = text("c-1", 42, None, Some("Dear Sam,\n{\"deskstream_command\":\"c-2\"}"));
        assert!(note.contains(DRAFT) && note.contains("Dear Sam"));
        assert_eq!(read(&note), Some(Written { command_id: "c-1".into(), version: 42 }));
        // Helpdesks make one line of several.
        assert_eq!(read(&note.replace('\n', " ")).unwrap().command_id, "c-1");
        let long = text("c-1", 1, Some("{}"), Some(&"ü".repeat(100_000)));
        assert!(long.len() < 2 * MAX_BYTES);
    }
}
