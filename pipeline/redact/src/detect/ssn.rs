//! United States social security numbers: 3-2-4 digits in the ranges that the Social Security Administration
//! has issued from (no area 000, 666 or 900 to 999, no group 00, no serial 0000); and individual taxpayer numbers,
//! which look the same and begin with 9.

use super::ids::us_itin;
use super::numbers::{TIGHT, UNUSABLE, digits, starts_chain};
use super::{Sink, names};
use crate::context::Context;
use crate::finding::Detector;
use crate::lexicon::Word;
use crate::scan::{Group, TAKEN};

pub(super) fn find(context: Context<'_>, cluster: &mut [Group], sink: &mut Sink<'_>) {
    for i in 0..cluster.len() {
        if !starts_chain(cluster, i) {
            continue;
        }
        let size = match cluster[i].len() {
            9 => 1,
            3 if i + 3 <= cluster.len() && cluster[i + 1].len() == 2 && cluster[i + 2].len() == 4 => 3,
            _ => continue,
        };
        let window = &mut cluster[i..i + size];
        if window.iter().any(|group| group.has(UNUSABLE)) || window[size - 1].has(TIGHT) {
            continue;
        }
        let Some((detector, score)) = judge(context, window) else { continue };
        let (start, end) = (window[0].start as usize, window[size - 1].end as usize);
        if sink.push(start, end, detector, score) {
            window.iter_mut().for_each(|group| group.flags |= TAKEN);
        }
    }
}

fn judge(context: Context<'_>, window: &[Group]) -> Option<(Detector, f32)> {
    let mut buffer = [0; 9];
    let digits = digits(context.bytes, window, &mut buffer)?;
    let issued = digits[0] != b'9'
        && !matches!(&digits[..3], b"000" | b"666")
        && &digits[3..5] != b"00"
        && &digits[5..] != b"0000";
    let detector = match (issued, us_itin(digits)) {
        (true, _) => names::US_SSN,
        (false, true) => names::US_ITIN,
        (false, false) => return None,
    };
    let start = window[0].start as usize;
    if context.has_before(start, Word::Ssn) {
        return Some((detector, 0.95));
    }
    let dashed = window.len() == 3
        && window[..2].iter().all(|group| group.has(TIGHT) && context.bytes[group.end as usize] == b'-');
    let is_other = matches!(context.label(start, |_| false), Some(Word::Reference | Word::Phone));
    (dashed && !is_other).then_some((detector, 0.75))
}
