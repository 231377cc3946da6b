//! Requests that are wrong, and what every answer has.

use crate::support::{PASSWORD, World};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_told_and_how_to_put_it_right() {
    let world = World::new("bad_input").await;
    let (anna, _) = world.admins().await;
    let post = async |body: String| {
        let request = world.api.request(Method::POST, "/api/v1/users").bearer_auth(&anna);
        world.api.send(request.header("content-type", "application/json").body(body)).await
    };
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(300 << 10));
    assert_eq!((post(large).await).status, StatusCode::PAYLOAD_TOO_LARGE);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    assert_eq!(post(deep).await.problem(), "unreadable");
    assert_eq!(post("{".into()).await.problem(), "unreadable");
    let unknown = json!({ "email": "a@b.example", "name": "A", "role": "agent", "password": PASSWORD, "tenant": "umbrella" });
    let unknown = post(unknown.to_string()).await;
    assert!(unknown.status == 422 && unknown.text.contains("unknown field `tenant`"), "{unknown:?}");
    let untyped = world.api.request(Method::POST, "/api/v1/users").bearer_auth(&anna).body("{}");
    assert_eq!(world.api.send(untyped).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    for (body, field) in [
        (json!({ "email": "nobody", "name": "A", "role": "agent", "password": PASSWORD }), "email"),
        (json!({ "email": "a@b.example", "name": " ", "role": "agent", "password": PASSWORD }), "name"),
        (json!({ "email": "a@b.example", "name": "A", "role": "agent", "password": "short" }), "password"),
        (json!({ "email": "a@b.example", "name": "A", "role": "operator", "password": PASSWORD }), "role"),
    ] {
        let answer = post(body.to_string()).await;
        assert_eq!(answer.problem(), "invalid");
        assert_eq!(answer.json()["errors"][0]["field"], field);
        assert!(!answer.text.contains(PASSWORD));
    }
    let taken =
        json!({ "email": "ulf@umbrella.example", "name": "A", "role": "agent", "password": PASSWORD });
    assert_eq!(post(taken.to_string()).await.problem(), "conflict");

    for (path, code) in [
        ("/api/v1/tickets?limit=0", "invalid"),
        ("/api/v1/tickets?limit=201", "invalid"),
        ("/api/v1/tickets?limit=x", "unreadable"),
        ("/api/v1/tickets?cursor=nonsense", "invalid"),
        ("/api/v1/tickets?from=yesterday", "invalid"),
        ("/api/v1/tickets?colour=blue", "unreadable"),
        ("/api/v1/overview?minutes=0", "invalid"),
        ("/api/v1/quality?days=0", "invalid"),
        ("/api/v1/quality?language=%27", "invalid"),
        ("/api/v1/audit/export?limit=3", "invalid"),
        ("/api/v1/audit?outcome=%00", "invalid"),
        ("/api/v1/nowhere", "no-route"),
    ] {
        assert_eq!(world.api.get(&anna, path).await.problem(), code, "{path}");
    }
    assert_eq!(world.api.delete(&anna, "/api/v1/tickets").await.problem(), "no-method");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_has_its_safety_headers_and_an_id_of_its_own() {
    let world = World::new("headers").await;
    let mut ids = BTreeSet::new();
    for path in ["/api/v1/me", "/nowhere", "/.well-known/jwks.json", "/api/v1/openapi.json"] {
        let request = world.api.request(Method::GET, path).header("x-request-id", "mine");
        let answer = world.api.send(request).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("require-trusted-types-for 'script'"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(answer.headers.get("strict-transport-security").is_none(), "without TLS");
        assert!(answer.headers["x-request-id"] != "mine");
        ids.insert(answer.headers["x-request-id"].clone().to_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_waits() {
    let limits = [("console.requests_per_minute", "60"), ("console.anonymous_per_minute", "60")];
    let world = World::with("rates", &limits).await;
    let operator = world.operator().await;
    let mut last = StatusCode::OK;
    for _ in 0..25 {
        last = world.api.get(&operator, "/api/v1/me").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    for _ in 0..25 {
        last = world.api.get("nobody", "/api/v1/me").await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_certificate_it_speaks_tls_1_3_and_nothing_older() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let certificate = write("console.pem", made.cert.pem());
    let key = format!("file:{}", write("console.key", made.signing_key.serialize_pem()));
    let settings = [("console.certificate", certificate.as_str()), ("console.private_key", &key)];
    let mut world = World::with("tls", &settings).await;
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    world.api.base = world.api.base.replace("127.0.0.1", "localhost");
    let client = |max| {
        let builder = reqwest::Client::builder().tls_certs_only([trusted.clone()]);
        builder.tls_version_max(max).build().unwrap()
    };
    world.api.client = client(reqwest::tls::Version::TLS_1_3);
    let operator = world.operator().await;
    let me = world.api.get(&operator, "/api/v1/me").await;
    assert_eq!(me.status, 200);
    assert!(me.headers.contains_key("strict-transport-security"));
    let cookie = world.api.sign_in(crate::support::OPERATOR, PASSWORD).await.headers["set-cookie"].clone();
    assert!(cookie.to_str().unwrap().ends_with("; Secure"));
    let old = client(reqwest::tls::Version::TLS_1_2).get(format!("{}/api/v1/me", world.api.base));
    assert!(old.send().await.unwrap_err().is_connect());
}
