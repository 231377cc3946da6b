//! The sample Zendesk's REST API, request by request, with a plain HTTP client.
#![allow(clippy::unwrap_used, reason = "clippy does not see that the helpers here are tests too")]

mod common;

use common::{Answer, Desk, client};
use deskstream_samples::Clock;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::zendesk::{AgentEdit, Limits, Options, Priority, Status, TagEdit, TicketUpdate};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn held() -> Options {
    Options {
        clock: Clock::held_at("2026-11-23T12:00:00Z".parse().unwrap()),
        limits: Limits::none(),
        ..Options::default()
    }
}

fn edit(update: TicketUpdate) -> AgentEdit {
    AgentEdit { update, same_second: false }
}

#[tokio::test]
async fn credentials_are_basic_with_token_or_bearer() {
    let desk = Desk::start(Options::default()).await;
    let url = desk.url("/api/v2/users/me.json");
    let bearer = client().get(&url).bearer_auth(&desk.zendesk.options().bearer_token).send().await.unwrap();
    assert_eq!(bearer.status(), 200);
    let me = desk.get("/api/v2/users/me").await;
    assert_eq!((me.status, &me.json()["user"]["role"]), (200, &json!("admin")));
    assert_eq!(me.json()["user"]["id"], json!(desk.zendesk.api_user_id()));

    let none = Answer::of(client().get(&url).send().await.unwrap()).await;
    assert_eq!((none.status, none.json()), (401, json!({"error": "Couldn't authenticate you"})));
    let options = desk.zendesk.options();
    // The address without `/token` would be a password login, which is gone.
    let password =
        client().get(&url).basic_auth(&options.email, Some(&options.api_token)).send().await.unwrap();
    assert_eq!(password.status(), 401);
    let wrong = client().get(&url).bearer_auth("wrong").send().await.unwrap();
    assert_eq!(wrong.status(), 401);
    assert_eq!(desk.zendesk.stats().unauthorized, 3);
}

#[tokio::test]
async fn a_ticket_shows_integers_and_lower_case_with_and_without_json_suffix() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let answer = desk.get(&format!("/api/v2/tickets/{id}.json")).await;
    let ticket = &answer.json()["ticket"];
    assert_eq!(desk.get(&format!("/api/v2/tickets/{id}")).await.text, answer.text);
    assert_eq!(ticket["id"], json!(id));
    assert_eq!(ticket["status"], json!("new"));
    assert_eq!(ticket["priority"], Value::Null);
    assert_eq!(ticket["tags"], json!(["web_form"]));
    assert_eq!(ticket["updated_at"], json!("2026-11-23T12:00:00Z"));
    assert_eq!(ticket["via"]["channel"], json!("email"));
    assert_eq!(ticket["description"], json!("Since this morning I cannot log in."));

    let missing = desk.get("/api/v2/tickets/999").await;
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({"error": "RecordNotFound", "description": "Not found"}))
    );
    let nonsense = desk.get("/api/v2/tickets/abc").await;
    assert_eq!((nonsense.status, &nonsense.json()["error"]["title"]), (400, &json!("Invalid attribute")));
    assert_eq!(desk.get("/api/v2/nothing").await.status, 404);
}

#[tokio::test]
async fn an_update_replaces_tags_adds_a_note_and_answers_with_its_audit() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    desk.zendesk.clock().advance(Duration::from_secs(5));
    let body = json!({"ticket": {
        "tags": ["Urgent", "ds_billing"], "priority": "high", "status": "open",
        "comment": {"body": "analysis", "public": false},
    }});
    let answer = desk.send("PUT", &format!("/api/v2/tickets/{id}.json"), &body).await;
    assert_eq!(answer.status, 200);
    let ticket = &answer.json()["ticket"];
    assert_eq!(ticket["tags"], json!(["ds_billing", "urgent"]), "replaced, lower case");
    assert_eq!((&ticket["priority"], &ticket["status"]), (&json!("high"), &json!("open")));
    assert_eq!(ticket["updated_at"], json!("2026-11-23T12:00:05Z"));
    let events = answer.json()["audit"]["events"].as_array().unwrap().clone();
    let of_type = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
    assert_eq!((of_type("Change"), of_type("Comment")), (3, 1));
    let tags = events.iter().find(|event| event["field_name"] == "tags").unwrap();
    assert_eq!(tags["previous_value"], json!(["web_form"]));

    let comments = desk.get(&format!("/api/v2/tickets/{id}/comments.json")).await.json();
    assert_eq!(comments["count"], json!(2));
    assert_eq!(
        (&comments["comments"][1]["public"], &comments["comments"][1]["body"]),
        (&json!(false), &json!("analysis"))
    );
    assert_eq!(comments["comments"][0]["public"], json!(true));
    assert_eq!(desk.zendesk.api_notes(id), ["analysis"]);
    let stats = desk.zendesk.stats();
    assert_eq!((stats.write_backs, stats.notes, stats.repeated_notes), (1, 1, 0));
    assert_eq!(stats.write_back_ms.count, 1);
}

#[tokio::test]
async fn a_comment_without_public_goes_to_the_customer() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    desk.send("PUT", &format!("/api/v2/tickets/{id}"), &json!({"ticket": {"comment": {"body": "oops"}}}))
        .await;
    assert_eq!((desk.zendesk.stats().public_comments, desk.zendesk.stats().notes), (1, 0));
}

#[tokio::test]
async fn a_safe_update_with_an_old_stamp_conflicts_and_changes_nothing() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let read = desk.get(&path).await.json()["ticket"]["updated_at"].clone();
    desk.zendesk.clock().advance(Duration::from_secs(1));
    let tags = vec![TagEdit::Add(vec!["by_agent".to_owned()])];
    assert!(desk.zendesk.agent_edit(id, &edit(TicketUpdate { tags, ..TicketUpdate::default() })));

    let safe =
        |stamp: &Value| json!({"ticket": {"tags": ["mine"], "safe_update": true, "updated_stamp": stamp}});
    let conflict = desk.send("PUT", &path, &safe(&read)).await;
    assert_eq!((conflict.status, &conflict.json()["error"]), (409, &json!("UpdateConflict")));
    assert!(conflict.json()["description"].as_str().unwrap().contains("outdated ticket data"));
    let ticket = desk.get(&path).await.json()["ticket"].clone();
    assert_eq!(ticket["tags"], json!(["by_agent", "web_form"]));

    assert_eq!(desk.send("PUT", &path, &safe(&ticket["updated_at"])).await.status, 200);
    let missing_stamp = json!({"ticket": {"tags": ["x"], "safe_update": true}});
    assert_eq!(desk.send("PUT", &path, &missing_stamp).await.status, 400);
    assert_eq!(desk.zendesk.stats().conflicts, 1);
}

#[tokio::test]
async fn two_edits_within_a_second_slip_past_the_guard() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let stamp = desk.get(&path).await.json()["ticket"]["updated_at"].clone();
    let tags = vec![TagEdit::Add(vec!["by_agent".to_owned()])];
    let update = TicketUpdate { tags, ..TicketUpdate::default() };
    assert!(desk.zendesk.agent_edit(id, &AgentEdit { update, same_second: true }));
    let body = json!({"ticket": {"tags": ["mine"], "safe_update": true, "updated_stamp": stamp}});
    assert_eq!(desk.send("PUT", &path, &body).await.status, 200, "one second is the stamp's resolution");
}

#[tokio::test]
async fn a_closed_ticket_refuses_updates() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    desk.zendesk
        .agent_edit(id, &edit(TicketUpdate { status: Some(Status::Closed), ..TicketUpdate::default() }));
    for (method, path, body) in [
        ("PUT", format!("/api/v2/tickets/{id}"), json!({"ticket": {"priority": "low"}})),
        ("PUT", format!("/api/v2/tickets/{id}/tags"), json!({"tags": ["x"]})),
    ] {
        let answer = desk.send(method, &path, &body).await;
        assert_eq!(answer.status, 422);
        let description = answer.json()["details"]["status"][0]["description"].clone();
        assert_eq!(description, json!("Status: closed prevents ticket update"));
    }
    assert_eq!(desk.zendesk.stats().closed_refusals, 2);
}

#[tokio::test]
async fn bad_bodies_are_refused_and_change_nothing() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let wrong = desk.send("PUT", &path, &json!({"ticket": {"priority": "HIGH", "tags": ["x"]}})).await;
    assert_eq!((wrong.status, &wrong.json()["error"]), (422, &json!("RecordInvalid")));
    assert!(wrong.json()["details"]["priority"].is_array());
    assert_eq!(desk.send("PUT", &path, &json!({"tags": ["x"]})).await.status, 400);
    let raw = desk.request(reqwest::Method::PUT, &path).body("{not json").send().await.unwrap();
    assert_eq!(raw.status(), 400);
    let empty = desk.send("PUT", &path, &json!({"ticket": {"comment": {"body": " "}}})).await;
    assert_eq!(empty.status, 422);
    assert_eq!(desk.zendesk.ticket(id).unwrap().tags.len(), 1);
}

#[tokio::test]
async fn the_tags_endpoint_sets_by_post_adds_by_put_and_removes_by_delete() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}/tags");
    let set = desk.send("POST", &path, &json!({"tags": ["b", "a"]})).await;
    assert_eq!((set.status, set.json()), (201, json!({"tags": ["a", "b"]})));
    let added = desk.send("PUT", &path, &json!({"tags": ["c"]})).await;
    assert_eq!((added.status, added.json()), (200, json!({"tags": ["a", "b", "c"]})));
    assert_eq!(desk.send("DELETE", &path, &json!({"tags": ["a"]})).await.status, 204);
    assert_eq!(desk.get(&path).await.json(), json!({"tags": ["b", "c"]}));

    // The vendor's own example has `safe_update` as a string.
    desk.zendesk.clock().advance(Duration::from_secs(3));
    let safe = |stamp: &str| json!({"tags": ["d"], "safe_update": "true", "updated_stamp": stamp});
    assert_eq!(desk.send("PUT", &path, &safe("2020-01-01T00:00:00Z")).await.status, 409);
    assert_eq!(desk.send("PUT", &path, &safe("2026-11-23T12:00:00Z")).await.status, 200);
}

#[tokio::test]
async fn tickets_are_created_listed_shown_together_and_deleted() {
    let desk = Desk::start(held()).await;
    let new = json!({"ticket": {
        "subject": "By API", "comment": {"body": "hello"}, "priority": "low",
        "requester": {"name": "Ann", "email": "ann@example.com"},
    }});
    let created = desk.send("POST", "/api/v2/tickets.json", &new).await;
    assert_eq!(created.status, 201);
    let id = created.json()["ticket"]["id"].as_u64().unwrap();
    assert_eq!(created.json()["ticket"]["via"]["channel"], json!("api"));
    let blank = desk.send("POST", "/api/v2/tickets", &json!({"ticket": {"subject": "x"}})).await;
    assert_eq!(blank.status, 422);
    for _ in 0..4 {
        desk.ticket();
    }
    let many = desk.get(&format!("/api/v2/tickets/show_many.json?ids={id},3,999")).await.json();
    assert_eq!(many["count"], json!(2));

    let mut ids = Vec::new();
    let mut next = Some("/api/v2/tickets?page[size]=2".to_owned());
    while let Some(path) = next {
        let page = desk.get(&path).await.json();
        ids.extend(page["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_u64().unwrap()));
        next = page["links"]["next"].as_str().map(str::to_owned);
        assert_eq!(page["meta"]["has_more"], json!(next.is_some()));
    }
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert_eq!(
        desk.request(reqwest::Method::DELETE, "/api/v2/tickets/1").send().await.unwrap().status(),
        204
    );
    assert_eq!(desk.get("/api/v2/tickets/1").await.status, 404);
}

#[tokio::test]
async fn comments_and_audits_page_by_cursor_and_by_offset() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    for i in 0..6 {
        desk.zendesk.requester_comment(id, &format!("comment {i}"));
    }
    for list in ["comments", "audits"] {
        let first = desk.get(&format!("/api/v2/tickets/{id}/{list}?page[size]=5")).await.json();
        assert_eq!(first[list].as_array().unwrap().len(), 5);
        let cursor = first["meta"]["after_cursor"].as_str().unwrap();
        let rest =
            desk.get(&format!("/api/v2/tickets/{id}/{list}?page[size]=5&page[after]={cursor}")).await.json();
        assert_eq!(rest[list].as_array().unwrap().len(), 2);
        assert_eq!((&rest["meta"]["has_more"], &rest["links"]["next"]), (&json!(false), &Value::Null));
        let offset = desk.get(&format!("/api/v2/tickets/{id}/{list}?per_page=3")).await.json();
        assert_eq!(offset["count"], json!(7));
        let third = desk.get(offset["next_page"].as_str().unwrap()).await.json();
        assert_eq!(third[list].as_array().unwrap().len(), 3);
    }
    let newest =
        desk.get(&format!("/api/v2/tickets/{id}/comments?sort=-created_at&page[size]=1")).await.json();
    assert_eq!(newest["comments"][0]["body"], json!("comment 5"));
    assert_eq!(
        desk.get(&format!("/api/v2/tickets/{id}/comments?page[size]=5&page[after]=junk")).await.status,
        400
    );
}

#[tokio::test]
async fn a_bulk_update_is_a_job_that_may_hold_failed_rows() {
    let desk = Desk::start(held()).await;
    let (one, two) = (desk.ticket(), desk.ticket());
    desk.zendesk
        .agent_edit(two, &edit(TicketUpdate { status: Some(Status::Closed), ..TicketUpdate::default() }));
    let body =
        json!({"ticket": {"additional_tags": ["bulk"], "remove_tags": ["web_form"], "priority": "urgent"}});
    let job =
        desk.send("PUT", &format!("/api/v2/tickets/update_many.json?ids={one},{two},77"), &body).await.json();
    let job = &job["job_status"];
    assert!(job["id"].as_str().unwrap().starts_with("V3-"));
    assert_eq!((&job["status"], &job["total"], &job["results"]), (&json!("queued"), &json!(3), &Value::Null));
    let url = job["url"].as_str().unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    let done = loop {
        let job = desk.get(url).await.json()["job_status"].clone();
        if job["status"] == "completed" {
            break job;
        }
        assert!(Instant::now() < end, "{job}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let results = done["results"].as_array().unwrap();
    assert_eq!(results[0], json!({"id": one, "action": "update", "status": "Updated", "success": true}));
    assert_eq!((&results[1]["success"], &results[2]["error"]), (&json!(false), &json!("TicketNotFound")));
    let ticket = desk.zendesk.ticket(one).unwrap();
    assert_eq!(ticket.tags.iter().collect::<Vec<_>>(), ["bulk"]);
    assert_eq!(ticket.priority, Some(Priority::Urgent));
    assert_eq!(desk.get("/api/v2/job_statuses/V3-none").await.status, 404);
}

#[tokio::test]
async fn search_filters_by_its_terms() {
    let desk = Desk::start(held()).await;
    let (one, _) = (desk.ticket(), desk.ticket());
    desk.send(
        "PUT",
        &format!("/api/v2/tickets/{one}"),
        &json!({"ticket": {"tags": ["x"], "priority": "high"}}),
    )
    .await;
    let count = async |query: &str| {
        let answer = Answer::of(
            desk.request(reqwest::Method::GET, "/api/v2/search.json")
                .query(&[("query", query)])
                .send()
                .await
                .unwrap(),
        );
        answer.await.json()["count"].as_u64().unwrap()
    };
    assert_eq!(count("type:ticket").await, 2);
    assert_eq!(count("type:ticket tags:x").await, 1);
    assert_eq!(count("type:ticket -tags:x").await, 1);
    assert_eq!(count("type:ticket priority:high created>2026-11-22").await, 1);
    assert_eq!(count("type:ticket created>2026-11-23").await, 0);
    assert_eq!(count("requester:jane.roe@example.com log").await, 2);
    let far = desk.get("/api/v2/search?query=type:ticket&page=11").await;
    assert_eq!((far.status, &far.json()["error"]), (422, &json!("invalid")));
}

#[tokio::test]
async fn limits_refuse_with_retry_after_and_pass_when_the_window_ends() {
    let limits = Limits { updates_per_minute: Some(2), ..Limits::default() };
    let desk = Desk::start(Options { limits, ..held() }).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let tag = |n: u32| json!({"ticket": {"tags": [format!("t{n}")]}});
    let first = desk.send("PUT", &path, &tag(1)).await;
    assert_eq!(first.headers["x-rate-limit"], "700");
    assert_eq!(first.headers["x-rate-limit-remaining"], "699");
    assert_eq!(first.headers["ratelimit-reset"], "60");
    assert_eq!(first.headers["zendesk-ratelimit-tickets-update"], "total=2; remaining=1; resets=60");
    desk.zendesk.clock().advance(Duration::from_secs(20));
    assert_eq!(desk.send("PUT", &path, &tag(2)).await.status, 200);
    let refused = desk.send("PUT", &path, &tag(3)).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"40".parse().unwrap()));
    assert_eq!(desk.get(&path).await.status, 200, "reads are not updates");
    desk.zendesk.clock().advance(Duration::from_secs(40));
    assert_eq!(desk.send("PUT", &path, &tag(3)).await.status, 200);
    assert_eq!(desk.zendesk.stats().rate_limited, 1);
}

#[tokio::test]
async fn the_thirty_first_write_to_one_ticket_waits_ten_minutes() {
    let limits = Limits { updates_per_ticket: Some(30), ..Limits::none() };
    let desk = Desk::start(Options { limits, ..held() }).await;
    let (one, two) = (desk.ticket(), desk.ticket());
    for n in 0..30 {
        let body = json!({"ticket": {"tags": [format!("t{n}")]}});
        assert_eq!(desk.send("PUT", &format!("/api/v2/tickets/{one}"), &body).await.status, 200);
    }
    let body = json!({"ticket": {"tags": ["last"]}});
    let refused = desk.send("PUT", &format!("/api/v2/tickets/{one}"), &body).await;
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "600"));
    assert_eq!(desk.send("PUT", &format!("/api/v2/tickets/{two}"), &body).await.status, 200);
}

#[tokio::test]
async fn scripted_faults_happen_as_often_as_scripted() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let faults = desk.zendesk.faults();
    faults.add(Rule::once("GET", &path, Fault::Status { status: 503, retry_after: Some(2), body: None }));
    faults.add(Rule::once("GET", &path, Fault::Malformed));
    let unavailable = desk.get(&path).await;
    assert_eq!((unavailable.status, &unavailable.headers["retry-after"]), (503, &"2".parse().unwrap()));
    assert!(unavailable.text.starts_with("<html>"), "as from a proxy: not JSON");
    let half = desk.get(&path).await;
    assert_eq!(half.status, 200);
    assert!(serde_json::from_str::<Value>(&half.text).is_err());
    assert_eq!(desk.get(&path).await.status, 200);

    faults.add(Rule::once("GET", &path, Fault::Delay { ms: 150 }));
    let start = Instant::now();
    desk.get(&path).await;
    assert!(start.elapsed() >= Duration::from_millis(150));
    assert_eq!(desk.zendesk.stats().faults_injected, 3);
}

#[tokio::test]
async fn a_dropped_connection_may_have_applied_the_change_or_not() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let put = || {
        desk.request(reqwest::Method::PUT, &path)
            .json(&json!({"ticket": {"comment": {"body": "n", "public": false}}}))
    };
    desk.zendesk.faults().add(Rule::once("PUT", "/api/v2/tickets/*", Fault::DropBefore));
    assert!(put().send().await.is_err());
    assert_eq!(desk.zendesk.api_notes(id).len(), 0);
    desk.zendesk.faults().add(Rule::once("PUT", "/api/v2/tickets/*", Fault::DropAfter));
    let error = put().send().await.unwrap_err();
    assert!(!error.is_timeout() && error.status().is_none(), "no answer at all: {error:?}");
    assert_eq!(desk.zendesk.api_notes(id).len(), 1, "applied, and the client cannot know");
    // A client that retries blindly is found out.
    put().send().await.unwrap();
    assert_eq!(desk.zendesk.stats().repeated_notes, 1);
}

#[tokio::test]
async fn an_agent_can_edit_between_read_and_write() {
    let desk = Desk::start(held()).await;
    let id = desk.ticket();
    let path = format!("/api/v2/tickets/{id}");
    let tags = vec![TagEdit::Add(vec!["vip".to_owned()])];
    let edit = edit(TicketUpdate { tags, ..TicketUpdate::default() });
    desk.zendesk.faults().add(Rule::once("PUT", "/api/v2/tickets/*", Fault::AgentEdit { edit }));
    let stamp = desk.get(&path).await.json()["ticket"]["updated_at"].clone();
    let body = json!({"ticket": {"tags": ["web_form", "mine"], "safe_update": true, "updated_stamp": stamp}});
    assert_eq!(desk.send("PUT", &path, &body).await.status, 409);
    let ticket = desk.zendesk.ticket(id).unwrap();
    assert_eq!(ticket.tags.iter().collect::<Vec<_>>(), ["vip", "web_form"]);
    assert_eq!(desk.zendesk.stats().agent_edits, 1);
}

#[tokio::test]
async fn other_processes_control_it_over_http() {
    let desk = Desk::start(held()).await;
    let post = async |path: &str, body: Value| {
        let answer = client().post(desk.url(path)).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (_, created) =
        post("/__control/tickets", json!({"subject": "s", "body": "b", "requester_email": "a@example.com"}))
            .await;
    assert_eq!(created, r#"{"id":1}"#);
    let rule = json!({"path": "/api/v2/tickets/*", "fault": "status", "status": 500, "times": 1});
    assert_eq!(post("/__control/faults", rule).await.0, 204);
    assert_eq!(desk.get("/api/v2/tickets/1").await.status, 500);
    assert_eq!(desk.get("/api/v2/tickets/1").await.status, 200);
    let (_, now) = post("/__control/clock", json!({"advance_seconds": 60})).await;
    assert_eq!(now, r#"{"now":"2026-11-23T12:01:00Z"}"#);
    let update = json!({"update": {"priority": "low", "tags": [{"add": ["x"]}]}});
    assert_eq!(post("/__control/tickets/1/agent_edit", update).await.0, 204);
    let seen = client().get(desk.url("/__control/tickets/1")).send().await.unwrap().text().await.unwrap();
    let seen: Value = serde_json::from_str(&seen).unwrap();
    assert_eq!((&seen["ticket"]["priority"], seen["audits"].as_array().unwrap().len()), (&json!("low"), 2));
    let stats = client().get(desk.url("/__control/stats")).send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stats).unwrap()["agent_edits"], json!(1));
}
