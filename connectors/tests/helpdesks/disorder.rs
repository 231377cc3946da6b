//! Helpdesk × disorder: deliveries that come twice, or in another order than the changes that they tell of, and a
//! helpdesk whose clock is not ours. Each is one event for each change, the newest state is the newest version, nothing
//! is lost, and what is decided is written once.

use super::support::{CHAT, FRESH, SECRET, TENANT, World, ample, eventually, shared};
use super::zendesk_write_back::write;
use deskstream_connectors::helpdesk::{self, Poll};
use deskstream_samples::clock::Clock;
use deskstream_samples::zendesk::{AgentEdit, Options, Status, TicketUpdate};
use deskstream_samples::{intercom, zendesk};
use deskstream_schemas::{Command, OutcomeResult, Platform, TicketEvent, TicketStatus};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// Clocks may be so far apart: within the window of signatures, and within what polls overlap.
const SKEW: Duration = Duration::from_secs(240);

struct Desk {
    world: World,
    platform: Platform,
}

/// A delivery, to be sent when the test wants it.
struct Delivery {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Delivery {
    async fn send(&self) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(&self.url).body(self.body.clone());
        let request =
            self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.send().await.unwrap().status().as_u16()
    }
}

impl Desk {
    async fn new(platform: Platform) -> Self {
        let options = Options { limits: ample(), export_margin: Duration::ZERO, ..Options::default() };
        Self { world: World::with(shared(), options, &[]).await, platform }
    }

    fn tenant(&self) -> &'static str {
        match self.platform {
            Platform::Zendesk => TENANT,
            Platform::Freshdesk => FRESH,
            _ => CHAT,
        }
    }

    fn clock(&self) -> &Clock {
        match self.platform {
            Platform::Zendesk => self.world.zendesk.clock(),
            Platform::Freshdesk => self.world.freshdesk.clock(),
            _ => self.world.intercom.clock(),
        }
    }

    fn ticket(&self) -> u64 {
        match self.platform {
            Platform::Zendesk => self.world.ticket(&["vip"]),
            Platform::Freshdesk => self.world.fresh_ticket(&["vip"]),
            _ => self.world.chat(&["vip"]),
        }
    }

    /// An agent puts it off, two seconds later.
    fn put_off(&self, ticket: u64) {
        self.clock().advance(Duration::from_secs(2));
        assert!(match self.platform {
            Platform::Zendesk => {
                let update = TicketUpdate { status: Some(Status::Pending), ..TicketUpdate::default() };
                self.world.zendesk.agent_edit(ticket, &AgentEdit { update, same_second: false })
            }
            Platform::Freshdesk => self.world.freshdesk.change(ticket, |ticket| ticket.status = 3),
            _ => self.world.intercom.change(ticket, |found| found.state = "snoozed".into()),
        });
    }

    /// What the helpdesk would send of the ticket as it is.
    fn delivery(&self, address: SocketAddr, ticket: u64, created: bool) -> Delivery {
        let (platform, tenant) = (self.platform, self.tenant());
        let url = format!("http://{address}/webhooks/{platform}/{tenant}");
        let (headers, body) = match platform {
            Platform::Zendesk => {
                let body = self.zendesk_event(ticket, created);
                let at = Timestamp::from_second(self.clock().second()).unwrap().to_string();
                let signature = zendesk::sign(SECRET, &at, &body);
                let signed = [
                    ("X-Zendesk-Webhook-Signature", signature),
                    ("X-Zendesk-Webhook-Signature-Timestamp", at),
                ];
                (signed.to_vec(), body)
            }
            Platform::Freshdesk => {
                let body = json!({ "ticket_id": ticket }).to_string().into_bytes();
                (vec![("X-Webhook-Secret", SECRET.to_owned())], body)
            }
            _ => {
                let topic = if created { "conversation.user.created" } else { "conversation.admin.snoozed" };
                let body = self.world.intercom.notification(ticket, topic).unwrap();
                let secret = &self.world.intercom.options().client_secret;
                (vec![("X-Hub-Signature", intercom::sign(secret, &body))], body)
            }
        };
        Delivery { url, headers, body }
    }

    fn zendesk_event(&self, id: u64, created: bool) -> Vec<u8> {
        let ticket = self.world.zendesk.ticket(id).unwrap();
        let text = |second| Timestamp::from_second(second).unwrap().to_string();
        let kind = if created { "created" } else { "status_changed" };
        let requester = ticket.requester_id.to_string();
        json!({
            "type": format!("zen:event-type:ticket.{kind}"), "id": format!("{kind}-{id}"),
            "time": text(ticket.updated_at), "subject": format!("zen:ticket:{id}"), "account_id": 1,
            "zendesk_event_version": "2022-11-06", "event": {},
            "detail": {
                "id": id.to_string(), "actor_id": requester, "requester_id": requester, "submitter_id": "3",
                "status": format!("{:?}", ticket.status).to_uppercase(), "priority": null, "subject": ticket.subject,
                "description": ticket.description, "tags": null, "via": {"channel": "email"}, "type": null,
                "created_at": text(ticket.created_at), "updated_at": text(ticket.updated_at),
            },
        })
        .to_string()
        .into_bytes()
    }

    fn poll(&self) -> Box<dyn Poll> {
        let accounts = helpdesk::accounts(&self.world.process.config);
        let account = accounts.into_iter().find(|account| account.platform() == self.platform).unwrap();
        account.poll(&self.world.process, &self.world.sinks).unwrap()
    }

    /// Polls until the ticket is in `events` in a version that no webhook has brought.
    async fn found(&self, poll: &mut Box<dyn Poll>, ticket: u64) {
        let deadline = std::time::Instant::now() + super::support::PATIENCE;
        loop {
            poll.round().await.unwrap();
            if self.events(ticket).await.iter().any(|event| event.origin == deskstream_schemas::Origin::Poll)
            {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "the poll does not find ticket {ticket}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn events(&self, ticket: u64) -> Vec<TicketEvent> {
        let events: Vec<TicketEvent> = self.world.now().await;
        let of_ticket =
            |event: &TicketEvent| event.tenant == self.tenant() && event.ticket_id == ticket.to_string();
        events.into_iter().filter(of_ticket).collect()
    }

    /// By id: what a reader that knows ids counts.
    async fn distinct(&self, ticket: u64) -> BTreeMap<String, TicketEvent> {
        let events = self.events(ticket).await;
        events.into_iter().map(|event| (event.event_id.clone(), event)).collect()
    }
}

async fn a_delivery_that_comes_twice(platform: Platform) {
    let desk = Desk::new(platform).await;
    let address = desk.world.serve().await;
    let ticket = desk.ticket();
    let delivery = desk.delivery(address, ticket, true);
    let (first, second) = tokio::join!(delivery.send(), delivery.send());
    assert_eq!((first, second, delivery.send().await), (200, 200, 200));
    assert_eq!(desk.distinct(ticket).await.len(), 1);
    // What a poll finds of it is the same change.
    let mut poll = desk.poll();
    desk.clock().advance(Duration::from_secs(2));
    poll.round().await.unwrap();
    let versions: Vec<i64> = desk.events(ticket).await.iter().map(|event| event.version).collect();
    assert!(versions.iter().all(|version| *version == versions[0]), "{versions:?}");
    desk.world.stop().await;
}

async fn deliveries_that_overtake_each_other(platform: Platform) {
    let desk = Desk::new(platform).await;
    let address = desk.world.serve().await;
    let ticket = desk.ticket();
    let older = desk.delivery(address, ticket, true);
    desk.put_off(ticket);
    let newer = desk.delivery(address, ticket, false);
    assert_eq!((newer.send().await, older.send().await), (200, 200));
    let events = desk.distinct(ticket).await;
    let newest = events.values().max_by_key(|event| event.version).unwrap();
    assert_eq!(newest.status, TicketStatus::Pending, "{events:#?}");
    let of_newest = events.values().filter(|event| event.version == newest.version);
    assert!(of_newest.clone().all(|event| event.status == TicketStatus::Pending));
    desk.world.stop().await;
}

/// `ahead` says on which side of ours the helpdesk's clock is.
async fn a_clock_that_is_not_ours(platform: Platform, ahead: bool) {
    let desk = Desk::new(platform).await;
    if ahead {
        desk.clock().advance(SKEW);
    } else {
        desk.clock().hold(Timestamp::now().checked_sub(SKEW).unwrap());
    }
    desk.world.connect_to(platform);
    let address = desk.world.serve().await;
    // One before the first poll, one between two polls: its cursor is of either clock.
    let mut poll = desk.poll();
    for _ in 0..2 {
        let ticket = desk.ticket();
        desk.clock().advance(Duration::from_secs(2));
        desk.found(&mut poll, ticket).await;
        let command = Command {
            tenant: desk.tenant().into(),
            platform,
            command_id: format!("{platform}-{ticket}"),
            ..desk.world.command(ticket, 1)
        };
        let outcome = write(&desk.world, &command).await;
        assert_eq!(outcome.result, OutcomeResult::Applied, "{outcome:?}");
    }
    let ticket = desk.ticket();
    assert_eq!(desk.delivery(address, ticket, true).send().await, 200);
    eventually("the webhook's event", || async { (!desk.events(ticket).await.is_empty()).then_some(()) })
        .await;
    desk.world.stop().await;
}

macro_rules! disorder {
    ($($platform:ident as $desk:ident;)*) => {
        $(mod $desk {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn a_duplicate() {
                a_delivery_that_comes_twice(Platform::$platform).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn another_order() {
                deliveries_that_overtake_each_other(Platform::$platform).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_clock_ahead_of_ours() {
                a_clock_that_is_not_ours(Platform::$platform, true).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_clock_behind_ours() {
                a_clock_that_is_not_ours(Platform::$platform, false).await;
            }
        })*
    };
}

disorder! {
    Zendesk as of_zendesk;
    Freshdesk as of_freshdesk;
    Intercom as of_intercom;
}
