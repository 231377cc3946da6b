//! Access tokens and API keys that are not what they say.

use crate::support::World;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use deskstream_console::identity::permissions::Permission;
use deskstream_console::identity::tokens::Claims;
use deskstream_console::identity::{api_keys, signing};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

fn claims(token: &str) -> Claims {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64.decode(body).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_token_of_ours_for_us_that_has_not_expired_is_taken() {
    let world = World::new("tokens").await;
    let good = world.operator().await;
    let base = claims(&good);
    let (kid, key) = signing::signing(&world.process).unwrap();
    let header = Header { kid: Some(kid.clone()), ..Header::new(Algorithm::EdDSA) };
    let signed = |claims: &Claims| encode(&header, claims, &key).unwrap();
    assert_eq!(
        world.api.get(&signed(&base), "/api/v1/me").await.status,
        200,
        "the test signs as the console does"
    );

    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let foreign = EncodingKey::from_ed_der(pair.as_ref());
    let raw = |header: Value, claims: &Claims, signature: &str| {
        let part = |value: &[u8]| BASE64.encode(value);
        let (header, claims) = (header.to_string(), serde_json::to_string(claims).unwrap());
        format!("{}.{}.{signature}", part(header.as_bytes()), part(claims.as_bytes()))
    };
    let real_signature = good.split('.').nth(2).unwrap();
    let other = |change: fn(&mut Claims)| {
        let mut claims = base.clone();
        change(&mut claims);
        claims
    };
    let tokens = [
        ("expired", signed(&other(|c| c.exp = c.iat - 1))),
        ("wrong audience", signed(&other(|c| c.aud = "another".into()))),
        ("wrong issuer", signed(&other(|c| c.iss = "another".into()))),
        ("another session", signed(&other(|c| c.sid = uuid::Uuid::new_v4().to_string()))),
        ("another user's session", signed(&other(|c| c.sub = uuid::Uuid::new_v4().to_string()))),
        ("another tenant", signed(&other(|c| c.tenant = "acme".into()))),
        ("another key", encode(&header, &base, &foreign).unwrap()),
        ("unknown key", encode(&Header { kid: Some("x".into()), ..header.clone() }, &base, &key).unwrap()),
        ("no key id", encode(&Header::new(Algorithm::EdDSA), &base, &key).unwrap()),
        ("alg none", raw(json!({ "alg": "none", "kid": kid }), &base, "")),
        ("alg none, signed", raw(json!({ "alg": "none", "kid": kid }), &base, real_signature)),
        ("alg None", raw(json!({ "alg": "None", "kid": kid }), &base, "")),
        ("alg HS256", raw(json!({ "alg": "HS256", "kid": kid }), &base, real_signature)),
        (
            "other claims under the signature",
            raw(json!({ "alg": "EdDSA", "kid": kid }), &other(|c| c.exp += 1), real_signature),
        ),
        ("no token", "x".to_owned()),
        ("empty parts", "..".to_owned()),
        ("an unknown API key", "dsk_00_00".to_owned()),
    ];
    for (what, token) in tokens {
        let answer = world.api.get(&token, "/api/v1/me").await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (401, "unauthenticated"), "{what}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let missing = world.api.send(world.api.request(reqwest::Method::GET, "/api/v1/me")).await;
    assert_eq!(missing.problem(), "unauthenticated");

    // What signs can be known by everybody, and is named in each token.
    let keys = world.api.get("", "/.well-known/jwks.json").await.json();
    assert_eq!((&keys["keys"][0]["kid"], &keys["keys"][0]["crv"]), (&json!(kid), &json!("Ed25519")));
    assert!(keys["keys"][0].get("d").is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_keys_change_and_tokens_of_the_one_before_still_hold() {
    let world = World::with("rotation", &[("console.signing_key_age", "60s")]).await;
    let before = world.operator().await;
    // As if it had been made an hour ago: a new one signs, and the old one is still there for what it signed.
    let (old, _) = signing::signing(&world.process).unwrap();
    let mut aged = (*world.process.control.get(signing::SIGNING_KEY_KIND, &old).unwrap()).clone();
    aged.updated_at -= 5 * 60_000;
    world.process.control.put(&aged).await.unwrap();
    signing::rotate(&world.process).await.unwrap();
    let (new, _) = signing::signing(&world.process).unwrap();
    assert_ne!(old, new);
    assert_eq!(world.api.get(&before, "/api/v1/me").await.status, 200);
    aged.updated_at -= 60 * 60_000;
    world.process.control.put(&aged).await.unwrap();
    signing::rotate(&world.process).await.unwrap();
    assert!(world.process.control.get(signing::SIGNING_KEY_KIND, &old).is_none());
    assert_eq!(world.api.get(&before, "/api/v1/me").await.problem(), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_may_what_it_was_given_until_it_ends() {
    let world = World::new("keys").await;
    let (anna, ulf) = world.admins().await;
    let wanted = json!({ "name": "export", "permissions": ["read-audit"], "expires_in_days": 30 });
    let made = world.api.post(&anna, "/api/v1/api-keys", &wanted).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (id, key) =
        (made.json()["id"].as_str().unwrap().to_owned(), made.json()["key"].as_str().unwrap().to_owned());
    let me = world.api.get(&key, "/api/v1/me").await.json();
    assert_eq!((&me["tenant"], &me["permissions"]), (&json!("acme"), &json!(["read-audit"])));
    assert_eq!(world.api.get(&key, "/api/v1/audit").await.status, 200);
    assert_eq!(world.api.get(&key, "/api/v1/tickets").await.problem(), "forbidden");
    assert_eq!(world.api.get(&key, "/api/v1/me/sessions").await.problem(), "forbidden");
    let stored = world.process.control.get(api_keys::API_KEY_KIND, &id).unwrap();
    assert!(!stored.body.contains(key.rsplit_once('_').unwrap().1), "only its hash is kept");
    let listed = world.api.get(&anna, "/api/v1/api-keys").await;
    assert!(listed.text.contains(&id) && !listed.text.contains("sha256"));

    // Nobody gives what they have not, and no key is of every tenant.
    for permissions in [json!(["manage-tenants"]), json!([])] {
        let wanted = json!({ "name": "more", "permissions": permissions, "expires_in_days": 30 });
        assert_eq!(world.api.post(&anna, "/api/v1/api-keys", &wanted).await.problem(), "invalid");
    }
    let revoke = format!("/api/v1/api-keys/{id}");
    assert_eq!(world.api.delete(&ulf, &revoke).await.problem(), "not-found");
    assert_eq!(world.api.delete(&anna, &revoke).await.status, 204);
    assert_eq!(world.api.get(&key, "/api/v1/me").await.problem(), "unauthenticated");

    let ended = deskstream_runtime::time::now_ms() - 1;
    let (_, ended) = api_keys::create(&world.process, "acme", "old", &[Permission::ReadAudit], ended, "test")
        .await
        .unwrap();
    assert_eq!(world.api.get(&ended, "/api/v1/me").await.problem(), "unauthenticated");
}
