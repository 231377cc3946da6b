//! Every route by every role: the table is what the routes do.

use crate::support::World;
use deskstream_console::api;
use deskstream_console::identity::permissions::Role;
use deskstream_console::routes::{Access, ROUTES};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn every_documented_route_is_in_the_table_and_the_other_way_round() {
    let document: Value = serde_json::from_str(&api::document().to_json().unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |m| (m.to_uppercase(), path.clone()))
        })
        .filter(|(method, _)| method != "PARAMETERS")
        .collect();
    let table: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .filter(|(_, path)| path != "/api/v1/openapi.json")
        .collect();
    assert_eq!(documented, table);
    assert_eq!(ROUTES.len(), table.len() + 1, "no route twice");
}

/// Who may call what, told a second time, so that a slip in the table shows.
fn expected(role: Role, method: &str, path: &str) -> bool {
    use Role::{Admin, Agent, Auditor, Operator, Reviewer};
    let of = |roles: &[Role]| roles.contains(&role);
    match (method, path) {
        (_, path) if path.starts_with("/api/v1/me") => true,
        (_, "/api/v1/auth/tenant" | "/api/v1/tenants") => of(&[Operator]),
        ("POST", path) if path.ends_with("/reviews") => of(&[Operator, Admin, Reviewer]),
        (_, path) if path.starts_with("/api/v1/tickets") => of(&[Operator, Admin, Agent, Reviewer]),
        (_, path) if path.starts_with("/api/v1/overview") || path == "/api/v1/quality" => true,
        (_, path) if path.starts_with("/api/v1/audit") => of(&[Operator, Admin, Auditor]),
        ("GET", path) if path.starts_with("/api/v1/users") || path.starts_with("/api/v1/api-keys") => {
            of(&[Operator, Admin, Auditor])
        }
        ("GET", path) if path.starts_with("/api/v1/settings") => of(&[Operator, Admin, Auditor]),
        _ => of(&[Operator, Admin]),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_may_call_what_the_table_says_and_nothing_else() {
    let world = World::with("roles", &[("console.requests_per_minute", "100000")]).await;
    let operator = world.operator().await;
    let operator = world.within(&operator, "acme").await;
    let mut tokens = BTreeMap::new();
    for role in Role::ALL.into_iter().filter(|role| *role != Role::Operator) {
        let name = format!("{role:?}").to_lowercase();
        tokens.insert(role, world.user(&operator, &name, &format!("{name}@acme.example")).await);
    }
    tokens.insert(Role::Operator, operator);
    let mut refused = 0;
    for (role, token) in &tokens {
        for route in ROUTES.iter().filter(|route| route.access != Access::Public) {
            let path = route
                .path
                .replace("{id}", "nobody")
                .replace("{platform}", "zendesk")
                .replace("{ticket_id}", "0");
            let request = world.api.request(Method::from_bytes(route.method.as_bytes()).unwrap(), &path);
            // The tenant that the operator is in already.
            let body = if path.ends_with("/tenant") { json!({ "tenant": "acme" }) } else { json!({}) };
            let request =
                if matches!(route.method, "POST" | "PUT" | "PATCH") { request.json(&body) } else { request };
            // A stream does not end: its status is enough.
            let status = request.bearer_auth(token).send().await.unwrap().status().as_u16();
            let allowed = expected(*role, route.method, route.path);
            refused += u32::from(status == 403);
            assert_eq!(status != 403, allowed, "{role:?} {} {} answers {status}", route.method, route.path);
            assert!(
                status != 401 && status < 500,
                "{role:?} {} {} answers {status}",
                route.method,
                route.path
            );
        }
    }
    assert!(refused > 50, "{refused}");

    // Without a token nothing but what is public.
    for route in ROUTES {
        let path =
            route.path.replace("{id}", "x").replace("{platform}", "zendesk").replace("{ticket_id}", "0");
        let request = world.api.request(Method::from_bytes(route.method.as_bytes()).unwrap(), &path);
        let status = request.json(&json!({})).send().await.unwrap().status().as_u16();
        let public = route.access == Access::Public;
        assert!(public || status == 401 || status == 429, "{} {} answers {status}", route.method, route.path);
    }
}
