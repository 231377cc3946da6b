//! A Chromium as a test drives it: by Debian's chromedriver, and by what a user sees and does.

use deskstream_embedded::ports;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Whatever a page shows is there within this time, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pictures of these pages are dark ones, of all others light ones.
const DARK: [&str; 3] = ["ticket", "settings", "account"];

/// Level A and AA, up to WCAG 2.2.
const RULES: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

pub struct Browser {
    pub driver: Client,
    /// Address of the session, for what only Chromium knows.
    session: String,
    axe: String,
    /// Where pictures of pages go, if they are wanted.
    pictures: Option<PathBuf>,
    // Last: the session ends before the server.
    _server: Server,
}

/// chromedriver; it ends its browsers when it is told to end.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// Whether there is a browser to be driven.
pub fn installed() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    ["chromium", "chromedriver"]
        .iter()
        .all(|name| std::env::split_paths(&paths).any(|folder| folder.join(name).is_file()))
}

impl Browser {
    pub async fn start() -> Self {
        let port = ports::free(1, "chromedriver").unwrap()[0];
        let server = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server(server);
        let url = format!("http://127.0.0.1:{port}");
        // In a container there is no sandbox to be had, and little shared memory.
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=1440,1040",
        ];
        let wanted =
            json!({ "goog:chromeOptions": { "args": flags }, "goog:loggingPrefs": { "browser": "ALL" } });
        let deadline = Instant::now() + PATIENCE;
        let driver = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(wanted.as_object().unwrap().clone());
            match builder.connect(&url).await {
                Ok(driver) => break driver,
                Err(error) => assert!(Instant::now() < deadline, "no browser: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let session = format!("{url}/session/{}", driver.session_id().await.unwrap().unwrap());
        let pictures = std::env::var_os("DESKSTREAM_SCREENSHOTS").map(PathBuf::from);
        Self { driver, session, axe: axe(), pictures, _server: server }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// The value of an expression in the page.
    pub async fn value(&self, expression: &str) -> Value {
        let script = format!("return {expression};");
        self.driver.execute(&script, vec![]).await.unwrap()
    }

    /// Waits until an expression holds; it may fail as long as the page is not there.
    pub async fn until(&self, expression: &str) -> Value {
        let script = format!("try {{ return {expression}; }} catch (error) {{ return null; }}");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.driver.execute(&script, vec![]).await.unwrap();
            if !matches!(value, Value::Null | Value::Bool(false)) && value != 0 && value != "" {
                return value;
            }
            if Instant::now() > deadline {
                let page = self.value("location.href + '\\n' + document.body.innerText").await;
                panic!(
                    "within {PATIENCE:?} not {expression}\n{}\n{:#?}",
                    page.as_str().unwrap(),
                    self.said().await
                );
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Waits until the page shows a text.
    pub async fn sees(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text))).await;
    }

    async fn element(&self, css: &str) -> Element {
        self.until(&format!("document.querySelector({}) !== null", json!(css))).await;
        self.driver.find(Locator::Css(css)).await.unwrap()
    }

    pub async fn click(&self, css: &str) {
        self.until(&format!("!document.querySelector({}).disabled", json!(css))).await;
        let deadline = Instant::now() + PATIENCE;
        // Drawn anew between the finding and the click, or not yet where it will be.
        while let Err(error) = self.element(css).await.click().await {
            assert!(Instant::now() < deadline, "{css}: {error}");
        }
    }

    /// Clicks the button or link with that text.
    pub async fn click_text(&self, text: &str) {
        let found = format!(
            "[...document.querySelectorAll('button, a')].find((one) => one.textContent.trim() === {})",
            json!(text)
        );
        self.until(&format!("!({found}).disabled")).await;
        self.value(&format!("({found}).click()")).await;
    }

    pub async fn fill(&self, css: &str, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let element = self.element(css).await;
            let filled = async {
                element.clear().await?;
                element.send_keys(text).await
            };
            match filled.await {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < deadline, "{css}: {error}"),
            }
        }
    }

    /// Chooses in a list, as a user does.
    pub async fn choose(&self, css: &str, value: &str) {
        let found = format!(
            "[...document.querySelector({}).options].findIndex((option) => option.value === {}) + 1",
            json!(css),
            json!(value)
        );
        let deadline = Instant::now() + PATIENCE;
        // A list whose values have just come may be drawn anew between the finding and the click.
        loop {
            let place = self.until(&found).await.as_u64().unwrap();
            let option = format!("{css} option:nth-of-type({place})");
            let option = self.driver.find(Locator::Css(&option)).await.unwrap();
            match option.click().await {
                Ok(()) => return,
                Err(error) => assert!(Instant::now() < deadline, "{css} {value}: {error}"),
            }
        }
    }

    /// Presses keys where the focus is.
    pub async fn press(&self, keys: &str) {
        let pressed = keys.chars().fold(KeyActions::new("keyboard".into()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.driver.perform_actions(pressed).await.unwrap();
    }

    /// Takes pictures of the page and lets axe look at it, light and dark.
    pub async fn inspect(&self, name: &str) {
        for theme in ["light", "dark"] {
            self.value(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            if self.value("typeof window.axe").await != "object" {
                self.driver.execute(&self.axe, vec![]).await.unwrap();
            }
            // A dialog that is closed, or a page that is faded while it loads, is not what is looked at.
            self.until("!document.querySelector('.stale, .skeleton')").await;
            let script = "const done = arguments[arguments.length - 1];
                axe.run(document, { runOnly: arguments[0], resultTypes: ['violations'] }).then(
                    (found) => done(found.passes.length < 10 ? [['axe has looked at nothing']] : found.violations.map((one) => [one.id, one.help, ...one.nodes.map(
                        (node) => node.html + ' ' + (node.failureSummary || ''))])),
                    (error) => done([[String(error)]]));";
            let found = self.driver.execute_async(script, vec![json!(RULES)]).await.unwrap();
            assert_eq!(found, json!([]), "{name} ({theme}): {found:#}");
            if DARK.contains(&name) == (theme == "dark") {
                self.picture(name).await;
            }
        }
    }

    async fn picture(&self, name: &str) {
        let Some(folder) = &self.pictures else { return };
        // What was done a moment ago is quick here, and would cover the page.
        self.value(
            "[...document.querySelectorAll('.toast')].forEach((one) => { one.style.visibility = 'hidden'; })",
        )
        .await;
        let form = json!({ "format": "webp", "quality": 82 });
        let picture =
            self.ask("goog/cdp/execute", json!({ "cmd": "Page.captureScreenshot", "params": form })).await;
        use base64::Engine as _;
        let bytes =
            base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(format!("{name}.webp")), bytes).unwrap();
    }

    /// What the browser's console has said since it was last asked.
    pub async fn said(&self) -> Vec<String> {
        let entries = self.ask("se/log", json!({ "type": "browser" })).await;
        let entries = entries.as_array().unwrap().iter();
        entries.filter(|one| one["level"] == "SEVERE").map(|one| one["message"].to_string()).collect()
    }

    /// What the protocol does not have, asked of chromedriver itself.
    async fn ask(&self, path: &str, form: Value) -> Value {
        let asked = reqwest::Client::new().post(format!("{}/{path}", self.session)).json(&form);
        let mut answer: Value = asked.send().await.unwrap().json().await.unwrap();
        answer["value"].take()
    }

    pub async fn end(self) {
        self.driver.close().await.unwrap();
    }
}

/// The text of axe-core, fetched once.
fn axe() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/axe.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "axe-core can't be fetched");
    let path = String::from_utf8(output.stdout).unwrap();
    std::fs::read_to_string(path.trim()).unwrap()
}
