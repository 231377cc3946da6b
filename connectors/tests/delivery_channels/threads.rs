//! Slack's bot: updates answer the first message, over restarts, and whatever becomes of that.

use super::support::{AT, PATIENCE, Run, Scene, eventually, firing, resolved, status};
use deskstream_connectors::delivery::{acknowledge, episodes};
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::slack::{Message, bot};
use deskstream_schemas::{Alert, OutcomeResult};
use std::time::Instant;

const POST: &str = "/api/chat.postMessage";
const BOT: &[&str] = &["bot"];

async fn scene(prefix: &'static str) -> Scene {
    let mut scene = Scene::new(prefix).await;
    let token = scene.secret("token", &scene.slack.bot_token());
    scene.channels = format!(
        "[alerts.channels.bot]\nkind = \"slack\"\ntoken = \"{token}\"\nchannel = \"{}\"\napi = \"{}\"\n",
        bot::CHANNEL,
        scene.slack.api_url()
    );
    scene
}

async fn messages(scene: &Scene, count: usize) -> Vec<Message> {
    eventually(&format!("{count} messages"), || {
        let messages = scene.slack.messages();
        (messages.len() >= count).then_some(messages)
    })
    .await
}

fn thread(message: &Message) -> Option<&str> {
    message.payload.get("thread_ts").and_then(|ts| ts.as_str())
}

async fn remembered(run: &Run, alert: &Alert) {
    let deadline = Instant::now() + PATIENCE;
    let mut changes = run.process.control.changes();
    while !episodes(&run.process.control).iter().any(|episode| episode.dedup_key == alert.dedup_key) {
        assert!(Instant::now() < deadline, "the delivery was not remembered");
        changes.changed().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_answer_the_first_message_over_a_restart() {
    let scene = scene("threads").await;
    let run = scene.run().await;
    let alert = firing("error-rate", "acme", AT, BOT);
    run.tell(&alert).await;
    remembered(&run, &alert).await;
    acknowledge(&run.process.control, &alert.key(), "ana <!channel>").await.unwrap();
    messages(&scene, 2).await;
    run.kill().await;

    let run = scene.run().await;
    run.tell(&resolved(&alert)).await;
    let told = messages(&scene, 3).await;
    let first = told[0].ts.as_deref();
    assert_eq!([thread(&told[0]), thread(&told[1]), thread(&told[2])], [None, first, first]);
    assert!(told[1].payload["text"].as_str().unwrap().contains("acknowledged by ana"));
    assert_eq!(told[2].payload["reply_broadcast"], true, "everybody sees that it is over");
    assert_eq!(scene.slack.stats().pings, 0);

    // The next episode begins a thread of its own.
    let again = firing("error-rate", "acme", AT + 60_000, BOT);
    run.tell(&again).await;
    assert_eq!(thread(&messages(&scene, 4).await[3]), None);
    run.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_says_is_heeded() {
    let scene = scene("bot-faults").await;
    let run = scene.run().await;
    // It is away, throttles, and says in a 200 that it is out of order: all of that passes.
    let trouble = Fault::Status {
        status: 200,
        retry_after: None,
        body: Some(r#"{"ok":false,"error":"internal_error"}"#.to_owned()),
    };
    for fault in [status(503, None), status(429, Some(1)), trouble] {
        scene.slack.faults().add(Rule::once("POST", POST, fault));
    }
    let alert = firing("error-rate", "acme", AT, BOT);
    run.tell(&alert).await;
    remembered(&run, &alert).await;
    let told = messages(&scene, 1).await;

    // Somebody deletes the first message: the resolve is a message of its own.
    scene.slack.delete(told[0].ts.as_deref().unwrap());
    run.tell(&resolved(&alert)).await;
    let told = messages(&scene, 1).await;
    assert_eq!((told.len(), thread(&told[0])), (1, None));
    assert!(told[0].payload["text"].as_str().unwrap().contains("resolved"));

    // What only people can mend is refused, and told with what to do.
    let refusal = Fault::Status {
        status: 200,
        retry_after: None,
        body: Some(r#"{"ok":false,"error":"not_in_channel"}"#.to_owned()),
    };
    scene.slack.faults().add(Rule::once("POST", POST, refusal));
    run.tell(&firing("other", "acme", AT, BOT)).await;
    let outcomes = run.outcomes(3).await;
    let rejected: Vec<_> = outcomes.iter().filter(|o| o.result == OutcomeResult::Rejected).collect();
    assert_eq!(rejected.len(), 1);
    assert!(rejected[0].detail.contains("not_in_channel"), "{}", rejected[0].detail);
    run.stop().await;
}
