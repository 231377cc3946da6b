//! A running `deskstream-clickhouse`, shared by the tests that can share one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clickhouse::{Client, Compression};
use tempfile::TempDir;

/// The longest anything may take to come true here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of its own, killed when dropped, and when the test process dies (its stdin closes).
pub struct Server {
    pub child: Child,
    pub port: u16,
}

impl Server {
    /// Starts one on `data` and waits until it answers.
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        let port_file = data.join("port");
        let _ = std::fs::remove_file(&port_file);
        let mut child = command(data)
            .args(arguments)
            .arg("--port-file")
            .arg(&port_file)
            .stdin(Stdio::piped())
            .spawn()
            .expect("starting the built binary");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(port) = std::fs::read_to_string(&port_file) {
                return Self { child, port: port.parse().unwrap() };
            }
            if let Some(status) = child.try_wait().unwrap() {
                panic!("deskstream-clickhouse ended with {status} before it listened; its reason is above");
            }
            assert!(Instant::now() < deadline, "deskstream-clickhouse does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn client(&self) -> Client {
        Client::default().with_url(self.url())
    }

    /// Ends it by SIGKILL, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The engine's library, or a failure that says how to get it: these tests are never skipped in silence.
pub fn library() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| std::env::home_dir().expect("HOME").join(".cache"), PathBuf::from);
    let library = cache.join("deskstream/clickhouse/26.7.3-stable.1/libchdb.so");
    assert!(library.exists(), "the ClickHouse engine is not at {}: run `make setup`", library.display());
    library
}

pub fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deskstream-clickhouse"));
    command
        .arg("--lib")
        .arg(library())
        .arg("--path")
        .arg(data.join("data"))
        .args(["--max-memory", "1GiB", "--exit-on-stdin-close"])
        .env("RUST_LOG", "warn");
    command
}

/// The process that tests without needs of their own share. Its directory goes with the test process's.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<(Server, TempDir)> = OnceLock::new();
    &SERVER
        .get_or_init(|| {
            let directory = tempfile::tempdir().unwrap();
            (Server::start(directory.path(), &[]), directory)
        })
        .0
}

/// A client on a database of its own in the shared process.
pub async fn database(name: &str) -> Client {
    let client = shared().client();
    client
        .query("DROP DATABASE IF EXISTS ?")
        .bind(clickhouse::sql::Identifier(name))
        .execute()
        .await
        .unwrap();
    client.query("CREATE DATABASE ?").bind(clickhouse::sql::Identifier(name)).execute().await.unwrap();
    client.with_database(name)
}

/// Both ways the crate can talk.
pub const COMPRESSIONS: [Compression; 2] = [Compression::Lz4, Compression::None];

/// A plain HTTP client, for what the crate does not do.
pub fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Posts a statement and returns status, exception code and body.
pub async fn post(url: &str, body: impl Into<reqwest::Body>) -> (u16, Option<u32>, String) {
    let response = http().post(url).body(body).send().await.unwrap();
    let code = response
        .headers()
        .get("x-clickhouse-exception-code")
        .map(|code| code.to_str().unwrap().parse().unwrap());
    (response.status().as_u16(), code, response.text().await.unwrap())
}

/// Waits until `condition` holds, or fails with what it last said.
pub async fn eventually<F: Future<Output = Result<(), String>>>(mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match condition().await {
            Ok(()) => return,
            Err(last) => assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The number an error's text carries.
pub fn code(error: &clickhouse::error::Error) -> Option<u32> {
    let text = error.to_string();
    text.split("Code: ").nth(1)?.split('.').next()?.parse().ok()
}
