//! What technical text holds in the places of names, and looks like names to those who have never read any.

use super::generate::{Lists, Random};

/// What stands in a slot that is no name's, if it is one of these.
pub(super) fn value(slot: char, lists: &Lists, random: &mut Random) -> Option<String> {
    Some(match slot {
        'V' => version(random),
        'H' => {
            let length = *random.pick(&[7, 8, 12, 32, 40, 64]);
            hex(length, random)
        }
        'U' => [8, 4, 4, 4, 12].map(|length| hex(length, random)).join("-"),
        'I' => format!(
            "978-{}-{}-{}-{}",
            random.below(10),
            digits(3, random),
            digits(5, random),
            random.below(10)
        ),
        'K' => key(random),
        'T' => format!(
            "20{:02}-{:02}-{:02}{}{:02}:{:02}:{:02}",
            10 + random.below(20),
            1 + random.below(12),
            1 + random.below(28),
            random.pick(&[" ", "T"]),
            random.below(24),
            random.below(60),
            random.below(60),
        ),
        'M' => program_name(random),
        'S' => (*random.pick(&software())).to_owned(),
        'B' => compound(lists, random),
        'G' => term(lists, random),
        _ => return None,
    })
}

pub(super) fn digits(count: usize, random: &mut Random) -> String {
    (0..count).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
}

fn hex(count: usize, random: &mut Random) -> String {
    (0..count).map(|_| char::from(*random.pick(b"0123456789abcdef"))).collect()
}

fn version(random: &mut Random) -> String {
    let number = |random: &mut Random| random.below(30).to_string();
    let parts: Vec<String> = (0..2 + random.below(3)).map(|_| number(random)).collect();
    let tail = random.pick(&["", "", "", "-rc1", "-beta", "b2", "-SNAPSHOT"]);
    let head = random.pick(&["", "", "v"]);
    format!("{head}{}{tail}", parts.join("."))
}

fn key(random: &mut Random) -> String {
    let head: String = (0..2 + random.below(3)).map(|_| char::from(b'A' + random.below(26) as u8)).collect();
    let count = 2 + random.below(6);
    let number = digits(count, random);
    match random.below(4) {
        0 => format!("{head}{number}"),
        1 => format!("{}-{number}", head.to_lowercase()),
        2 => format!("#{number}"),
        _ => format!("{head}-{number}"),
    }
}

fn program_name(random: &mut Random) -> String {
    const PARTS: &[&str] = &[
        "Order", "User", "Session", "Payment", "Report", "Cache", "Http", "Data", "Ticket", "Export",
        "Queue", "Auth", "Mail", "Index", "Job", "Event",
    ];
    const TAILS: &[&str] =
        &["Service", "Manager", "Controller", "Handler", "Client", "Factory", "Worker", "Store"];
    let class = format!("{}{}", random.pick(PARTS), random.pick(TAILS));
    match random.below(3) {
        0 => format!("com.example.{}.{class}", random.pick(PARTS).to_lowercase()),
        1 => format!("{class}.handle"),
        _ => class,
    }
}

fn software() -> Vec<&'static str> {
    include_str!("software.txt").trim().split('|').collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A word of some length from the list of frequent ones.
fn noun(lang: &str, lists: &Lists, random: &mut Random) -> String {
    loop {
        let word = lists.pick("word1", lang, 1.0, random);
        if word.chars().count() > 4 && word.chars().all(char::is_alphabetic) {
            return word.to_lowercase();
        }
    }
}

/// `Bestellungsanfrage`, `Kunden-Portal`: nouns that nobody has written before, as German makes them.
fn compound(lists: &Lists, random: &mut Random) -> String {
    const HEADS: &[&str] = &[
        "Daten",
        "System",
        "Kunden",
        "Benutzer",
        "Sicherheits",
        "Netzwerk",
        "Zahlungs",
        "Rechnungs",
        "Lizenz",
        "Server",
        "Software",
        "Hardware",
        "Patienten",
        "Projekt",
        "Leistungs",
        "Zugriffs",
        "Verbindungs",
        "Konfigurations",
        "Integrations",
        "Abrechnungs",
        "Anmelde",
        "Cloud",
        "Speicher",
        "Wartungs",
        "Geräte",
        "Analyse",
        "Liefer",
    ];
    const TAILS: &[&str] = &[
        "fehler",
        "probleme",
        "ausfälle",
        "verwaltung",
        "einstellungen",
        "dienste",
        "lösungen",
        "plattform",
        "portal",
        "kontrollen",
        "protokolle",
        "prozesse",
        "anfragen",
        "schnittstelle",
        "datenbank",
        "umgebung",
        "werkzeuge",
        "abteilung",
        "tools",
        "dashboard",
        "management",
        "updates",
        "verletzung",
        "strategie",
        "übersicht",
        "anbindung",
    ];
    let head = if random.chance(0.6) {
        (*random.pick(HEADS)).to_owned()
    } else {
        capital(&noun("de", lists, random))
    };
    let tail = if random.chance(0.6) { (*random.pick(TAILS)).to_owned() } else { noun("de", lists, random) };
    match random.below(6) {
        0 => format!("{head}-{}", capital(&tail)),
        1 => capital(&tail),
        2 => format!("{head}{}-{}", noun("de", lists, random), capital(&tail)),
        _ => format!("{head}{tail}"),
    }
}

/// `Data Breach Management`: words in capitals that name a feature or a department.
fn term(lists: &Lists, random: &mut Random) -> String {
    const TAILS: &[&str] = &[
        "Management",
        "Integration",
        "Dashboard",
        "Security",
        "Analytics",
        "Platform",
        "System",
        "Services",
        "Support",
        "Settings",
        "Report",
        "Tool",
        "Access",
        "Data",
        "Server",
        "Account",
        "Configuration",
        "Optimization",
        "Strategy",
    ];
    let mut term = capital(&noun("en", lists, random));
    if random.chance(0.4) {
        term.push(' ');
        term.push_str(&capital(&noun("en", lists, random)));
    }
    format!("{term} {}", random.pick(TAILS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_has_its_form_and_no_other_is_taken() {
        let lists = Lists::read(include_str!("../../../model/gazetteer.txt")).unwrap();
        let mut random = Random::new(9);
        for _ in 0..200 {
            let uuid = value('U', &lists, &mut random).unwrap();
            assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
            assert!(value('V', &lists, &mut random).unwrap().contains('.'));
            assert!(value('K', &lists, &mut random).unwrap().contains(|c: char| c.is_ascii_digit()));
            assert_eq!(value('T', &lists, &mut random).unwrap().len(), 19);
        }
        assert!("PFLOCNZAD".chars().all(|slot| value(slot, &lists, &mut random).is_none()));
    }
}
