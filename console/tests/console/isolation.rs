//! One tenant's calls never return a byte of another's: each tenant's data is full of a mark of its own, and whatever is
//! called, in whatever order, with whatever ids of the other, the other's mark is not in any answer.

use crate::support::{World, outcome, ticket};
use deskstream_console::history::History;
use deskstream_console::identity::caller::Caller;
use deskstream_runtime::time::now_ms;
use deskstream_schemas::Topic;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest::Method;
use serde_json::json;

const MARKS: [&str; 2] = ["marknachtigall", "markzaunkoenig"];

/// A world with two tenants, each with tickets, write-backs, a review, a policy, a key and users that hold its mark.
struct Two {
    world: World,
    tokens: [String; 2],
    ids: Vec<String>,
}

async fn two() -> Two {
    let limits = [("console.requests_per_minute", "1000000"), ("console.anonymous_per_minute", "1000000")];
    let world = World::with("isolation", &limits).await;
    world.sinks().await;
    let (anna, ulf) = world.admins().await;
    let tokens = [anna, ulf];
    let now = now_ms();
    let mut ids = Vec::new();
    for (tenant, (token, mark)) in ["acme", "umbrella"].into_iter().zip(tokens.iter().zip(MARKS)) {
        // The same ids at both, and one that only one has.
        for id in ["1", "2", mark] {
            let ticket = ticket(tenant, id, now, mark);
            world.produce(Topic::Enriched, &ticket.key(), &ticket).await;
            let outcome = outcome(tenant, id, now, mark);
            world.produce(Topic::Outcomes, &outcome.subject, &outcome).await;
        }
        world.user(token, "agent", &format!("agent@{mark}.example")).await;
        let key = json!({ "name": mark, "permissions": ["read-tickets"], "expires_in_days": 1 });
        assert_eq!(world.api.post(token, "/api/v1/api-keys", &key).await.status, 201);
        let policy = world.api.request(Method::PUT, "/api/v1/settings/redaction-policy").bearer_auth(token);
        let policy = policy.header("if-none-match", "*").json(&json!({ "deny": [mark] }));
        assert_eq!(world.api.send(policy).await.status, 204);
        world
            .until(token, &format!("/api/v1/tickets/zendesk/{mark}"), |t| {
                !t["write_backs"].as_array().unwrap().is_empty()
            })
            .await;
        let review = format!("/api/v1/tickets/zendesk/{mark}/reviews");
        assert_eq!(world.api.post(token, &review, &json!({ "urgency": "low" })).await.status, 201);
        for list in ["/api/v1/users", "/api/v1/api-keys", "/api/v1/me/sessions"] {
            let rows = world.api.get(token, list).await.json();
            ids.extend(rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        }
    }
    ids.extend(MARKS.map(str::to_owned));
    ids.extend(["acme", "umbrella", "*", "1", "2", "../umbrella", "acme%2Fzendesk%2F1"].map(str::to_owned));
    Two { world, tokens, ids }
}

/// A call: which path, with which two ids, by a number.
fn path(which: usize, a: &str, b: &str) -> (Method, String) {
    let a = a.replace('/', "%2F");
    let get = |path: String| (Method::GET, path);
    match which {
        0 => get(format!("/api/v1/tickets?limit=200&tenant={a}")),
        1 => get(format!("/api/v1/tickets?limit=200&q={a}")),
        2 => get(format!("/api/v1/tickets/zendesk/{a}")),
        3 => get(format!("/api/v1/tickets/{a}/{b}")),
        4 => get("/api/v1/tickets?limit=1".to_owned()),
        5 => get(format!("/api/v1/audit?limit=200&tenant={a}")),
        6 => get(format!("/api/v1/audit?limit=200&actor={a}")),
        7 => get(format!("/api/v1/audit/export?format=csv&tenant={a}")),
        8 => get("/api/v1/users".to_owned()),
        9 => get(format!("/api/v1/users/{a}")),
        10 => get("/api/v1/api-keys".to_owned()),
        11 => get("/api/v1/settings/redaction-policy".to_owned()),
        12 => get("/api/v1/overview".to_owned()),
        13 => get("/api/v1/me".to_owned()),
        14 => get("/api/v1/me/sessions".to_owned()),
        15 => (Method::POST, format!("/api/v1/tickets/zendesk/{a}/reviews")),
        16 => (Method::DELETE, format!("/api/v1/api-keys/{a}")),
        17 => (Method::POST, "/api/v1/auth/tenant".to_owned()),
        18 => (Method::PATCH, format!("/api/v1/users/{a}")),
        19 => (Method::DELETE, format!("/api/v1/me/sessions/{a}")),
        20 => get("/api/v1/quality".to_owned()),
        21 => get("/api/v1/tickets/filters".to_owned()),
        22 => get("/api/v1/settings/redaction-kinds".to_owned()),
        _ => get("/api/v1/audit?limit=200".to_owned()),
    }
}

#[test]
fn no_sequence_of_calls_by_one_tenant_returns_a_byte_of_another() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let two = runtime.block_on(two());
    let (world, ids) = (&two.world, two.ids.len());
    // The marks are there to be found by their own.
    for (token, mark) in two.tokens.iter().zip(MARKS) {
        let own = runtime.block_on(world.api.get(token, "/api/v1/tickets")).text;
        assert!(own.contains(mark));
    }
    let calls = proptest::collection::vec((0..24usize, 0..ids, 0..ids, 0..2usize), 1..12);
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    runner
        .run(&calls, |calls| {
            for (which, a, b, who) in calls {
                let (method, path) = path(which, &two.ids[a], &two.ids[b]);
                // What would end the caller itself is for other tests.
                if which == 19 && !MARKS.contains(&two.ids[a].as_str()) {
                    continue;
                }
                let request = world.api.request(method.clone(), &path).bearer_auth(&two.tokens[who]);
                let request = match which {
                    15 => request.json(&json!({ "urgency": "low" })),
                    17 => request.json(&json!({ "tenant": two.ids[a] })),
                    18 => request.header("if-match", "\"1\"").json(&json!({ "name": "Taken over" })),
                    _ => request,
                };
                let answer = runtime.block_on(world.api.send(request));
                prop_assert!(answer.status.as_u16() < 500, "{method} {path}: {answer:?}");
                let mut text = answer.text.clone();
                // The ids that the caller asked for stand in its own audit trail.
                for end in ["\"", ",", "/"] {
                    text = text.replace(&format!("/{}{end}", MARKS[1 - who]), "");
                }
                for told in answer.headers.values() {
                    text.push_str(told.to_str().unwrap_or_default());
                }
                let other = MARKS[1 - who];
                prop_assert!(!text.contains(other), "{method} {path} tells {other}: {text}");
                let tenant = ["\"tenant\":\"umbrella\"", "\"tenant\":\"acme\""][who];
                prop_assert!(!text.contains(tenant), "{method} {path} has rows of another tenant: {text}");
                let cell = [",umbrella,", ",acme,"][who];
                prop_assert!(!text.contains(cell), "{method} {path} has lines of another tenant: {text}");
            }
            Ok(())
        })
        .unwrap();
    runtime.block_on(not_yours_is_not_there(&two));
    runtime.block_on(the_server_filters_too(&two));
}

/// The other's ticket, user and key answer as ones that do not exist.
async fn not_yours_is_not_there(two: &Two) {
    let [_, ulf] = &two.tokens;
    let theirs =
        two.world.api.get(&two.tokens[0], "/api/v1/users").await.json()[0]["id"].as_str().unwrap().to_owned();
    let nobody = uuid::Uuid::new_v4().to_string();
    for (yours, none) in [
        (format!("/api/v1/tickets/zendesk/{}", MARKS[0]), "/api/v1/tickets/zendesk/nothing".to_owned()),
        (format!("/api/v1/users/{theirs}"), format!("/api/v1/users/{nobody}")),
    ] {
        let (yours, none) = (two.world.api.get(ulf, &yours).await, two.world.api.get(ulf, &none).await);
        assert_eq!((yours.status, &yours.text), (none.status, &none.text));
        assert_eq!(yours.problem(), "not-found");
    }
}

/// A statement that forgets the tenant gets the caller's rows all the same.
async fn the_server_filters_too(two: &Two) {
    let history = History::new(&two.world.process.config.clickhouse);
    let headers = reqwest::header::HeaderMap::from_iter([(
        reqwest::header::AUTHORIZATION,
        format!("Bearer {}", two.tokens[0]).parse().unwrap(),
    )]);
    let scope = Caller::of(&two.world.process, &headers).unwrap().scope;
    for (table, own) in [("tickets", 3), ("ticket_events", 3), ("outcomes", 3)] {
        let sql = format!("SELECT count(), uniqExact(tenant) FROM {table} WHERE {{scope:String}} != ''");
        let seen = history.ask(&scope, &sql).unwrap().fetch_one::<(u64, u64)>().await.unwrap();
        assert_eq!(seen, (own, 1), "{table}");
        // Nor may it write.
        let write = format!("ALTER TABLE {table} DELETE WHERE {{scope:String}} != ''");
        assert!(history.ask(&scope, &write).unwrap().execute().await.is_err());
    }
}
