//! What a tenant may still spend this month: a hard stop that survives restarts and holds over several processes.
//!
//! Before money is spent it is *granted*, in pieces, by an entity of the `control` topic (kind `opinion-spend`, id
//! `{tenant}/{month}/{process}`). A tenant's grants never sum up to more than its budget: whoever writes one reads it back
//! in the topic's one order and looks at the sum then; if two have granted at once and it is too much, they take it back.
//! What a process had granted and not spent when it was killed counts as spent, at most one piece (a five-hundredth of
//! the budget, or what one ticket costs); one that ends in order gives the rest back.

use super::metrics;
use deskstream_runtime::control::{Control, ControlError};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;
use uuid::Uuid;

const KIND: &str = "opinion-spend";

/// How many grants a budget is given out in.
const PIECES: i64 = 500;

#[derive(Serialize, Deserialize)]
struct Grant {
    granted_microusd: i64,
}

#[derive(Debug, Default)]
struct Month {
    month: String,
    granted: i64,
    spent: i64,
    reserved: i64,
}

/// The ledger of all tenants' spending.
pub(super) struct Budget {
    control: Control,
    process: String,
    by: &'static str,
    months: Mutex<HashMap<String, Arc<Mutex<Month>>>>,
}

/// Money held back for one question.
#[derive(Debug)]
#[must_use = "what is held back has to be settled"]
pub(super) struct Hold {
    tenant: String,
    month: String,
    microusd: i64,
}

/// The month of an instant in UTC, as YYYY-MM.
pub(super) fn month_of(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = Offset::UTC.to_datetime(at).date();
    format!("{:04}-{:02}", date.year(), date.month())
}

impl Budget {
    pub(super) fn new(control: Control, by: &'static str) -> Self {
        Self { control, process: Uuid::now_v7().simple().to_string(), by, months: Mutex::default() }
    }

    /// Holds back what a question costs at the most; none if the budget does not have it.
    ///
    /// # Errors
    /// If a grant can't be written: then nothing may be spent.
    pub(super) async fn hold(
        &self,
        tenant: &str,
        budget: i64,
        microusd: i64,
        now: i64,
    ) -> Result<Option<Hold>, ControlError> {
        let name = month_of(now);
        let hold = || Hold { tenant: tenant.to_owned(), month: name.clone(), microusd };
        if microusd == 0 {
            return Ok(Some(hold()));
        }
        let month = Arc::clone(self.months.lock().await.entry(tenant.to_owned()).or_default());
        let mut month = month.lock().await;
        if month.month != name {
            *month = Month { month: name.clone(), ..Month::default() };
        }
        let needed = month.spent + month.reserved + microusd - month.granted;
        if needed > 0 {
            let free = budget - self.granted_by_others(tenant, &name) - month.granted;
            metrics::BUDGET_LEFT.with_label_values(&[tenant]).set(free.max(0));
            if needed > free {
                return Ok(None);
            }
            let before = month.granted;
            // Counted as granted before it is written: if nobody knows whether it was, it was.
            month.granted += needed.max((budget / PIECES).min(free));
            self.write(tenant, &month).await?;
            if self.granted_by_others(tenant, &name) + month.granted > budget {
                month.granted = before;
                self.write(tenant, &month).await?;
                return Ok(None);
            }
        }
        month.reserved += microusd;
        Ok(Some(hold()))
    }

    /// Books what was spent in the place of what was held back.
    pub(super) async fn settle(&self, hold: Hold, spent: i64) {
        let Some(month) = self.months.lock().await.get(&hold.tenant).cloned() else { return };
        let mut month = month.lock().await;
        // What was held back in the month before is gone with it.
        if month.month == hold.month {
            month.reserved -= hold.microusd;
            month.spent += spent;
        }
    }

    /// Gives back what was granted and not spent.
    pub(super) async fn close(&self) {
        for (tenant, month) in self.months.lock().await.drain() {
            let mut month = month.lock().await;
            if month.granted > month.spent + month.reserved {
                month.granted = month.spent + month.reserved;
                if let Err(error) = self.write(&tenant, &month).await {
                    tracing::warn!(tenant, %error, "what was granted and not spent counts as spent");
                }
            }
        }
    }

    /// Removes what months before the last have left.
    pub(super) async fn tidy(&self, now: i64) -> Result<(), ControlError> {
        const MOST_DAYS_OF_TWO_MONTHS: i64 = 62;
        let oldest = month_of(now - MOST_DAYS_OF_TWO_MONTHS * 86_400_000);
        for entity in self.control.list(KIND) {
            if entity.id.split('/').nth(1).is_some_and(|month| month < oldest.as_str()) {
                self.control.remove(KIND, &entity.id).await?;
            }
        }
        Ok(())
    }

    fn granted_by_others(&self, tenant: &str, month: &str) -> i64 {
        let (of_month, own) = (format!("{tenant}/{month}/"), self.id(tenant, month));
        let entities = self.control.list(KIND);
        let others = entities.iter().filter(|entity| entity.id.starts_with(&of_month) && entity.id != own);
        others
            .map(|entity| match serde_json::from_str::<Grant>(&entity.body) {
                Ok(grant) => grant.granted_microusd.max(0),
                // Nobody knows what it stands for: then nothing is left.
                Err(_) => i64::MAX / 4,
            })
            .fold(0, i64::saturating_add)
    }

    fn id(&self, tenant: &str, month: &str) -> String {
        format!("{tenant}/{month}/{}", self.process)
    }

    async fn write(&self, tenant: &str, month: &Month) -> Result<(), ControlError> {
        let body = json!(Grant { granted_microusd: month.granted });
        self.control.put_json(KIND, &self.id(tenant, &month.month), tenant, self.by, &body).await
    }
}

#[cfg(test)]
mod tests {
    use super::month_of;

    #[test]
    fn months_are_those_of_utc() {
        assert_eq!(month_of(1_793_491_199_999), "2026-10");
        assert_eq!(month_of(1_793_491_200_000), "2026-11");
        assert_eq!(month_of(i64::MAX), "1970-01");
    }
}
