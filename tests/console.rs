//! `deskstream console` as a process of its own: started, given its first operator, stopped.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;

use bed::{Bed, PATIENCE};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

/// Where the console says that it listens.
async fn address(bed: &Bed, name: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = bed.log(name);
        let up = log.lines().find(|line| line.contains("the console is up"));
        if let Some(address) = up.and_then(|line| line.split("127.0.0.1:").nth(1)) {
            let port: String = address.chars().take_while(char::is_ascii_digit).collect();
            return format!("http://127.0.0.1:{port}");
        }
        assert!(Instant::now() < deadline, "the console is not up: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_operator_is_made_by_the_token_and_is_there_after_a_restart() {
    let bed = Bed::start("").await;
    let file = bed.folder.path().join("token");
    let flag = format!("--bootstrap-token-file={}", file.display());
    let args = ["console", "--set", "console.listen=127.0.0.1:0", flag.as_str()];
    let mut console = bed.service("console", &args);
    let base = address(&bed, "console").await;
    let deadline = Instant::now() + PATIENCE;
    while std::fs::read_to_string(&file).map_or(true, |token| !token.ends_with('\n')) {
        assert!(Instant::now() < deadline, "no token: {}", bed.log("console"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let client = reqwest::Client::new();
    let post = async |base: &str, path: &str, body: Value| {
        let answer = client.post(format!("{base}/api/v1/auth/{path}")).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (email, password) = ("olga@desk.example", "correct horse battery staple");
    let operator = json!({ "token": token, "email": email, "name": "Olga", "password": password });
    let (status, answer) = post(&base, "bootstrap", operator).await;
    assert_eq!((status, answer["role"].as_str()), (200, Some("operator")), "{answer}");
    console.stop();
    let log = bed.log("console");
    for secret in [token.as_str(), email, password, "Olga"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }

    // Another process has the same users, and makes no token any more.
    std::fs::remove_file(&file).unwrap();
    let mut console = bed.service("again", &args);
    let base = address(&bed, "again").await;
    let (status, answer) = post(&base, "sign-in", json!({ "email": email, "password": password })).await;
    assert_eq!((status, answer["tenant"].as_str()), (200, Some("*")), "{answer}");
    assert!(!file.exists());
    console.stop();
}
