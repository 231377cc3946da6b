//! Freshdesk's shapes, read tolerantly: what we don't use is skipped, what may be missing or null is optional.

pub use crate::helpdesk::DecodeError;
use crate::helpdesk::lenient::{text, texts};
use crate::helpdesk::object;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A ticket, of a list or by itself.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Freshdesk's")]
pub struct Ticket<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub subject: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub description_text: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub description: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub status: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub priority: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub source: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "type", deserialize_with = "text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub tags: Vec<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub requester_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub responder_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub group_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub company_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub product_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub updated_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub custom_fields: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    pub requester: Option<Requester<'a>>,
    #[serde(borrow)]
    pub stats: Option<Stats<'a>>,
    #[serde(borrow)]
    pub conversations: Option<Vec<Conversation<'a>>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub cc_emails: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub attachments: Option<Vec<Attachment<'a>>>,
    pub deleted: Option<bool>,
    pub spam: Option<bool>,
}

/// A file.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Freshdesk's")]
pub struct Attachment<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub content_type: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub size: Option<Cow<'a, str>>,
}

/// Who asked.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Freshdesk's")]
pub struct Requester<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub email: Option<Cow<'a, str>>,
}

/// When someone answered: the outer option is whether the account tells it at all.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Freshdesk's")]
pub struct Stats<'a> {
    #[serde(borrow, deserialize_with = "present")]
    pub agent_responded_at: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "present")]
    pub requester_responded_at: Option<&'a RawValue>,
}

/// A note or a reply.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Freshdesk's")]
pub struct Conversation<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub body_text: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub body: Option<Cow<'a, str>>,
    pub private: Option<bool>,
    pub incoming: Option<bool>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    /// Of a message by mail: who sent it, and who else got it.
    #[serde(borrow, deserialize_with = "text")]
    pub from_email: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "texts")]
    pub cc_emails: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub attachments: Option<Vec<Attachment<'a>>>,
}

impl Ticket<'_> {
    /// Whether it may have replies, as far as its `stats` tell: then only the ticket by itself has them.
    pub fn may_have_replies(&self) -> bool {
        let never = |at: Option<&RawValue>| at.is_some_and(|at| at.get() == "null");
        !self
            .stats
            .as_ref()
            .is_some_and(|stats| never(stats.agent_responded_at) && never(stats.requester_responded_at))
    }
}

/// A value that is there, even if it is null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a ticket.
pub fn ticket(json: &[u8]) -> Result<Ticket<'_>, DecodeError> {
    serde_json::from_slice(object(json)?).map_err(|error| DecodeError::of(&error, "it is no ticket"))
}

/// The ticket that a webhook is about: of the default body `{"freshdesk_webhook": {"ticket_id": "11", …}}`, or of
/// one that the admin wrote, `{"ticket_id": 11}`. Nothing else of it is believed, since nothing of it is signed.
pub fn webhook(body: &[u8]) -> Result<String, DecodeError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Body<'a> {
        #[serde(borrow)]
        freshdesk_webhook: Option<Fields<'a>>,
        #[serde(borrow, deserialize_with = "text")]
        ticket_id: Option<Cow<'a, str>>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Fields<'a> {
        #[serde(borrow, deserialize_with = "text")]
        ticket_id: Option<Cow<'a, str>>,
    }
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(DecodeError::NotJson);
    }
    let body: Body<'_> =
        serde_json::from_slice(body).map_err(|error| DecodeError::of(&error, "it is no webhook"))?;
    let id = body.freshdesk_webhook.and_then(|fields| fields.ticket_id).or(body.ticket_id);
    // It becomes part of a URL.
    let id = id.filter(|id| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()));
    id.map(Cow::into_owned).ok_or(DecodeError::BadShape("it names no ticket"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_webhook_names_its_ticket() {
        for body in [
            r#"{"freshdesk_webhook":{"triggered_event":"{priority:{from:3,to:1}}","ticket_id":"11"}}"#,
            r#"{"freshdesk_webhook":{"ticket_id":11}}"#,
            r#" {"ticket_id":"11","anything":[1]}"#,
        ] {
            assert_eq!(webhook(body.as_bytes()).as_deref(), Ok("11"), "{body}");
        }
    }

    #[test]
    fn what_names_no_ticket_is_refused() {
        for body in ["", "[]", "ticket", "{", r#"{"ticket_id":"#] {
            assert_eq!(webhook(body.as_bytes()), Err(DecodeError::NotJson), "{body}");
        }
        for id in ["null", "\"\"", "\"../agents/me\"", "\"1/2\"", "-1", "1.5", "[11]", "\"INC-11\""] {
            let body = format!(r#"{{"freshdesk_webhook":{{"ticket_id":{id}}}}}"#);
            assert!(matches!(webhook(body.as_bytes()), Err(DecodeError::BadShape(_))), "{body}");
        }
    }

    #[test]
    fn only_stats_that_tell_spare_a_look() {
        for (stats, replies) in [
            (r#"{"agent_responded_at":null,"requester_responded_at":null}"#, false),
            (r#"{"agent_responded_at":null,"requester_responded_at":"2026-11-23T12:00:00Z"}"#, true),
            (r#"{"resolved_at":null}"#, true),
            ("null", true),
        ] {
            let json = format!(r#"{{"id":1,"stats":{stats}}}"#);
            assert_eq!(ticket(json.as_bytes()).unwrap().may_have_replies(), replies, "{stats}");
        }
    }

    proptest! {
        #[test]
        fn bytes_never_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (webhook(&body), ticket(&body).map(drop));
        }
    }
}
