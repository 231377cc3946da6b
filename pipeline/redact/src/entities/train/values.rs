//! What stands in the slots of the templates.

use super::generate::{Lists, Random};
use super::technical::{self, digits};

pub(super) fn value(slot: char, lang: &str, lists: &Lists, random: &mut Random) -> (String, Option<u8>) {
    let first = |random: &mut Random| lists.pick("first", lang, 0.6, random).to_owned();
    let last = |random: &mut Random| lists.pick("last", lang, 0.5, random).to_owned();
    if let Some(value) = technical::value(slot, lists, random) {
        return (value, None);
    }
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
        'A' => (address(lang, lists, random), Some(3)),
        _ => {
            let n = 2 + random.below(8);
            (digits(n, random), None)
        }
    }
}

fn address(lang: &str, lists: &Lists, random: &mut Random) -> String {
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
