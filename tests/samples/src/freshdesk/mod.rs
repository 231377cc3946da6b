//! A sample Freshdesk: one account on a loopback port, API v2.
//!
//! Source of truth is the public API documentation (developers.freshdesk.com/api). Where that is silent the
//! behaviour is an assumption:
//! - a page beyond the 300th is a validation error;
//! - every write moves `updated_at`, which counts whole seconds, also a note or a reply;
//! - a write to a ticket in the trash is 405.
//!
//! What the documentation does say and what matters most: `tags` stand for the whole list, there is no conditional
//! write, a ticket always has a priority (1 if nobody gave one), and webhooks are sent by automation rules without a
//! signature, with labels in place of codes and ids as texts ([`Freshdesk::trigger`]).

mod conversations;
mod limits;
mod model;
mod search;
mod server;
mod tickets;
mod webhook;

pub use limits::Limits;
pub use model::{Conversation, Ticket};
pub use webhook::Auth;

use crate::clock::Clock;
use crate::faults::Script;
use crate::http_server::Server;
use crate::zendesk::{AgentEdit, TagEdit};
use model::{Account, NewConversation};
use parking_lot::Mutex;
use server::Shared;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How to start a [`Freshdesk`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The agent's API key, the user name of Basic credentials.
    pub api_key: String,
    /// Rate limits.
    pub limits: Limits,
    /// Most pages of a list; 300 at the real one.
    pub most_pages: usize,
    /// Time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            // New for every start, so that nothing can depend on a constant.
            api_key: crate::ids::hex(20),
            limits: Limits::default(),
            most_pages: 300,
            clock: Clock::default(),
        }
    }
}

/// A ticket to create.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTicket {
    /// Subject line.
    pub subject: String,
    /// Description in HTML.
    pub description: String,
    /// Requester's name.
    pub requester_name: String,
    /// Requester's address.
    pub requester_email: String,
    /// Priority code; 1 if absent.
    pub priority: Option<u64>,
    /// Status code; 2 if absent.
    pub status: Option<u64>,
    /// Tags.
    pub tags: Vec<String>,
}

/// What was asked of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests to the API.
    pub requests: u64,
    /// Refused credentials.
    pub unauthorized: u64,
    /// Refused by a rate limit.
    pub rate_limited: u64,
    /// Pages of the ticket list.
    pub lists: u64,
    /// Single tickets read.
    pub views: u64,
    /// Updates applied.
    pub updates: u64,
    /// Notes added through the API.
    pub notes: u64,
    /// Replies and public notes added through the API: these reach the customer.
    pub replies: u64,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    unauthorized: AtomicU64,
    rate_limited: AtomicU64,
    lists: AtomicU64,
    views: AtomicU64,
    updates: AtomicU64,
    notes: AtomicU64,
    replies: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A running sample Freshdesk. Dropping it ends it.
pub struct Freshdesk {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Freshdesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Freshdesk").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Freshdesk {
    /// Starts the service.
    pub async fn start(options: Options) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            script: Script::default(),
            account: Mutex::new(Account::default()),
            limiter: limits::Limiter::default(),
            counters: Counters::default(),
            base: std::sync::OnceLock::new(),
            options,
        });
        let server = Server::start(shared.options.port, server::router(&shared)).await?;
        let _ = shared.base.set(server.url());
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

    /// Creates a ticket as its requester would by e-mail.
    pub fn create_ticket(&self, new: NewTicket) -> u64 {
        let now = self.shared.now();
        self.shared.account.lock().create(new, now)
    }

    /// A ticket with its conversations.
    pub fn ticket(&self, id: u64) -> Option<Ticket> {
        self.shared.account.lock().tickets.get(&id).cloned()
    }

    /// Texts of the private notes on a ticket.
    pub fn notes(&self, id: u64) -> Vec<String> {
        let account = self.shared.account.lock();
        let conversations = account.tickets.get(&id).map(|ticket| ticket.conversations.as_slice());
        let private = conversations.unwrap_or_default().iter().filter(|entry| entry.private);
        private.map(|entry| entry.body_text()).collect()
    }

    /// The requester writes again; false if there is no such ticket.
    pub fn customer_reply(&self, id: u64, text: &str) -> bool {
        let now = self.shared.now();
        let reply = NewConversation {
            body: format!("<div>{}</div>", model::escape(text)),
            private: false,
            incoming: true,
            source: 0,
        };
        self.shared.account.lock().add(id, reply, now).is_some()
    }

    /// An agent edits tags or priority by hand; false if there is no such ticket.
    pub fn agent_edit(&self, id: u64, edit: &AgentEdit) -> bool {
        agent_edit(&self.shared, id, edit)
    }

    /// Changes a ticket in any way, and moves its `updated_at` to the present second.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut Ticket)) -> bool {
        let now = self.shared.now();
        let mut account = self.shared.account.lock();
        let Some(ticket) = account.tickets.get_mut(&id) else { return false };
        change(ticket);
        ticket.updated_at = now;
        true
    }

    /// Sends the webhook of an automation rule about a ticket, once, and gives the receiver's status.
    pub async fn trigger(&self, id: u64, event: &str, url: &str, auth: &Auth) -> Option<u16> {
        let body = self.shared.account.lock().webhook_body(id, event, &self.url())?;
        webhook::send(url, auth, &body).await
    }

    /// All counts.
    pub fn stats(&self) -> Stats {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.shared.counters;
        Stats {
            requests: of(&counters.requests),
            unauthorized: of(&counters.unauthorized),
            rate_limited: of(&counters.rate_limited),
            lists: of(&counters.lists),
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

/// Of an edit, tags and priority apply here.
fn agent_edit(shared: &Shared, id: u64, edit: &AgentEdit) -> bool {
    let now = shared.now();
    let mut account = shared.account.lock();
    let Some(ticket) = account.tickets.get_mut(&id) else { return false };
    for change in &edit.update.tags {
        match change {
            TagEdit::Set(tags) => ticket.tags.clone_from(tags),
            TagEdit::Add(tags) => {
                let new: Vec<_> = tags.iter().filter(|tag| !ticket.tags.contains(tag)).cloned().collect();
                ticket.tags.extend(new);
            }
            TagEdit::Remove(tags) => ticket.tags.retain(|tag| !tags.contains(tag)),
        }
    }
    if let Some(priority) = edit.update.priority {
        ticket.priority = model::priority_code(priority);
    }
    if !edit.same_second {
        ticket.updated_at = now.max(ticket.updated_at + 1);
    }
    true
}
