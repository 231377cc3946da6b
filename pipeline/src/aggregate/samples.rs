//! From a review beside its predictions to the samples that quality is counted from.

use super::counts::Counts;
use super::tally::Head;
use deskstream_schemas::{EVERY_TENANT, Label, Prediction, Review, Text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Length of a window of quality, in seconds.
pub const DAY_S: i32 = 86_400;

/// The sum over all languages.
pub const EVERY_LANGUAGE: &str = "*";

/// A window of quality.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QualityKey {
    /// The tenant; `*` is the sum over all.
    pub tenant: Arc<str>,
    /// What is judged.
    pub head: Head,
    /// Name and version of the model.
    pub model: Arc<str>,
    /// The language; `*` is the sum over all.
    pub language: Arc<str>,
    /// [`DAY_S`], or 0 for all of time.
    pub size_s: i32,
    /// First instant, in milliseconds since the Unix epoch.
    pub start_ms: i64,
}

/// What reviewer and model said of a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Verdict {
    /// The reviewer.
    pub human: Arc<str>,
    /// The model.
    pub predicted: Arc<str>,
    /// Whether the model was not sure.
    pub abstained: bool,
}

/// The samples of a window.
pub type Verdicts = Counts<Verdict>;

/// Changes of windows.
pub type Samples = BTreeMap<QualityKey, Verdicts>;

/// No sample: it is added and taken away again to have a window published once more.
pub fn touch() -> Verdict {
    Verdict { human: "".into(), predicted: "".into(), abstained: false }
}

/// The windows that a review may count in, whichever heads it names.
pub fn windows_of(review: &Review) -> impl Iterator<Item = QualityKey> {
    let mut all = Samples::new();
    let any = || Some(Text::Borrowed(""));
    let every_head = Review { root_cause: any(), urgency: any(), sentiment: any(), ..review.clone() };
    add(&mut all, &every_head, 1);
    all.into_keys()
}

/// Adds what a review counts for, or with a `count` of −1 takes it away: one sample for each model and head that the
/// reviewer judged, in every window that holds it.
pub fn add(samples: &mut Samples, review: &Review, count: i64) {
    let Some(created_at) = review.created_at else { return };
    let day_ms = i64::from(DAY_S) * 1000;
    let windows = [(DAY_S, created_at.div_euclid(day_ms) * day_ms), (0, 0)];
    let text = |text: &str| Arc::<str>::from(text);
    let tenants = [text(&review.tenant), text(EVERY_TENANT)];
    let languages = [text(&review.language), text(EVERY_LANGUAGE)];
    for prediction in &review.predictions {
        let model = text(&prediction.model);
        for (head, human, said) in judged(review, prediction) {
            let verdict =
                Verdict { human: text(human), predicted: text(&said.value), abstained: said.abstained };
            for (tenant, language) in tenants.iter().flat_map(|t| languages.iter().map(move |l| (t, l))) {
                for (size_s, start_ms) in windows {
                    let key = QualityKey {
                        tenant: Arc::clone(tenant),
                        head,
                        model: Arc::clone(&model),
                        language: Arc::clone(language),
                        size_s,
                        start_ms,
                    };
                    samples.entry(key).or_default().add(verdict.clone(), count);
                }
            }
        }
    }
}

/// The heads that the reviewer judged, with what the model said of them.
fn judged<'a>(
    review: &'a Review,
    prediction: &'a Prediction,
) -> impl Iterator<Item = (Head, &'a Text, &'a Label)> {
    [
        (Head::RootCause, &review.root_cause, &prediction.root_cause),
        (Head::Urgency, &review.urgency, &prediction.urgency),
        (Head::Sentiment, &review.sentiment, &prediction.sentiment),
    ]
    .into_iter()
    .filter_map(|(head, human, said)| Some((head, human.as_ref()?, said)))
}
