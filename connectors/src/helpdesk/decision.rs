//! What every helpdesk's decision on a write-back has in common: pure.

use super::note;
use deskstream_runtime::config::{PriorityPolicy, WriteBackConfig};
use deskstream_schemas::{Command, Priority};

/// What to do about a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<W> {
    /// Write this.
    Write(W),
    /// The ticket is already as it shall be, and there is no note to add.
    Nothing,
    /// Leave it, for this reason.
    Leave(&'static str),
}

/// Text of the note that the command brings, if notes are wanted.
pub fn note(command: &Command, policy: &WriteBackConfig) -> Option<String> {
    let analysis = command.note.as_deref().filter(|_| policy.note)?;
    Some(note::text(&command.command_id, command.version, analysis))
}

/// The priority to set. Only where no one has set one: a priority that is there is a human's, or a rule of theirs.
pub fn priority(command: &Command, policy: &WriteBackConfig, unset: bool) -> Option<Priority> {
    match policy.priority {
        PriorityPolicy::IfUnset if unset => command.priority,
        PriorityPolicy::IfUnset | PriorityPolicy::Never => None,
    }
}

/// A priority in the word that Zendesk has for it, and we where a helpdesk has none.
pub fn level(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Urgent => "urgent",
    }
}

/// What the tests of each helpdesk's decision begin with.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use deskstream_schemas::Platform;

    pub(crate) fn command(platform: Platform) -> Command {
        Command {
            command_id: "c-1".into(),
            tenant: "acme".into(),
            platform,
            ticket_id: "17".into(),
            event_id: "e-1".into(),
            version: 42,
            issued_at: 1,
            received_at: 1,
            tag_prefix: "ds_".into(),
            tags: vec!["ds_urgency_high".into(), "ds_cause_refund".into()],
            note: Some(r#"{"urgency":"high"}"#.into()),
            priority: Some(Priority::High),
        }
    }

    pub(crate) fn policy() -> WriteBackConfig {
        WriteBackConfig {
            enabled: true,
            dry_run: false,
            tag_prefix: "ds_".into(),
            tags: true,
            priority: PriorityPolicy::IfUnset,
            note: true,
            max_per_hour: None,
        }
    }
}
