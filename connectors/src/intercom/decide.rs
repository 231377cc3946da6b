//! What to write to a conversation: a pure function of command, conversation and policy.
//!
//! Intercom's own priority can't be written by API, so a priority goes to the custom attribute that
//! `priority_attribute` names, where that has no value yet.

use super::client::{State, Tag};
use crate::helpdesk::decision::{self, Decision, Sends};
use crate::helpdesk::tags;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_schemas::Command;

/// What to write: first tags and attribute, then the note, if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Write {
    /// Names of tags to attach.
    pub attach: Vec<String>,
    /// Tags to take off.
    pub detach: Vec<Tag>,
    /// Attribute and its value.
    pub attribute: Option<(String, &'static str)>,
    /// What is sent to the contact.
    pub reply: Option<String>,
    /// Text of the note.
    pub note: Option<String>,
}

impl Write {
    /// Whether it changes anything but to add a note.
    pub fn changes(&self) -> bool {
        !self.attach.is_empty() || !self.detach.is_empty() || self.attribute.is_some()
    }
}

/// Decides. `attribute` is the custom attribute for the priority, if there is one.
pub fn decide(
    command: &Command,
    conversation: &State,
    policy: &WriteBackConfig,
    attribute: Option<&str>,
) -> Decision<Write> {
    let names: Vec<String> = conversation.tags.iter().map(|tag| tag.name.clone()).collect();
    let wanted = match policy.tags {
        true => tags::merge(&names, &command.tag_prefix, &command.tags),
        false => names.clone(),
    };
    let unset =
        |name: &str| !conversation.attributes.iter().any(|(set, value)| set == name && !value.is_empty());
    let write = Write {
        attach: wanted.iter().filter(|tag| !names.contains(tag)).cloned().collect(),
        detach: conversation.tags.iter().filter(|tag| !wanted.contains(&tag.name)).cloned().collect(),
        attribute: attribute.and_then(|name| {
            Some((name.to_owned(), decision::level(decision::priority(command, policy, unset(name))?)))
        }),
        reply: decision::reply(command, policy).map(str::to_owned),
        note: decision::note(command, policy, Sends::Replies),
    };
    if write == Write::default() { Decision::Nothing } else { Decision::Write(write) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::decision::tests::policy;
    use deskstream_schemas::Platform;

    fn command() -> Command {
        decision::tests::command(Platform::Intercom)
    }

    fn tagged(names: &[&str]) -> State {
        let tags = names.iter().map(|name| Tag { id: format!("id-{name}"), name: (*name).to_owned() });
        State { tags: tags.collect(), ..State::default() }
    }

    fn write(state: &State, attribute: Option<&str>) -> Write {
        match decide(&command(), state, &policy(), attribute) {
            Decision::Write(write) => write,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_our_own_tags_come_and_go() {
        let written = write(&tagged(&["VIP", "ds_urgency_low", "ds_cause_refund"]), None);
        assert_eq!(written.attach, ["ds_urgency_high"]);
        let off: Vec<_> = written.detach.iter().map(|tag| tag.id.as_str()).collect();
        assert_eq!((off, written.attribute), (vec!["id-ds_urgency_low"], None));
    }

    #[test]
    fn a_priority_goes_to_the_attribute_that_has_none() {
        let mut state = tagged(&[]);
        let set = write(&state, Some("Urgency")).attribute;
        assert_eq!(set, Some(("Urgency".into(), "high")));
        state.attributes.push(("Urgency".into(), "low".into()));
        assert_eq!(write(&state, Some("Urgency")).attribute, None);
    }

    #[test]
    fn what_is_as_it_shall_be_is_not_written() {
        let done = tagged(&["ds_cause_refund", "ds_urgency_high", "vip"]);
        assert!(!write(&done, None).changes(), "the note alone");
        let quiet = WriteBackConfig { note: false, ..policy() };
        assert_eq!(decide(&command(), &done, &quiet, None), Decision::Nothing);
    }
}
