//! What a ticket costs: time by length and language, and by part. `cargo bench -p deskstream-analyze`.
#![allow(missing_docs, reason = "criterion_group! makes an undocumented function")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deskstream_analyze::{Analyzer, Scratch};

const SENTENCES: &[&str] = &[
    "Hello, I ordered a pair of boots on Monday and the tracking page has not moved since. ",
    "My account shows two charges of 49.90 for the same order, please return one of them. ",
    "I wrote to [EMAIL] last week and called [PHONE], but nobody could tell me anything. ",
    "The app shows an error as soon as I open the payment page, and I tried three browsers. ",
    "We need an answer by tomorrow, because our own customers are waiting for the parts. ",
    "The serial number is X-2281 and the invoice was sent to [PERSON_1] in accounting. ",
];

/// Ordinary ticket text of about `bytes` bytes.
fn ticket(bytes: usize) -> String {
    let mut text: String = SENTENCES.iter().cycle().take(bytes / 60 + 1).copied().collect();
    text.truncate(bytes);
    text
}

/// As [`ticket`], with words that repeat less: what caches see on a stream of different tickets.
fn stream(tickets: usize, bytes: usize) -> Vec<String> {
    let words: Vec<&str> = SENTENCES.iter().flat_map(|s| s.split(' ')).filter(|w| !w.is_empty()).collect();
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut make = || {
        let mut text = String::new();
        while text.len() < bytes {
            // half of the words are made up, so that rows come from all over the table
            if next() % 2 == 0 {
                text.push_str(words[next() % words.len()]);
            } else {
                text.extend((0..3 + next() % 7).map(|_| char::from(b'a' + (next() % 26) as u8)));
            }
            text.push_str(if next() % 12 == 0 { ". " } else { " " });
        }
        text.truncate(bytes);
        text
    };
    (0..tickets).map(|_| make()).collect()
}

fn analyze(c: &mut Criterion) {
    let analyzer = Analyzer::shipped().expect("the shipped model is valid");
    let mut scratch = Scratch::default();
    let mut group = c.benchmark_group("analyze");
    for bytes in [128, 1024, 4096, 1 << 20] {
        let text = ticket(bytes);
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("{bytes} bytes"), |b| {
            b.iter(|| analyzer.analyze(black_box("Where is my order?"), black_box(&text), &mut scratch));
        });
    }
    let texts = stream(1000, 1024);
    let mut i = 0;
    group.bench_function("1024 bytes, 1000 different", |b| {
        b.iter(|| {
            i = (i + 1) % texts.len();
            analyzer.analyze(black_box("Where is my order?"), black_box(&texts[i]), &mut scratch)
        });
    });
    group.bench_function("1024 bytes, heads only", |b| {
        let text = ticket(1024);
        b.iter(|| analyzer.score(black_box("Where is my order?"), black_box(&text), &mut scratch));
    });
    let german = "Guten Tag, meine Überweisung über 250 € ist seit fünf Tagen nicht angekommen. ".repeat(13);
    group.bench_function("1 KiB, German", |b| {
        b.iter(|| analyzer.analyze(black_box("Überweisung"), black_box(&german), &mut scratch));
    });
    group.finish();

    c.bench_function("load the shipped model", |b| b.iter(Analyzer::shipped));
}

criterion_group!(benches, analyze);
criterion_main!(benches);
