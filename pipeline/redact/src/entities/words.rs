//! What is known about single words: one hash table over all languages, read in place from the model file.
//!
//! A slot holds 18 bits of a word's hash and 14 bits of knowledge, so that some 200,000 words take 1 MiB and a look-up
//! touches one cache line. The words themselves are not in it. About one unknown word in 10,000 is taken for
//! another, which the tagger has to live with.

/// Flags and classes of a word. Some serve the training only.
#[cfg_attr(
    not(feature = "train"),
    allow(dead_code, reason = "they are indexes into tables that the training fills")
)]
pub(crate) mod flag {
    pub(crate) const FIRST: u16 = 1;
    pub(crate) const LAST: u16 = 1 << 1;
    /// Part of the name of a city.
    pub(crate) const PLACE: u16 = 1 << 2;
    /// Part of the name of a country, state or province.
    pub(crate) const COUNTRY: u16 = 1 << 3;
    /// `Ltd`, `GmbH`, `Inc`.
    pub(crate) const COMPANY: u16 = 1 << 4;
    /// `Street`, `Straße`, `rue`, `Apt`.
    pub(crate) const STREET: u16 = 1 << 5;
    /// A word that is mostly no name.
    pub(crate) const COMMON: u16 = 1 << 6;
    /// One of the most frequent words.
    pub(crate) const FREQUENT: u16 = 1 << 7;
    pub(crate) const NAME: u16 = FIRST | LAST | PLACE | COUNTRY;

    /// Where the class begins.
    pub(crate) const CLASS_SHIFT: u16 = 8;
    pub(crate) const CLASS_MASK: u16 = 0xF << CLASS_SHIFT;
    pub(crate) const TITLE: u16 = 1 << CLASS_SHIFT;
    pub(crate) const GREETING: u16 = 2 << CLASS_SHIFT;
    pub(crate) const CLOSING: u16 = 3 << CLASS_SHIFT;
    /// `name`, `called`, `heiße`.
    pub(crate) const NAMED: u16 = 4 << CLASS_SHIFT;
    /// `live`, `moved`, `wohne`.
    pub(crate) const LIVES: u16 = 5 << CLASS_SHIFT;
    /// `address`, `ship`, `deliver`.
    pub(crate) const ADDRESS: u16 = 6 << CLASS_SHIFT;
    /// Weekdays and months.
    pub(crate) const DATE: u16 = 7 << CLASS_SHIFT;
    /// `said`, `speak`, `contact`, `asked`.
    pub(crate) const SPEAKS: u16 = 8 << CLASS_SHIFT;
    /// `company`, `firm`, `employer`, `bank`.
    pub(crate) const FIRM: u16 = 9 << CLASS_SHIFT;
    /// `in`, `from`, `to`, `nach`.
    pub(crate) const PLACED: u16 = 10 << CLASS_SHIFT;
    /// `wife`, `boss`, `colleague`.
    pub(crate) const RELATION: u16 = 11 << CLASS_SHIFT;
    /// `van`, `de`, `von`.
    pub(crate) const PARTICLE: u16 = 12 << CLASS_SHIFT;
    /// Software, devices and brands that are written like names.
    pub(crate) const PRODUCT: u16 = 13 << CLASS_SHIFT;
    /// Nationalities and languages.
    pub(crate) const NATION: u16 = 14 << CLASS_SHIFT;
}

const VALUE_BITS: u32 = 14;
const PRINT_MASK: u32 = (1 << (32 - VALUE_BITS)) - 1;
/// Longest run of taken slots that is looked at; the builder keeps to it.
const PROBES: usize = 32;

/// Hashes a word byte by byte, without case.
#[derive(Clone, Copy)]
pub(crate) struct Hasher(u64);

impl Hasher {
    pub(crate) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    /// `byte` is lower case already.
    #[inline(always)]
    pub(crate) const fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
    }

    pub(crate) fn push_char(&mut self, c: char) {
        let mut buffer = [0; 4];
        for c in c.to_lowercase() {
            for byte in c.encode_utf8(&mut buffer).bytes() {
                self.push(byte);
            }
        }
    }

    #[inline(always)]
    pub(crate) const fn finish(self) -> u64 {
        let h = (self.0 ^ (self.0 >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        h ^ (h >> 32)
    }

    /// Of a whole word.
    pub(crate) fn of(word: &str) -> u64 {
        let mut hasher = Self::new();
        word.chars().for_each(|c| hasher.push_char(c));
        hasher.finish()
    }
}

/// The table, as it stands in the model file.
#[derive(Clone, Default)]
pub(crate) struct Words {
    slots: std::borrow::Cow<'static, [u8]>,
    shift: u32,
}

impl Words {
    /// `slots` holds a power of two of little-endian 32-bit slots; nothing otherwise.
    pub(crate) fn new(slots: std::borrow::Cow<'static, [u8]>) -> Option<Self> {
        let count = slots.len() / 4;
        let fits = slots.len().is_multiple_of(4) && count.is_power_of_two() && count >= PROBES;
        fits.then(|| Self { slots, shift: 64 - count.trailing_zeros() })
    }

    /// What is known about the word with this hash, 0 if nothing.
    #[inline(always)]
    pub(crate) fn get(&self, key: u64) -> u16 {
        if self.slots.is_empty() {
            return 0;
        }
        let count = self.slots.len() / 4;
        let first = (key >> self.shift) as usize;
        for probe in 0..PROBES {
            let at = ((first + probe) & (count - 1)) * 4;
            let slot = match self.slots.get(at..at + 4) {
                Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
                _ => 0,
            };
            if slot == 0 {
                return 0;
            }
            if slot & PRINT_MASK == key as u32 & PRINT_MASK {
                return (slot >> (32 - VALUE_BITS)) as u16;
            }
        }
        0
    }

    #[cfg(feature = "train")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.slots
    }

    /// Builds a table; values are not 0 and fit 14 bits. Words that find no slot are left out.
    #[cfg(any(test, feature = "train"))]
    pub(crate) fn build(entries: &std::collections::BTreeMap<u64, u16>) -> Self {
        let count = (entries.len() * 5 / 4).next_power_of_two().max(PROBES);
        let shift = 64 - count.trailing_zeros();
        let mut slots = vec![0_u32; count];
        for (&key, &value) in entries {
            let first = (key >> shift) as usize;
            let free = (0..PROBES).map(|p| (first + p) & (count - 1)).find(|&at| slots[at] == 0);
            if let Some(at) = free {
                slots[at] = (u32::from(value) << (32 - VALUE_BITS)) | (key as u32 & PRINT_MASK);
            }
        }
        let slots: Vec<u8> = slots.into_iter().flat_map(u32::to_le_bytes).collect();
        Self { slots: slots.into(), shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_put_in() {
        let words: Vec<String> = (0..5000).map(|i| format!("wört{i}")).collect();
        let entries = words.iter().enumerate().map(|(i, w)| (Hasher::of(w), (i % 200 + 1) as u16)).collect();
        let table = Words::build(&entries);
        for (i, word) in words.iter().enumerate() {
            assert_eq!(table.get(Hasher::of(&word.to_uppercase())), (i % 200 + 1) as u16, "{word}");
        }
        let wrong = (0..5000).filter(|i| table.get(Hasher::of(&format!("other{i}"))) != 0).count();
        assert!(wrong < 5, "{wrong}");
    }
}
