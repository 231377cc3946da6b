//! A helpdesk's ordinary life, at a set rate: tickets arrive, requesters and agents write, statuses change;
//! and now and then an incident.

use super::changes::{AgentEdit, NewComment, NewTicket, TagEdit, TicketUpdate};
use super::model::{Channel, Priority, Status};
use super::server::Shared;
use super::{agent_edit, create_ticket, create_user, publish};
use crate::tickets::{GeneratedTicket, Generator, Urgency};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Tickets that arrive by themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Tickets per second; 0 pauses.
    pub rate: f64,
    /// Follow-ups (comments, changes of status, priority and tags, new users) per ticket.
    pub follow_ups: f64,
    /// Ends after so many tickets.
    pub total: Option<u64>,
    /// Seed of the tickets and of who does what; read at the start only.
    pub seed: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { rate: 0.0, follow_ups: 0.5, total: None, seed: 1 }
    }
}

/// A burst of tickets about one outage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    /// How many tickets.
    pub tickets: u32,
    /// Over how long they arrive, in ms.
    pub over_ms: u64,
    /// After how long an agent answers and solves them all, in ms from the last; never if absent.
    pub solved_after_ms: Option<u64>,
    /// Seed of the tickets.
    pub seed: u64,
}

impl Default for Incident {
    fn default() -> Self {
        Self { tickets: 30, over_ms: 10_000, solved_after_ms: Some(5_000), seed: 7 }
    }
}

/// Follow-ups go to one of so many latest tickets.
const RECENT: usize = 500;
const TICK: Duration = Duration::from_millis(10);

pub(super) async fn run(shared: Arc<Shared>, mut changes: watch::Receiver<Traffic>) {
    let stop = shared.stop.clone();
    let seed = changes.borrow().seed;
    let mut life = Life {
        shared,
        tickets: Generator::new(seed),
        random: Xoshiro256PlusPlus::seed_from_u64(seed),
        recent: VecDeque::with_capacity(RECENT),
    };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut due, mut follow_ups_due, mut made, mut last) = (0.0_f64, 0.0_f64, 0_u64, Instant::now());
    loop {
        let Traffic { rate, follow_ups, total, .. } = *changes.borrow_and_update();
        let ended = total.is_some_and(|total| made >= total);
        if rate <= 0.0 || ended {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            last = Instant::now();
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = Instant::now();
        // After a stall at most one second is made up for, so that a set rate stays one.
        due += rate * now.duration_since(last).as_secs_f64().min(1.0);
        last = now;
        while due >= 1.0 && total.is_none_or(|total| made < total) {
            due -= 1.0;
            made += 1;
            life.ticket_arrives();
            follow_ups_due += follow_ups.max(0.0);
            while follow_ups_due >= 1.0 {
                follow_ups_due -= 1.0;
                life.something_happens();
            }
        }
    }
}

struct Life {
    shared: Arc<Shared>,
    tickets: Generator,
    random: Xoshiro256PlusPlus,
    recent: VecDeque<u64>,
}

impl Life {
    fn ticket_arrives(&mut self) {
        let ticket = self.tickets.next_ticket();
        // Few requesters choose a priority, and those who do exaggerate.
        let priority = self.random.random_bool(0.2).then_some(match ticket.urgency {
            Urgency::Low => Priority::Normal,
            Urgency::Normal => Priority::High,
            Urgency::High | Urgency::Critical => Priority::Urgent,
        });
        let id = create(&self.shared, ticket, priority);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(id);
    }

    fn something_happens(&mut self) {
        if self.random.random_bool(0.05) {
            let requester = self.tickets.next_requester();
            create_user(&self.shared, &requester.name, &requester.email);
            return;
        }
        let Some(id) = self.recent.get(self.random.random_range(0..self.recent.len().max(1))).copied() else {
            return;
        };
        let by_agent = |update| AgentEdit { update, same_second: false };
        match self.random.random_range(0..100) {
            0..35 => {
                let (text, planted) = self.tickets.next_follow_up();
                if requester_comment(&self.shared, id, text) {
                    self.shared.account.lock().remember_planted(id, planted);
                }
            }
            35..55 => {
                let body = self.tickets.next_agent_reply();
                let comment = Some(NewComment { body, public: true });
                let update =
                    TicketUpdate { comment, status: Some(Status::Pending), ..TicketUpdate::default() };
                agent_edit(&self.shared, id, &by_agent(update));
            }
            55..70 => {
                let priority =
                    [Priority::Low, Priority::Normal, Priority::High].choose(&mut self.random).copied();
                agent_edit(&self.shared, id, &by_agent(TicketUpdate { priority, ..TicketUpdate::default() }));
            }
            70..80 => {
                let tag =
                    ["vip", "tier2", "waiting_on_vendor", "refund_ok"].choose(&mut self.random).copied();
                let tags = tag.map(|tag| TagEdit::Add(vec![tag.to_owned()])).into_iter().collect();
                agent_edit(&self.shared, id, &by_agent(TicketUpdate { tags, ..TicketUpdate::default() }));
            }
            80..97 => {
                let status = [Status::Open, Status::Hold, Status::Solved].choose(&mut self.random).copied();
                agent_edit(&self.shared, id, &by_agent(TicketUpdate { status, ..TicketUpdate::default() }));
            }
            _ => {
                let status = Some(Status::Closed);
                agent_edit(&self.shared, id, &by_agent(TicketUpdate { status, ..TicketUpdate::default() }));
            }
        }
    }
}

pub(super) fn create(shared: &Shared, ticket: GeneratedTicket, priority: Option<Priority>) -> u64 {
    let planted = ticket.planted;
    let new = NewTicket {
        subject: ticket.subject,
        body: ticket.body,
        requester_name: ticket.requester.name,
        requester_email: ticket.requester.email,
        priority,
        tags: ticket.tags,
        ..NewTicket::default()
    };
    let id = create_ticket(shared, new, Channel::Email, None);
    shared.account.lock().remember_planted(id, planted);
    id
}

/// A requester's comment reopens a ticket that waited for it.
pub(super) fn requester_comment(shared: &Shared, id: u64, body: String) -> bool {
    let result = {
        let mut account = shared.account.lock();
        let Some(ticket) = account.tickets.get(&id) else { return false };
        let requester = ticket.requester_id;
        let status = matches!(ticket.status, Status::Pending | Status::Solved).then_some(Status::Open);
        let comment = Some(NewComment { body, public: true });
        let update = TicketUpdate { status, comment, ..TicketUpdate::default() };
        account.update(id, update, requester, Channel::Email, shared.clock.second())
    };
    let Ok((_, events)) = result else { return false };
    publish(shared, events);
    true
}

pub(super) async fn incident(shared: Arc<Shared>, incident: Incident) {
    let stop = shared.stop.clone();
    let mut tickets = Generator::new(incident.seed);
    let outage = tickets.next_outage();
    let pause = Duration::from_millis(incident.over_ms) / incident.tickets.max(1);
    let mut ids = Vec::new();
    let work = async {
        for _ in 0..incident.tickets {
            ids.push(create(&shared, tickets.next_incident_ticket(&outage), None));
            tokio::time::sleep(pause).await;
        }
        let Some(wait) = incident.solved_after_ms else { return };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        for id in &ids {
            let comment = Some(NewComment { body: outage.resolution.clone(), public: true });
            let update = TicketUpdate { comment, status: Some(Status::Solved), ..TicketUpdate::default() };
            agent_edit(&shared, *id, &AgentEdit { update, same_second: false });
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
