//! The folded view: the text as a reader sees it, without the characters that hide values from matchers.
//!
//! Full-width forms and foreign decimal digits become ASCII, unusual spaces and dashes become ` ` and `-`, and
//! characters without width are left out. Letters stay as they are, except Cyrillic and Greek look-alikes in a word
//! that has Latin letters as well (`аna@example.com` with a Cyrillic а), and mathematical ones. A map leads from each byte of the view to
//! its byte in the original, so that spans found on the view can be reported on the original. Most texts hold
//! none of these characters and are used as they are.

use std::borrow::Cow;

/// What a character turns into.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fold {
    Keep,
    Drop,
    To(u8),
}

/// Lead bytes of UTF-8 sequences that can hold a character which is not kept.
const FOLDABLE_LEAD: [bool; 256] = {
    let mut table = [false; 256];
    let leads =
        [0xC2, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD4, 0xD9, 0xDB, 0xE0, 0xE1, 0xE2, 0xE3, 0xEF, 0xF0];
    let mut i = 0;
    while i < leads.len() {
        table[leads[i]] = true;
        i += 1;
    }
    table
};

fn fold(c: char) -> Fold {
    let digit = |zero: u32| Fold::To(b'0' + (c as u32 - zero) as u8);
    match c {
        '\u{AD}' | '\u{34F}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' => Fold::Drop,
        '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' => Fold::Drop,
        '\u{A0}' | '\u{1680}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
            Fold::To(b' ')
        }
        '\u{2028}' | '\u{2029}' => Fold::To(b'\n'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{FE58}' | '\u{FE63}' => Fold::To(b'-'),
        '\u{2024}' | '\u{3002}' | '\u{FF61}' => Fold::To(b'.'),
        '\u{2236}' => Fold::To(b':'),
        '\u{2044}' | '\u{2215}' => Fold::To(b'/'),
        '\u{FE6B}' => Fold::To(b'@'),
        '\u{FF01}'..='\u{FF5E}' => Fold::To((c as u32 - 0xFF01) as u8 + b'!'),
        '\u{660}'..='\u{669}' => digit(0x660),
        '\u{6F0}'..='\u{6F9}' => digit(0x6F0),
        '\u{966}'..='\u{96F}' => digit(0x966),
        '\u{9E6}'..='\u{9EF}' => digit(0x9E6),
        '\u{E50}'..='\u{E59}' => digit(0xE50),
        '\u{2460}'..='\u{2468}' => Fold::To((c as u32 - 0x2460) as u8 + b'1'),
        '\u{24EA}' => Fold::To(b'0'),
        '\u{1D400}'..='\u{1D6A3}' => {
            let letter = ((c as u32 - 0x1D400) % 52) as u8;
            Fold::To(if letter < 26 { b'A' + letter } else { b'a' + letter - 26 })
        }
        '\u{1D7CE}'..='\u{1D7FF}' => Fold::To(b'0' + ((c as u32 - 0x1D7CE) % 10) as u8),
        _ => Fold::Keep,
    }
}

/// The Latin letter that a Cyrillic or Greek one looks like.
fn look_alike(c: char) -> Option<u8> {
    const PAIRS: &[(&str, &str)] = &[
        ("аеорсухіјѕһԁԛԝкмт", "aeopcyxijshdqwkmt"),
        ("АВЕКМНОРСТХІЈЅУ", "ABEKMHOPCTXIJSY"),
        ("οανικρτυχ", "oavikptux"),
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX"),
    ];
    PAIRS.iter().find_map(|(alike, latin)| {
        alike.chars().position(|a| a == c).and_then(|at| latin.as_bytes().get(at).copied())
    })
}

/// Folds the characters of one text in order, and knows of the word it is in whether it has Latin letters.
#[derive(Default)]
struct Folder {
    word_end: usize,
    is_latin: bool,
}

impl Folder {
    fn fold(&mut self, bytes: &[u8], at: usize, c: char) -> Fold {
        let folded = fold(c);
        if folded != Fold::Keep || !matches!(c, '\u{370}'..='\u{52F}') {
            return folded;
        }
        let Some(latin) = look_alike(c) else { return Fold::Keep };
        if at >= self.word_end {
            // A word is looked at once: the next look starts behind it.
            let is_space = |b: &u8| *b <= b' ';
            let start =
                self.word_end + bytes[self.word_end..at].iter().rposition(is_space).map_or(0, |at| at + 1);
            let end = at + bytes[at..].iter().position(is_space).unwrap_or(bytes.len() - at);
            self.is_latin = bytes[start..end].iter().any(u8::is_ascii_alphabetic);
            self.word_end = end;
        }
        if self.is_latin { Fold::To(latin) } else { Fold::Keep }
    }
}

/// Whether the text holds a character that the view would change.
pub(crate) fn is_needed(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut folder = Folder::default();
    while let Some(found) = bytes[at..].iter().position(|&b| FOLDABLE_LEAD[usize::from(b)]) {
        let start = at + found;
        // A lead byte starts a character, so that slicing here is sound.
        let c = text[start..].chars().next().unwrap_or('\0');
        if folder.fold(bytes, start, c) != Fold::Keep {
            return true;
        }
        at = start + c.len_utf8();
    }
    false
}

/// Writes the folded text to `view`, and for each of its bytes the offset of the original byte to `map`.
pub(crate) fn build(text: &str, view: &mut String, map: &mut Vec<u32>) {
    view.clear();
    map.clear();
    view.reserve(text.len());
    map.reserve(text.len());
    let bytes = text.as_bytes();
    let mut folder = Folder::default();
    let mut kept_from = 0;
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&b| FOLDABLE_LEAD[usize::from(b)]) {
        let start = at + found;
        let c = text[start..].chars().next().unwrap_or('\0');
        at = start + c.len_utf8();
        let folded = folder.fold(bytes, start, c);
        if folded == Fold::Keep {
            continue;
        }
        view.push_str(&text[kept_from..start]);
        map.extend(kept_from as u32..start as u32);
        if let Fold::To(byte) = folded {
            view.push(char::from(byte));
            map.push(start as u32);
        }
        kept_from = at;
    }
    view.push_str(&text[kept_from..]);
    map.extend(kept_from as u32..text.len() as u32);
}

/// The text as the view has it, where nobody asks for places.
pub(crate) fn folded(text: &str) -> Cow<'_, str> {
    if !is_needed(text) {
        return Cow::Borrowed(text);
    }
    let (mut view, mut map) = (String::new(), Vec::new());
    build(text, &mut view, &mut map);
    Cow::Owned(view)
}

/// The range in the original of the non-empty range `start..end` of the view.
pub(crate) fn to_original(text: &str, map: &[u32], start: u32, end: u32) -> (u32, u32) {
    let first = map[start as usize];
    let mut behind = map[end as usize - 1] as usize + 1;
    while !text.is_char_boundary(behind) {
        behind += 1;
    }
    (first, behind as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> (String, Vec<u32>) {
        let (mut view, mut map) = (String::new(), Vec::new());
        build(text, &mut view, &mut map);
        (view, map)
    }

    #[test]
    fn folds_what_hides_and_keeps_the_rest() {
        let (view, _) = folded("４１１１\u{200B}-1\u{A0}2–3 ü “q” ٤٢ 日本 ＠");
        assert_eq!(view, "4111-1 2-3 ü “q” 42 日本 @");
    }

    #[test]
    fn look_alikes_are_folded_in_latin_words_only() {
        let (view, _) = folded("аna@exаmple.com на почту Рarol 𝐚𝐛𝟏 ①②");
        assert_eq!(view, "ana@example.com на почту Parol ab1 12");
    }

    #[test]
    fn maps_back_to_whole_characters() {
        let text = "ä ４1\u{200B}é.";
        let (view, map) = folded(text);
        assert_eq!(view, "ä 41é.");
        let range = |from: &str| {
            let start = view.find(from).unwrap() as u32;
            let (s, e) = to_original(text, &map, start, start + from.len() as u32);
            &text[s as usize..e as usize]
        };
        assert_eq!(range("4"), "４");
        assert_eq!(range("41"), "４1");
        assert_eq!(range("1é"), "1\u{200B}é");
        assert_eq!(range("ä"), "ä");
    }

    #[test]
    fn is_needed_exactly_when_something_changes() {
        for text in ["plain", "Grüße, “quoted” … 10 €", "日本語。", "١٢", "a\u{A0}b", "😀", "한국어", "عربي"]
        {
            assert_eq!(is_needed(text), folded(text).0 != text, "{text}");
        }
    }
}
