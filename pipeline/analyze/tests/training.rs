//! Training end to end on data made up here: it learns what there is to learn, and nothing where there is
//! nothing.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::{fmt::Write as _, path::Path};

use deskstream_analyze::{
    Analyzer, Classifier, Model, Scratch,
    train::{Config, TrainError, Trained, rng::Rng, train},
};

const CAUSES: &[(&str, &[&str])] = &[
    ("billing", &["invoice", "charged", "fee", "price", "bill"]),
    ("delivery", &["parcel", "courier", "tracking", "shipment", "late"]),
    ("account_access", &["login", "password", "locked", "signin", "code"]),
];
const FILLER: &[&str] =
    &["the", "my", "please", "about", "again", "since", "monday", "help", "with", "still", "order", "you"];

/// 600 sentences of filler with two words of their class, written as somebody's own labelled tickets.
fn tickets(shuffled: bool) -> String {
    let mut rng = Rng::new(5);
    let mut out = String::new();
    for i in 0..600 {
        let (cause, words) = CAUSES[i % CAUSES.len()];
        let mut text: Vec<&str> = (0..8).map(|_| FILLER[rng.below(FILLER.len())]).collect();
        text.extend((0..2).map(|_| words[rng.below(words.len())]));
        rng.shuffle(&mut text);
        let label = if shuffled { CAUSES[rng.below(CAUSES.len())].0 } else { cause };
        let mood = ["negative", "positive"][i % 2];
        let urgency = ["low", "high"][i / 3 % 2];
        let industry = ["saas", "finance"][i / 6 % 2];
        let line = serde_json::json!({
            "text": format!("{} {i}", text.join(" ")), "root_cause": label, "sentiment": mood,
            "urgency": urgency, "industry": industry,
        });
        writeln!(out, "{line}").unwrap();
    }
    out
}

fn run(dir: &Path, jsonl: &str) -> Result<Trained, TrainError> {
    let path = dir.join("tickets.jsonl");
    std::fs::write(&path, jsonl).unwrap();
    let mut config = Config::new(vec![path], 7);
    config.seed_set = None;
    config.features.bits = 10;
    config.hyper.epochs = 8;
    train(&config, &mut |_| ())
}

fn root_cause(trained: &Trained) -> (f64, f64) {
    let head = trained.report.test.heads.iter().find(|h| h.head == "root_cause").unwrap();
    (head.overall.accuracy, head.overall.majority_accuracy)
}

#[test]
fn it_learns_what_the_labels_say_and_fails_on_shuffled_ones() {
    let dir = tempfile::tempdir().unwrap();
    let trained = run(dir.path(), &tickets(false)).unwrap();
    let (accuracy, majority) = root_cause(&trained);
    assert!(accuracy >= 0.95 && majority < 0.5, "accuracy {accuracy}, majority {majority}");

    let analyzer = Analyzer::from_model(Model::from_bytes(&trained.model).unwrap()).unwrap();
    let answer = analyzer.analyze("", "the courier is late with my parcel", &mut Scratch::default());
    assert_eq!((&*answer.root_cause.name, answer.root_cause.abstained), ("delivery", false));
    assert!(trained.card.contains("own data") && trained.metrics.contains("\"confusion\""));

    let (shuffled, _) = root_cause(&run(dir.path(), &tickets(true)).unwrap());
    assert!(shuffled < 0.6, "{shuffled} on labels that mean nothing: the test texts leak");
}

fn columns(dir: &Path, jsonl: &str, names: &[&str]) -> Result<Trained, TrainError> {
    let path = dir.join("own.jsonl");
    std::fs::write(&path, jsonl).unwrap();
    let mut config = Config::of_columns(vec![path], names.iter().map(|n| (*n).to_owned()).collect(), 7);
    (config.features.bits, config.hyper.epochs) = (10, 8);
    train(&config, &mut |_| ())
}

#[test]
fn any_column_becomes_a_head() {
    let dir = tempfile::tempdir().unwrap();
    let data = tickets(false).replace("\"root_cause\"", "\"team\"").replace("\"urgency\"", "\"kind\"");
    let trained = columns(dir.path(), &data, &["team", "kind"]).unwrap();
    let team = &trained.report.test.heads[0];
    assert!(team.head == "team" && team.overall.accuracy >= 0.95, "{}", team.overall.accuracy);
    assert_eq!(trained.report.test.charts().len(), 4);
    assert!(trained.card.contains("fitted, with the same settings and choices, to all of the data"));

    let classifier = Classifier::from_model(Model::from_bytes(&trained.model).unwrap());
    let mut scratch = Scratch::default();
    assert!(classifier.score("", "the courier is late with my parcel", &mut scratch));
    let (_, label) = classifier.label(0, &scratch);
    assert_eq!((&*label.name, label.abstained), ("delivery", false));
    assert!(columns(dir.path(), &data, &["team", "kind"]).unwrap().model == trained.model);
}

#[test]
fn a_taxonomy_that_can_not_be_meant_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let line = |label: &str| format!("{{\"text\": \"a b c\", \"team\": {label}}}\n");
    let refused = |lines: &[String]| columns(dir.path(), &lines.concat(), &["team"]).unwrap_err().to_string();
    let error = refused(&[line("\"Refunds\""), line("\"refunds \"")]);
    assert!(error.contains("\"Refunds\" and \"refunds \"") && error.contains("keep one"), "{error}");
    let error = refused(&[line("\"a\""), line("[\"b\"]")]);
    assert!(error.contains("own.jsonl line 2") && error.contains("\"team\""), "{error}");
    assert!(refused(&[line("\"a\"")]).contains("two labels"));
    assert!(refused(&[line("null")]).contains("no record has a field \"team\""));
}

#[test]
fn the_same_data_and_seed_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let data = tickets(false);
    let (a, b) = (run(dir.path(), &data).unwrap(), run(dir.path(), &data).unwrap());
    assert!(a.model == b.model && a.metrics == b.metrics && a.card == b.card);
}

#[test]
fn bad_input_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(dir.path(), "{\"text\": \"a\", \"root_cause\": \"billing\"}\nnot json\n").unwrap_err();
    assert!(error.to_string().contains("tickets.jsonl line 2"), "{error}");
    let error = run(dir.path(), "{\"root_cause\": \"billing\"}\n").unwrap_err();
    assert!(error.to_string().contains("no string field \"text\""), "{error}");
    let error = run(dir.path(), "{\"text\": \"a b c\", \"root_cause\": \"billing\"}\n").unwrap_err();
    assert!(
        matches!(error, TrainError::TooFewLabels { ref head, labels: 1 } if head == "root_cause"),
        "{error}"
    );

    // a set that may only be measured is refused by name and licence
    let path = dir.path().join("airline_tweets.jsonl");
    std::fs::write(&path, "{\"text\": \"late again\", \"sentiment\": \"negative\"}\n").unwrap();
    let error = train(&Config::new(vec![path], 1), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("eval only"), "{error}");
    let error = train(&Config::new(vec![dir.path().join("nowhere")], 1), &mut |_| ()).unwrap_err();
    assert!(matches!(error, TrainError::Read { .. }));
}

/// The seed set alone is a training set: the shipped map and texts fit each other.
#[test]
fn the_shipped_seed_set_trains() {
    let mut config = Config::new(Vec::new(), 3);
    config.features.bits = 10;
    config.hyper.epochs = 1;
    let trained = train(&config, &mut |_| ()).unwrap();
    assert_eq!(trained.report.data.sources.len(), 1);
    assert!(trained.examples.len() > 700);
}
