#![allow(clippy::needless_pass_by_value, reason = "JSON literals read better in place")]

use super::*;
use proptest::prelude::*;
use serde_json::json;

const OWN: Own<'static> = Own { user_id: Some("900"), tag_prefix: "ds_" };
const RECEIVED: i64 = 1_795_435_201_000;

fn envelope(kind: &str, event: serde_json::Value) -> serde_json::Value {
    json!({
        "account_id": 7,
        "id": "01JD7Z2M4X5P6Q7R8S9T0V1W2X",
        "time": "2026-11-23T12:00:00.672717030Z",
        "type": format!("zen:event-type:ticket.{kind}"),
        "subject": "zen:ticket:17",
        "zendesk_event_version": "2022-11-06",
        "detail": {
            "id": "17", "actor_id": "300", "requester_id": "300", "submitter_id": "300",
            "assignee_id": null, "group_id": "21", "organization_id": null, "brand_id": "5", "form_id": "6",
            "custom_status": "8", "external_id": null, "is_public": true,
            "subject": "Refund", "description": "Charged twice\nplease help", "status": "OPEN",
            "priority": "HIGH", "type": "INCIDENT", "tags": ["vip", "ds_cause_refund"],
            "via": {"channel": "web_service"},
            "created_at": "2026-11-23T11:59:00Z", "updated_at": "2026-11-23T12:00:00Z"
        },
        "event": event,
    })
}

fn map(value: &serde_json::Value) -> Reading {
    webhook("acme", value.to_string().as_bytes(), RECEIVED, OWN).unwrap()
}

fn event(value: &serde_json::Value) -> (TicketEvent, TicketContent) {
    match map(value) {
        Reading::Event(mapped) => *mapped,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_created_ticket_is_mapped_whole() {
    let (event, content) = event(&envelope("created", json!({})));
    insta::assert_json_snapshot!(json!({"event": event, "content": content}));
}

#[test]
fn a_comment_is_the_text_of_its_event() {
    let comment = |author: &str, staff: bool| {
        json!({"comment": {"id": "1", "body": "Any news?", "is_public": true,
            "author": {"id": author, "is_staff": staff, "name": "Sam Sample"}}})
    };
    let (event, content) = event(&envelope("comment_added", comment("300", false)));
    assert_eq!(
        (event.kind, content.body.as_str(), content.author_is_agent),
        (EventKind::Updated, "Any news?", false)
    );
    assert_eq!(content.requester_name.as_deref(), Some("Sam Sample"));
    let (_, content) = self::event(&envelope("comment_added", comment("901", true)));
    assert!(content.author_is_agent && content.requester_name.is_none());
}

#[test]
fn types_that_change_nothing_we_keep_are_ignored() {
    for kind in ["csat_received", "marked_as_spam", "sla_policy_changed", "soft_deleted", "no_such_type"] {
        assert!(matches!(map(&envelope(kind, json!({}))), Reading::Ignored), "{kind}");
    }
    assert!(matches!(
        map(&json!({"type": "zen:event-type:user.created", "detail": {"id": "1"}})),
        Reading::Ignored
    ));
}

#[test]
fn every_update_type_is_taken() {
    for kind in UPDATES {
        let (event, _) = event(&envelope(kind, json!({"current": "1", "previous": "2"})));
        assert_eq!(event.kind, EventKind::Updated);
    }
}

fn by(actor: &str, mut value: serde_json::Value) -> serde_json::Value {
    value["detail"]["actor_id"] = json!(actor);
    value
}

#[test]
fn our_own_echo_is_recognised_in_every_shape() {
    let deltas = [
        json!({"added": {"tags": ["ds_cause_refund"]}, "removed": {"tags": []}}),
        json!({"tags_added": ["ds_cause_refund"], "tags_removed": ["ds_cause_bug"]}),
    ];
    for delta in &deltas {
        assert!(
            matches!(map(&by("1", envelope("tags_changed", delta.clone()))), Reading::OwnUpdate(_)),
            "{delta}"
        );
    }
    assert!(matches!(map(&by("900", envelope("tags_changed", json!({})))), Reading::OwnUpdate(_)));
    assert!(matches!(map(&by("900", envelope("priority_changed", json!({})))), Reading::OwnUpdate(_)));
    let note = json!({"comment": {"body": note::text("c", 1, Some("{}"), None), "is_public": false}});
    assert!(matches!(map(&envelope("comment_added", note)), Reading::OwnUpdate(_)));
}

#[test]
fn what_others_do_is_no_echo() {
    let mixed = json!({"added": {"tags": ["ds_cause_refund", "vip"]}});
    assert!(matches!(map(&by("900", envelope("tags_changed", mixed))), Reading::Event(_)));
    // Another integration may share our API user: what a write-back never does is not ours.
    for kind in ["created", "status_changed", "comment_added"] {
        assert!(matches!(map(&by("900", envelope(kind, json!({})))), Reading::Event(_)), "{kind}");
    }
    assert!(matches!(map(&envelope("priority_changed", json!({}))), Reading::Event(_)));
    // A requester can't hide a comment by imitating our note in public.
    let forged = json!({"comment": {"body": note::text("c", 1, Some("{}"), None), "is_public": true}});
    assert!(matches!(map(&envelope("comment_added", forged)), Reading::Event(_)));
}

#[test]
fn a_ticket_without_text_is_a_ticket() {
    let mut value = envelope("created", json!({}));
    for key in ["subject", "description", "tags", "priority", "type", "via", "status"] {
        value["detail"][key] = serde_json::Value::Null;
    }
    let (event, content) = event(&value);
    assert_eq!((event.status, event.priority), (TicketStatus::Unknown, None));
    assert!(content.subject.is_empty() && content.body.is_empty() && content.tags.is_empty());
}

#[test]
fn an_id_that_could_be_mistaken_for_a_key_is_refused() {
    for id in ["", "1/2", "17\n", "é", &"1".repeat(65)] {
        let mut value = envelope("created", json!({}));
        value["detail"]["id"] = json!(id);
        let refused = webhook("acme", value.to_string().as_bytes(), RECEIVED, OWN);
        assert!(matches!(refused, Err(DecodeError::BadShape(_))), "{id}");
    }
    let mut value = envelope("created", json!({}));
    value["id"] = json!("x".repeat(1000));
    assert_eq!(event(&value).0.event_id, event_id("acme", Platform::Zendesk, "17", event(&value).0.version));
}

#[test]
fn a_rest_ticket_is_the_same_ticket() {
    let rest_ticket = json!({
        "id": 17, "url": "https://acme.example/api/v2/tickets/17.json", "external_id": "A-1", "subject": "Refund",
        "raw_subject": "Refund", "description": "Charged twice", "status": "open", "priority": "high",
        "type": "incident", "tags": ["vip"], "requester_id": 300, "submitter_id": 901, "assignee_id": 901,
        "organization_id": null, "group_id": 21, "brand_id": 5, "ticket_form_id": 6, "custom_status_id": 8,
        "via": {"channel": "email", "source": {"from": {}, "to": {}, "rel": null}},
        "custom_fields": [{"id": 1, "value": "gold"}, {"id": 2, "value": null}, {"id": 3, "value": true}],
        "generated_timestamp": 1_795_435_200, "created_at": "2026-11-23T11:59:00Z",
        "updated_at": "2026-11-23T12:00:00Z",
    });
    let text = rest_ticket.to_string();
    let ticket: Ticket<'_> = serde_json::from_str(&text).unwrap();
    let (mapped, content) = rest("acme", &ticket, Origin::Poll, RECEIVED).unwrap().unwrap();
    insta::assert_json_snapshot!(json!({"event": mapped, "content": content}));
    let (again, _) = rest("acme", &ticket, Origin::Poll, RECEIVED + 1).unwrap().unwrap();
    assert_eq!(mapped.event_id, again.event_id);
    let (pushed, _) = event(&envelope("created", json!({})));
    assert_eq!((pushed.version, pushed.key()), (mapped.version, mapped.key()));
}

#[test]
fn a_deleted_ticket_is_no_event() {
    let ticket: Ticket<'_> =
        serde_json::from_str(r#"{"id":1,"status":"deleted","updated_at":"2026-11-23T12:00:00Z"}"#).unwrap();
    assert!(rest("acme", &ticket, Origin::Poll, RECEIVED).unwrap().is_none());
}

proptest! {
    /// Whatever stands in the fields: an event whose key has three parts, or a refusal.
    #[test]
    fn any_values_map_or_are_refused(
        id in "\\PC{0,12}", kind in "(created|comment_added|tags_changed|[a-z_]{0,9})", text in "\\PC{0,40}",
        time in "(2026-11-23T12:00:00(\\.[0-9]{0,9})?Z|\\PC{0,12})", tags in proptest::collection::vec("\\PC{0,8}", 0..4),
    ) {
        let mut value = envelope(&kind, json!({"comment": {"body": text}, "tags_added": tags}));
        value["detail"]["id"] = json!(id);
        value["detail"]["subject"] = json!(text);
        value["detail"]["tags"] = json!(tags);
        value["detail"]["updated_at"] = json!(time);
        value["time"] = json!(time);
        if let Ok(Reading::Event(mapped)) = webhook("acme", value.to_string().as_bytes(), RECEIVED, OWN) {
            prop_assert_eq!(mapped.0.key().split('/').count(), 3);
        }
    }
}
