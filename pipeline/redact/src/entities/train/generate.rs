//! Sentences of tickets with made-up people, companies and addresses.

use std::collections::BTreeMap;

use super::super::words::{Hasher, flag};
use super::TrainError;
use super::data::Example;
use super::noise::typed;
use super::values::value;

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

    pub(super) fn pick<'a>(&'a self, kind: &str, lang: &str, own: f64, random: &mut Random) -> &'a str {
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
            let mut example = Example { lang: set.lang.to_owned(), ..Example::default() };
            for part in 0..=random.below(4) {
                if part > 0 {
                    example.text.push_str(if random.chance(0.4) { "\n" } else { " " });
                }
                let lines = if random.chance(0.35) { &set.plain } else { &set.lines };
                let template = lines[random.below(lines.len())];
                fill(template, set.lang, lists, random, &mut example);
            }
            typed(&mut example, random);
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
