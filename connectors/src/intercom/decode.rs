//! Intercom's shapes, read tolerantly: what we don't use is skipped, what may be missing or null is optional.
//!
//! The version of the API that is asked for fixes the shapes of its answers ([`super::client::VERSION`]); those of
//! webhooks follow the version of the app, which its owner chooses.

pub use crate::helpdesk::DecodeError;
use crate::helpdesk::lenient::text;
use crate::helpdesk::object;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a webhook carries.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Notification<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub topic: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub data: Option<Data<'a>>,
}

/// What it is about.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Data<'a> {
    /// A conversation, a part of one, or something else that tells of one.
    #[serde(borrow)]
    pub item: Option<&'a RawValue>,
}

/// A conversation.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Conversation<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    /// Of an item that only belongs to a conversation.
    #[serde(borrow, deserialize_with = "text")]
    pub conversation_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub title: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub updated_at: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub state: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub priority: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub admin_assignee_id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub team_assignee_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub tags: Option<Tags<'a>>,
    /// In the notification of a tag.
    #[serde(borrow)]
    pub tags_added: Option<Tags<'a>>,
    #[serde(borrow)]
    pub source: Option<Source<'a>>,
    #[serde(borrow)]
    pub contacts: Option<Contacts<'a>>,
    #[serde(borrow)]
    pub custom_attributes: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(borrow)]
    pub conversation_parts: Option<Parts<'a>>,
}

/// The tags of a conversation, or those that a webhook says were added.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Tags<'a> {
    #[serde(borrow)]
    pub tags: Vec<Tag<'a>>,
}

/// A tag.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Tag<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
}

/// The message that began a conversation.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Source<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub subject: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub body: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub author: Option<Author<'a>>,
    #[serde(borrow)]
    pub attachments: Option<Vec<Attachment<'a>>>,
}

/// Who wrote something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Author<'a> {
    #[serde(borrow, rename = "type", deserialize_with = "text")]
    pub kind: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub email: Option<Cow<'a, str>>,
}

impl Author<'_> {
    /// Whether it is a contact: a user or a lead.
    pub fn is_contact(&self) -> bool {
        matches!(self.kind.as_deref(), Some("user" | "lead" | "contact"))
    }
}

/// The contacts of a conversation: their ids only.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Contacts<'a> {
    #[serde(borrow)]
    pub contacts: Vec<Contact<'a>>,
}

/// A contact, or a reference to one.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Contact<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub id: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub email: Option<Cow<'a, str>>,
}

/// The parts of a conversation.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Parts<'a> {
    #[serde(borrow)]
    pub conversation_parts: Vec<Part<'a>>,
}

/// A message or an action within a conversation.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Part<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub part_type: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub body: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub created_at: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub author: Option<Author<'a>>,
    #[serde(borrow)]
    pub attachments: Option<Vec<Attachment<'a>>>,
}

/// A file.
#[derive(Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the names are Intercom's")]
pub struct Attachment<'a> {
    #[serde(borrow, deserialize_with = "text")]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub content_type: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "text")]
    pub filesize: Option<Cow<'a, str>>,
}

/// Reads a webhook's body.
pub fn notification(body: &[u8]) -> Result<Notification<'_>, DecodeError> {
    let not = |error: serde_json::Error| DecodeError::of(&error, "it is no notification");
    let read: Notification<'_> = serde_json::from_slice(object(body)?).map_err(not)?;
    if read.topic.is_none() { Err(DecodeError::BadShape("it has no topic")) } else { Ok(read) }
}

/// Reads a conversation.
pub fn conversation(json: &[u8]) -> Result<Conversation<'_>, DecodeError> {
    let not = |error: serde_json::Error| DecodeError::of(&error, "it is no conversation");
    serde_json::from_slice(object(json)?).map_err(not)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_ping_is_a_notification_without_an_id() {
        let ping = br#"{"type":"notification_event","app_id":"x","data":{"type":"notification_event_data",
            "item":{"type":"ping","message":"hello"}},"id":null,"topic":"ping","created_at":1553288147}"#;
        let read = notification(ping).unwrap();
        assert_eq!((read.topic.as_deref(), read.id), (Some("ping"), None));
    }

    #[test]
    fn what_is_none_is_refused() {
        for body in ["", "{", "{\"topic\":"] {
            assert!(notification(body.as_bytes()).is_err(), "{body}");
        }
        for body in ["[]", "7", "{}", r#"{"topic":null}"#, r#"{"topic":"x","data":7}"#] {
            assert!(matches!(notification(body.as_bytes()), Err(DecodeError::BadShape(_))), "{body}");
        }
    }

    proptest! {
        #[test]
        fn bytes_never_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (notification(&body).map(drop), conversation(&body).map(drop));
        }
    }
}
