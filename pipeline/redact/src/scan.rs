//! The byte scan: finds the digit groups, `@` and `:` at which the matchers for structured values start.

/// A maximal run of ASCII digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub start: u32,
    pub end: u32,
    /// What the bytes beside the run and its neighbours tell; see the constants.
    pub flags: u8,
}

/// A letter or underscore stands directly before the run.
pub(crate) const GLUED_LEFT: u8 = 1;
/// A letter or underscore stands directly behind the run.
pub(crate) const GLUED_RIGHT: u8 = 1 << 1;
/// Part of a date, a time or an amount: no part of a number to be dialled.
pub(crate) const NOT_A_NUMBER: u8 = 1 << 2;
/// Belongs to a finding already.
pub(crate) const TAKEN: u8 = 1 << 3;

impl Group {
    pub(crate) fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

const INTERESTING: [bool; 256] = {
    let mut table = [false; 256];
    let mut digit = b'0';
    while digit <= b'9' {
        table[digit as usize] = true;
        digit += 1;
    }
    table[b'@' as usize] = true;
    table[b':' as usize] = true;
    table
};

/// Positions at which matchers start, in order of appearance.
#[derive(Default)]
pub(crate) struct Triggers {
    pub groups: Vec<Group>,
    pub ats: Vec<u32>,
    pub colons: Vec<u32>,
}

impl Triggers {
    pub(crate) fn scan(&mut self, bytes: &[u8]) {
        self.groups.clear();
        self.ats.clear();
        self.colons.clear();
        let mut at = 0;
        while at < bytes.len() {
            // Prose is mostly letters and spaces: look at sixteen bytes at a time, which the compiler turns into
            // wide compares, and read a block byte by byte only if something is in it.
            while let Some(block) = bytes.get(at..at + 16) {
                let any =
                    block.iter().fold(false, |any, &b| any | (b.wrapping_sub(b'0') <= 10) | (b == b'@'));
                if any {
                    break;
                }
                at += 16;
            }
            let Some(found) = bytes[at..].iter().position(|&b| INTERESTING[usize::from(b)]) else { return };
            at += found;
            match bytes[at] {
                b'@' => self.ats.push(at as u32),
                b':' => self.colons.push(at as u32),
                _ => {
                    let start = at;
                    while at + 1 < bytes.len() && bytes[at + 1].is_ascii_digit() {
                        at += 1;
                    }
                    let glued = |b: Option<&u8>| b.is_some_and(|&b| b.is_ascii_alphabetic() || b == b'_');
                    let mut flags = 0;
                    if start > 0 && glued(bytes.get(start - 1)) {
                        flags |= GLUED_LEFT;
                    }
                    if glued(bytes.get(at + 1)) {
                        flags |= GLUED_RIGHT;
                    }
                    self.groups.push(Group { start: start as u32, end: at as u32 + 1, flags });
                }
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_trigger_wherever_it_stands_in_a_block() {
        for pad in 0..40 {
            let text = format!("{}a1 22:x333 @ {}4", "x ".repeat(pad), "y".repeat(pad));
            let mut triggers = Triggers::default();
            triggers.scan(text.as_bytes());
            let groups: Vec<_> =
                triggers.groups.iter().map(|g| &text[g.start as usize..g.end as usize]).collect();
            assert_eq!(groups, ["1", "22", "333", "4"], "{text}");
            assert!(triggers.groups[0].has(GLUED_LEFT) && !triggers.groups[1].has(GLUED_LEFT));
            assert_eq!(triggers.ats, [text.find('@').unwrap() as u32]);
            assert_eq!(triggers.colons, [text.find(':').unwrap() as u32]);
        }
    }
}
