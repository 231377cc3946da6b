//! Zendesk's shapes, read tolerantly: what we don't use is skipped, what may be missing or null is optional.
//!
//! Two spellings of the same ticket exist. In a webhook's `detail`, ids are strings and status, priority and
//! type are upper case; in the REST API ids are integers and the rest is lower case. One type reads both. Text
//! is borrowed from the body wherever it has no escapes.

pub use crate::helpdesk::DecodeError;
use crate::helpdesk::lenient::{text, texts};
use serde::Deserialize;
use serde::de;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The envelope of every event.
#[derive(Deserialize)]
pub struct Envelope<'a> {
    /// Such as `zen:event-type:ticket.created`.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// The event's id: a UUID or a ULID.
    #[serde(default, borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    /// When it happened.
    #[serde(default, borrow, deserialize_with = "text")]
    pub time: Option<Cow<'a, str>>,
    /// What it is about: `zen:ticket:17`.
    #[serde(default, borrow, deserialize_with = "text")]
    pub subject: Option<Cow<'a, str>>,
    /// The ticket after the event.
    #[serde(default, borrow)]
    pub detail: Option<&'a RawValue>,
    /// What changed.
    #[serde(default, borrow)]
    pub event: Option<&'a RawValue>,
}

/// A ticket, as in a webhook's `detail` or in the REST API.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Zendesk's")]
pub struct Ticket<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub actor_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub assignee_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub brand_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub group_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub organization_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub requester_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub submitter_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub external_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text", alias = "ticket_form_id")]
    pub form_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text", alias = "custom_status_id")]
    pub custom_status: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub updated_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub subject: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub description: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub priority: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type", deserialize_with = "text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub tags: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub collaborator_ids: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub via: Option<Via<'a>>,
    #[serde(borrow)]
    pub custom_fields: Option<Vec<CustomField<'a>>>,
}

/// How the ticket came in.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Via<'a> {
    /// Such as `email`, `web_service`; older events give it as a number.
    #[serde(borrow, deserialize_with = "text")]
    pub channel: Option<Cow<'a, str>>,
}

/// A user, as an export gives it beside its tickets.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Zendesk's")]
pub struct User<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub email: Option<Cow<'a, str>>,
}

/// A custom field.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct CustomField<'a> {
    /// The field's id.
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    /// Its value, of any type.
    #[serde(borrow)]
    pub value: Option<&'a RawValue>,
}

/// What changed, as far as we use it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Change<'a> {
    /// The comment that was added.
    #[serde(borrow)]
    pub comment: Option<Comment<'a>>,
    /// Tags added and removed, in one of the shapes that have been seen.
    #[serde(borrow)]
    pub added: Option<TagList<'a>>,
    /// See `added`.
    #[serde(borrow)]
    pub removed: Option<TagList<'a>>,
    /// Another shape of `added`.
    #[serde(borrow, deserialize_with = "texts")]
    pub tags_added: Vec<Cow<'a, str>>,
    /// Another shape of `removed`.
    #[serde(borrow, deserialize_with = "texts")]
    pub tags_removed: Vec<Cow<'a, str>>,
}

/// Tags within a change.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct TagList<'a> {
    /// The tags.
    #[serde(borrow, deserialize_with = "texts")]
    pub tags: Vec<Cow<'a, str>>,
}

/// A comment, as in an event or in the REST API.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Zendesk's")]
pub struct Comment<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub body: Option<Cow<'a, str>>,
    #[serde(alias = "public")]
    pub is_public: Option<bool>,
    #[serde(borrow)]
    pub author: Option<Author<'a>>,
}

/// Who wrote a comment.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Zendesk's")]
pub struct Author<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    pub is_staff: Option<bool>,
}

/// Reads a body's envelope.
pub fn envelope(body: &[u8]) -> Result<Envelope<'_>, DecodeError> {
    // Serde would also read an array, as the values of the fields in their order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        let json = serde_json::from_slice::<de::IgnoredAny>(body);
        return Err(json.map_or(DecodeError::NotJson, |_| DecodeError::BadShape("it is a list")));
    }
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            // Whether the rest is JSON at all decides what the sender is told.
            match serde_json::from_slice::<de::IgnoredAny>(body) {
                Ok(_) => DecodeError::BadShape("it has no event type"),
                Err(_) => DecodeError::NotJson,
            }
        }
        _ => DecodeError::NotJson,
    })
}

/// Reads `detail`.
pub fn ticket(detail: &RawValue) -> Result<Ticket<'_>, DecodeError> {
    if !detail.get().starts_with('{') {
        return Err(DecodeError::BadShape("its detail is no object"));
    }
    serde_json::from_str(detail.get()).map_err(|_| DecodeError::BadShape("its detail is no ticket"))
}

/// Reads `event`; one of a shape we don't know tells nothing, and takes nothing from the ticket's own state.
pub fn change(event: Option<&RawValue>) -> Change<'_> {
    event.and_then(|event| serde_json::from_str(event.get()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(body: &[u8]) -> Result<(), DecodeError> {
        let envelope = envelope(body)?;
        if let Some(detail) = envelope.detail {
            let _ = ticket(detail)?;
        }
        let _ = change(envelope.event);
        Ok(())
    }

    #[test]
    fn what_is_no_json_is_told_from_json_of_another_shape() {
        for body in [&b""[..], b"{", b"ticket", b"{\"type\":\"a\"", b"\xff\xfe", b"{\"type\":\"\xff\"}"] {
            assert_eq!(parse(body), Err(DecodeError::NotJson), "{body:?}");
        }
        for body in ["{}", "[]", "null", "7", r#"{"type":null}"#, r#"{"type":["x"]}"#] {
            assert!(matches!(parse(body.as_bytes()), Err(DecodeError::BadShape(_))), "{body}");
        }
        assert!(matches!(parse(br#"{"type":"x","detail":[1]}"#), Err(DecodeError::BadShape(_))));
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        let body = r#"{"type":"zen:event-type:ticket.created","detail":{"id":"17","subject":"Plain","description":"a\nb"}}"#;
        let envelope = envelope(body.as_bytes()).unwrap();
        assert!(matches!(envelope.kind, Cow::Borrowed(_)));
        let ticket = ticket(envelope.detail.unwrap()).unwrap();
        assert!(matches!(ticket.subject, Some(Cow::Borrowed("Plain"))));
        assert!(matches!(ticket.description, Some(Cow::Owned(text)) if text == "a\nb"));
    }

    #[test]
    fn ids_are_texts_or_numbers_and_tags_a_list_a_text_or_null() {
        for (tags, expected) in
            [(r#"["a","b"]"#, 2), ("null", 0), (r#""a b c""#, 3), ("{}", 0), ("[null,1]", 1)]
        {
            let json = format!(r#"{{"id": 17, "organization_id": null, "tags": {tags}}}"#);
            let ticket: Ticket<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(ticket.id.as_deref(), Some("17"));
            assert_eq!(ticket.tags.len(), expected, "{tags}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn bytes_never_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        /// A valid body with anything in the place of its values.
        #[test]
        fn values_never_make_it_panic(
            cut in any::<prop::sample::Index>(),
            noise in "[\\[\\]{}\":,0-9a-z\\\\ \u{e9}-]{0,12}",
        ) {
            let body = r#"{"type":"zen:event-type:ticket.created","id":"1","time":"2026-11-23T12:00:00Z","detail":
                {"id":"17","tags":["a"],"via":{"channel":"web"},"custom_fields":[{"id":1,"value":true}]},
                "event":{"comment":{"body":"x","author":{"id":"1","is_staff":true}},"added":{"tags":["b"]}}}"#;
            let at = cut.index(body.len());
            prop_assume!(body.is_char_boundary(at));
            let _ = parse(format!("{}{noise}{}", &body[..at], &body[at..]).as_bytes());
        }
    }
}
