//! A sample Zendesk: one account on a loopback port.
//!
//! Source of truth is Zendesk's public documentation and OpenAPI description; where those are silent, the
//! behaviour here is an assumption and its module says so. The REST API is under `/api/v2` (with or without
//! `.json`), the test controls are under `/__control` (no credentials; loopback only).

mod breaker;
mod changes;
mod control;
mod delivery;
mod events;
mod incremental;
mod jobs;
mod limits;
mod model;
mod paging;
mod search;
mod sender;
mod server;
mod signature;
mod state;
mod stats;
mod tags;
mod tickets;
mod traffic;
mod webhooks;

pub use breaker::BreakerOptions;
pub use changes::{AgentEdit, NewComment, NewTicket, TagEdit, TicketUpdate};
pub use limits::Limits;
pub use model::{Audit, AuditEvent, Channel, Comment, Priority, Role, Status, Ticket, TicketType, User};
pub use sender::SenderOptions;
pub use signature::{TEST_SECRET, sign};
pub use stats::{Latency, Stats};
pub use traffic::{Incident, Traffic};

use crate::clock::Clock;
use crate::faults::Script;
use crate::http_server::Server;
use crate::tickets::{GeneratedTicket, Planted};
use events::Event;
use parking_lot::Mutex;
use sender::Outbox;
use server::{ApiError, Shared};
use state::{AGENT, API_USER, Account};
use stats::{Counters, count};
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use webhooks::Webhook;

/// The ticket events a Deskstream webhook subscribes to, and one of another domain that it must ignore.
pub const SUBSCRIPTIONS: [&str; 7] = [
    "zen:event-type:ticket.created",
    "zen:event-type:ticket.status_changed",
    "zen:event-type:ticket.priority_changed",
    "zen:event-type:ticket.tags_changed",
    "zen:event-type:ticket.comment_added",
    "zen:event-type:ticket.subject_changed",
    "zen:event-type:user.created",
];

/// How to start a [`Zendesk`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The account's id, as in webhook headers and bodies.
    pub account_id: u64,
    /// The API user's address for Basic credentials.
    pub email: String,
    /// The API token for Basic credentials.
    pub api_token: String,
    /// The OAuth token for Bearer credentials.
    pub bearer_token: String,
    /// Whether the API user is an admin, which the export needs.
    pub admin: bool,
    /// Ids of the account's custom ticket fields; values of others are ignored.
    pub custom_fields: Vec<u64>,
    /// How much of the newest past the export leaves out; one minute at the real one.
    pub export_margin: Duration,
    /// Starts each following export page with the last ticket of the page before.
    pub repeat_exported: bool,
    /// How long a bulk job stays queued.
    pub job_delay: Duration,
    /// Tickets held; the oldest are forgotten first.
    pub keep_tickets: usize,
    /// Rate limits.
    pub limits: Limits,
    /// Webhook delivery.
    pub sender: SenderOptions,
    /// Tickets created by itself; none at a rate of 0.
    pub traffic: Traffic,
    /// Time.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            account_id: 22_129_848,
            email: "deskstream@support.example".to_owned(),
            // New for every start, so that nothing can depend on a constant.
            api_token: crate::ids::hex(40),
            bearer_token: crate::ids::hex(64),
            admin: true,
            custom_fields: Vec::new(),
            export_margin: Duration::from_secs(60),
            repeat_exported: false,
            job_delay: Duration::from_millis(20),
            keep_tickets: 100_000,
            limits: Limits::default(),
            sender: SenderOptions::default(),
            traffic: Traffic::default(),
            clock: Clock::default(),
        }
    }
}

/// A webhook created through [`Zendesk::create_webhook`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedWebhook {
    /// Its ULID.
    pub id: String,
    /// Its signing secret.
    pub secret: String,
}

/// A running sample Zendesk. Dropping it ends it.
pub struct Zendesk {
    shared: Arc<Shared>,
    server: Server,
}

impl std::fmt::Debug for Zendesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zendesk").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Zendesk {
    /// Starts the service, its sender and its traffic.
    pub async fn start(options: Options) -> io::Result<Self> {
        let now = options.clock.second();
        let (outbox, events) = Outbox::new();
        let (traffic, traffic_changes) = watch::channel(options.traffic.clone());
        let shared = Arc::new(Shared {
            clock: options.clock.clone(),
            script: Script::default(),
            account: Mutex::new(Account::new(
                &options.email,
                now,
                options.keep_tickets,
                options.custom_fields.clone(),
            )),
            limits: Mutex::new(options.limits.clone()),
            limiter: limits::Limiter::default(),
            counters: Counters::default(),
            outbox,
            sender: Mutex::new(options.sender.clone()),
            traffic,
            client: client()?,
            base: OnceLock::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            options,
        });
        let server = Server::start(shared.options.port, server::router(&shared)).await?;
        let _ = shared.base.set(server.url());
        shared.tasks.spawn(sender::run(Arc::clone(&shared), events));
        shared.tasks.spawn(traffic::run(Arc::clone(&shared), traffic_changes));
        Ok(Self { shared, server })
    }

    /// Base address, such as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The options in force at the start, credentials included.
    pub fn options(&self) -> &Options {
        &self.shared.options
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Its faults.
    pub fn faults(&self) -> &Script {
        &self.shared.script
    }

    /// Id of the user behind the API credentials: the `actor_id` of its own writes.
    pub fn api_user_id(&self) -> u64 {
        API_USER
    }

    /// Creates a webhook for these event types, as an admin would.
    pub fn create_webhook(&self, endpoint: &str, subscriptions: &[&str]) -> CreatedWebhook {
        let subscriptions = subscriptions.iter().map(|&kind| kind.to_owned()).collect();
        let webhook = Webhook::new("Deskstream", endpoint, subscriptions, AGENT, self.shared.clock.second());
        let created = CreatedWebhook { id: webhook.id.clone(), secret: webhook.secret.clone() };
        self.shared.account.lock().webhooks.insert(webhook.id.clone(), webhook);
        created
    }

    /// Creates a ticket as its requester would by e-mail.
    pub fn create_ticket(&self, new: NewTicket) -> u64 {
        create_ticket(&self.shared, new, Channel::Email, None)
    }

    /// Creates a generated ticket and remembers its planted values.
    pub fn create_generated(&self, ticket: GeneratedTicket) -> u64 {
        traffic::create(&self.shared, ticket, None)
    }

    /// A ticket with its comments and audits.
    pub fn ticket(&self, id: u64) -> Option<Ticket> {
        self.shared.account.lock().tickets.get(&id).cloned()
    }

    /// Private notes of the API user on a ticket.
    pub fn api_notes(&self, id: u64) -> Vec<String> {
        let account = self.shared.account.lock();
        let comments = account.tickets.get(&id).map(|ticket| ticket.comments.as_slice()).unwrap_or_default();
        let own = comments.iter().filter(|comment| comment.author_id == API_USER && !comment.public);
        own.map(|comment| comment.body.clone()).collect()
    }

    /// Ids of all tickets held.
    pub fn ticket_ids(&self) -> Vec<u64> {
        self.shared.account.lock().tickets.keys().copied().collect()
    }

    /// An agent edits a ticket by hand. False if there is none, or it is closed.
    pub fn agent_edit(&self, id: u64, edit: &AgentEdit) -> bool {
        agent_edit(&self.shared, id, edit)
    }

    /// The requester writes another comment.
    pub fn requester_comment(&self, id: u64, body: &str) -> bool {
        traffic::requester_comment(&self.shared, id, body.to_owned())
    }

    /// The system touches a ticket: it is exported again, with `updated_at` unchanged.
    pub fn system_update(&self, id: u64) -> bool {
        let now = self.shared.clock.second();
        self.shared.account.lock().system_update(id, now)
    }

    /// Sends `user.created` for a new user: an event that a ticket receiver must ignore.
    pub fn create_user(&self, name: &str, email: &str) -> u64 {
        create_user(&self.shared, name, email)
    }

    /// Values planted in the latest 50,000 places, with their ticket's id.
    pub fn planted(&self) -> Vec<(u64, Planted)> {
        self.shared.account.lock().planted.iter().cloned().collect()
    }

    /// All counts.
    pub fn stats(&self) -> Stats {
        stats(&self.shared)
    }

    /// Changes how webhooks are delivered; concurrency and seed stay.
    pub fn set_sender(&self, options: SenderOptions) {
        *self.shared.sender.lock() = options;
    }

    /// Changes the rate limits.
    pub fn set_limits(&self, limits: Limits) {
        *self.shared.limits.lock() = limits;
    }

    /// Changes the traffic.
    pub fn set_traffic(&self, traffic: Traffic) {
        self.shared.traffic.send_replace(traffic);
    }

    /// Starts a burst of angry, urgent tickets about one outage.
    pub fn start_incident(&self, incident: Incident) {
        self.shared.tasks.spawn(traffic::incident(Arc::clone(&self.shared), incident));
    }

    /// Waits until no delivery is queued, in flight or waiting for a retry; false if that takes longer.
    pub async fn delivered(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.shared.outbox.drained()).await.is_ok()
    }

    /// Ends the service and waits until its tasks are gone.
    pub async fn shutdown(self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
        self.server.shutdown().await;
    }
}

impl Drop for Zendesk {
    fn drop(&mut self) {
        self.shared.stop.cancel();
    }
}

fn client() -> io::Result<reqwest::Client> {
    // reqwest wants a process-wide TLS provider even for plain HTTP; if there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(io::Error::other)
}

/// Leaves events for the sender. Without a subscriber they are nobody's.
fn publish(shared: &Shared, events: impl IntoIterator<Item = Event>) {
    for event in events {
        if shared.account.lock().webhooks.values().any(|hook| hook.wants(event.kind))
            && !shared.outbox.push(event)
        {
            count(&shared.counters.overflowed);
        }
    }
}

fn create_ticket(shared: &Shared, new: NewTicket, channel: Channel, submitter: Option<u64>) -> u64 {
    let now = shared.clock.second();
    let (id, event) = shared.account.lock().create(new, channel, submitter, now);
    count(&shared.counters.tickets_created);
    publish(shared, [event]);
    id
}

fn create_user(shared: &Shared, name: &str, email: &str) -> u64 {
    let now = shared.clock.second();
    let (id, event) = {
        let mut account = shared.account.lock();
        let (id, new) = account.user_for(name, email, now);
        (id, account.users.get(&id).filter(|_| new).map(Event::user_created))
    };
    publish(shared, event);
    id
}

/// An update through the API: stamp, change and counts in one step.
fn api_update(
    shared: &Shared,
    id: u64,
    update: TicketUpdate,
    stamp: Option<i64>,
    caller: u64,
) -> Result<u64, ApiError> {
    let comment = update.comment.as_ref().map(|comment| comment.public);
    let now = shared.clock.second();
    let result = {
        let mut account = shared.account.lock();
        let checked = stamp.map_or(Ok(()), |stamp| account.check_stamp(id, stamp));
        checked.and_then(|()| account.update(id, update, caller, Channel::Api, now))
    };
    match result {
        Ok((audit, events)) => {
            tickets::count_write(shared, comment);
            publish(shared, events);
            Ok(audit)
        }
        Err(refusal) => {
            match refusal {
                state::Refusal::Conflict => count(&shared.counters.conflicts),
                state::Refusal::Closed => count(&shared.counters.closed_refusals),
                state::Refusal::NoSuchTicket => {}
            }
            Err(refusal.into())
        }
    }
}

fn agent_edit(shared: &Shared, id: u64, edit: &AgentEdit) -> bool {
    let result = {
        let mut account = shared.account.lock();
        let Some(stamp) = account.tickets.get(&id).map(|ticket| ticket.updated_at) else { return false };
        let now = shared.clock.second();
        let at = if edit.same_second { stamp } else { now.max(stamp + 1) };
        account.update(id, edit.update.clone(), AGENT, Channel::Web, at)
    };
    let Ok((_, events)) = result else { return false };
    count(&shared.counters.agent_edits);
    publish(shared, events);
    true
}

fn stats(shared: &Shared) -> Stats {
    let mut stats = shared.counters.read();
    let account = shared.account.lock();
    stats.faults_injected = shared.script.injected();
    stats.repeated_notes = account.repeated_notes;
    stats.tickets = account.tickets.len() as u64;
    stats.write_back_ms = Latency::of(account.first_write_ms.iter().copied());
    stats.deliveries_pending = shared.outbox.pending();
    stats
}
