//! Inserts: what is acknowledged is there once, what is not is not there.

use std::time::Duration;

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{code, database, eventually, http, post, shared};

#[derive(Row, Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Event {
    id: u64,
    kind: String,
}

async fn insert(client: &Client, table: &str, ids: std::ops::Range<u64>, token: &str) {
    let mut insert = client
        .insert::<Event>(table)
        .await
        .unwrap()
        .with_setting("insert_deduplication_token", token)
        .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1");
    for id in ids {
        insert.write(&Event { id, kind: format!("k{}", id % 3) }).await.unwrap();
    }
    insert.end().await.unwrap();
}

async fn count(client: &Client, table: &str) -> u64 {
    client
        .query("SELECT count() FROM ?")
        .bind(clickhouse::sql::Identifier(table))
        .fetch_one::<u64>()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_block_sent_twice_under_one_token_is_there_once_and_in_its_view_once() {
    let client = database("dedup").await;
    for sql in [
        "CREATE TABLE t (id UInt64, kind String) ENGINE = MergeTree ORDER BY id \
         SETTINGS non_replicated_deduplication_window = 100",
        "CREATE TABLE kinds (kind String, n UInt64) ENGINE = SummingMergeTree ORDER BY kind \
         SETTINGS non_replicated_deduplication_window = 100",
        "CREATE MATERIALIZED VIEW v TO kinds AS SELECT kind, count() AS n FROM t GROUP BY kind",
    ] {
        client.query(sql).execute().await.unwrap();
    }
    for token in ["a", "a", "b", "a"] {
        insert(&client, "t", 0..3000, token).await;
    }
    assert_eq!(count(&client, "t").await, 6000, "the tokens a and b, once each");
    let in_view = client.query("SELECT sum(n) FROM kinds").fetch_one::<u64>().await.unwrap();
    assert_eq!(in_view, 6000, "the view counts what the table holds");
}

#[tokio::test]
async fn an_insert_not_ended_leaves_nothing() {
    let client = database("aborted").await;
    client
        .query("CREATE TABLE t (id UInt64, kind String) ENGINE = MergeTree ORDER BY id")
        .execute()
        .await
        .unwrap();
    let mut insert = client.insert::<Event>("t").await.unwrap();
    for id in 0..100_000 {
        insert.write(&Event { id, kind: "x".repeat(20) }).await.unwrap();
    }
    drop(insert);
    until_no_insert(&client).await;
    assert_eq!(count(&client, "t").await, 0);

    // The same by a socket that closes in the middle of a chunked body, after whole rows.
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", shared().port)).await.unwrap();
    let head = "POST /?database=aborted&query=INSERT%20INTO%20t%20FORMAT%20TSV HTTP/1.1\r\nHost: x\r\n\
                Transfer-Encoding: chunked\r\n\r\n8\r\n1\ta\n2\tb\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    eventually(|| async { if inserts(&client).await > 0 { Ok(()) } else { Err("not begun".into()) } }).await;
    drop(socket);
    until_no_insert(&client).await;
    assert_eq!(count(&client, "t").await, 0);
}

async fn inserts(client: &Client) -> u64 {
    let sql =
        "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND current_database = 'aborted'";
    client.query(sql).fetch_one::<u64>().await.unwrap()
}

async fn until_no_insert(client: &Client) {
    eventually(|| async {
        let running = inserts(client).await;
        if running == 0 { Ok(()) } else { Err(format!("{running} inserts under way")) }
    })
    .await;
}

#[tokio::test]
async fn a_damaged_block_is_refused_and_leaves_nothing() {
    let client = database("damaged").await;
    client.query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").execute().await.unwrap();
    let url = shared().url();
    let good = http()
        .post(format!("{url}/?compress=1&default_format=RowBinary"))
        .body("SELECT number FROM numbers(1000)")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let into = format!("{url}/?database=damaged&decompress=1&query=INSERT%20INTO%20t%20FORMAT%20RowBinary");
    let mut bad = good.to_vec();
    bad[40] ^= 0x10;
    let (status, code, text) = post(&into, bad).await;
    assert_eq!((status, code), (500, Some(40)), "{text}");
    let (_, code, text) = post(&into, good.slice(..good.len() - 3)).await;
    assert_eq!(code, Some(33), "{text}");
    // A good block before the bad one does not stay either.
    let mut both = good.to_vec();
    both.extend_from_slice(&good[..50]);
    assert_eq!(post(&into, both).await.1, Some(33));
    assert_eq!(count(&client, "t").await, 0);
    assert_eq!(post(&into, good).await.0, 200);
    assert_eq!(count(&client, "t").await, 1000);
}

#[tokio::test]
async fn one_insert_is_one_part() {
    let client = database("parts").await;
    client
        .query("CREATE TABLE t (id UInt64, kind String) ENGINE = MergeTree ORDER BY id")
        .execute()
        .await
        .unwrap();
    insert(&client, "t", 0..200_000, "x").await;
    let sql = "SELECT count(), sum(rows) FROM system.parts WHERE database = 'parts' AND active";
    assert_eq!(client.query(sql).fetch_one::<(u64, u64)>().await.unwrap(), (1, 200_000));
}

#[tokio::test]
async fn data_may_come_in_every_place_http_allows() {
    let client = database("places").await;
    client.query("CREATE TABLE t (a UInt8, b String) ENGINE = MergeTree ORDER BY a").execute().await.unwrap();
    let url = format!("{}/?database=places", shared().url());
    let with_query = |query: &str| format!("{url}&query={}", query.replace(' ', "%20"));
    for (url, body) in [
        (url.clone(), "INSERT INTO t VALUES (1, 'a'), (2, concat('b', 'c'))"),
        (url.clone(), "INSERT INTO t FORMAT JSONEachRow\n{\"a\":3,\"b\":\"FORMAT CSV\"}"),
        (with_query("INSERT INTO t VALUES"), "(4, 'd')"),
        (with_query("INSERT INTO t"), "(5, 'e')"),
        (with_query("INSERT INTO t FORMAT CSV"), "6,\"f\"\n7,g\n"),
        (with_query("INSERT INTO t VALUES (8, 'h')"), ""),
        (with_query("INSERT INTO t SELECT 9, 'i'"), ""),
        (with_query("INSERT INTO t SELECT"), "10, 'j'"),
    ] {
        let (status, _, text) = post(&url, body).await;
        assert_eq!(status, 200, "{url} {body}: {text}");
    }
    let back = client.query("SELECT a, b FROM t ORDER BY a").fetch_all::<(u8, String)>().await.unwrap();
    let numbers: Vec<u8> = back.iter().map(|row| row.0).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<u8>>());
    assert_eq!(back[1].1, "bc");
    assert_eq!(back[2].1, "FORMAT CSV");
    // What the summary says is what was written.
    let response =
        http().post(with_query("INSERT INTO t FORMAT CSV")).body("11,x\n12,y\n").send().await.unwrap();
    let summary = response.headers()["x-clickhouse-summary"].to_str().unwrap().to_owned();
    assert!(summary.contains("\"written_rows\":\"2\""), "{summary}");
}

#[tokio::test]
async fn a_bad_row_is_told_while_the_client_still_sends() {
    let client = database("badrow").await;
    client.query("CREATE TABLE t (a UInt8, b String) ENGINE = MergeTree ORDER BY a").execute().await.unwrap();
    let url = format!("{}/?database=badrow&query=INSERT%20INTO%20t%20FORMAT%20TSV", shared().url());
    let mut body = b"1\tx\nbad\n".to_vec();
    body.resize(4 << 20, b'z');
    let (status, code, text) = post(&url, body).await;
    assert_eq!((status, code), (400, Some(27)), "{text}");
    assert_eq!(count(&client, "t").await, 0);
    let missing = client.insert::<Event>("missing").await;
    assert_eq!(missing.err().as_ref().and_then(self::code), Some(60));
}

#[tokio::test]
async fn a_silent_client_does_not_hold_an_insert_open() {
    let directory = tempfile::tempdir().unwrap();
    let server = crate::support::Server::start(
        directory.path(),
        &["--body-idle-timeout", "300ms", "--max-body", "1MiB"],
    );
    let client = server.client();
    client.query("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a").execute().await.unwrap();
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    socket
        .write_all(
            b"POST /?query=INSERT%20INTO%20t%20FORMAT%20TSV HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n1\n2\n",
        )
        .await
        .unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(20), socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 408");
    assert_eq!(count(&client, "t").await, 0);

    let url = format!("{}/?query=INSERT%20INTO%20t%20FORMAT%20TSV", server.url());
    let (status, code, _) = post(&url, vec![b'\n'; 2 << 20]).await;
    assert_eq!((status, code), (413, Some(229)));
}
