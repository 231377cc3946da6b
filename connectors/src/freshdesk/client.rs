//! The part of Freshdesk's API v2 that we use, over [`crate::http`].

use super::decode::Conversation;
use crate::helpdesk::note::{self, Written};
use crate::helpdesk::{Wrote, html, write};
use crate::http::{
    Answer, Budget, Call, CallError, Client, ClientOptions, Effect, RateLimits, Rates, SetupError, Turn,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use deskstream_runtime::config::FreshdeskConfig;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;

const SERVICE: &str = "freshdesk";

/// Freshdesk counts updates and lists of tickets apart from and in addition to the account's limit, and tells of
/// these only by refusing.
const UPDATES: &str = "tickets-update";
const LISTS: &str = "tickets-list";

/// Requests of one client at the same time: enough for the 700 requests a minute of the largest plan.
const CONCURRENCY: usize = 16;

/// Tickets of a list's page: more are refused.
pub const PAGE: usize = 100;

/// Conversations are listed from the oldest on, a hundred a page; a ticket has rarely more than one.
const CONVERSATION_PAGES: usize = 20;

/// A ticket as a write-back needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct TicketState {
    /// All tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Priority code: a ticket always has one.
    pub priority: u64,
    /// Status code.
    pub status: u64,
    /// As Freshdesk wrote it.
    pub updated_at: String,
    /// Whether it is in the trash.
    #[serde(default)]
    pub deleted: bool,
    /// Whether it is spam.
    #[serde(default)]
    pub spam: bool,
}

/// What to change of a ticket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Update {
    /// All tags it shall have; none to leave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// Its priority's code; none to leave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
}

/// A page of a list.
pub struct Page {
    answer: Answer,
}

/// One account's API.
pub struct Api {
    http: Client,
}

impl Api {
    /// The account of a tenant.
    pub fn new(tenant: &str, config: &FreshdeskConfig) -> Result<Self, SetupError> {
        Self::sharing(tenant, config, &Rates::default(), false)
    }

    /// As [`Api::new`], on the account's rates; `background` for what can wait.
    pub fn sharing(
        tenant: &str,
        config: &FreshdeskConfig,
        rates: &Rates,
        background: bool,
    ) -> Result<Self, SetupError> {
        let mut options = ClientOptions::new(SERVICE, tenant, config.url.clone());
        (options.rates, options.background) = (rates.clone(), background);
        let key = config.api_key.expose();
        // The key is the user name; the password may be anything.
        let pair = SecretString::from(format!("{}:X", key.expose_secret()));
        let basic = format!("Basic {}", STANDARD.encode(pair.expose_secret()));
        options.authorization = Some(SecretString::from(basic));
        options.concurrency = CONCURRENCY;
        options.per_window = config.requests_per_minute.get();
        options.budgets = vec![
            Budget { name: UPDATES, per_window: config.updates_per_minute.get() },
            Budget { name: LISTS, per_window: config.lists_per_minute.get() },
        ];
        Ok(Self { http: Client::new(options)? })
    }

    pub(super) fn http(&self) -> &Client {
        &self.http
    }

    /// What Freshdesk last said of the account's limits.
    pub fn limits(&self) -> RateLimits {
        self.http.limits()
    }

    /// The id of the agent whose key we have: the test of a connection, since it needs nothing but a valid key.
    pub async fn me(&self) -> Result<String, CallError> {
        #[derive(Deserialize)]
        struct Agent {
            id: u64,
        }
        let answer = self.http.call(&Call::get("agents_me", "/api/v2/agents/me")).await?;
        self.http.json::<Agent>("agents_me", &answer, Effect::None).map(|agent| agent.id.to_string())
    }

    /// A ticket with requester and newest conversations; `None` if there is none.
    pub async fn view(&self, ticket: &str, deadline: Option<Instant>) -> Result<Option<Bytes>, CallError> {
        let url = format!("/api/v2/tickets/{ticket}?include=requester,conversations");
        let mut call = Call::get("tickets_view", &url).accepting(&[StatusCode::NOT_FOUND, StatusCode::GONE]);
        call.deadline = deadline;
        let answer = self.http.call(&call).await?;
        Ok(answer.status.is_success().then_some(answer.body))
    }

    /// A ticket's state; `None` if there is none.
    pub async fn state(&self, ticket: &str) -> Result<Option<TicketState>, CallError> {
        let url = format!("/api/v2/tickets/{ticket}");
        let call = Call::get("tickets_state", &url);
        let answer = self.http.call(&call.accepting(&[StatusCode::NOT_FOUND, StatusCode::GONE])).await?;
        if !answer.status.is_success() {
            return Ok(None);
        }
        self.http.json("tickets_state", &answer, Effect::None).map(Some)
    }

    /// A page of the tickets that changed at or after a Unix time, in the order of their changes.
    pub async fn list(&self, since: i64, page: usize) -> Result<Page, CallError> {
        let since = Timestamp::from_second(since).unwrap_or(Timestamp::UNIX_EPOCH);
        let url = format!(
            "/api/v2/tickets?updated_since={since}&order_by=updated_at&order_type=asc&per_page={PAGE}&page={page}\
             &include=requester,description,stats"
        );
        let mut call = Call::get("tickets_list", &url);
        call.budget = Some(LISTS);
        Ok(Page { answer: self.http.call(&call).await? })
    }

    /// The tickets of a page, each to be read on its own: a strange one spoils no page.
    pub fn tickets<'a>(&self, page: &'a Page) -> Result<Vec<&'a RawValue>, CallError> {
        self.http.json("tickets_list", &page.answer, Effect::None)
    }

    /// Waits until a ticket may be updated: what is read after that is fresh when the update is sent.
    pub async fn update_turn(&self) -> Result<Turn<'_>, CallError> {
        self.http.reserve("tickets_update", UPDATES).await
    }

    /// Updates a ticket by one request, which is never repeated blindly: it stands for the whole list of tags.
    pub async fn update(
        &self,
        ticket: &str,
        update: &Update,
        turn: &Turn<'_>,
    ) -> Result<Wrote<TicketState>, CallError> {
        let url = format!("/api/v2/tickets/{ticket}");
        let body = serde_json::to_vec(update).expect("texts and numbers are JSON");
        let mut call = Call::write("tickets_update", Method::PUT, &url, Bytes::from(body));
        (call.budget, call.turn) = (Some(UPDATES), Some(turn));
        write(&self.http, call).await
    }

    /// Adds a private note, which never notifies anyone.
    pub async fn add_note(&self, ticket: &str, text: &str) -> Result<Wrote<()>, CallError> {
        #[derive(Serialize)]
        struct Note {
            body: String,
            private: bool,
        }
        #[derive(Deserialize)]
        struct Added {}
        let url = format!("/api/v2/tickets/{ticket}/notes");
        let note = Note { body: html::block(text), private: true };
        let body = serde_json::to_vec(&note).expect("texts and truths are JSON");
        let call = Call::write("notes_create", Method::POST, &url, Bytes::from(body));
        Ok(write::<Added>(&self.http, call).await?.done())
    }

    /// Sends a reply to the requester.
    pub async fn reply(&self, ticket: &str, text: &str) -> Result<Wrote<()>, CallError> {
        #[derive(Deserialize)]
        struct Added {}
        let url = format!("/api/v2/tickets/{ticket}/reply");
        let body = serde_json::json!({ "body": html::block(text) }).to_string();
        let call = Call::write("replies_create", Method::POST, &url, Bytes::from(body));
        Ok(write::<Added>(&self.http, call).await?.done())
    }

    /// Whether a reply with that text was sent to the requester.
    pub async fn replied(&self, ticket: &str, text: &str) -> Result<bool, CallError> {
        let mut found = false;
        self.conversations(ticket, |entry| {
            let outgoing = entry.private == Some(false) && entry.incoming != Some(true);
            found |= outgoing && read_text(entry).is_some_and(|sent| html::same_words(&sent, text));
        })
        .await?;
        Ok(found)
    }

    /// Our own notes on a ticket.
    pub async fn notes(&self, ticket: &str) -> Result<Vec<Written>, CallError> {
        let mut found = Vec::new();
        self.conversations(ticket, |entry| {
            found.extend(Some(entry).filter(|entry| entry.private == Some(true)).and_then(read_note));
        })
        .await?;
        Ok(found)
    }

    /// Shows every conversation of a ticket, the oldest first.
    async fn conversations(
        &self,
        ticket: &str,
        mut show: impl FnMut(&Conversation<'_>),
    ) -> Result<(), CallError> {
        for page in 1..=CONVERSATION_PAGES {
            let url = format!("/api/v2/tickets/{ticket}/conversations?per_page=100&page={page}");
            let call = Call::get("conversations_list", &url);
            let answer = self.http.call(&call.accepting(&[StatusCode::NOT_FOUND])).await?;
            if answer.status == StatusCode::NOT_FOUND {
                break;
            }
            let entries: Vec<Conversation<'_>> =
                self.http.json("conversations_list", &answer, Effect::None)?;
            entries.iter().for_each(&mut show);
            if !has_next(&answer) {
                break;
            }
        }
        Ok(())
    }
}

impl Page {
    /// Whether the `link` header names a next page.
    pub fn has_next(&self) -> bool {
        has_next(&self.answer)
    }

    /// Requests sent for it.
    pub fn attempts(&self) -> u32 {
        self.answer.attempts
    }
}

fn has_next(answer: &Answer) -> bool {
    let links = answer.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
    links.into_iter().any(|link| link.contains("rel=\"next\""))
}

/// Freshdesk's text of the HTML, or our own reading of it.
fn read_text(entry: &Conversation<'_>) -> Option<String> {
    let ours = || entry.body.as_deref().map(html::text);
    entry.body_text.as_deref().map(str::to_owned).or_else(ours)
}

fn read_note(entry: &Conversation<'_>) -> Option<Written> {
    // Freshdesk's text of our HTML, or our own reading of it.
    entry
        .body_text
        .as_deref()
        .and_then(note::read)
        .or_else(|| note::read(&html::text(entry.body.as_deref()?)))
}
