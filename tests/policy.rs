//! Redaction policies and dead letters by command, on a running pipeline.

use crate::bed::{Bed, event};
use deskstream_pipeline::policy::POLICY_KIND;
use deskstream_schemas::TicketContent;
use std::path::Path;
use std::process::Command;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/redaction-policy.example.yaml");

fn deskstream(args: &[&str], config: Option<&Path>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskstream"));
    command.envs(config.map(|path| ("DESKSTREAM_CONFIG", path)));
    let output = command.args(args).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.success(), said)
}

fn done(args: &[&str], config: Option<&Path>) -> String {
    let (ok, said) = deskstream(args, config);
    assert!(ok, "{args:?}: {said}");
    said
}

#[test]
fn the_example_in_the_documentation_is_a_policy_and_a_wrong_one_is_told_what_to_mend() {
    let said = done(&["policy", "check", EXAMPLE], None);
    assert!(
        said.starts_with("ok: 5 kinds") && said.contains("2 patterns, 3 values allowed, 2 denied"),
        "{said}"
    );

    let folder = tempfile::tempdir().unwrap();
    let text = "customer 424242: ORD-12345678, ana@example.com, help@acme.example, 4111 1111 1111 1111";
    let file = folder.path().join("text");
    std::fs::write(&file, text).unwrap();
    let said = done(&["redact", "--policy", EXAMPLE, file.to_str().unwrap()], None);
    assert!(said.contains("[CUSTOM ORDER_ID ****5678], [EMAIL #"), "{said}");
    assert!(said.contains("], help@acme.example, [PAYMENT_CARD ****1111]"), "{said}");
    assert!(said.starts_with("customer [CUSTOM CUSTOMER_NUMBER #"), "{said}");

    let wrong = |text: &str| {
        let file = folder.path().join("policy.yaml");
        std::fs::write(&file, text).unwrap();
        let (ok, said) = deskstream(&["policy", "check", file.to_str().unwrap()], None);
        assert!(!ok, "{said}");
        said
    };
    let unbounded = "patterns: [{name: ID, pattern: 'x[0-9]+', examples: [x1]}]";
    assert!(wrong(unbounded).contains("`patterns[0].pattern` may match more than 256 bytes"));
    assert!(wrong("policies: {FAX: mask}").contains("unknown kind of personal data `FAX`"));
    assert!(wrong("policies: {EMAIL: shred}").contains("shred"));
    assert!(wrong("policies: {SECRET: hash}").contains("SECRET"));
    assert!(wrong("alow: [x]").contains("alow"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_set_by_command_holds_and_what_it_stopped_is_sent_again() {
    let bed = Bed::start("").await;
    let config = bed.folder.path().join("deskstream.toml");
    let config = Some(config.as_path());
    let set = done(&["policy", "set", EXAMPLE, "--tenant", "acme"], config);
    assert!(set.starts_with("policy of acme, version 1: 5 kinds"), "{set}");
    let listed = done(&["policy", "list"], config);
    assert!(listed.starts_with("acme\tversion 1\t") && listed.contains("2 patterns"), "{listed}");
    // What an allow list holds is for the tenant's eyes: it stands in clear nowhere but in `get`.
    assert!(!listed.contains("Falcon"));
    let got = done(&["policy", "get", "--tenant", "acme"], config);
    assert!(got.contains("Project Falcon"), "{got}");

    let mut run = bed.service("run", &["run"]);
    let content = TicketContent {
        subject: "Order ORD-12345678".into(),
        body: "I am the customer 424242, about Project Falcon".into(),
        ..TicketContent::default()
    };
    bed.sink.send(event(0), &content).await.unwrap();
    bed.wait_for_enriched(1, &["run"]);
    let ticket = bed.enriched().remove(0);
    assert_eq!(ticket.subject, "Order [CUSTOM ORDER_ID ****5678]");
    assert!(ticket.redactor.ends_with("+policy-1"), "{}", ticket.redactor);
    let value = bed.folder.path().join("value");
    std::fs::write(&value, "424242").unwrap();
    let find = ["policy", "find", "--kind", "CUSTOM", "--tenant", "acme", value.to_str().unwrap()];
    let found = done(&find, config);
    let hash = found.lines().next().unwrap().strip_prefix("[CUSTOM ").unwrap().trim_end_matches(']');
    assert_eq!(ticket.body, format!("I am the customer [CUSTOM CUSTOMER_NUMBER {hash}], about [CUSTOM]"));
    assert!(ticket.spans.iter().any(|span| span.detector == "tenant_pattern:ORDER_ID"), "{:?}", ticket.spans);

    // A policy that can't be read stops the tenant's events, and only until it is mended.
    let mut broken = (*bed.process.control.get(POLICY_KIND, "acme").unwrap()).clone();
    (broken.version, broken.secret) = (2, None);
    bed.process.control.put(&broken).await.unwrap();
    let mut sent = 0;
    while done(&["dead-letters", "summary"], config).contains("no dead letters") {
        sent += 1;
        bed.sink.send(event(sent), &content).await.unwrap();
        assert!(sent < 1000, "the broken policy is not noticed: {}", bed.log("run"));
    }
    let summary = done(&["dead-letters", "summary"], config);
    assert!(summary.contains("\tacme\tRedact\tpolicy-refused\t"), "{summary}");
    let listed = done(&["policy", "list"], config);
    assert!(
        listed.contains("REFUSED, its events go to the dead letter: its sealed part is missing"),
        "{listed}"
    );

    let removed = done(&["policy", "remove", "--tenant", "acme"], config);
    assert_eq!(removed.trim(), "removed the policy of acme, version 2");
    assert!(!deskstream(&["policy", "get", "--tenant", "acme"], config).0);
    let dry = done(&["dead-letters", "replay", "--reason", "policy-refused", "--dry-run"], config);
    assert!(dry.starts_with("would send "), "{dry}");
    let replayed = done(&["dead-letters", "replay", "--reason", "policy-refused"], config);
    assert!(replayed.starts_with("sent "), "{replayed}");
    bed.wait_for_enriched(sent + 1, &["run"]);
    let last =
        bed.enriched().into_iter().find(|ticket| ticket.event_id == crate::bed::event_id(sent)).unwrap();
    assert_eq!(last.subject, "Order ORD-12345678", "the default policy holds again");
    run.stop();
}
