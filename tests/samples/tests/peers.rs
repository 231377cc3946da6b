//! Proof by independent clients: zenpy drives the sample Zendesk, Slack's own SDK the sample Slack.
//!
//! Not part of the ordinary tests, since they need Python with those clients:
//!
//! ```text
//! python3 -m venv /some/where && /some/where/bin/pip install zenpy==2.0.57 slack_sdk==3.47.0
//! PEERS_PYTHON=/some/where/bin/python cargo test -p deskstream-samples --test peers -- --ignored
//! ```
//!
//! zenpy is GPL-3.0: a tool run beside the tests, never linked or shipped.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]
#![allow(clippy::print_stdout, reason = "the client's words, for --nocapture")]

use deskstream_samples::slack::{self, Slack};
use deskstream_samples::zendesk::{Limits, Options, Zendesk};

async fn run(script: &str, arguments: &[&str]) {
    let python = std::env::var("PEERS_PYTHON").expect("PEERS_PYTHON names a Python that has the clients");
    let script = format!("{}/tests/{script}", env!("CARGO_MANIFEST_DIR"));
    let output = tokio::process::Command::new(python).arg(script).args(arguments).output().await.unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}\n{errors}");
    println!("{told}");
}

#[tokio::test]
#[ignore = "needs Python with zenpy: see the top of this file"]
async fn zenpy_agrees_with_the_sample_zendesk() {
    let zendesk = Zendesk::start(Options { limits: Limits::none(), ..Options::default() }).await.unwrap();
    let options = zendesk.options();
    run("zenpy_check.py", &[&zendesk.url(), &options.email, &options.api_token]).await;
}

#[tokio::test]
#[ignore = "needs Python with slack_sdk: see the top of this file"]
async fn slack_sdk_agrees_with_the_sample_slack() {
    let slack = Slack::start(slack::Options::default()).await.unwrap();
    let (hook, api, token) = (slack.webhook_url(), slack.api_url(), slack.bot_token());
    run("slack_check.py", &[&hook, &api, &token, slack::bot::CHANNEL]).await;
    assert!(slack.stats().accepted >= 3 && slack.stats().throttled >= 1);
}
