//! All samples in one process.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

mod common;

use common::{Answer, Receiver, client, eventually};
use deskstream_samples::{AllStats, PortFile, Samples, ServeError, ServeOptions, serve};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn the_port_file_tells_another_process_everything() {
    let receiver = Receiver::ok().await;
    let port_file = std::env::temp_dir().join(format!("deskstream-samples-{}.json", uuid::Uuid::new_v4()));
    let options = ServeOptions {
        tenants: vec!["acme".to_owned(), "globex".to_owned()],
        rate: 100.0,
        webhook_url_template: Some(format!("{}?tenant={{tenant}}", receiver.url)),
        port_file: Some(port_file.clone()),
        ..ServeOptions::default()
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(serve(options, async {
        let _ = stopped.await;
    }));
    eventually("the port file", || port_file.exists()).await;
    let ports: PortFile = serde_json::from_slice(&std::fs::read(&port_file).unwrap()).unwrap();
    std::fs::remove_file(&port_file).unwrap();

    assert_eq!(ports.tenants.len(), 2);
    eventually("webhooks", || receiver.got().len() > 20).await;
    let got = receiver.got();
    let secrets: Vec<&str> =
        ports.tenants.iter().filter_map(|tenant| tenant.webhook_secret.as_deref()).collect();
    assert!(got.iter().all(|delivery| secrets.iter().any(|secret| delivery.signed_with(secret))));

    let tenant = &ports.tenants[1];
    let ticket =
        client().get(format!("{}/api/v2/tickets/1", tenant.zendesk_url)).bearer_auth(&tenant.bearer_token);
    assert_eq!(ticket.send().await.unwrap().status(), 200);
    let post = async |path: &str, body: serde_json::Value| {
        client()
            .post(format!("{}{path}", ports.control_url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(
        post("/__control/incident", json!({"tenant": "globex", "tickets": 3, "over_ms": 10})).await,
        202
    );
    assert_eq!(post("/__control/incident", json!({"tenant": "nobody"})).await, 404);
    assert_eq!(post("/__control/traffic", json!({"rate": 0.0})).await, 204);
    let stats = client().get(format!("{}/__control/stats", ports.control_url)).send().await.unwrap();
    let stats: AllStats = serde_json::from_value(Answer::of(stats).await.json()).unwrap();
    assert_eq!(stats.tenants.len(), 2);
    let sum: u64 = stats.tenants.values().map(|stats| stats.tickets_created).sum();
    assert_eq!(stats.zendesk.tickets_created, sum);
    let alert = json!({"text": "t"});
    assert_eq!(client().post(&ports.slack_webhook_url).json(&alert).send().await.unwrap().status(), 200);
    let event = json!({"routing_key": ports.pagerduty_routing_key, "event_action": "trigger",
        "payload": {"summary": "s", "source": "t", "severity": "info"}});
    assert_eq!(client().post(&ports.pagerduty_url).json(&event).send().await.unwrap().status(), 202);

    stop.send(()).unwrap();
    let last = tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    assert_eq!((last.slack.accepted, last.pagerduty.opened), (1, 1));
    let gone = client().get(&ports.control_url).send().await.unwrap_err();
    assert!(gone.is_connect());
    let gone = client().get(&tenant.zendesk_url).send().await.unwrap_err();
    assert!(gone.is_connect());
}

#[tokio::test]
async fn mistakes_are_told() {
    let none = Samples::start(ServeOptions { tenants: Vec::new(), ..ServeOptions::default() }).await;
    assert!(matches!(none, Err(ServeError::NoTenant)));
    for tenants in [vec!["a b"], vec![""], vec!["a", "a"]] {
        let tenants = tenants.into_iter().map(str::to_owned).collect();
        let bad = Samples::start(ServeOptions { tenants, ..ServeOptions::default() }).await;
        assert!(matches!(bad, Err(ServeError::BadTenant(_))));
    }
    let nowhere =
        ServeOptions { port_file: Some("/nonexistent/ports.json".into()), ..ServeOptions::default() };
    assert!(matches!(Samples::start(nowhere).await, Err(ServeError::PortFile { .. })));
}
