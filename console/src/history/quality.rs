//! How models agree with reviews, and how far tickets have moved from the days before.

use super::History;
use super::millis::Millis;
use crate::http::error::ApiError;
use crate::identity::caller::Scope;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DAY_MS: i64 = 86_400_000;

/// One head of one model, over all of time. Intervals are of 95 %.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct ModelQuality {
    /// root_cause, urgency or sentiment.
    pub head: String,
    /// Name and version of the model.
    pub model: String,
    /// Reviewed tickets of which this head was judged.
    pub samples: u64,
    /// Of these, those on which model and reviewer agree.
    pub correct: u64,
    /// Of the samples, those of which the model was sure.
    pub answered: u64,
    /// Of these, those on which they agree.
    pub answered_correct: u64,
    /// correct / samples.
    pub accuracy: f64,
    /// Wilson's interval, lower end.
    pub accuracy_low: f64,
    /// Upper end.
    pub accuracy_high: f64,
    /// Mean over the classes.
    pub macro_precision: f64,
    /// Mean over the classes.
    pub macro_recall: f64,
    /// Mean over the classes.
    pub macro_f1: f64,
    /// By the delta method, lower end.
    pub macro_f1_low: f64,
    /// Upper end.
    pub macro_f1_high: f64,
}

/// One label of a head against the rest. A share of nothing is 0, and its interval 0 to 1.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct LabelQuality {
    /// root_cause, urgency or sentiment.
    pub head: String,
    /// Name and version of the model.
    pub model: String,
    /// The label.
    pub label: String,
    /// Samples that reviewers gave it.
    pub support: u64,
    /// Samples that the model gave it.
    pub predicted: u64,
    /// Samples that both gave it.
    pub true_positives: u64,
    /// true_positives / predicted.
    pub precision: f64,
    /// Wilson's interval, lower end.
    pub precision_low: f64,
    /// Upper end.
    pub precision_high: f64,
    /// true_positives / support.
    pub recall: f64,
    /// Wilson's interval, lower end.
    pub recall_low: f64,
    /// Upper end.
    pub recall_high: f64,
    /// 2 · true_positives / (support + predicted).
    pub f1: f64,
    /// Lower end.
    pub f1_low: f64,
    /// Upper end.
    pub f1_high: f64,
}

/// A cell of a confusion matrix that is not zero.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct Cell {
    /// root_cause, urgency or sentiment.
    pub head: String,
    /// Name and version of the model.
    pub model: String,
    /// What the reviewer said.
    pub human: String,
    /// What the model said.
    pub predicted: String,
    /// So many samples.
    pub count: u64,
}

/// A day of one head of one model.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct QualityDay {
    /// root_cause, urgency or sentiment.
    pub head: String,
    /// Name and version of the model.
    pub model: String,
    /// First instant of the day on which the tickets were created.
    pub day: Millis,
    /// Reviewed tickets of which this head was judged.
    pub samples: u64,
    /// Share on which model and reviewer agree.
    pub accuracy: f64,
    /// Wilson's interval, lower end.
    pub accuracy_low: f64,
    /// Upper end.
    pub accuracy_high: f64,
    /// Mean over the classes.
    pub macro_f1: f64,
}

/// How far a day has moved from the seven before it, by the population stability index. Not known where there are too few
/// tickets.
#[derive(Debug, Clone, Row, Serialize, Deserialize, ToSchema)]
pub struct DriftDay {
    /// root_cause, urgency, sentiment or language.
    pub head: String,
    /// First instant of the day.
    pub day: Millis,
    /// Tickets of the day.
    pub tickets: u64,
    /// Tickets that it is compared with.
    pub reference_tickets: u64,
    /// Index of the label mix: below 0.1 stable, above 0.25 shifted.
    pub label_psi: Option<f64>,
    /// What chance alone would exceed once in a hundred times.
    pub label_noise: Option<f64>,
    /// Index of the confidences' mix.
    pub confidence_psi: Option<f64>,
    /// What chance alone would exceed once in a hundred times.
    pub confidence_noise: Option<f64>,
}

/// Quality and drift.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QualityReport {
    /// When it was asked.
    pub at: Millis,
    /// The language that quality is of; `*` is all.
    pub language: String,
    /// Each head of each model, over all of time.
    pub models: Vec<ModelQuality>,
    /// The same by label.
    pub labels: Vec<LabelQuality>,
    /// Confusion matrices.
    pub confusion: Vec<Cell>,
    /// The last days on which reviewed tickets were created, oldest first.
    pub days: Vec<QualityDay>,
    /// Drift of the last days, oldest first.
    pub drift: Vec<DriftDay>,
}

const MODELS: &str = "\
SELECT
    head, model, samples, correct, answered, answered_correct, accuracy, accuracy_low, accuracy_high, macro_precision,
    macro_recall, macro_f1, macro_f1_low, macro_f1_high
FROM v_quality
WHERE tenant = {scope:String} AND language = {language:String} AND size_s = 0
ORDER BY head, model
LIMIT 500";

const LABELS: &str = "\
SELECT
    head, model, label, support, predicted, true_positives, precision, precision_low, precision_high, recall, recall_low,
    recall_high, f1, f1_low, f1_high
FROM v_quality_classes
WHERE tenant = {scope:String} AND language = {language:String} AND size_s = 0
ORDER BY head, model, label
LIMIT 5000";

const CELLS: &str = "\
SELECT head, model, human, predicted, count
FROM v_confusion
WHERE tenant = {scope:String} AND language = {language:String} AND size_s = 0
ORDER BY head, model, human, predicted
LIMIT 10000";

const DAYS: &str = "\
SELECT
    head, model, toUnixTimestamp64Milli(window_start) AS day, samples, accuracy, accuracy_low, accuracy_high, macro_f1
FROM v_quality
WHERE tenant = {scope:String} AND language = {language:String} AND size_s = 86400
    AND window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY window_start, head, model
LIMIT 5000";

const DRIFT: &str = "\
SELECT
    head, toUnixTimestamp64Milli(window_start) AS day, tickets, reference_tickets, label_psi, label_noise, confidence_psi,
    confidence_noise
FROM v_drift
WHERE tenant = {scope:String} AND window_start >= fromUnixTimestamp64Milli({from:Int64}, 'UTC')
ORDER BY window_start, head
LIMIT 5000";

impl History {
    /// Quality of a language over all of time, and the last `days` until `now`.
    pub async fn quality(
        &self,
        scope: &Scope,
        language: &str,
        days: u32,
        now: i64,
    ) -> Result<QualityReport, ApiError> {
        let from = (now.div_euclid(DAY_MS) - i64::from(days) + 1) * DAY_MS;
        let asked =
            |sql| Ok::<_, ApiError>(self.ask(scope, sql)?.param("language", language).param("from", from));
        let (models, labels, confusion, series, drift) = tokio::try_join!(
            self.answer(asked(MODELS)?.fetch_all()),
            self.answer(asked(LABELS)?.fetch_all()),
            self.answer(asked(CELLS)?.fetch_all()),
            self.answer(asked(DAYS)?.fetch_all()),
            self.answer(asked(DRIFT)?.fetch_all()),
        )?;
        let language = language.to_owned();
        Ok(QualityReport { at: Millis(now), language, models, labels, confusion, days: series, drift })
    }
}
