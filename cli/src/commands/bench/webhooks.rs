//! How many signed webhooks are acknowledged durably in a second, with the load generator on the same machine.

use super::Place;
use crate::commands::demo::children::Children;
use deskstream_embedded::Progress;
use deskstream_samples::zendesk::sign;
use futures::future::try_join_all;
use jiff::{Timestamp, Unit};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 64;

/// Sends as fast as answers come, over a set number of connections.
pub async fn measure(place: &Place, seconds: u64) -> anyhow::Result<Value> {
    let setup = &place.setup;
    let children = Children::start(setup, &Progress::silent(), place.workers, &["--no-limits"]).await?;
    let tenant = children.samples().tenants[0].clone();
    let secret = tenant.webhook_secret.clone().unwrap_or_default();
    let url = format!("http://127.0.0.1:{}/webhooks/zendesk/{}", setup.webhooks, tenant.tenant);
    let secret: Arc<str> = secret.into();
    let (accepted, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let client = reqwest::Client::builder().pool_max_idle_per_host(CONNECTIONS).build()?;
    let until = Instant::now() + Duration::from_secs(seconds);
    let meter = place.meter(children.pids());
    let started = Instant::now();
    let loops = (0..CONNECTIONS).map(|lane| {
        let (secret, accepted, refused) = (Arc::clone(&secret), Arc::clone(&accepted), Arc::clone(&refused));
        let (client, url) = (client.clone(), url.clone());
        tokio::spawn(async move {
            let mut number = lane as u64;
            while Instant::now() < until {
                let body = ticket_created(number);
                let timestamp = Timestamp::now().round(Unit::Second).unwrap_or_default().to_string();
                let signature = sign(&secret, &timestamp, body.as_bytes());
                let request = client
                    .post(&url)
                    .header("Content-Type", "application/json; charset=utf-8")
                    .header("X-Zendesk-Webhook-Signature", signature)
                    .header("X-Zendesk-Webhook-Signature-Timestamp", timestamp)
                    .body(body);
                let answer = request.send().await;
                let ok = answer.is_ok_and(|a| a.status().is_success());
                if ok { &accepted } else { &refused }.fetch_add(1, Ordering::Relaxed);
                number += CONNECTIONS as u64;
            }
        })
    });
    try_join_all(loops).await?;
    let elapsed = started.elapsed();
    let accepted = usize::try_from(accepted.load(Ordering::Relaxed))?;
    let used = meter.read(accepted);
    tokio::task::spawn_blocking(move || children.stop()).await?;
    Ok(json!({
        "connections": CONNECTIONS,
        "acknowledged_per_s": super::per_second(accepted, elapsed),
        "refused": refused.load(Ordering::Relaxed),
        "processes": used,
    }))
}

/// A `ticket.created` event in the documented shape, of about 1 KiB.
fn ticket_created(number: u64) -> String {
    let now = Timestamp::now();
    let text = "The export has failed since this morning, and support has not answered yet. ".repeat(8);
    json!({
        "type": "zen:event-type:ticket.created",
        "account_id": 1,
        "id": format!("bench-{number}"),
        "time": now.to_string(),
        "zendesk_event_version": "2022-11-06",
        "subject": format!("zen:ticket:{number}"),
        "detail": {
            "actor_id": "8447388090494", "assignee_id": null, "brand_id": "1", "created_at": now.to_string(),
            "custom_status": "1", "description": text, "external_id": null, "form_id": "1", "group_id": null,
            "id": number.to_string(), "is_public": true, "organization_id": null, "priority": "LOW",
            "requester_id": "8447388090494", "status": "NEW", "subject": "Export fails", "submitter_id": "1",
            "tags": null, "type": "INCIDENT", "updated_at": now.to_string(), "via": { "channel": "web_service" }
        },
        "event": {}
    })
    .to_string()
}
