//! What we ask of Intercom, and what the sample Intercom answers, held to Intercom's own description of its API by a
//! validator that nobody here wrote: Prism stands between our client and the sample, and fails whatever is not as
//! described, in either direction.
//!
//! Not part of the ordinary tests, since it needs Prism from npm: `make test-contract`.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use deskstream_connectors::helpdesk::Wrote;
use deskstream_connectors::intercom::client::Api;
use deskstream_runtime::config::IntercomConfig;
use deskstream_samples::intercom::{Intercom, NewConversation, Options};
use serde_json::json;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/contract/intercom/api-2.14.yaml");

/// Prism takes seconds to read a description.
const PATIENCE: Duration = Duration::from_secs(90);

/// A validating proxy; ends with the test.
struct Prism {
    child: Child,
    url: String,
}

impl Prism {
    async fn before(upstream: &str) -> Self {
        let program = std::env::var("PRISM").expect("PRISM names Prism's program: run make test-contract");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["proxy", DESCRIPTION, upstream, "--errors", "--host", "127.0.0.1"])
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let prism = Self { child, url: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + PATIENCE;
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "Prism does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        prism
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn api(url: &str, token: &Path) -> Api {
    let config: IntercomConfig = serde_json::from_value(json!({
        "url": url, "access_token": format!("file:{}", token.display()), "client_secret": "env:PATH",
    }))
    .unwrap();
    Api::new("acme", &config).unwrap()
}

#[tokio::test]
#[ignore = "needs Prism: make test-contract"]
async fn our_requests_and_the_samples_answers_are_as_intercom_describes() {
    deskstream_runtime::install_crypto_provider();
    let intercom = Intercom::start(Options::default()).await.unwrap();
    intercom.define_attribute("Urgency");
    let ids: Vec<String> = (0..160)
        .map(|number| {
            let new = NewConversation {
                body: "<p>Charged twice</p>".into(),
                contact_name: "Sam Sample".into(),
                contact_email: format!("sam{}@customer.example", number % 3),
                tags: vec!["vip".into()],
                ..NewConversation::default()
            };
            intercom.create_conversation(new).to_string()
        })
        .collect();
    let prism = Prism::before(&intercom.url()).await;
    let token = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(token.path(), &intercom.options().access_token).unwrap();
    let (api, id) = (api(&prism.url, token.path()), ids[0].as_str());

    assert!(!api.me().await.unwrap().is_empty());
    let now = intercom.clock().second();
    let first = api.search(now - 60, now + 60, None).await.unwrap();
    let next = api.page(&first).unwrap().next().map(str::to_owned).unwrap();
    let second = api.search(now - 60, now + 60, Some(&next)).await.unwrap();
    let listed =
        api.page(&first).unwrap().conversations.len() + api.page(&second).unwrap().conversations.len();
    assert_eq!(listed, 160);

    assert!(api.view(id, None).await.unwrap().is_some());
    assert!(api.view("404404", None).await.unwrap().is_none());
    let contact = intercom.conversation(id.parse().unwrap()).unwrap().contact;
    assert!(api.contact(&contact, None).await.unwrap().is_some());

    let Wrote::Applied(tag) = api.tag("ds_cause_refund").await.unwrap() else { panic!() };
    assert_eq!(api.attach(id, &tag.id).await.unwrap(), Wrote::Applied(()));
    assert_eq!(api.set_attribute(id, "Urgency", "high").await.unwrap(), Wrote::Applied(()));
    assert_eq!(api.add_note(id, "{\"deskstream_command\":\"c-1\"}").await.unwrap(), Wrote::Applied(()));
    assert_eq!(api.reply(id, "Dear Sam,\nit is refunded.").await.unwrap(), Wrote::Applied(()));
    let state = api.state(id).await.unwrap().unwrap();
    assert_eq!((state.notes.len(), state.replies.len(), state.tags.len()), (1, 1, 2));
    assert_eq!(api.detach(id, &tag.id).await.unwrap(), Wrote::Applied(()));

    // That it would have told: a note that names no admin.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let wrong = client
        .post(format!("{}/conversations/{id}/reply", prism.url))
        .bearer_auth(&intercom.options().access_token)
        .header("intercom-version", "2.14")
        .json(&json!({"message_type": "note", "type": "admin", "body": "x"}));
    let answer = wrong.send().await.unwrap();
    assert_eq!(answer.status(), 422, "{}", answer.text().await.unwrap());
    assert_eq!(intercom.stats().notes, 1);
}
