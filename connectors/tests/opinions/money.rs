//! Budgets and ceilings.

use super::support::{Scene, request, set};
use deskstream_schemas::{Opinion, OpinionResult};

/// Dollars that buy a few answers: each holds back some 350 millionths and costs some 200.
const SMALL: &str = "#0.002";

fn spent(opinions: &[Opinion]) -> i64 {
    opinions.iter().map(|opinion| opinion.cost_microusd).sum()
}

fn answered(opinions: &[Opinion]) -> usize {
    opinions.iter().filter(|opinion| opinion.result == OpinionResult::Answered).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_months_budget_is_a_hard_stop_that_restarts_and_a_second_process_do_not_lift() {
    let mut scene = Scene::new("op-budget").await;
    scene.settings.push(set("opinions.policy.monthly_budget_usd", SMALL));
    let run = scene.run().await;
    for ticket in 0..40 {
        run.ask(&request(ticket, &format!("parcel {ticket}"))).await;
    }
    let opinions = run.opinions(40).await;
    let first = answered(&opinions);
    assert!((3..20).contains(&first), "{first}");
    assert!(spent(&opinions) <= 2000, "{}", spent(&opinions));
    assert!(opinions.iter().all(|o| o.result == OpinionResult::Answered || o.reason == "budget"));
    run.kill().await;

    // Two at once, of which neither knows what the other holds in memory.
    let run = scene.run().await;
    let other = scene.run().await;
    for ticket in 40..60 {
        run.ask(&request(ticket, &format!("parcel {ticket}"))).await;
    }
    let opinions = run.opinions(60).await;
    assert!(spent(&opinions) <= 2000, "{}", spent(&opinions));
    let mut foreign = request(99, "parcel 99");
    foreign.tenant = "globex".into();
    run.ask(&foreign).await;
    let opinions = run.opinions(61).await;
    let of_globex = opinions.iter().find(|o| o.tenant == "globex").unwrap();
    assert_eq!(of_globex.result, OpinionResult::Answered, "another tenant has a budget of its own");
    run.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_ordered_end_gives_back_can_be_spent() {
    let mut scene = Scene::new("op-settle").await;
    scene.settings.push(set("opinions.policy.monthly_budget_usd", "#0.001"));
    let mut asked = 0;
    let mut last = 0;
    for _ in 0..4 {
        let run = scene.run().await;
        run.ask(&request(asked, &format!("parcel {asked}"))).await;
        asked += 1;
        let opinions = run.opinions(asked as usize).await;
        assert!(spent(&opinions) <= 1000);
        last = answered(&opinions);
        run.stop().await;
    }
    assert!(last >= 3, "one process holds back some 350 and gives back what was not spent: {last}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_cost_more_than_a_ticket_may_is_not_asked() {
    let mut scene = Scene::new("op-ceiling").await;
    scene.settings.push(set("opinions.policy.ticket_ceiling_usd", "#0.0001"));
    let run = scene.run().await;
    run.ask(&request(1, "parcel")).await;
    let opinion = run.opinions(1).await.remove(0);
    assert_eq!((opinion.result, opinion.reason.as_ref()), (OpinionResult::Skipped, "ceiling"));
    assert_eq!((opinion.attempts, opinion.cost_microusd, scene.main.stats().answered), (0, 0, 0));
    run.stop().await;
}
