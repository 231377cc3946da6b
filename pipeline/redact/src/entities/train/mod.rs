//! Trains the model of named entities; the same inputs and seed give the same file to the byte.
//!
//! Text comes from three places: labelled JSON lines, sentences made from `templates.txt` and the name lists of the
//! gazetteer, and word lists. Words of what is tagged lose their identity and their gazetteer flags at random, so that
//! the model learns to rely on form and context for names that no list has.

mod data;
mod fit;
mod generate;
mod measure;
mod noise;
mod technical;
mod values;

pub use measure::Figures;

use std::collections::BTreeMap;

use super::clusters::Clusters;
use super::features::{self, Case};
use super::model::{EntityModel, TAGS};
use super::token::{self, Token};
use super::words::{Hasher, Words, flag};
use data::Example;
use generate::Random;

/// Training that can't be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A line of labelled text that can't be used.
    #[error("{source_name}, line {line}: {reason}")]
    Data {
        /// Which source.
        source_name: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A gazetteer without names.
    #[error("the gazetteer has no list `{0}`, expected lines KIND<tab>LANGUAGE<tab>ENTRY|ENTRY…")]
    Gazetteer(&'static str),
    /// Clusters that can't be read.
    #[error("the clusters are no lines PATH<tab>WORD WORD…, with paths of 0 and 1")]
    Clusters,
    /// What was written can't be read.
    #[error(transparent)]
    Model(#[from] super::EntityModelError),
}

/// What to train on.
#[derive(Clone)]
pub struct Options {
    /// Content of the gazetteer.
    pub gazetteer: String,
    /// Content of the word clusters.
    pub clusters: String,
    /// Labelled text: a name and JSON lines with `text`, `lang` and `spans` (code points; `type`).
    pub data: Vec<(String, String)>,
    /// Texts to measure only.
    pub measure: Vec<(String, String)>,
    /// Examples to generate.
    pub generated: usize,
    /// Passes over the data.
    pub epochs: usize,
    /// Leaves every fifth template (by `template_id`) out of training and measures on it.
    pub hold_out: bool,
    /// How much more a missed person, organisation, place and address costs than a false mark, as shifts of log-odds.
    pub bias: [f32; 4],
    /// Seed of everything random.
    pub seed: u64,
}

/// The result of a training.
pub struct Trained {
    /// The model file.
    pub file: Vec<u8>,
    /// The model card.
    pub card: String,
    /// Figures by set.
    pub figures: Vec<Figures>,
}

/// Trains, measures and writes the card.
///
/// # Errors
/// If a source or the gazetteer can't be used.
pub fn train(options: &Options) -> Result<Trained, TrainError> {
    let lists = generate::Lists::read(&options.gazetteer)?;
    let clusters = Clusters::build(&options.clusters).ok_or(TrainError::Clusters)?;
    let mut examples = Vec::new();
    let mut measured: Vec<(String, Vec<Example>)> = Vec::new();
    for (name, text) in &options.data {
        let (dev, train): (Vec<_>, Vec<_>) = data::read(name, text)?
            .into_iter()
            .partition(|e| options.hold_out && e.group.is_some_and(|g| g % 5 == 0));
        if !dev.is_empty() {
            measured.push((format!("{name}, held-out templates"), dev));
        }
        examples.extend(train);
    }
    for (name, text) in &options.measure {
        measured.push((name.clone(), data::read(name, text)?));
    }
    let mut random = Random::new(options.seed);
    let generated = generate::examples(&lists, options.generated, &mut random);
    let own = generate::examples(&lists, 2000, &mut Random::new(options.seed ^ 0xABCD));
    measured.push(("generated, same templates and lists".into(), own));
    examples.extend(generated);
    let words = word_table(&lists, &examples);
    let weights = fit::fit(&examples, &words, &clusters, options.epochs, options.bias, &mut random);
    let file = EntityModel::write(
        &words,
        &clusters,
        fit::ROWS,
        &weights.rows,
        &weights.transitions,
        &weights.starts,
    );
    let model = EntityModel::from_bytes(file.clone())?;
    let figures: Vec<Figures> =
        measured.iter().map(|(name, examples)| Figures::of(name, &model, examples)).collect();
    let card = measure::card(options, &model, &figures, examples.len());
    Ok(Trained { file, card, figures })
}

/// Everything known about words: lists, classes, and words that the texts use without being names.
fn word_table(lists: &generate::Lists, examples: &[Example]) -> Words {
    let mut counts: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
    let mut tokens = Vec::new();
    for example in examples {
        token::tokenize(&example.text, &example.covered, &Words::default(), &mut tokens);
        for (token, tag) in tokens.iter().zip(example.tags(&tokens)) {
            if token.shape.is_word() && token.len() > 1 {
                let word = &example.text[token.start as usize..token.end as usize];
                let count = counts.entry(Hasher::of(word)).or_default();
                // German nouns have capitals too; elsewhere only what is written small counts as common.
                if tag == 0 && (!token.shape.has_capital() || example.lang == "de") {
                    count.0 += 1;
                } else if tag != 0 {
                    count.1 += 1;
                }
            }
        }
    }
    let mut known = lists.flags();
    for (key, (plain, named)) in counts {
        if plain >= 3 && plain > 4 * named {
            *known.entry(key).or_default() |= flag::COMMON;
        }
    }
    let classes = [
        ("TITLE", flag::TITLE),
        ("GREETING", flag::GREETING),
        ("CLOSING", flag::CLOSING),
        ("NAMED", flag::NAMED),
        ("LIVES", flag::LIVES),
        ("ADDRESS", flag::ADDRESS),
        ("DATE", flag::DATE),
        ("SPEAKS", flag::SPEAKS),
        ("FIRM", flag::FIRM),
        ("PLACED", flag::PLACED),
        ("RELATION", flag::RELATION),
        ("PARTICLE", flag::PARTICLE),
        ("PRODUCT", flag::PRODUCT),
        ("NATION", flag::NATION),
    ];
    for line in include_str!("classes.txt").lines() {
        let mut words = line.split(' ');
        let Some(class) = words.next().and_then(|n| classes.iter().find(|c| c.0 == n)) else { continue };
        for word in words {
            let entry = known.entry(Hasher::of(word)).or_default();
            // The first class wins; none of these words is a name by itself.
            if *entry & flag::CLASS_MASK == 0 {
                *entry |= class.1 | flag::COMMON;
            }
        }
    }
    known.retain(|_, value| *value != 0);
    Words::build(&known)
}
