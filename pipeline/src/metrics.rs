//! The job's Prometheus metrics.

use prometheus::{
    Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, register_histogram, register_int_counter,
    register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "metric names are constants, registered once: a test holds it";

macro_rules! metrics {
    ($($name:ident: $type:ty = $make:expr;)*) => {
        $(pub static $name: LazyLock<$type> = LazyLock::new(|| $make.expect(ONCE));)*

        /// Registers every metric, so that each is there from the first scrape.
        pub fn register() {
            $(LazyLock::force(&$name);)*
        }
    };
}

/// 1 ms to 16 s, doubling.
fn latency_buckets() -> Vec<f64> {
    (0..15).map(|i| 0.001 * f64::from(1 << i)).collect()
}

metrics! {
    EVENTS: IntCounter = register_int_counter!(
        "deskstream_pipeline_events_total", "Events taken from the events topic");
    ENRICHED: IntCounter = register_int_counter!(
        "deskstream_pipeline_enriched_total", "Events redacted and analyzed");
    DEAD_LETTERS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_dead_letters_total", "Events sent to the dead letter, by reason", &["reason"]);
    REDACTIONS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_redactions_total", "Redacted spans, by type", &["type"]);
    ENRICH_LATENCY: Histogram = register_histogram!(
        "deskstream_pipeline_enrich_latency_seconds",
        "Time from a connector's receipt of an event to its enrichment", latency_buckets());
    CALLS_LEFT_BEHIND: IntCounter = register_int_counter!(
        "deskstream_pipeline_calls_left_behind_total", "Calls to the broker that did not come back");
    COMMITS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_commits_total", "Kafka transactions, by result", &["result"]);
    COMMIT_SECONDS: Histogram = register_histogram!(
        "deskstream_pipeline_commit_seconds", "Duration of a Kafka transaction", latency_buckets());
    IN_FLIGHT: IntGauge = register_int_gauge!(
        "deskstream_pipeline_in_flight_records", "Records between the source and the commit");
    COMMIT_QUEUE: IntGauge = register_int_gauge!(
        "deskstream_pipeline_commit_queue_epochs", "Closed epochs waiting for their transaction");
    LAG: IntGauge = register_int_gauge!(
        "deskstream_pipeline_lag_records", "Records in the events topic that are not committed to enriched yet");
    POLICIES: IntGaugeVec = register_int_gauge_vec!(
        "deskstream_pipeline_redaction_policies", "Redaction policies, by whether they are in effect", &["state"]);
    TICKETS: IntGauge = register_int_gauge!(
        "deskstream_pipeline_ticket_states", "Tickets whose latest state is held in memory");
    WINDOWS: IntGauge = register_int_gauge!(
        "deskstream_pipeline_live_windows", "Windows that can still change");
    DUPLICATES: IntCounter = register_int_counter!(
        "deskstream_pipeline_duplicate_events_total", "Redelivered events, recognised by their id and not counted again");
    TOO_LATE: IntCounter = register_int_counter!(
        "deskstream_pipeline_too_late_total", "Contributions to windows that were closed already");
    COMMANDS: IntCounter = register_int_counter!(
        "deskstream_pipeline_commands_total", "Write-back commands issued");
    REQUESTS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_opinion_requests_total", "Second opinions asked for, by the policy's reason", &["reason"]);
    SUPERSEDED: IntCounter = register_int_counter!(
        "deskstream_pipeline_superseded_judgements_total", "Local judgements of tickets replaced by a second opinion");
    MODELS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_models_total", "Models named for a role, by what became of them", &["role", "result"]);
    REVIEWS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_reviews_total", "Reviews by humans, by what became of them", &["result"]);
    CORRECTED: IntCounter = register_int_counter!(
        "deskstream_pipeline_corrected_tickets_total", "Latest states of tickets published under a reviewer's labels");
    WAITING: IntGauge = register_int_gauge!(
        "deskstream_pipeline_waiting_tickets", "Tickets held in memory until their second opinion comes");
    ALERTS: IntCounterVec = register_int_counter_vec!(
        "deskstream_pipeline_alerts_total", "Alert transitions, by new state", &["state"]);
    PUBLISH_FAILURES: IntCounter = register_int_counter!(
        "deskstream_pipeline_publish_failures_total", "Records of the aggregate dataflow that Kafka refused");
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_valid_and_unique() {
        super::register();
    }
}
