//! What the tables of cases share.

use deskstream_redact::{PiiKind, RedactConfig, Redacted, Redactor};

/// In each case the text between `⟦` and `⟧` must be found as `kind`, and nothing else.
pub fn check(kind: PiiKind, cases: &[&str]) {
    let cases: Vec<(PiiKind, String)> = cases.iter().map(|case| (kind, (*case).to_owned())).collect();
    check_each(&cases);
}

/// Like [`check`], each case with a kind of its own.
pub fn check_each(cases: &[(PiiKind, String)]) {
    let redactor = Redactor::new(&RedactConfig::structured()).unwrap();
    let mut out = Redacted::default();
    let mut failures = Vec::new();
    for (kind, case) in cases {
        let text = case.replace(['⟦', '⟧'], "");
        let expected: Vec<String> = case
            .split('⟦')
            .skip(1)
            .map(|rest| format!("{kind}:{}", rest.split('⟧').next().unwrap()))
            .collect();
        redactor.redact(&text, &mut out);
        let found: Vec<String> = out
            .spans
            .iter()
            .map(|s| format!("{}:{}", s.kind, &text[s.start as usize..s.end as usize]))
            .collect();
        if found != expected {
            failures.push(format!("{case}\n    found {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
}
