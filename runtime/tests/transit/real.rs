//! OpenBao itself, in its development mode: everything in memory, on loopback.

use super::server::Server;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROOT: &str = "root-of-the-test";
const PATIENCE: Duration = Duration::from_secs(60);

/// As the documentation asks the operator to write it.
const POLICY: &str = r#"
path "transit/keys/deskstream" { capabilities = ["read"] }
path "transit/keys/signing" { capabilities = ["read"] }
path "transit/keys/absent" { capabilities = ["read"] }
path "elsewhere/keys/deskstream" { capabilities = ["read"] }
path "transit/encrypt/deskstream" { capabilities = ["update"] }
path "transit/decrypt/deskstream" { capabilities = ["update"] }
"#;

pub struct Real {
    child: Child,
    base: String,
    token: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

/// `DESKSTREAM_TEST_BAO`, or where `scripts/openbao.sh` puts it.
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("DESKSTREAM_TEST_BAO").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home);
    named.or(cache.map(|cache| cache.join("deskstream/openbao/bao"))).filter(|path| path.is_file())
}

impl Real {
    pub fn start() -> Option<Self> {
        let program = program()?;
        deskstream_runtime::install_crypto_provider();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self {
            child,
            base: format!("http://127.0.0.1:{port}"),
            token: String::new(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        };
        let deadline = Instant::now() + PATIENCE;
        while server.ask(reqwest::Method::GET, "sys/health", None).is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "OpenBao does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        server.post("sys/mounts/transit", &json!({ "type": "transit" }));
        server.post("transit/keys/deskstream", &json!({ "type": "aes256-gcm96" }));
        server.post("transit/keys/signing", &json!({ "type": "ed25519" }));
        server.post("sys/policies/acl/deskstream", &json!({ "policy": POLICY }));
        let made = server.post("auth/token/create", &json!({ "policies": ["deskstream"] }));
        server.token = made["auth"]["client_token"].as_str().unwrap().to_owned();
        Some(server)
    }

    fn ask(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
        let mut request =
            self.client.request(method, format!("{}/v1/{path}", self.base)).header("X-Vault-Token", ROOT);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.runtime.block_on(async {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            let bytes = response.bytes().await.ok()?;
            Some((status, serde_json::from_slice(&bytes).unwrap_or_default()))
        })
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(reqwest::Method::POST, path, Some(body)).unwrap();
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }
}

impl Server for Real {
    fn address(&self) -> String {
        self.base.clone()
    }

    fn token(&self) -> String {
        self.token.clone()
    }

    fn rotate(&self, key: &str) {
        self.post(&format!("transit/keys/{key}/rotate"), &json!({}));
    }

    fn seal(&self) {
        self.post("sys/seal", &json!({}));
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
