//! The web UI's files, as a browser asks for them.

use crate::support::World;
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_fresh_and_assets_are_kept() {
    let world = World::new("pages").await;
    let get = async |path: &str, headers: &[(&str, &str)]| {
        let request = world.api.request(Method::GET, path);
        world
            .api
            .send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
            .await
    };
    let first = get("/", &[]).await;
    assert_eq!(
        (first.status, first.headers["cache-control"].to_str().unwrap()),
        (StatusCode::OK, "no-cache")
    );
    assert_eq!(first.headers["content-type"], "text/html; charset=utf-8");
    let policy = first.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("style-src 'self'"), "{policy}");
    for page in ["/overview", "/tickets/zendesk/35", "/audit?resource=x", "/first-operator", "/sign-in"] {
        let shown = get(page, &[]).await;
        assert_eq!((shown.status, &shown.text), (StatusCode::OK, &first.text), "{page}");
    }
    let tag = first.headers["etag"].to_str().unwrap();
    let again = get("/inbox", &[("if-none-match", tag)]).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));

    // Every address that the page names is there, for good, and compressed.
    let named: BTreeSet<&str> = first.text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(named.len() > 20, "{named:?}");
    for address in &named {
        let asset = get(address, &[("accept-encoding", "gzip")]).await;
        assert_eq!(asset.status, StatusCode::OK, "{address}");
        assert_eq!(asset.headers["cache-control"], "public, max-age=31536000, immutable", "{address}");
        let kind = asset.headers["content-type"].to_str().unwrap();
        let wanted = match address.rsplit_once('.').unwrap().1 {
            "css" => "text/css",
            "svg" => "image/svg+xml",
            _ => "text/javascript",
        };
        assert!(kind.starts_with(wanted), "{address} is {kind}");
    }
    let script = named.iter().find(|address| address.ends_with("/parts.js")).unwrap();
    let packed =
        world.api.request(Method::GET, script).header("accept-encoding", "gzip").send().await.unwrap();
    let plain =
        world.api.request(Method::GET, script).header("accept-encoding", "identity").send().await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    assert!(packed.content_length().is_none_or(|length| length < plain.content_length().unwrap() / 2));

    // What is no page and no asset of this version is refused as everything else is; nothing outside is read.
    let version = named.first().unwrap().split('/').nth(2).unwrap().to_owned();
    for path in [
        "/assets/0000000000000000/app.js".to_owned(),
        format!("/assets/{version}/nothing.js"),
        format!("/assets/{version}/index.html"),
        format!("/assets/{version}/../Cargo.toml"),
        format!("/assets/{version}/%2e%2e/Cargo.toml"),
        format!("/assets/{version}//etc/passwd"),
        "/nowhere".to_owned(),
        "/inboxes".to_owned(),
        "/api/v1/inbox".to_owned(),
    ] {
        assert_eq!(get(&path, &[]).await.problem(), "no-route", "{path}");
    }
    // Somebody who types a wrong address gets a page that says so; an API's path stays an API's.
    let wrong = get("/nowhere", &[("accept", "text/html,*/*")]).await;
    assert_eq!((wrong.status, &wrong.text), (StatusCode::NOT_FOUND, &first.text));
    assert_eq!(get("/api/v1/nowhere", &[("accept", "text/html")]).await.problem(), "no-route");
    let posted = world.api.request(Method::POST, "/inbox").json(&json!({}));
    assert_eq!(world.api.send(posted).await.problem(), "no-route");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whether_there_is_an_operator_is_told_and_what_a_policy_may_say() {
    let world = World::new("needed").await;
    let needed = async || {
        let request = world.api.request(Method::GET, "/api/v1/auth/bootstrap");
        world.api.send(request).await.json()
    };
    assert_eq!(needed().await, json!({ "needed": true }));
    let operator = world.operator().await;
    assert_eq!(needed().await, json!({ "needed": false }));
    let kinds = world.api.get(&operator, "/api/v1/settings/redaction-kinds").await.json();
    let of = |name: &str| {
        let kind = kinds.as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap().clone();
        (kind["optional"].as_bool().unwrap(), kind["policies"].clone())
    };
    assert_eq!(of("EMAIL"), (false, json!(["mask", "pseudonym", "hash", "keep", "off"])));
    assert_eq!(of("SECRET"), (false, json!(["mask", "keep", "off"])));
    assert!(of("IBAN").1.as_array().unwrap().contains(&json!("partial")));
    assert!(of("AGE").0);
    // What is offered is taken: each kind with each of its policies.
    for policy in ["mask", "partial", "pseudonym", "hash", "keep", "off"] {
        let kinds = kinds.as_array().unwrap().iter();
        let may = kinds.filter(|kind| kind["policies"].as_array().unwrap().contains(&json!(policy)));
        let all: serde_json::Map<_, _> =
            may.map(|kind| (kind["name"].as_str().unwrap().to_owned(), json!(policy))).collect();
        let shown = world.api.get(&operator, "/api/v1/settings/redaction-policy").await;
        let request =
            world.api.request(Method::PUT, "/api/v1/settings/redaction-policy").bearer_auth(&operator);
        let request = match shown.headers.get("etag") {
            Some(tag) => request.header("if-match", tag),
            None => request.header("if-none-match", "*"),
        };
        let answer = world.api.send(request.json(&json!({ "policies": all }))).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{policy}: {answer:?}");
    }
}
