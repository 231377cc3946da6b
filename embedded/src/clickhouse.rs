//! The ClickHouse engine as a child process: our HTTP facade over `libchdb` (`deskstream-clickhouse`).
//!
//! ```text
//! data_dir/
//!   port                     kept, so that clients find a restarted facade again
//!   admin.password, reader.password    made once, readable by us only
//!   data/                    the engine's directory: one process at a time
//!   logs/clickhouse.log
//! ```
//!
//! Two users: `deskstream` may do everything, `reader` may only read and set nothing (dashboards, consoles).

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    Error, Progress, Result,
    artifacts::Artifacts,
    binaries, http,
    kafka::unblock,
    ports,
    process::{self, Spec, Supervised, read_end},
};

/// How the engine is run.
#[derive(Clone, Debug)]
pub struct ClickHouseOptions {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The most memory that the engine takes, in MiB.
    pub memory_mib: u32,
    /// How long a start may take.
    pub start_timeout: Duration,
    /// Remove `data_dir` when this is dropped, or when we are killed: for tests.
    pub ephemeral: bool,
    /// Where downloads are announced.
    pub progress: Progress,
}

impl ClickHouseOptions {
    /// The defaults for a small machine.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            memory_mib: 2048,
            // Warm 1 s; the first time, 566 MB come from the disk.
            start_timeout: Duration::from_secs(60),
            ephemeral: false,
            progress: Progress::silent(),
        }
    }
}

/// How a client connects to a ClickHouse, ours or another.
#[derive(Clone, Debug)]
pub struct ClickHouseEndpoint {
    /// The HTTP interface.
    pub url: Url,
    /// The user.
    pub user: String,
    /// The user's password; empty for none.
    pub password: SecretString,
}

impl ClickHouseEndpoint {
    /// Runs `SELECT version()` and returns the answer, or says why that can't be done.
    pub async fn check(&self) -> Result<String> {
        let unreachable =
            |detail: String| Error::Unreachable { what: "ClickHouse", url: http::origin(&self.url), detail };
        let answer = http::client()?
            .post(self.url.clone())
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", self.password.expose_secret())
            .body("SELECT version()")
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .map_err(|error| unreachable(http::reason(error)))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| unreachable(http::reason(error)))?;
        if !status.is_success() {
            let first = text.lines().next().unwrap_or_default().chars().take(200).collect::<String>();
            return Err(unreachable(format!("{status}: {first}")));
        }
        Ok(text.trim().to_owned())
    }
}

/// A running engine. Dropping it stops it gracefully.
#[derive(Debug)]
pub struct ClickHouse {
    options: ClickHouseOptions,
    library: PathBuf,
    binary: PathBuf,
    process: Option<Supervised>,
    endpoint: ClickHouseEndpoint,
    reader: ClickHouseEndpoint,
}

const ADMIN: &str = "deskstream";
const READER: &str = "reader";

/// New ports are drawn this often when somebody else was quicker.
const PORT_ATTEMPTS: usize = 5;

impl ClickHouse {
    /// Fetches the engine if need be, starts it and waits until it answers a query.
    pub async fn start(options: ClickHouseOptions) -> Result<Self> {
        let mut engine = unblock(move || Self::prepare(options)).await?;
        for attempt in 1.. {
            match engine.launch().await {
                Ok(()) => break,
                Err(error) if attempt < PORT_ATTEMPTS && engine.lost_its_port() => {
                    tracing::debug!(%error, attempt, "another process took the port: drawing a new one");
                    engine.process = None;
                    // So that the next attempt isn't judged by this one's words.
                    let _ = fs::write(engine.log_file(), "");
                    engine.set_port(ports::free(1, "ClickHouse")?[0])?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(engine)
    }

    /// The user that may do everything.
    pub fn endpoint(&self) -> &ClickHouseEndpoint {
        &self.endpoint
    }

    /// The user that may only read.
    pub fn reader(&self) -> &ClickHouseEndpoint {
        &self.reader
    }

    /// The engine's log.
    pub fn log_file(&self) -> PathBuf {
        log_file(&self.options.data_dir)
    }

    /// The engine's process id, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Supervised::pid)
    }

    /// Fails, with the reason as far as the log tells it, if the engine has ended and nobody stopped it.
    pub fn check(&mut self) -> Result<()> {
        self.process.as_mut().and_then(Supervised::failure).map_or(Ok(()), Err)
    }

    /// Starts it again on the same data and port, if it does not run.
    pub async fn restart(&mut self) -> Result<()> {
        if self.check().is_err() {
            self.process = None;
        }
        if self.process.is_none() {
            self.launch().await?;
        }
        Ok(())
    }

    /// Stops it gracefully; the data stays.
    pub async fn stop(mut self) {
        let _ = tokio::task::spawn_blocking(move || self.stop_blocking()).await;
    }

    /// As [`ClickHouse::stop`], for code without a runtime; [`ClickHouse::restart`] brings it back.
    pub fn stop_blocking(&mut self) {
        self.process = None;
    }

    /// Kills it at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::SIGSTOP);
        }
    }

    /// Lets it go on.
    pub fn resume(&mut self) {
        if let Some(process) = &mut self.process {
            process.signal(Signal::SIGCONT);
        }
    }

    fn prepare(options: ClickHouseOptions) -> Result<Self> {
        let library = Artifacts::new(options.progress.clone())?.chdb()?;
        let binary = binaries::locate(binaries::CLICKHOUSE)?;
        let directory = &options.data_dir;
        for part in ["data", "logs"] {
            let path = directory.join(part);
            fs::create_dir_all(&path).map_err(Error::file("create", path))?;
        }
        let password = secret(&directory.join("admin.password"))?;
        let reader_password = secret(&directory.join("reader.password"))?;
        let kept =
            fs::read_to_string(directory.join("port")).ok().and_then(|text| text.trim().parse::<u16>().ok());
        let port = match kept {
            Some(port) => port,
            None => ports::free(1, "ClickHouse")?[0],
        };
        let url = url(port);
        let endpoint = ClickHouseEndpoint { url: url.clone(), user: ADMIN.into(), password };
        let reader = ClickHouseEndpoint { url, user: READER.into(), password: reader_password };
        let mut engine = Self { options, library, binary, process: None, endpoint, reader };
        engine.set_port(port)?;
        Ok(engine)
    }

    fn set_port(&mut self, port: u16) -> Result<()> {
        let path = self.options.data_dir.join("port");
        fs::write(&path, port.to_string()).map_err(Error::file("write", path))?;
        self.endpoint.url = url(port);
        self.reader.url = url(port);
        Ok(())
    }

    async fn launch(&mut self) -> Result<()> {
        let directory = &self.options.data_dir;
        let mut args = process::args(["--user", ADMIN, "--readonly-user", READER, "--grace", "5s"]);
        let listen = ports::loopback(self.endpoint.url.port().unwrap_or_default()).to_string();
        let memory = format!("{}MiB", self.options.memory_mib);
        for (flag, value) in [
            ("--lib", self.library.as_os_str()),
            ("--path", directory.join("data").as_os_str()),
            ("--listen", listen.as_ref()),
            ("--password-file", directory.join("admin.password").as_os_str()),
            ("--readonly-password-file", directory.join("reader.password").as_os_str()),
            ("--max-memory", memory.as_ref()),
        ] {
            args.push(flag.into());
            args.push(value.to_owned());
        }
        let spec = Spec {
            name: "ClickHouse".into(),
            program: self.binary.clone(),
            args,
            env: Vec::new(),
            directory: directory.clone(),
            log: self.log_file(),
            lock: directory.join("lock"),
            grace: Duration::from_secs(10),
            remove: self.options.ephemeral.then(|| directory.clone()),
        };
        self.process = Some(unblock(move || Supervised::spawn(&spec)).await?);
        self.wait_ready().await
    }

    async fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + self.options.start_timeout;
        loop {
            match self.endpoint.check().await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => {
                    return Err(Error::NotReady {
                        what: "ClickHouse".into(),
                        seconds: self.options.start_timeout.as_secs(),
                        detail: error.to_string(),
                        log: self.log_file(),
                    });
                }
                Err(_) => self.check()?,
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn lost_its_port(&self) -> bool {
        read_end(&self.log_file(), 64 * 1024).contains("Address already in use")
    }
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        self.stop_blocking();
        if self.options.ephemeral {
            let _ = fs::remove_dir_all(&self.options.data_dir);
        }
    }
}

fn log_file(directory: &Path) -> PathBuf {
    directory.join("logs/clickhouse.log")
}

fn url(port: u16) -> Url {
    let mut url = Url::parse("http://127.0.0.1/").expect("a constant that is a URL");
    // Only URLs without a host refuse a port.
    let _ = url.set_port(Some(port));
    url
}

/// The password in the file, which is made if it is not there.
fn secret(path: &Path) -> Result<SecretString> {
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().into()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::file("read", path)(error));
        }
        _ => {}
    }
    let random: [u8; 24] = rand::random();
    let text = hex::encode(random);
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("create", path))?;
    file.write_all(text.as_bytes()).map_err(Error::file("write", path))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_password_is_made_once_and_for_us_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        let first = secret(&path).unwrap();
        assert_eq!(first.expose_secret().len(), 48);
        assert_eq!(secret(&path).unwrap().expose_secret(), first.expose_secret());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn an_unreachable_server_is_named_without_its_password() {
        let endpoint = ClickHouseEndpoint {
            url: Url::parse("http://me:secret@127.0.0.1:1/?password=hidden").unwrap(),
            user: "me".into(),
            password: "secret".into(),
        };
        let error = endpoint.check().await.unwrap_err().to_string();
        assert!(error.contains("http://127.0.0.1:1"), "{error}");
        assert!(!error.contains("secret") && !error.contains("hidden"), "{error}");
    }
}
