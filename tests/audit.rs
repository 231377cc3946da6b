//! The audit trail is one unbroken chain, whoever dies while it is written, and shows whatever is done to it afterwards.

use crate::bed::Bed;
use deskstream_connectors::audit::archive::{archive, verify_archive};
use deskstream_connectors::audit::{PublicKeys, Signer};
use deskstream_connectors::kafka::{AuditSink, Producer, ProducerOptions};
use deskstream_runtime::time::now_ms;
use deskstream_schemas::{ActorKind, AuditOutcome, AuditRecord};
use serde_json::Value;
use std::process::Command;

fn record(tenant: &str, number: usize) -> AuditRecord {
    AuditRecord {
        audit_id: format!("{tenant}-{number}"),
        tenant: tenant.to_owned(),
        at: now_ms(),
        actor_kind: ActorKind::User,
        actor: "kim".into(),
        action: "view.ticket".into(),
        resource: format!("ticket/{number}"),
        outcome: AuditOutcome::Ok,
        detail: [("fields".into(), "body".to_owned())].into(),
        source_ip: Some("192.0.2.7".into()),
        user_agent: None,
        request_id: None,
    }
}

/// Writes records of these numbers for both tenants.
async fn write(sink: &AuditSink, numbers: std::ops::Range<usize>) {
    let sends = numbers.flat_map(|number| ["acme", "zeta"].map(|tenant| record(tenant, number)));
    let sends = sends.map(|record| async move { sink.send(&record.tenant, &record).await.map(drop) });
    futures::future::try_join_all(sends).await.unwrap();
}

/// What `deskstream audit verify` says of each chain, and whether it was content.
fn verify(bed: &Bed, wait: &str) -> (bool, Vec<Value>) {
    let config = bed.folder.path().join("deskstream.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(["audit", "--config", config.to_str().unwrap(), "verify", "--json", "--wait", wait])
        .output()
        .unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let reports: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!reports.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), reports)
}

fn of<'a>(reports: &'a [Value], chain: &str) -> &'a Value {
    reports.iter().find(|report| report["chain"] == chain).unwrap()
}

/// Two years on everything is past its retention: it is read back from the archive before it is dropped, and the archive
/// can be verified by itself. The rows are put back for what follows.
async fn archived_and_whole(bed: &Bed) {
    let client = &bed.client;
    client.query("CREATE TABLE kept AS audit_trail").execute().await.unwrap();
    client.query("INSERT INTO kept SELECT * FROM audit_trail").execute().await.unwrap();
    let mut process = bed.process.clone();
    let mut config = (*process.config).clone();
    let place = bed.folder.path().join("archive").to_str().unwrap().to_owned();
    config.audit.archive.clone_from(&place);
    process.config = config.into();
    assert_eq!(archive(&process, now_ms()).await.unwrap(), [], "nothing is past its retention today");

    // A month that is not whole stays where it is.
    let edit = |actor: &str| {
        format!(
            "ALTER TABLE audit_trail UPDATE actor = '{actor}' WHERE tenant = 'zeta' AND sequence = 9 SETTINGS mutations_sync = 2"
        )
    };
    client.query(&edit("nobody")).execute().await.unwrap();
    let later = now_ms() + 2 * 366 * 24 * 60 * 60 * 1000;
    let refused = archive(&process, later).await.unwrap_err().to_string();
    assert!(refused.contains("record 9 (zeta-8) was changed"), "{refused}");
    bed.wait_for_answer("SELECT count() FROM audit_trail", 500).await;
    client.query(&edit("kim")).execute().await.unwrap();

    let done = archive(&process, later).await.unwrap();
    assert_eq!(done.iter().map(|archived| archived.rows).sum::<u64>(), 500, "{done:?}");
    bed.wait_for_answer("SELECT count() FROM audit_trail", 0).await;
    let keys = PublicKeys::of(&process).unwrap();
    let reports = verify_archive(&place, &keys).await.unwrap();
    let sound: Vec<_> = reports.iter().map(|r| (r.chain.key(), r.sound(), r.rows)).collect();
    assert_eq!(sound, [("acme/audit".to_owned(), true, 250), ("zeta/audit".to_owned(), true, 250)]);
    // Another's keys do not vouch for it, and an object that was cut short is not taken for a whole one.
    let others: PublicKeys = serde_json::from_str("{}").unwrap();
    assert!(verify_archive(&place, &others).await.unwrap().iter().all(|report| !report.sound()));
    let month = std::fs::read_dir(format!("{place}/audit/acme")).unwrap();
    let object =
        month.map(|file| file.unwrap().path()).find(|path| path.extension().unwrap() == "parquet").unwrap();
    let whole = std::fs::read(&object).unwrap();
    std::fs::write(&object, &whole[..whole.len() - 100]).unwrap();
    assert!(verify_archive(&place, &keys).await.is_err());
    client.query("INSERT INTO audit_trail SELECT * FROM kept").execute().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chain_survives_its_writers_and_shows_what_is_done_to_it() {
    // Whoever is killed is missed after this time, not after 45 s.
    let bed = Bed::start("[kafka.properties]\n\"session.timeout.ms\" = \"6000\"").await;
    let sink = AuditSink::new(&bed.process, Producer::new(&bed.process, ProducerOptions::records()).unwrap());
    // Two processes: one chains, the other waits. Whichever dies, the chain goes on without a gap or a repeat.
    let mut processes = vec![bed.service("connect-0", &["connect"]), bed.service("connect-1", &["connect"])];
    write(&sink, 0..50).await;
    bed.wait_for_answer("SELECT count() FROM audit_trail", 100).await;
    // Another key signs from here on; both vouch.
    let signer = Signer::rotate(&bed.process, "kim").await.unwrap();
    for (round, numbers) in [50..150, 150..250].into_iter().enumerate() {
        let (middle, mut victim) = (numbers.start + 50, processes.remove(0));
        write(&sink, numbers.start..middle).await;
        victim.kill();
        write(&sink, middle..numbers.end).await;
        processes.push(bed.service(&format!("connect-{}", round + 2), &["connect"]));
        let rows = 2 * u64::try_from(numbers.end).unwrap();
        bed.wait_for_answer("SELECT count() FROM audit_trail", rows).await;
    }
    bed.wait_for_answer("SELECT uniqExact(tenant, audit_id) FROM audit_trail", 500).await;
    bed.wait_for_answer("SELECT toUInt64(max(sequence)) FROM audit_trail", 250).await;
    let (sound, reports) = verify(&bed, "60s");
    assert!(sound, "{reports:?}");
    let signs = format!("argMax(key_id, sequence) = '{}'", signer.id());
    let sql = format!("SELECT toUInt64({signs}) FROM audit_heads WHERE tenant = 'acme'");
    bed.wait_for_answer(&sql, 1).await;
    for chain in ["acme/audit", "zeta/audit"] {
        let report = of(&reports, chain);
        assert_eq!((report["records"].as_u64(), report["last"].as_u64()), (Some(250), Some(250)), "{report}");
        assert!(report["signed_heads"].as_u64().unwrap() >= 1, "{report}");
    }

    // Nobody writes to the table any more but the thief.
    processes.iter_mut().for_each(|process| process.stop());
    archived_and_whole(&bed).await;
    let columns = "tenant, retention, sequence, chained_at, hash, at, audit_id, actor_kind, actor, action, resource, \
                   outcome, detail, source_ip, user_agent, request_id, kafka_topic, kafka_partition, kafka_offset";
    let wait = "SETTINGS mutations_sync = 2";
    let tampering: [(&str, String, &str); 6] = [
        (
            "edit",
            format!(
                "ALTER TABLE audit_trail UPDATE actor = 'nobody' WHERE tenant = 'acme' AND sequence = 7 {wait}"
            ),
            "record 7 (acme-6) was changed",
        ),
        (
            "delete",
            format!(
                "ALTER TABLE audit_trail DELETE WHERE tenant = 'acme' AND sequence BETWEEN 20 AND 22 {wait}"
            ),
            "records 20 to 22 are missing",
        ),
        (
            "insert",
            format!(
                "INSERT INTO audit_trail ({columns}) SELECT {} FROM audit_trail WHERE tenant = 'acme' AND sequence = 30",
                columns.replace("audit_id", "'forged'")
            ),
            "record 30 is there more than once",
        ),
        (
            "reorder",
            format!(
                "ALTER TABLE audit_trail UPDATE sequence = 81 - sequence WHERE tenant = 'acme' AND sequence IN (40, 41) {wait}"
            ),
            "record 40 (acme-40) was changed",
        ),
        (
            "append",
            format!(
                "INSERT INTO audit_trail ({columns}) SELECT {} FROM audit_trail WHERE tenant = 'acme' AND sequence = 250",
                columns.replace("sequence", "sequence + 1")
            ),
            "records 251 to 251 were put in",
        ),
        (
            "truncate",
            format!("ALTER TABLE audit_trail DELETE WHERE tenant = 'acme' AND sequence > 240 {wait}"),
            "records 241 to 250 are missing: 250 was signed as the newest",
        ),
    ];
    for (attack, statement, told) in tampering {
        bed.client.query(&statement).execute().await.unwrap();
        let (sound, reports) = verify(&bed, "0s");
        assert!(!sound, "{attack} is not found");
        let faults: Vec<_> = of(&reports, "acme/audit")["faults"].as_array().unwrap().iter().collect();
        assert!(faults.iter().any(|fault| fault.as_str().unwrap().contains(told)), "{attack}: {faults:?}");
        assert_eq!(of(&reports, "zeta/audit")["sound"], true, "{attack} touches another tenant's chain");
    }
    // A signature that was forged is no proof either.
    let forged = format!("ALTER TABLE audit_heads UPDATE signature = hash WHERE tenant = 'zeta' {wait}");
    bed.client.query(&forged).execute().await.unwrap();
    let (sound, reports) = verify(&bed, "0s");
    let faults = of(&reports, "zeta/audit")["faults"].to_string();
    assert!(!sound && faults.contains("is not what key"), "{faults}");
    bed.shutdown().await;
}
