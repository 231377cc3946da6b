//! Sums of the parts of words met before.
//!
//! A word's parts are several rows, each somewhere else in a table that is larger than a core's cache. Tickets are
//! written with few words: remembering each one's sum turns those reads into one, from a small table that stays
//! close. Sums are whole numbers, so nothing changes but the time.

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

    /// Adds the sums of the parts of every spelled word; `sum` sums rows. `W` is the table's width, which `sums`
    /// has too.
    #[inline(always)]
    pub fn accumulate<const W: usize>(
        &mut self,
        features: &Features,
        params: &FeatureParams,
        sums: &mut [i32],
        sum: impl Fn(&[u32], &mut [i32]),
    ) {
        let (remembered, _) = self.sums.as_chunks_mut::<W>();
        let mut total = [0i32; W];
        for &word in &features.spelled {
            let slot = word.hash as usize % SLOTS;
            if self.words[slot] != word.hash {
                self.rows.clear();
                features.parts_of(word, params, &mut self.rows);
                let mut fresh = [0i32; W];
                sum(&self.rows, &mut fresh);
                if self.rows.len() > MOST_PARTS {
                    total.iter_mut().zip(fresh).for_each(|(total, part)| *total += part);
                    continue;
                }
                self.words[slot] = word.hash;
                remembered[slot].iter_mut().zip(fresh).for_each(|(r, f)| *r = f as i16);
            }
            total.iter_mut().zip(&remembered[slot]).for_each(|(total, r)| *total += i32::from(*r));
        }
        sums.iter_mut().zip(total).for_each(|(sum, total)| *sum += total);
    }
}
