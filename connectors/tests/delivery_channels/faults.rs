//! Services that fail, answers that get lost, and processes that die: how often and in what order alerts arrive.

use super::support::{AT, BOTH, ENQUEUE, HOOK, Scene, eventually, firing, resolved, status};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::pagerduty::IncidentStatus;
use deskstream_schemas::*;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again_until_it_arrives() {
    let scene = Scene::new("retry").await;
    // Throttled, down, up but silent, silent after taking it, throttled with a time.
    for fault in [status(429, None), status(503, None), Fault::DropBefore, Fault::DropAfter] {
        scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, fault));
    }
    for fault in [status(429, Some(1)), status(500, None), Fault::DropBefore] {
        scene.slack.faults().add(Rule::once("POST", HOOK, fault));
    }
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    let started = Instant::now();
    run.tell(&alert).await;
    run.tell(&resolved(&alert)).await;

    let outcomes = run.outcomes(4).await;
    assert!(outcomes.iter().all(|o| o.result == OutcomeResult::Applied), "{outcomes:?}");
    let attempts = |service: &str| -> i32 {
        outcomes.iter().filter(|o| o.service == service).map(|o| o.attempts).max().unwrap()
    };
    assert_eq!((attempts("pagerduty"), attempts("slack")), (5, 4));
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After was not honoured");

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1, "one incident however often it was sent");
    let actions: Vec<_> = incidents[0].history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    assert_eq!(scene.messages().len(), 2, "what was not applied is no repeat");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_channel_delays_no_other() {
    let scene = Scene::new("dead").await;
    scene.slack.faults().add(Rule::once("POST", HOOK, status(503, None)).always());
    let run = scene.run().await;
    for number in 0..5 {
        run.tell(&firing("error-rate", &format!("t{number}"), AT, BOTH)).await;
    }
    eventually("every page", || (scene.incidents().len() == 5).then_some(())).await;
    assert!(scene.slack.messages().is_empty());
    scene.slack.faults().clear();
    eventually("every message", || (scene.messages().len() == 5).then_some(())).await;
    run.outcomes(10).await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_the_topic_repeats_nothing() {
    let scene = Scene::new("replay").await;
    let first = scene.run().await;
    let one = firing("error-rate", "acme", AT, BOTH);
    let two = firing("error-rate", "acme", AT + 60_000, BOTH);
    for alert in [&one, &resolved(&one), &two] {
        first.tell(alert).await;
    }
    first.outcomes(6).await;
    first.stop().await;

    // Another group starts at the topic's beginning, as one whose offsets expired.
    let second = scene.run_with("replay-again", Duration::from_millis(500)).await;
    // The same transition written twice is a replay too.
    second.tell(&two).await;
    let outcomes = second.outcomes(6 + 8).await;
    let again = outcomes.iter().filter(|o| o.result == OutcomeResult::AlreadyApplied).count();
    assert_eq!(again, 8, "{outcomes:?}");
    second.tell(&resolved(&two)).await;
    second.outcomes(6 + 8 + 2).await;

    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 2, "one for each episode");
    for incident in &incidents {
        let actions: Vec<_> = incident.history.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["trigger", "resolve"]);
    }
    assert_eq!(scene.messages().len(), 4);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_the_post_one_page_and_one_repeat() {
    let scene = Scene::new("killed").await;
    // Taken, but the answer never comes; the next try is far away when the process is killed.
    scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, Fault::DropAfter));
    scene.slack.faults().add(Rule::once("POST", HOOK, Fault::DropAfter));
    let doomed = scene.run_with("killed", Duration::from_secs(3600)).await;
    let alert = firing("error-rate", "acme", AT, BOTH);
    doomed.tell(&alert).await;
    eventually("both posts", || (scene.incidents().len() == 1 && scene.messages().len() == 1).then_some(()))
        .await;
    doomed.kill().await;

    let heir = scene.run().await;
    heir.tell(&resolved(&alert)).await;
    let outcomes = heir.outcomes(4).await;
    assert!(outcomes.iter().all(|o| o.result == OutcomeResult::Applied), "{outcomes:?}");
    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 1, "PagerDuty merges the repeat");
    let actions: Vec<_> = incidents[0].history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    let messages = scene.messages();
    assert_eq!(messages.iter().filter(|m| m.contains("firing")).count(), 2, "the documented repeat, once");
    assert_eq!(messages.iter().filter(|m| m.contains("resolved")).count(), 1);
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_told_in_the_repeat() {
    let scene = Scene::new("lost").await;
    scene.slack.faults().add(Rule::once("POST", HOOK, Fault::DropAfter));
    let run = scene.run().await;
    run.tell(&firing("error-rate", "acme", AT, &["chat"])).await;
    let messages = eventually("the repeat", || {
        let messages = scene.slack.messages();
        (messages.len() == 2).then_some(messages)
    })
    .await;
    let marked = |i: usize| messages[i].payload.to_string().contains("may be a repeat");
    assert!(!marked(0) && marked(1));
    run.outcomes(1).await;
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order_holds_for_each_alert_under_faults() {
    let scene = Scene::new("order").await;
    for skip in [1, 3, 4, 8] {
        let fault = if skip % 2 == 0 { Fault::DropAfter } else { status(500, None) };
        scene.pagerduty.faults().add(Rule::once("POST", ENQUEUE, fault).after(skip));
    }
    let run = scene.run().await;
    for episode in 0..2 {
        let alerts = (0..4).map(|n| firing("errors", &format!("t{n}"), AT + episode * 60_000, &["pager"]));
        let alerts: Vec<_> = alerts.collect();
        for alert in &alerts {
            run.tell(alert).await;
        }
        for alert in &alerts {
            run.tell(&resolved(alert)).await;
        }
    }
    run.outcomes(16).await;
    let incidents = scene.incidents();
    assert_eq!(incidents.len(), 8, "one for each episode of each alert");
    for incident in &incidents {
        assert_eq!(incident.status, IncidentStatus::Resolved);
        let actions: Vec<_> = incident.history.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!((actions.first(), actions.last()), (Some(&"trigger"), Some(&"resolve")));
        assert_eq!(actions.iter().filter(|action| **action == "resolve").count(), 1);
    }
    for tenant in ["t0", "t1", "t2", "t3"] {
        let source = format!("deskstream/{tenant}");
        let episodes: Vec<_> =
            incidents.iter().filter(|i| i.source == source).map(|i| i.dedup_key.as_str()).collect();
        assert!(episodes.len() == 2 && episodes[0] < episodes[1], "{episodes:?}");
    }
    run.stop().await;
}
