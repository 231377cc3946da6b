//! More webhooks than can be taken: who is refused, with what, and that nobody else is.

use super::support::{FRESH, SECRET, TENANT, World, counted, eventually};
use super::zendesk_webhook::{Sender, body_of};
use deskstream_samples::freshdesk::Auth;
use reqwest::StatusCode;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request whose body does not come: it holds its place, which it has when the server asks for the body. None if it
/// is refused, with how.
async fn hold(address: SocketAddr) -> Result<TcpStream, String> {
    let mut slow = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /webhooks/zendesk/{TENANT} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = slow.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase();
    if answer.starts_with("http/1.1 100") { Ok(slow) } else { Err(answer) }
}

fn results(tenant: &str, result: &str) -> f64 {
    counted("deskstream_webhook_requests_total", &[("tenant", tenant), ("result", result)])
}

async fn quiet(world: &World, address: SocketAddr, ticket: u64) -> u16 {
    let url = format!("http://{address}/webhooks/freshdesk/{FRESH}");
    let auth = Auth::Header("X-Webhook-Secret".into(), SECRET.into());
    world.freshdesk.trigger(ticket, "{ticket_action:created}", &url, &auth).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_over_its_share_is_told_429_and_another_is_served() {
    let world = World::configured(&[("http.max_in_flight", "20")]).await;
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let sender = Sender::new(address);
    let mut held = Vec::new();
    let refused = loop {
        match hold(address).await {
            Ok(place) => held.push(place),
            Err(refused) => break refused,
        }
    };
    assert!(refused.starts_with("http/1.1 429") && refused.contains("retry-after: "), "{refused}");
    // Four fifths of the places: see `Shares`.
    assert_eq!(held.len(), 16);
    assert_eq!(sender.signed(&body_of("e-1", "17", "3", "x")).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(quiet(&world, address, ticket).await, 200);
    drop(held);
    eventually("room again", || async {
        (sender.signed(&body_of("e-2", "17", "3", "x")).await == StatusCode::OK).then_some(())
    })
    .await;
    world.stop().await;
}

/// 300 connections of one tenant as fast as they can; another sends one at a time.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_tenant_does_not_starve_another() {
    const CONNECTIONS: usize = 300;
    let world = Arc::new(World::configured(&[("http.max_in_flight", "64")]).await);
    let address = world.serve().await;
    let ticket = world.fresh_ticket(&[]);
    let stop = Arc::new(AtomicBool::new(false));
    let mut flood = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let stop = Arc::clone(&stop);
        flood.spawn(async move {
            let sender = Sender::new(address);
            let (mut taken, mut refused) = (0, 0);
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let body = body_of(&format!("e-{connection}-{number}"), "17", "3", "noise");
                match sender.signed(&body).await {
                    StatusCode::OK => taken += 1,
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => refused += 1,
                    other => panic!("{other}"),
                }
            }
            (taken, refused)
        });
    }
    eventually("the flood", || async { (results(TENANT, "over_share") > 100.0).then_some(()) }).await;
    let mut slowest = Duration::ZERO;
    for _ in 0..40 {
        let started = Instant::now();
        assert_eq!(quiet(&world, address, ticket).await, 200, "the quiet tenant is refused");
        slowest = slowest.max(started.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    let (mut taken, mut refused) = (0, 0);
    while let Some(ended) = flood.join_next().await {
        let (some, others) = ended.unwrap();
        taken += some;
        refused += others;
    }
    println!("quiet tenant's slowest {slowest:?}; noisy tenant {taken} taken, {refused} refused");
    assert!(taken > 0 && refused > 0);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    world.stop().await;
}
