//! What happened in a batch: for the audit trail and the metrics, which are written once a batch, not once an
//! event (docs/decisions/0005).

use crate::metrics;
use crate::source::Batch;
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord, EnrichedTicket, Text};
use std::collections::BTreeMap;

#[derive(Debug, Default)]
struct TenantTally {
    enriched: u64,
    dead: u64,
    redactions: BTreeMap<Text, u64>,
}

/// Counts of one batch, by tenant.
#[derive(Debug, Default)]
pub struct BatchTally {
    tenants: BTreeMap<String, TenantTally>,
}

impl BatchTally {
    /// An event was enriched.
    pub fn enriched(&mut self, ticket: &EnrichedTicket) {
        metrics::ENRICH_LATENCY.observe(seconds(ticket.enriched_at - ticket.received_at));
        let tenant = self.tenant(&ticket.tenant);
        tenant.enriched += 1;
        for (kind, count) in &ticket.redactions {
            *tenant.redactions.entry(kind.clone()).or_default() += u64::try_from(*count).unwrap_or(0);
        }
    }

    /// An event went to the dead letter.
    pub fn dead_letter(&mut self, tenant: &str, reason: &str) {
        metrics::DEAD_LETTERS.with_label_values(&[reason]).inc();
        self.tenant(tenant).dead += 1;
    }

    fn tenant(&mut self, tenant: &str) -> &mut TenantTally {
        if !self.tenants.contains_key(tenant) {
            self.tenants.insert(tenant.to_owned(), TenantTally::default());
        }
        self.tenants.get_mut(tenant).expect("just inserted")
    }

    /// Adds the counts to the metrics and returns one audit record a tenant.
    pub fn finish(&mut self, topic: &str, batch: &Batch, now: i64) -> Vec<AuditRecord> {
        let resource = format!("{topic}/{}/{}-{}", batch.partition, batch.first(), batch.next() - 1);
        let tenants = std::mem::take(&mut self.tenants);
        let records = tenants.into_iter().map(|(tenant, tally)| {
            metrics::ENRICHED.inc_by(tally.enriched);
            let mut detail: BTreeMap<Text, String> = BTreeMap::new();
            detail.insert("enriched".into(), tally.enriched.to_string());
            if tally.dead > 0 {
                detail.insert("dead_letters".into(), tally.dead.to_string());
            }
            for (kind, count) in &tally.redactions {
                metrics::REDACTIONS.with_label_values(&[kind.as_ref()]).inc_by(*count);
                detail.insert(Text::Owned(format!("redacted.{kind}")), count.to_string());
            }
            AuditRecord {
                audit_id: uuid::Uuid::now_v7().to_string(),
                tenant,
                at: now,
                actor_kind: ActorKind::System,
                actor: "pipeline".to_owned(),
                action: "enrich.batch".into(),
                resource: resource.clone(),
                outcome: if tally.dead == 0 { AuditOutcome::Ok } else { AuditOutcome::Error },
                detail,
                source_ip: None,
                user_agent: None,
                request_id: None,
            }
        });
        records.collect()
    }
}

fn seconds(ms: i64) -> f64 {
    // Latencies are far below 2^53 ms.
    #[allow(clippy::cast_precision_loss)]
    let ms = ms.max(0) as f64;
    ms / 1000.0
}
