//! How people type: letter case and slips, with the entities kept in place.

use super::data::Example;
use super::generate::Random;

/// What happens to the letter case of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// all in small letters
    Lower,
    /// ALL IN CAPITALS
    Upper,
    /// Each Word With A Capital
    Title,
    /// Names are written small in a text that has capitals, wholly or behind their first word.
    Names,
    /// No capital at the beginning of sentences, names keep theirs.
    Starts,
}

impl Slip {
    pub(super) fn any(random: &mut Random) -> Self {
        match random.below(20) {
            0..=9 => Self::Lower,
            10..=11 => Self::Upper,
            12 => Self::Title,
            13..=16 => Self::Names,
            _ => Self::Starts,
        }
    }
}

/// A generated sentence as somebody types it.
pub(super) fn typed(example: &mut Example, random: &mut Random) {
    if random.chance(0.4) {
        slipped(example, Slip::any(random), random);
    }
    if random.chance(0.1) {
        spaced(example);
    }
}

/// Changes the letter case.
pub(super) fn slipped(example: &mut Example, slip: Slip, random: &mut Random) {
    let small: Vec<(u32, u32)> = if slip == Slip::Names {
        let names = example.entities.iter();
        names
            .filter_map(|&(start, end, _)| {
                let name = &example.text[start as usize..end as usize];
                let from = if random.chance(0.3) { name.find(' ')? as u32 } else { 0 };
                Some((start + from, end))
            })
            .collect()
    } else {
        Vec::new()
    };
    let named: Vec<(u32, u32)> = example.entities.iter().map(|e| (e.0, e.1)).collect();
    let inside = |ranges: &[(u32, u32)], at: usize| ranges.iter().any(|r| (r.0..r.1).contains(&(at as u32)));
    let (mut begins, mut word) = (true, false);
    rewritten(example, |at, c, text| {
        let lower = match slip {
            Slip::Lower => true,
            Slip::Upper | Slip::Title => false,
            Slip::Names => inside(&small, at),
            Slip::Starts => begins && !inside(&named, at),
        };
        if lower {
            text.extend(c.to_lowercase());
        } else if slip == Slip::Upper || (slip == Slip::Title && !word) {
            text.extend(c.to_uppercase());
        } else {
            text.push(c);
        }
        word = c.is_alphanumeric() || c == '\'';
        begins = matches!(c, '.' | '!' | '?' | '\n') || (begins && !c.is_alphanumeric());
    });
}

/// Marks stand apart, as in text that a program has cut into words.
fn spaced(example: &mut Example) {
    let mut last = ' ';
    rewritten(example, |_, c, text| {
        let mark = |c: char| c.is_ascii_punctuation() && c != '_';
        if (mark(c) && !last.is_whitespace()) || (mark(last) && !c.is_whitespace()) {
            text.push(' ');
        }
        text.push(c);
        last = c;
    });
}

/// Writes the text anew, character by character; entities move with their texts.
fn rewritten(example: &mut Example, mut write: impl FnMut(usize, char, &mut String)) {
    let old = std::mem::take(&mut example.text);
    let mut text = String::with_capacity(old.len());
    // Where each byte begins and ends in the new text: what is put before a character is no part of it.
    let (mut begins, mut ends) = (Vec::with_capacity(old.len() + 1), Vec::with_capacity(old.len() + 1));
    for (at, c) in old.char_indices() {
        ends.resize(at + 1, text.len() as u32);
        let before = text.len();
        write(at, c, &mut text);
        let put_before = text[before..].len() - text[before..].trim_start_matches(' ').len();
        begins.resize(at + 1, (before + put_before) as u32);
    }
    begins.resize(old.len() + 1, text.len() as u32);
    ends.resize(old.len() + 1, text.len() as u32);
    for (start, end) in example.ranges() {
        (*start, *end) = (begins[*start as usize], ends[*end as usize]);
    }
    example.text = text;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Example {
        let text = "Öl? Ask Ana da Silva, or Ümit.".to_owned();
        let at = |part: &str| text.find(part).map(|i| (i as u32, (i + part.len()) as u32)).unwrap();
        let ((a, b), (c, d)) = (at("Ana da Silva"), at("Ümit"));
        Example { entities: vec![(a, b, 0)], maybe: vec![(c, d, 0)], text, ..Example::default() }
    }

    fn named(example: &Example) -> [&str; 2] {
        [example.entities[0], example.maybe[0]].map(|(from, to, _)| &example.text[from as usize..to as usize])
    }

    #[test]
    fn names_stay_where_they_are_however_they_are_typed() {
        let mut random = Random::new(1);
        for slip in [Slip::Lower, Slip::Upper, Slip::Title, Slip::Names, Slip::Starts] {
            let mut changed = example();
            slipped(&mut changed, slip, &mut random);
            let whole = named(&changed).map(str::to_lowercase);
            assert_eq!(whole, ["ana da silva", "ümit"], "{slip:?}");
            spaced(&mut changed);
            assert_eq!(named(&changed).map(str::to_lowercase), whole, "{slip:?}, spaced: {}", changed.text);
        }
    }

    #[test]
    fn each_slip_does_what_it_says() {
        let typed = |slip| {
            let mut changed = example();
            slipped(&mut changed, slip, &mut Random::new(3));
            changed.text
        };
        assert_eq!(typed(Slip::Lower), "öl? ask ana da silva, or ümit.");
        assert_eq!(typed(Slip::Upper), "ÖL? ASK ANA DA SILVA, OR ÜMIT.");
        assert_eq!(typed(Slip::Title), "Öl? Ask Ana Da Silva, Or Ümit.");
        assert!(typed(Slip::Names).starts_with("Öl? Ask ") && !typed(Slip::Names).contains("Silva"));
        assert_eq!(typed(Slip::Starts), "öl? ask Ana da Silva, or Ümit.");
        let mut apart = example();
        spaced(&mut apart);
        assert_eq!(apart.text, "Öl ? Ask Ana da Silva , or Ümit .");
    }
}
