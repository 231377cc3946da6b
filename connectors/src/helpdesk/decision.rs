//! What every helpdesk's decision on a write-back has in common: pure.

use super::note;
use deskstream_runtime::config::{DraftPolicy, PriorityPolicy, WriteBackConfig};
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

/// Text of the note that the command brings, if notes are wanted: the analysis, and the draft of a reply where that is
/// not sent itself.
pub fn note(command: &Command, policy: &WriteBackConfig, sends: Sends) -> Option<String> {
    let analysis = command.note.as_deref().filter(|_| policy.note);
    let proposed = match policy.draft {
        DraftPolicy::Never => false,
        DraftPolicy::Note => true,
        DraftPolicy::Reply => sends == Sends::Nothing,
    };
    let draft = command.draft.as_deref().filter(|draft| proposed && !draft.trim().is_empty());
    let any = analysis.is_some() || draft.is_some();
    any.then(|| note::text(&command.command_id, command.version, analysis, draft))
}

/// What is sent to the requester.
pub fn reply<'a>(command: &'a Command, policy: &WriteBackConfig) -> Option<&'a str> {
    let wanted = policy.draft == DraftPolicy::Reply;
    command.draft.as_deref().map(str::trim).filter(|draft| wanted && !draft.is_empty())
}

/// Whether replies are sent at a helpdesk, or stay drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sends {
    /// What policy says.
    Replies,
    /// A reply is for agents to send.
    Nothing,
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
            draft: Some("Dear Sam, we refund it. <3".into()),
            fields: [("root_cause".to_owned(), "refund".to_owned())].into(),
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
            draft: DraftPolicy::Never,
            custom_fields: true,
            max_per_hour: None,
        }
    }

    #[test]
    fn a_draft_is_written_as_policy_says() {
        let command = command(Platform::Zendesk);
        let with = |draft, note| WriteBackConfig { draft, note, ..policy() };
        let written = |draft, analysis, sends| note(&command, &with(draft, analysis), sends);
        let has_draft = |text: Option<String>| text.is_some_and(|text| text.contains("we refund it"));
        for sends in [Sends::Replies, Sends::Nothing] {
            assert!(!has_draft(written(DraftPolicy::Never, true, sends)));
            assert!(has_draft(written(DraftPolicy::Note, true, sends)));
            assert!(has_draft(written(DraftPolicy::Note, false, sends)));
            assert_eq!(written(DraftPolicy::Never, false, sends), None);
        }
        assert!(!has_draft(written(DraftPolicy::Reply, true, Sends::Replies)));
        assert!(has_draft(written(DraftPolicy::Reply, true, Sends::Nothing)));
        assert_eq!(reply(&command, &with(DraftPolicy::Note, true)), None);
        assert!(reply(&command, &with(DraftPolicy::Reply, true)).is_some());
        let none = Command { draft: None, ..command.clone() };
        assert_eq!(reply(&none, &with(DraftPolicy::Reply, true)), None);
        assert_eq!(note(&none, &with(DraftPolicy::Note, false), Sends::Nothing), None);
    }
}
