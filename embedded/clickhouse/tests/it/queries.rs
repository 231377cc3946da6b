//! Statements and answers.

use std::time::{Duration, Instant};

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::support::{COMPRESSIONS, code, database, eventually, http, post, shared};

#[derive(Row, Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Ticket {
    id: u64,
    subject: String,
    tags: Vec<String>,
    score: Option<f32>,
}

fn ticket(id: u64) -> Ticket {
    Ticket {
        id,
        subject: format!("s\0;\n'\"\\ {id} ☂"),
        tags: vec!["a".into(), "b'c".into()],
        score: id.is_multiple_of(2).then_some(0.5),
    }
}

#[tokio::test]
async fn typed_rows_come_back_with_and_without_compression() {
    for compression in COMPRESSIONS {
        let client = database("typed").await.with_compression(compression);
        client
            .query(
                "CREATE TABLE t (id UInt64, subject String, tags Array(String), score Nullable(Float32)) \
                 ENGINE = MergeTree ORDER BY id",
            )
            .execute()
            .await
            .unwrap();
        let rows: Vec<Ticket> = (0..20_000).map(ticket).collect();
        let mut insert = client.insert::<Ticket>("t").await.unwrap();
        for row in &rows {
            insert.write(row).await.unwrap();
        }
        insert.end().await.unwrap();
        let back = client.query("SELECT ?fields FROM t ORDER BY id").fetch_all::<Ticket>().await.unwrap();
        assert_eq!(back, rows, "{compression:?}");
    }
}

#[tokio::test]
async fn a_large_answer_is_streamed_in_every_encoding() {
    let sql = "SELECT number, toString(number) AS s FROM numbers(300000)";
    for compression in COMPRESSIONS {
        let client = shared().client().with_compression(compression);
        let mut rows = client.query(sql).fetch::<(u64, String)>().unwrap();
        let mut expected = 0;
        while let Some((number, text)) = rows.next().await.unwrap() {
            assert_eq!((number, text), (expected, expected.to_string()));
            expected += 1;
        }
        assert_eq!(expected, 300_000);
    }
    for format in ["CSVWithNames", "TSVWithNamesAndTypes", "JSONCompactEachRowWithNamesAndTypes", "JSON"] {
        let url = format!("{}/?default_format={format}", shared().url());
        let (status, _, streamed) = post(&url, sql).await;
        let (_, _, whole) = post(&format!("{url}&wait_end_of_query=1"), sql).await;
        assert_eq!(status, 200);
        if format == "JSON" {
            assert_eq!(streamed.matches("\"meta\"").count(), 1);
        } else {
            assert_eq!(streamed.len(), whole.len(), "{format}");
            assert!(streamed == whole, "{format}: the joined chunks differ from the whole answer");
        }
    }
}

#[tokio::test]
async fn compress_1_answers_in_blocks_that_decompress_1_takes() {
    let url = shared().url();
    let blocks = http()
        .post(format!("{url}/?compress=1&default_format=RowBinary"))
        .body("SELECT number FROM numbers(1000)")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(blocks[16], 0x82, "method LZ4");
    assert!(blocks.len() < 8000);
    let client = database("blocks").await;
    client.query("CREATE TABLE t (n UInt64) ENGINE = MergeTree ORDER BY n").execute().await.unwrap();
    let insert = format!("{url}/?database=blocks&decompress=1&query=INSERT%20INTO%20t%20FORMAT%20RowBinary");
    assert_eq!(post(&insert, blocks).await.0, 200);
    assert_eq!(client.query("SELECT sum(n) FROM t").fetch_one::<u64>().await.unwrap(), 499_500);
}

#[tokio::test]
async fn values_are_bound_by_client_and_by_server() {
    let client = shared().client();
    let odd = "it's \\ a\ttab\nand ☂ {x:String} ?";
    let bound = client.query("SELECT ?").bind(odd).fetch_one::<String>().await.unwrap();
    assert_eq!(bound, odd);
    let sent = client
        .query("SELECT concat({a:String}, toString({n:UInt32}))")
        .param("a", odd)
        .param("n", 7)
        .fetch_one::<String>()
        .await
        .unwrap();
    assert_eq!(sent, format!("{odd}7"));
    let injected = client
        .query("SELECT count() FROM system.one WHERE toString(dummy) = {a:String}")
        .param("a", "' OR 1 --")
        .fetch_one::<u64>()
        .await
        .unwrap();
    assert_eq!(injected, 0);
}

#[tokio::test]
async fn settings_are_applied_or_refused_by_name() {
    let client = shared().client();
    let ask = |name: &'static str, value: &'static str| {
        client
            .query("SELECT toString(getSetting('max_threads'))")
            .with_setting(name, value)
            .fetch_one::<String>()
    };
    assert_eq!(ask("max_threads", "3").await.unwrap(), "3");
    let unknown = ask("no_such_setting", "1").await.unwrap_err();
    assert_eq!(code(&unknown), Some(115));
    assert!(unknown.to_string().contains("no_such_setting"), "{unknown}");
    assert_eq!(code(&ask("max_threads", "many").await.unwrap_err()), Some(27));
    let (status, ..) = post(&format!("{}/?no_such_setting=1", shared().url()), "SELECT 1").await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn errors_carry_code_status_and_text() {
    let url = shared().url();
    for (sql, expected_status, expected_code) in [
        ("SELECT * FROM nope", 404, 60),
        ("SELECT * FROM nope.nope", 404, 81),
        ("SELEC 1", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT 'unclosed", 400, 62),
        ("", 400, 62),
        ("SELECT throwIf(1)", 500, 395),
        ("SELECT no_such_function(1)", 404, 46),
    ] {
        let (status, code, text) = post(&url, sql).await;
        assert_eq!((status, code), (expected_status, Some(expected_code)), "{sql}: {text}");
        assert!(text.starts_with(&format!("Code: {expected_code}. DB::Exception: ")), "{text}");
    }
}

#[tokio::test]
async fn several_statements_are_refused_before_the_first_runs() {
    let client = database("several").await;
    for sql in [
        "CREATE TABLE a (x Int8) ENGINE = Memory; bogus",
        "CREATE TABLE a (x Int8) ENGINE = Memory; SELECT 1",
    ] {
        assert_eq!(code(&client.query(sql).execute().await.unwrap_err()), Some(62));
    }
    let tables =
        client.query("SELECT count() FROM system.tables WHERE database = 'several'").fetch_one::<u64>();
    assert_eq!(tables.await.unwrap(), 0);
}

#[tokio::test]
async fn an_error_after_the_first_byte_reaches_the_client() {
    let sql = "SELECT throwIf(number = 250000) FROM numbers(300000) SETTINGS max_block_size = 10000";
    for compression in COMPRESSIONS {
        let client = shared().client().with_compression(compression).with_validation(false);
        let error = client.query(sql).fetch_all::<u8>().await.unwrap_err();
        assert_eq!(code(&error), Some(395), "{compression:?}: {error}");
    }
    // A client that knows nothing of the marks sees the body break off.
    let response = http().post(shared().url()).body(sql).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    // With wait_end_of_query it is an ordinary error.
    let (status, code, _) = post(&format!("{}/?wait_end_of_query=1", shared().url()), sql).await;
    assert_eq!((status, code), (500, Some(395)));
}

#[tokio::test]
async fn a_failed_statement_leaves_nothing_under_way() {
    let sql = "SELECT throwIf(number = 250000) FROM numbers(300000) SETTINGS max_block_size = 10000";
    let response =
        http().post(format!("{}/?query_id=broken", shared().url())).body(sql).send().await.unwrap();
    assert!(response.bytes().await.is_err());
    eventually(|| async {
        let count = shared()
            .client()
            .query("SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'broken'")
            .fetch_one::<u64>()
            .await
            .unwrap();
        if count == 0 { Ok(()) } else { Err(format!("{count} under way")) }
    })
    .await;
}

#[tokio::test]
async fn heads_tell_id_format_and_summary() {
    let response = http()
        .post(format!("{}/?query_id=my-id&default_format=JSONEachRow", shared().url()))
        .body("SELECT number FROM numbers(3)")
        .send()
        .await
        .unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-clickhouse-query-id"), "my-id");
    assert_eq!(header("x-clickhouse-format"), "JSONEachRow");
    assert_eq!(header("content-type"), "application/json; charset=UTF-8");
    assert!(
        header("x-clickhouse-summary").contains("\"read_rows\":\"3\""),
        "{}",
        header("x-clickhouse-summary")
    );
    assert_eq!(response.text().await.unwrap(), "{\"number\":0}\n{\"number\":1}\n{\"number\":2}\n");
}

#[tokio::test]
async fn the_small_endpoints_answer() {
    let url = shared().url();
    for path in ["/ping", "/", "/replicas_status"] {
        assert_eq!(
            http().get(format!("{url}{path}")).send().await.unwrap().text().await.unwrap(),
            "Ok.\n",
            "{path}"
        );
    }
    assert_eq!(http().get(format!("{url}/nothing")).send().await.unwrap().status(), 404);
    assert_eq!(http().put(&url).send().await.unwrap().status(), 405);
    post(&url, "SELECT 1").await;
    let metrics = http().get(format!("{url}/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("deskstream_clickhouse_statements_total{code=\"0\",kind=\"select\"}"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_get_reads_and_does_not_write() {
    let url = shared().url();
    let get = |sql: &str| {
        let request = http().get(&url).query(&[("query", sql)]);
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    assert_eq!(get("SELECT 1 + 1").await, (200, "2\n".to_owned()));
    let (status, text) = get("CREATE TABLE default.got (a Int8) ENGINE = Memory").await;
    assert_eq!((status, text.starts_with("Code: 164.")), (500, true), "{text}");
}

#[tokio::test]
async fn readonly_1_keeps_from_writing_and_from_changing_settings() {
    let client = database("readonly").await;
    client.query("CREATE TABLE t (a Int8) ENGINE = Memory").execute().await.unwrap();
    let reader = client.clone().with_setting("readonly", "1");
    assert_eq!(reader.query("SELECT count() FROM t").fetch_one::<u64>().await.unwrap(), 0);
    for sql in ["INSERT INTO t VALUES (1)", "TRUNCATE TABLE t", "DROP TABLE t", "SET max_threads = 1"] {
        let error = reader.query(sql).execute().await.unwrap_err();
        assert_eq!(code(&error), Some(164), "{sql}: {error}");
    }
}

#[tokio::test]
async fn eight_selects_run_at_once() {
    let began = Instant::now();
    let asked = (0..8).map(|_| shared().client().query("SELECT toUInt8(sleep(0.5))").fetch_one::<u8>());
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer.unwrap(), 0);
    }
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "one after the other they take 4 s: {:?}",
        began.elapsed()
    );
}

const ENDLESS: &str = "SELECT max(sipHash64(number)) FROM numbers(1000000000000)";

async fn is_running(id: &str) -> bool {
    let sql = "SELECT count() FROM system.processes WHERE Settings['log_comment'] = ?";
    shared().client().query(sql).bind(id).fetch_one::<u64>().await.unwrap() > 0
}

async fn until_running(id: &str, expected: bool) {
    eventually(|| async move {
        if is_running(id).await == expected {
            Ok(())
        } else {
            Err(format!("{id}: running is not {expected}"))
        }
    })
    .await;
}

#[tokio::test]
async fn a_query_is_killed_by_the_id_its_client_gave() {
    let client = shared().client();
    let victim =
        tokio::spawn(client.clone().with_setting("query_id", "victim").query(ENDLESS).fetch_one::<u64>());
    until_running("victim", true).await;
    // The same id is refused while it runs.
    let twin = client.clone().with_setting("query_id", "victim").query("SELECT 1").fetch_one::<u8>().await;
    assert_eq!(code(&twin.unwrap_err()), Some(216));
    client.query("KILL QUERY WHERE query_id = 'victim' SYNC").execute().await.unwrap();
    assert_eq!(code(&victim.await.unwrap().unwrap_err()), Some(394));
}

#[tokio::test]
async fn a_query_ends_at_its_time_limit_and_when_its_client_leaves() {
    let client = shared().client();
    let limited = client.query(ENDLESS).with_setting("max_execution_time", "0.5").fetch_one::<u64>().await;
    assert_eq!(code(&limited.unwrap_err()), Some(159));

    let leaving =
        tokio::spawn(client.clone().with_setting("query_id", "leaving").query(ENDLESS).fetch_one::<u64>());
    until_running("leaving", true).await;
    leaving.abort();
    until_running("leaving", false).await;
}

#[tokio::test]
async fn what_has_no_session_says_so() {
    let url = shared().url();
    let (status, code, text) = post(&format!("{url}/?session_id=s"), "SELECT 1").await;
    assert_eq!((status, code), (501, Some(48)), "{text}");
    let response = http().post(&url).header("content-encoding", "gzip").body("x").send().await.unwrap();
    assert_eq!(response.status(), 501);
}
