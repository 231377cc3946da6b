//! The words of addresses, by language and place.

/// Street words that stand behind the name, as people write them in English.
#[rustfmt::skip]
pub(super) static TYPES: Words = Words::new(&[
    "street", "st", "avenue", "ave", "av", "road", "rd", "lane", "ln", "drive", "dr", "boulevard", "blvd",
    "court", "ct", "place", "pl", "square", "sq", "terrace", "ter", "way", "parkway", "pkwy", "highway", "hwy",
    "circle", "cir", "crescent", "cres", "close", "trail", "trl", "grove", "gardens", "mews", "row", "walk",
    "alley", "plaza", "loop", "ridge", "turnpike", "pike", "crossing", "expressway", "freeway", "heights",
    "hill", "hollow", "junction", "landing", "manor", "meadows", "mill", "mills", "mount", "oval", "park",
    "pass", "path", "plain", "point", "rise", "run", "shore", "spring", "springs", "station", "summit", "track",
    "vale", "valley", "via", "view", "village", "vista", "wells", "wharf", "wood", "woods", "corner", "corners",
    "cove", "creek", "estate", "estates", "fort", "forge", "gateway", "glen", "green", "harbor", "haven",
    "island", "isle", "knoll", "lodge", "parade", "quay", "esplanade", "motorway", "bypass", "causeway",
    "center", "centre", "common", "field", "fields", "flats", "ford", "forest", "garden", "groves", "camp",
    "brook", "bridge", "bend", "beach", "bluff", "branch", "burg", "canyon", "cape", "cliff", "club", "course",
    "crest", "dale", "dam", "divide", "extension", "falls", "ferry", "keys", "lake", "lakes", "light", "lock",
    "mall", "mission", "mountain", "neck", "orchard", "overpass", "passage", "pine", "pines", "port", "prairie",
    "radial", "ramp", "ranch", "rapids", "rest", "river", "shoal", "shoals", "skyway", "spur", "stravenue",
    "stream", "throughway", "trace", "tunnel", "underpass", "union", "viaduct", "ville", "arcade",
]);
/// How many of [`TYPES`] are taken in every notation; of the others only behind a capitalised name and with a place behind.
pub(super) const SURE: usize = 41;

/// What people also write without capitals.
#[rustfmt::skip]
pub(super) static LOWER: Words = Words::new(&[
    "street", "avenue", "road", "boulevard", "lane",
]);

/// Before the name, behind the number: French.
#[rustfmt::skip]
pub(super) static FRENCH: Words = Words::new(&[
    "rue", "avenue", "av.", "boulevard", "bd", "bd.", "place", "chemin", "impasse", "allée", "allee", "quai",
    "cours", "route", "square", "passage", "faubourg", "villa", "sentier", "ruelle", "esplanade",
]);

/// Before the name, and the number behind: Spanish, Portuguese, Italian, Polish, French without order.
#[rustfmt::skip]
pub(super) static BEFORE: Words = Words::new(&[
    "calle", "c/", "avenida", "avda.", "avda", "paseo", "plaza", "pza.", "camino", "carretera", "ronda",
    "travesía", "glorieta", "callejón", "cuesta", "rambla", "pasaje", "vía", "rua", "travessa", "praça",
    "alameda", "estrada", "largo", "rodovia", "via", "viale", "piazza", "corso", "vicolo", "contrada", "strada",
    "piazzale", "borgo", "stretto", "ul.", "ulica", "aleja", "al.", "os.", "rue", "boulevard", "chemin", "c.",
    "av.", "av", "r.", "incrocio", "rotonda", "canale", "acceso", "urbanización", "cañada", "pasadizo", "vial",
    "parcela", "blvd.", "privada", "prolongación", "circuito", "calzada", "cerrada", "andador", "diagonal",
    "conjunto", "jardim", "viaduto", "quadra", "sítio", "vila",
]);

/// Ends of the last word of a street, the number behind: German, Dutch, Nordic, Hungarian.
#[rustfmt::skip]
pub(super) static SUFFIXES: &[&str] = &[
    "straße", "strasse", "str.", "str", "weg", "platz", "allee", "gasse", "ring", "damm", "ufer", "stieg",
    "graben", "chaussee", "straat", "laan", "plein", "gracht", "kade", "singel", "dreef", "hof", "steeg",
    "dijk", "markt", "pad", "gatan", "vägen", "gata", "gate", "gaten", "vej", "veien", "vei", "gade", "stien",
    "plads", "gränd", "stigen", "allén", "katu", "tie", "kuja", "polku", "rinne", "raitti", "kaari", "tänav",
    "utca", "út", "tér", "ulica", "cesta", "gatvė",
];

/// Words with these ends that are no streets.
#[rustfmt::skip]
pub(super) static NO_STREETS: Words = Words::new(&[
    "investigate", "gate", "mitigate", "delegate", "navigate", "aggregate", "gateway", "during", "string",
    "ring", "spring", "monitoring", "rendering", "ordering", "engineering", "entering", "hof", "weg",
    "deswegen", "unterwegs", "str", "tie", "pad", "ipad", "thinkpad", "trackpad", "touchpad", "keypad",
    "notepad", "launchpad", "markt", "router", "platz", "arbeitsplatz", "speicherplatz", "steckplatz",
    "sitzplatz", "parkplatz", "supermarkt", "bahnhof", "hinweg", "keineswegs", "cookie", "movie", "zombie",
    "series", "necktie", "gratie", "genie", "calorie", "brownie", "garantie", "batterie", "serie", "kategorie",
    "partie", "substrate", "registrate", "propagate", "surrogate", "ungefähr", "bring", "bering", "offering",
    "restoring", "scoring", "storing", "filtering", "referring", "hiring", "wiring", "firing", "sharing",
    "frigate", "tailgate", "tollgate", "colgate", "watergate", "interrogate", "litigate", "irrigate",
    "instigate", "obligate", "relegate", "segregate", "subjugate", "congregate", "corrugate", "substr",
    "democratie", "optie", "actie", "informatie", "locatie", "versie", "sectie", "functie", "positie",
    "reservatie", "transactie", "applicatie", "installatie", "organisatie", "notitie", "editie", "conditie",
    "prestatie", "relatie", "situatie", "advertentie", "licentie", "referentie", "administratie",
    "configuratie", "registratie", "operatie", "generatie", "iteratie", "combinatie",
]);

pub(super) fn is_one_of(word: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| known.len() == word.len() && word.eq_ignore_ascii_case(known.as_bytes()))
}

/// A list of words that says quickly of nearly every word that it isn't in it.
pub(super) struct Words {
    list: &'static [&'static str],
    /// By the low bits of the first byte: the lengths of the words.
    lengths: [u32; 32],
}

impl Words {
    const fn new(list: &'static [&'static str]) -> Self {
        let mut lengths = [0; 32];
        let mut i = 0;
        while i < list.len() {
            let word = list[i].as_bytes();
            lengths[(word[0] & 31) as usize] |= 1 << (word.len() as u32 & 31);
            i += 1;
        }
        Self { list, lengths }
    }

    pub(super) fn position(&self, word: &[u8]) -> Option<usize> {
        let first = *word.first()?;
        if word.len() > 31 || self.lengths[usize::from(first & 31)] >> word.len() & 1 == 0 {
            return None;
        }
        self.list
            .iter()
            .position(|known| known.len() == word.len() && word.eq_ignore_ascii_case(known.as_bytes()))
    }

    pub(super) fn has(&self, word: &[u8]) -> bool {
        self.position(word).is_some()
    }
}

/// By the low bits of the last byte: those of the bytes before, of [`SUFFIXES`].
pub(super) static SUFFIX_ENDS: [u32; 32] = {
    let mut ends = [0; 32];
    let mut i = 0;
    while i < SUFFIXES.len() {
        let suffix = SUFFIXES[i].as_bytes();
        let (last, before) = (suffix[suffix.len() - 1], suffix[suffix.len() - 2]);
        ends[(last & 31) as usize] |= 1 << (before & 31);
        i += 1;
    }
    ends
};
