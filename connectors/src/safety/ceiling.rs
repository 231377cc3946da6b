//! How many updates this hour has had.
//!
//! A process reserves a part of the hour in `control` before it uses it (kind [`COUNT_KIND`], id `account/instance`,
//! body `{"hour": h, "reserved": n}`), so that a process that is killed has never used more than others can see: a
//! restart costs a part, and never exceeds the ceiling. The topic has one order: of two processes that reserve the last
//! part at the same time, the later one sees the earlier's and takes its own back.
//!
//! An hour is one of the clock (UTC). So sixty minutes across two of them may hold up to twice the ceiling.

use deskstream_runtime::control::{Control, ControlError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex;
use uuid::Uuid;

/// Kind of the control entities that count.
const COUNT_KIND: &str = "write-back-count";

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A part of the hour: this share of the ceiling. A restart costs one of them at most.
const PARTS: u32 = 20;

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Count {
    hour: i64,
    reserved: u32,
}

#[derive(Debug, Default)]
struct State {
    count: Count,
    used: u32,
}

/// Counts one account's updates in this process.
pub(super) struct Ceiling {
    control: Control,
    tenant: String,
    account: String,
    id: String,
    state: Mutex<State>,
}

impl Ceiling {
    pub(super) fn new(control: Control, tenant: &str, account: &str) -> Self {
        Self {
            control,
            tenant: tenant.to_owned(),
            account: account.to_owned(),
            id: format!("{account}/{}", Uuid::now_v7()),
            state: Mutex::default(),
        }
    }

    /// Whether one more update fits into this hour.
    pub(super) async fn take(&self, most: u32, now: i64) -> Result<bool, ControlError> {
        let mut state = self.state.lock().await;
        let hour = now.div_euclid(HOUR_MS);
        if state.count.hour != hour {
            *state = State { count: Count { hour, reserved: 0 }, used: 0 };
        }
        if state.used >= state.count.reserved {
            let mine = state.count.reserved;
            let room = most.saturating_sub(self.others(hour)).saturating_sub(mine);
            if room == 0 {
                return Ok(false);
            }
            let mut reserved = mine + (most / PARTS).max(1).min(room);
            self.put(hour, reserved).await?;
            // Now everything that was written before ours is known.
            let too_much = self.others(hour).saturating_add(reserved).saturating_sub(most);
            if too_much > 0 {
                reserved = reserved.saturating_sub(too_much).max(mine);
                self.put(hour, reserved).await?;
            }
            state.count.reserved = reserved;
            if state.used >= reserved {
                return Ok(false);
            }
        }
        state.used += 1;
        Ok(true)
    }

    async fn put(&self, hour: i64, reserved: u32) -> Result<(), ControlError> {
        let body = json!(Count { hour, reserved });
        self.control.put_json(COUNT_KIND, &self.id, &self.tenant, "connect", &body).await
    }

    /// What other processes have reserved of this hour; what is of earlier hours goes.
    fn others(&self, hour: i64) -> u32 {
        let prefix = format!("{}/", self.account);
        let mut sum = 0u32;
        for entity in self.control.list(COUNT_KIND) {
            if !entity.id.starts_with(&prefix) || entity.id == self.id {
                continue;
            }
            let count: Count = serde_json::from_str(&entity.body).unwrap_or_default();
            if count.hour == hour {
                sum = sum.saturating_add(count.reserved);
            } else if count.hour + 1 < hour {
                let (control, id) = (self.control.clone(), entity.id.clone());
                // Tidying up: if it fails, the next hour does it.
                tokio::spawn(async move { control.remove(COUNT_KIND, &id).await });
            }
        }
        sum
    }
}
