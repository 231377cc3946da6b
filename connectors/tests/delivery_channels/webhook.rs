//! The signed webhook, at a receiver that is written after the documentation.

use super::support::{AT, Scene, eventually, firing, resolved, status};
use deskstream_samples::Receiver;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::receiver::Options;
use deskstream_schemas::*;
use std::time::{Duration, Instant};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A scene with a receiver, whose URL ends in a token: it must arrive, and not be told.
async fn scene(prefix: &'static str, secret: &str) -> (Scene, Receiver) {
    let receiver =
        Receiver::start(Options { secret: SECRET.to_owned(), ..Options::default() }).await.unwrap();
    let mut scene = Scene::new(prefix).await;
    let url = scene.secret("receiver", &format!("{}?token=t0ken", receiver.url()));
    let secret = scene.secret("signing", secret);
    scene.channels =
        format!("[alerts.channels.hook]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"{secret}\"\n");
    (scene, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn transitions_arrive_signed_once_and_in_order_whatever_fails() {
    let (scene, receiver) = scene("hook", SECRET).await;
    for fault in [status(503, None), Fault::DropBefore, status(429, Some(1)), Fault::DropAfter] {
        receiver.faults().add(Rule::once("POST", "/alerts", fault));
    }
    let run = scene.run().await;
    let alert = Alert { group: "Störung 5%".into(), ..firing("error-rate", "acme", AT, &["hook"]) };
    let alert = Alert { dedup_key: format!("deskstream/error-rate/acme/{}/{AT}", alert.group), ..alert };
    let started = Instant::now();
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;
    let outcomes = run.outcomes(2).await;
    assert!(outcomes.iter().all(|o| o.service == "webhook" && o.result == OutcomeResult::Applied));
    assert_eq!(outcomes.iter().map(|o| o.attempts).collect::<Vec<_>>(), [5, 1]);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");

    let received = receiver.received();
    assert_eq!(
        (received.bodies.len(), received.repeats),
        (2, 1),
        "the lost answer's repeat has the same key"
    );
    assert_eq!((received.unsigned, received.invalid), (0, 0));
    let states: Vec<_> = received.bodies.iter().map(|body| body["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["firing", "resolved"]);
    assert!(received.bodies.iter().all(|body| body["dedup_key"] == alert.dedup_key.as_str()));
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_is_refused_and_told_without_it() {
    let (scene, receiver) = scene("hook-secret", "quite another secret").await;
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["hook"])).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].status), (OutcomeResult::Rejected, Some(401)));
    assert_eq!((receiver.received().bodies.len(), receiver.received().unsigned), (0, 1));
    let letters = run.read(Topic::DeadLetter, 1, |_: &DeadLetter| true).await;
    assert!(letters[0].fix.contains("secret"));
    let told = format!("{letters:?}{outcomes:?}");
    assert!(!told.contains("t0ken") && !told.contains("quite another"), "{told}");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let (scene, receiver) = scene("hook-redirect", SECRET).await;
    receiver.faults().add(Rule::once("POST", "/alerts", status(307, None)));
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["hook"])).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].status), (OutcomeResult::Rejected, Some(307)));
    run.tell(&firing("error-rate", "beta", AT, &["hook"])).await;
    eventually("the next alert", || (receiver.received().bodies.len() == 1).then_some(())).await;
    run.stop().await;
}
