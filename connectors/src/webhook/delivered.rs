//! What webhooks have brought lately, for polls to compare: a change that a poll finds and no webhook has brought was
//! missed. The memory is bounded, and one process's: of a ticket that changed before it began nothing can be told.

use crate::helpdesk::recent::Recent;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{Platform, ticket_key};
use parking_lot::Mutex;
use xxhash_rust::xxh3::xxh3_64;

/// Changes that are remembered, over all accounts: some ten megabytes.
const REMEMBERED: usize = 200_000;

/// The latest changes that webhooks have brought.
pub struct Delivered {
    since: i64,
    changes: Mutex<Recent<u64>>,
}

impl Default for Delivered {
    fn default() -> Self {
        Self { since: now_ms(), changes: Mutex::new(Recent::new(REMEMBERED)) }
    }
}

impl Delivered {
    /// A webhook has brought this version of a ticket.
    pub fn note(&self, tenant: &str, platform: Platform, ticket_id: &str, version: i64) {
        self.changes.lock().insert(hash(tenant, platform, ticket_id, version));
    }

    /// Whether a webhook should have brought this version, and has not.
    pub fn missed(&self, tenant: &str, platform: Platform, ticket_id: &str, version: i64) -> bool {
        version > self.since && !self.changes.lock().contains(&hash(tenant, platform, ticket_id, version))
    }
}

fn hash(tenant: &str, platform: Platform, ticket_id: &str, version: i64) -> u64 {
    xxh3_64(format!("{}/{version}", ticket_key(tenant, platform, ticket_id)).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_webhook_has_brought_since_the_start_is_missed() {
        let delivered = Delivered::default();
        let later = now_ms() + 1000;
        delivered.note("acme", Platform::Zendesk, "17", later);
        assert!(!delivered.missed("acme", Platform::Zendesk, "17", later));
        assert!(delivered.missed("acme", Platform::Zendesk, "17", later + 1000));
        assert!(delivered.missed("other", Platform::Zendesk, "17", later));
        assert!(
            !delivered.missed("acme", Platform::Zendesk, "18", later - 60_000),
            "it is older than we are"
        );
    }
}
