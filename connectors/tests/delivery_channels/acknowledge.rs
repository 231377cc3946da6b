//! Who takes care of an alert is told once, until it is told, and not when the alert is over.

use super::support::{AT, ENQUEUE, PATIENCE, Run, Scene, eventually, firing, resolved, status};
use deskstream_connectors::delivery::{AcknowledgeError, acknowledge, episodes};
use deskstream_samples::faults::Rule;
use deskstream_samples::pagerduty::IncidentStatus;
use std::time::Instant;

/// Waits until channels have told what fires.
async fn told(run: &Run, alert: &str) {
    let deadline = Instant::now() + PATIENCE;
    let mut changes = run.process.control.changes();
    while !episodes(&run.process.control).iter().any(|episode| episode.alert == alert) {
        assert!(Instant::now() < deadline, "{alert} was not told");
        changes.changed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_reaches_the_incident_once_and_survives_a_restart() {
    let scene = Scene::new("acknowledge").await;
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, &["pager"]);
    run.tell(&alert).await;
    told(&run, &alert.key()).await;
    let unknown = acknowledge(&run.process.control, "error-rate/nobody/", "ana").await;
    assert!(matches!(unknown, Err(AcknowledgeError::Unknown(_))), "{unknown:?}");

    // The service is down at first.
    scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, status(503, None)));
    let episode = acknowledge(&run.process.control, &alert.key(), "ana").await.unwrap();
    assert_eq!(
        (episode.dedup_key.as_str(), episode.channels.as_slice()),
        (alert.dedup_key.as_str(), &["pager".to_owned()][..])
    );
    eventually("an acknowledged incident", || {
        let incidents = scene.incidents();
        (incidents[0].status == IncidentStatus::Acknowledged).then_some(())
    })
    .await;
    let by = &episodes(&run.process.control)[0].acknowledged_by;
    assert_eq!(by.as_deref(), Some("ana"));
    run.kill().await;

    // Another process finds that it was told; the resolve closes the incident, and nothing is told of what is over.
    let run = scene.run().await;
    run.tell(&resolved(&alert)).await;
    eventually("a resolved incident", || {
        (scene.incidents()[0].status == IncidentStatus::Resolved).then_some(())
    })
    .await;
    let deadline = Instant::now() + PATIENCE;
    let mut changes = run.process.control.changes();
    while !episodes(&run.process.control).is_empty() {
        assert!(Instant::now() < deadline, "the resolve was not remembered");
        changes.changed().await.unwrap();
    }
    let late = acknowledge(&run.process.control, &alert.key(), "ben").await;
    assert!(matches!(late, Err(AcknowledgeError::Unknown(_))), "{late:?}");
    // A second episode begins unacknowledged.
    let again = firing("error-rate", "acme", AT + 60_000, &["pager"]);
    run.tell(&again).await;
    eventually("a second incident", || (scene.incidents().len() == 2).then_some(())).await;
    let history: Vec<_> = scene.incidents()[0].history.iter().map(|entry| entry.action.clone()).collect();
    assert_eq!(history, ["trigger", "acknowledge", "resolve"]);
    assert_eq!(scene.incidents()[1].status, IncidentStatus::Triggered);
    run.stop().await;
}
