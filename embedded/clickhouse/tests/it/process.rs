//! The process: who may come in, how many, and how it ends.

use std::process::Stdio;
use std::time::Duration;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::support::{Server, code, command, eventually, http, post};

#[derive(Row, Serialize, Deserialize)]
struct Number {
    n: u64,
}

#[tokio::test]
async fn kill_9_keeps_every_acknowledged_row() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let client = server.client();
    client
        .query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100")
        .execute()
        .await
        .unwrap();
    let send = |client: clickhouse::Client, batch: u64| async move {
        let mut insert = client
            .insert::<Number>("t")
            .await?
            .with_setting("insert_deduplication_token", format!("t-{batch}"));
        for n in batch * 1000..(batch + 1) * 1000 {
            insert.write(&Number { n }).await?;
        }
        insert.end().await
    };
    for batch in 0..20 {
        send(client.clone(), batch).await.unwrap();
    }
    // Killed with one insert begun and not ended.
    let mut open = client.insert::<Number>("t").await.unwrap();
    open.write(&Number { n: u64::MAX }).await.unwrap();
    server.kill();
    drop(open);

    let server = Server::start(directory.path(), &[]);
    let client = server.client();
    let sql = "SELECT count(), uniqExact(n), max(n) FROM t";
    assert_eq!(client.query(sql).fetch_one::<(u64, u64, u64)>().await.unwrap(), (20_000, 20_000, 19_999));
    // The tokens are kept too: what is sent again after the crash is known.
    send(client.clone(), 19).await.unwrap();
    assert_eq!(client.query(sql).fetch_one::<(u64, u64, u64)>().await.unwrap().0, 20_000);
}

#[tokio::test]
async fn a_second_process_on_the_same_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path(), &[]);
    let output = command(directory.path()).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!("process {} uses it", server.child.id());
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn the_end_of_stdin_ends_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &[]);
    drop(server.child.stdin.take());
    ends(&mut server).await;
}

#[tokio::test]
async fn sigterm_lets_the_running_statement_finish() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(directory.path(), &[]);
    let client = server.client().with_setting("query_id", "last");
    let last = tokio::spawn(client.query("SELECT toUInt8(sleep(1.5))").fetch_one::<u8>());
    eventually(|| async {
        let sql = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'last'";
        match server.client().query(sql).fetch_one::<u64>().await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let killed =
        std::process::Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(last.await.unwrap().unwrap(), 0);
    ends(&mut server).await;
}

/// Waits for the process's end, which must be a good one.
async fn ends(server: &mut Server) {
    let mut status = None;
    for _ in 0..1500 {
        status = server.child.try_wait().unwrap();
        if status.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = status.expect("the process ends");
    assert!(status.success(), "it ended with {status}");
}

#[tokio::test]
async fn accounts_are_kept_apart() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, password: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, format!("{password}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (full, reader) = (file("full", "s3cret"), file("reader", "look"));
    let server = Server::start(
        directory.path(),
        &[
            "--user",
            "desk",
            "--password-file",
            &full,
            "--readonly-user",
            "grafana",
            "--readonly-password-file",
            &reader,
        ],
    );
    let desk = server.client().with_user("desk").with_password("s3cret");
    desk.query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").execute().await.unwrap();

    let url = server.url();
    for request in [
        http().post(&url),
        http().post(&url).basic_auth("desk", Some("wrong")),
        http().post(&url).basic_auth("nobody", Some("s3cret")),
        http().post(&url).header("x-clickhouse-user", "desk").header("x-clickhouse-key", ""),
    ] {
        let response = request.body("SELECT 1").send().await.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["x-clickhouse-exception-code"], "516");
    }
    let basic = http().post(&url).basic_auth("desk", Some("s3cret")).body("SELECT 1").send().await.unwrap();
    assert_eq!(basic.text().await.unwrap(), "1\n");
    assert_eq!(http().get(format!("{url}/ping")).send().await.unwrap().status(), 200);

    let grafana = server.client().with_user("grafana").with_password("look");
    assert_eq!(grafana.query("SELECT count() FROM t").fetch_one::<u64>().await.unwrap(), 0);
    assert!(grafana.query("SHOW TABLES").fetch_one::<String>().await.is_ok());
    for sql in [
        "INSERT INTO t VALUES (1)",
        "DROP TABLE t",
        "KILL QUERY WHERE 1",
        "SET readonly = 0",
        "SYSTEM FLUSH LOGS",
    ] {
        let error = grafana.query(sql).execute().await.unwrap_err();
        assert_eq!(code(&error), Some(497), "{sql}: {error}");
    }
    let setting =
        grafana.query("SELECT 1").with_setting("max_threads", "1").fetch_one::<u8>().await.unwrap_err();
    assert_eq!(code(&setting), Some(164));
}

#[tokio::test]
async fn more_than_the_room_holds_is_refused_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        Server::start(directory.path(), &["--max-concurrent-queries", "2", "--request-timeout", "20s"]);
    let endless = |id: &str| {
        let sql = "SELECT max(sipHash64(number)) FROM numbers(1000000000000)";
        tokio::spawn(server.client().with_setting("query_id", id).query(sql).fetch_one::<u64>())
    };
    let (first, second) = (endless("1"), endless("2"));
    eventually(|| async {
        let metrics =
            http().get(format!("{}/metrics", server.url())).send().await.unwrap().text().await.unwrap();
        let full = metrics.lines().any(|line| line == "deskstream_clickhouse_running_statements 2");
        if full { Ok(()) } else { Err(metrics) }
    })
    .await;
    let (status, refusal, text) = post(&server.url(), "SELECT 1").await;
    assert_eq!((status, refusal), (503, Some(202)), "{text}");
    // Health is answered all the same, and room comes back when a client leaves.
    assert_eq!(http().get(format!("{}/ping", server.url())).send().await.unwrap().status(), 200);
    first.abort();
    eventually(|| async {
        let answer = post(&server.url(), "SELECT 1").await;
        if answer.0 == 200 { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    second.abort();
}

#[test]
fn a_missing_engine_says_how_to_get_it() {
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_deskstream-clickhouse"))
        .args(["--lib", "/nonexistent/libchdb.so", "--path"])
        .arg(directory.path().join("d"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("make setup"), "{text}");
}

#[test]
fn an_open_engine_stays_on_loopback() {
    let directory = tempfile::tempdir().unwrap();
    let output =
        command(directory.path()).args(["--listen", "0.0.0.0:0"]).stdin(Stdio::null()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--password-file"));
}
