//! Providers that are down, slow, or say to come back later.

use super::support::{Scene, request, set};
use deskstream_runtime::time::now_ms;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_schemas::OpinionResult;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const CHAT: &str = "/v1/chat/completions";

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Status { status, retry_after, body: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_to_come_back_does_so() {
    let scene = Scene::new("op-later").await;
    scene.main.faults().add(Rule::once("POST", CHAT, status(429, Some(1))));
    let run = scene.run().await;
    let started = Instant::now();
    run.ask(&request(1, "My parcel is late")).await;
    let opinion = run.opinions(1).await.remove(0);
    assert_eq!((opinion.result, opinion.attempts), (OpinionResult::Answered, 2));
    assert!(opinion.latency_ms >= 1000 && started.elapsed() >= Duration::from_secs(1));
    scene.main.faults().add(Rule::once("POST", CHAT, status(500, None)));
    run.ask(&request(2, "Another parcel is late")).await;
    assert_eq!(run.opinions(2).await[1].result, OpinionResult::Answered);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_provider_down_every_request_ends_soon_and_the_circuit_opens() {
    let mut scene = Scene::new("op-down").await;
    scene.settings.push(set("opinions.deadline", "5s"));
    scene.main.faults().add(Rule::once("POST", CHAT, status(503, None)).always());
    let run = scene.run().await;
    for ticket in 0..100 {
        run.ask(&request(ticket, &format!("parcel {ticket}"))).await;
    }
    let opinions = run.opinions(100).await;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for opinion in &opinions {
        assert_eq!(opinion.result, OpinionResult::Failed, "{opinion:?}");
        // Nobody bills for an error. What was tried before the circuit opened may have been worked on.
        assert!(opinion.cost_microusd == 0 || (opinion.attempts > 0 && opinion.reason == "circuit_open"));
        *reasons.entry(opinion.reason.to_string()).or_default() += 1;
    }
    assert!(reasons.get("circuit_open").is_some_and(|held_back| *held_back > 40), "{reasons:?}");
    assert!(scene.main.stats().faults_injected < 60, "most were never sent");
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_stalls_the_other_provider_answers_and_what_waited_too_long_is_skipped() {
    let mut scene = Scene::new("op-slow").await;
    scene.settings.extend([
        set("opinions.chain", "#[\"main\", \"second\"]"),
        set("opinions.providers.main.timeout", "300ms"),
        set("opinions.max_age", "1m"),
    ]);
    scene.main.faults().add(Rule::once("POST", CHAT, Fault::Delay { ms: 30_000 }).always());
    let run = scene.run().await;
    let mut old = request(1, "an old one");
    old.asked_at = now_ms() - 61_000;
    run.ask(&old).await;
    for ticket in 2..30 {
        run.ask(&request(ticket, &format!("parcel {ticket}"))).await;
    }
    let opinions = run.opinions(29).await;
    for opinion in &opinions {
        if opinion.ticket_id == "1" {
            let ended = (opinion.result, opinion.reason.as_ref(), opinion.attempts);
            assert_eq!(ended, (OpinionResult::Skipped, "too-old", 0));
        } else {
            assert_eq!((opinion.result, opinion.provider.as_str()), (OpinionResult::Answered, "second"));
            assert!(opinion.latency_ms < 20_000, "within the deadline, whatever the stall: {opinion:?}");
        }
    }
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_tokens_go_out_than_the_provider_grants() {
    let mut scene = Scene::new("op-tokens").await;
    scene
        .settings
        .extend([set("opinions.providers.main.tokens_per_minute", "#3000"), set("opinions.deadline", "1s")]);
    let run = scene.run().await;
    for ticket in 0..10 {
        run.ask(&request(ticket, &format!("parcel {ticket}"))).await;
    }
    let opinions = run.opinions(10).await;
    let answered = opinions.iter().filter(|o| o.result == OpinionResult::Answered).count();
    assert!((1..=2).contains(&answered), "{answered}: each holds back some 1,500 tokens");
    assert!(opinions.iter().all(|o| o.result == OpinionResult::Answered || o.reason == "no_tokens"));
    run.stop().await;
}
