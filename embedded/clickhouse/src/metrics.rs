//! What `/metrics` tells, in Prometheus' text form.

use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder,
};

use crate::ffi::Statistics;

/// The process's metrics.
pub struct Metrics {
    registry: Registry,
    statements: IntCounterVec,
    duration: HistogramVec,
    running: IntGauge,
    written_rows: IntCounter,
    written_bytes: IntCounter,
    read_rows: IntCounter,
}

impl Metrics {
    /// Registers them.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("deskstream_clickhouse".to_owned()), None)?;
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let written_rows =
            counter("written_rows_total", "Rows written, including those of materialized views")?;
        let written_bytes =
            counter("written_bytes_total", "Bytes written, including those of materialized views")?;
        let read_rows = counter("read_rows_total", "Rows read from storage")?;
        let statements = IntCounterVec::new(
            Opts::new(
                "statements_total",
                "Statements ended, by kind (insert, select) and error code (0: none)",
            ),
            &["kind", "code"],
        )?;
        registry.register(Box::new(statements.clone()))?;
        let duration = HistogramVec::new(
            HistogramOpts::new("statement_duration_seconds", "From the request's head to the answer's head")
                .buckets(vec![0.001, 0.005, 0.025, 0.1, 0.5, 2.0, 10.0, 60.0]),
            &["kind"],
        )?;
        registry.register(Box::new(duration.clone()))?;
        let running = IntGauge::new("running_statements", "Statements under way")?;
        registry.register(Box::new(running.clone()))?;
        Ok(Self { registry, statements, duration, running, written_rows, written_bytes, read_rows })
    }

    /// Counts a statement that has ended or begun its answer.
    pub fn statement(&self, kind: &str, code: u32, seconds: f64, statistics: &Statistics) {
        self.statements.with_label_values(&[kind, &code.to_string()]).inc();
        self.duration.with_label_values(&[kind]).observe(seconds);
        self.written_rows.inc_by(statistics.written_rows);
        self.written_bytes.inc_by(statistics.written_bytes);
        self.read_rows.inc_by(statistics.read_rows);
    }

    /// The text to answer with.
    pub fn text(&self, running: usize) -> String {
        self.running.set(i64::try_from(running).unwrap_or(i64::MAX));
        let mut out = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(error) => format!("# gathering metrics: {error}\n"),
        }
    }
}
