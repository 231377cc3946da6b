//! Detectors, layers, merger and policies under libFuzzer. The first byte chooses the policies.
//!
//! ```text
//! cargo install cargo-fuzz
//! cd pipeline/redact && cargo +nightly fuzz run redact -- -max_total_time=600 -max_len=4096 -dict=fuzz/redact.dict
//! ```
//!
//! Without cargo-fuzz, what it does: `RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
//! -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
//! -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions" cargo +nightly build --release
//! --target x86_64-unknown-linux-gnu` in this folder, and the program takes the same options.
#![no_main]

use std::sync::LazyLock;

use deskstream_redact::{PiiKind, Policy, PseudonymKey, RedactConfig, Redacted, Redactor};
use libfuzzer_sys::fuzz_target;

static REDACTORS: LazyLock<Vec<Redactor>> = LazyLock::new(|| {
    let with = |choose: fn(usize, PiiKind) -> Policy| {
        let policies = PiiKind::ALL.into_iter().enumerate().map(|(i, kind)| (kind, choose(i, kind))).collect();
        Redactor::new(&RedactConfig { policies, ..RedactConfig::default() }).expect("the policies are valid")
    };
    let partial = |_, kind: PiiKind| if kind.allows_partial() { Policy::Partial } else { Policy::Mask };
    let mixed = |i, _| [Policy::Mask, Policy::Keep, Policy::Off][i % 3];
    let rules = include_str!("../../tests/tenant-policy.toml");
    let mut own: RedactConfig = toml::from_str(rules).expect("a policy");
    for (i, kind) in PiiKind::ALL.into_iter().filter(|kind| kind.allows_linking()).enumerate() {
        own.policies.insert(kind, [Policy::Pseudonym, Policy::Hash, Policy::Mask][i % 3]);
    }
    let own = Redactor::with_key(&own, &PseudonymKey::new([7; 32])).expect("the policy is valid");
    vec![with(|_, _| Policy::Mask), with(partial), own, with(mixed)]
});

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let which = usize::from(choice) % REDACTORS.len();
    let mut once = Redacted::default();
    REDACTORS[which].redact(text, &mut once);
    let mut done = 0;
    for span in &once.spans {
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(done <= start && start < end && end <= text.len(), "spans are sorted, disjoint and not empty");
        assert!(text.is_char_boundary(start) && text.is_char_boundary(end), "spans are on character boundaries");
        done = end;
    }
    // What is kept or off may be masked once its neighbour is gone.
    if which < 3 {
        let mut twice = Redacted::default();
        REDACTORS[which].redact(&once.text, &mut twice);
        assert!(twice.text == once.text, "redacting twice equals once");
    }
});
