//! What is new in a mail: what it quotes of earlier ones is not its text.
//!
//! Only what mail programs themselves put between the new text and the old is taken for a border. A text that would be
//! empty without what it quotes stays whole, and so does one who answers between the lines. What is forwarded is no
//! quote: it may be all that there is to say.

/// Words after which a line such as `On Mon, 23 Nov 2026, Sam wrote:` ends, in the languages of mail programs.
const WROTE: [&str; 12] = [
    "wrote:",
    "writes:",
    "schrieb:",
    "geschrieben:",
    "escribió:",
    "escreveu:",
    "a écrit :",
    "a écrit:",
    "ha scritto:",
    "schreef:",
    "napisał(a):",
    "skrev:",
];

/// How such a line begins. `schrieb` also stands before the name: `Am 23.11.2026 schrieb Sam Sample:`.
const ON: [&str; 9] = ["on ", "am ", "el ", "em ", "le ", "il ", "op ", "w dniu ", "den "];

/// Lines that stand alone above what is quoted.
const RULES: [&str; 6] = [
    "original message",
    "ursprüngliche nachricht",
    "mensaje original",
    "mensagem original",
    "message d'origine",
    "messaggio originale",
];

/// First and later fields of the heading that Outlook puts above what it quotes.
const FROM: [&str; 5] = ["from:", "von:", "de:", "da:", "van:"];
const SENT: [&str; 8] =
    ["sent:", "gesendet:", "enviado:", "enviado el:", "envoyé :", "envoyé:", "inviato:", "date:"];

/// Longest line that is looked at for a border: what mail programs write is short.
const LONGEST: usize = 400;

/// A heading's fields stand within so many lines.
const HEADING: usize = 4;

/// The text without what it quotes at its end. Linear in its length.
pub fn new_text(text: &str) -> &str {
    let mut at = 0;
    let mut border = None;
    let mut rest = text.split_inclusive('\n');
    while let Some(line) = rest.next() {
        if begins_quote(line, rest.clone()) {
            border = Some(at);
            break;
        }
        at += line.len();
    }
    let kept = text[..border.unwrap_or(text.len())].trim_end();
    let kept = without_marked_tail(kept);
    if kept.trim().is_empty() { text } else { kept }
}

fn begins_quote<'a>(line: &str, following: impl Iterator<Item = &'a str>) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > LONGEST {
        return false;
    }
    let small = line.to_lowercase();
    let ruled = small.trim_matches(|c: char| c == '-' || c == '_' || c.is_whitespace());
    if small.starts_with("--") && RULES.contains(&ruled) {
        return true;
    }
    let on = ON.iter().any(|on| small.starts_with(on));
    if on && small.ends_with(':') && says_when(&small) {
        let wrote = WROTE.iter().any(|wrote| small.ends_with(wrote));
        return wrote || (small.starts_with("am ") && small.contains(" schrieb "));
    }
    FROM.iter().any(|from| small.starts_with(from))
        && following.take(HEADING).any(|line| {
            let small = line.trim_start();
            SENT.iter().any(|sent| small.get(..sent.len()).is_some_and(|start| start.to_lowercase() == *sent))
        })
}

/// A date or a time has digits; "On our side the customer wrote:" has none.
fn says_when(line: &str) -> bool {
    line.bytes().filter(u8::is_ascii_digit).count() >= 2
}

/// Without the lines marked by `>` with which it ends.
fn without_marked_tail(text: &str) -> &str {
    let mut end = text.len();
    while end > 0 {
        let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
        let line = text[start..end].trim();
        if !line.is_empty() && !line.starts_with('>') {
            break;
        }
        end = start.saturating_sub(1);
        if start == 0 {
            end = 0;
        }
    }
    text[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_quoted_is_left_out() {
        for quoted in [
            "On Mon, 23 Nov 2026 at 12:01, Sam Sample <sam@customer.example> wrote:\n> Charged twice\n> Sam",
            "Am 23.11.2026 um 12:01 schrieb Sam Sample:\n> Doppelt abgebucht",
            "El lun, 23 nov 2026 a las 12:01, Sam escribió:\nHola",
            "Le lun. 23 nov. 2026 à 12:01, Sam a écrit :\n> Bonjour",
            "-----Original Message-----\nFrom: Sam\nCharged twice",
            "From: Sam Sample\nSent: Monday, November 23, 2026\nTo: Support\nSubject: Charged\n\nCharged twice",
            "Von: Sam Sample\nGesendet: Montag, 23. November 2026\n\nDoppelt",
            "> Charged twice\n\n> Sam\n",
        ] {
            let mail = format!("Thank you,\nit works now.\n\n{quoted}");
            assert_eq!(new_text(&mail), "Thank you,\nit works now.", "{quoted}");
        }
    }

    #[test]
    fn what_only_looks_like_a_quote_stays() {
        for text in [
            "On our side the customer wrote:\nnothing works",
            "On 23 November the price is 12:\nsee the invoice",
            "From: the login page, I can't get in\nplease help",
            "a > b\nand so on",
            "See below.\n---------- Forwarded message ----------\nFrom: Sam\nplease look at this",
            "-- \nSam Sample\nExample Ltd.",
            "> Is it on?\nYes.\n> Is it plugged in?\nYes, it is.",
            "",
        ] {
            assert_eq!(new_text(text), text);
        }
    }

    #[test]
    fn what_is_all_quote_stays_whole() {
        for text in ["> only this\n> and that", "-----Original Message-----\nFrom: Sam\nCharged twice"] {
            assert_eq!(new_text(text), text);
        }
    }

    proptest! {
        #[test]
        fn it_is_always_a_beginning(text in "([a-zé>:0-9 -]{0,30}\n){0,12}(On 12:01, S wrote:\n)?(> x\n){0,3}") {
            prop_assert!(text.starts_with(new_text(&text)));
        }
    }
}
