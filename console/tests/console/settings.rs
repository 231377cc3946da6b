//! Settings that two change at once, requests that are sent twice.

use crate::support::{PASSWORD, World};
use reqwest::Method;
use serde_json::{Value, json};

const POLICY: &str = "/api/v1/settings/redaction-policy";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_is_changed_by_who_has_seen_it_and_by_nobody_else() {
    let world = World::new("policies").await;
    let (anna, ulf) = world.admins().await;
    let put = async |token: &str, condition: Option<(&str, &str)>, policy: &Value| {
        let mut request = world.api.request(Method::PUT, POLICY).bearer_auth(token).json(policy);
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        world.api.send(request).await
    };
    let policy = json!({ "policies": { "EMAIL": "pseudonym" }, "deny": ["Project Nightingale"] });
    assert_eq!(world.api.get(&anna, POLICY).await.problem(), "not-found");
    assert_eq!(put(&anna, None, &policy).await.problem(), "no-precondition");
    assert_eq!(put(&anna, Some(("if-match", "\"1\"")), &policy).await.problem(), "changed");
    let first = put(&anna, Some(("if-none-match", "*")), &policy).await;
    assert_eq!((first.status.as_u16(), first.headers["etag"].to_str().unwrap()), (204, "\"1\""));
    assert_eq!(put(&anna, Some(("if-none-match", "*")), &policy).await.problem(), "changed");

    let (one, two) = tokio::join!(
        put(&anna, Some(("if-match", "\"1\"")), &policy),
        put(&anna, Some(("if-match", "\"1\"")), &policy)
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 412], "of two at once one is lost, and told");

    let stored = world.api.get(&anna, POLICY).await;
    assert_eq!(stored.headers["etag"], "\"2\"");
    assert_eq!(stored.json()["policies"]["EMAIL"], "pseudonym");
    let entity = world.process.control.get("redaction-policy", "acme").unwrap();
    assert!(!entity.body.contains("Nightingale"));
    assert_eq!(world.api.get(&ulf, POLICY).await.problem(), "not-found", "umbrella has none");

    // One that fails its own examples is not stored, and says why.
    let wrong =
        json!({ "patterns": [{ "name": "ORDER", "pattern": "ORD-[0-9]{4}", "examples": ["nothing"] }] });
    let refused = put(&anna, Some(("if-match", "\"2\"")), &wrong).await;
    assert!(refused.problem() == "invalid" && refused.text.contains("examples[0]"), "{refused:?}");
    let unknown = put(&anna, Some(("if-match", "\"2\"")), &json!({ "polices": {} })).await;
    assert!(unknown.status == 422 && unknown.text.contains("polices"), "{unknown:?}");

    let remove = world.api.request(Method::DELETE, POLICY).bearer_auth(&anna).header("if-match", "\"2\"");
    assert_eq!(world.api.send(remove).await.status, 204);
    assert_eq!(world.api.get(&anna, POLICY).await.problem(), "not-found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_again_is_done_once() {
    let world = World::new("idempotency").await;
    let (anna, ulf) = world.admins().await;
    let user = json!({ "email": "rudi@acme.example", "name": "Rudi", "role": "agent", "password": PASSWORD });
    let post = async |token: &str, key: &str, body: &Value| {
        let request = world.api.request(Method::POST, "/api/v1/users").bearer_auth(token).json(body);
        world.api.send(request.header("idempotency-key", key)).await
    };
    let first = post(&anna, "one", &user).await;
    let again = post(&anna, "one", &user).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201), "{again:?}");
    assert_eq!(first.text, again.text);
    assert!(again.headers.contains_key("idempotency-replayed"));
    assert_eq!(post(&anna, "two", &user).await.problem(), "conflict");
    let other = json!({ "email": "x@acme.example", "name": "X", "role": "agent", "password": PASSWORD });
    assert_eq!(post(&anna, "one", &other).await.problem(), "invalid", "the key is of another request");
    // Keys are each caller's own.
    let theirs = json!({ "email": "y@umbrella.example", "name": "Y", "role": "agent", "password": PASSWORD });
    let ulfs = post(&ulf, "one", &theirs).await;
    assert!(ulfs.status == 201 && !ulfs.text.contains("acme"), "{ulfs:?}");
    // What was refused may be tried again under its key.
    assert_eq!(post(&anna, "three", &json!({ "email": "z" })).await.status, 422);
    assert_eq!(post(&anna, "three", &other).await.status, 201);
}
