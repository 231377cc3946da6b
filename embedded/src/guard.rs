//! Runs one child and makes sure that it never outlives whoever started us.
//!
//! ```text
//! deskstream-guard [--lock FILE] [--lock-wait-ms N] [--grace-ms N] [--remove DIR] -- PROGRAM ARGS…
//! ```
//!
//! Contract:
//! - The child leads a process group of its own, so that a Ctrl-C in the terminal reaches us and not it: the
//!   order of shutdown stays ours.
//! - When our standard input ends (the parent closed it, exited, or was killed with -9), the group gets TERM and,
//!   after the grace time, KILL. Should the guard itself be killed with -9, the kernel kills the child (parent
//!   death signal, Linux).
//! - `--remove` names a directory to delete after the child's end if the parent went away without a word; one
//!   that said something on our standard input before closing it is alive and does its own cleaning.
//! - `--lock` is held exclusively while the child lives: a successor on the same data waits for the
//!   predecessor's end (up to `--lock-wait-ms`), also when the predecessor's parent was killed.
//! - One line `pid N` on standard output says that the child runs; what the child prints goes to our standard
//!   error, which the parent has pointed at a log file.
//! - We exit as the child did: its code, or 128 + the signal's number; 64 for wrong usage, 75 when the lock is
//!   still held, 71 when the child can't be started.
//!
//! It is a binary of its own (`deskstream-guard`) and not a subcommand of the product's: the tests of every crate
//! need it, and must not wait for the whole workspace to be linked for it.
//!
//! No `unsafe`, hence no `pre_exec`: the guard starts *itself* with `--exec`, which sets the death signal and
//! then becomes the program, keeping pid and group.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, getpid, getppid},
};

/// Exit code for wrong arguments (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// Exit code when the child could not be started (`EX_OSERR`).
pub const EXIT_SPAWN: u8 = 71;
/// Exit code when another process holds the lock (`EX_TEMPFAIL`).
pub const EXIT_LOCKED: u8 = 75;

const USAGE: &str =
    "usage: deskstream-guard [--lock FILE] [--lock-wait-ms N] [--grace-ms N] [--remove DIR] -- PROGRAM ARGS…";

#[derive(Debug, PartialEq, Eq)]
struct Options {
    lock: Option<PathBuf>,
    lock_wait: Duration,
    grace: Duration,
    remove: Option<PathBuf>,
    command: Vec<OsString>,
}

#[derive(Debug, PartialEq, Eq)]
enum Mode {
    Guard(Options),
    Exec { parent: i32, command: Vec<OsString> },
}

enum Event {
    /// The end of our input; `deliberate` if something was said before.
    LetGo {
        deliberate: bool,
    },
    ChildEnded,
}

/// Runs the guard with `args` (without the program's own name) and returns the exit code for `main`.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Mode::Guard(options)) => ExitCode::from(run(options)),
        Ok(Mode::Exec { parent, command }) => ExitCode::from(exec(parent, &command)),
        Err(problem) => {
            complain(&format!("{problem}\n{USAGE}"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Mode, String> {
    let mut options = Options {
        lock: None,
        lock_wait: Duration::from_secs(20),
        grace: Duration::from_secs(10),
        remove: None,
        command: Vec::new(),
    };
    let mut exec_parent = None;
    let mut args = args.into_iter();
    while let Some(flag) = args.next() {
        let flag = flag.to_string_lossy().into_owned();
        if flag == "--" {
            options.command = args.collect();
            break;
        }
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let number = || {
            value
                .to_str()
                .and_then(|text| text.parse::<u32>().ok())
                .ok_or_else(|| format!("{flag} needs a whole number, not {}", value.display()))
        };
        match flag.as_str() {
            "--lock" => options.lock = Some(value.into()),
            "--lock-wait-ms" => options.lock_wait = Duration::from_millis(number()?.into()),
            "--grace-ms" => options.grace = Duration::from_millis(number()?.into()),
            "--remove" => options.remove = Some(value.into()),
            "--exec" => {
                exec_parent = Some(i32::try_from(number()?).map_err(|_| "--exec needs a process id")?);
            }
            other => return Err(format!("unknown flag {other}")),
        }
    }
    if options.command.is_empty() {
        return Err("no program given after --".into());
    }
    Ok(match exec_parent {
        Some(parent) => Mode::Exec { parent, command: options.command },
        None => Mode::Guard(options),
    })
}

fn run(options: Options) -> u8 {
    let (events, inbox) = mpsc::channel();
    let on_parent = events.clone();
    thread::spawn(move || {
        let said = io::copy(&mut io::stdin().lock(), &mut io::sink()).unwrap_or(0);
        let _ = on_parent.send(Event::LetGo { deliberate: said > 0 });
    });

    let _lock = match &options.lock {
        Some(path) => match acquire(path, options.lock_wait, &inbox) {
            Ok(file) => Some(file),
            Err(code) => return code,
        },
        None => None,
    };

    let mut child = match spawn(&options.command) {
        Ok(child) => child,
        Err(error) => {
            complain(&format!("could not start {}: {error}", options.command[0].display()));
            return EXIT_SPAWN;
        }
    };
    let pid = Pid::from_raw(child.id().cast_signed());
    // A parent that is already gone can't read it, and the end of input will tell us so.
    let _ = writeln!(io::stdout(), "pid {pid}");

    thread::spawn(move || {
        // WNOWAIT leaves the zombie, so that the pid can't be reused before the main thread is done with it.
        while let Err(Errno::EINTR) = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {}
        let _ = events.send(Event::ChildEnded);
    });

    let mut orphaned = false;
    if let Ok(Event::LetGo { deliberate }) = inbox.recv() {
        orphaned = !deliberate;
        let _ = killpg(pid, Signal::SIGTERM);
        // A stopped process (SIGSTOP, in fault tests) would sleep through TERM.
        let _ = killpg(pid, Signal::SIGCONT);
        if let Err(RecvTimeoutError::Timeout) = inbox.recv_timeout(options.grace) {
            complain(&format!("process {pid} ignored SIGTERM for {:?}: killing it", options.grace));
            let _ = killpg(pid, Signal::SIGKILL);
        }
    }
    // Whatever the child left behind in its group goes with it.
    let _ = killpg(pid, Signal::SIGKILL);
    let status = child.wait();
    if let Some(directory) = options.remove.filter(|_| orphaned) {
        let _ = std::fs::remove_dir_all(directory);
    }
    match status {
        Ok(status) => exit_code(status.code(), status.signal()),
        Err(_) => EXIT_SPAWN,
    }
}

/// As a shell does: the code itself, or 128 + signal.
fn exit_code(code: Option<i32>, signal: Option<i32>) -> u8 {
    let raw = code.or(signal.map(|number| 128 + number)).unwrap_or(i32::from(EXIT_SPAWN));
    u8::try_from(raw).unwrap_or(u8::MAX)
}

/// Takes the lock, or says with which code to exit.
fn acquire(path: &PathBuf, patience: Duration, inbox: &Receiver<Event>) -> Result<File, u8> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(|error| {
        complain(&format!("could not open lock file {}: {error}", path.display()));
        EXIT_SPAWN
    })?;
    let deadline = Instant::now() + patience;
    loop {
        if file.try_lock().is_ok() {
            return Ok(file);
        }
        if Instant::now() >= deadline {
            complain(&format!("{} is held by another process", path.display()));
            return Err(EXIT_LOCKED);
        }
        if let Ok(Event::LetGo { .. }) = inbox.recv_timeout(Duration::from_millis(20)) {
            return Err(EXIT_LOCKED);
        }
    }
}

fn spawn(command: &[OsString]) -> io::Result<Child> {
    let log = io::stderr().as_fd().try_clone_to_owned()?;
    let mut stage = if cfg!(target_os = "linux") {
        // Not current_exe(): a rebuild may have replaced the file that we were started from.
        let mut stage = Command::new("/proc/self/exe");
        stage.arg("--exec").arg(getpid().to_string()).arg("--").args(command);
        stage
    } else {
        let mut direct = Command::new(&command[0]);
        direct.args(&command[1..]);
        direct
    };
    stage.stdin(Stdio::null()).stdout(log).process_group(0).spawn()
}

/// Becomes the program; returns only if that failed.
fn exec(parent: i32, command: &[OsString]) -> u8 {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL) {
        complain(&format!("could not set the parent death signal: {error}"));
        return EXIT_SPAWN;
    }
    // The guard may have died before the signal was set.
    if getppid().as_raw() != parent {
        return EXIT_SPAWN;
    }
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    complain(&format!("could not run {}: {error}", command[0].display()));
    EXIT_SPAWN
}

fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "deskstream-guard: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn arguments_end_at_the_double_dash() {
        let mode =
            parse(args("--lock /x --lock-wait-ms 5 --grace-ms 7 --remove /y -- java --exec 1")).unwrap();
        assert_eq!(
            mode,
            Mode::Guard(Options {
                lock: Some("/x".into()),
                lock_wait: Duration::from_millis(5),
                grace: Duration::from_millis(7),
                remove: Some("/y".into()),
                command: args("java --exec 1"),
            })
        );
        assert_eq!(
            parse(args("--exec 42 -- java -v")).unwrap(),
            Mode::Exec { parent: 42, command: args("java -v") }
        );
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, said) in [
            ("", "no program"),
            ("--lock", "--lock needs a value"),
            ("--grace-ms soon -- x", "--grace-ms needs a whole number, not soon"),
            ("--nope 1 -- x", "unknown flag --nope"),
            ("--exec 4294967295 -- x", "--exec needs a process id"),
            ("--", "no program"),
        ] {
            let problem = parse(args(line)).unwrap_err();
            assert!(problem.contains(said), "{line}: {problem}");
        }
    }

    #[test]
    fn exit_codes_follow_the_shell() {
        assert_eq!(exit_code(Some(3), None), 3);
        assert_eq!(exit_code(None, Some(9)), 137);
        assert_eq!(exit_code(Some(300), None), 255);
    }
}
