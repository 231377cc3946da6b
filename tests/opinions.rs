//! Second opinions through the whole product: asked in the pipeline, answered by a connector, and then seen in windows and
//! in ClickHouse in the place of the local judgement; and what a provider that stalls costs: nothing but its opinions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test that measures tells what it measured")]

#[path = "support/bed.rs"]
mod bed;

use bed::Bed;
use deskstream_samples::Llm;
use deskstream_samples::faults::{Fault, Rule};
use deskstream_samples::llm::Options;
use std::time::{Duration, Instant};

const CHAT: &str = "/v1/chat/completions";

fn settings(llm: &Llm, more: &str) -> String {
    format!(
        "[opinions]\nchain = [\"main\"]\n{more}\n[tenants.acme.opinions]\nask = \"always\"\n\
         [opinions.providers.main]\nkind = \"openai\"\nurl = \"{}/v1\"\nmodel = \"small\"\n\
         requests_per_minute = 60000\ntokens_per_minute = 60000000\n\
         price = {{ input_per_million_usd = 0.15, output_per_million_usd = 0.6, as_of = \"2026-11-01\" }}\n",
        llm.url()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opinion_replaces_the_local_judgement_everywhere_and_a_restart_changes_nothing() {
    let llm = Llm::start(Options::default()).await.unwrap();
    let bed = Bed::start(&settings(&llm, "")).await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run", "--workers", "2"]);
    bed.send(0..40).await;
    bed.wait_for_enriched(40, &["run", "connect"]);

    // Twenty tickets, each in its latest state, of which the sample server says that it is about access.
    let day = |what: &str| format!("SELECT toUInt64(sum({what})) FROM v_window_1d WHERE tenant = 'acme'");
    for what in ["tickets", "tiers['llm']", "root_causes['account_access']"] {
        bed.wait_for_answer(&day(what), 20).await;
    }
    bed.wait_for_answer(&day("opinions['answered']"), 40).await;
    let judged = "SELECT count() FROM v_tickets WHERE tier = 'llm' AND root_cause = 'account_access' AND model = 'main/small'";
    bed.wait_for_answer(judged, 20).await;
    let (cost, paid) = (
        bed.client.query("SELECT sum(cost_microusd) FROM opinions").fetch_one::<u64>().await.unwrap(),
        bed.client.query(&day("opinion_cost_microusd")).fetch_one::<u64>().await.unwrap(),
    );
    assert!(cost > 0 && cost == paid, "{cost} in records, {paid} in windows");

    let questions = llm.questions();
    assert_eq!(questions.len(), 40);
    for question in &questions {
        let said = question.to_string();
        assert!(said.contains("[EMAIL]") && !said.contains("@example.com"), "{said}");
    }

    // Both are killed and started again; the topics are read again, and nothing is counted or asked twice.
    run.kill();
    connect.kill();
    drop((run, connect));
    let mut connect = bed.service("connect-2", &["connect"]);
    let mut run = bed.service("run-2", &["run", "--workers", "1"]);
    bed.send(40..44).await;
    bed.wait_for_enriched(44, &["run-2", "connect-2"]);
    for what in ["tickets", "tiers['llm']", "root_causes['account_access']"] {
        bed.wait_for_answer(&day(what), 22).await;
    }
    // A request whose opinion was written and whose offset was not is answered again, by the cache and for nothing.
    bed.wait_for_answer(&day("opinions['answered']"), 44).await;
    bed.wait_for_answer("SELECT uniqExact(request_id) FROM opinions", 44).await;
    bed.wait_for_answer("SELECT countIf(result = 'answered' AND NOT cached) FROM opinions", 44).await;
    assert_eq!(llm.stats().answered, 44);
    bed.assert_integrity().await;
    run.stop();
    connect.stop();
    bed.shutdown().await;
}

/// The 95th of a hundred of the times from receipt to enrichment, of the events from this number on, in milliseconds.
fn p95_ms(bed: &Bed, from: usize) -> i64 {
    let numbers = |id: &str| id.strip_prefix("event-").unwrap().parse::<usize>().unwrap();
    let tickets = bed.enriched().into_iter().filter(|ticket| numbers(&ticket.event_id) >= from);
    let mut times: Vec<i64> = tickets.map(|ticket| ticket.enriched_at - ticket.received_at).collect();
    times.sort_unstable();
    times[times.len() * 95 / 100]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_stalls_costs_opinions_and_holds_up_nothing_else() {
    const EACH: usize = 400;
    let llm = Llm::start(Options::default()).await.unwrap();
    // So that the backlog is skipped within the test: ten minutes would be waited for otherwise.
    let bounds = "concurrency = 4\nqueue = 16\nmax_age = \"5s\"\ndeadline = \"3s\"";
    let bed = Bed::start(&settings(&llm, bounds)).await;
    let mut connect = bed.service("connect", &["connect"]);
    let mut run = bed.service("run", &["run"]);
    bed.send(0..4).await;
    bed.wait_for_enriched(4, &["run", "connect"]);
    let timed = async |from: usize| {
        let started = Instant::now();
        for at in (from..from + EACH).step_by(20) {
            bed.send(at..at + 20).await;
        }
        bed.wait_for_enriched(from + EACH, &["run", "connect"]);
        (started.elapsed(), p95_ms(&bed, from))
    };
    let healthy = timed(4).await;
    llm.faults().add(Rule::once("POST", CHAT, Fault::Delay { ms: 30_000 }).always());
    let stalled = timed(4 + EACH).await;
    println!(
        "{EACH} events and their p95: {healthy:?} with a provider that answers, {stalled:?} with one that stalls"
    );
    assert!(stalled.0 < healthy.0 * 3 + Duration::from_secs(2), "{healthy:?} {stalled:?}");
    assert!(stalled.1 < healthy.1 * 3 + 200, "{healthy:?} {stalled:?}");

    let day = |what: &str| format!("SELECT toUInt64(sum({what})) FROM v_window_1d WHERE tenant = 'acme'");
    let all = 4 + 2 * EACH;
    bed.wait_for_answer(&day("tickets"), all as u64 / 2).await;
    // Every request ends, and it is counted how.
    let ended = "opinions['answered'] + opinions['cached'] + opinions['skipped'] + opinions['failed']";
    bed.wait_for_answer(&day(ended), all as u64).await;
    let reasons = "SELECT DISTINCT toString(reason) FROM opinions WHERE result != 'answered' ORDER BY reason";
    let reasons = bed.client.query(reasons).fetch_all::<String>().await.unwrap();
    let known = ["circuit_open", "no_turn", "timeout", "too-old"];
    assert!(!reasons.is_empty() && reasons.iter().all(|reason| known.contains(&&**reason)), "{reasons:?}");
    run.stop();
    connect.stop();
    bed.shutdown().await;
}
