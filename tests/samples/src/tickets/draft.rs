//! A text under construction, of which the planted parts are never touched again.

use super::typos::careless;
use super::{Mood, Planted, Random, Settings};
use rand::RngExt;

/// A stretch of text: typing mistakes may harm the first kind only.
enum Piece {
    Text(String),
    Planted(Planted),
}

/// A text under construction.
pub(super) struct Draft {
    pieces: Vec<Piece>,
    pub(super) length: usize,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self { pieces: Vec::new(), length: 0 }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length += text.len();
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    pub(super) fn planted(&mut self, planted: Planted) {
        self.length += planted.value.len();
        self.pieces.push(Piece::Planted(planted));
    }

    /// A sentence whose `{}` stands for the first value; the others lie within it.
    pub(super) fn sentence_with(&mut self, sentence: &str, values: Vec<Planted>, also: &mut Vec<Planted>) {
        let (before, after) = sentence.split_once("{}").unwrap_or((sentence, ""));
        let mut values = values.into_iter();
        self.text(before);
        if let Some(value) = values.next() {
            self.planted(value);
        }
        self.text(after);
        also.extend(values);
    }

    /// The text, with mistakes, and what is planted in it.
    pub(super) fn finish(self, random: &mut Random, style: &Style) -> (String, Vec<Planted>) {
        let mut out = String::with_capacity(self.length);
        let mut planted = Vec::new();
        for piece in self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(&style.apply(random, &text)),
                Piece::Planted(value) => {
                    out.push_str(&value.value);
                    planted.push(value);
                }
            }
        }
        (out, planted)
    }
}

/// How a person types.
pub(super) struct Style {
    mistakes: f64,
    lower_case: bool,
    shouting: bool,
}

impl Style {
    /// Neither mistakes nor mannerisms.
    pub(super) fn plain() -> Self {
        Self { mistakes: 0.0, lower_case: false, shouting: false }
    }

    pub(super) fn new(random: &mut Random, settings: &Settings, mood: Mood) -> Self {
        let is_careless = random.random_bool(settings.careless_share);
        Self {
            mistakes: if is_careless { random.random_range(0.01..0.08) } else { 0.0 },
            lower_case: is_careless && random.random_bool(0.25),
            shouting: mood == Mood::Angry && random.random_bool(0.08),
        }
    }

    fn apply(&self, random: &mut Random, text: &str) -> String {
        let text = if self.mistakes > 0.0 { careless(random, text, self.mistakes) } else { text.to_owned() };
        match (self.shouting, self.lower_case) {
            (true, _) => text.to_uppercase(),
            (_, true) => text.to_lowercase(),
            _ => text,
        }
    }
}
