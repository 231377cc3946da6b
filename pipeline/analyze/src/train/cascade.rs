//! Training of the heads behind the encoder, on the split of the fast heads' training.

use serde::Serialize;

use super::{TrainError, Trained, dense, metrics};
use crate::{
    cascade::{CascadeHead, CascadeHeader, combine, logits},
    classifier::{Classifier, Scratch},
    model::Model,
    train::metrics::Judged,
};

/// How often the answers of a cascade have to be right.
const ANSWER_ACCURACY: f32 = 0.95;
const EPOCHS: usize = 20;
/// What the encoder may cost in accuracy by not being asked.
const ASK_TOLERANCE: f64 = 0.001;
/// The encoder is asked below this confidence at least: dev is more like training than what comes. On clinc150 the .82 that
/// dev found lost a point on its val part against asking always (.958 for .966).
const ASK_FLOOR: f32 = 0.95;
/// Shares of the fast head's opinion that are tried on dev.
const MIXES: [f32; 7] = [0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0];

/// What a cascade reaches on the held-out test split.
#[derive(Debug, Clone, Serialize)]
pub struct CascadeReport {
    /// Which head.
    pub head: String,
    /// Texts of the test split.
    pub texts: usize,
    /// Accuracy of the fast head alone.
    pub fast: f64,
    /// Accuracy with the encoder where the fast head is unsure.
    pub cascade: f64,
    /// Share of texts for which the encoder was asked.
    pub asked: f64,
    /// Accuracy if the encoder is always asked.
    pub always: f64,
    /// Calibration error if the encoder is always asked.
    pub calibration_error: f64,
}

impl CascadeReport {
    /// The section of the model card about cascades.
    #[must_use]
    pub fn section(reports: &[CascadeReport], encoder: &str) -> String {
        let mut out = format!(
            "\n## With the encoder where the fast heads are unsure\n\nEncoder `{encoder}`, which reads English. On the \
             held-out test split, before the last fit:\n\n| head | texts | fast alone | with the encoder | asked for | \
             encoder always | its calibration error |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        );
        for r in reports {
            out += &format!(
                "| {} | {} | {:.3} | {:.3} | {:.2} | {:.3} | {:.3} |\n",
                r.head, r.texts, r.fast, r.cascade, r.asked, r.always, r.calibration_error
            );
        }
        out
    }
}

/// A finished cascade head.
#[derive(Debug)]
pub struct TrainedCascade {
    /// The file.
    pub file: Vec<u8>,
    /// The numbers.
    pub report: CascadeReport,
}

/// A text with its class, both opinions about it, and how sure the fast head is.
struct Opinions {
    gold: Vec<u16>,
    logits: Vec<f32>,
    fast: Judged,
}

/// Fits the cascade of each head. `vectors` are those of `trained.examples`, in their order, by the encoder `encoder`.
///
/// # Errors
/// If the fast model can't be read back, or the result can't be encoded.
pub fn train(
    trained: &Trained,
    vectors: &[Vec<f32>],
    encoder: &str,
) -> Result<Vec<TrainedCascade>, TrainError> {
    let measured = Classifier::from_model(Model::from_bytes(&trained.measured)?);
    let fast_model = Model::from_bytes(&trained.model)?.version().to_owned();
    let heads = measured.model().heads().iter().enumerate();
    heads.map(|(index, _)| one(trained, vectors, encoder, &measured, &fast_model, index)).collect()
}

fn one(
    trained: &Trained,
    vectors: &[Vec<f32>],
    encoder: &str,
    fast: &Classifier,
    fast_model: &str,
    index: usize,
) -> Result<TrainedCascade, TrainError> {
    let head = &fast.model().heads()[index];
    let seed = trained.report.seed ^ 0xCA5C ^ index as u64;
    let places = |part: &[usize]| -> Vec<dense::Place> {
        let place = |&i: &usize| Some((i, usize::from(*trained.examples[i].gold[index].first()?)));
        part.iter().filter_map(place).collect()
    };
    let (train, dev) = (places(&trained.split.train), places(&trained.split.dev));
    let (weights, epochs) = dense::fit(vectors, &train, &dev, head.labels.len(), EPOCHS, seed);
    let mut scratch = Scratch::default();
    let mut opinions = |part: &[usize]| -> Vec<Opinions> {
        let labelled = part.iter().filter(|&&i| !trained.examples[i].gold[index].is_empty());
        let one = |&i: &usize| {
            let e = &trained.examples[i];
            fast.score(&e.subject, &e.body, &mut scratch);
            let probabilities = fast.probabilities(index, &scratch).to_vec();
            let gold = e.gold[index].clone();
            let fast = Judged { gold: gold.clone(), probabilities };
            Opinions { gold, logits: logits(&weights, &vectors[i]), fast }
        };
        labelled.map(one).collect()
    };
    let (dev, test) = (opinions(&trained.split.dev), opinions(&trained.split.test));
    let judge = |part: &[Opinions], mix: f32, temperature: f32| -> Vec<Judged> {
        let both = |o: &Opinions| combine(&o.logits, &o.fast.probabilities, mix, temperature);
        part.iter().map(|o| Judged { gold: o.gold.clone(), probabilities: both(o) }).collect()
    };
    let loss = |mix: f32| {
        let temperature = metrics::fit_temperature(&judge(&dev, mix, 1.0));
        (metrics::log_loss(&judge(&dev, mix, temperature)), mix, temperature)
    };
    let (_, mix, temperature) =
        MIXES.map(loss).into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0.0, 1.0));
    let sure = judge(&dev, mix, temperature);
    let ask_below = ask_below(&dev, &sure);
    let all: Vec<usize> = (0..trained.examples.len()).collect();
    let weights = if trained.refitted {
        dense::fit(vectors, &places(&all), &[], head.labels.len(), epochs, seed).0
    } else {
        weights.clone()
    };
    let header = CascadeHeader {
        head: head.name.to_string(),
        encoder: encoder.to_owned(),
        fast_model: fast_model.to_owned(),
        width: vectors.first().map_or(0, Vec::len) as u32,
        labels: head.labels.clone(),
        mix,
        temperature,
        abstain_below: metrics::fit_threshold(&sure, ANSWER_ACCURACY),
        ask_below,
        seed: trained.report.seed,
    };
    let file = CascadeHead::encode(&header, &weights)?;
    let always = judge(&test, mix, temperature);
    let labels: Vec<String> = head.labels.iter().map(|l| l.to_string()).collect();
    let report = CascadeReport {
        head: header.head,
        texts: test.len(),
        fast: share(test.iter().map(|o| o.fast.right())),
        cascade: cascade_accuracy(&test, &always, ask_below),
        asked: share(test.iter().map(|o| o.fast.predicted().1 < ask_below)),
        always: share(always.iter().map(Judged::right)),
        calibration_error: metrics::Metrics::measure(&always, &labels, false, 0.0).calibration_error,
    };
    Ok(TrainedCascade { file, report })
}

fn cascade_accuracy(fast: &[Opinions], sure: &[Judged], ask_below: f32) -> f64 {
    share(
        fast.iter()
            .zip(sure)
            .map(|(o, s)| if o.fast.predicted().1 < ask_below { s.right() } else { o.fast.right() }),
    )
}

/// The lowest confidence from [`ASK_FLOOR`] on to ask below that loses next to nothing against asking always.
fn ask_below(fast: &[Opinions], sure: &[Judged]) -> f32 {
    let always = share(sure.iter().map(Judged::right));
    let steps = (1..=100).map(|percent| percent as f32 / 100.0);
    let enough = |t: &f32| cascade_accuracy(fast, sure, *t) + ASK_TOLERANCE >= always;
    steps.into_iter().find(enough).unwrap_or(1.0).max(ASK_FLOOR)
}

fn share(of: impl Iterator<Item = bool>) -> f64 {
    let (n, yes) = of.fold((0usize, 0usize), |(n, yes), is| (n + 1, yes + usize::from(is)));
    yes as f64 / n.max(1) as f64
}
