//! The command line, and the life of the process from it.

use std::error::Error;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::auth::{Access, Account, Accounts};
use crate::ffi::{Connection, Engine};
use crate::guard::Guard;
use crate::http::{App, Limits, is_open};
use crate::lock::DirectoryLock;
use crate::metrics::Metrics;
use crate::running::Running;
use crate::{profile, server};

/// The engine's version, as npm names the package the library comes from.
const ENGINE_VERSION: &str = "26.7.3-stable.1";

/// The ClickHouse engine behind ClickHouse's HTTP interface.
#[derive(Debug, Parser)]
#[command(name = "deskstream-clickhouse", version)]
pub struct Options {
    /// The engine: libchdb.so [default: the user's cache, where `make setup` puts it]
    #[arg(long, value_name = "FILE")]
    lib: Option<PathBuf>,
    /// The data directory; made if it is missing, used by one process at a time
    #[arg(long, value_name = "DIR")]
    path: PathBuf,
    /// Where to listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to write the port once requests are answered
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// The user with full rights
    #[arg(long, value_name = "NAME", default_value = "default")]
    user: String,
    /// A file with that user's password; without it no password is needed
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A second user, who may only read and set nothing
    #[arg(long, value_name = "NAME", requires = "readonly_password_file")]
    readonly_user: Option<String>,
    /// A file with that user's password
    #[arg(long, value_name = "FILE", requires = "readonly_user")]
    readonly_password_file: Option<PathBuf>,
    /// The most memory the engine may take, such as 2GiB
    #[arg(long, value_name = "SIZE", default_value = "2GiB", value_parser = size)]
    max_memory: u64,
    /// The most statements at once; more are refused with 503
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_concurrent_queries: u16,
    /// The largest request body
    #[arg(long, value_name = "SIZE", default_value = "8GiB", value_parser = size)]
    max_body: u64,
    /// The longest a statement may run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = humantime::parse_duration)]
    request_timeout: Duration,
    /// The longest a client may send nothing in the middle of a body
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    body_idle_timeout: Duration,
    /// How long requests under way may go on after SIGTERM
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// End when standard input ends, so that the process does not outlive a parent that was killed
    #[arg(long)]
    exit_on_stdin_close: bool,
}

/// What ends the process badly.
type Failure = Box<dyn Error + Send + Sync>;

/// How long requests may go on when the parent is gone: they were its own, most likely, and a new parent wants the
/// directory.
const ORPHAN_GRACE: Duration = Duration::from_secs(2);

/// The share of the engine's memory that one answer held whole may take.
const WHOLE_ANSWER_SHARE: u64 = 8;

fn size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(format!("{text:?} is no size: write bytes, or a number with KiB, MiB or GiB")),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|size| *size > 0)
        .ok_or_else(|| format!("{text:?} is no size: write bytes, or a number with KiB, MiB or GiB"))
}

fn default_library() -> Result<PathBuf, Failure> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .filter(|cache| !cache.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .ok_or("finding the user's cache directory: set HOME, or give --lib")?;
    Ok(cache.join("deskstream/clickhouse").join(ENGINE_VERSION).join("libchdb.so"))
}

fn password(file: Option<&Path>) -> Result<SecretString, Failure> {
    let Some(file) = file else { return Ok(SecretString::default()) };
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("reading the password file {}: {error}", file.display()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(format!("the password file {} is empty", file.display()).into());
    }
    Ok(SecretString::from(password))
}

fn accounts(options: &Options) -> Result<Accounts, Failure> {
    let mut accounts = vec![Account {
        user: options.user.clone(),
        password: password(options.password_file.as_deref())?,
        access: Access::Full,
    }];
    if let Some(user) = &options.readonly_user {
        accounts.push(Account {
            user: user.clone(),
            password: password(options.readonly_password_file.as_deref())?,
            access: Access::ReadOnly,
        });
    }
    Ok(Accounts(accounts))
}

/// Makes the guard of what this engine registers.
fn guard(connection: &mut Connection) -> Result<Guard, Failure> {
    let mut names = |table: &str| -> Result<String, Failure> {
        let answer = connection.query(&format!("SELECT name FROM system.{table}"), "TabSeparated", &[])?;
        Ok(std::str::from_utf8(answer.as_ref())?.to_owned())
    };
    let functions = names("table_functions")?;
    let engines = [names("table_engines")?, names("database_engines")?].concat();
    Ok(Guard::new(functions.lines(), engines.lines()))
}

/// Runs the process to its end.
pub fn run(options: &Options) -> Result<(), Failure> {
    let accounts = accounts(options)?;
    if !options.listen.ip().is_loopback() && is_open(&accounts) {
        return Err(
            format!("listening on {} without a password: give --password-file", options.listen).into()
        );
    }
    let library = options.lib.clone().map_or_else(default_library, Ok)?;
    // Held to the end of this function: the engine is closed by then.
    let lock = DirectoryLock::take(&options.path)?;
    let path = options.path.canonicalize()?;
    let config = profile::write(&path.join("config"), options.max_memory)?;
    let data = path.join("engine");
    std::fs::create_dir_all(&data)?;

    let statements = usize::from(options.max_concurrent_queries);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        // Each statement has a thread, and stopping one takes another.
        .max_blocking_threads(2 * statements + 8)
        .thread_name("http")
        .enable_all()
        .build()?;
    let (engine, mut keep) = Engine::start(&library, &data, &config)?;
    let guard = guard(&mut keep)?;
    tracing::info!(version = engine.version(), path = %path.display(), "engine started");
    let app = Arc::new(App {
        running: Running::new(engine, statements),
        guard: Arc::new(guard),
        accounts,
        limits: Limits {
            max_body: options.max_body,
            request_timeout: options.request_timeout,
            body_idle: options.body_idle_timeout,
            max_whole_answer: options.max_memory / WHOLE_ANSWER_SHARE,
        },
        metrics: Metrics::new()?,
    });
    let outcome = runtime.block_on(listen(options, app));
    // Threads of statements hold connections; what has not ended by now is left behind.
    runtime.shutdown_timeout(Duration::from_secs(2));
    // The last connection: closing it stops the engine, which writes out what it holds.
    drop(keep);
    drop(lock);
    if outcome.is_ok() {
        tracing::info!("engine stopped");
    }
    outcome
}

async fn listen(options: &Options, app: Arc<App>) -> Result<(), Failure> {
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|error| format!("listening on {}: {error}", options.listen))?;
    let address = listener.local_addr()?;
    let (end, ends) = watch::channel(None);
    let mut term = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (grace, on_stdin_close) = (options.grace, options.exit_on_stdin_close);
    tokio::spawn(async move {
        let grace = tokio::select! {
            _ = term.recv() => grace,
            _ = interrupt.recv() => grace,
            () = stdin_closed(), if on_stdin_close => ORPHAN_GRACE,
        };
        tracing::info!("ending: no new requests are taken");
        end.send_replace(Some(grace));
    });
    if let Some(file) = &options.port_file {
        // Renamed into place, so that who waits for the file never reads half a number.
        let partial = file.with_extension("partial");
        std::fs::write(&partial, address.port().to_string())?;
        std::fs::rename(&partial, file)?;
    }
    tracing::info!(%address, "listening");
    server::serve(app, listener, ends).await;
    Ok(())
}

/// Resolves at the end of standard input. Reads on a thread of its own, since such a read cannot be interrupted and
/// must not hold up the end of the process.
async fn stdin_closed() {
    let (closed, is_closed) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        let mut stdin = std::io::stdin().lock();
        while !matches!(stdin.read(&mut buffer), Ok(0) | Err(_)) {}
        drop(closed);
    });
    let _ = is_closed.await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("2GiB"), Ok(2 << 30));
        assert_eq!(size("10 MiB"), Ok(10 << 20));
        for bad in ["", "GiB", "0", "1TB", "-1", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }
}
