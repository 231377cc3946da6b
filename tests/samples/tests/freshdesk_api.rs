//! The sample Freshdesk over real HTTP, held to what the API's documentation says.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

use deskstream_samples::freshdesk::{Freshdesk, Limits, NewTicket, Options};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

struct Desk {
    freshdesk: Freshdesk,
    client: reqwest::Client,
}

impl Desk {
    async fn start(options: Options) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { freshdesk: Freshdesk::start(options).await.unwrap(), client }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> reqwest::Response {
        let key = &self.freshdesk.options().api_key;
        let url = format!("{}/api/v2{path}", self.freshdesk.url());
        let request = self.client.request(method, url).basic_auth(key, Some("X"));
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        self.send(Method::GET, path, None).await.json().await.unwrap()
    }

    fn ticket(&self, tags: &[&str]) -> u64 {
        self.freshdesk.create_ticket(NewTicket {
            subject: "Cannot log in".into(),
            description: "<div>Since this <b>morning</b> 1 &lt; 2</div>".into(),
            requester_name: "Jane Roe".into(),
            requester_email: "jane@customer.example".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..NewTicket::default()
        })
    }
}

#[tokio::test]
async fn a_ticket_is_listed_without_and_viewed_with_its_description() {
    let desk = Desk::start(Options::default()).await;
    let id = desk.ticket(&["vip"]);
    let listed = &desk.get("/tickets").await[0];
    assert_eq!((&listed["id"], &listed["priority"], &listed["status"]), (&json!(id), &json!(1), &json!(2)));
    assert!(listed.get("description").is_none() && listed.get("requester").is_none());
    let viewed = desk.get(&format!("/tickets/{id}?include=requester,conversations")).await;
    assert_eq!(viewed["description_text"], "Since this morning 1 < 2");
    assert_eq!(viewed["requester"]["email"], "jane@customer.example");
    assert_eq!(viewed["conversations"], json!([]));
    let missing = desk.send(Method::GET, "/tickets/99", None).await;
    assert_eq!((missing.status(), missing.text().await.unwrap().as_str()), (StatusCode::NOT_FOUND, ""));
}

#[tokio::test]
async fn lists_are_paged_to_a_limit_and_ordered() {
    let desk = Desk::start(Options { most_pages: 2, limits: Limits::none(), ..Options::default() }).await;
    for _ in 0..5 {
        desk.ticket(&[]);
        desk.freshdesk.clock().advance(Duration::from_secs(1));
    }
    let path = "/tickets?order_by=updated_at&order_type=asc&updated_since=2026-01-01T00:00:00Z&per_page=2";
    let first = desk.send(Method::GET, path, None).await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    assert!(link.contains("page=2") && link.ends_with("rel=\"next\""), "{link}");
    let ids: Vec<u64> = first
        .json::<Value>()
        .await
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2]);
    assert_eq!(desk.get(&format!("{path}&page=2")).await[1]["id"], 4);
    for wrong in ["&page=3", "&page=0", "&per_page=101", "&order_by=name", "&include=everything"] {
        let answer = desk.send(Method::GET, &format!("{path}{wrong}"), None).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{wrong}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["description"], "Validation failed");
    }
}

#[tokio::test]
async fn tags_are_replaced_whole_and_wrong_fields_change_nothing() {
    let desk = Desk::start(Options::default()).await;
    let id = desk.ticket(&["vip", "old"]);
    let path = format!("/tickets/{id}");
    desk.freshdesk.clock().advance(Duration::from_secs(2));
    let before = desk.freshdesk.ticket(id).unwrap().updated_at;
    let updated = desk.send(Method::PUT, &path, Some(json!({"tags": ["new"], "priority": 3}))).await;
    assert_eq!(updated.status(), StatusCode::OK);
    let held = desk.freshdesk.ticket(id).unwrap();
    assert_eq!((held.tags, held.priority), (vec!["new".to_owned()], 3));
    assert!(held.updated_at > before);
    for (body, code) in [
        (json!({"tags": ["x"], "colour": "red"}), "invalid_field"),
        (json!({"tags": ["x".repeat(33)]}), "invalid_value"),
        (json!({"tags": "x"}), "datatype_mismatch"),
        (json!({"priority": 5}), "invalid_value"),
    ] {
        let refused = desk.send(Method::PUT, &path, Some(body)).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(refused.json::<Value>().await.unwrap()["errors"][0]["code"], code);
    }
    assert_eq!(desk.freshdesk.ticket(id).unwrap().tags, ["new"]);
}

#[tokio::test]
async fn notes_are_private_unless_told_and_replies_never() {
    let desk = Desk::start(Options::default()).await;
    let id = desk.ticket(&[]);
    let note =
        desk.send(Method::POST, &format!("/tickets/{id}/notes"), Some(json!({"body": "a &amp; b"}))).await;
    assert_eq!(note.status(), StatusCode::CREATED);
    assert_eq!(note.json::<Value>().await.unwrap()["private"], true);
    let reply =
        desk.send(Method::POST, &format!("/tickets/{id}/reply"), Some(json!({"body": "Hello"}))).await;
    assert_eq!(reply.json::<Value>().await.unwrap()["private"], false);
    let listed = desk.get(&format!("/tickets/{id}/conversations")).await;
    assert_eq!((&listed[0]["body_text"], &listed[1]["body_text"]), (&json!("a & b"), &json!("Hello")));
    assert_eq!((desk.freshdesk.stats().notes, desk.freshdesk.stats().replies), (1, 1));
    assert_eq!(desk.freshdesk.notes(id), ["a & b"]);
}

#[tokio::test]
async fn wrong_keys_and_spent_limits_are_refused() {
    let limits = Limits { per_minute: Some(2), ..Limits::default() };
    let desk = Desk::start(Options { limits, ..Options::default() }).await;
    let url = format!("{}/api/v2/agents/me", desk.freshdesk.url());
    let refused = desk.client.get(&url).basic_auth("another", Some("X")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json::<Value>().await.unwrap()["code"], "invalid_credentials");
    assert_eq!(desk.get("/agents/me").await["contact"]["name"], "Deskstream");
    let second = desk.send(Method::GET, "/agents/me", None).await;
    assert_eq!(second.headers()["x-ratelimit-remaining"], "0");
    let third = desk.send(Method::GET, "/agents/me", None).await;
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = third.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
}
