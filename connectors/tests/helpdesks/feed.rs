//! The contract of feeds: order within a key, at least once, dead letters, a graceful end.

use super::support::{World, eventually};
use deskstream_connectors::kafka::{
    Feed, FeedOptions, Producer, ProducerOptions, Received, Refusal, Sink, Unhandled,
};
use deskstream_runtime::kafka;
use deskstream_schemas::{Command, DeadLetter, Stage, Topic};
use parking_lot::Mutex;
use rdkafka::producer::{FutureProducer, FutureRecord};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

async fn fill(world: &World, keys: u64, each: u32) {
    let sink = Sink::<Command>::new(
        &world.process,
        Producer::new(&world.process, ProducerOptions::records()).unwrap(),
    );
    for number in 0..each {
        for ticket in 0..keys {
            let command = world.command(ticket, number);
            sink.send(&command.key(), &command).await.unwrap();
        }
    }
}

fn feed(world: &World, group: &str, queue: usize) -> Feed<Command> {
    let group = format!("{}{group}", world.process.topics.prefix());
    let options = FeedOptions {
        concurrency: 4,
        queue,
        drain: Duration::from_secs(2),
        ..FeedOptions::new("test-feed", group)
    };
    Feed::new(&world.process, options, world.sinks.dead_letters.clone()).unwrap()
}

type Seen = Arc<Mutex<HashMap<String, Vec<i64>>>>;

fn note(seen: &Seen, received: &Received<Command>) -> usize {
    let mut seen = seen.lock();
    seen.entry(received.key.clone()).or_default().push(received.record.version);
    seen.values().map(Vec::len).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_keep_their_order_and_do_not_wait_for_each_other() {
    let world = World::new().await;
    fill(&world, 6, 20).await;
    let (seen, release) = (Seen::default(), Arc::new(AtomicBool::new(false)));
    let (noted, released) = (Arc::clone(&seen), Arc::clone(&release));
    world.tasks.spawn(feed(&world, "order", 256).run(move |received| {
        let (noted, released) = (Arc::clone(&noted), Arc::clone(&released));
        async move {
            // The first record of one key is tried again and again: the others must not care.
            if received.key.ends_with("/0") && !released.load(Ordering::SeqCst) {
                assert_eq!(received.record.version, 0, "a later record overtook it");
                return Err(Unhandled::Later(Duration::from_millis(20)));
            }
            note(&noted, &received);
            Ok(())
        }
    }));
    eventually("the other keys", || async {
        (seen.lock().values().filter(|v| v.len() == 20).count() == 5).then_some(())
    })
    .await;
    release.store(true, Ordering::SeqCst);
    eventually("the held-up key", || async {
        seen.lock().get("acme/zendesk/0").filter(|v| v.len() == 20).map(drop)
    })
    .await;
    for versions in seen.lock().values() {
        assert_eq!(*versions, (0..20).collect::<Vec<_>>());
    }
    world.stop().await;
}

/// A feed that may hold four records pauses the topic and resumes it, over and over.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_holds_the_topic_back_and_loses_nothing() {
    let world = World::new().await;
    fill(&world, 6, 20).await;
    let (seen, most) = (Seen::default(), Arc::new(Mutex::new((0usize, 0usize))));
    let (noted, busy) = (Arc::clone(&seen), Arc::clone(&most));
    world.tasks.spawn(feed(&world, "full", 4).run(move |received| {
        let (noted, busy) = (Arc::clone(&noted), Arc::clone(&busy));
        async move {
            {
                let mut busy = busy.lock();
                busy.0 += 1;
                busy.1 = busy.1.max(busy.0);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            busy.lock().0 -= 1;
            note(&noted, &received);
            Ok(())
        }
    }));
    let all = || seen.lock().values().map(Vec::len).sum::<usize>();
    eventually("every record", || async { (all() == 120).then_some(()) }).await;
    assert!(seen.lock().values().all(|versions| *versions == (0..20).collect::<Vec<_>>()));
    assert!(most.lock().1 <= 4, "no more handlers than slots");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unfinished_comes_again_after_a_restart() {
    let world = World::new().await;
    fill(&world, 4, 5).await;
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    world.tasks.spawn(feed(&world, "again", 64).run(move |received| {
        let noted = Arc::clone(&noted);
        async move {
            // One record never ends.
            if received.key.ends_with("/1") && received.record.version == 3 {
                std::future::pending::<()>().await;
            }
            note(&noted, &received);
            Ok(())
        }
    }));
    eventually("all it can do", || async {
        (seen.lock().values().map(Vec::len).sum::<usize>() == 18).then_some(())
    })
    .await;
    let world = world.restarted().await;
    let (second, repeated) = (Seen::default(), Arc::new(Mutex::new(0)));
    let (noted, marked) = (Arc::clone(&second), Arc::clone(&repeated));
    world.tasks.spawn(feed(&world, "again", 64).run(move |received| {
        let (noted, marked) = (Arc::clone(&noted), Arc::clone(&marked));
        async move {
            *marked.lock() += i32::from(received.maybe_repeated);
            note(&noted, &received);
            Ok(())
        }
    }));
    let unfinished = eventually("the unfinished", || async {
        let second = second.lock();
        second
            .get("acme/zendesk/1")
            .filter(|v| v.ends_with(&[3, 4]))
            .map(|_| second.values().map(Vec::len).sum::<usize>())
    })
    .await;
    assert!(unfinished < 20, "what was finished before it is not repeated: {unfinished}");
    assert_eq!(
        usize::try_from(*repeated.lock()).unwrap(),
        second.lock().values().map(Vec::len).sum::<usize>()
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_goes_to_the_dead_letter_and_the_feed_goes_on() {
    let world = World::new().await;
    let topic = world.process.topics.name(Topic::Commands);
    let raw: FutureProducer = kafka::producer(&world.process.config.kafka).create().unwrap();
    let unknown = [&[0u8][..], &0x00ff_fff0u32.to_be_bytes(), b"datum"].concat();
    let id = world.process.ids.id(deskstream_schemas::Subject::Value(Topic::Commands));
    let broken = [&[0u8][..], &id.to_be_bytes(), b"\x02"].concat();
    for payload in [&b"no frame"[..], &unknown, &broken, b""] {
        raw.send(FutureRecord::to(&topic).key("acme/zendesk/1").payload(payload), Duration::from_secs(10))
            .await
            .unwrap();
    }
    fill(&world, 3, 1).await;
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    world.tasks.spawn(feed(&world, "poison", 64).run(move |received| {
        let noted = Arc::clone(&noted);
        async move {
            note(&noted, &received);
            match received.record.ticket_id.as_str() {
                "0" => panic!("a handler's bug"),
                "1" => Err(Unhandled::Poison {
                    reason: "no-good",
                    error: "no good".into(),
                    fix: Cow::Borrowed("none"),
                }),
                _ => Ok(()),
            }
        }
    }));
    let letters: Vec<DeadLetter> = world.records(6).await;
    let mut reasons: Vec<_> = letters.iter().map(|letter| letter.reason.as_ref()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["bad-avro", "no-good", "not-framed", "not-framed", "panic", "unknown-schema"]);
    let letter = letters.iter().find(|letter| letter.reason == "unknown-schema").unwrap();
    assert_eq!((letter.stage, letter.tenant.as_str()), (Stage::Decode, "acme"));
    assert_eq!(world.open_dead(letter), unknown);
    assert!(letter.source.starts_with(&topic));
    eventually("the good record", || async { seen.lock().get("acme/zendesk/2").map(drop) }).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_without_a_tenant_is_sealed_too() {
    let world = World::new().await;
    let refusal = Refusal {
        tenant: "nobody",
        stage: Stage::Receive,
        reason: "test",
        error: "a test".into(),
        fix: "none".into(),
        source: "here".into(),
        event_id: None,
        attempts: 1,
        payload: Some(b"secret"),
    };
    world.sinks.dead_letters.send(refusal).await.unwrap();
    let letters: Vec<DeadLetter> = world.records(1).await;
    assert!(letters[0].payload.as_ref().unwrap().key_id.starts_with("*/"));
    assert_eq!(world.open_dead(&letters[0]), b"secret");
}
