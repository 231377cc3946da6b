//! Sentences of tickets with made-up people, companies and addresses.

use std::collections::BTreeMap;

use super::super::words::{Hasher, flag};
use super::TrainError;
use super::data::Example;

/// A small reproducible generator (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, p: f64) -> bool {
        ((self.next() >> 11) as f64) < p * (1_u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// Name lists by kind and language.
pub(crate) struct Lists(BTreeMap<(String, String), Vec<String>>);

impl Lists {
    pub(super) fn read(content: &str) -> Result<Self, TrainError> {
        let mut lists = BTreeMap::new();
        for line in content.lines() {
            let mut fields = line.splitn(3, '\t');
            if let (Some(kind), Some(lang), Some(names)) = (fields.next(), fields.next(), fields.next()) {
                lists.insert(
                    (kind.to_owned(), lang.to_owned()),
                    names.split('|').map(str::to_owned).collect(),
                );
            }
        }
        let lists = Self(lists);
        for kind in ["first", "last", "city", "country", "street", "street_word", "company_suffix"] {
            for lang in ["en", "xx"] {
                if lists.get(kind, lang).is_empty() && kind != "street_word" {
                    return Err(TrainError::Gazetteer(kind));
                }
            }
        }
        Ok(lists)
    }

    fn get(&self, kind: &str, lang: &str) -> &[String] {
        self.0.get(&(kind.to_owned(), lang.to_owned())).map_or(&[], Vec::as_slice)
    }

    fn pick<'a>(&'a self, kind: &str, lang: &str, own: f64, random: &mut Random) -> &'a str {
        let mut list = self.get(kind, if random.chance(own) { lang } else { "xx" });
        if list.is_empty() {
            list = self.get(kind, "en");
        }
        &list[random.below(list.len())]
    }

    /// What the lists say about words.
    pub(super) fn flags(&self) -> BTreeMap<u64, u16> {
        let mut flags: BTreeMap<u64, u16> = BTreeMap::new();
        for ((kind, _), names) in &self.0 {
            let (bits, least) = match kind.as_str() {
                "first" => (flag::FIRST, 2),
                "last" => (flag::LAST, 2),
                "city" => (flag::PLACE, 3),
                "country" | "region" => (flag::COUNTRY, 3),
                "company_suffix" => (flag::COMPANY, 2),
                "street_word" => (flag::STREET, 2),
                "word" => (flag::COMMON, 1),
                "word1" => (flag::COMMON | flag::FREQUENT, 1),
                _ => continue,
            };
            for name in names {
                for word in name.split(|c: char| !c.is_alphanumeric()).filter(|w| w.chars().count() >= least)
                {
                    *flags.entry(Hasher::of(word)).or_default() |= bits;
                    let plain: String = word.chars().map(plain).collect();
                    *flags.entry(Hasher::of(&plain)).or_default() |= bits;
                }
            }
        }
        for word in [
            "apt",
            "suite",
            "unit",
            "box",
            "floor",
            "apartment",
            "street",
            "st",
            "rd",
            "ave",
            "straße",
            "strasse",
            "str",
            "rua",
            "rue",
            "calle",
            "via",
            "avenida",
            "platz",
            "weg",
            "gasse",
            "flat",
            "lane",
            "drive",
        ] {
            *flags.entry(Hasher::of(word)).or_default() |= flag::STREET;
        }
        flags
    }
}

/// A letter without its accent, as people type it.
fn plain(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' | 'ě' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => 'o',
        'ú' | 'ù' | 'û' | 'ü' | 'ű' => 'u',
        'ç' | 'č' | 'ć' => 'c',
        'ñ' | 'ń' => 'n',
        'š' | 'ś' => 's',
        'ž' | 'ź' | 'ż' => 'z',
        'ł' => 'l',
        'ý' => 'y',
        'ř' => 'r',
        c => c,
    }
}

struct Templates {
    lang: &'static str,
    lines: Vec<&'static str>,
    plain: Vec<&'static str>,
}

pub(super) fn examples(lists: &Lists, count: usize, random: &mut Random) -> Vec<Example> {
    let mut sets: Vec<Templates> = Vec::new();
    for line in include_str!("templates.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        // `@en` begins a language, `@{F}` is a sentence.
        if let Some(lang) = line.strip_prefix('@').filter(|l| l.len() == 2) {
            sets.push(Templates { lang, lines: Vec::new(), plain: Vec::new() });
        } else if let Some(set) = sets.last_mut() {
            match line.strip_prefix("- ") {
                Some(plain) => set.plain.push(plain),
                None => set.lines.push(line),
            }
        }
    }
    (0..count)
        .map(|_| {
            let weights = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 6];
            let set = &sets[*random.pick(&weights)];
            let mut example = Example {
                text: String::new(),
                lang: set.lang.to_owned(),
                entities: Vec::new(),
                covered: Vec::new(),
                group: None,
            };
            for part in 0..=random.below(4) {
                if part > 0 {
                    example.text.push_str(if random.chance(0.4) { "\n" } else { " " });
                }
                let lines = if random.chance(0.35) { &set.plain } else { &set.lines };
                let template = lines[random.below(lines.len())];
                fill(template, set.lang, lists, random, &mut example);
            }
            recase(&mut example, random);
            example
        })
        .collect()
}

fn fill(template: &str, lang: &str, lists: &Lists, random: &mut Random, example: &mut Example) {
    let mut rest = template;
    while let Some(open) = rest.find(['{', '\\']) {
        example.text.push_str(&rest[..open]);
        if rest[open..].starts_with("\\n") {
            example.text.push('\n');
            rest = &rest[open + 2..];
            continue;
        }
        let slot = rest[open..].chars().nth(1).unwrap_or_default();
        rest = rest.get(open + 3..).unwrap_or_default();
        let (value, kind) = value(slot, lang, lists, random);
        let start = example.text.len() as u32;
        example.text.push_str(&value);
        if let Some(kind) = kind {
            example.entities.push((start, example.text.len() as u32, kind));
        }
    }
    example.text.push_str(rest);
}

fn value(slot: char, lang: &str, lists: &Lists, random: &mut Random) -> (String, Option<u8>) {
    let first = |random: &mut Random| lists.pick("first", lang, 0.6, random).to_owned();
    let last = |random: &mut Random| lists.pick("last", lang, 0.5, random).to_owned();
    let digits = |n: usize, random: &mut Random| -> String {
        (0..n).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
    };
    match slot {
        'F' => (first(random), Some(0)),
        'L' => (last(random), Some(0)),
        'P' => {
            let (f, l) = (first(random), last(random));
            let name = match random.below(12) {
                0 => f,
                1 => format!("{f} {}. {l}", char::from(b'A' + random.below(26) as u8)),
                2 => format!("{f} {} {l}", char::from(b'A' + random.below(26) as u8)),
                3 => format!("{f} {l} {}", last(random)),
                4 => format!("{f} {l}-{}", last(random)),
                _ => format!("{f} {l}"),
            };
            (name, Some(0))
        }
        'O' => {
            let suffix = lists.pick("company_suffix", lang, 0.9, random).to_owned();
            let coined = coined(random);
            let name = match random.below(9) {
                0 => format!("{} {suffix}", last(random)),
                1 => format!("{}-{}", last(random), last(random)),
                2 => format!("{}, {} and {}", last(random), last(random), last(random)),
                3 => format!("{} & {}", last(random), last(random)),
                4 | 5 => coined,
                6 => format!("{coined} {suffix}"),
                7 => format!(
                    "{coined} {}",
                    random.pick(&[
                        "Systems",
                        "Group",
                        "Partners",
                        "Bank",
                        "Solutions",
                        "Health",
                        "Capital",
                        "Foods",
                        "Media",
                        "Insurance",
                        "Logistics",
                        "Software",
                        "Energy"
                    ])
                ),
                _ => format!(
                    "{} {}",
                    random.pick(&[
                        "Bank of",
                        "University of",
                        "City of",
                        "Banco de",
                        "Stadtwerke",
                        "Banque de",
                        "Club"
                    ]),
                    lists.pick("city", lang, 0.8, random)
                ),
            };
            (name, Some(1))
        }
        'C' => {
            let city = lists.pick("city", lang, 0.6, random);
            (if random.chance(0.12) { city.to_uppercase() } else { city.to_owned() }, Some(2))
        }
        'N' => {
            let kind = if random.chance(0.25) { "region" } else { "country" };
            (lists.pick(kind, lang, 0.85, random).to_owned(), Some(2))
        }
        'Z' => (digits(if lang == "pt" { 4 } else { 5 }, random), Some(3)),
        'A' => (address(lang, lists, random, &digits), Some(3)),
        _ => {
            let n = 2 + random.below(8);
            (digits(n, random), None)
        }
    }
}

fn address(
    lang: &str,
    lists: &Lists,
    random: &mut Random,
    digits: &dyn Fn(usize, &mut Random) -> String,
) -> String {
    let n = 1 + random.below(4);
    let number = digits(n, random);
    let street = |random: &mut Random| -> String {
        match lang {
            "en" => format!(
                "{} {}",
                lists.pick("last", "en", 0.9, random),
                lists.pick("street_word", "en", 1.0, random)
            ),
            "de" => format!(
                "{}{}",
                lists.pick("last", "de", 1.0, random),
                random.pick(&["straße", "str.", "weg", "gasse", "platz", "allee", "strasse"])
            ),
            "es" => format!(
                "{} {}",
                random.pick(&["Calle", "Avenida", "C/", "Plaza", "Paseo"]),
                lists.pick("last", "es", 1.0, random)
            ),
            "fr" => format!(
                "{} {}",
                random.pick(&["rue", "rue de", "avenue", "boulevard", "chemin", "place"]),
                lists.pick("last", "fr", 1.0, random)
            ),
            "pt" => format!(
                "{} {}",
                random.pick(&["Rua", "Avenida", "Travessa", "Largo"]),
                lists.pick("last", "pt", 1.0, random)
            ),
            "it" => format!("Via {}", lists.pick("last", "it", 1.0, random)),
            _ => format!(
                "{}{}",
                lists.pick("last", "nl", 1.0, random),
                random.pick(&["straat", "laan", "weg"])
            ),
        }
    };
    let name =
        if random.chance(0.3) { lists.pick("street", lang, 0.5, random).to_owned() } else { street(random) };
    let flat = digits(3, random);
    let city = lists.pick("city", lang, 0.5, random);
    let country = lists.pick("country", lang, 0.8, random);
    let zip = digits(5, random);
    match (lang, random.below(10)) {
        (_, 0) => format!("{number} {name} Apt. {flat}\n{city}\n{country} {zip}"),
        (_, 1) => format!(
            "{number} {name} {} {flat}, {city}, {country} {zip}",
            random.pick(&["Suite", "Apt.", "Unit", "Flat"])
        ),
        (_, 2) => format!("the corner of {name} and {}", street(random)),
        (_, 3) => format!("{number} {name} {flat}"),
        ("en", 4) => format!("Unit {flat} Box {number}\nAPO AE {zip}"),
        ("en" | "fr", _) => format!("{number} {name}"),
        _ => format!("{name} {number}"),
    }
}

/// A name that a marketing department would make up.
fn coined(random: &mut Random) -> String {
    const HEADS: &[&str] = &[
        "Ver", "Nor", "Blu", "Zen", "Data", "Med", "Health", "Cloud", "Fin", "Acu", "Trans", "Lex", "Opti",
        "Quant", "Solar", "Micro", "Cred", "Pay", "Trust", "Agri", "Aero", "Bio", "Eco", "Geo", "Inno",
        "Log", "Net", "Omni", "Pro", "Syn",
    ];
    const TAILS: &[&str] = &[
        "ia", "ex", "ify", "ware", "lytics", "sint", "union", "grid", "point", "logic", "aris", "onics",
        "era", "io", "ly", "tech", "corp", "nova", "max", "pocket", "link", "hub", "metrics", "bit", "core",
    ];
    let name = format!("{}{}", random.pick(HEADS), random.pick(TAILS));
    if random.chance(0.25) {
        format!("{name} {}", random.pick(TAILS).to_uppercase().chars().take(3).collect::<String>())
    } else {
        name
    }
}

/// Lower case, upper case, or a lost full stop, with offsets kept.
fn recase(example: &mut Example, random: &mut Random) {
    let change = random.below(20);
    if change < 7 {
        recased(example, change < 5);
    }
}

/// Writes all in lower (or upper) case; entities move with their texts.
pub(super) fn recased(example: &mut Example, lower: bool) {
    let mut text = String::with_capacity(example.text.len());
    let mut moved = Vec::with_capacity(example.text.len() + 1);
    for c in example.text.chars() {
        moved.resize(moved.len() + c.len_utf8(), text.len() as u32);
        if lower { text.extend(c.to_lowercase()) } else { text.extend(c.to_uppercase()) }
    }
    moved.push(text.len() as u32);
    for entity in &mut example.entities {
        (entity.0, entity.1) = (moved[entity.0 as usize], moved[entity.1 as usize]);
    }
    for range in &mut example.covered {
        *range = (moved[range.0 as usize], moved[range.1 as usize]);
    }
    example.text = text;
}
