//! What arrives, what is refused, and what an operator is told.

use super::support::{AT, BOTH, ENQUEUE, Scene, eventually, firing, is_alert_audit, resolved};
use deskstream_connectors::delivery;
use deskstream_runtime::config;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::pagerduty::IncidentStatus;
use deskstream_samples::slack::HookState;
use deskstream_schemas::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_opens_closes_and_is_recorded() {
    let scene = Scene::new("page").await;
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;
    run.tell(&firing("quiet", "acme", AT, &["chat"])).await;
    run.tell(&firing("recorded-only", "acme", AT, &[])).await;

    let outcomes = run.outcomes(5).await;
    assert!(outcomes.iter().all(|o| o.kind == OutcomeKind::Alert && o.result == OutcomeResult::Applied));
    assert!(outcomes.iter().all(|o| o.received_at.is_some() && o.attempts == 1));
    let told = |service: &str| outcomes.iter().filter(|o| o.service == service).count();
    assert_eq!((told("pagerduty"), told("slack")), (2, 3));

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0].status, IncidentStatus::Resolved);
    assert_eq!(
        (incidents[0].severity.as_str(), incidents[0].source.as_str()),
        ("critical", "deskstream/acme")
    );
    assert_eq!(incidents[0].dedup_key, alert.dedup_key);
    assert_eq!(scene.slack.stats().pings, 0, "no text of ours may ping");
    let messages = scene.messages();
    let position = |word: &str| messages.iter().position(|m| m.contains(word)).unwrap();
    assert!(position("firing") < position("resolved"), "{messages:?}");

    let audit = run.read(Topic::Audit, 5, is_alert_audit).await;
    assert!(audit.iter().all(|a| a.outcome == AuditOutcome::Ok && a.tenant == "acme"));
    assert!(audit.iter().any(|a| a.resource == "alert/error-rate/acme/" && a.detail["service"] == "slack"));
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_goes_to_the_dead_letter_and_the_next_goes_out() {
    let scene = Scene::new("refused").await;
    scene.slack.set_state(HookState::Removed);
    let body =
        r#"{"status":"invalid event","message":"Event object is invalid","errors":["'x' is missing"]}"#;
    let invalid = Fault::Status { status: 400, retry_after: None, body: Some(body.to_owned()) };
    scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, invalid));
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, BOTH)).await;

    let outcomes = run.outcomes(2).await;
    let of = |service: &str| outcomes.iter().find(|o| o.service == service).unwrap();
    let (slack, pagerduty) = (of("slack"), of("pagerduty"));
    assert_eq!((slack.result, slack.status, slack.attempts), (OutcomeResult::Rejected, Some(404), 1));
    assert!(slack.detail.contains("no_service"), "{}", slack.detail);
    assert_eq!((pagerduty.result, pagerduty.status), (OutcomeResult::Rejected, Some(400)));
    assert!(pagerduty.detail.contains("'x' is missing"), "{}", pagerduty.detail);
    let letters = run.read(Topic::DeadLetter, 2, |_: &DeadLetter| true).await;
    for letter in letters {
        assert_eq!(
            (letter.tenant.as_str(), &*letter.reason, letter.stage),
            ("acme", "alert-rejected", Stage::Sink)
        );
        assert!(
            letter.payload.is_some()
                && !letter.fix.is_empty()
                && letter.source.starts_with("refused.alerts/0/")
        );
    }
    let audit = run.read(Topic::Audit, 2, is_alert_audit).await;
    assert!(audit.iter().all(|a| a.outcome == AuditOutcome::Error));

    scene.slack.set_state(HookState::Active);
    run.tell(&firing("error-rate", "beta", AT, BOTH)).await;
    eventually("the next alert", || {
        (scene.messages().len() == 1 && scene.incidents().len() == 1).then_some(())
    })
    .await;
    run.stop().await;
}

#[tokio::test]
async fn a_wrong_channel_is_one_clear_line() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::write(&key, "secret-key").unwrap();
    let complaint = |kind: &str, fields: &[(&str, &str)]| {
        let mut overrides = vec![
            ("keys.master".to_owned(), format!("file:{}", key.display())),
            ("alerts.channels.x.kind".to_owned(), kind.to_owned()),
        ];
        overrides.extend(fields.iter().map(|(k, v)| (format!("alerts.channels.x.{k}"), (*v).to_owned())));
        let config = config::load(None, &overrides).unwrap();
        delivery::check(&config.alerts).map_err(|error| error.to_string())
    };
    let file = format!("file:{}", key.display());
    let error = complaint("slack", &[("url", &file)]).unwrap_err();
    assert!(error.starts_with("alerts.channels.x.url: is no URL; give the incoming webhook's"), "{error}");
    assert!(!error.contains("secret-key"));
    let plain = [("routing_key", file.as_str()), ("url", "http://events.example.com/v2/enqueue")];
    let error = complaint("pagerduty", &plain).unwrap_err();
    assert!(error.starts_with("alerts.channels.x.url: is not https"), "{error}");
    complaint("pagerduty", &[("routing_key", file.as_str())]).unwrap();
    std::fs::write(&key, "secret-key-of-some-length").unwrap();
    let error = complaint("webhook", &[("url", &file), ("secret", &file)]).unwrap_err();
    assert!(error.starts_with("alerts.channels.x.url: is no URL; give the receiver's"), "{error}");
    let mail = |from: &str| {
        let path = directory.path().join("mail.toml");
        let text = format!(
            "[keys]\nmaster = \"{file}\"\n[alerts.channels.x]\nkind = \"email\"\nserver = \"localhost\"\n\
             tls = \"none\"\nfrom = \"{from}\"\nto = [\"a@example.org\", \"ann.example.org\"]\n"
        );
        std::fs::write(&path, text).unwrap();
        let config = config::load(Some(&path), &Vec::new()).unwrap();
        delivery::check(&config.alerts).unwrap_err().to_string()
    };
    let error = mail("jürgen@example.org");
    assert!(error.starts_with("alerts.channels.x.from: is no address; write name@host"), "{error}");
    let error = mail("Deskstream <alerts@example.com>");
    assert!(error.starts_with("alerts.channels.x.to[1]: is no address"), "{error}");
    assert!(!error.contains("ann."), "an address is a person's");
}
