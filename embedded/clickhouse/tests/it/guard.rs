//! Nothing reaches out of the data directory.

use crate::support::{database, post, shared};

#[tokio::test]
async fn what_reaches_out_is_refused_by_every_layer() {
    let client = database("outward").await;
    client.query("CREATE TABLE t (s String) ENGINE = Memory").execute().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret.csv");
    std::fs::write(&secret, "top secret\n").unwrap();
    let secret = secret.to_str().unwrap();
    let out = directory.path().join("out").to_str().unwrap().to_owned();
    let url = format!("{}/?database=outward", shared().url());
    for sql in [
        format!("SELECT * FROM file('{secret}', 'LineAsString')"),
        format!("SELECT file('{secret}')"),
        format!("SELECT * FROM default.`{secret}`"),
        format!("INSERT INTO t VALUES (file('{secret}'))"),
        format!("INSERT INTO t SELECT file('{secret}')"),
        format!("INSERT INTO FUNCTION file('{out}', 'CSV', 's String') VALUES ('x')"),
        format!("INSERT INTO FUNCTION file('{out}', 'CSV', 's String') SELECT 'x'"),
        format!("SELECT 1 INTO OUTFILE '{out}'"),
        format!("CREATE TABLE f (s String) ENGINE = File(CSV, '{secret}')"),
        format!("SELECT s FROM t SETTINGS additional_result_filter = 'file(''{secret}'') != '''''"),
        format!("SELECT 1 FORMAT Template SETTINGS format_template_row = '{secret}'"),
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 's String')".to_owned(),
        "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')".to_owned(),
        "SELECT * FROM s3('http://127.0.0.1:1/bucket/x.csv', 'CSV', 's String')".to_owned(),
        "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')".to_owned(),
        "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')".to_owned(),
        "SELECT * FROM executable('x.sh', 'CSV', 's String')".to_owned(),
        "CREATE TABLE e (s String) ENGINE = Executable('x.sh', 'CSV')".to_owned(),
        "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(HTTP(URL 'http://127.0.0.1:1' FORMAT 'CSV')) \
         LAYOUT(FLAT()) LIFETIME(0)"
            .to_owned(),
        format!("BACKUP DATABASE outward TO File('{out}')"),
        "CREATE USER intruder".to_owned(),
        "GRANT ALL ON *.* TO default".to_owned(),
        "CREATE NAMED COLLECTION c AS url = 'x'".to_owned(),
        "SYSTEM SHUTDOWN".to_owned(),
        "SYSTEM KILL".to_owned(),
    ] {
        let (status, code, text) = post(&url, sql.clone()).await;
        assert_eq!((status, code), (403, Some(497)), "{sql}: {text}");
        assert!(!text.contains("top secret"), "{sql}: {text}");
    }
    // A path is no table elsewhere than in `default`, where the library would look for a file.
    assert_eq!(post(&url, format!("SELECT * FROM `{secret}`")).await.1, Some(60));
    // The same by settings in the URL.
    let filter = format!("{url}&additional_result_filter=file('{secret}')!=''");
    assert_eq!(post(&filter, "SELECT 1").await.1, Some(497));
    let template = format!("{url}&format_template_row={secret}&default_format=Template");
    assert_eq!(post(&template, "SELECT 1").await.1, Some(497));
    assert!(!std::path::Path::new(&out).exists());
}

#[tokio::test]
async fn strings_and_comments_may_say_anything() {
    for (sql, expected) in [
        ("SELECT 'file(''/etc/passwd'')'", "file(\\'/etc/passwd\\')\n"),
        ("SELECT 1 -- FROM file('/etc/passwd')\n", "1\n"),
        ("SELECT /* url('x') */ 2", "2\n"),
        ("SELECT count() FROM (SELECT engine FROM system.tables WHERE engine = 'URL')", "0\n"),
    ] {
        let (status, _, text) = post(&shared().url(), sql).await;
        assert_eq!((status, text.as_str()), (200, expected), "{sql}");
    }
}
