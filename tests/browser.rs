//! The web UI as a user meets it: `deskstream demo`, the link that it prints, and a Chromium. Real Kafka, ClickHouse, sample
//! Zendesks; nothing of the product stands in for itself.
//!
//! Needs Debian's `chromium` and `chromium-driver`. With `DESKSTREAM_SCREENSHOTS=docs/console` it takes a picture of each page.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tells what it measured, or why it was not done"
)]

#[path = "support/chromium.rs"]
mod chromium;
#[path = "support/running.rs"]
mod running;

use chromium::Browser;
use running::Running;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

const EMAIL: &str = "olga@desk.example";
const PASSWORD: &str = "correct horse battery staple";

/// Of a ticket whose writer would like to be an operator.
const SUBJECT: &str = "<img src=x onerror='window.taken=1'> zaunkoenig";
const BODY: &str = "<script>window.taken=1</script><b>bold</b> [IBAN] write to eve.adams@evil-corp.com {{7*7}} ${window.taken=1}";

/// Most of the first page, without the charts' library, as it goes over the wire.
const MOST_BYTES: u64 = 300_000;
const MOST_MS: u64 = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_finds_reads_corrects_and_proves_in_a_browser() {
    if !chromium::installed() {
        eprintln!(
            "not done: chromium and chromedriver are not installed (apt-get install chromium chromium-driver)"
        );
        return;
    }
    deskstream_runtime::install_crypto_provider();
    let mut demo = Running::start("2");
    let welcome = demo.welcome().await;
    write_as_a_stranger(&demo, &welcome).await;
    let browser = Browser::start().await;
    let page = Pages { browser, base: welcome["console"].clone() };

    page.make_the_first_operator(&welcome["sign in"]).await;
    page.overview_is_live_and_light().await;
    page.work_in_acme().await;
    page.open_the_strangers_ticket_by_keyboard().await;
    page.correct_it_and_find_that_in_the_audit_trail().await;
    the_terminal_tells_the_same(&demo);
    page.find_the_correction_in_the_figures().await;
    page.change_the_policy_and_meet_another_who_did().await;
    page.users_keys_and_sessions().await;
    page.look_around().await;
    page.small_screen().await;
    page.sign_out_and_in().await;

    let unexpected: Vec<_> = page.browser.said().await.into_iter().filter(|said| !expected(said)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    page.browser.end().await;
    demo.interrupt();
}

/// Answers that the browser writes down as errors, and that pages deal with.
fn expected(said: &str) -> bool {
    let answers = [("/redaction-policy", "404"), ("/redaction-policy", "412"), ("/sign-in", "401")];
    answers.iter().any(|(path, status)| said.contains(path) && said.contains(&format!("status of {status}")))
}

/// By the sample Zendesk's own API, as its form would.
async fn write_as_a_stranger(demo: &Running, welcome: &BTreeMap<String, String>) {
    let token = std::fs::read_to_string(demo.path("secrets/acme-token")).unwrap();
    let ticket = json!({ "ticket": { "subject": SUBJECT, "comment": { "body": BODY },
        "requester": { "name": "Eve <i>Adams</i>", "email": "eve.adams@evil-corp.com" } } });
    let answer = reqwest::Client::new()
        .post(format!("{}/api/v2/tickets.json", welcome["acme's desk"].trim_end_matches('/')))
        .basic_auth("deskstream@acme.example/token", Some(token.trim()))
        .json(&ticket)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 201);
}

/// `deskstream trace`, of the stranger's ticket: the first, since the traffic begins later.
fn the_terminal_tells_the_same(demo: &Running) {
    let output = Command::new(env!("CARGO_BIN_EXE_deskstream"))
        .args(["trace", "zendesk/1", "--tenant", "acme", "--text", "--config"])
        .arg(demo.path("deskstream.toml"))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let steps: Vec<_> =
        said.lines().filter_map(|line| line.split_once("Z  ")?.1.split("  ").next()).collect();
    let wanted = ["happened", "taken in", "redacted", "judged", "written back", "corrected"];
    assert!(steps.starts_with(&wanted), "{said}");
    for part in ["EMAIL 1", "root cause fraud_or_security, urgency critical by ", "</script><b>bold</b>"] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert!(!said.contains("evil-corp"), "{said}");
}

struct Pages {
    browser: Browser,
    base: String,
}

impl Pages {
    async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).await;
    }

    async fn make_the_first_operator(&self, line: &str) {
        let browser = &self.browser;
        let link = line.split_whitespace().last().unwrap();
        assert!(link.contains("/first-operator#token="), "{line}");
        browser.open(link).await;
        browser.sees("Make the first operator").await;
        let address = browser.value("location.href").await;
        assert!(!address.as_str().unwrap().contains("token"), "{address}");
        browser.inspect("first-operator").await;
        browser.fill("[name=name]", "Olga Petrova").await;
        browser.fill("[name=email]", EMAIL).await;
        browser.fill("[name=password]", PASSWORD).await;
        browser.click("button.primary").await;
        browser.until("document.querySelector('.stats')").await;
        // Neither token can be had by a script, now or later.
        let kept = browser.value("JSON.stringify([localStorage, sessionStorage, document.cookie])").await;
        assert!(!kept.as_str().unwrap().contains("ey"), "{kept}");
    }

    async fn overview_is_live_and_light(&self) {
        let browser = &self.browser;
        self.open("/overview?minutes=15").await;
        let events = "Number(document.querySelector('.stat dd').firstChild.textContent.replace(/,/g, ''))";
        browser.until("document.querySelector('.live.live') && document.querySelectorAll('.chart canvas').length === 4").await;
        let timing = browser
            .until(
                "(() => { const one = performance.getEntriesByType('navigation')[0];
                const parts = performance.getEntriesByType('resource').filter((part) => part.name.includes('/assets/'));
                const fresh = parts.filter((part) => !part.name.includes('uplot'));
                return one.loadEventEnd > 0 && [Math.round(one.loadEventEnd), fresh.reduce((sum, part) => sum + part.encodedBodySize, 0), parts.length]; })()",
            )
            .await;
        let (ms, bytes) = (timing[0].as_u64().unwrap(), timing[1].as_u64().unwrap());
        println!("the overview is loaded after {ms} ms, {bytes} bytes without charts, {} files", timing[2]);
        assert!(ms < MOST_MS && (10_000..MOST_BYTES).contains(&bytes), "{timing}");
        let before = browser.until(events).await.as_f64().unwrap();
        browser.until(&format!("{events} > {before}")).await;
        browser.until("document.querySelectorAll('.bars li').length > 3").await;
        browser.until("document.querySelector('.alerts .badge')").await;
    }

    /// When there is something to see.
    async fn look_around(&self) {
        let browser = &self.browser;
        self.open("/overview?minutes=15&tenant=acme").await;
        browser.until("document.querySelectorAll('.chart canvas').length === 4 && document.querySelector('.live.live')").await;
        browser.inspect("overview").await;
        self.open("/inbox?tenant=acme&urgency=high").await;
        browser.until("document.querySelectorAll('.inbox tbody tr').length > 1").await;
        browser.inspect("inbox").await;
        browser.click(".row-link").await;
        browser
            .until("document.querySelector('.thread .body') && document.querySelector('[name=urgency]')")
            .await;
        browser.inspect("ticket").await;
    }

    async fn work_in_acme(&self) {
        let browser = &self.browser;
        browser.choose(".tenant select", "acme").await;
        browser.until("new URLSearchParams(location.search).get('tenant') === 'acme'").await;
        browser.click_text("Inbox").await;
        browser.until("document.querySelectorAll('.inbox tbody tr').length > 5").await;
        // What is looked at is in the address, also for whoever opens it anew.
        browser.choose("[aria-label=Tickets] label:nth-of-type(2) select", "high").await;
        browser.until("location.search.includes('urgency=high') && !document.querySelector('.stale')").await;
        browser.until("[...document.querySelectorAll('.inbox .urgency')].every((one) => one.textContent === 'High')").await;
        browser.driver.refresh().await.unwrap();
        browser.until("[...document.querySelectorAll('.inbox .urgency')].length > 0").await;
        browser.until("[...document.querySelectorAll('.inbox .urgency')].every((one) => one.textContent === 'High')").await;
        browser.click_text("Clear").await;
    }

    async fn open_the_strangers_ticket_by_keyboard(&self) {
        let browser = &self.browser;
        browser.until("document.querySelectorAll('.inbox tbody tr').length > 5").await;
        browser.press("/").await;
        browser.until("document.activeElement.id === 'search'").await;
        browser.press("zaunkoenig\u{e007}").await;
        browser.until("document.querySelectorAll('.inbox tbody tr').length === 1").await;
        browser.press("\u{e00c}").await;
        browser.press("j").await;
        browser.until("document.querySelector('tr.selected')").await;
        browser.press("\u{e007}").await;
        browser.until("document.querySelector('.thread .body')").await;
        let title = browser.value("document.querySelector('h1').textContent").await;
        assert!(title.as_str().unwrap().contains("<img src=x onerror='window.taken=1'>"), "{title}");
        let body = browser.value("document.querySelector('.thread .body').textContent").await;
        for part in ["<script>window.taken=1</script><b>bold</b>", "[IBAN]", "{{7*7}}", "${window.taken=1}"] {
            assert!(body.as_str().unwrap().contains(part), "{part} is not text in {body}");
        }
        assert!(!body.as_str().unwrap().contains("evil-corp"), "{body}");
        let marks = browser
            .value("[...document.querySelectorAll('.thread mark')].map((one) => one.textContent)")
            .await;
        assert!(marks.as_array().unwrap().contains(&json!("EMAIL")), "{marks}");
        // What looks like a mark and is the writer's own is none.
        assert!(!marks.as_array().unwrap().contains(&json!("IBAN")), "{marks}");
        let made =
            browser.value("document.querySelectorAll('main img, main script, main b, main i').length").await;
        assert_eq!((made, browser.value("window.taken").await), (json!(0), Value::Null));
        browser.until("document.querySelector('.card .badge.tone-green')").await;
    }

    async fn correct_it_and_find_that_in_the_audit_trail(&self) {
        let browser = &self.browser;
        browser.choose("[name=root_cause]", "fraud_or_security").await;
        browser.choose("[name=urgency]", "critical").await;
        browser.click_text("Record correction").await;
        browser.sees("Correction recorded").await;
        browser.sees("Corrected").await;
        let judged = browser
            .until("document.querySelector('.analysis dd').innerText.includes('Fraud or security')")
            .await;
        assert_eq!(judged, true);
        browser.click_text("Who looked and corrected").await;
        browser.sees("Audit trail").await;
        // It is chained and stored within a second or two.
        let row = "[...document.querySelectorAll('.table tbody tr')].find((row) => row.innerText.includes('review.ticket'))";
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            browser
                .until("document.querySelector('.table, .empty') && !document.querySelector('.stale')")
                .await;
            if browser.value(&format!("Boolean({row})")).await == true {
                break;
            }
            assert!(Instant::now() < deadline, "the correction is not in the audit trail");
            // Each reading is a record itself, and one user may not read without end.
            tokio::time::sleep(Duration::from_millis(500)).await;
            browser.click_text("Load again").await;
        }
        browser.until(&format!("({row}).innerText.includes('Olga Petrova')")).await;
        browser.value(&format!("({row}).querySelector('button').click()")).await;
        browser.until("document.querySelector('.detail').innerText.includes('fraud_or_security')").await;
        browser.inspect("audit").await;
    }

    /// The pipeline has joined it with what the model said.
    async fn find_the_correction_in_the_figures(&self) {
        let browser = &self.browser;
        self.open("/quality?tenant=acme&head=urgency").await;
        let reviewed = "document.querySelector('[aria-label^=Models] tbody td.right')?.textContent === '1'";
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            browser.until("document.querySelector('.stack') && !document.querySelector('.stale')").await;
            if browser.value(reviewed).await == true {
                break;
            }
            assert!(Instant::now() < deadline, "the correction is in no figure");
            tokio::time::sleep(Duration::from_millis(500)).await;
            browser.driver.refresh().await.unwrap();
        }
        browser.until("document.querySelectorAll('[aria-label^=Labels] tbody tr').length >= 1").await;
        browser.inspect("quality").await;
        // The list shows what the reviewer said, too.
        self.open("/inbox?tenant=acme&q=zaunkoenig&root_cause=fraud_or_security").await;
        browser.until("document.querySelectorAll('.inbox tbody tr').length === 1").await;
    }

    /// The operator once more, by the API alone.
    async fn another_changes_the_policy(&self) {
        let client = reqwest::Client::new();
        let url = |path: &str| format!("{}/api/v1{path}", self.base);
        let token = async |request: reqwest::RequestBuilder| {
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            answer["access_token"].as_str().unwrap().to_owned()
        };
        let signed_in =
            token(client.post(url("/auth/sign-in")).json(&json!({ "email": EMAIL, "password": PASSWORD })))
                .await;
        let chosen =
            client.post(url("/auth/tenant")).bearer_auth(signed_in).json(&json!({ "tenant": "acme" }));
        let acme = token(chosen).await;
        let policy =
            client.put(url("/settings/redaction-policy")).bearer_auth(acme).header("if-match", "\"1\"");
        let answer = policy.json(&json!({ "deny": ["Project Falcon"] })).send().await.unwrap();
        assert_eq!(answer.status(), 204);
    }

    async fn change_the_policy_and_meet_another_who_did(&self) {
        let browser = &self.browser;
        browser.click_text("Redaction").await;
        browser.sees("This tenant has no policy of its own").await;
        browser.choose("[aria-label='What to do with EMAIL']", "hash").await;
        browser.click_text("Save policy").await;
        browser.sees("Version 1").await;
        browser
            .until("document.querySelector(\"[aria-label='What to do with EMAIL']\").value === 'hash'")
            .await;
        self.another_changes_the_policy().await;
        browser.choose("[aria-label='What to do with PHONE']", "partial").await;
        browser.click_text("Save policy").await;
        browser.sees("Somebody changed it meanwhile").await;
        browser.click_text("Load theirs").await;
        browser.sees("Version 2").await;
        browser
            .until("[...document.querySelectorAll('textarea')].some((one) => one.value === 'Project Falcon')")
            .await;
        browser.inspect("settings").await;
        browser.click_text("Remove policy").await;
        browser.click("dialog button.danger").await;
        browser.sees("This tenant has no policy of its own").await;
    }

    async fn users_keys_and_sessions(&self) {
        let browser = &self.browser;
        browser.click_text("Users").await;
        browser.click_text("New user").await;
        browser.fill("dialog [name=name]", "Rita Reviewer").await;
        browser.fill("dialog [name=email]", "rita@acme.example").await;
        browser.choose("dialog [name=role]", "reviewer").await;
        browser.fill("dialog [name=password]", "short").await;
        browser.inspect("new-user").await;
        browser.fill("dialog [name=password]", PASSWORD).await;
        browser.click("dialog button.primary").await;
        browser.sees("rita@acme.example").await;
        browser.until("!document.querySelector('dialog')").await;
        browser.inspect("users").await;
        browser.click_text("API keys").await;
        browser.click_text("New key").await;
        browser.fill("dialog [name=name]", "reporting").await;
        browser.click("dialog fieldset label").await;
        browser.click("dialog button.primary").await;
        browser.until("document.querySelector('dialog .secret code').textContent.startsWith('dsk_')").await;
        browser.click_text("I have copied it").await;
        browser.until("!document.querySelector('dialog') && document.querySelector('.table')").await;
        assert_eq!(
            browser
                .value("document.body.innerText.includes('dsk_') && document.querySelector('.secret')")
                .await,
            Value::Null
        );
        browser.inspect("api-keys").await;
        browser.click_text("API reference").await;
        browser.until("document.querySelectorAll('.operation').length > 30").await;
        browser.value("[...document.querySelectorAll('.operation')].slice(0, 4).forEach((one) => { one.open = true; })").await;
        browser.inspect("reference").await;
        browser.click(".nav-foot a").await;
        browser.until("document.querySelectorAll('.lines li').length === 2").await;
        browser.inspect("account").await;
    }

    /// Nothing is cut off or to be scrolled sideways on a telephone.
    async fn small_screen(&self) {
        let browser = &self.browser;
        let (_, _, width, height) = browser.driver.get_window_rect().await.unwrap();
        browser.driver.set_window_rect(0, 0, 500, 900).await.unwrap();
        for path in ["/overview", "/inbox", "/audit", "/settings", "/users"] {
            self.open(&format!("{path}?tenant=acme")).await;
            browser.until("document.querySelector('h1') && !document.querySelector('.skeleton')").await;
            let wide = browser
                .value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                .await;
            assert_eq!(wide, json!(0), "{path} is wider than the screen");
        }
        browser.click("[aria-label=Menu]").await;
        browser.until("document.querySelector('.nav.open')").await;
        browser.inspect("small").await;
        let (width, height) = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        browser.driver.set_window_rect(0, 0, width, height).await.unwrap();
    }

    async fn sign_out_and_in(&self) {
        let browser = &self.browser;
        self.open("/inbox?tenant=acme").await;
        browser.click_text("Sign out").await;
        browser.sees("Sign in to Deskstream").await;
        self.open("/audit?tenant=acme&outcome=ok").await;
        browser.sees("Sign in to Deskstream").await;
        browser.inspect("sign-in").await;
        browser.fill("[name=email]", EMAIL).await;
        browser.fill("[name=password]", "not the right one at all").await;
        browser.click("button.primary").await;
        browser.sees("Address or password is wrong.").await;
        browser.fill("[name=password]", PASSWORD).await;
        browser.click("button.primary").await;
        browser.until("document.querySelector('.table') && location.search.includes('outcome=ok')").await;
        browser.click_text("Sign out").await;
        browser.sees("Sign in to Deskstream").await;
    }
}
