//! Cost is linear in the length of the text, whatever it holds.
//!
//! Time is measured as a ratio between a text and one four times as long, the best of several runs each: linear
//! code gives 4, quadratic code 16. The bound between them leaves room for caches and a busy machine. The texts are
//! so short that the best run fits into one time slice of the scheduler.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use deskstream_redact::{RedactConfig, Redacted, Redactor};

const SMALL: usize = 2 << 10;
const FACTOR: usize = 16;
const BOUND: f64 = 64.0;

fn best_of(redactor: &Redactor, text: &str, out: &mut Redacted) -> Duration {
    (0..10)
        .map(|_| {
            let start = Instant::now();
            redactor.redact(text, out);
            start.elapsed()
        })
        .min()
        .unwrap()
}

#[test]
fn hostile_texts_cost_linear_time() {
    let pieces: &[&str] = &[
        "1",
        "1 ",
        "1-",
        "12 ",
        "4111 ",
        "4111-",
        "4111111111111111 ",
        "+49 30 ",
        "+",
        "(1)",
        "@",
        "a@",
        "a@a.",
        "a.b@c.d",
        " at a dot ",
        "x(at)",
        "(dot)",
        ":",
        "::",
        "a:",
        "://",
        "a://",
        "https://a@",
        "https://x?token=",
        "1.",
        "1.2.3.4.",
        "1.2.3.4 ",
        "DE89",
        "DE89 ",
        "DE89370400440532013",
        "password=",
        "password: ",
        "password is ",
        "token=\"",
        "eyJ",
        "eyJ.",
        "eyJaaaaaaaaaa.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----a",
        "AKIA",
        "sk-",
        "xoxb-",
        "Bearer ",
        "bearer a1",
        "born ",
        "born 1",
        "1/1/1985 born ",
        "passport ",
        "passport a",
        "passport 1",
        "phone ",
        "phone 1",
        "card 4",
        "order 4155552671 ",
        "[",
        "[EMAIL]",
        "phone [A",
        "x",
        "ä",
        "\u{200B}",
        "４",
        "日本",
        "１ ",
        "1\u{A0}",
        "a8f5f167",
        "NHS ",
        "NHS a ",
        "tax id 1",
        "tax id a ",
        "account number 1 ",
        "zip code a",
        "12 Main ",
        "12 Main Street ",
        "1 A B C ",
        "Hauptstraße 1 ",
        "Calle Mayor 1, ",
        "Apt. 1 ",
        "PO Box 1 ",
        "Unit 1 Box ",
        "four ",
        "one four ",
        "four 1 ",
        "double ",
        "&#64;",
        "&",
        "&#",
        "=40",
        "=4",
        "=\n",
        "%40",
        "%",
        "\\@",
        "\\",
        "**1",
        "*",
        "1*",
        "_1",
        "<b>",
        "<b",
        "<b a",
        "a @ ",
        "a @ b . ",
        "a ",
        "4111\n",
        "4111_",
        "4111 1111\n",
        "bXkgbWFpbCBp",
        "bXkgbWFpbCBpcyBhbmFAZXhhbXBsZS5jb20= ",
        "bXkgbWFpbCBpcyBhbmFAZXhhbXBsZS5jb20",
        "а",
        "аb",
        "00:",
        "00:1A:",
        "00-1a-",
        "0x5a",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa ",
        "1A1z",
        "40.7128, ",
        "-40.7128 ",
        "AB 12 ",
        "AB12",
        "RSSMRA85T10A562S ",
        "1M8GDM9AXKP042788",
        "2123 45670 1 ",
        "529.982.",
        "my password is a ",
        "my password is sunshine. ",
        "plate A1 ",
        "BIC DEUTDEFF ",
    ];
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut out = Redacted::default();
    let mut slow = Vec::new();
    for piece in pieces {
        let small = piece.repeat(SMALL / piece.len());
        let large = piece.repeat(FACTOR * SMALL / piece.len());
        // More looks before a verdict: the machine may have been busy.
        let mut ratio = f64::INFINITY;
        for _ in 0..12 {
            let short = best_of(&redactor, &small, &mut out).max(Duration::from_micros(20));
            ratio = ratio.min(best_of(&redactor, &large, &mut out).as_secs_f64() / short.as_secs_f64());
            if ratio <= BOUND {
                break;
            }
        }
        if ratio > BOUND {
            slow.push(format!("{piece:?}: {ratio:.1} times for {FACTOR} times the text"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

/// From a short mail to the longest: the cost of a byte stays the same.
#[test]
fn cost_of_a_byte_is_the_same_from_1_kib_to_5_mib() {
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut out = Redacted::default();
    let ticket = "Hello, I live at 12 Main Street and my card 4111 1111 1111 1111 was charged twice for order 100234567. \
        Call +1 415 555 2671 or write to jane.doe&#64;example.com; it costs 12.50 EUR since version 4.2.1. ";
    let mut per_byte = |bytes: usize| {
        let text = ticket.repeat(bytes / ticket.len() + 1);
        let runs = if bytes > 1 << 20 { 2 } else { 20 };
        let best = (0..runs)
            .map(|_| {
                let start = Instant::now();
                redactor.redact(&text, &mut out);
                start.elapsed()
            })
            .min()
            .unwrap();
        best.as_secs_f64() / text.len() as f64
    };
    per_byte(1 << 10);
    let (small, large) = (per_byte(1 << 10), per_byte(5 << 20));
    // Quadratic cost would make it five thousand times as much; caches make it up to a few times.
    assert!(large < small * 6.0, "{small:e} s a byte at 1 KiB, {large:e} s at 5 MiB");
}

#[test]
fn a_mebibyte_without_a_space_is_no_problem() {
    let redactor = Redactor::new(&RedactConfig::default()).unwrap();
    let mut out = Redacted::default();
    for piece in ["a", "1", "a1", "A1b2-", "@a.b", "1:", "é", "４"] {
        let text = piece.repeat((1 << 20) / piece.len());
        redactor.redact(&text, &mut out);
        assert!(out.text.len() <= text.len(), "{piece}");
    }
}
