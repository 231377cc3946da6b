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
