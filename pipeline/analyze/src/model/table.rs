//! The weights as they are read: a row is one cache line, or several.
//!
//! A text reads some hundred rows that lie anywhere in a table larger than a core's cache. What a row costs is its
//! lines: one that straddles two costs two. Weights are kept as `weight + 128`, so that eight of them are added by two
//! additions of a `u64` (every other byte in lanes of 16 bits), which compilers turn into vectors on any processor.

/// Bytes of a cache line, and the words that it is.
const LINE: usize = 64;
const WORDS: usize = LINE / 8;

/// What is added to a weight to have it positive.
const BIAS: u8 = 0x80;

/// Rows summed before the lanes are emptied: 256 × 255 is the most that fits.
const BLOCK: usize = 256;

/// Every other byte of a word.
const EVEN: u64 = 0x00FF_00FF_00FF_00FF;

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([u64; WORDS]);

/// Rows of int8 weights.
pub(crate) struct Table {
    lines: Box<[Line]>,
    lines_per_row: usize,
    width: usize,
}

impl Table {
    /// A table of rows of `width` weights, given as `i8` in two's complement.
    pub fn new(weights: &[u8], width: usize) -> Self {
        let lines_per_row = width.div_ceil(LINE).max(1);
        let rows = weights.chunks_exact(width.max(1));
        let lines = rows.flat_map(|row| {
            (0..lines_per_row).map(move |line| {
                let mut bytes = [BIAS; LINE];
                let weights = &row[(line * LINE).min(row.len())..((line + 1) * LINE).min(row.len())];
                bytes.iter_mut().zip(weights).for_each(|(byte, weight)| *byte = weight ^ BIAS);
                let (words, _) = bytes.as_chunks::<8>();
                Line(std::array::from_fn(|word| u64::from_le_bytes(words[word])))
            })
        });
        Self { lines: lines.collect(), lines_per_row, width }
    }

    /// Weights in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds rows to `sums`, which has as many elements as a row.
    pub fn accumulate(&self, rows: &[u32], sums: &mut [i32]) {
        for block in rows.chunks(BLOCK) {
            for (line, sums) in sums.chunks_mut(LINE).enumerate() {
                match sums.len() {
                    0..=32 => self.block::<4>(block, line, sums),
                    33..=48 => self.block::<6>(block, line, sums),
                    _ => self.block::<WORDS>(block, line, sums),
                }
            }
        }
    }

    fn block<const W: usize>(&self, rows: &[u32], line: usize, sums: &mut [i32]) {
        let at = |row: u32| &self.lines[row as usize * self.lines_per_row + line].0;
        // A loop that only looks at each lets the processor fetch many at once; the one below is too long for it to look
        // that far ahead.
        std::hint::black_box(rows.iter().fold(0, |seen, &row| seen ^ at(row)[0]));
        let (mut even, mut odd) = ([0u64; W], [0u64; W]);
        for &row in rows {
            let words = at(row);
            for word in 0..W {
                even[word] = even[word].wrapping_add(words[word] & EVEN);
                odd[word] = odd[word].wrapping_add((words[word] >> 8) & EVEN);
            }
        }
        let bias = i32::from(BIAS) * rows.len() as i32;
        for (sums, (even, odd)) in sums.chunks_mut(8).zip(even.iter().zip(odd)) {
            let lanes: [i32; 8] = std::array::from_fn(|byte| {
                let lanes = if byte % 2 == 0 { *even } else { odd };
                i32::from((lanes >> (byte / 2 * 16)) as u16) - bias
            });
            sums.iter_mut().zip(lanes).for_each(|(sum, lane)| *sum += lane);
        }
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("rows", &(self.lines.len() / self.lines_per_row))
            .field("width", &self.width)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plainly(weights: &[u8], width: usize, rows: &[u32]) -> Vec<i32> {
        let mut sums = vec![0; width];
        for &row in rows {
            let weights = &weights[row as usize * width..][..width];
            sums.iter_mut().zip(weights).for_each(|(sum, &weight)| *sum += i32::from(weight as i8));
        }
        sums
    }

    proptest! {
        #[test]
        fn sums_are_those_of_plain_addition(width in 1_usize..200, weights in prop::collection::vec(any::<u8>(), 200 * 16), rows in prop::collection::vec(0_u32..16, 0..700)) {
            let weights = &weights[..width * 16];
            let mut sums = vec![0; width];
            Table::new(weights, width).accumulate(&rows, &mut sums);
            prop_assert_eq!(sums, plainly(weights, width, &rows));
        }
    }

    #[test]
    fn extreme_weights_do_not_overflow() {
        for extreme in [i8::MAX, i8::MIN] {
            let table = Table::new(&[extreme as u8; 48], 48);
            let mut sums = vec![0; 48];
            table.accumulate(&vec![0; 10_000], &mut sums);
            assert_eq!(sums, vec![i32::from(extreme) * 10_000; 48]);
        }
    }
}
