//! Accounts that come, change and go while the connectors run.

use super::support::{CHAT, FRESH, SECRET, TENANT, World, ample, eventually, shared};
use super::zendesk_webhook::{Sender, body_of, now};
use deskstream_connectors::helpdesk::connections::{
    self, CONNECTION_KIND, Change, Connection, ConnectionError, Draft, Origin,
};
use deskstream_connectors::kafka::{Producer, ProducerOptions, Sink};
use deskstream_runtime::config::Secrets;
use deskstream_samples::freshdesk::Auth;
use deskstream_samples::zendesk::Options;
use deskstream_schemas::{Command, ControlEntity, Origin as From, Outcome, OutcomeKind, OutcomeResult};
use deskstream_schemas::{Platform, TicketEvent, Topic};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;

const LATE: &str = "late";
const ACCOUNT: &str = "late/zendesk";
const ROTATED: &str = "another-webhook-secret-of-the-tests";

async fn world() -> World {
    let zendesk = Options { limits: ample(), export_margin: Duration::ZERO, ..Options::default() };
    World::with(shared(), zendesk, &[]).await
}

fn change(settings: &Value, secrets: &[(&str, &str)]) -> Change {
    let secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value)));
    Change {
        settings: settings.as_object().unwrap().clone(),
        secrets: secrets.collect::<Secrets>(),
        ..Change::default()
    }
}

fn zendesk(world: &World) -> Change {
    let zendesk = world.zendesk.options();
    let plain = json!({"url": world.zendesk.url(), "email": zendesk.email, "poll": "1s"});
    change(&plain, &[("api_token", &zendesk.api_token), ("webhook_secret", SECRET)])
}

async fn status(sender: &Sender, secret: &str, id: &str) -> u16 {
    sender.send(secret, &now(), &body_of(id, "4711", "3", "Help")).await.status().as_u16()
}

/// Asks with another event each time, since one that was taken is taken again for another reason.
async fn answers(sender: &Sender, secret: &str, wanted: u16) {
    let number = std::sync::atomic::AtomicU32::new(0);
    eventually(&format!("answer {wanted}"), || async {
        let id = format!("{wanted}-{}", number.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        (status(sender, secret, &id).await == wanted).then_some(())
    })
    .await;
}

async fn written(world: &World, number: u32) -> Outcome {
    let ticket = world.ticket(&[]);
    let command = Command { tenant: LATE.into(), ..world.command(ticket, number) };
    let sink = Sink::<Command>::new(
        &world.process,
        Producer::new(&world.process, ProducerOptions::records()).unwrap(),
    );
    sink.send(&command.key(), &command).await.unwrap();
    eventually("the outcome of a write-back", || async {
        let outcomes: Vec<Outcome> = world.now().await;
        outcomes.into_iter().find(|outcome| outcome.subject == command.command_id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_comes_changes_and_goes_without_a_restart() {
    let world = world().await;
    let address = world.serve_accounts().await;
    let sender = Sender::of(LATE, address);
    assert_eq!(status(&sender, SECRET, "early").await, 404);

    // It comes: webhooks are taken, it is polled, decisions are written.
    let draft = Draft::new(&world.process, ACCOUNT, zendesk(&world)).unwrap();
    assert!(draft.account().admin().unwrap().me().await.is_ok(), "tried before it is stored");
    draft.store(&world.process, "test").await.unwrap();
    answers(&sender, SECRET, 200).await;
    let ticket = world.ticket(&["vip"]).to_string();
    world.zendesk.clock().advance(Duration::from_secs(2));
    eventually("a poll of the new account", || async {
        let events: Vec<TicketEvent> = world.now().await;
        let polled = |event: &TicketEvent| event.tenant == LATE && event.origin == From::Poll;
        events.iter().any(|event| polled(event) && event.ticket_id == ticket).then_some(())
    })
    .await;
    assert_eq!(written(&world, 1).await.result, OutcomeResult::Applied);

    // Its secret changes: what the old one signs is refused, and all else goes on.
    let rotation = change(&json!({}), &[("webhook_secret", ROTATED)]);
    Draft::of(&world.process, ACCOUNT, rotation).unwrap().store(&world.process, "test").await.unwrap();
    answers(&sender, SECRET, 401).await;
    answers(&sender, ROTATED, 200).await;
    assert_eq!(written(&world, 2).await.result, OutcomeResult::Applied);

    // It goes: nobody is served, and its poll has ended.
    connections::remove(&world.process, ACCOUNT).await.unwrap();
    answers(&sender, ROTATED, 404).await;
    eventually("the end of its parts", || async {
        let (ready, parts) = world.process.health.report();
        (ready && !parts.keys().any(|part| part.ends_with(LATE))).then_some(())
    })
    .await;
    assert!(matches!(connections::remove(&world.process, ACCOUNT).await, Err(ConnectionError::Unknown(_))));
    assert!(world.process.control.get("cursor", ACCOUNT).is_none());
    let polls = |outcomes: Vec<Outcome>| {
        outcomes.iter().filter(|o| o.kind == OutcomeKind::Poll && o.tenant == LATE).count()
    };
    assert!(polls(world.now().await) > 0);

    for topic in [Topic::Control, Topic::Outcomes, Topic::Audit, Topic::DeadLetter] {
        for payload in world.payloads(topic).await {
            let text = String::from_utf8_lossy(&payload);
            let secrets = [SECRET, ROTATED, world.zendesk.options().api_token.as_str()];
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret in clear");
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_helpdesk_can_be_registered() {
    let world = world().await;
    let address = world.serve_accounts().await;
    let fresh = change(
        &json!({"url": world.freshdesk.url(), "unset_priority": "low"}),
        &[("api_key", &world.freshdesk.options().api_key), ("webhook_secret", SECRET)],
    );
    let chat = change(
        &json!({"url": world.intercom.url()}),
        &[
            ("access_token", &world.intercom.options().access_token),
            ("client_secret", &world.intercom.options().client_secret),
        ],
    );
    for (name, given) in [("late/freshdesk", fresh), ("late/intercom", chat)] {
        Draft::new(&world.process, name, given).unwrap().store(&world.process, "test").await.unwrap();
    }
    let (ticket, conversation) = (world.fresh_ticket(&[]), world.chat(&[]));
    let auth = Auth::Header("X-Webhook-Secret".into(), SECRET.into());
    let url = format!("http://{address}/webhooks/freshdesk/{LATE}");
    eventually("a webhook of Freshdesk", || async {
        let answered = world.freshdesk.trigger(ticket, "{ticket_action:created}", &url, &auth).await;
        (answered == Some(200)).then_some(())
    })
    .await;
    let url = format!("http://{address}/webhooks/intercom/{LATE}");
    eventually("a webhook of Intercom", || async {
        let answered = world.intercom.notify(conversation, "conversation.user.created", &url).await;
        (answered == Some(200)).then_some(())
    })
    .await;
    let events: Vec<TicketEvent> = world.records(2).await;
    let mut platforms: Vec<_> = events.iter().map(|event| (event.tenant.as_str(), event.platform)).collect();
    platforms.sort_by_key(|(_, platform)| platform.as_str());
    platforms.dedup();
    assert_eq!(platforms, [(LATE, Platform::Freshdesk), (LATE, Platform::Intercom)]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_counts_and_what_cannot_be_used_is_told() {
    let world = world().await;
    for name in [format!("{TENANT}/zendesk"), format!("{FRESH}/freshdesk"), format!("{CHAT}/intercom")] {
        let refused = Draft::new(&world.process, &name, Change::default()).err().unwrap();
        assert!(matches!(refused, ConnectionError::InFile(_)), "{refused}");
    }
    // Registered before the file named it, by a process whose file does not.
    Draft::new(&world.process, ACCOUNT, zendesk(&world))
        .unwrap()
        .store(&world.process, "test")
        .await
        .unwrap();
    let entity = world.process.control.get(CONNECTION_KIND, ACCOUNT).unwrap();
    let earlier =
        ControlEntity { id: format!("{TENANT}/zendesk"), tenant: TENANT.into(), ..entity.as_ref().clone() };
    world.process.control.put(&earlier).await.unwrap();
    // A secret that was moved to another account opens nothing there.
    let moved = ControlEntity { id: "late/freshdesk".into(), ..entity.as_ref().clone() };
    world.process.control.put(&moved).await.unwrap();
    let inventory = connections::inventory(&world.process);
    assert_eq!(inventory.shadowed, [format!("{TENANT}/zendesk")]);
    let [(name, error)] = inventory.unusable.as_slice() else { panic!("{:?}", inventory.unusable) };
    assert!(name == "late/freshdesk" && matches!(error, ConnectionError::Locked { .. }), "{error}");
    let origins: Vec<_> = inventory.served.iter().map(|found| (found.account.name(), found.origin)).collect();
    assert!(origins.contains(&(ACCOUNT.to_owned(), Origin::Control(1))), "{origins:?}");
    assert!(origins.contains(&(format!("{TENANT}/zendesk"), Origin::File)), "{origins:?}");

    let address = world.serve_accounts().await;
    assert_eq!(status(&Sender::new(address), SECRET, "by-the-file").await, 200);
    assert_eq!(status(&Sender::of(LATE, address), SECRET, "by-control").await, 200);

    let kept = Connection::stored(&world.process, ACCOUNT).unwrap();
    assert_eq!(kept.secrets, ["api_token", "webhook_secret"]);
    let told = format!("{kept:?}{}", entity.body);
    assert!(!told.contains(SECRET) && !told.contains(&world.zendesk.options().api_token), "{told}");
    assert!(matches!(
        Draft::new(&world.process, ACCOUNT, zendesk(&world)).err().unwrap(),
        ConnectionError::Exists(_)
    ));
    // Taking away what it can't do without is refused, and nothing has changed.
    let without = Change { unset: vec!["api_token".into()], ..Change::default() };
    let refused = Draft::of(&world.process, ACCOUNT, without).err().unwrap();
    assert!(matches!(refused, ConnectionError::Settings(_)), "{refused}");
    assert_eq!(Connection::stored(&world.process, ACCOUNT).unwrap(), kept);
    world.stop().await;
}
