//! All parts together, as the demo and every integration test use them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::{Duration, Instant};

use deskstream_embedded::{Error, Platform, PlatformOptions, Progress, http, platform::check_kafka};
use secrecy::ExposeSecret;
use url::Url;

fn options(directory: &std::path::Path) -> PlatformOptions {
    PlatformOptions { progress: Progress::silent(), ..PlatformOptions::new(directory) }
}

async fn query(endpoint: &deskstream_embedded::ClickHouseEndpoint, sql: &str) -> Result<String, String> {
    let answer = http::client()
        .unwrap()
        .post(endpoint.url.clone())
        .header("X-ClickHouse-User", &endpoint.user)
        .header("X-ClickHouse-Key", endpoint.password.expose_secret())
        .body(sql.to_owned())
        .send()
        .await
        .unwrap();
    let ok = answer.status().is_success();
    let text = answer.text().await.unwrap().trim().to_owned();
    if ok { Ok(text) } else { Err(text) }
}

#[tokio::test]
async fn a_platform_keeps_its_data_and_its_addresses_over_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(options(directory.path())).await.unwrap();
    platform.check().unwrap();
    let (kafka, registry) = (platform.kafka().to_owned(), platform.registry().to_owned());
    let clickhouse = platform.clickhouse().clone();
    query(&clickhouse, "CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").await.unwrap();
    query(&clickhouse, "INSERT INTO t SELECT number FROM numbers(1000)").await.unwrap();
    let refused = query(platform.clickhouse_reader(), "INSERT INTO t VALUES (1)").await;
    assert!(refused.is_err(), "the reader may not write");

    // Killed, it comes back with what was acknowledged.
    let engine = platform.own_clickhouse().unwrap();
    engine.kill();
    engine.restart().await.unwrap();
    assert_eq!(query(&clickhouse, "SELECT count() FROM t").await.unwrap(), "1000");
    platform.shutdown().await;
    assert!(check_gone(&clickhouse.url).await);

    let platform = Platform::start(options(directory.path())).await.unwrap();
    assert_eq!((platform.kafka(), platform.registry()), (kafka.as_str(), registry.as_str()));
    assert_eq!(platform.clickhouse().url, clickhouse.url);
    assert_eq!(query(platform.clickhouse_reader(), "SELECT count() FROM t").await.unwrap(), "1000");

    // What is given is used and not started.
    let given = PlatformOptions {
        kafka: Some(kafka.clone()),
        registry: Some(Url::parse(&registry).unwrap()),
        clickhouse: Some(clickhouse),
        ..options(&directory.path().join("unused"))
    };
    let mut second = Platform::start(given).await.unwrap();
    assert_eq!((second.kafka(), second.registry()), (kafka.as_str(), registry.as_str()));
    assert!(second.own_kafka().is_none() && second.own_clickhouse().is_none());
    second.shutdown().await;
    assert_eq!(check_kafka(&kafka, &[]).await.unwrap(), 1, "it stays, since it is not ours");
    platform.shutdown().await;
    assert!(check_kafka(&kafka, &[]).await.is_err());
}

async fn check_gone(url: &Url) -> bool {
    http::client().unwrap().get(url.clone()).send().await.is_err()
}

#[tokio::test]
async fn what_is_given_and_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let given = PlatformOptions {
        kafka: Some("127.0.0.1:1".into()),
        clickhouse: Some(deskstream_embedded::ClickHouseEndpoint {
            url: Url::parse("http://127.0.0.1:2").unwrap(),
            user: "u".into(),
            password: "p".into(),
        }),
        ..options(directory.path())
    };
    let error = Platform::start(given).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { what: "Kafka", .. }), "{error}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn tests_share_one_platform_whatever_their_runtime() {
    let began = Instant::now();
    let first = Platform::for_tests();
    let started = began.elapsed();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let again = Platform::for_tests();
        assert!(std::ptr::eq(first, again));
        let answer =
            http::client().unwrap().get(format!("{}/subjects", again.registry())).send().await.unwrap();
        assert!(answer.status().is_success());
        again.clickhouse().check().await.unwrap();
        assert_eq!(check_kafka(again.kafka(), &[]).await.unwrap(), 1);
    });
    assert!(began.elapsed() < started + Duration::from_secs(30));
}

/// A child that does not outlive a failed test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The test binary plays a test run that is killed with -9.
#[test]
fn a_killed_test_run_leaves_neither_processes_nor_files() {
    const ROLE: &str = "DESKSTREAM_TEST_PLATFORM_READY";
    if let Ok(file) = std::env::var(ROLE) {
        let platform = Platform::for_tests();
        std::fs::write(&file, platform.kafka()).unwrap();
        loop {
            std::thread::park();
        }
    }
    let temporary = tempfile::tempdir().unwrap();
    let ready = tempfile::tempdir().unwrap();
    let file = ready.path().join("ready");
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_test_run_leaves_neither_processes_nor_files"])
        .env(ROLE, &file)
        .env("TMPDIR", temporary.path())
        .spawn()
        .unwrap();
    let child = Ended(child);
    let until = |what: &str, check: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !check() {
            assert!(Instant::now() < deadline, "never: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the platform is up", &|| std::fs::read_to_string(&file).is_ok_and(|text| !text.is_empty()));
    let left = || std::fs::read_dir(temporary.path()).unwrap().count();
    assert_eq!(left(), 2, "one directory for Kafka and one for ClickHouse");
    drop(child);
    // A guard removes its directory only after its process has ended.
    until("all is gone", &|| left() == 0);
}
