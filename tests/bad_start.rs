//! What can't start says so in one line that names the fix, and ends: by itself, soon, with a failure.

use crate::bed::Bed;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No start that fails takes longer; what waits for an answer gives up after 10 s, the registry's client asks twice.
const LONGEST: Duration = Duration::from_secs(45);

/// Runs a command that must fail; gives its one line of complaint.
fn complaint(config: &Path, args: &[&str]) -> String {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskstream"));
    command.args(args).arg("--config").arg(config);
    // Whatever this machine has set must not get in.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DESKSTREAM_")) {
        command.env_remove(name);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > LONGEST {
            child.kill().unwrap();
            panic!(
                "{args:?} goes on: {}",
                String::from_utf8_lossy(&child.wait_with_output().unwrap().stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    let errors: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("error: ")).collect();
    assert_eq!(errors.len(), 1, "{args:?}: {said}");
    for noise in ["panicked", " ERROR ", "backtrace", "librdkafka"] {
        assert!(!said.contains(noise), "{args:?} makes noise: {said}");
    }
    errors[0].to_owned()
}

/// Asks several at once: most of them wait.
fn each_complains(config: &Path, cases: &[(Vec<&str>, Vec<&str>)]) {
    std::thread::scope(|scope| {
        for (args, words) in cases {
            scope.spawn(move || {
                let line = complaint(config, args);
                for word in words {
                    assert!(line.contains(word), "{args:?}: `{word}` is not in: {line}");
                }
            });
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cant_be_reached_is_named_with_the_fix() {
    let bed = Bed::start("").await;
    let config = bed.folder.path().join("deskstream.toml");
    let tickets = bed.folder.path().join("tickets.csv");
    std::fs::write(&tickets, "subject,body\nHelp,It is broken\n").unwrap();
    let import = ["import", tickets.to_str().unwrap(), "--tenant", "acme"];
    // Nobody listens at the first; at the second somebody does, and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute = mute.local_addr().unwrap().to_string();
    let mute_url = format!("http://{mute}");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_by_us = taken.local_addr().unwrap().to_string();
    let webhooks = format!("http.webhooks={taken_by_us}");
    let (nobody, nobody_url) = ("127.0.0.1:1", "http://127.0.0.1:1");
    let other_master = bed.folder.path().join("other-master");
    std::fs::write(&other_master, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
    let other_master = format!("keys.master=file:{}", other_master.display());
    let vaults = [nobody_url, &mute_url].map(|url| format!("keys.vault.address={url}"));

    let mut cases: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for command in [&["run"][..], &["connect"], &["migrate"], &import] {
        for address in [nobody, &mute] {
            let args = [command, &["--kafka", address]].concat();
            cases.push((args, vec!["can't reach Kafka at", address, "kafka.bootstrap (--kafka)"]));
        }
        for url in [nobody_url, &mute_url] {
            let args = [command, &["--registry", url]].concat();
            cases.push((args, vec!["schema registry", url, "registry.url (--registry)"]));
        }
    }
    for command in ["connect", "migrate"] {
        for url in [nobody_url, &mute_url] {
            let expected = vec!["can't reach ClickHouse at", url, "clickhouse.url (--clickhouse)"];
            cases.push((vec![command, "--clickhouse", url], expected));
        }
        let args = vec![command, "--set", "clickhouse.user=nobody"];
        cases.push((args, vec!["ClickHouse http://127.0.0.1", "user and password"]));
    }
    for command in ["run", "connect"] {
        let expected = vec!["can't listen on", &taken_by_us, "http.admin (--admin)"];
        cases.push((vec![command, "--admin", &taken_by_us], expected));
    }
    cases.push((vec!["connect", "--set", &webhooks], vec![&taken_by_us, "http.webhooks"]));
    let expected = vec!["data key", "can't be unwrapped", "wrapped by master-", "keys.older"];
    cases.extend(["run", "connect"].map(|command| (vec![command, "--set", &other_master], expected.clone())));
    let vault = ["keys.kms=vault", "keys.vault.token=env:PATH", "keys.vault.key=deskstream"];
    for (setting, url) in vaults.iter().zip([nobody_url, &mute_url]) {
        let mut args = vec!["run", "--set", setting];
        args.extend(vault.iter().flat_map(|setting| ["--set", setting]));
        cases.push((args, vec!["Vault at", url, "keys.vault.address"]));
    }
    each_complains(&config, &cases);
    bed.shutdown().await;
}

#[test]
fn a_configuration_that_is_wrong_is_named_with_the_fix_before_anything_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = write("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    let rules =
        write("rules.yaml", "rules:\n  - name: e\n    expr: eror_rate[5m] > 5%\n    severity: critical\n");
    let good = write("good.toml", &format!("[keys]\nmaster = \"file:{key}\"\n"));
    let unknown =
        write("unknown.toml", &format!("[keys]\nmaster = \"file:{key}\"\n[clickhouse]\nbatch_row = 5\n"));
    let tickets = write("tickets.csv", "subject,body\nHelp,It is broken\n");
    for command in
        [&["run"][..], &["connect"], &["migrate"], &["validate"], &["import", &tickets, "--tenant", "a"]]
    {
        each_complains(
            Path::new(&unknown),
            &[(
                command.to_vec(),
                vec!["clickhouse.batch_row: no such setting", "did you mean `batch_rows`?"],
            )],
        );
    }
    let bad_rules = format!("alerts.rules={rules}");
    let expected =
        vec![rules.as_str(), ":3: e.expr: unknown metric `eror_rate`", "did you mean `error_rate`?"];
    let nobody = "kafka.bootstrap=127.0.0.1:1";
    each_complains(
        Path::new(&good),
        &[
            (vec!["validate", "--set", &bad_rules], expected.clone()),
            (vec!["run", "--set", nobody, "--set", &bad_rules], expected),
            (
                vec!["run", "--set", "keys.master=env:NOT_SET_ANYWHERE"],
                vec!["keys.master", "NOT_SET_ANYWHERE"],
            ),
            (vec!["validate", "--set", "clickhouse.batch_bytes=1"], vec!["clickhouse.batch_bytes", "64 MiB"]),
        ],
    );
}
