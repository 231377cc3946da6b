//! Rows of reviews, and of how models do.

use super::{count, counts};
use crate::clickhouse::native::{Millis, Seq};
use deskstream_schemas::{ClassQuality, Confusion, Drift, Label, Prediction, Quality, Review, Text};

table! {
    /// A row of `reviews`: its columns are documented in sql/0045_reviews.sql.
    "reviews": review is Review, parted by 0;
    "tenant" = &*review.tenant,
    "platform" = review.platform.as_str(),
    "ticket_id" = &*review.ticket_id,
    "event_id" = &*review.event_id,
    "version" = count(review.version),
    "root_cause" = judged(&review.root_cause),
    "urgency" = judged(&review.urgency),
    "sentiment" = judged(&review.sentiment),
    "reviewed_by" = &*review.reviewed_by,
    "reviewed_at" = Millis(review.reviewed_at),
    "result" = review.result.as_str(),
    "text_hash" = review.text_hash.unwrap_or(0).cast_unsigned(),
    "created_at" = review.created_at.map(Millis),
    "language" = &*review.language,
    "tiers" = Seq(review.predictions.iter().map(|said| said.tier.as_str())),
    "models" = Seq(review.predictions.iter().map(|said| &*said.model)),
    "root_causes" = said(review, |said| &said.root_cause),
    "root_cause_confidences" = sure(review, |said| &said.root_cause),
    "urgencies" = said(review, |said| &said.urgency),
    "urgency_confidences" = sure(review, |said| &said.urgency),
    "sentiments" = said(review, |said| &said.sentiment),
    "sentiment_confidences" = sure(review, |said| &said.sentiment),
    "applied_at" = count(review.applied_at),
}

table! {
    /// A row of `quality`: its columns are documented in sql/0048_quality.sql.
    "quality": quality is Quality, parted by 0;
    "tenant" = &*quality.tenant,
    "head" = &*quality.head,
    "model" = &*quality.model,
    "language" = &*quality.language,
    "size_s" = u32::try_from(quality.size_s).unwrap_or(0),
    "window_start" = Millis(quality.window_start),
    "version" = count(quality.version),
    "samples" = count(quality.samples),
    "correct" = count(quality.correct),
    "answered" = count(quality.answered),
    "answered_correct" = count(quality.answered_correct),
    "accuracy" = quality.accuracy,
    "accuracy_low" = quality.accuracy_low,
    "accuracy_high" = quality.accuracy_high,
    "macro_precision" = quality.macro_precision,
    "macro_recall" = quality.macro_recall,
    "macro_f1" = quality.macro_f1,
    "macro_f1_low" = quality.macro_f1_low,
    "macro_f1_high" = quality.macro_f1_high,
    "class_labels" = Seq(quality.classes.iter().map(|class| &*class.label)),
    "class_support" = Seq(quality.classes.iter().map(|class| count(class.support))),
    "class_predicted" = Seq(quality.classes.iter().map(|class| count(class.predicted))),
    "class_true_positives" = Seq(quality.classes.iter().map(|class| count(class.true_positives))),
    "class_precision" = shares(quality, |class| class.precision),
    "class_precision_low" = shares(quality, |class| class.precision_low),
    "class_precision_high" = shares(quality, |class| class.precision_high),
    "class_recall" = shares(quality, |class| class.recall),
    "class_recall_low" = shares(quality, |class| class.recall_low),
    "class_recall_high" = shares(quality, |class| class.recall_high),
    "class_f1" = shares(quality, |class| class.f1),
    "class_f1_low" = shares(quality, |class| class.f1_low),
    "class_f1_high" = shares(quality, |class| class.f1_high),
    "confusion_human" = cells(quality, |cell| &cell.human),
    "confusion_predicted" = cells(quality, |cell| &cell.predicted),
    "confusion_count" = Seq(quality.confusion.iter().map(|cell| count(cell.count))),
}

table! {
    /// A row of `drift`: its columns are documented in sql/0052_drift.sql.
    "drift": drift is Drift, parted by 0;
    "tenant" = &*drift.tenant,
    "head" = &*drift.head,
    "window_start" = Millis(drift.window_start),
    "version" = count(drift.version),
    "closed" = drift.is_final,
    "tickets" = count(drift.tickets),
    "labels" = counts(&drift.labels, count),
    "confidences" = counts(&drift.confidences, count),
    "reference_start" = Millis(drift.reference_start),
    "reference_tickets" = count(drift.reference_tickets),
    "label_psi" = drift.label_psi,
    "confidence_psi" = drift.confidence_psi,
    "label_noise" = drift.label_noise,
    "confidence_noise" = drift.confidence_noise,
}

fn judged(label: &Option<Text>) -> &str {
    label.as_deref().unwrap_or("")
}

fn said(review: &Review, of: fn(&Prediction) -> &Label) -> Seq<impl Iterator<Item = &str> + Clone> {
    Seq(review.predictions.iter().map(move |said| &*of(said).value))
}

fn sure(review: &Review, of: fn(&Prediction) -> &Label) -> Seq<impl Iterator<Item = f32> + Clone> {
    Seq(review.predictions.iter().map(move |said| of(said).confidence))
}

fn shares(quality: &Quality, of: fn(&ClassQuality) -> f64) -> Seq<impl Iterator<Item = f64> + Clone> {
    Seq(quality.classes.iter().map(of))
}

fn cells(quality: &Quality, of: fn(&Confusion) -> &Text) -> Seq<impl Iterator<Item = &str> + Clone> {
    Seq(quality.confusion.iter().map(move |cell| &**of(cell)))
}
