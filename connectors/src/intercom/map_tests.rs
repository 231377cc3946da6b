//! Golden tests: conversations written after the examples of Intercom's documentation.

use super::*;
use crate::intercom::decode::conversation as decode;
use proptest::prelude::*;
use serde_json::{Value, json};

const RECEIVED: i64 = 1_795_435_200_000;

/// As the API of version 2.14 gives a conversation with a reply, a note and a closing message.
fn whole() -> Value {
    json!({
        "type": "conversation", "id": "215468990000001", "title": null, "created_at": 1_795_435_000,
        "updated_at": 1_795_435_180, "waiting_since": 1_795_435_000, "snoozed_until": null, "open": true,
        "state": "open", "read": false, "priority": "priority", "admin_assignee_id": 991_267_459,
        "team_assignee_id": null,
        "tags": {"type": "tag.list", "tags": [{"type": "tag", "id": "7", "name": "VIP"}]},
        "source": {
            "type": "email", "id": "403918330", "delivered_as": "customer_initiated",
            "subject": "<p>Charged &amp; angry</p>", "body": "<p>I was charged <b>twice</b>.</p>",
            "author": {"type": "user", "id": "6a1f0d9c2e", "name": "Sam Sample", "email": "sam@customer.example"},
            "attachments": [], "url": null, "redacted": false
        },
        "contacts": {"type": "contact.list", "contacts": [
            {"type": "contact", "id": "6a1f0d9c2e", "external_id": "70"}
        ]},
        "custom_attributes": {"Plan": "pro", "Seats": 7, "Empty": null},
        "conversation_parts": {"type": "conversation_part.list", "total_count": 3, "conversation_parts": [
            {"type": "conversation_part", "id": "3", "part_type": "comment", "created_at": 1_795_435_180,
             "body": "<p>Any news?</p><p>Sam</p>", "attachments": [
                {"type": "upload", "name": "invoice.pdf", "url": "https://x.example/1",
                 "content_type": "application/pdf", "filesize": 4096}],
             "author": {"type": "user", "id": "6a1f0d9c2e", "name": "Sam Sample",
                        "email": "sam@customer.example"}},
            {"type": "conversation_part", "id": "4", "part_type": "note", "created_at": 1_795_435_190,
             "body": "<p>Looks like a duplicate</p>",
             "author": {"type": "admin", "id": "991267459", "name": "Ada Agent", "email": "ada@support.example"}},
            {"type": "conversation_part", "id": "2", "part_type": "assignment", "created_at": 1_795_435_100,
             "body": null, "author": {"type": "bot", "id": "1", "name": "Fin", "email": "operator@intercom.io"}}
        ]}
    })
}

fn mapped(value: &Value) -> Result<(TicketEvent, TicketContent), DecodeError> {
    let text = value.to_string();
    conversation("acme", &decode(text.as_bytes())?, Origin::Poll, RECEIVED, None)
}

#[test]
fn the_documented_conversation_is_mapped_whole() {
    let (event, content) = mapped(&whole()).unwrap();
    insta::assert_json_snapshot!(json!({"event": event, "content": content}));
}

#[test]
fn before_any_reply_the_first_message_is_the_text() {
    let mut first = whole();
    first["conversation_parts"]["conversation_parts"] = json!([]);
    first["updated_at"] = first["created_at"].clone();
    let (event, content) = mapped(&first).unwrap();
    assert_eq!(event.kind, EventKind::Created);
    assert_eq!((content.body.as_str(), content.author_is_agent), ("I was charged twice.", false));
}

#[test]
fn who_asks_is_named_by_the_contact_where_no_message_does() {
    let mut outbound = whole();
    outbound["source"]["author"] =
        json!({"type": "admin", "id": "991267459", "name": "Ada Agent", "email": "ada@support.example"});
    outbound["conversation_parts"] = Value::Null;
    let text = outbound.to_string();
    let read = decode(text.as_bytes()).unwrap();
    assert!(!names_contact(&read));
    let contact = Contact {
        id: Some("6a1f0d9c2e".into()),
        name: Some("Sam Sample".into()),
        email: Some("sam@customer.example".into()),
    };
    let (event, content) = conversation("acme", &read, Origin::Poll, RECEIVED, Some(&contact)).unwrap();
    assert_eq!(event.requester_ref.as_deref(), Some("6a1f0d9c2e"));
    assert_eq!(content.requester_name.as_deref(), Some("Sam Sample"));
    assert!(content.author_is_agent && content.people.len() == 1);
}

#[test]
fn priorities_of_every_version_are_read() {
    for (told, expected) in [
        ("not_priority", None),
        ("none", None),
        ("priority", Some(Priority::High)),
        ("low", Some(Priority::Low)),
        ("medium", Some(Priority::Normal)),
        ("urgent", Some(Priority::Urgent)),
    ] {
        assert_eq!(priority(Some(told)), expected, "{told}");
    }
}

#[test]
fn ids_that_would_not_stay_within_a_url_are_refused() {
    for id in ["", "../me", "1/2", "1?x", &"9".repeat(41)] {
        let mut strange = whole();
        strange["id"] = json!(id);
        assert!(matches!(mapped(&strange), Err(DecodeError::BadShape(_))), "{id}");
    }
}

proptest! {
    #[test]
    fn any_values_map_or_are_refused(at in any::<prop::sample::Index>(), value in "[a-z0-9<>&\" -]{0,20}") {
        let mut strange = whole();
        let names: Vec<String> = strange.as_object().unwrap().keys().cloned().collect();
        let name = &names[at.index(names.len())];
        strange[name.as_str()] = json!(value);
        let _ = mapped(&strange);
    }
}
