//! Alertmanager: one alert for each episode, kept firing over restarts of either side until it is resolved.

use super::support::{AT, Run, Scene, eventually, firing, resolved, status};
use deskstream_connectors::delivery::DeliveryOptions;
use deskstream_connectors::http::Backoff;
use deskstream_samples::Alertmanager;
use deskstream_samples::alertmanager::Options;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_schemas::*;
use std::time::Duration;

const ALERTS: &str = "/api/v2/alerts";
/// `deskstream:open sesame`, by `printf '%s' 'deskstream:open sesame' | base64`.
const BASIC: &str = "Basic ZGVza3N0cmVhbTpvcGVuIHNlc2FtZQ==";

/// A scene with an Alertmanager that asks for a password.
async fn scene(prefix: &'static str) -> (Scene, Alertmanager) {
    let options = Options { authorization: Some(BASIC.to_owned()), ..Options::default() };
    let alertmanager = Alertmanager::start(options).await.unwrap();
    let mut scene = Scene::new(prefix).await;
    let password = scene.secret("password", "open sesame");
    scene.channels = format!(
        "[alerts.channels.am]\nkind = \"alertmanager\"\nurl = \"{}\"\nuser = \"deskstream\"\npassword = \"{password}\"\n",
        alertmanager.url()
    );
    (scene, alertmanager)
}

async fn run(scene: &Scene, group: &str, remind: Duration) -> Run {
    let wait = Backoff { first: Duration::from_millis(50), most: Duration::from_millis(200) };
    scene.run_as(group, &DeliveryOptions { wait, remind, ..DeliveryOptions::default() }).await
}

/// Seldom enough for a test that counts requests.
const NEVER: Duration = Duration::from_secs(3600);
const OFTEN: Duration = Duration::from_millis(50);

/// An alert of this very minute: what was resolved long ago is not told again.
fn fresh(rule: &str) -> Alert {
    let now = deskstream_runtime::time::now_ms();
    firing(rule, "acme", now - 2000, &["am"])
}

async fn rounds(alertmanager: &Alertmanager, count: u64) {
    let until = alertmanager.posts() + count;
    eventually("more rounds", || (alertmanager.posts() >= until).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_one_alert_that_ends() {
    let (scene, alertmanager) = scene("am-episode").await;
    let run = run(&scene, "am-episode", NEVER).await;
    let alert = firing("error-rate", "acme", AT, &["am"]);
    run.tell(&alert).await;
    run.outcomes(1).await;
    let stands = alertmanager.firing();
    assert_eq!(stands.len(), 1);
    let label = |name: &str| stands[0].labels.get(name).map_or("", String::as_str);
    assert_eq!((label("alertname"), label("tenant")), ("error-rate", "acme"));
    assert_eq!((label("severity"), label("dedup_key")), ("critical", alert.dedup_key.as_str()));
    let left = stands[0].ends_at.as_millisecond() - deskstream_runtime::time::now_ms();
    assert!((50 * 60_000..=60 * 60_000).contains(&left), "held for an hour: {left} ms");

    run.tell(&resolved(&alert)).await;
    let outcomes = run.outcomes(2).await;
    assert!(outcomes.iter().all(|o| o.service == "alertmanager" && o.result == OutcomeResult::Applied));
    let alerts = alertmanager.alerts();
    assert_eq!((alerts.len(), alerts[0].fired, alertmanager.firing().len()), (1, 1, 0));
    assert_eq!(alerts[0].ends_at.as_millisecond(), alert.changed_at + 1000);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_forgets_it_is_told_again_until_resolved() {
    let (scene, alertmanager) = scene("am-forgets").await;
    let first = run(&scene, "am-forgets", OFTEN).await;
    let (stays, ends) = (fresh("stays"), fresh("ends"));
    first.tell(&stays).await;
    first.tell(&ends).await;
    eventually("both alerts", || (alertmanager.firing().len() == 2).then_some(())).await;
    alertmanager.restart();
    eventually("both again", || (alertmanager.firing().len() == 2).then_some(())).await;

    first.tell(&resolved(&ends)).await;
    first.outcomes(3).await;
    rounds(&alertmanager, 5).await;
    let told: Vec<_> = alertmanager.firing().iter().map(|alert| alert.labels["rule"].clone()).collect();
    assert_eq!(told, ["stays"]);
    // Also to whoever had not heard of the resolve: it is among what is told.
    alertmanager.restart();
    rounds(&alertmanager, 2).await;
    let ended: Vec<_> = alertmanager.alerts().into_iter().filter(|a| a.labels["rule"] == "ends").collect();
    assert!(ended.len() == 1 && ended[0].fired == 0, "{ended:?}");
    first.stop().await;

    // A new process knows from the ledger what fires.
    alertmanager.restart();
    let second = run(&scene, "am-forgets", OFTEN).await;
    eventually("the alert again", || (alertmanager.firing().len() == 1).then_some(())).await;
    second.tell(&resolved(&stays)).await;
    second.outcomes(4).await;
    rounds(&alertmanager, 5).await;
    assert!(alertmanager.firing().is_empty());
    assert!(
        alertmanager.alerts().iter().all(|alert| alert.fired <= 1),
        "no round fired a resolved alert anew"
    );
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_repeated_and_refusals_are_not() {
    let (scene, alertmanager) = scene("am-faults").await;
    let add = |fault| alertmanager.faults().add(Rule::once("POST", ALERTS, fault));
    for fault in [status(500, None), Fault::DropBefore, status(429, Some(1)), Fault::DropAfter] {
        add(fault);
    }
    let run = run(&scene, "am-faults", NEVER).await;
    run.tell(&firing("error-rate", "acme", AT, &["am"])).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].attempts), (OutcomeResult::Applied, 5));
    let alerts = alertmanager.alerts();
    assert_eq!((alerts.len(), alerts[0].fired), (1, 1), "the repeat is the same alert");

    let body = Some(r#""start time must be before end time""#.to_owned());
    add(Fault::Status { status: 400, retry_after: None, body });
    run.tell(&firing("refused", "acme", AT, &["am"])).await;
    let outcomes = run.outcomes(2).await;
    let refused = outcomes.iter().find(|o| o.subject.contains("/refused/")).unwrap();
    assert_eq!((refused.result, refused.status), (OutcomeResult::Rejected, Some(400)));
    assert!(refused.detail.contains("start time must be before end time"), "{}", refused.detail);
    let letters = run.read(Topic::DeadLetter, 1, |_: &DeadLetter| true).await;
    assert_eq!(&*letters[0].reason, "alert-rejected");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_told_and_not_repeated() {
    let (mut scene, alertmanager) = scene("am-password").await;
    let token = scene.secret("token", "not this");
    scene.channels = format!(
        "[alerts.channels.am]\nkind = \"alertmanager\"\nurl = \"{}\"\ntoken = \"{token}\"\n",
        alertmanager.url()
    );
    let run = run(&scene, "am-password", NEVER).await;
    run.tell(&firing("error-rate", "acme", AT, &["am"])).await;
    let outcomes = run.outcomes(1).await;
    assert_eq!((outcomes[0].result, outcomes[0].status), (OutcomeResult::Rejected, Some(401)));
    assert!(alertmanager.alerts().is_empty());
    let letters = run.read(Topic::DeadLetter, 1, |_: &DeadLetter| true).await;
    assert!(letters[0].fix.contains("password") && !letters[0].error.contains("not this"));
    run.stop().await;
}
