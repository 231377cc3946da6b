use super::*;
use serde_json::{Value, json};

const RECEIVED: i64 = 1_795_435_200_000;

fn item() -> Value {
    json!({
        "type": "conversation", "id": "17", "created_at": 1_795_435_000, "updated_at": 1_795_435_180,
        "state": "open", "priority": "not_priority",
        "source": {"type": "conversation", "body": "<p>Help</p>",
            "author": {"type": "user", "id": "c1", "name": "Sam Sample", "email": "sam@customer.example"}},
        "contacts": {"contacts": [{"type": "contact", "id": "c1"}]},
        "conversation_parts": {"conversation_parts": [
            {"part_type": "comment", "body": "<p>Any news?</p>", "created_at": 1_795_435_180,
             "author": {"type": "user", "id": "c1", "name": "Sam Sample", "email": "sam@customer.example"}}
        ]}
    })
}

fn read(topic: &str, item: &Value) -> Result<Reading, DecodeError> {
    let body = json!({
        "type": "notification_event", "app_id": "x", "topic": topic, "created_at": 1_795_435_181,
        "id": "notif_0e7a4c52-1b52-4e3c-9b56-7a3b0c1d2e3f",
        "data": {"type": "notification_event_data", "item": item},
    });
    notification("acme", "ds_", body.to_string().as_bytes(), RECEIVED)
}

#[test]
fn a_message_is_taken_as_it_is() {
    let Reading::Event(mapped) = read("conversation.user.replied", &item()).unwrap() else { panic!() };
    let (event, content) = *mapped;
    assert_eq!(event.event_id, "notif_0e7a4c52-1b52-4e3c-9b56-7a3b0c1d2e3f");
    assert_eq!((event.kind, event.occurred_at), (EventKind::Updated, 1_795_435_181_000));
    assert_eq!((event.version, event.origin), (1_795_435_180_000, Origin::Webhook));
    assert_eq!(content.body, "Any news?");
}

/// Other changes don't bring the newest message, and apps of an older version bring other shapes.
#[test]
fn everything_else_names_its_conversation() {
    let named = |reading: Reading| match reading {
        Reading::Named(id) => id,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(read("conversation.admin.closed", &item()).unwrap()), "17");
    let old = json!({"type": "conversation", "id": "18", "user": {"id": "c1"}, "conversation_message": {}});
    assert_eq!(named(read("conversation.user.created", &old).unwrap()), "18");
    let part = json!({"type": "conversation_part", "id": "5", "conversation_id": "19"});
    assert_eq!(named(read("conversation_part.redacted", &part).unwrap()), "19");
}

#[test]
fn a_ping_and_what_changes_nothing_are_ignored() {
    let ping = json!({"type": "ping", "message": "hello"});
    for (topic, item) in
        [("ping", ping), ("conversation.deleted", item()), ("contact.created", json!({"type": "contact"}))]
    {
        assert!(matches!(read(topic, &item).unwrap(), Reading::Ignored), "{topic}");
    }
}

#[test]
fn our_own_notes_and_tags_are_known() {
    let note = note::text("c-1", 1, Some("{}"), None);
    let noted = |body: &str| {
        let mut item = item();
        item["conversation_parts"]["conversation_parts"] = json!([{"part_type": "note", "body": body}]);
        read("conversation.admin.noted", &item).unwrap()
    };
    assert!(matches!(noted(&format!("<p>{}</p>", html::escape(&note))), Reading::OwnUpdate(_)));
    assert!(matches!(noted("<p>call them</p>"), Reading::Ignored));
    for (names, own) in [(vec!["ds_refund"], true), (vec!["ds_refund", "VIP"], false), (vec![], false)] {
        let mut tagged = item();
        let tags: Vec<Value> = names.iter().map(|name| json!({"id": "1", "name": name})).collect();
        tagged["tags_added"] = json!({"type": "tag.list", "tags": tags});
        let reading = read("conversation_part.tag.created", &tagged).unwrap();
        assert_eq!(matches!(reading, Reading::OwnUpdate(_)), own, "{names:?}");
    }
}

#[test]
fn what_names_nothing_is_refused() {
    for item in [json!({}), json!({"type": "conversation"}), json!({"type": "conversation", "id": "../me"})] {
        let refused = read("conversation.admin.closed", &item);
        assert!(matches!(refused, Err(DecodeError::BadShape(_))));
    }
    assert!(notification("acme", "ds_", br#"{"topic":"conversation.admin.closed"}"#, RECEIVED).is_err());
}
