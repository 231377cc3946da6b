//! One job of two processes: they share the work, end together, and lose and double nothing when one is killed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/bed.rs"]
mod bed;

use bed::{Bed, PATIENCE, Traffic};
use deskstream_embedded::ports;
use deskstream_embedded::process::Supervised;
use std::collections::BTreeSet;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

const LOGS: [&str; 2] = ["run-0", "run-1"];
const FIRST: usize = 400;

/// A process of the job.
fn member(bed: &Bed, number: usize, more: &[&str]) -> Supervised {
    let hosts = bed.folder.path().join("hosts");
    let number_text = number.to_string();
    let args = ["run", "--workers", "2", "--hosts", hosts.to_str().unwrap(), "--process", &number_text];
    bed.service(LOGS[number], &[&args, more].concat())
}

/// Waits for a process that must end by itself.
fn end_of(bed: &Bed, process: &mut Supervised, log: &str) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(status) = process.exited() {
            return status;
        }
        assert!(Instant::now() < deadline, "{log} has not ended:\n{}", bed.log(log));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_are_one_job_whichever_is_killed() {
    let bed = Arc::new(Bed::start("").await);
    let addresses = ports::free(2, "the job").unwrap();
    let hosts: String = addresses.iter().map(|port| format!("127.0.0.1:{port}\n")).collect();
    std::fs::write(bed.folder.path().join("hosts"), hosts).unwrap();
    let mut connect = bed.service("connect", &["connect"]);

    // They share the work: each process has partitions of its own, and all are read.
    bed.send(0..FIRST).await;
    let mut job = [member(&bed, 0, &[]), member(&bed, 1, &[])];
    bed.wait_for_enriched(FIRST, &LOGS);
    let partitions: BTreeSet<_> = bed.enriched().iter().map(|t| t.source_partition).collect();
    assert_eq!(partitions, (0..4).collect());
    bed.assert_each_exactly_once(FIRST).await;

    // Each is killed twice mid-stream; the other ends by itself and says why; whoever supervises them starts both
    // again, in any order.
    let traffic = Traffic::start(&bed, FIRST);
    for life in 0..4 {
        bed.wait_for_enriched(bed.enriched_ids().len() + 50 * (life + 1), &LOGS);
        let victim = life % 2;
        job[victim].kill();
        let survivor = 1 - victim;
        let status = end_of(&bed, &mut job[survivor], LOGS[survivor]);
        assert!(!status.success(), "a supervisor must see that it failed");
        let log = bed.log(LOGS[survivor]);
        let gone = format!("error: the connection to the process at 127.0.0.1:{}", addresses[victim]);
        assert!(log.contains(&gone) && log.contains("start all of them again"), "{log}");
        job[victim] = member(&bed, victim, &[]);
        job[survivor] = member(&bed, survivor, &[]);
    }
    bed.wait_for_enriched(bed.enriched_ids().len() + 1, &LOGS);
    let mut sent = traffic.stop().await;
    assert!(sent > FIRST + 500, "only {sent} events were sent");
    bed.assert_each_exactly_once(sent).await;

    // One is told to stop mid-stream: both finish what is in flight and end, the other with a failure, so that it is
    // started again.
    let traffic = Traffic::start(&bed, sent);
    bed.wait_for_enriched(sent + 50, &LOGS);
    let [first, second] = &mut job;
    first.stop();
    let status = first.exited().unwrap();
    assert!(status.success(), "{status}:\n{}\n--- {}:\n{}", bed.log(LOGS[0]), LOGS[1], bed.log(LOGS[1]));
    let status = end_of(&bed, second, LOGS[1]);
    let log = bed.log(LOGS[1]);
    assert!(!status.success() && log.contains("has ended, and this one with it"), "{status}: {log}");
    sent = traffic.stop().await;

    // The work goes on with another number of processes.
    let mut alone = bed.service("run", &["run"]);
    bed.send(sent..sent + 100).await;
    bed.assert_each_exactly_once(sent + 100).await;
    alone.stop();
    connect.stop();
    Arc::into_inner(bed).unwrap().shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_others_says_so_and_who_does_not_fit_is_refused() {
    let bed = Bed::start("").await;
    let drawn = ports::free(3, "the job").unwrap();
    let hosts = format!("127.0.0.1:{}\n127.0.0.1:{}\n", drawn[0], drawn[1]);
    std::fs::write(bed.folder.path().join("hosts"), hosts).unwrap();
    let admin = format!("127.0.0.1:{}", drawn[2]);
    let mut waiting = member(&bed, 0, &["--admin", &admin]);
    let deadline = Instant::now() + PATIENCE;
    let expected = format!("waiting for process 1 at 127.0.0.1:{}", drawn[1]);
    loop {
        let answer = match reqwest::get(format!("http://{admin}/readyz")).await {
            Ok(answer) => format!("{} {}", answer.status(), answer.text().await.unwrap()),
            Err(error) => error.to_string(),
        };
        if answer.starts_with("503") && answer.contains(&expected) {
            break;
        }
        assert!(Instant::now() < deadline, "{answer}\n{}", bed.log(LOGS[0]));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Told to stop, it does not wait any longer; nor does one that is only just starting.
    waiting.stop();
    assert!(waiting.exited().unwrap().success(), "{}", bed.log(LOGS[0]));
    let mut starting = bed.service("starting", &["run"]);
    let told = Instant::now();
    starting.stop();
    assert!(told.elapsed() < Duration::from_secs(10), "{}", bed.log("starting"));

    let mut one = member(&bed, 0, &[]);
    let mut other = member(&bed, 1, &["--set", "pipeline.epoch=77ms"]);
    for (process, log) in [(&mut one, LOGS[0]), (&mut other, LOGS[1])] {
        assert!(!end_of(&bed, process, log).success());
        assert!(
            bed.log(log).contains("its version, configuration or --hosts is another"),
            "{}",
            bed.log(log)
        );
    }
    bed.shutdown().await;
}
