//! Values that are hidden from patterns, found and reported on the original text.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{check, check_each};
use deskstream_redact::PiiKind;

#[test]
fn characters() {
    check(
        PiiKind::PaymentCard,
        &[
            "⟦4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1⟧",
            "⟦４１１１１１１１１１１１１１１１⟧",
            "⟦4\u{200B}1\u{200B}1\u{200B}1 1111 1111 1111⟧",
            "⟦4111\u{AD}1111\u{2060}1111\u{FEFF}1111⟧",
            "⟦𝟒𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏 𝟏𝟏𝟏𝟏⟧",
            "⟦4111_1111_1111_1111⟧",
            "⟦4111|1111|1111|1111⟧",
            "⟦4111/1111/1111/1111⟧",
        ],
    );
    check(
        PiiKind::Email,
        &[
            "⟦аna@exаmple.com⟧ with Cyrillic а",
            "⟦αna.lopez@example.cοm⟧ with Greek ο",
            "⟦a n a @ e x a m p l e . c o m⟧",
            "mail ⟦j o h n . d o e @ e x a m p l e . c o m⟧ please",
            "⟦𝐚𝐧𝐚@𝐞𝐱𝐚𝐦𝐩𝐥𝐞.𝐜𝐨𝐦⟧",
            "⟦ana＠example.com⟧",
        ],
    );
    check(PiiKind::Secret, &[concat!("⟦АKIA", "IOSFODNN7EXAMPLE⟧"), "pаssword: ⟦Tr0ub4dor&3⟧"]);
}

#[test]
fn words() {
    check(
        PiiKind::Email,
        &[
            "⟦ana (at) example (dot) com⟧",
            "⟦ana [at] example [punkt] de⟧",
            "meine Mail ⟦ana.lopez (ät) beispiel.de⟧",
            "mon mail ⟦ana arobase exemple.fr⟧",
            "mi email es ⟦ana arroba ejemplo punto es⟧",
            "mail: ⟦ana.lopez at example dot com⟧",
        ],
    );
    check(
        PiiKind::PaymentCard,
        &[
            "⟦four one one one one one one one one one one one one one one one⟧",
            "card ⟦four-one-one-one, 1111, one one one one, 1111⟧ ok",
            "⟦vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins⟧",
            "mi tarjeta: ⟦cuatro uno uno uno uno uno uno uno uno uno uno uno uno uno uno uno⟧",
            "⟦quatre un un un un un un un un un un un un un un un⟧",
            "⟦quatro um um um um um um um um um um um um um um um⟧",
        ],
    );
    check(
        PiiKind::Phone,
        &[
            "call me at ⟦four one five five five five two six seven one⟧",
            "Telefon ⟦null drei null eins zwei drei vier fünf sechs sieben⟧",
            "llámame al ⟦seis uno dos tres cuatro cinco seis siete ocho⟧",
            "mon portable ⟦zéro six un deux trois quatre cinq six sept huit⟧",
            "my phone is ⟦four one five triple five two six seven one⟧",
        ],
    );
    check(PiiKind::UsSsn, &["my ssn is ⟦five three six two two eight seven two six⟧"]);
    check(
        PiiKind::Phone,
        &[
            "we need one, two or three of seven machines",
            "nine out of ten, five of eight, three four seven",
            "from zero to nine in five steps: one two three four five six seven",
        ],
    );
}

#[test]
fn escapes() {
    check(
        PiiKind::Email,
        &[
            "⟦ana&#64;example.com⟧",
            "⟦ana&#x40;example&#46;com⟧",
            "⟦ana&commat;example&period;com⟧",
            "⟦ana=40example.com⟧",
            "?mail=⟦ana%40example.com⟧",
            "⟦ana\\@example\\.com⟧",
            "{\"mail\": \"⟦ana\\u0040example.com⟧\"}",
            "⟦ana**@**example.com⟧",
            "[⟦ana@example.com⟧](mailto:⟦ana@example.com⟧)",
            "⟦ana<b>@</b>example.com⟧",
            "**⟦ana@example.com⟧**",
        ],
    );
    check_each(&[
        (PiiKind::Phone, "call ⟦415&nbsp;555&nbsp;2671⟧ now".to_owned()),
        (PiiKind::PaymentCard, "**⟦4111** **1111** **1111** **1111⟧**".to_owned()),
        (PiiKind::PaymentCard, "⟦4111&#32;1111&#32;1111&#32;1111⟧".to_owned()),
        (PiiKind::PaymentCard, "⟦4111<br>1111<br>1111<br>1111⟧".to_owned()),
    ]);
}

#[test]
fn lines() {
    check(
        PiiKind::PaymentCard,
        &[
            "my card is ⟦4111 1111\n1111 1111⟧ thanks",
            "card ⟦4111\n1111\n1111\n1111⟧",
            "> pay with ⟦4111 1111 11\n> 11 1111⟧",
            "⟦41111111\r\n11111111⟧",
            "⟦4111 1111 1111=\n 1111⟧",
        ],
    );
}

#[test]
fn base64() {
    check(
        PiiKind::Email,
        &[
            "see ⟦bXkgbWFpbCBpcyBhbmFAZXhhbXBsZS5jb20=⟧ there",
            "data:text/plain;base64,⟦TmFtZTogQW5hLCBtYWlsIGFuYUBleGFtcGxlLmNvbQ⟧",
            // The same once more in base64.
            "⟦YlhrZ2JXRnBiQ0JwY3lCaGJtRkFaWGhoYlhCc1pTNWpiMjA9⟧",
        ],
    );
    check(PiiKind::PaymentCard, &["⟦Y2FyZCA0MTExIDExMTEgMTExMSAxMTEx⟧"]);
    check(
        PiiKind::Email,
        &["aGVsbG8gd29ybGQsIG5vdGhpbmcgdG8gc2VlIGhlcmU=", "aHR0cHM6Ly9leGFtcGxlLmNvbS9wYWdl"],
    );
}

#[test]
fn passwords_in_prose() {
    check(
        PiiKind::Secret,
        &[
            "my password is ⟦sunshine⟧.",
            "Mein Passwort ist ⟦sommer⟧",
            "mi contraseña es ⟦mariposa⟧, gracias",
            "mon mot de passe est ⟦chocolat⟧.",
            "minha senha é ⟦borboleta⟧",
            "la mia password è ⟦farfalla⟧.",
            "mijn wachtwoord is ⟦vlinder⟧.",
            "my password is ⟦Tr0ub4dor&3⟧ and it fails",
        ],
    );
    check(
        PiiKind::Secret,
        &[
            "my password is wrong.",
            "my password is expired",
            "Mein Passwort ist falsch.",
            "mi contraseña es incorrecta.",
            "mon mot de passe est incorrect.",
            "my password is not working, it is correct",
            "the password is required.",
        ],
    );
}
