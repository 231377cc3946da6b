//! Speed of redaction: `cargo bench -p deskstream-redact`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use deskstream_redact::{RedactConfig, Redacted, Redactor};

const CLEAN: &str = "Hello team, since the last update the export button does nothing when I click on it. I have tried \
    it with two browsers and on another computer, and the result is always the same: the page loads for a while and \
    then nothing is downloaded. My colleagues in the other office see the same, so that we can't close the month. \
    Could you please have a look and tell us whether we should wait or use the old report instead? ";

const PERSONAL: &str = "Hi, my order 100234567 was charged twice on 4111 1111 1111 1111. Please call me at (415) 555-2671 \
    or +49 151 12345678 or write to jane.doe@example.com. The refund goes to DE89 3704 0044 0532 0130 00. I was born on \
    03/12/1985 and my login is jane, password: Tr0ub4dor3. It happened at 10:30 on 2024-03-01 from 203.0.113.77. ";

const TYPOGRAPHIC: &str = "Bonjour, la commande n’est pas arrivée – merci de vérifier l’adresse de livraison et de me \
    rappeler\u{A0}: je suis joignable l’après-midi. Le colis devait être livré avant la fin de la semaine… ";

fn ticket(sentences: &str, bytes: usize) -> String {
    let mut text = sentences.repeat(bytes / sentences.len() + 1);
    let mut cut = bytes;
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    text.truncate(cut);
    text
}

fn redact(c: &mut Criterion) {
    let redactor = Redactor::new(&RedactConfig::default()).expect("the default configuration is valid");
    let mut out = Redacted::default();
    // One piece of personal data in five hundred bytes is about what support mail holds.
    let mixed =
        format!("{CLEAN}{CLEAN}Call me at +1 415 555 2671 or write to jane.doe@example.com. Thanks! ");
    let texts = [
        ("clean_1k", ticket(CLEAN, 1 << 10)),
        ("mixed_1k", ticket(&mixed, 1 << 10)),
        ("dense_1k", ticket(PERSONAL, 1 << 10)),
        ("typographic_1k", ticket(TYPOGRAPHIC, 1 << 10)),
        ("mixed_100k", ticket(&mixed, 100 << 10)),
        ("dense_100k", ticket(PERSONAL, 100 << 10)),
        ("digits_100k", ticket("4111 1111 2222 33 ", 100 << 10)),
    ];
    let mut group = c.benchmark_group("redact");
    for (name, text) in &texts {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), text, |b, text| {
            b.iter(|| {
                redactor.redact(black_box(text), &mut out);
                black_box(out.spans.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, redact);
criterion_main!(benches);
