//! The private note of a write-back: JSON for programs, and the mark by which we know our own writes.
//!
//! ```json
//! {"deskstream_command": "<command id>", "ticket_version": 1795435200000, "analysis": { … }}
//! ```

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

/// The text of a note. An analysis that is too large is left out, and said to be.
pub fn text(command_id: &str, version: i64, analysis: &str) -> String {
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
    if is_ours(comment) { serde_json::from_str(comment.trim()).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_tells_its_command() {
        let note = text("c-1", 42, r#"{"urgency":"high"}"#);
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
        let note = text("c-1", 1, &"x".repeat(100_000));
        assert!(note.len() <= MAX_BYTES);
        assert_eq!(read(&note).unwrap().command_id, "c-1");
    }
}
