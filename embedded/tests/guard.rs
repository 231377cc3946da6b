//! The guard's promises, held against real processes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const GUARD: &str = env!("CARGO_BIN_EXE_deskstream-guard");

fn guard(args: &[&str]) -> Command {
    let mut command = Command::new(GUARD);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the guard's end without letting go of it, which [`Child::wait`] would do.
fn code(guard: &mut Child) -> Option<i32> {
    let leash = guard.stdin.take();
    let status = guard.wait().unwrap();
    drop(leash);
    status.code()
}

/// Starts the guard and returns it with its child's pid.
fn start(args: &[&str]) -> (Child, i32) {
    let mut guard = guard(args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = line.trim().strip_prefix("pid ").unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
    (guard, pid)
}

fn alive(pid: i32) -> bool {
    // A zombie has ended: its state is Z.
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn command_line(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

#[test]
fn the_child_gets_term_when_the_parent_lets_go() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("terminated");
    let script = format!(
        "trap 'echo yes > {}; exit 3' TERM; echo ready >&2; while :; do sleep 0.01; done",
        mark.display()
    );
    let (mut guard, pid) = start(&["--", "sh", "-c", &script]);
    // The trap is set once the script says so.
    let mut said = String::new();
    let mut log = BufReader::new(guard.stderr.take().unwrap());
    log.read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n");
    drop(guard.stdin.take());
    assert_eq!(guard.wait().unwrap().code(), Some(3));
    assert_eq!(fs::read_to_string(mark).unwrap(), "yes\n");
    assert!(!alive(pid));
}

#[test]
fn a_child_that_ignores_term_is_killed_with_its_children_after_the_grace_time() {
    let script = "trap '' TERM; sleep 1000 & echo $! >&2; while :; do sleep 0.01; done";
    let (mut guard, pid) = start(&["--grace-ms", "200", "--", "sh", "-c", script]);
    let mut said = String::new();
    BufReader::new(guard.stderr.take().unwrap()).read_line(&mut said).unwrap();
    let grandchild: i32 = said.trim().parse().unwrap();
    let began = Instant::now();
    drop(guard.stdin.take());
    assert_eq!(guard.wait().unwrap().code(), Some(128 + 9));
    assert!(began.elapsed() >= Duration::from_millis(200));
    assert!(!alive(pid));
    eventually("the grandchild ends", || !alive(grandchild));
}

#[test]
fn a_frozen_child_is_ended_too() {
    let (mut guard, pid) = start(&["--", "sleep", "1000"]);
    kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
    drop(guard.stdin.take());
    assert_eq!(guard.wait().unwrap().code(), Some(128 + 15));
    assert!(!alive(pid));
}

#[test]
fn kill_9_of_the_parent_ends_the_child() {
    // The middle process plays us: it starts the guard and is then killed without a chance to clean up.
    let mut parent = Command::new("sh")
        .args(["-c", "sleep 1000 | \"$0\" -- sleep 1001", GUARD])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid: i32 = line.trim().strip_prefix("pid ").unwrap().parse().unwrap();
    eventually("the program runs", || command_line(pid).starts_with("sleep 1001"));
    // The writing end of the guard's standard input is held by `sleep 1000`.
    let holder =
        children(parent.id()).into_iter().find(|pid| command_line(*pid).starts_with("sleep 1000")).unwrap();
    kill(Pid::from_raw(holder), Signal::SIGKILL).unwrap();
    eventually("the child ends", || !alive(pid));
    parent.wait().unwrap();
}

fn children(pid: u32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn kill_9_of_the_guard_ends_the_child() {
    let (mut guard, pid) = start(&["--", "sleep", "1000"]);
    eventually("the program runs", || command_line(pid).starts_with("sleep 1000"));
    guard.kill().unwrap();
    guard.wait().unwrap();
    eventually("the child ends", || !alive(pid));
}

#[test]
fn the_guard_reports_how_the_child_ended() {
    for (script, expected) in [("exit 7", 7), ("kill -9 $$", 137), ("exit 0", 0)] {
        let (mut guard, _) = start(&["--", "sh", "-c", script]);
        assert_eq!(code(&mut guard), Some(expected), "{script}");
    }
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let mut guard = guard(&["--", "/no/such/program"]).spawn().unwrap();
    assert_eq!(code(&mut guard), Some(71));
    let mut said = String::new();
    BufReader::new(guard.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert!(said.contains("/no/such/program"), "{said}");
}

#[test]
fn a_successor_waits_for_its_predecessor() {
    let directory = tempfile::tempdir().unwrap();
    let lock = directory.path().join("lock");
    let lock = lock.to_str().unwrap();
    let (mut first, pid) = start(&["--lock", lock, "--", "sleep", "1000"]);

    let mut impatient = guard(&["--lock", lock, "--lock-wait-ms", "50", "--", "true"]).spawn().unwrap();
    assert_eq!(code(&mut impatient), Some(75));

    let patient = thread::spawn({
        let lock = lock.to_owned();
        move || start(&["--lock", &lock, "--", "sh", "-c", "exit 0"])
    });
    drop(first.stdin.take());
    first.wait().unwrap();
    let (mut second, _) = patient.join().unwrap();
    assert_eq!(code(&mut second), Some(0));
    assert!(!alive(pid));
}

#[test]
fn the_directory_is_removed_only_when_the_parent_went_without_a_word() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    fs::create_dir(&directory).unwrap();
    let run = || start(&["--remove", directory.to_str().unwrap(), "--", "sleep", "1000"]);

    let (mut guard, pid) = run();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    code(&mut guard);
    assert!(directory.exists(), "the child was killed, the parent lives");

    let (mut guard, _) = run();
    guard.stdin.take().unwrap().write_all(b".").unwrap();
    guard.wait().unwrap();
    assert!(directory.exists(), "the parent stopped the child on purpose");

    let (mut guard, _) = run();
    drop(guard.stdin.take());
    guard.wait().unwrap();
    assert!(!directory.exists());
}
