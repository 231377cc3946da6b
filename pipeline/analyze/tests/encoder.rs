//! The encoder on its real files, if `scripts/encoder.sh` has fetched them, and its errors without.
#![cfg(feature = "encoder")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is how a test fails, a line how it is skipped"
)]

use std::sync::Arc;

use deskstream_analyze::{Encoder, EncoderError, encoder::WIDTH};

/// The encoder, where its files are. Without them only the tests of errors say anything.
fn encoder() -> Option<Encoder> {
    let folder = Encoder::default_folder().filter(|f| f.join("model.onnx").is_file());
    if folder.is_none() {
        eprintln!("skipped: scripts/encoder.sh has not fetched the encoder");
    }
    Some(Encoder::with_threads(&folder?, 2).unwrap())
}

fn alike(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn texts_of_one_meaning_lie_together_in_whatever_order_threads_answer() {
    let Some(encoder) = encoder() else { return };
    let texts =
        ["my parcel has not arrived", "where is my package", "please reset my password", "I forgot my login"];
    let vectors = encoder.embed(&texts).unwrap();
    assert!(vectors.iter().all(|v| v.len() == WIDTH && (alike(v, v) - 1.0).abs() < 1e-4));
    assert!(alike(&vectors[0], &vectors[1]) > alike(&vectors[0], &vectors[2]) + 0.2);
    assert!(alike(&vectors[2], &vectors[3]) > alike(&vectors[1], &vectors[3]) + 0.2);
    // the queue holds fewer than these
    let many: Vec<&str> = texts.iter().copied().cycle().take(100).collect();
    for (i, vector) in encoder.embed(&many).unwrap().iter().enumerate() {
        assert!((alike(vector, &vectors[i % texts.len()]) - 1.0).abs() < 1e-4, "{i}");
    }
    assert_eq!(encoder.waiting(), 0);
}

#[test]
fn odd_texts_are_encoded() {
    let Some(encoder) = encoder() else { return };
    let huge = "My invoice is wrong. ".repeat(5 << 20 >> 4);
    let texts = ["", "a", "👍👍", "{\"json\": [1]}", "Привет hello 你好 שלום", "\u{0}\u{202E}", &huge];
    for (text, vector) in texts.iter().zip(encoder.embed(&texts).unwrap()) {
        assert!(vector.iter().all(|v| v.is_finite()) && vector.len() == WIDTH, "{:?}", text.get(..9));
    }
    assert!(encoder.embed(&[]).unwrap().is_empty());
}

#[test]
fn several_threads_may_ask_at_once() {
    let Some(encoder) = encoder().map(Arc::new) else { return };
    let asks = |text: &'static str| {
        let encoder = encoder.clone();
        std::thread::spawn(move || encoder.embed(&[text; 20]).unwrap())
    };
    for answers in [asks("refund"), asks("outage"), asks("login")] {
        let answers = answers.join().unwrap();
        assert!(answers.iter().all(|v| *v == answers[0]));
    }
}

#[test]
fn what_is_missing_is_named_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let error = Encoder::open(folder.path()).unwrap_err();
    assert!(matches!(error, EncoderError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("model.onnx") && text.contains("scripts/encoder.sh"), "{text}");
}

#[test]
fn another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.onnx"), "not the model").unwrap();
    assert!(matches!(Encoder::open(folder.path()), Err(EncoderError::Checksum { .. })));
}
