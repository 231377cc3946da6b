//! The first operator, signing in and out, sessions, lockout.

use crate::support::{OPERATOR, PASSWORD, World};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bootstrap_token_makes_one_operator_and_is_spent() {
    let world = World::new("bootstrap").await;
    let token = world.console.bootstrap.as_ref().unwrap().expose_secret();
    assert_eq!(world.api.bootstrap("wrong").await.problem(), "unauthenticated");
    let made = world.api.bootstrap(token).await;
    let me = world.api.get(&made.token(), "/api/v1/me").await.json();
    assert_eq!(
        (me["role"].as_str(), me["tenant"].as_str(), me["name"].as_str()),
        (Some("operator"), Some("*"), Some("Olga"))
    );
    assert_eq!(world.api.bootstrap(token).await.problem(), "unauthenticated");
    // Nothing of a person stands in clear on the topic.
    for kind in ["user", "session"] {
        for entity in world.process.control.list(kind) {
            let text = format!("{} {} {}", entity.id, entity.body, entity.updated_by);
            assert!(!text.contains("olga") && !text.contains("Olga") && !text.contains("argon2"), "{text}");
        }
    }
    assert_eq!(world.api.sign_in(OPERATOR, PASSWORD).await.status, 200);
    assert_eq!(world.api.sign_in(" OLGA@desk.example", PASSWORD).await.status, 200);
    assert_eq!(world.api.sign_in(OPERATOR, "incorrect horse battery").await.problem(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_is_good_once_and_its_reuse_ends_the_session() {
    let world = World::new("refresh").await;
    world.operator().await;
    let signed_in = world.api.sign_in(OPERATOR, PASSWORD).await;
    let set = signed_in.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.contains("HttpOnly; SameSite=Strict") && set.contains("Path=/api/v1/auth"), "{set}");
    let first = signed_in.cookie();
    let refreshed = world.api.refresh(&first).await;
    let (second, access) = (refreshed.cookie(), refreshed.token());
    assert_ne!(first, second);
    assert_eq!(world.api.get(&access, "/api/v1/me").await.status, 200);

    // A forged tag has no effect on the session: whoever knows its id can't end it.
    let forged = format!("{}AAAA", &second[..second.len() - 4]);
    assert_eq!(world.api.refresh(&forged).await.problem(), "unauthenticated");
    assert_eq!(world.api.get(&access, "/api/v1/me").await.status, 200);

    assert_eq!(world.api.refresh(&first).await.problem(), "unauthenticated", "used before");
    assert_eq!(world.api.refresh(&second).await.problem(), "unauthenticated", "its session has ended");
    assert_eq!(world.api.get(&access, "/api/v1/me").await.problem(), "unauthenticated", "at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_can_not_use_the_cookie() {
    let world = World::new("csrf").await;
    world.operator().await;
    let cookie = world.api.sign_in(OPERATOR, PASSWORD).await.cookie();
    for path in ["/api/v1/auth/refresh", "/api/v1/auth/sign-out"] {
        let request = || world.api.request(Method::POST, path).header("cookie", &cookie);
        for foreign in [
            request(),
            request().header("origin", "https://evil.example"),
            request().header("origin", "null"),
            request().header("sec-fetch-site", "same-site").header("origin", &world.api.base),
            request().header("sec-fetch-site", "cross-site"),
        ] {
            assert_eq!(world.api.send(foreign).await.problem(), "cross-site");
        }
    }
    let same = world.api.request(Method::POST, "/api/v1/auth/refresh").header("cookie", &cookie);
    assert_eq!(world.api.send(same.header("sec-fetch-site", "same-origin")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_listed_and_end_at_once() {
    let world = World::new("sessions").await;
    let here = world.operator().await;
    let there = world.api.sign_in(OPERATOR, PASSWORD).await;
    let sessions = world.api.get(&here, "/api/v1/me/sessions").await.json();
    let sessions = sessions.as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["address"] == "127.0.0.1"), "{sessions:?}");
    let other = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
    assert_eq!(world.api.delete(&here, &format!("/api/v1/me/sessions/{other}")).await.status, 204);
    assert_eq!(world.api.get(&there.token(), "/api/v1/me").await.problem(), "unauthenticated");
    assert_eq!(world.api.refresh(&there.cookie()).await.problem(), "unauthenticated");
    assert_eq!(world.api.delete(&here, &format!("/api/v1/me/sessions/{other}")).await.problem(), "not-found");

    // Signing out ends the session of the cookie.
    let again = world.api.sign_in(OPERATOR, PASSWORD).await;
    let out = world.api.request(Method::POST, "/api/v1/auth/sign-out").header("origin", &world.api.base);
    let out = world.api.send(out.header("cookie", again.cookie())).await;
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(world.api.get(&again.token(), "/api/v1/me").await.problem(), "unauthenticated");

    // A new password ends every other session, and only who knows the old one sets it.
    let third = world.api.sign_in(OPERATOR, PASSWORD).await.token();
    let change = |current: &str| json!({ "current": current, "password": "another long password" });
    let wrong = world.api.post(&here, "/api/v1/me/password", &change("not this one")).await;
    assert_eq!(wrong.problem(), "invalid");
    assert_eq!(world.api.post(&here, "/api/v1/me/password", &change(PASSWORD)).await.status, 204);
    assert_eq!(world.api.get(&third, "/api/v1/me").await.problem(), "unauthenticated");
    assert_eq!(world.api.get(&here, "/api/v1/me").await.status, 200);
    assert_eq!(world.api.sign_in(OPERATOR, PASSWORD).await.problem(), "unauthenticated");
    assert_eq!(world.api.sign_in(OPERATOR, "another long password").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_makes_one_wait_whether_or_not_there_is_such_a_user() {
    let world = World::new("lockout").await;
    world.operator().await;
    for email in [OPERATOR, "nobody@desk.example"] {
        let mut answers = Vec::new();
        for _ in 0..6 {
            answers.push(world.api.sign_in(email, "a guess of a password").await);
        }
        let codes: Vec<_> = answers.iter().map(|answer| answer.problem()).collect();
        assert_eq!(codes[..5], vec!["unauthenticated"; 5], "{email}");
        assert_eq!(codes[5], "too-many", "{email}");
        assert!(answers[5].headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 20);
    }
    assert_eq!(world.api.sign_in(OPERATOR, PASSWORD).await.problem(), "too-many", "the right one waits too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_locked_out_or_gets_another_role_feels_it_at_once() {
    let world = World::new("standing").await;
    let (anna, _) = world.admins().await;
    let rudi = world.user(&anna, "reviewer", "rudi@acme.example").await;
    let users = world.api.get(&anna, "/api/v1/users").await.json();
    let id = users.as_array().unwrap().iter().find(|user| user["role"] == "reviewer").unwrap()["id"].clone();
    let path = format!("/api/v1/users/{}", id.as_str().unwrap());
    assert_eq!(world.api.get(&rudi, "/api/v1/tickets").await.status, 200);
    let change = async |body: serde_json::Value| {
        let tag = world.api.get(&anna, &path).await.headers["etag"].clone();
        let request = world.api.request(Method::PATCH, &path).bearer_auth(&anna).header("if-match", tag);
        assert_eq!(world.api.send(request.json(&body)).await.status, 200);
    };
    change(json!({ "role": "viewer" })).await;
    assert_eq!(world.api.get(&rudi, "/api/v1/tickets").await.problem(), "forbidden");
    change(json!({ "active": false })).await;
    assert_eq!(world.api.get(&rudi, "/api/v1/me").await.problem(), "unauthenticated");
    assert_eq!(world.api.sign_in("rudi@acme.example", PASSWORD).await.problem(), "unauthenticated");
    assert_eq!(world.api.delete(&anna, &path).await.status, 204);
    assert_eq!(world.api.get(&anna, &path).await.problem(), "not-found");
}
