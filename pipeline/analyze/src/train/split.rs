//! A stratified split without leakage.
//!
//! Examples are cut into train, dev and test within each stratum (set, language and labels alike), then every
//! dev or test text that is a near-duplicate of a train text, or of one kept before it, is dropped: a text
//! seen in training proves nothing. Near-duplicate: Jaccard similarity of the word sets of 0.8 or more,
//! candidates found by MinHash with 8 bands of 3 (0.997 likely to find a pair at 0.8).

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{
    data::Example,
    label_map::words,
    rng::{Rng, mix},
};

const SIMILAR: f64 = 0.8;
const BANDS: usize = 8;
const ROWS: usize = 3;

/// The parts, as indices into the examples.
#[derive(Debug, Default)]
pub struct Split {
    /// Fitted on.
    pub train: Vec<usize>,
    /// Chooses epochs, temperature and thresholds.
    pub dev: Vec<usize>,
    /// Reported.
    pub test: Vec<usize>,
    /// What the leakage check did.
    pub leakage: Leakage,
}

/// What the leakage check found.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub struct Leakage {
    /// Dev and test texts dropped because their words equal those of another text.
    pub exact_duplicates_dropped: usize,
    /// Dev and test texts dropped because they are nearly another text.
    pub near_duplicates_dropped: usize,
    /// Texts whose words equal those of an earlier text with another label: nobody can get both right.
    pub conflicting_labels: usize,
}

/// Splits `1/part` of each stratum into dev and as much into test.
#[must_use]
pub fn split(examples: &[Example], part: usize, seed: u64) -> Split {
    let mut strata: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, e) in examples.iter().enumerate() {
        strata.entry(format!("{} {} {:?}", e.source, e.lang, e.gold)).or_default().push(i);
    }
    let mut rng = Rng::new(seed ^ 0x5B17);
    let (mut train, mut dev, mut test) = (Vec::new(), Vec::new(), Vec::new());
    // what small strata do not fill is carried over, so that the shares hold overall
    let mut carry = 0;
    for members in strata.values_mut() {
        rng.shuffle(members);
        carry += members.len();
        let take = (carry / part).min(members.len() / 2);
        carry -= take * part;
        test.extend_from_slice(&members[..take]);
        dev.extend_from_slice(&members[take..2 * take]);
        train.extend_from_slice(&members[2 * take..]);
    }
    train.sort_unstable();
    let mut seen = Seen::default();
    let mut leakage = Leakage::default();
    for &i in &train {
        seen.check(&examples[i], &mut leakage.conflicting_labels);
    }
    let mut keep = |part: &mut Vec<usize>| {
        part.sort_unstable();
        part.retain(|&i| match seen.check(&examples[i], &mut leakage.conflicting_labels) {
            Known::No => true,
            Known::Exactly => {
                leakage.exact_duplicates_dropped += 1;
                false
            }
            Known::Nearly => {
                leakage.near_duplicates_dropped += 1;
                false
            }
        });
    };
    keep(&mut dev);
    keep(&mut test);
    Split { train, dev, test, leakage }
}

enum Known {
    No,
    Exactly,
    Nearly,
}

#[derive(Default)]
struct Seen {
    sets: Vec<Vec<u64>>,
    exact: HashMap<Vec<u64>, usize>,
    gold: Vec<super::label_map::Gold>,
    bands: HashMap<(usize, u64), Vec<u32>>,
}

impl Seen {
    /// Whether the text is known; remembers it.
    fn check(&mut self, example: &Example, conflicts: &mut usize) -> Known {
        let text = words(&format!("{} {}", example.subject, example.body));
        let mut set: Vec<u64> = text.split(' ').filter(|w| !w.is_empty()).map(hash).collect();
        set.sort_unstable();
        set.dedup();
        if let Some(&other) = self.exact.get(&set) {
            let differs = |(a, b): (&Vec<u16>, &Vec<u16>)| !a.is_empty() && !b.is_empty() && a != b;
            *conflicts += usize::from(self.gold[other].iter().zip(&example.gold).any(differs));
            return Known::Exactly;
        }
        let signature = signature(&set);
        let id = self.sets.len();
        let mut near = false;
        for (band, &key) in signature.iter().enumerate() {
            let bucket = self.bands.entry((band, key)).or_default();
            near = near || bucket.iter().any(|&other| jaccard(&set, &self.sets[other as usize]) >= SIMILAR);
            bucket.push(id as u32);
        }
        self.exact.insert(set.clone(), id);
        self.sets.push(set);
        self.gold.push(example.gold.clone());
        if near { Known::Nearly } else { Known::No }
    }
}

fn hash(word: &str) -> u64 {
    word.bytes().fold(0xCBF2_9CE4_8422_2325, |h, b| mix(h ^ u64::from(b)))
}

fn signature(set: &[u64]) -> [u64; BANDS] {
    std::array::from_fn(|band| {
        (0..ROWS).fold(0, |key, row| {
            let salt = (band * ROWS + row + 1) as u64;
            let least = set.iter().map(|&h| mix(h ^ salt.wrapping_mul(0xA24B_AED4_963E_E407))).min();
            mix(key ^ least.unwrap_or(0))
        })
    })
}

fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                i += 1;
                j += 1;
            }
        }
    }
    let either = a.len() + b.len() - both;
    if either == 0 { 1.0 } else { both as f64 / either as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, label: u16) -> Example {
        Example {
            subject: String::new(),
            body: text.to_owned(),
            lang: "en".into(),
            gold: vec![vec![label], vec![], vec![], vec![]],
            source: "s".into(),
            weight: 1.0,
        }
    }

    fn distinct(n: usize) -> Vec<Example> {
        let mut rng = Rng::new(1);
        let word = |rng: &mut Rng| {
            format!("w{}", "abcdefghijklmnopqrstuvwxyz".chars().nth(rng.below(26)).unwrap())
                .repeat(1 + rng.below(9))
        };
        (0..n)
            .map(|i| example(&(0..12).map(|_| word(&mut rng)).collect::<Vec<_>>().join(" "), (i % 4) as u16))
            .collect()
    }

    #[test]
    fn shares_hold_within_every_label() {
        let examples = distinct(4000);
        let split = split(&examples, 10, 3);
        for label in 0..4 {
            let count = |part: &[usize]| part.iter().filter(|&&i| examples[i].gold[0] == [label]).count();
            assert!(count(&split.train).abs_diff(800) <= 1);
            assert!(count(&split.test) >= 95 && count(&split.dev) >= 95, "{}", count(&split.test));
        }
    }

    #[test]
    fn near_duplicates_do_not_cross_the_split() {
        let mut examples = distinct(1000);
        for i in 0..1000 {
            let near = format!("{} please", examples[i].body);
            let label = examples[i].gold[0][0];
            examples.push(example(&near, label));
        }
        let split = split(&examples, 10, 3);
        assert!(split.leakage.near_duplicates_dropped > 250, "{:?}", split.leakage);
        let key = |i: usize| i % 1000;
        let trained: std::collections::HashSet<_> = split.train.iter().map(|&i| key(i)).collect();
        let leaked = split.dev.iter().chain(&split.test).filter(|&&i| trained.contains(&key(i))).count();
        assert!(leaked <= 2, "{leaked} leaked");
    }

    #[test]
    fn the_same_words_with_another_label_are_a_conflict() {
        let mut examples = distinct(100);
        let again = example(&examples[0].body.to_uppercase(), 99);
        examples.push(again);
        assert_eq!(split(&examples, 10, 3).leakage.conflicting_labels, 1);
    }
}
