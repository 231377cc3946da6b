//! What each request leaves in the audit trail, and how that is read and exported.

use crate::support::{OPERATOR, PASSWORD, World};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_what_is_in_the_trail_of_its_tenant_and_can_be_exported() {
    let world = World::new("audits").await;
    world.sinks().await;
    let (anna, ulf) = world.admins().await;
    world.api.sign_in("anna@acme.example", "not her password").await;
    let listed = world.api.get(&anna, "/api/v1/tickets").await;
    let viewer = world.user(&anna, "viewer", "vera@acme.example").await;
    assert_eq!(world.api.get(&viewer, "/api/v1/tickets").await.problem(), "forbidden");
    let id = listed.headers["x-request-id"].to_str().unwrap();

    let found = format!("/api/v1/audit?request_id={id}");
    let entry =
        world.until(&anna, &found, |page| page["items"].as_array().unwrap().len() == 1).await["items"][0]
            .clone();
    assert_eq!(
        (&entry["action"], &entry["outcome"], &entry["tenant"]),
        (&json!("read.tickets"), &json!("ok"), &json!("acme"))
    );
    assert_eq!((&entry["actor_kind"], &entry["source_ip"]), (&json!("user"), &json!("127.0.0.1")));
    assert_eq!(entry["actor"], world.api.get(&anna, "/api/v1/me").await.json()["id"]);
    let page = world.api.get(&ulf, &found).await.json();
    assert_eq!(page["items"], json!([]), "another tenant's record is not there");

    let denied = |action: &'static str| format!("/api/v1/audit?outcome=denied&action={action}");
    for action in ["read.tickets", "sign-in.user"] {
        world.until(&anna, &denied(action), |page| page["items"].as_array().unwrap().len() == 1).await;
    }
    let all = world.api.get(&anna, "/api/v1/audit?limit=200").await;
    for private in [PASSWORD, "not her password", "anna@acme.example", OPERATOR, "argon2"] {
        assert!(!all.text.contains(private), "{private}");
    }
    let people = world.api.get(&anna, "/api/v1/audit?limit=200&actor_kind=user").await.json();
    assert!(people["items"].as_array().unwrap().iter().all(|entry| entry["actor_kind"] == "user"));
    assert_eq!(world.api.get(&anna, "/api/v1/audit?actor_kind=api_key").await.json()["items"], json!([]));
    // Each page is an entry itself, so pages are read from a fixed time back.
    let newest = all.json()["items"][0]["at"].as_str().unwrap().to_owned();
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = world.api.get(&anna, &format!("/api/v1/audit?limit=2&to={newest}{cursor}")).await.json();
        count += page["items"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let lines = world.api.get(&anna, &format!("/api/v1/audit/export?format=jsonl&to={newest}")).await;
    assert_eq!(lines.text.lines().count(), count);
    assert!(
        lines
            .text
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["tenant"] == "acme")
    );
    let table = world.api.get(&anna, &format!("/api/v1/audit/export?format=csv&to={newest}")).await;
    assert_eq!(table.text.lines().count(), count + 1);
    assert!(table.text.starts_with("at,tenant,actor_kind,actor,action,"), "{}", table.text);
    assert!(table.headers["content-disposition"].to_str().unwrap().contains("audit.csv"));
    world
        .until(&anna, "/api/v1/audit?action=export.audit", |page| {
            page["items"].as_array().unwrap().len() == 2
        })
        .await;
}
