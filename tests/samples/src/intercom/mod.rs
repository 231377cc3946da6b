//! A sample Intercom: one workspace on a loopback port, REST API 2.14.
//!
//! Source of truth is Intercom's OpenAPI description of that version (a test holds the answers to it) and its developer
//! documentation. Where they are silent the behaviour is an assumption:
//! - a search without an order gives the latest changes first;
//! - every write moves `updated_at`, which counts whole seconds, also a note and a tag;
//! - attaching a tag that is there, and taking one off that is not, change nothing.
//!
//! What matters most: a tag is attached by its id and one at a time, priority can't be written, there is no conditional
//! write, and webhooks are signed over their body alone ([`Intercom::notify`]).

mod actions;
mod limits;
mod model;
mod server;
mod webhook;

pub use model::{Conversation, Part};
pub use webhook::sign;

use crate::clock::Clock;
use crate::faults::Script;
use crate::http_server::Server;
use crate::zendesk::{AgentEdit, TagEdit};
use model::Workspace;
use parking_lot::Mutex;
use server::Shared;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to start an [`Intercom`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The bearer token.
    pub access_token: String,
    /// What webhooks are signed with.
    pub client_secret: String,
    /// Requests per ten seconds; none for no limit, and so no headers.
    pub per_window: Option<u32>,
    /// Time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            // New for every start, so that nothing can depend on a constant.
            access_token: crate::ids::hex(60),
            client_secret: crate::ids::hex(36),
            // The default of an app: 10,000 a minute.
            per_window: Some(1666),
            clock: Clock::default(),
        }
    }
}

/// A conversation to begin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewConversation {
    /// Subject, of an e-mail.
    pub subject: String,
    /// First message, in HTML.
    pub body: String,
    /// Contact's name.
    pub contact_name: String,
    /// Contact's address.
    pub contact_email: String,
    /// Names of its tags.
    pub tags: Vec<String>,
}

/// What was asked of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests to the API.
    pub requests: u64,
    /// Refused credentials.
    pub unauthorized: u64,
    /// Refused by the rate limit.
    pub rate_limited: u64,
    /// Pages of a search or a list.
    pub searches: u64,
    /// Single conversations read.
    pub views: u64,
    /// Tags attached, taken off, and attributes set.
    pub updates: u64,
    /// Notes added through the API.
    pub notes: u64,
    /// Comments added through the API: these reach the contact.
    pub replies: u64,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    unauthorized: AtomicU64,
    rate_limited: AtomicU64,
    searches: AtomicU64,
    views: AtomicU64,
    updates: AtomicU64,
    notes: AtomicU64,
    replies: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A running sample Intercom. Dropping it ends it.
pub struct Intercom {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Intercom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intercom").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Intercom {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            script: Script::default(),
            workspace: Mutex::new(Workspace::default()),
            limiter: limits::Limiter::default(),
            counters: Counters::default(),
            options,
        });
        let server = Server::start(shared.options.port, server::router(&shared)).await?;
        Ok(Self { shared, server })
    }

    /// Base address, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The options in force, credentials included.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.options.clock
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// An admin makes a conversation attribute: others are refused.
    pub fn define_attribute(&self, name: &str) {
        self.shared.workspace.lock().attributes.push(name.to_owned());
    }

    /// Begins a conversation as its contact would.
    pub fn create_conversation(&self, new: NewConversation) -> u64 {
        let now = self.shared.now();
        self.shared.workspace.lock().create(new, now)
    }

    /// A conversation with its parts.
    pub fn conversation(&self, id: u64) -> Option<Conversation> {
        self.shared.workspace.lock().conversations.get(&id).cloned()
    }

    /// Names of the tags of a conversation.
    pub fn tags(&self, id: u64) -> Vec<String> {
        self.shared.workspace.lock().tag_names(id)
    }

    /// Bodies of the notes on a conversation, in HTML.
    pub fn notes(&self, id: u64) -> Vec<String> {
        let workspace = self.shared.workspace.lock();
        let parts = workspace.conversations.get(&id).map(|found| found.parts.as_slice());
        let notes = parts.unwrap_or_default().iter().filter(|part| part.part_type == "note");
        notes.map(|part| part.body.clone()).collect()
    }

    /// The contact writes again; false if there is no such conversation.
    pub fn contact_reply(&self, id: u64, body: &str) -> bool {
        let now = self.shared.now();
        self.shared.workspace.lock().reply(id, "comment", body, false, now).is_some()
    }

    /// Changes a conversation in any way, and moves its `updated_at` to the present second.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut Conversation)) -> bool {
        let now = self.shared.now();
        let mut workspace = self.shared.workspace.lock();
        let Some(found) = workspace.conversations.get_mut(&id) else { return false };
        change(found);
        found.updated_at = now;
        true
    }

    /// An agent edits tags by hand; false if there is no such conversation.
    pub fn agent_edit(&self, id: u64, edit: &AgentEdit) -> bool {
        agent_edit(&self.shared, id, edit)
    }

    /// The body of a notification about a conversation. As the real one's, it holds the newest part only.
    pub fn notification(&self, id: u64, topic: &str) -> Option<Vec<u8>> {
        let now = self.shared.now();
        self.shared.workspace.lock().notification(id, topic, now)
    }

    /// Sends a notification, once, and gives the receiver's status.
    pub async fn notify(&self, id: u64, topic: &str, url: &str) -> Option<u16> {
        let body = self.notification(id, topic)?;
        webhook::send(url, &self.shared.options.client_secret, body).await
    }

    /// All counts.
    pub fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Stats {
            requests: of(&counters.requests),
            unauthorized: of(&counters.unauthorized),
            rate_limited: of(&counters.rate_limited),
            searches: of(&counters.searches),
            views: of(&counters.views),
            updates: of(&counters.updates),
            notes: of(&counters.notes),
            replies: of(&counters.replies),
        }
    }

    /// Ends the service and waits until its connections are gone.
    pub async fn shutdown(self) {
        self.server.shutdown().await;
    }
}

/// Of an edit, tags apply here.
fn agent_edit(shared: &Shared, id: u64, edit: &AgentEdit) -> bool {
    let now = shared.now();
    let mut workspace = shared.workspace.lock();
    for change in &edit.update.tags {
        let (names, add) = match change {
            TagEdit::Set(_) => continue,
            TagEdit::Add(names) => (names, true),
            TagEdit::Remove(names) => (names, false),
        };
        for name in names {
            let tag = workspace.tag(name);
            if workspace.set_tag(id, tag, add, now).is_none() {
                return false;
            }
        }
    }
    true
}
