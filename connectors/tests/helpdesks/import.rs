//! Importing files: bad rows, going on after a stop, importing again.

use super::support::{TENANT, World, eventually};
use deskstream_connectors::file::{Format, ImportError, ImportOptions, Mapping, Summary, import};
use deskstream_schemas::{AuditRecord, DeadLetter, Origin, Platform, Stage, TicketEvent};
use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn csv(&self, rows: u32) -> PathBuf {
        let path = self.0.path().join("tickets.csv");
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        writeln!(file, "id,subject,description,created_at").unwrap();
        for row in 0..rows {
            writeln!(file, "t-{row},Ticket {row},\"Text of {row}, twice\",2026-11-23 12:00:00").unwrap();
        }
        path
    }
}

fn options(path: PathBuf) -> ImportOptions {
    ImportOptions { path, tenant: "brandnew".into(), format: None, mapping: Mapping::default(), again: false }
}

async fn run(world: &World, options: ImportOptions) -> Summary {
    import(&world.process, &world.sinks, options, |_| {}).await.unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn good_rows_are_events_and_bad_ones_dead_letters_with_their_line() {
    let (world, files) = (World::new().await, Files::new());
    let path = files.write(
        "my tickets.csv",
        b"id,subject,created_at\n1,Good,2026-11-23\n2,\n3,,\n4,\xff,\n5,Fine,2026-11-24 08:15\n",
    );
    let summary = run(&world, options(path.clone())).await;
    assert_eq!((summary.format, summary.taken, summary.refused_rows()), (Some(Format::Csv), 2, 3));
    assert_eq!(summary.examples, [(3, "wrong-width"), (4, "no-text"), (5, "invalid-utf8")]);

    let events: Vec<TicketEvent> = world.records(2).await;
    assert!(
        events
            .iter()
            .all(|e| (e.platform, e.origin, e.tenant.as_str())
                == (Platform::Import, Origin::Import, "brandnew"))
    );
    let mut letters: Vec<DeadLetter> = world.records(3).await;
    letters.sort_by_key(|letter| letter.source.clone());
    let sources: Vec<_> = letters.iter().map(|letter| letter.source.as_str()).collect();
    assert_eq!(sources, ["my tickets.csv:3", "my tickets.csv:4", "my tickets.csv:5"]);
    assert!(letters.iter().all(|letter| letter.stage == Stage::Import && letter.tenant == "brandnew"));
    assert_eq!(world.open_dead(&letters[2]), b"4,\xff,");
    let audit: Vec<AuditRecord> = world.records(1).await;
    assert_eq!((audit[0].action.as_ref(), audit[0].resource.as_str()), ("import.file", "my tickets.csv"));

    let again = run(&world, options(path)).await;
    assert!(again.nothing_to_do);
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_again_makes_the_same_events() {
    let (world, files) = (World::new().await, Files::new());
    // Neither ids nor times of their own.
    let path = files.write("notes.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    run(&world, options(path.clone())).await;
    let world = world.restarted().await;
    let again = run(&world, ImportOptions { again: true, ..options(path) }).await;
    assert_eq!(again.taken, 2);
    let events: Vec<TicketEvent> = world.records(4).await;
    let ids: HashSet<_> = events.iter().map(|event| (&event.event_id, event.version)).collect();
    assert_eq!((events.len(), ids.len()), (4, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_was_stopped_goes_on() {
    let (world, files) = (World::new().await, Files::new());
    let path = files.csv(20_000);
    let (stop, seen) = (world.process.shutdown.clone(), AtomicU64::new(0));
    let stopped = import(&world.process, &world.sinks, options(path.clone()), |progress| {
        seen.store(progress.rows, Ordering::SeqCst);
        if progress.rows >= 4000 {
            stop.cancel();
        }
    })
    .await;
    assert!(matches!(stopped, Err(ImportError::Interrupted)), "{stopped:?}");
    let before = seen.load(Ordering::SeqCst);
    let world = world.restarted().await;
    let summary = run(&world, options(path)).await;
    assert!(summary.before >= before && summary.before < 20_000, "{}", summary.before);
    assert_eq!(summary.before + summary.taken, 20_000);
    let events: Vec<TicketEvent> = world.records(20_000).await;
    let tickets: HashSet<_> = events.iter().map(|event| event.ticket_id.as_str()).collect();
    let ids: HashSet<_> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!((tickets.len(), ids.len()), (20_000, 20_000), "nothing is missing, and nothing has two ids");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_cant_be_told_are_asked_for() {
    let (world, files) = (World::new().await, Files::new());
    let path = files.write("odd.csv", "alpha,beta\n1,2\n");
    let refused =
        import(&world.process, &world.sinks, options(path.clone()), |_| {}).await.unwrap_err().to_string();
    assert!(refused.contains("--map body=COLUMN") && refused.contains("alpha, beta"), "{refused}");
    let mapping = Mapping::new([("body", "beta")]).unwrap();
    assert_eq!(run(&world, ImportOptions { mapping, ..options(path) }).await.taken, 1);
    let missing =
        import(&world.process, &world.sinks, options("/no/such/file.csv".into()), |_| {}).await.unwrap_err();
    assert!(matches!(missing, ImportError::Read { .. }));
}

/// Own throughput of this test binary, printed and bounded loosely: it is unoptimised and shares its cores.
#[tokio::test(flavor = "multi_thread")]
async fn rows_go_in_by_the_thousands() {
    let (world, files) = (World::new().await, Files::new());
    let path = files.csv(20_000);
    let started = Instant::now();
    let summary = run(&world, ImportOptions { tenant: TENANT.into(), ..options(path) }).await;
    let rate = f64::from(20_000) / started.elapsed().as_secs_f64();
    println!("{rate:.0} rows/s");
    assert_eq!(summary.taken, 20_000);
    assert!(started.elapsed() < Duration::from_secs(30), "{rate:.0} rows/s");
    eventually("the events", || async { (world.now::<TicketEvent>().await.len() == 20_000).then_some(()) })
        .await;
}
