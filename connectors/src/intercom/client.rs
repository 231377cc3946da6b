//! The part of Intercom's REST API that we use, over [`crate::http`].

use super::decode::{self, Conversation, DecodeError};
use crate::helpdesk::note::{self, Written};
use crate::helpdesk::{Wrote, html, write};
use crate::http::{
    Answer, Call, CallError, Client, ClientOptions, Effect, RateLimits, Rates, Repeat, SetupError,
};
use bytes::Bytes;
use deskstream_runtime::config::IntercomConfig;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::Instant;

const SERVICE: &str = "intercom";

/// The version of the API that we speak, whatever the app's own is.
pub const VERSION: &str = "2.14";

const VERSION_HEADER: HeaderName = HeaderName::from_static("intercom-version");

/// Intercom counts by ten seconds: a limit of 10,000 a minute is 1,666 in each.
const WINDOW: Duration = Duration::from_secs(10);
const WINDOWS_PER_MINUTE: u32 = 6;

/// Requests of one client at the same time: enough for the default limit at a fifth of a second each.
const CONCURRENCY: usize = 32;

/// Conversations of a page: more are refused.
pub const PAGE: usize = 150;

const GONE: [StatusCode; 2] = [StatusCode::NOT_FOUND, StatusCode::GONE];

/// A conversation as a write-back needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// All tags: id and name.
    pub tags: Vec<Tag>,
    /// Custom attributes that are set, by name; values as text.
    pub attributes: Vec<(String, String)>,
    /// Our own notes on it.
    pub notes: Vec<Written>,
    /// Texts of what admins have sent to the contact.
    pub replies: Vec<String>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tag {
    /// By which it is attached.
    pub id: String,
    /// By which agents know it.
    pub name: String,
}

/// A page of a search.
pub struct Page {
    answer: Answer,
}

/// What a page holds.
#[derive(Deserialize)]
pub struct PageBody<'a> {
    /// Conversations without their parts, each to be read on its own: a strange one spoils no page.
    #[serde(borrow)]
    pub conversations: Vec<&'a RawValue>,
    /// Whether and where it goes on.
    #[serde(default)]
    pages: Option<Pages>,
}

#[derive(Deserialize, Default)]
struct Pages {
    #[serde(default)]
    next: Option<Next>,
}

#[derive(Deserialize)]
struct Next {
    starting_after: Option<String>,
}

impl PageBody<'_> {
    /// The cursor of the next page, if there is one.
    pub fn next(&self) -> Option<&str> {
        self.pages.as_ref()?.next.as_ref()?.starting_after.as_deref()
    }
}

/// One workspace's API.
pub struct Api {
    http: Client,
    admin: OnceCell<String>,
}

#[derive(Deserialize)]
struct Anything {}

impl Api {
    /// The account of a tenant.
    pub fn new(tenant: &str, config: &IntercomConfig) -> Result<Self, SetupError> {
        Self::sharing(tenant, config, &Rates::default(), false)
    }

    /// As [`Api::new`], on the account's rates; `background` for what can wait.
    pub fn sharing(
        tenant: &str,
        config: &IntercomConfig,
        rates: &Rates,
        background: bool,
    ) -> Result<Self, SetupError> {
        let mut options = ClientOptions::new(SERVICE, tenant, config.url.clone());
        (options.rates, options.background) = (rates.clone(), background);
        let bearer = format!("Bearer {}", config.access_token.expose().expose_secret());
        options.authorization = Some(SecretString::from(bearer));
        options.headers.insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
        options.concurrency = CONCURRENCY;
        options.per_window = (config.requests_per_minute.get() / WINDOWS_PER_MINUTE).max(1);
        options.window = WINDOW;
        Ok(Self { http: Client::new(options)?, admin: OnceCell::new() })
    }

    /// What Intercom last said of the app's limits.
    pub fn limits(&self) -> RateLimits {
        self.http.limits()
    }

    /// The id of the admin whose token we have.
    pub async fn me(&self) -> Result<&str, CallError> {
        #[derive(Deserialize)]
        struct Admin {
            id: String,
        }
        let asked = self.admin.get_or_try_init(|| async {
            let answer = self.http.call(&Call::get("me", "/me")).await?;
            self.http.json::<Admin>("me", &answer, Effect::None).map(|admin| admin.id)
        });
        asked.await.map(String::as_str)
    }

    /// A conversation with its newest parts (500 at most); `None` if there is none.
    pub async fn view(&self, id: &str, deadline: Option<Instant>) -> Result<Option<Bytes>, CallError> {
        self.get("conversations_view", &format!("/conversations/{id}"), deadline).await
    }

    /// A contact; `None` if there is none.
    pub async fn contact(&self, id: &str, deadline: Option<Instant>) -> Result<Option<Bytes>, CallError> {
        self.get("contacts_view", &format!("/contacts/{id}"), deadline).await
    }

    async fn get(
        &self,
        endpoint: &'static str,
        url: &str,
        deadline: Option<Instant>,
    ) -> Result<Option<Bytes>, CallError> {
        let mut call = Call::get(endpoint, url).accepting(&GONE);
        call.deadline = deadline;
        let answer = self.http.call(&call).await?;
        Ok(answer.status.is_success().then_some(answer.body))
    }

    /// A conversation as a write-back needs it; `None` if there is none.
    pub async fn state(&self, id: &str) -> Result<Option<State>, CallError> {
        let url = format!("/conversations/{id}");
        let answer = self.http.call(&Call::get("conversations_state", &url).accepting(&GONE)).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        let read: Conversation<'_> = self.http.json("conversations_state", &answer, Effect::None)?;
        Ok(Some(state(&read)))
    }

    /// A page of the conversations that changed within two Unix times, both included.
    pub async fn search(&self, from: i64, to: i64, after: Option<&str>) -> Result<Page, CallError> {
        // Whether the limits are included is documented neither way: asked for a second wider, and cut by the caller.
        let within = [
            json!({"field": "updated_at", "operator": ">", "value": from - 1}),
            json!({"field": "updated_at", "operator": "<", "value": to + 1}),
        ];
        let mut pagination = json!({"per_page": PAGE});
        if let Some(after) = after {
            pagination["starting_after"] = Value::from(after);
        }
        let query = json!({"query": {"operator": "AND", "value": within}, "pagination": pagination});
        let mut call =
            Call::write("conversations_search", Method::POST, "/conversations/search", body(&query));
        // A search changes nothing.
        call.repeat = Repeat::Safe;
        Ok(Page { answer: self.http.call(&call).await? })
    }

    /// What a page holds.
    pub fn page<'a>(&self, page: &'a Page) -> Result<PageBody<'a>, CallError> {
        self.http.json("conversations_search", &page.answer, Effect::None)
    }

    /// The tag of this name, made if there is none: asking twice gives the same.
    pub async fn tag(&self, name: &str) -> Result<Wrote<Tag>, CallError> {
        let mut call = Call::write("tags_create", Method::POST, "/tags", body(&json!({"name": name})));
        call.repeat = Repeat::Safe;
        write(&self.http, call).await
    }

    /// Attaches a tag to a conversation, whatever others there are.
    pub async fn attach(&self, id: &str, tag_id: &str) -> Result<Wrote<()>, CallError> {
        let url = format!("/conversations/{id}/tags");
        let tag = json!({"id": tag_id, "admin_id": self.me().await?});
        self.change("tags_attach", Method::POST, &url, &tag).await
    }

    /// Takes a tag off a conversation.
    pub async fn detach(&self, id: &str, tag_id: &str) -> Result<Wrote<()>, CallError> {
        let url = format!("/conversations/{id}/tags/{tag_id}");
        self.change("tags_detach", Method::DELETE, &url, &json!({"admin_id": self.me().await?})).await
    }

    /// Sets a custom attribute, whatever others there are.
    pub async fn set_attribute(&self, id: &str, name: &str, value: &str) -> Result<Wrote<()>, CallError> {
        let url = format!("/conversations/{id}");
        let update = json!({"custom_attributes": {name: value}});
        self.change("conversations_update", Method::PUT, &url, &update).await
    }

    /// A change that comes to the same however often it is made.
    async fn change(
        &self,
        endpoint: &'static str,
        method: Method,
        url: &str,
        change: &Value,
    ) -> Result<Wrote<()>, CallError> {
        let mut call = Call::write(endpoint, method, url, body(change));
        call.repeat = Repeat::Safe;
        Ok(write::<Anything>(&self.http, call).await?.done())
    }

    /// Adds a note, which the contact does not see.
    pub async fn add_note(&self, id: &str, text: &str) -> Result<Wrote<()>, CallError> {
        self.say("notes_create", "note", id, text).await
    }

    /// Sends a reply to the contact.
    pub async fn reply(&self, id: &str, text: &str) -> Result<Wrote<()>, CallError> {
        self.say("replies_create", "comment", id, text).await
    }

    async fn say(
        &self,
        endpoint: &'static str,
        message_type: &'static str,
        id: &str,
        text: &str,
    ) -> Result<Wrote<()>, CallError> {
        let url = format!("/conversations/{id}/reply");
        let said = Reply { message_type, kind: "admin", admin_id: self.me().await?, body: html::block(text) };
        let call = Call::write(endpoint, Method::POST, &url, body(&said));
        Ok(write::<Anything>(&self.http, call).await?.done())
    }
}

#[derive(Serialize)]
struct Reply<'a> {
    message_type: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    admin_id: &'a str,
    body: String,
}

impl Page {
    /// Requests sent for it.
    pub fn attempts(&self) -> u32 {
        self.answer.attempts
    }
}

fn body(value: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("texts, numbers and lists are JSON"))
}

fn state(read: &Conversation<'_>) -> State {
    let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
    let tags = read.tags.iter().flat_map(|list| &list.tags);
    let attributes = read.custom_attributes.iter().flatten();
    let parts = read.conversation_parts.iter().flat_map(|list| &list.conversation_parts);
    let (notes, others): (Vec<_>, Vec<_>) = parts.partition(|part| part.part_type.as_deref() == Some("note"));
    let by_admin = |part: &&decode::Part<'_>| {
        let author = part.author.as_ref().and_then(|author| author.kind.as_deref());
        part.part_type.as_deref() == Some("comment") && author == Some("admin")
    };
    let replies = others.into_iter().filter(by_admin);
    State {
        tags: tags.filter_map(|tag| Some(Tag { id: owned(&tag.id)?, name: owned(&tag.name)? })).collect(),
        attributes: attributes
            .filter_map(|(name, value)| {
                Some((name.clone().into_owned(), crate::helpdesk::lenient::field(value)?))
            })
            .collect(),
        replies: replies.filter_map(|part| Some(html::text(part.body.as_deref()?))).collect(),
        notes: notes.into_iter().filter_map(|note| note::read(&html::text(note.body.as_deref()?))).collect(),
    }
}

/// Reads a conversation of a page.
pub fn listed(raw: &RawValue) -> Result<Conversation<'_>, DecodeError> {
    decode::conversation(raw.get().as_bytes())
}
