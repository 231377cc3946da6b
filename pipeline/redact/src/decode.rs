//! Escapes and marks that stand between a value and its reader: HTML entities and tags, quoted-printable, percent and
//! backslash escapes, emphasis of Markdown. The decoded text is read beside the original one, since what looks like an
//! escape may as well be part of a value.

/// What stands for an escape in the decoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Drop,
    To(char),
}

/// No escape is longer: a tag with its attributes.
const TAG_MAX: usize = 80;

const OPENS: [bool; 256] = {
    let mut table = [false; 256];
    let opening = b"&=%\\*`~<_";
    let mut i = 0;
    while i < opening.len() {
        table[opening[i] as usize] = true;
        i += 1;
    }
    table
};

const NAMED: &[(&str, char)] = &[
    ("commat", '@'),
    ("period", '.'),
    ("colon", ':'),
    ("sol", '/'),
    ("lowbar", '_'),
    ("hyphen", '-'),
    ("dash", '-'),
    ("nbsp", ' '),
    ("ensp", ' '),
    ("emsp", ' '),
    ("thinsp", ' '),
    ("amp", '&'),
    ("num", '#'),
    ("plus", '+'),
    ("lpar", '('),
    ("rpar", ')'),
    ("quot", '"'),
    ("apos", '\''),
    ("equals", '='),
    ("lt", '<'),
    ("gt", '>'),
];
/// Entities without width.
const NOTHING: &[&str] = &["shy", "zwnj", "zwj"];

/// Tags that a value may be broken by, and whether they are read as a space.
const TAGS: &[(&str, bool)] = &[
    ("b", false),
    ("i", false),
    ("u", false),
    ("em", false),
    ("strong", false),
    ("span", false),
    ("wbr", false),
    ("font", false),
    ("code", false),
    ("mark", false),
    ("small", false),
    ("br", true),
    ("div", true),
    ("p", true),
    ("td", true),
    ("tr", true),
    ("li", true),
];

fn hex(bytes: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(text, 16).ok()
}

/// Reads the escape at `at`: its length and what it stands for.
fn piece(bytes: &[u8], at: usize) -> Option<(usize, Piece)> {
    let rest = &bytes[at..];
    match rest[0] {
        b'&' => entity(rest),
        b'=' if rest.starts_with(b"=\r\n") => Some((3, Piece::Drop)),
        b'=' if rest.starts_with(b"=\n") => Some((2, Piece::Drop)),
        mark @ (b'=' | b'%') => quoted(rest, mark),
        b'\\' => backslash(rest),
        b'<' => tag(rest),
        mark => emphasis(bytes, at, mark),
    }
}

/// `&#64;`, `&#x40;`, `&commat;`
fn entity(rest: &[u8]) -> Option<(usize, Piece)> {
    let end = rest.iter().take(12).position(|&b| b == b';')?;
    let name = &rest[1..end];
    let code = match name {
        [b'#', b'x' | b'X', digits @ ..] => Some(hex(digits)?),
        [b'#', digits @ ..] => Some(std::str::from_utf8(digits).ok()?.parse().ok()?),
        _ => None,
    };
    let piece = match code {
        Some(code) => {
            let c = char::from_u32(code)?;
            // Characters without width are left out, as the folded view does it.
            if c.is_control() && !matches!(c, '\n' | '\t') || matches!(c, '\u{AD}' | '\u{200B}'..='\u{200F}')
            {
                Piece::Drop
            } else {
                Piece::To(if c == '\u{A0}' { ' ' } else { c })
            }
        }
        None if NOTHING.iter().any(|known| known.as_bytes() == name) => Piece::Drop,
        None => Piece::To(NAMED.iter().find(|(known, _)| known.as_bytes() == name)?.1),
    };
    Some((end + 1, piece))
}

/// `=40`, `%40`, `=C3=BC`. Letters and digits are never quoted: `id=4155` is no escape.
fn quoted(rest: &[u8], mark: u8) -> Option<(usize, Piece)> {
    let byte = |at: usize| -> Option<u8> {
        let digits = rest.get(at + 1..at + 3).filter(|_| rest.get(at) == Some(&mark))?;
        if mark == b'=' && digits.iter().any(u8::is_ascii_lowercase) {
            return None;
        }
        u8::try_from(hex(digits)?).ok()
    };
    let first = byte(0)?;
    let len = match first {
        b' '..=b'~' if !first.is_ascii_alphanumeric() => return Some((3, Piece::To(char::from(first)))),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    let mut sequence = [first; 4];
    for (i, to) in sequence.iter_mut().enumerate().take(len) {
        *to = byte(i * 3)?;
    }
    let c = std::str::from_utf8(&sequence[..len]).ok()?.chars().next()?;
    Some((len * 3, Piece::To(if c == '\u{A0}' { ' ' } else { c })))
}

/// `\@`, `\_`, `\u0040`
fn backslash(rest: &[u8]) -> Option<(usize, Piece)> {
    match rest.get(1)? {
        b'u' => {
            let c = char::from_u32(hex(rest.get(2..6)?)?).filter(|c| !c.is_control())?;
            Some((6, Piece::To(c)))
        }
        b'@' | b'.' | b'_' | b'-' | b'+' | b'*' | b'/' | b'#' | b'(' | b')' => Some((1, Piece::Drop)),
        _ => None,
    }
}

/// `<b>`, `</span>`, `<br/>`
fn tag(rest: &[u8]) -> Option<(usize, Piece)> {
    let name_at = if rest.get(1) == Some(&b'/') { 2 } else { 1 };
    let name_end = name_at + rest[name_at..].iter().take(8).take_while(|b| b.is_ascii_alphabetic()).count();
    let name = &rest[name_at..name_end];
    let &(_, spaced) = TAGS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))?;
    let close = rest.iter().take(TAG_MAX).position(|&b| b == b'>')?;
    let attributes = matches!(rest[name_end], b' ' | b'/' | b'>') && !rest[name_end..close].contains(&b'<');
    attributes.then_some((close + 1, if spaced { Piece::To(' ') } else { Piece::Drop }))
}

/// A run of `*`, `` ` ``, `~` or `_` at a digit or a mark of an address; a single one between letters or digits is
/// part of them.
fn emphasis(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, Piece)> {
    let len = bytes[at..].iter().take(4).take_while(|&&b| b == mark).count();
    let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
    let behind = bytes.get(at + len).copied().unwrap_or(b' ');
    let is_value = |b: u8| b.is_ascii_digit() || matches!(b, b'@' | b'.' | b'-' | b'+');
    let inside = before.is_ascii_alphanumeric() && behind.is_ascii_alphanumeric();
    let emphasises = match mark {
        b'_' => {
            let in_word = before.is_ascii_alphabetic() || behind.is_ascii_alphabetic() || inside && len == 1;
            !in_word || before == b'@' || len == 2 && inside
        }

        _ => !(inside && len == 1),
    };
    let open = |b: u8| b != mark;
    (emphasises && len <= 3 && open(before) && open(behind) && (is_value(before) || is_value(behind)))
        .then_some((len, Piece::Drop))
}

/// Whether the text holds an escape.
pub(crate) fn is_needed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let holds = |at: usize| piece(bytes, at).is_some();
    memchr::memchr3_iter(b'&', b'=', b'%', bytes).any(holds)
        || memchr::memchr3_iter(b'\\', b'*', b'`', bytes).any(holds)
        || memchr::memchr3_iter(b'<', b'~', b'_', bytes).any(holds)
}

/// Leads from the decoded text to the original.
pub(crate) struct Map {
    /// For each byte of the decoded text the first original byte that it stands for, and the end of them.
    ranges: Vec<(u32, u32)>,
}

impl Map {
    /// The range in the original of the non-empty range `start..end` of the decoded text.
    pub(crate) fn to_original(&self, start: u32, end: u32) -> (u32, u32) {
        (self.ranges[start as usize].0, self.ranges[end as usize - 1].1)
    }
}

/// The decoded text, and the way back.
pub(crate) fn build(text: &str) -> (String, Map) {
    let bytes = text.as_bytes();
    let mut decoded = String::with_capacity(text.len());
    let mut ranges = Vec::with_capacity(text.len());
    let keep = |decoded: &mut String, ranges: &mut Vec<(u32, u32)>, from: usize, to: usize| {
        decoded.push_str(&text[from..to]);
        for c in text[from..to].char_indices() {
            let start = (from + c.0) as u32;
            let end = start + c.1.len_utf8() as u32;
            ranges.extend(std::iter::repeat_n((start, end), c.1.len_utf8()));
        }
    };
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = bytes[at..].iter().position(|&b| OPENS[usize::from(b)]) {
        let start = at + found;
        let Some((len, piece)) = piece(bytes, start) else {
            at = start + 1;
            continue;
        };
        keep(&mut decoded, &mut ranges, kept, start);
        if let Piece::To(c) = piece {
            decoded.push(c);
            ranges.extend(std::iter::repeat_n((start as u32, (start + len) as u32), c.len_utf8()));
        }
        at = start + len;
        kept = at;
    }
    keep(&mut decoded, &mut ranges, kept, bytes.len());
    (decoded, Map { ranges })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_reader_would_see() {
        for (text, seen) in [
            ("ana&#64;example&period;com", "ana@example.com"),
            ("ana&#x40;example&#46;com", "ana@example.com"),
            ("ana=40example.com =C3=BC 41=\n11", "ana@example.com ü 4111"),
            ("mail=ana%40example.com", "mail=ana@example.com"),
            ("ana\\_b\\@example\\.com \\u0040", "ana_b@example.com @"),
            ("ana**@**example.com", "ana@example.com"),
            ("**4111** `1111` *1111* 1<b>11</b>1", "4111 1111 1111 1111"),
            ("4111<br/>1111", "4111 1111"),
        ] {
            assert!(is_needed(text), "{text}");
            assert_eq!(build(text).0, seen);
        }
        for text in [
            "2*3 = 6",
            "a & b",
            "5 < 7",
            "100% sure",
            "C:\\temp",
            "snake_case_2",
            "**Note**",
            "<ana@example.com>",
            "id=4155",
        ] {
            assert!(!is_needed(text), "{text}");
        }
    }

    #[test]
    fn maps_back_to_whole_escapes() {
        let text = "x ana&#64;b&#252;ro.de y";
        let (decoded, map) = build(text);
        let start = decoded.find("ana").unwrap() as u32;
        let end = decoded.find(" y").unwrap() as u32;
        let (s, e) = map.to_original(start, end);
        assert_eq!(&text[s as usize..e as usize], "ana&#64;b&#252;ro.de");
        let (s, e) = map.to_original(start + 3, start + 4);
        assert_eq!(&text[s as usize..e as usize], "&#64;");
    }
}
