//! Proof by an independent client: zenpy drives the sample Zendesk.
//!
//! Not part of the ordinary tests, since it needs Python with zenpy:
//!
//! ```text
//! python3 -m venv /some/where && /some/where/bin/pip install zenpy==2.0.57
//! ZENPY_PYTHON=/some/where/bin/python cargo test -p deskstream-samples --test zenpy -- --ignored
//! ```
//!
//! zenpy is GPL-3.0: a tool run beside the tests, never linked or shipped.

use deskstream_samples::zendesk::{Limits, Options, Zendesk};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Python with zenpy: see the top of this file"]
async fn zenpy_agrees_with_the_sample() {
    let python = std::env::var("ZENPY_PYTHON").expect("ZENPY_PYTHON names a Python that has zenpy");
    let zendesk = Zendesk::start(Options { limits: Limits::none(), ..Options::default() }).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/zenpy_check.py");
    let options = zendesk.options();
    let output = tokio::process::Command::new(python)
        .args([script, &zendesk.url(), &options.email, &options.api_token])
        .output()
        .await
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    println!("{told}");
}
