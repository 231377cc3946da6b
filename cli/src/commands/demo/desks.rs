//! The demo's Freshdesk and Intercom, beside the Zendesks: each with a tenant of its own, whose account is registered
//! while `connect` runs, as `deskstream connectors register` does.

use super::setup::Setup;
use anyhow::Context;
use deskstream_connectors::helpdesk::connections::{Change, ConnectionError, Draft};
use deskstream_connectors::helpdesk::html;
use deskstream_runtime::Process;
use deskstream_runtime::config::{self, Secrets};
use deskstream_samples::freshdesk::{self, Auth, Freshdesk};
use deskstream_samples::intercom::{self, Intercom};
use deskstream_samples::tickets::{GeneratedTicket, Generator};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Whose desks they are.
const FRESHDESK: &str = "hooli";
const INTERCOM: &str = "stark";

/// Each desk's part of the demo's tickets. A Freshdesk of the smallest plan takes 80 updates a minute.
const PART: f64 = 0.25;
const MOST_PER_SECOND: f64 = 0.5;

/// One webhook in so many is lost: the poll finds what it would have told.
const LOST_ONE_IN: u64 = 20;

/// The requester writes again after one ticket in so many.
const REPLY_ONE_IN: u64 = 3;

/// Who writes again has written one of the latest.
const RECENT: usize = 20;

/// The sample helpdesks and what happens there.
pub struct Desks {
    freshdesk: Arc<Freshdesk>,
    intercom: Arc<Intercom>,
    rate: watch::Sender<f64>,
    acknowledged: Arc<AtomicU64>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What a desk can do, whichever it is.
trait Desk: Send + Sync + 'static {
    fn create(&self, ticket: GeneratedTicket) -> u64;
    fn reply(&self, id: u64, text: &str) -> bool;
    /// Sends a webhook, and gives what it was answered.
    fn tell(&self, id: u64, new: bool) -> impl Future<Output = Option<u16>> + Send;
}

struct Fresh {
    desk: Arc<Freshdesk>,
    url: String,
    auth: Auth,
}

struct Chat {
    desk: Arc<Intercom>,
    url: String,
}

fn paragraphs(text: &str) -> String {
    text.lines().fold(String::new(), |mut html, line| {
        // Writing to a string does not fail.
        let _ = write!(html, "<p>{}</p>", html::escape(line));
        html
    })
}

impl Desk for Fresh {
    fn create(&self, ticket: GeneratedTicket) -> u64 {
        self.desk.create_ticket(freshdesk::NewTicket {
            subject: ticket.subject,
            description: paragraphs(&ticket.body),
            requester_name: ticket.requester.name,
            requester_email: ticket.requester.email,
            tags: ticket.tags,
            ..freshdesk::NewTicket::default()
        })
    }

    fn reply(&self, id: u64, text: &str) -> bool {
        self.desk.customer_reply(id, text)
    }

    async fn tell(&self, id: u64, new: bool) -> Option<u16> {
        let event = if new { "{ticket_action:created}" } else { "{ticket_action:updated}" };
        self.desk.trigger(id, event, &self.url, &self.auth).await
    }
}

impl Desk for Chat {
    fn create(&self, ticket: GeneratedTicket) -> u64 {
        self.desk.create_conversation(intercom::NewConversation {
            subject: ticket.subject,
            body: paragraphs(&ticket.body),
            contact_name: ticket.requester.name,
            contact_email: ticket.requester.email,
            tags: ticket.tags,
        })
    }

    fn reply(&self, id: u64, text: &str) -> bool {
        self.desk.contact_reply(id, &paragraphs(text))
    }

    async fn tell(&self, id: u64, new: bool) -> Option<u16> {
        let topic = if new { "conversation.user.created" } else { "conversation.user.replied" };
        self.desk.notify(id, topic, &self.url).await
    }
}

impl Desks {
    /// Starts them and registers their accounts with what runs; traffic begins at that rate, of all tickets of the demo.
    pub async fn start(setup: &Setup, rate: f64) -> anyhow::Result<Self> {
        let freshdesk = Freshdesk::start(freshdesk::Options::default()).await.context("start a Freshdesk")?;
        let intercom = Intercom::start(intercom::Options::default()).await.context("start an Intercom")?;
        let shared_secret = SecretString::from(uuid::Uuid::new_v4().simple().to_string());
        register(setup, &freshdesk, &intercom, &shared_secret).await?;
        let desks = Self {
            freshdesk: Arc::new(freshdesk),
            intercom: Arc::new(intercom),
            rate: watch::Sender::new(rate),
            acknowledged: Arc::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let hooks = format!("http://127.0.0.1:{}/webhooks", setup.webhooks);
        let secret = secrecy::ExposeSecret::expose_secret(&shared_secret).to_owned();
        desks.live(
            Fresh {
                desk: Arc::clone(&desks.freshdesk),
                url: format!("{hooks}/freshdesk/{FRESHDESK}"),
                auth: Auth::Header("X-Webhook-Secret".into(), secret),
            },
            11,
        );
        desks.live(
            Chat { desk: Arc::clone(&desks.intercom), url: format!("{hooks}/intercom/{INTERCOM}") },
            13,
        );
        Ok(desks)
    }

    /// Where they are, for the user.
    pub fn welcome(&self) -> Vec<(String, String)> {
        let desk =
            |tenant: &str, url: &str, what: &str| (format!("{tenant}'s desk"), format!("{url} ({what})"));
        vec![
            desk(FRESHDESK, &self.freshdesk.url(), "Freshdesk"),
            desk(INTERCOM, &self.intercom.url(), "Intercom"),
        ]
    }

    /// Tickets a second from now on, of all tickets of the demo.
    pub fn rate(&self, rate: f64) {
        self.rate.send_replace(rate);
    }

    /// Webhooks that were answered 2xx.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Ends the traffic, then the desks.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        // Who still holds a desk has ended.
        if let Some(desk) = Arc::into_inner(self.freshdesk) {
            desk.shutdown().await;
        }
        if let Some(desk) = Arc::into_inner(self.intercom) {
            desk.shutdown().await;
        }
    }

    fn live(&self, desk: impl Desk, seed: u64) {
        let (rate, stop) = (self.rate.subscribe(), self.stop.clone());
        let acknowledged = Arc::clone(&self.acknowledged);
        self.tasks.spawn(async move {
            tokio::select! {
                () = life(&desk, rate, seed, &acknowledged) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// A desk's ordinary life, until it is dropped.
async fn life(desk: &impl Desk, mut rate: watch::Receiver<f64>, seed: u64, acknowledged: &AtomicU64) {
    let mut tickets = Generator::new(seed);
    let mut recent = VecDeque::with_capacity(RECENT);
    let mut number = 0u64;
    loop {
        let own = (*rate.borrow_and_update() * PART).min(MOST_PER_SECOND);
        if own <= 0.0 {
            if rate.changed().await.is_err() {
                return;
            }
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs_f64(1.0 / own)) => {}
            changed = rate.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        number += 1;
        let id = desk.create(tickets.next_ticket());
        if !number.is_multiple_of(LOST_ONE_IN) && desk.tell(id, true).await.is_some_and(taken) {
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(id);
        if number.is_multiple_of(REPLY_ONE_IN) {
            let again = recent.front().copied().unwrap_or(id);
            let (text, _) = tickets.next_follow_up();
            if desk.reply(again, &text) && desk.tell(again, false).await.is_some_and(taken) {
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn taken(status: u16) -> bool {
    (200..300).contains(&status)
}

async fn register(
    setup: &Setup,
    freshdesk: &Freshdesk,
    intercom: &Intercom,
    shared_secret: &SecretString,
) -> anyhow::Result<()> {
    let config = config::load(Some(&setup.config_path()), &Vec::new())?;
    // A process of its own, as far as Kafka can tell; it ends here, the demo goes on.
    let stop = CancellationToken::new();
    let process = Process::start(Arc::new(config), stop.clone()).await?;
    let secret = |text: &str| SecretString::from(text);
    let accounts: [(String, Value, Secrets); 2] = [
        (
            format!("{FRESHDESK}/freshdesk"),
            json!({"url": freshdesk.url(), "unset_priority": "low", "poll": "15s"}),
            [
                ("api_key".to_owned(), secret(&freshdesk.options().api_key)),
                ("webhook_secret".to_owned(), shared_secret.clone()),
            ]
            .into(),
        ),
        (
            format!("{INTERCOM}/intercom"),
            json!({"url": intercom.url(), "poll": "15s"}),
            [
                ("access_token".to_owned(), secret(&intercom.options().access_token)),
                ("client_secret".to_owned(), secret(&intercom.options().client_secret)),
            ]
            .into(),
        ),
    ];
    for (name, settings, secrets) in accounts {
        let change = || Change {
            settings: settings.as_object().cloned().unwrap_or_default(),
            secrets: secrets.clone(),
            ..Change::default()
        };
        let draft = match Draft::new(&process, &name, change()) {
            // Kafka is of an earlier demo, whose desks were elsewhere.
            Err(ConnectionError::Exists(_)) => Draft::of(&process, &name, change()),
            draft => draft,
        };
        draft?.store(&process, "demo").await.with_context(|| format!("register {name}"))?;
    }
    stop.cancel();
    Ok(())
}
