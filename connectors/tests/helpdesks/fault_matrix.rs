//! Helpdesk × fault: each cell is a test. A write-back and a poll meet the fault, the helpdesk is well again, and then
//! nothing is lost and nothing is there twice: one note for the decision, one id for each ticket, one outcome that says
//! what became of the command, a circuit that is closed.
//!
//! What is special to a cell stands in its line. What a fault does to the account for longer than one request (an open
//! circuit, alerts) is in `http`; duplicates, disorder and clocks that differ are in `disorder`.

use super::support::{CHAT, FRESH, TENANT, World, ample, counted, shared};
use deskstream_connectors::helpdesk::{self, Account};
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_samples::faults::{Fault, Rule, Script};
use deskstream_samples::zendesk::Options;
use deskstream_schemas::{Command, Outcome, OutcomeKind, OutcomeResult, Platform, TicketEvent};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The longest cell meets two timeouts of 15 s, and a busy machine.
const CELL: Duration = Duration::from_secs(150);

/// One helpdesk, as a cell sees it.
struct Desk {
    world: World,
    platform: Platform,
}

impl Desk {
    async fn new(platform: Platform) -> Self {
        let zendesk = Options {
            limits: ample(),
            export_margin: Duration::ZERO,
            repeat_exported: true,
            ..Options::default()
        };
        let world = World::with(shared(), zendesk, &[]).await;
        world.connect_to(platform);
        Self { world, platform }
    }

    fn tenant(&self) -> &'static str {
        match self.platform {
            Platform::Zendesk => TENANT,
            Platform::Freshdesk => FRESH,
            _ => CHAT,
        }
    }

    fn faults(&self) -> &Script {
        match self.platform {
            Platform::Zendesk => self.world.zendesk.faults(),
            Platform::Freshdesk => self.world.freshdesk.faults(),
            _ => self.world.intercom.faults(),
        }
    }

    /// Where tickets are listed.
    fn list(&self) -> (&'static str, &'static str) {
        match self.platform {
            Platform::Zendesk => ("GET", "/api/v2/incremental/tickets/cursor"),
            Platform::Freshdesk => ("GET", "/api/v2/tickets"),
            _ => ("POST", "/conversations/search"),
        }
    }

    /// Where a ticket is read.
    fn read(&self) -> (&'static str, &'static str) {
        match self.platform {
            Platform::Zendesk | Platform::Freshdesk => ("GET", "/api/v2/tickets/*"),
            _ => ("GET", "/conversations/*"),
        }
    }

    /// The write that must not be there twice; where the helpdesk shall refuse, the first one.
    fn update(&self, expected: Write) -> (&'static str, &'static str) {
        match (self.platform, expected) {
            (Platform::Zendesk | Platform::Freshdesk, _) => ("PUT", "/api/v2/tickets/*"),
            (_, Write::Once) => ("POST", "/conversations/*/reply"),
            (_, Write::Refused) => ("POST", "/conversations/*/tags"),
        }
    }

    fn ticket(&self) -> u64 {
        match self.platform {
            Platform::Zendesk => self.world.ticket(&["vip"]),
            Platform::Freshdesk => self.world.fresh_ticket(&["vip"]),
            _ => self.world.chat(&["vip"]),
        }
    }

    fn notes(&self, ticket: u64) -> usize {
        match self.platform {
            Platform::Zendesk => self.world.zendesk.api_notes(ticket).len(),
            Platform::Freshdesk => self.world.freshdesk.notes(ticket).len(),
            _ => self.world.intercom.notes(ticket).len(),
        }
    }

    fn tags(&self, ticket: u64) -> HashSet<String> {
        match self.platform {
            Platform::Zendesk => self.world.tags(ticket).into_iter().collect(),
            Platform::Freshdesk => self.world.freshdesk.ticket(ticket).unwrap().tags.into_iter().collect(),
            _ => self.world.intercom.tags(ticket).into_iter().collect(),
        }
    }

    fn advance(&self) {
        self.world.zendesk.clock().advance(Duration::from_secs(2));
        self.world.freshdesk.clock().advance(Duration::from_secs(2));
        self.world.intercom.clock().advance(Duration::from_secs(2));
    }

    fn account(&self) -> Box<dyn Account> {
        let accounts = helpdesk::accounts(&self.world.process.config);
        accounts.into_iter().find(|account| account.platform() == self.platform).unwrap()
    }

    fn command(&self, ticket: u64) -> Command {
        let command = self.world.command(ticket, 1);
        Command {
            tenant: self.tenant().into(),
            platform: self.platform,
            command_id: format!("{}-{ticket}", self.platform),
            ..command
        }
    }

    /// The one outcome that a command comes to.
    async fn write(&self, command: &Command, deliveries: usize) -> Outcome {
        let producer = Producer::new(&self.world.process, ProducerOptions::records()).unwrap();
        let sink = Sink::<Command>::new(&self.world.process, producer);
        for _ in 0..deliveries {
            sink.send(&command.key(), command).await.unwrap();
        }
        let deadline = Instant::now() + CELL;
        loop {
            let outcomes: Vec<Outcome> = self.world.now().await;
            let mut own: Vec<_> =
                outcomes.into_iter().filter(|outcome| outcome.subject == command.command_id).collect();
            if let Some(outcome) = own.pop() {
                assert!(own.is_empty(), "two outcomes of one command");
                assert_eq!(outcome.kind, OutcomeKind::WriteBack);
                return outcome;
            }
            assert!(Instant::now() < deadline, "the command has no outcome");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Polls until these tickets are in `events`, and gives what is there. A list may leave the second out that is under
    /// way, or end at our clock, which is not the helpdesk's.
    async fn poll(&self, tickets: &[u64]) -> Vec<TicketEvent> {
        let mut poll = self.account().poll(&self.world.process, &self.world.sinks).unwrap();
        let deadline = Instant::now() + CELL;
        loop {
            let failed = poll.round().await.err();
            let events: Vec<TicketEvent> = self.world.now().await;
            let there = |ticket: &u64| events.iter().any(|event| event.ticket_id == ticket.to_string());
            let missing: Vec<_> = tickets.iter().filter(|ticket| !there(ticket)).collect();
            if failed.is_none() && missing.is_empty() {
                return events;
            }
            assert!(Instant::now() < deadline, "lost: {missing:?}, {failed:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn circuit_is_closed(&self) -> bool {
        let account = [("service", self.platform.as_str()), ("account", self.tenant())];
        counted("deskstream_http_circuit_open", &account) == 0.0
    }
}

/// What a cell expects of the write-back.
#[derive(Clone, Copy, PartialEq)]
enum Write {
    /// It is in the ticket, once.
    Once,
    /// The helpdesk says no for good: the outcome tells, and nothing was written.
    Refused,
}

/// `reads` and `writes` are what the write-back meets at the ticket, `lists` what the poll meets.
async fn cell(
    platform: Platform,
    reads: Option<Fault>,
    writes: Option<Fault>,
    lists: Option<Fault>,
    expected: Write,
) {
    let desk = Desk::new(platform).await;
    let tickets: Vec<u64> = (0..3).map(|_| desk.ticket()).collect();
    desk.advance();
    let mut hits = 0;
    for ((method, path), fault) in [(desk.read(), reads), (desk.update(expected), writes)] {
        if let Some(fault) = fault {
            desk.faults().add(Rule::once(method, path, fault));
            hits += 1;
        }
    }
    let before = desk.faults().injected();
    let outcome = desk.write(&desk.command(tickets[0]), 1).await;
    assert_eq!(desk.faults().injected() - before, hits, "a fault was not met");
    let (notes, tags) = (desk.notes(tickets[0]), desk.tags(tickets[0]));
    match expected {
        Write::Once => {
            let done = [OutcomeResult::Applied, OutcomeResult::AlreadyApplied];
            assert!(done.contains(&outcome.result), "{outcome:?}");
            assert_eq!(notes, 1, "{outcome:?}");
            assert!(tags.contains("ds_cause_refund") && tags.contains("vip"), "{tags:?}");
        }
        Write::Refused => {
            assert_eq!((outcome.result, notes), (OutcomeResult::Rejected, 0), "{outcome:?}");
            assert_eq!(tags, HashSet::from(["vip".to_owned()]));
        }
    }
    desk.advance();
    if let Some(fault) = lists {
        let (method, path) = desk.list();
        desk.faults().add(Rule::once(method, path, fault));
    }
    let events = desk.poll(&tickets).await;
    let mut ids = HashSet::new();
    for event in &events {
        assert!(ids.insert(&event.event_id), "one change was taken twice: {}", event.event_id);
    }
    assert!(desk.faults().rules().is_empty(), "a fault was not met");
    assert!(desk.circuit_is_closed());
    desk.world.stop().await;
}

fn status(status: u16) -> Option<Fault> {
    Some(Fault::Status { status, retry_after: None, body: None })
}

fn json(status: u16, body: &str) -> Option<Fault> {
    Some(Fault::Status { status, retry_after: None, body: Some(body.to_owned()) })
}

fn throttled() -> Option<Fault> {
    Some(Fault::Status { status: 429, retry_after: Some(1), body: None })
}

/// Beyond the time of one attempt.
fn late() -> Option<Fault> {
    Some(Fault::Delay { ms: 16_000 })
}

macro_rules! matrix {
    ($($platform:ident as $desk:ident;)*) => {
        $(mod $desk {
            use super::*;
            const DESK: Platform = Platform::$platform;

            matrix! { @cells
                a_timeout: None, late(), late() => Once;
                a_connection_that_ends_before_the_answer: Some(Fault::DropBefore), Some(Fault::DropBefore), Some(Fault::DropBefore) => Once;
                a_connection_that_ends_after_the_change: None, Some(Fault::DropAfter), None => Once;
                a_reset_in_the_middle_of_the_body: Some(Fault::Reset), Some(Fault::Reset), Some(Fault::Reset) => Once;
                unauthorized: status(401), status(401), status(401) => Once;
                forbidden: status(403), status(403), status(403) => Once;
                not_found: status(404), None, status(404) => Refused;
                a_conflict: None, status(409), status(409) => Once;
                unprocessable: None, json(422, "{\"error\":\"RecordInvalid\"}"), None => Refused;
                throttled_with_a_time: throttled(), throttled(), throttled() => Once;
                throttled_without_a_time: status(429), status(429), status(429) => Once;
                a_server_error: status(500), status(500), status(500) => Once;
                a_bad_gateway: status(502), status(502), status(502) => Once;
                a_body_that_drips: None, Some(Fault::Drip { ms: 400 }), Some(Fault::Drip { ms: 400 }) => Once;
                another_content_type: status(200), status(200), status(200) => Once;
                a_truncated_answer: Some(Fault::Malformed), Some(Fault::Malformed), Some(Fault::Malformed) => Once;
            }

            /// One delivery is repeated: by the topic, which may do so, not by the helpdesk.
            #[tokio::test(flavor = "multi_thread")]
            async fn a_command_that_is_delivered_twice() {
                let desk = Desk::new(DESK).await;
                let ticket = desk.ticket();
                let outcome = desk.write(&desk.command(ticket), 3).await;
                assert_eq!((outcome.result, desk.notes(ticket)), (OutcomeResult::Applied, 1));
                desk.world.stop().await;
            }
        })*
    };
    (@cells $($name:ident: $reads:expr, $writes:expr, $lists:expr => $expected:ident;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            cell(DESK, $reads, $writes, $lists, Write::$expected).await;
        })*
    };
}

matrix! {
    Zendesk as zendesk;
    Freshdesk as freshdesk;
    Intercom as intercom;
}

/// An account whose certificate nobody vouches for: not a byte of the credentials goes there, the poll says why, and
/// what was to be written waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_not_trusted() {
    use tokio::io::AsyncReadExt;
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    deskstream_runtime::install_crypto_provider();
    let tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(tls));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let read = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let seen = std::sync::Arc::clone(&read);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let mut buffer = [0; 64];
                let some = stream.read(&mut buffer).await.unwrap_or(0);
                seen.fetch_add(some, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    let world = World::new().await;
    let mut config = world.process.config.as_ref().clone();
    let tenant = config.tenants.get_mut(TENANT).unwrap();
    tenant.zendesk.as_mut().unwrap().url = url.parse().unwrap();
    let fresh = config.tenants.get_mut(FRESH).unwrap();
    fresh.freshdesk.as_mut().unwrap().url = url.parse().unwrap();
    let chat = config.tenants.get_mut(CHAT).unwrap();
    chat.intercom.as_mut().unwrap().url = url.parse().unwrap();
    let mut process = world.process.clone();
    process.config = std::sync::Arc::new(config);
    for account in helpdesk::accounts(&process.config) {
        let error = account.admin().unwrap().me().await.unwrap_err();
        let told = format!("{error:?}").to_lowercase();
        assert!(told.contains("certificate") || told.contains("tls"), "{told}");
    }
    assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 0, "something was sent");
    world.stop().await;
}
