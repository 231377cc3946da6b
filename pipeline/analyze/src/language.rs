//! Which language a ticket is written in.
//!
//! The script decides first: most scripts stand for one language, and the letters of a few more tell apart
//! those that share one (Ukrainian and Russian, Persian and Arabic). Only Latin script needs statistics:
//! `whichlang`, 16 languages of which 10 use it. It always names one of them, so letters that none of
//! the ten uses (ł, ř, ő, ø …) overrule it, and little text is answered with `und`.
//!
//! `whichlang` gives no probability. The confidence is a table by number of letters, and by whether the two
//! halves of the text agree. It holds for the 16 languages (share of right answers on labelled tweets and
//! sentences: 0.50 at 5–9 letters, 0.72–0.88 at 10–19, 0.86–0.97 at 20–39, 0.98 from 40 on). It does not hold
//! for Latin-script languages without a telling letter, such as Catalan, Afrikaans or Indonesian, or for
//! languages written in another script than usual: they are taken for a neighbour with confidence.

/// A language and how sure the answer is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Language {
    /// ISO 639-1, or `und` if it can't be told.
    pub code: &'static str,
    /// 0 to 1; 0 for `und`.
    pub confidence: f32,
}

/// No language.
pub const UNDETERMINED: Language = Language { code: "und", confidence: 0.0 };

/// Bytes of cleaned text that are looked at: accuracy is flat beyond, cost is not.
const SAMPLE: usize = 128;
/// Bytes of text read to find them: what lies behind a long log or table is not looked for.
const READ: usize = 1024;
/// A body with fewer letters than this is sampled together with its subject.
const ENOUGH: usize = 60;
/// Each half of a sample with so many letters can be judged alone.
const HALVES: usize = 96;
/// Latin text with fewer letters than this is `und`: "ok", "SOS", "A4".
const MIN_LETTERS: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Cyrillic,
    Arabic,
    Kana,
    Han,
    Other(&'static str),
}

fn script(c: char) -> Option<Script> {
    use Script::{Arabic, Cyrillic, Han, Kana, Latin, Other};
    Some(match c as u32 {
        0x41..=0x5A | 0x61..=0x7A | 0xC0..=0xD6 | 0xD8..=0xF6 | 0xF8..=0x24F | 0x1E00..=0x1EFF => Latin,
        0x400..=0x52F => Cyrillic,
        0x620..=0x64A | 0x671..=0x6D3 | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC => Arabic,
        0x3041..=0x30FF => Kana,
        0x3400..=0x4DBF | 0x4E00..=0x9FFF => Han,
        0x370..=0x3FF => Other("el"),
        0x531..=0x58F => Other("hy"),
        0x5D0..=0x5EA => Other("he"),
        0x900..=0x963 => Other("hi"),
        0x980..=0x9FF => Other("bn"),
        0xA00..=0xA7F => Other("pa"),
        0xA80..=0xAFF => Other("gu"),
        0xB80..=0xBFF => Other("ta"),
        0xC00..=0xC7F => Other("te"),
        0xE01..=0xE4E => Other("th"),
        0x10A0..=0x10FF => Other("ka"),
        0xAC00..=0xD7A3 | 0x1100..=0x11FF => Other("ko"),
        _ => return None,
    })
}

/// Letters that, within their script, point to one language (or none of those known, `und`).
const TELLING: &[(&str, &str, &str)] = &[
    ("і ї є ґ", "uk", "cyrillic"),
    ("ў", "be", "cyrillic"),
    ("ђ ј љ њ ћ џ", "sr", "cyrillic"),
    ("ѓ ѕ ќ", "mk", "cyrillic"),
    ("ә ғ қ ң ө ұ ү һ", "und", "cyrillic"),
    ("پ چ ژ گ ک ی", "fa", "arabic"),
    ("ٹ ڈ ڑ ں ے", "ur", "arabic"),
    ("ł ą ę ż ź", "pl", "latin"),
    ("ř ě ů", "cs", "latin"),
    ("ľ ĺ ŕ", "sk", "latin"),
    ("ő ű", "hu", "latin"),
    ("ț ș ţ", "ro", "latin"),
    ("ø æ", "da", "latin"),
    ("þ ð", "is", "latin"),
    ("ė ų į", "lt", "latin"),
    ("ā ē ī ū ķ ļ ņ ģ", "lv", "latin"),
];

/// Which entry of [`TELLING`] a lower-case letter belongs to.
fn telling(c: char, latin: bool) -> Option<usize> {
    // most letters are plain ASCII: nothing to look up
    if c.is_ascii()
        || (latin && matches!(c as u32, 0xE0..=0xE5 | 0xE7..=0xEF | 0xF1..=0xF6 | 0xF9..=0xFD | 0xFF))
    {
        return None;
    }
    TELLING.iter().position(|(letters, ..)| letters.contains(c))
}

/// Text that the detector sees. Reused between texts.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    text: String,
    half: usize,
    letters: usize,
    counts: [u32; 5],
    other: Option<(&'static str, u32)>,
    hints: [u8; TELLING.len()],
}

impl Sample {
    fn clear(&mut self) {
        self.text.clear();
        self.half = 0;
        self.letters = 0;
        self.counts = [0; 5];
        self.other = None;
        self.hints = [0; TELLING.len()];
    }

    /// Appends words of `text`, without masks, links, mentions and digits, until the sample is full.
    fn add(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(READ)];
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if self.text.len() >= SAMPLE {
                return;
            }
            match c {
                '[' => {
                    if let Some((len, _)) = crate::features::mask_len(&rest.as_bytes()[1..]) {
                        rest = &rest[1 + len..];
                        continue;
                    }
                }
                '@' => {
                    rest = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())).1;
                    continue;
                }
                'h' if rest.starts_with("http") && rest.get(..8).is_some_and(|s| s.contains("://")) => {
                    rest = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())).1;
                    continue;
                }
                _ => {}
            }
            self.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }

    fn push(&mut self, c: char) {
        let Some(script) = script(c) else {
            // separators stay, since word boundaries carry signal; runs collapse and digits vanish
            let boundary = !matches!(c, '\'' | '\u{2019}');
            if boundary && !self.text.ends_with(' ') && !self.text.is_empty() {
                self.text.push(' ');
                if self.half == 0 && self.text.len() >= SAMPLE / 2 {
                    self.half = self.text.len();
                }
            } else if !boundary {
                self.text.push(c);
            }
            return;
        };
        self.letters += 1;
        match script {
            Script::Latin => self.counts[0] += 1,
            Script::Cyrillic => self.counts[1] += 1,
            Script::Arabic => self.counts[2] += 1,
            Script::Kana => self.counts[3] += 1,
            Script::Han => self.counts[4] += 1,
            Script::Other(code) => match &mut self.other {
                Some((known, n)) if *known == code => *n += 1,
                Some((_, n)) if *n > 1 => *n -= 1,
                other => *other = Some((code, 1)),
            },
        }
        if !c.is_ascii()
            && let Some(i) = telling(c.to_lowercase().next().unwrap_or(c), script == Script::Latin)
        {
            self.hints[i] = self.hints[i].saturating_add(1);
        }
        self.text.push(c);
    }

    /// The telling letters of `script` seen most, if they make up at least one letter in `per`.
    fn hint(&self, script: &str, per: usize) -> Option<&'static str> {
        let seen = TELLING.iter().zip(&self.hints).filter(|((.., s), _)| *s == script);
        let ((_, code, _), &n) = seen.max_by_key(|&(_, &n)| n)?;
        (n > 0 && usize::from(n) * per >= self.letters).then_some(*code)
    }
}

/// Names the language of a ticket. Masks, links, mentions and numbers are not looked at.
pub(crate) fn detect(subject: &str, body: &str, sample: &mut Sample) -> Language {
    sample.clear();
    sample.add(body);
    if sample.letters < ENOUGH && !subject.is_empty() {
        sample.push(' ');
        sample.add(subject);
    }
    if sample.letters == 0 {
        return UNDETERMINED;
    }
    let [latin, cyrillic, arabic, kana, han] = sample.counts;
    let (other_code, other) = sample.other.unwrap_or(("und", 0));
    let share = |n: u32| n as f32 / sample.letters as f32;
    // a Japanese text is mostly Han; some kana decide
    if (kana + han) * 3 > sample.letters as u32 {
        let code = if kana * 10 >= han { "ja" } else { "zh" };
        return Language { code, confidence: 0.97 * share(kana + han) };
    }
    let most = latin.max(cyrillic).max(arabic).max(other);
    if most == other {
        return Language { code: other_code, confidence: 0.99 * share(other) };
    }
    if most == cyrillic {
        let code = sample.hint("cyrillic", 100).unwrap_or("ru");
        return named(code, short(sample.letters) * share(cyrillic));
    }
    if most == arabic {
        let code = sample.hint("arabic", 50).unwrap_or("ar");
        return named(code, 0.97 * share(arabic));
    }
    latin_language(sample, share(latin))
}

fn named(code: &'static str, confidence: f32) -> Language {
    if code == "und" { UNDETERMINED } else { Language { code, confidence } }
}

fn latin_language(sample: &Sample, share: f32) -> Language {
    if sample.letters < MIN_LETTERS {
        return UNDETERMINED;
    }
    if let Some(code) = sample.hint("latin", 60) {
        return Language { code, confidence: 0.8 * share };
    }
    let text = sample.text.trim();
    // two halves that agree need no third opinion
    let split = sample.half.min(text.len());
    let halves = (split > 0 && sample.letters >= HALVES).then(|| {
        let (a, b) = text.split_at(split);
        (whichlang::detect_language(a), whichlang::detect_language(b))
    });
    let (lang, agreed) = match halves {
        Some((a, b)) if a == b => (a, true),
        _ => (whichlang::detect_language(text), false),
    };
    let Some(code) = latin_code(lang) else { return UNDETERMINED };
    let confidence = if sample.letters >= HALVES && !agreed { 0.85 } else { short(sample.letters) };
    Language { code, confidence: confidence * share }
}

/// Share of right answers by number of letters.
fn short(letters: usize) -> f32 {
    match letters {
        0..10 => 0.50,
        10..20 => 0.75,
        20..40 => 0.90,
        40..80 => 0.95,
        80..120 => 0.98,
        _ => 0.99,
    }
}

fn latin_code(lang: whichlang::Lang) -> Option<&'static str> {
    use whichlang::Lang;
    Some(match lang {
        Lang::Deu => "de",
        Lang::Eng => "en",
        Lang::Fra => "fr",
        Lang::Ita => "it",
        Lang::Nld => "nl",
        Lang::Por => "pt",
        Lang::Spa => "es",
        Lang::Swe => "sv",
        Lang::Tur => "tr",
        Lang::Vie => "vi",
        // languages of other scripts: Latin text can't be one of them
        Lang::Ara | Lang::Cmn | Lang::Hin | Lang::Jpn | Lang::Kor | Lang::Rus => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        detect("", text, &mut Sample::default()).code
    }

    #[test]
    fn common_languages_of_helpdesks() {
        for (expected, text) in [
            ("en", "I was charged twice for my subscription, please refund one payment."),
            ("de", "Ich wurde zweimal belastet, bitte erstatten Sie eine Zahlung."),
            ("fr", "J'ai été débité deux fois, merci de rembourser un paiement."),
            ("es", "Me han cobrado dos veces, por favor devuelvan uno de los pagos."),
            ("pt", "Fui cobrado duas vezes, por favor devolvam um dos pagamentos."),
            ("it", "Mi avete addebitato due volte, vi prego di rimborsare un pagamento."),
            ("nl", "Er is twee keer afgeschreven, kunnen jullie een betaling terugstorten?"),
            ("vi", "Tôi đã bị trừ tiền hai lần cho cùng một đơn hàng, vui lòng hoàn lại một lần."),
            ("ru", "С меня дважды сняли деньги, верните один платёж."),
            ("uk", "З мене двічі зняли гроші, поверніть, будь ласка, один платіж."),
            ("pl", "Pobrano opłatę dwa razy, proszę o zwrot jednej płatności."),
            ("cs", "Platba byla stržena dvakrát, prosím o vrácení jedné z nich, děkuji předem."),
            (
                "hu",
                "Kétszer terhelték meg a kártyámat, kérem az egyik összeg visszatérítését, köszönöm, sürgős lenne egyből az ügyintézőtől.",
            ),
            ("ja", "二重に請求されました。返金してください。"),
            ("zh", "我被重复收费了，请退款。"),
            ("ko", "결제가 두 번 되었습니다. 환불해 주세요."),
            ("ar", "تم خصم المبلغ مرتين، يرجى رد أحدهما."),
            ("fa", "مبلغ دو بار از حسابم کم شده، لطفا یکی را برگردانید."),
            ("el", "Χρεώθηκα δύο φορές, παρακαλώ επιστρέψτε τη μία πληρωμή."),
            ("he", "חויבתי פעמיים, אנא החזירו תשלום אחד."),
            ("th", "ถูกเรียกเก็บเงินสองครั้ง กรุณาคืนเงิน"),
            ("hi", "मुझसे दो बार पैसे लिए गए, कृपया एक भुगतान लौटाएँ।"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_to_go_by_is_und() {
        for text in [
            "",
            "  \n",
            "12345",
            "ok",
            "!!!",
            "👍👍",
            "[EMAIL] [PHONE]",
            "https://example.com/the/english/path",
        ] {
            assert_eq!(detect("", text, &mut Sample::default()), UNDETERMINED, "{text}");
        }
    }

    #[test]
    fn masks_and_links_do_not_sway() {
        let text = "[CREDIT_CARD] [EMAIL] Meine Karte wird nicht angenommen [PERSON_1] https://shop.example/where-is-the-order";
        assert_eq!(code(text), "de");
    }

    #[test]
    fn a_short_body_is_read_with_its_subject() {
        let with_subject =
            detect("Die Rechnung für Oktober fehlt noch immer", "Bitte", &mut Sample::default());
        assert_eq!(with_subject.code, "de");
        let alone = detect("", "Bitte helfen", &mut Sample::default());
        assert!(alone.confidence < with_subject.confidence);
    }
}
