//! The local encoder in front of the providers, on its real files.

use super::real_model::fetched;
use super::support::{Scene, request, set};
use deskstream_analyze::{Analyzer, Head, Scratch};
use deskstream_connectors::llm::{self, LlmError};
use deskstream_samples::llm::Behaviour;
use deskstream_schemas::{Label, Opinion, OpinionRequest, OpinionResult, Tier};

/// What the fast model is not sure of, and the encoder is.
const UNSURE: &str = "My parcel never turned up and nobody at the courier answers";

/// With `ask = "expected-value"`.
const MIN_VALUE: f64 = 0.2;

/// A request as the pipeline writes it, with what the shipped model thinks.
fn asked(ticket: u32, body: &str) -> OpinionRequest {
    let local = Analyzer::shipped().unwrap();
    let judged = local.analyze("", body, &mut Scratch::default());
    let label = |label: &deskstream_analyze::Label| Label {
        value: label.name.to_string().into(),
        confidence: label.confidence,
        abstained: label.abstained,
    };
    let mut request =
        OpinionRequest { subject: String::new(), reason: "expected-value".into(), ..request(ticket, body) };
    request.local.root_cause = label(&judged.root_cause);
    request.local.urgency = label(&judged.urgency);
    request.local.sentiment = label(&judged.sentiment);
    request.local.industry = label(&judged.industry);
    // Of importance 1.
    request.value = request.local.uncertainty();
    request.local.model = format!("local/{}", local.version()).into();
    request
}

/// Asks about one text under a policy; none if the encoder can't be had.
async fn opinion(
    prefix: &'static str,
    policy: &str,
    chain: &str,
    asked: OpinionRequest,
) -> Option<(Scene, Opinion)> {
    if !fetched("encoder.sh").await {
        return None;
    }
    let mut scene = Scene::new(prefix).await;
    scene.settings.extend([
        set("opinions.chain", chain),
        set("opinions.policy.ask", policy),
        set("opinions.policy.min_value", format!("#{MIN_VALUE}")),
        set("opinions.encoder.threads", "#1"),
    ]);
    scene.main.behave(Behaviour::Prose);
    let run = scene.run().await;
    run.ask(&asked).await;
    let opinion = run.opinions(1).await.remove(0);
    run.stop().await;
    Some((scene, opinion))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_encoder_is_sure_of_costs_nothing_and_nobody_else_is_asked() {
    let asked = asked(1, UNSURE);
    assert!(asked.value > MIN_VALUE, "the fast model is not in doubt: {:?}", asked.local);
    let Some((scene, opinion)) = opinion("op-enc-sure", "expected-value", "#[\"main\"]", asked).await else {
        return;
    };
    assert_eq!(
        (opinion.result, opinion.provider.as_str()),
        (OpinionResult::Answered, "encoder"),
        "{opinion:?}"
    );
    let analysis = opinion.analysis.unwrap();
    assert_eq!(analysis.tier, Tier::Encoder);
    assert!(analysis.model.starts_with("encoder/") && !analysis.root_cause.abstained, "{analysis:?}");
    let local = Analyzer::shipped().unwrap();
    assert!(local.labels(Head::RootCause).iter().any(|label| **label == *analysis.root_cause.value));
    assert_eq!((opinion.cost_microusd, opinion.attempts, scene.main.questions().len()), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_judgement_stands_where_no_provider_gives_a_better_one() {
    // A policy that wants a language model's word, and one that only talks.
    let Some((scene, opinion)) = opinion("op-enc-spare", "always", "#[\"main\"]", asked(1, UNSURE)).await
    else {
        return;
    };
    assert_eq!((opinion.result, opinion.analysis.unwrap().tier), (OpinionResult::Answered, Tier::Encoder));
    assert!(opinion.cost_microusd > 0 && scene.main.questions().len() == 2, "bad answers cost all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stands_alone_too_and_leaves_what_it_can_not_read() {
    let (english, mut german) = (asked(1, UNSURE), asked(1, "Ich möchte das zurückgeben, es passt nicht"));
    german.language = "de".into();
    let Some((_, opinion_of)) = opinion("op-enc-alone", "always", "#[]", english).await else { return };
    assert_eq!(opinion_of.analysis.unwrap().tier, Tier::Encoder);
    let (_, skipped) = opinion("op-enc-german", "always", "#[]", german).await.unwrap();
    assert_eq!((skipped.result, skipped.reason.as_ref()), (OpinionResult::Skipped, "no-provider"));
}

#[tokio::test]
async fn files_that_are_not_there_or_of_another_model_are_named_at_the_start() {
    let mut scene = Scene::new("op-enc-files").await;
    let folder = scene.directory.path().display().to_string();
    scene.settings.push(set("opinions.encoder.folder", folder.clone()));
    let error = llm::check(&scene.config()).unwrap_err();
    assert!(matches!(error, LlmError::Encoder(_)), "{error}");
    let head = format!("{folder}/damaged.dsc");
    std::fs::write(&head, b"DSKCASCD").unwrap();
    scene.settings.push(set("opinions.encoder.heads", format!("#[\"{head}\"]")));
    let told = llm::check(&scene.config()).unwrap_err().to_string();
    assert!(told.starts_with(&format!("opinions.encoder.heads: {head}: ")), "{told}");
}
