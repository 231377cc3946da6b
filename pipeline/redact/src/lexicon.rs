//! The words that open or support a finding, in the languages of the product, and the one pass that finds them.
//!
//! Matching ignores ASCII case; accented capitals are listed where they matter. A word counts only if no letter
//! or digit stands before it, and, unless it is listed as a stem, no letter behind it: `tel` must not be found in
//! `hotel` or `tell`, while `telefon` should be found in `Telefonnummer`.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, Input, MatchKind, StartKind};

use crate::detect::Id;
use crate::mask;

/// What a word of the lexicon means for what stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Phone,
    /// Where a phone stands: says something only directly beside a number, `Office: …`, `… (home)`.
    PhonePlace,
    Card,
    Ssn,
    Ip,
    /// What follows is a version or a section number.
    Version,
    /// What follows is a number of something, not of somebody: an order, an invoice, a parcel.
    Reference,
    Birth,
    Passport,
    Licence,
    /// What is assigned to it is a password.
    Password,
    /// What is assigned to it is a key or token, if it looks random.
    Token,
    /// What is assigned to it is a short secret number.
    Pin,
    Bearer,
    /// The opening of a private key block.
    Pem,
    /// A spelled `@`.
    At,
    /// Names an identifier whose checksum or form is known.
    Id(Id),
    /// The name of a digit, in one of the languages.
    Digit,
    /// Part of a finding, and so no context.
    Covered,
    /// The first characters of a key whose format is known; index into `detect::secret::FORMATS`.
    Key(u8),
}

/// One occurrence of a word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub start: u32,
    pub end: u32,
    pub word: Word,
}

/// A word that must end at a word boundary.
const WHOLE: bool = true;
/// A word that may go on: compounds, plurals, inflection.
const STEM: bool = false;

#[rustfmt::skip]
const WORDS: &[(Word, bool, &[&str])] = &[
    (Word::Phone, STEM, &[
        "phone", "telephone", "mobile", "cellphone", "cellular", "whatsapp", "landline", "voicemail", "hotline",
        "smartphone", "contact number", "contact no", "call me", "call us", "reach me", "ring me", "text me",
        "callback", "call back", "messages to", "answering at", "dialled", "dialed", "fax",
        "telefon", "handynummer", "rufnummer", "mobilnummer", "festnetz", "durchwahl", "anruf", "rückruf",
        "téléphone", "appelez", "appeler", "rappeler", "joignable au", "joindre au",
        "teléfono", "móvil", "celular", "llám", "llam", "telemóvel", "telemovel", "ligue", "contacto",
        "cellulare", "chiama", "telefoon", "mobiel", "bellen", "terugbel", "signal:",
    ]),
    (Word::Phone, WHOLE, &[
        "tel", "tél", "ph", "cell", "gsm", "sms", "call", "calling", "dial", "handy", "mobil", 
        "tlf", "tfno", "portable", "numéro de portable", "contact", "reached at", "reach",
    ]),
    (Word::PhonePlace, WHOLE, &["office", "desk", "home", "work", "büro", "privat", "dienstlich", "oficina", "casa", "bureau", "domicile"]),
    (Word::Card, STEM, &[
        "credit card", "debit card", "creditcard", "debitcard", "bank card", "card number", "card no", "card #",
        "card ending", "kreditkarte", "kartennummer", "ec-karte", "debitkarte", "carte bancaire", "carte de crédit",
        "carte bleue", "numéro de carte", "tarjeta", "cartão", "cartao", "carta di credito", "creditkaart",
        "kaartnummer", "betaalkaart", "mastercard", "american express", "maestro", "diners",
    ]),
    (Word::Card, WHOLE, &["card", "cards", "visa", "amex", "cc", "pan", "karte", "carta", "carte", "discover", "jcb"]),
    (Word::Ssn, STEM, &["social security", "social-security", "ss number", "soc sec"]),
    (Word::Ssn, WHOLE, &["ssn", "ssn#", "ss#", "ssns"]),
    (Word::Ip, STEM, &["ip address", "ip-address", "ipv4", "ipv6", "ip-adresse", "adresse ip", "dirección ip", "client_ip",
        "endereço ip", "indirizzo ip", "ip-adres", "remote addr", "remote_addr", "x-forwarded-for", "hostname"]),
    (Word::Ip, WHOLE, &["ip", "ips", "host", "server", "address", "subnet", "gateway", "dns", "ping"]),
    (Word::Version, STEM, &[
        "version", "versión", "versão", "versione", "versie", "release", "firmware", "build", "revision", "upgrade",
        "updated to", "update to", "changelog", "section", "chapter", "clause", "paragraph", "abschnitt", "kapitel",
        "appendix", "figure", "sdk", "driver", "patch level", "kernel",
    ]),
    (Word::Version, WHOLE, &["ver", "v", "rev", "rel", "vers", "api", "oid"]),
    (Word::Reference, STEM, &[
        "order", "invoice", "ticket", "reference", "tracking", "shipment", "parcel", "customer number", "customer id",
        "customer no", "serial", "isbn", "issn", "imei", "transaction", "article n", "item n", "part n", "product code",
        "confirmation", "booking", "reservation", "purchase", "quote n", "claim", "case n", "request id", "session id",
        "bestell", "rechnung", "auftrag", "sendung", "kundennummer", "kunden-nr", "vorgang", "artikelnummer", "buchung",
        "pedido", "factura", "referencia", "reserva", "commande", "facture", "référence", "réservation", "encomenda",
        "fatura", "referência", "ordine", "fattura", "riferimento", "prenotazione", "bestelling", "factuur",
        "referentie", "boeking", "commit", "barcode", "timestamp", "snowflake", "account n", "asset", "zendesk",
    ]),
    (Word::Reference, WHOLE, &[
        "ref", "sku", "ean", "gtin", "upc", "asin", "case", "po", "rma", "ups", "fedex", "dhl", "usps", "id", "uuid",
        "guid", "hash", "sha", "md5", "epoch", "unix", "row", "record", "batch", "lot", "s/n", "item", "doi",
        "invoices", "orders",
    ]),
    (Word::Birth, STEM, &[
        "date of birth", "birth date", "birthdate", "birthday", "birth day", "geburtsdatum", "geburtstag", "geboren",
        "fecha de nacimiento", "nacimiento", "date de naissance", "data de nascimento", "data di nascita",
        "geboortedatum", "geboortedag", "d.o.b", "dateofbirth", "date_of_birth", "birth_date",
    ]),
    (Word::Birth, WHOLE, &[
        "born", "dob", "geb", "geb.", "nacido", "nacida", "nací", "naci", "nacio", "né le", "née le", "ne le", "nee le",
        "nascido", "nascida", "nasci", "nato il", "nata il", "nato", "nata", "birth",
    ]),
    (Word::Passport, STEM, &[
        "passport", "reisepass", "passnummer", "pass-nr", "pasaporte", "passeport", "passaporte", "passaporto",
        "paspoort",
    ]),
    (Word::Licence, STEM, &[
        "driver's licen", "driver’s licen", "drivers licen", "driver licen", "drivers' licen", "driving licen",
        "driver_licen", "drivers_licen", "driving_licen", "driver's permit", "führerschein", "fuehrerschein", "fahrerlaubnis",
        "permiso de conducir", "carnet de conducir", "licencia de conducir", "permiso de conducción",
        "permis de conduire", "carta de condução", "carteira de motorista", "carteira de habilitação",
        "patente di guida", "rijbewijs", "dl number", "dl no", "dl #", "license number", "licence number",
    ]),
    (Word::Licence, WHOLE, &["cnh", "dl", "dln", "n° patente"]),
    (Word::Password, STEM, &[
        "password", "passwort", "kennwort", "passphrase", "contraseña", "clave de acceso", "mot de passe",
        "wachtwoord", "passcode", "senha",
    ]),
    (Word::Password, WHOLE, &["passwd", "pwd", "pass", "pw", "passwords", "mdp", "psw", "hasło"]),
    (Word::Token, STEM, &[
        "secret", "token", "api key", "api-key", "api_key", "apikey", "access key", "access_key", "accesskey",
        "access-key", "auth key", "auth_key", "authkey", "private key", "private_key", "privatekey", "signing key",
        "signing_key", "encryption key", "encryption_key", "client_secret", "credential", "sessionid", "session_id",
        "account_key", "accountkey", "sharedaccesskey", "shared_key", "api-schlüssel", "zugangsschlüssel",
        "clave api", "clé api", "clé d'api", "chave de api", "chiave api", "api-sleutel", "authorization",
    ]),
    (Word::Pin, WHOLE, &[
        "pin", "pin code", "pin-code", "pincode", "cvv", "cvv2", "cvc", "cvc2", "csc", "security code", "otp",
        "one-time code", "one time code", "verification code", "auth code", "2fa code", "mfa code", "tan",
        "prüfziffer", "sicherheitscode", "código de seguridad", "code de sécurité", "código de segurança",
        "codice di sicurezza", "beveiligingscode",
    ]),
    (Word::Bearer, WHOLE, &["bearer", "basic"]),
    (Word::Pem, STEM, &["-----begin"]),
    (Word::Id(Id::National), STEM, &[
        "national id", "nationalid", "national identification", "identity number", "identification number", "tax id",
        "taxid", "tax number", "tax identification", "taxpayer", "steuernummer", "identifikationsnummer", "numéro fiscal",
        "numero fiscal", "número fiscal", "número de identificación", "numéro d'identification", "identificatienummer",
        "national_id", "tax_id", "citizen number", "id card n", "identity card n",
    ]),
    (Word::Id(Id::National), WHOLE, &["tin", "id number", "identity card", "id card"]),
    (Word::Id(Id::Itin), STEM, &["individual taxpayer"]),
    (Word::Id(Id::Itin), WHOLE, &["itin"]),
    (Word::Id(Id::Ein), STEM, &["employer identification", "employer id", "federal tax id", "federal ein"]),
    (Word::Id(Id::Ein), WHOLE, &["ein", "fein"]),
    (Word::Id(Id::Bic), STEM, &["swift code", "swift/bic", "bic/swift", "bic-code", "bic code", "código swift", "code swift", "codice swift",
        "bank identifier code", "swiftcode", "swift-code"]),
    (Word::Id(Id::Bic), WHOLE, &["bic", "swift"]),
    (Word::Id(Id::Routing), STEM, &["routing", "aba number", "aba no", "transit number"]),
    (Word::Id(Id::Routing), WHOLE, &["aba", "rtn"]),
    (Word::Id(Id::Mac), STEM, &["mac address", "mac-address", "mac-adresse", "adresse mac", "dirección mac", "endereço mac", "indirizzo mac",
        "mac-adres", "hardware address", "mac_address", "bssid"]),
    (Word::Id(Id::Mac), WHOLE, &["mac"]),
    (Word::Id(Id::Nhs), STEM, &["nhs", "national health service"]),
    (Word::Id(Id::Nino), STEM, &["national insurance"]),
    (Word::Id(Id::Nino), WHOLE, &["nino", "ni number", "ni no", "insurance number"]),
    (Word::Id(Id::DeTax), STEM, &["steuer-id", "steuerid", "steueridentifikation", "steuerliche identifikation", "steuer id"]),
    (Word::Id(Id::DeTax), WHOLE, &["idnr", "idnr.", "tax-id"]),
    (Word::Id(Id::DeCard), STEM, &["personalausweis", "ausweisnummer", "ausweis-nr", "perso-nr"]),
    (Word::Id(Id::DeCard), WHOLE, &["perso", "ausweis"]),
    (Word::Id(Id::Nir), STEM, &["numéro de sécurité sociale", "sécurité sociale", "securite sociale", "n° sécu", "numéro de sécu", "carte vitale"]),
    (Word::Id(Id::Nir), WHOLE, &["nir", "insee"]),
    (Word::Id(Id::Nif), STEM, &["documento nacional de identidad", "número de identidad", "documento de identidad", "carnet de identidad"]),
    (Word::Id(Id::Nif), WHOLE, &["dni", "nif", "nie", "d.n.i", "n.i.f", "n.i.e"]),
    (Word::Id(Id::FiscalCode), STEM, &["codice fiscale", "cod. fisc", "cod.fisc", "codice_fiscale"]),
    (Word::Id(Id::FiscalCode), WHOLE, &["c.f", "fiscal code"]),
    (Word::Id(Id::Bsn), STEM, &["burgerservicenummer", "sofinummer", "sofi-nummer", "bsn-nummer"]),
    (Word::Id(Id::Bsn), WHOLE, &["bsn", "sofi"]),
    (Word::Id(Id::Pesel), STEM, &["pesel"]),
    (Word::Id(Id::Cpf), STEM, &["cadastro de pessoa"]),
    (Word::Id(Id::Cpf), WHOLE, &["cpf", "cpf/mf", "cpf nº"]),
    (Word::Id(Id::Cnpj), STEM, &["cadastro nacional da pessoa"]),
    (Word::Id(Id::Cnpj), WHOLE, &["cnpj"]),
    (Word::Id(Id::Aadhaar), STEM, &["aadhaar", "aadhar", "adhaar", "adhar", "uidai"]),
    (Word::Id(Id::IndianPan), STEM, &["permanent account number", "pan card", "pan number", "pan no"]),
    (Word::Id(Id::Sin), STEM, &["social insurance", "numéro d'assurance sociale", "assurance sociale"]),
    (Word::Id(Id::Sin), WHOLE, &["sin", "nas", "s.i.n"]),
    (Word::Id(Id::Tfn), STEM, &["tax file"]),
    (Word::Id(Id::Tfn), WHOLE, &["tfn"]),
    (Word::Id(Id::Medicare), STEM, &["medicare"]),
    (Word::Id(Id::Medical), STEM, &[
        "medical record", "patient id", "patient number", "patient no", "patientennummer", "patienten-nr", "patienten-id", "historia clínica",
        "historia clinica", "dossier médical", "numéro de patient", "prontuário", "cartella clinica", "patiëntnummer", "patientnummer",
        "health record", "hospital number", "medical_record", "patient_id", "fallnummer", "health insurance number", "versichertennummer",
        "krankenversichertennummer",
    ]),
    (Word::Id(Id::Medical), WHOLE, &["mrn", "mr number", "mrn#"]),
    (Word::Id(Id::Account), STEM, &[
        "account number", "account no", "account #", "acct number", "acct no", "acct #", "acct.", "bank account", "checking account", "savings account",
        "account_number", "kontonummer", "konto-nr", "kontonr", "bankverbindung", "girokonto", "número de cuenta", "cuenta bancaria", "nº de cuenta",
        "numero de cuenta", "cuenta corriente", "numéro de compte", "compte bancaire", "n° de compte", "número da conta", "conta corrente",
        "conta bancária", "numero di conto", "conto corrente", "numero conto", "rekeningnummer", "bankrekening", "bank acct", "checking acct",
    ]),
    (Word::Id(Id::Account), WHOLE, &["acct", "a/c", "a/c no", "konto"]),
    (Word::Id(Id::SortCode), STEM, &["sort code", "sort-code", "sortcode"]),
    (Word::Id(Id::Plate), STEM, &[
        "license plate", "licence plate", "number plate", "numberplate", "plate number", "registration plate", "vehicle registration",
        "car registration", "reg number", "reg plate", "kennzeichen", "nummernschild", "matrícula", "matricula", "plaque d'immatriculation",
        "immatriculation", "immatriculé", "placa", "targa", "kenteken", "nummerplaat", "license_plate", "tag number", "plate no",
    ]),
    (Word::Id(Id::Plate), WHOLE, &["plate", "plates"]),
    (Word::Id(Id::Vin), STEM, &["vehicle identification", "chassis", "fahrgestellnummer", "fahrzeug-identifizierung", "fahrzeugidentifikation", "bastidor",
        "numéro de série du véhicule", "numéro de châssis", "numero di telaio", "vin number", "vin-nummer"]),
    (Word::Id(Id::Vin), WHOLE, &["vin", "fin"]),
    (Word::Id(Id::Wallet), STEM, &["wallet", "bitcoin", "ethereum"]),
    (Word::Id(Id::Wallet), WHOLE, &["btc", "eth"]),
    (Word::Id(Id::Gps), STEM, &["coordinate", "koordinate", "coordenada", "coordonnée", "latitude", "breitengrad", "geo:"]),
    (Word::Id(Id::Gps), WHOLE, &["gps", "lat", "lat/lon", "lat/long", "latlng", "lat,lon", "located at", "geolocation", "ll="]),
    (Word::Id(Id::Postal), STEM, &["zip code", "zipcode", "zip-code", "postal code", "postcode", "postleitzahl", "code postal", "código postal", "codigo postal",
        "codice postale", "postal_code", "zip_code", "código de endereçamento"]),
    (Word::Id(Id::Postal), WHOLE, &["zip", "plz", "cep", "c.a.p", "postal", "post code"]),
    (Word::Digit, WHOLE, &[
        "zero", "three", "four", "five", "seven", "eight", "nine", "null", "drei", "vier", "fünf", "fuenf", "sieben", "acht", "neun", "cero", "tres", "cuatro",
        "cinco", "siete", "ocho", "nueve", "zéro", "trois", "quatre", "cinq", "sept", "huit", "neuf", "três", "quatro", "sete", "oito", "nove", "quattro",
        "cinque", "sette", "otto", "drie", "vijf", "zeven", "negen", "nul",
    ]),
    (Word::At, STEM, &["(at)", "[at]", "{at}", "<at>", "( at )", "[ at ]", "(arroba)", "[arroba]", "(@)", "[@]",
        "(ät)", "[ät]", "(arobase)", "[arobase]", "(chiocciola)", "[chiocciola]", "(a)", "{arroba}", "(klammeraffe)"]),
    (Word::At, WHOLE, &[" at ", " arroba ", " arobase ", " chiocciola ", " klammeraffe ", " apenstaartje "]),
];

pub(crate) struct Lexicon {
    openings: Openings,
    /// Asked only where a word may begin: it is larger than the caches, and most of a text begins none.
    automaton: AhoCorasick,
    entries: Vec<(Word, bool)>,
}

impl Lexicon {
    /// Builds the automaton over the words and the given key prefixes.
    pub(crate) fn new(key_prefixes: &[&str]) -> Self {
        let mut entries = Vec::new();
        let mut patterns: Vec<Cow<'_, str>> = Vec::new();
        for &(word, whole, spellings) in WORDS {
            for &spelling in spellings {
                entries.push((word, whole));
                patterns.push(spelling.into());
                // The automaton ignores the letter case of ASCII only.
                if !spelling.is_ascii() {
                    entries.push((word, whole));
                    patterns.push(spelling.to_uppercase().into());
                }
            }
        }
        for (i, prefix) in key_prefixes.iter().enumerate() {
            entries.push((Word::Key(i as u8), STEM));
            patterns.push((*prefix).into());
        }
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .start_kind(StartKind::Anchored)
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(patterns.iter().map(|pattern| pattern.as_bytes()))
            .expect("a few hundred constant patterns stay far below the automaton's limits");
        Self { openings: Openings::of(&patterns), automaton, entries }
    }

    /// Fills `hits` with the words of `text`, in order.
    pub(crate) fn scan(&self, text: &str, hits: &mut Vec<Hit>) {
        hits.clear();
        let bytes = text.as_bytes();
        let mut at = 0;
        // A word that was taken; and whether the byte before is part of a word.
        let (mut taken, mut inside) = (0, false);
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            at += 1;
            let attached = std::mem::replace(&mut inside, is_word(byte)) && is_word(byte);
            if attached || !self.openings.may_open(&bytes[start..]) || start < taken {
                continue;
            }
            if let Some(hit) = self.word_at(bytes, start) {
                taken = hit.end as usize;
                hits.push(hit);
            }
        }
    }

    /// The longest word of the lexicon that stands at `start`, whose left side was looked at already.
    fn word_at(&self, bytes: &[u8], start: usize) -> Option<Hit> {
        let input = Input::new(bytes).range(start..).anchored(Anchored::Yes);
        let found = self.automaton.find(input)?;
        let (word, whole) = self.entries[found.pattern().as_usize()];
        let end = found.end();
        if is_word(bytes[start]) && mask::ends_at(bytes, start) {
            return None;
        }
        if whole
            && is_word(bytes[end - 1])
            && (bytes.get(end).is_some_and(|&b| !may_follow(b)) || mask::starts_at(bytes, end))
        {
            return None;
        }
        // The word PHONE in [PHONE] says nothing about the number behind it.
        if mask::holds(bytes, start) {
            return None;
        }
        Some(Hit { start: start as u32, end: end as u32, word })
    }
}

/// How words of the lexicon begin, as sets of hashes small enough to stay in the cache.
struct Openings {
    /// First three bytes of longer words.
    three: Set,
    /// Words of two bytes.
    two: Set,
    /// Words of one byte.
    one: Set,
}

impl Openings {
    /// Shorter words are assumed to be whole ones.
    fn of(patterns: &[Cow<'_, str>]) -> Self {
        let mut openings = Self { three: Set([0; 256]), two: Set([0; 256]), one: Set([0; 256]) };
        for pattern in patterns {
            match *pattern.as_bytes() {
                [a, b, c, ..] => openings.three.add(hash(a, b, c)),
                [a, b] => openings.two.add(hash(a, b, 0)),
                [a] => openings.one.add(hash(a, 0, 0)),
                [] => {}
            }
        }
        openings
    }

    /// Whether a word of the lexicon may stand at the beginning of `bytes`.
    #[inline(always)]
    fn may_open(&self, bytes: &[u8]) -> bool {
        let ends = |at: usize| bytes.get(at).is_none_or(|&b| may_follow(b));
        let first = bytes.first().copied().unwrap_or_default();
        let second = bytes.get(1).copied().unwrap_or_default();
        if let Some(&third) = bytes.get(2)
            && self.three.has(hash(first, second, third))
        {
            return true;
        }
        (ends(2) && self.two.has(hash(first, second, 0))) || (ends(1) && self.one.has(hash(first, 0, 0)))
    }
}

struct Set([u64; 256]);

impl Set {
    fn add(&mut self, hash: usize) {
        self.0[hash / 64] |= 1 << (hash % 64);
    }

    #[inline(always)]
    fn has(&self, hash: usize) -> bool {
        self.0[hash / 64] & (1 << (hash % 64)) != 0
    }
}

/// Of three bytes without case, below 2^14. Setting the bit 0x20 makes capitals small; the few other characters
/// that it maps upon each other only let the automaton be asked in vain.
#[inline(always)]
fn hash(first: u8, second: u8, third: u8) -> usize {
    let key = u32::from_le_bytes([first | 0x20, second | 0x20, third | 0x20, 0]);
    (key.wrapping_mul(0x9E37_79B1) >> 18) as usize // 2^32 / golden ratio (Knuth, TAOCP 6.4)
}

/// Whether a whole word may end before this byte.
fn may_follow(byte: u8) -> bool {
    !is_word(byte) || byte.is_ascii_digit()
}

/// Letters and digits; every non-ASCII byte counts as part of a letter. `_` and `-` separate, so that `password`
/// is found in `DB_PASSWORD`.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Word> {
        let lexicon = Lexicon::new(&["ghp_"]);
        let mut hits = Vec::new();
        lexicon.scan(text, &mut hits);
        hits.into_iter().map(|hit| hit.word).collect()
    }

    #[test]
    fn respects_word_boundaries() {
        assert_eq!(
            words("hotel tell intel Tel. tel: TELEFONNUMMER"),
            [Word::Phone, Word::Phone, Word::Phone]
        );
        assert_eq!(words("DB_PASSWORD=x bypass passport"), [Word::Password, Word::Passport]);
        assert_eq!(words("xghp_ GHP_ ghp_"), [Word::Key(0), Word::Key(0)]);
        assert_eq!(words("née le geborenen ungeboren"), [Word::Birth, Word::Birth]);
    }

    #[test]
    fn ignores_its_own_masks() {
        assert_eq!(words("[PHONE] [PASSPORT] [SECRET] [PASSPORT ****1234]"), []);
        assert_eq!(words("[phone] PASSPORT]"), [Word::Phone, Word::Passport]);
    }

    #[test]
    fn short_words_are_whole_words() {
        let short = |words: &[&str]| words.iter().any(|word| word.len() < 3);
        for &(word, whole, words) in WORDS {
            assert!(whole == WHOLE || !short(words), "{word:?}: openings hold stems of three bytes or more");
        }
    }

    #[test]
    fn lists_no_word_twice() {
        let mut all: Vec<&str> = WORDS.iter().flat_map(|(_, _, words)| words.iter().copied()).collect();
        all.sort_unstable();
        let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert_eq!(twice, Vec::<&str>::new());
    }
}
