//! Payloads in the shapes that Freshdesk's public API documentation shows.

use super::super::decode;
use super::*;
use serde_json::{Value, json};

const RECEIVED: i64 = 1_795_435_200_000;

/// "View a ticket", with requester and conversations.
fn documented() -> Value {
    json!({
        "cc_emails": ["user@cc.example"], "fwd_emails": [], "reply_cc_emails": ["user@cc.example"],
        "email_config_id": null, "fr_escalated": false, "group_id": null, "priority": 1,
        "requester_id": 6_012_691_534_u64, "responder_id": 6_010_396_333_u64, "source": 2, "spam": false, "status": 2,
        "subject": "Support needed", "company_id": 1, "id": 20, "type": "Question", "to_emails": null,
        "product_id": null, "created_at": "2015-08-24T11:56:51Z", "updated_at": "2015-08-24T11:59:05Z",
        "due_by": "2015-08-27T11:30:00Z", "fr_due_by": "2015-08-25T11:30:00Z", "is_escalated": false,
        "association_type": null, "description_text": "Not given.", "description": "<div>Not given.</div>",
        "custom_fields": {"category": "Primary", "cf_order": 1_234, "cf_vip": true, "cf_none": null},
        "tags": ["billing", "VIP"], "attachments": [],
        "requester": {"id": 6_012_691_534_u64, "name": "Rachel", "email": "rachel@customer.example", "mobile": null},
        "conversations": [
            {"body_text": "A private note", "id": 3, "incoming": false, "private": true,
             "created_at": "2015-08-24T11:59:05Z"},
            {"body_text": "Please reply as soon as possible.", "id": 2, "incoming": true, "private": false,
             "created_at": "2015-08-24T11:59:00Z"},
            {"body_text": "We are looking into it.", "id": 1, "incoming": false, "private": false,
             "created_at": "2015-08-24T11:58:00Z"},
        ],
    })
}

fn read(ticket: &Value, unset: Option<FreshdeskPriority>) -> Option<(TicketEvent, TicketContent)> {
    let json = ticket.to_string();
    super::ticket("acme", &decode::ticket(json.as_bytes()).unwrap(), Origin::Webhook, RECEIVED, unset)
        .unwrap()
}

fn with(name: &str, value: Value) -> Value {
    let mut ticket = documented();
    ticket[name] = value;
    ticket
}

#[test]
fn the_documented_ticket_is_mapped_whole() {
    let (event, content) = read(&documented(), None).unwrap();
    insta::assert_json_snapshot!((event, content));
}

#[test]
fn the_same_state_has_the_same_id_by_whatever_way() {
    let (event, _) = read(&documented(), None).unwrap();
    let json = documented().to_string();
    let ticket = decode::ticket(json.as_bytes()).unwrap();
    let (polled, _) = super::ticket("acme", &ticket, Origin::Poll, RECEIVED + 1, None).unwrap().unwrap();
    assert_eq!(event.event_id, polled.event_id);
    let (later, _) = read(&with("updated_at", json!("2015-08-24T11:59:06Z")), None).unwrap();
    assert_ne!(event.event_id, later.event_id);
    let zoned = read(&with("updated_at", json!("2015-08-24T17:29:05+05:30")), None).unwrap().0;
    assert_eq!(event.event_id, zoned.event_id, "a zone is a spelling");
}

#[test]
fn codes_are_named() {
    for (code, expected) in [
        (json!(2), TicketStatus::Open),
        (json!("3"), TicketStatus::Pending),
        (json!(4), TicketStatus::Solved),
        (json!(5), TicketStatus::Closed),
        (json!(6), TicketStatus::Pending),
        (json!(7), TicketStatus::Hold),
    ] {
        assert_eq!(read(&with("status", code.clone()), None).unwrap().0.status, expected, "{code}");
    }
    let (event, content) = read(&with("status", json!(12)), None).unwrap();
    assert_eq!((event.status, content.fields["custom_status"].as_str()), (TicketStatus::Unknown, "12"));
    for (code, expected) in
        [(1, Priority::Low), (2, Priority::Normal), (3, Priority::High), (4, Priority::Urgent)]
    {
        let (event, _) = read(&with("priority", json!(code)), None).unwrap();
        assert_eq!(event.priority, Some(expected));
        assert_eq!(super::code(expected), code);
    }
}

#[test]
fn a_priority_that_nobody_has_set_is_none() {
    let low = Some(FreshdeskPriority::Low);
    assert_eq!(read(&documented(), low).unwrap().0.priority, None);
    assert_eq!(read(&with("priority", json!(2)), low).unwrap().0.priority, Some(Priority::Normal));
}

#[test]
fn without_messages_the_description_is_the_text_and_html_is_a_last_resort() {
    let (_, content) = read(&with("conversations", json!([])), None).unwrap();
    assert_eq!((content.body.as_str(), content.author_is_agent), ("Not given.", false));
    let mut ticket = with("conversations", Value::Null);
    ticket["description_text"] = Value::Null;
    ticket["description"] = json!("<p>Charged twice &amp; angry</p>");
    assert_eq!(read(&ticket, None).unwrap().1.body, "Charged twice & angry");
}

#[test]
fn what_is_deleted_or_spam_is_none_and_what_is_no_ticket_an_error() {
    assert!(read(&with("deleted", json!(true)), None).is_none());
    assert!(read(&with("spam", json!(true)), None).is_none());
    for (name, value) in [("id", json!("../1")), ("id", Value::Null), ("updated_at", json!("soon"))] {
        let json = with(name, value).to_string();
        let ticket = decode::ticket(json.as_bytes()).unwrap();
        assert!(super::ticket("acme", &ticket, Origin::Poll, RECEIVED, None).is_err(), "{name}");
    }
}
