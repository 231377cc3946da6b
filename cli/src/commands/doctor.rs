//! `deskstream doctor`: what this machine has, what can be reached, and how to mend what is wrong.
#![allow(clippy::print_stdout, reason = "the answer of a command goes to stdout")]

use crate::options::ConfigOptions;
use deskstream_connectors::helpdesk::{self, Account};
use deskstream_connectors::llm;
use deskstream_embedded::artifacts::Artifacts;
use deskstream_embedded::tools::{self, JAVA, MAVEN, NPM, Tool};
use deskstream_embedded::{ClickHouseEndpoint, Error, Progress, binaries, ports, registry};
use deskstream_runtime::config::{Config, RegistryConfig};
use deskstream_runtime::seal::{KeyWrap, Transit};
use deskstream_runtime::telemetry::told;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Check what this machine has and what can be reached, one line each.
///
/// Without flags: what `deskstream demo` and the tests need. Kafka, registry and ClickHouse are tried as soon as
/// a configuration file or one of their flags says where they are. Ends with code 1 if something is wrong.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigOptions,

    /// Fetch what is missing into the cache.
    #[arg(long)]
    fix: bool,

    /// Also compare what is in the cache with the pinned digests (reads 600 MB).
    #[arg(long)]
    verify: bool,
}

/// What the artifacts, the demo's data and a build's temporary files take at most.
const WANTED_DISK: u64 = 3 << 30;

/// A broker of 512 MiB heap, an engine of up to 2 GiB that seldom takes 500 MiB, and our own processes.
const WANTED_MEMORY: u64 = 2 << 30;

/// A helpdesk that is there answers well within this, a second try included.
const HELPDESK_PATIENCE: Duration = Duration::from_secs(15);

/// One line of the report.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Ok { what: String, detail: String },
    Problem { what: String, problem: String, fix: String },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok { what, detail } => write!(f, "ok       {what}: {detail}"),
            Self::Problem { what, problem, fix } => write!(f, "problem  {what}: {problem}; fix: {fix}"),
        }
    }
}

#[derive(Default)]
struct Report {
    problems: usize,
}

impl Report {
    /// Prints at once: some checks take seconds.
    fn add(&mut self, finding: &Finding) {
        self.problems += usize::from(matches!(finding, Finding::Problem { .. }));
        println!("{finding}");
    }

    fn ok(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.add(&Finding::Ok { what: what.into(), detail: detail.into() });
    }

    fn problem(&mut self, what: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) {
        self.add(&Finding::Problem { what: what.into(), problem: problem.into(), fix: fix.into() });
    }
}

/// Prints the report; the code is 1 if there is a problem.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    let given = |flag: &Option<String>| flag.is_some() || args.config.config.is_some();
    let (kafka, registry, clickhouse) =
        (given(&args.config.kafka), given(&args.config.registry), given(&args.config.clickhouse));

    if !(kafka && registry && clickhouse) {
        let (fix, verify) = (args.fix, args.verify);
        report = tokio::task::spawn_blocking(move || {
            machine(&mut report, !kafka, !clickhouse);
            artifacts(&mut report, !kafka, !clickhouse, fix, verify);
            report
        })
        .await?;
    }
    if (kafka || registry || clickhouse)
        && let Some(config) = configuration(&mut report, args.config)
    {
        if kafka {
            reach_kafka(&mut report, &config).await;
        }
        if registry {
            reach_registry(&mut report, &config.registry).await;
        }
        if clickhouse {
            reach_clickhouse(&mut report, &config).await;
        }
        reach_helpdesks(&mut report, &config).await;
        reach_vault(&mut report, &config).await;
        reach_models(&mut report, &config).await;
        listeners(&mut report, &config);
    }
    if report.problems == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{} of these need attention", report.problems);
    Ok(ExitCode::FAILURE)
}

/// The configuration, as far as it can be had. A master key that is not there yet must not hide what else is wrong.
fn configuration(report: &mut Report, mut options: ConfigOptions) -> Option<Config> {
    let error = match options.load() {
        Ok(config) => {
            report.ok("configuration", "valid");
            return Some(config);
        }
        Err(error) => error,
    };
    for line in error.to_string().lines().filter(|line| !line.trim().is_empty()) {
        let (problem, fix) = line.split_once("; ").unwrap_or((line, "see `deskstream validate`"));
        report.problem("configuration", problem, fix);
    }
    // Never used: only something that can be read.
    options.set.push(("keys.master".to_owned(), "env:PATH".to_owned()));
    options.load().ok()
}

fn machine(report: &mut Report, kafka: bool, clickhouse: bool) {
    if kafka {
        match JAVA.find().and_then(|path| tools::require_java(&path).map(|version| (path, version))) {
            Ok((path, version)) => report.ok("java", format!("{version} at {}", path.display())),
            Err(Error::MissingTool { fix, .. }) => report.problem("java", "not found; Kafka runs on it", fix),
            Err(Error::OldJava { found, fix, .. }) => {
                report.problem("java", format!("version {found} is too old"), fix);
            }
            Err(error) => report.problem("java", told(&error), tools::install(&[JAVA])),
        }
    }
    for (name, wanted) in [(binaries::GUARD, kafka || clickhouse), (binaries::CLICKHOUSE, clickhouse)] {
        match binaries::locate(name) {
            _ if !wanted => {}
            Ok(path) => report.ok(name, path.display().to_string()),
            Err(error) => report.problem(name, "not found", told(&error)),
        }
    }
    match ports::free(4, "doctor") {
        Ok(_) => report.ok("loopback", "ports can be bound"),
        Err(error) => report.problem("loopback", told(&error), "let programs listen on 127.0.0.1"),
    }
    if let Some(free) = available_memory() {
        let detail = format!("{} MiB available", free >> 20);
        if free < WANTED_MEMORY {
            report.problem("memory", detail, "free 2 GiB, or use services elsewhere: --kafka, --clickhouse");
        } else {
            report.ok("memory", detail);
        }
    }
}

fn artifacts(report: &mut Report, kafka: bool, clickhouse: bool, fix: bool, verify: bool) {
    let artifacts = match Artifacts::new(if fix { Progress::auto() } else { Progress::silent() }) {
        Ok(artifacts) => artifacts,
        Err(error) => return report.problem("cache", told(&error), "set HOME"),
    };
    match tools::free_disk(artifacts.root()) {
        Ok(free) if free < WANTED_DISK => report.problem(
            "disk",
            format!("{} MiB free for {}", free >> 20, artifacts.root().display()),
            "free 3 GiB, or set XDG_CACHE_HOME to a larger disk",
        ),
        Ok(free) => report.ok("disk", format!("{} MiB free for {}", free >> 20, artifacts.root().display())),
        Err(error) => report.problem("disk", told(&error), "make the cache directory usable"),
    }
    if kafka {
        fetch(report, "Apache Kafka", MAVEN, artifacts.has_kafka(), fix, || artifacts.kafka().map(drop));
    }
    if clickhouse {
        fetch(report, "ClickHouse engine", NPM, artifacts.has_chdb(), fix, || artifacts.chdb().map(drop));
    }
    if verify {
        match artifacts.verify() {
            Ok(()) => report.ok("digests", "all as pinned"),
            Err(error) => report.problem("digests", told(&error), "delete it; it is fetched again"),
        }
    }
}

/// An artifact and the tool that fetches it, which is needed only as long as the artifact is not there.
fn fetch(
    report: &mut Report,
    what: &str,
    tool: Tool,
    there: bool,
    fix: bool,
    get: impl FnOnce() -> deskstream_embedded::Result<()>,
) {
    if there && !fix {
        return report.ok(what, "in the cache");
    }
    if let (false, Err(error)) = (there, tool.find()) {
        return match error {
            Error::MissingTool { fix, .. } => {
                report.problem(
                    what,
                    format!("not in the cache, and {} to fetch it is missing", tool.name),
                    fix,
                );
            }
            other => report.problem(what, told(&other), tools::install(&[tool])),
        };
    }
    if !fix {
        return report.ok(what, format!("not in the cache yet; {} will fetch it", tool.name));
    }
    match get() {
        Ok(()) => report.ok(what, "in the cache"),
        Err(error) => report.problem(what, told(&error), "mend that and try again"),
    }
}

async fn reach_kafka(report: &mut Report, config: &Config) {
    let what = format!("Kafka at {}", config.kafka.bootstrap);
    match deskstream_runtime::kafka::reachable(&config.kafka).await {
        Ok(()) => report.ok(what, "answers"),
        Err(error) => {
            report.problem(what, told(&error), "start it, or set kafka.bootstrap and kafka.properties");
        }
    }
}

async fn reach_registry(report: &mut Report, config: &RegistryConfig) {
    let password = config.password.as_ref().map(|secret| secret.expose()).unwrap_or_default();
    let login = config.user.as_deref().map(|user| (user, &password));
    match registry::check(&config.url, login).await {
        Ok(()) => report.ok("schema registry", "answers"),
        Err(error) => {
            report.problem("schema registry", told(&error), "start it, or set registry.url, user, password");
        }
    }
}

async fn reach_clickhouse(report: &mut Report, config: &Config) {
    let endpoint = ClickHouseEndpoint {
        url: config.clickhouse.url.clone(),
        user: config.clickhouse.user.clone(),
        password: config.clickhouse.password.as_ref().map(|secret| secret.expose()).unwrap_or_default(),
    };
    match endpoint.check().await {
        Ok(version) if old(&version) => report.problem(
            "ClickHouse",
            format!("version {version}"),
            "upgrade to 26.2 or newer: earlier ones insert asynchronously by other defaults",
        ),
        Ok(version) => report.ok("ClickHouse", format!("version {version}")),
        Err(error) => {
            report.problem("ClickHouse", told(&error), "start it, or set clickhouse.url, user, password");
        }
    }
}

/// Asks each helpdesk who we are: that needs its address and valid credentials, and changes nothing.
async fn reach_helpdesks(report: &mut Report, config: &Config) {
    deskstream_runtime::install_crypto_provider();
    for account in helpdesk::accounts(config) {
        reach_helpdesk(report, account.as_ref()).await;
    }
}

async fn reach_helpdesk(report: &mut Report, account: &dyn Account) {
    let what = format!("{} of {}", account.platform(), account.tenant());
    let fix = format!("check {} of the account, and whether this machine may reach it", account.settings());
    let asked = async { Ok::<_, anyhow::Error>(account.admin()?.me().await?) };
    match tokio::time::timeout(HELPDESK_PATIENCE, asked).await {
        Ok(Ok(user)) => report.ok(what, format!("answers, and knows us as user {user}")),
        Ok(Err(error)) => report.problem(what, told(error.as_ref()), fix),
        Err(_) => report.problem(what, "no answer in time", fix),
    }
}

/// The key management service, where one is described.
async fn reach_vault(report: &mut Report, config: &Config) {
    let Some(vault) = config.keys.vault.clone() else { return };
    deskstream_runtime::install_crypto_provider();
    let connected = tokio::task::spawn_blocking(move || Transit::connect(&vault)).await;
    match connected.expect("asking Vault does not panic") {
        Ok(transit) => report.ok("Vault", format!("{} can be used", transit.current())),
        Err(error) => report.problem("Vault", told(&error), "see [keys.vault]"),
    }
}

/// The providers of second opinions.
async fn reach_models(report: &mut Report, config: &Config) {
    match llm::reach(&config.opinions, HELPDESK_PATIENCE).await {
        Ok(providers) => {
            for (name, error) in providers {
                let what = format!("opinions.providers.{name}");
                match error {
                    None => report.ok(what, "answers, and takes our key"),
                    Some(error) => {
                        report.problem(what, told(&error), "check its url, api_key and api_version");
                    }
                }
            }
        }
        Err(error) => report.problem("opinions", told(&error), "see docs/second-opinions.md"),
    }
}

/// Whether a version such as 26.7.3.1 is before 26.2. One that can't be read is let pass.
fn old(version: &str) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(year)), Some(Ok(month))) if (year, month) < (26, 2))
}

fn listeners(report: &mut Report, config: &Config) {
    for (key, address) in [("http.webhooks", config.http.webhooks), ("http.admin", config.http.admin)] {
        match std::net::TcpListener::bind(address) {
            Ok(_) => report.ok(key, format!("{address} is free")),
            Err(error) => report.problem(
                key,
                format!("{address}: {error}"),
                format!("stop what listens there (maybe Deskstream itself), or give --set {key}=HOST:PORT"),
            ),
        }
    }
}

fn available_memory() -> Option<u64> {
    parse_available(&std::fs::read_to_string(Path::new("/proc/meminfo")).ok()?)
}

/// Reads `MemAvailable:   12345 kB`.
fn parse_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_that_names_the_fix() {
        let problem =
            Finding::Problem { what: "java".into(), problem: "not found".into(), fix: "install it".into() };
        assert_eq!(problem.to_string(), "problem  java: not found; fix: install it");
        let ok = Finding::Ok { what: "disk".into(), detail: "10 MiB free".into() };
        assert_eq!(ok.to_string(), "ok       disk: 10 MiB free");
    }

    #[test]
    fn versions_before_26_2_are_old() {
        assert!(old("25.12.1") && old("26.1.9"));
        assert!(!old("26.2.0") && !old("26.7.3.1") && !old("27.1") && !old("unknown"));
    }

    #[test]
    fn available_memory_is_read_in_bytes() {
        assert_eq!(parse_available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n"), Some(2 << 20));
        assert_eq!(parse_available("MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn a_missing_tool_matters_only_while_its_artifact_is_missing() {
        let nowhere = Tool { name: "no-such-tool", purpose: "to test", package: "none" };
        let mut report = Report::default();
        fetch(&mut report, "thing", nowhere, true, false, || unreachable!("it is there"));
        assert_eq!(report.problems, 0);
        fetch(&mut report, "thing", nowhere, true, true, || Ok(()));
        assert_eq!(report.problems, 0);
        fetch(&mut report, "thing", nowhere, false, true, || unreachable!("it can't be fetched"));
        assert_eq!(report.problems, 1);
    }

    #[tokio::test]
    async fn a_registry_that_does_not_answer_is_a_problem() {
        let mut report = Report::default();
        let url = "http://127.0.0.1:1".parse().unwrap();
        reach_registry(&mut report, &RegistryConfig { url, user: None, password: None }).await;
        assert_eq!(report.problems, 1);
    }
}
