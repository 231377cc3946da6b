//! What to write to a ticket: a pure function of command, ticket and policy.

use super::client::{CustomField, NewComment, TicketState, Update};
use super::map;
use crate::helpdesk::decision::{self, Decision, Sends};
use crate::helpdesk::tags;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_schemas::Command;
use std::collections::BTreeMap;

/// Decides. The update is tied to the state that it was decided on. `fields` are the ids of custom fields by the label
/// that they hold; one that holds anything is an agent's, or was filled before, and stays.
pub fn decide(
    command: &Command,
    ticket: &TicketState,
    policy: &WriteBackConfig,
    fields: &BTreeMap<String, u64>,
) -> Decision<Update> {
    match ticket.status.as_str() {
        "closed" => return Decision::Leave("the ticket is closed"),
        "deleted" => return Decision::Leave("the ticket is deleted"),
        _ => {}
    }
    let merged = tags::merge(&ticket.tags, &command.tag_prefix, &command.tags);
    let update = Update {
        tags: (policy.tags && !tags::same(&merged, &ticket.tags)).then_some(merged),
        priority: decision::priority(command, policy, map::priority(ticket.priority.as_deref()).is_none())
            .map(|priority| decision::level(priority).to_owned()),
        comment: decision::note(command, policy, Sends::Nothing)
            .map(|body| NewComment { body, public: false }),
        custom_fields: if policy.custom_fields { filled(command, ticket, fields) } else { Vec::new() },
        safe_update: None,
        updated_stamp: None,
    };
    if update == Update::default() {
        return Decision::Nothing;
    }
    Decision::Write(Update {
        safe_update: Some(true),
        updated_stamp: Some(ticket.updated_at.clone()),
        ..update
    })
}

/// The custom fields to fill. Those that the ticket does not show are not its form's, or not ours to see.
fn filled(command: &Command, ticket: &TicketState, fields: &BTreeMap<String, u64>) -> Vec<CustomField> {
    let of = |(name, id): (&String, &u64)| {
        let value = command.fields.get(name)?;
        let held = ticket.custom_fields.iter().find(|held| held.id == *id)?;
        held.is_empty().then(|| CustomField { id: *id, value: value.as_str().into() })
    };
    fields.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::helpdesk::decision::tests::policy;
    use deskstream_runtime::config::PriorityPolicy;
    use deskstream_schemas::Platform;

    fn command() -> Command {
        Command {
            command_id: "0190c7a2-0000-7000-8000-000000000001".into(),
            version: 1_795_435_200_000,
            ..decision::tests::command(Platform::Zendesk)
        }
    }

    fn ticket() -> TicketState {
        TicketState {
            tags: vec!["vip".into(), "ds_urgency_low".into()],
            priority: None,
            status: "open".into(),
            updated_at: "2026-11-23T12:00:00Z".into(),
            custom_fields: Vec::new(),
        }
    }

    fn fields() -> BTreeMap<String, u64> {
        [("root_cause".to_owned(), 7), ("urgency".to_owned(), 8)].into()
    }

    fn update(command: &Command, ticket: &TicketState, policy: &WriteBackConfig) -> Update {
        match decide(command, ticket, policy, &fields()) {
            Decision::Write(update) => update,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_update_is_one_guarded_request() {
        insta::assert_json_snapshot!(update(&command(), &ticket(), &policy()), @r#"
        {
          "tags": [
            "ds_cause_refund",
            "ds_urgency_high",
            "vip"
          ],
          "priority": "high",
          "comment": {
            "body": "{\"deskstream_command\":\"0190c7a2-0000-7000-8000-000000000001\",\"ticket_version\":1795435200000,\"analysis\":{\"urgency\":\"high\"}}",
            "public": false
          },
          "safe_update": true,
          "updated_stamp": "2026-11-23T12:00:00Z"
        }
        "#);
    }

    #[test]
    fn a_priority_that_is_set_stays() {
        for set in ["low", "normal", "HIGH", "urgent"] {
            let ticket = TicketState { priority: Some(set.into()), ..ticket() };
            assert_eq!(update(&command(), &ticket, &policy()).priority, None);
        }
        let never = WriteBackConfig { priority: PriorityPolicy::Never, ..policy() };
        assert_eq!(update(&command(), &ticket(), &never).priority, None);
    }

    #[test]
    fn what_may_not_be_written_is_left_alone() {
        let note_only = WriteBackConfig { tags: false, priority: PriorityPolicy::Never, ..policy() };
        let update = update(&command(), &ticket(), &note_only);
        assert!(update.tags.is_none() && update.priority.is_none() && update.comment.is_some());
    }

    #[test]
    fn a_closed_ticket_is_left_alone() {
        for status in ["closed", "deleted"] {
            let ticket = TicketState { status: status.into(), ..ticket() };
            assert!(matches!(decide(&command(), &ticket, &policy(), &fields()), Decision::Leave(_)));
        }
    }

    #[test]
    fn what_is_as_it_shall_be_is_not_written() {
        let quiet = WriteBackConfig { note: false, priority: PriorityPolicy::Never, ..policy() };
        let ticket = TicketState { tags: tags::merge(&ticket().tags, "ds_", &command().tags), ..ticket() };
        assert_eq!(decide(&command(), &ticket, &quiet, &fields()), Decision::Nothing);
    }

    #[test]
    fn custom_fields_are_filled_where_they_are_empty() {
        let held = |id, value: serde_json::Value| CustomField { id, value };
        let with =
            |value| TicketState { custom_fields: vec![held(7, value), held(8, "".into())], ..ticket() };
        // The command is not sure of the urgency, and the third field is not ours.
        let written = update(&command(), &with(serde_json::Value::Null), &policy()).custom_fields;
        assert_eq!(written, [held(7, "refund".into())]);
        assert!(update(&command(), &with("billing".into()), &policy()).custom_fields.is_empty());
        assert!(update(&command(), &ticket(), &policy()).custom_fields.is_empty(), "not of its form");
        let without = WriteBackConfig { custom_fields: false, ..policy() };
        assert!(update(&command(), &with(serde_json::Value::Null), &without).custom_fields.is_empty());
    }
}
