//! What second opinions tell Prometheus.

use prometheus::{
    HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, exponential_buckets, histogram_opts,
    register_histogram_vec, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};
use std::sync::LazyLock;

const ONCE: &str = "a metric is registered once, under a valid name";

pub(super) static OPINIONS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_llm_opinions_total",
        "Requests for a second opinion that are done with: answered, cached, skipped or failed, and why not",
        &["tenant", "result", "reason"]
    )
    .expect(ONCE)
});

pub(super) static ANSWERS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_llm_answers_total",
        "Calls of providers, by verdict: valid, repaired, what was wrong with the answer, or why there was none",
        &["provider", "verdict"]
    )
    .expect(ONCE)
});

pub(super) static TOKENS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_llm_tokens_total",
        "Tokens sent to and received from providers",
        &["tenant", "provider", "direction"]
    )
    .expect(ONCE)
});

pub(super) static COST: LazyLock<IntCounterVec> = LazyLock::new(|| {
    register_int_counter_vec!(
        "deskstream_llm_cost_microusd_total",
        "Cost in millionths of a US dollar, by the configured price table",
        &["tenant", "provider"]
    )
    .expect(ONCE)
});

pub(super) static BUDGET_LEFT: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    register_int_gauge_vec!(
        "deskstream_llm_budget_left_microusd",
        "What is not granted yet of the tenant's budget of this month, when it was last looked at",
        &["tenant"]
    )
    .expect(ONCE)
});

pub(super) static SECONDS: LazyLock<HistogramVec> = LazyLock::new(|| {
    register_histogram_vec!(
        histogram_opts!(
            "deskstream_llm_opinion_seconds",
            "Time from taking a request up to its end",
            exponential_buckets(0.002, 2.5, 12).expect("a positive start and a factor above 1")
        ),
        &["result"]
    )
    .expect(ONCE)
});

pub(super) static CACHED: LazyLock<IntGauge> = LazyLock::new(|| {
    register_int_gauge!("deskstream_llm_cached_answers", "Answers kept for texts that come again")
        .expect(ONCE)
});
