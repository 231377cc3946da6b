//! Sums of the parts of words met before.
//!
//! A word's parts are several rows, each somewhere else in a table that is larger than a core's cache. Tickets are
//! written with few words: remembering each one's sum turns those reads into one, from a small table that stays
//! close. Sums are whole numbers, so nothing changes but the time.

use super::table::Table;
use crate::features::{FeatureParams, Features};

/// Words remembered, as a power of two. 2^12 with 24 columns are 256 KiB, which leaves a core's second-level cache
/// room for the rows of word pairs.
const SLOTS: usize = 1 << 12;

/// The most parts whose sum fits 16 bits whatever their weights.
const MOST_PARTS: usize = 256;

/// Sums by word. Belongs to one model at a time.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// The model that the sums are of; 0 for none.
    model: u64,
    /// Hash of the word in each slot; 0 for none.
    words: Vec<u64>,
    /// A row of sums for each slot.
    sums: Vec<i16>,
    rows: Vec<u32>,
    fresh: Vec<i32>,
}

impl Memo {
    /// Forgets everything if it belongs to another model.
    pub fn belong_to(&mut self, model: u64, width: usize) {
        if self.model == model {
            return;
        }
        self.model = model;
        self.words.clear();
        self.words.resize(SLOTS, 0);
        self.sums.clear();
        self.sums.resize(SLOTS * width, 0);
    }

    /// Adds the sums of the parts of every spelled word to `sums`.
    pub fn accumulate(
        &mut self,
        features: &Features,
        params: &FeatureParams,
        table: &Table,
        sums: &mut [i32],
    ) {
        let width = table.width();
        for &word in &features.spelled {
            let slot = word.hash as usize % SLOTS;
            let remembered = &mut self.sums[slot * width..][..width];
            if self.words[slot] != word.hash {
                self.rows.clear();
                features.parts_of(word, params, &mut self.rows);
                self.fresh.clear();
                self.fresh.resize(width, 0);
                table.accumulate(&self.rows, &mut self.fresh);
                if self.rows.len() > MOST_PARTS {
                    sums.iter_mut().zip(&self.fresh).for_each(|(sum, part)| *sum += part);
                    continue;
                }
                self.words[slot] = word.hash;
                remembered.iter_mut().zip(&self.fresh).for_each(|(r, f)| *r = *f as i16);
            }
            sums.iter_mut().zip(remembered).for_each(|(sum, r)| *sum += i32::from(*r));
        }
    }
}
