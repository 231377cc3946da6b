//! Everything that the product stands on: Kafka, a schema registry, ClickHouse. What is not given by URL is started
//! here, in parallel, and stopped in the reverse order.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
};
use url::Url;

use crate::{
    ClickHouse, ClickHouseEndpoint, ClickHouseOptions, Error, Kafka, KafkaOptions, Progress, Registry,
    RegistryOptions, Result, http,
    kafka::{Quiet, unblock},
    ports, registry,
};

/// What to start, and where what is not started can be found.
#[derive(Clone, Debug)]
pub struct PlatformOptions {
    /// Where the started parts keep their data, each in a directory of its own.
    pub data_dir: PathBuf,
    /// A Kafka cluster to use: `host:port`, comma-separated.
    pub kafka: Option<String>,
    /// Client properties for a given cluster, such as `security.protocol`.
    pub kafka_properties: Vec<(String, String)>,
    /// A Confluent-compatible schema registry to use.
    pub registry: Option<Url>,
    /// A ClickHouse to use.
    pub clickhouse: Option<ClickHouseEndpoint>,
    /// Nodes of a started Kafka: 1 or 3.
    pub kafka_nodes: u16,
    /// Java heap of each node in MiB.
    pub kafka_heap_mib: u32,
    /// Memory of a started ClickHouse in MiB.
    pub clickhouse_memory_mib: u32,
    /// Keep the data in temporary directories in place of `data_dir`, removed at the end, even if we are killed: for
    /// tests.
    pub ephemeral: bool,
    /// Where progress goes.
    pub progress: Progress,
}

impl PlatformOptions {
    /// Starts everything, keeps the data in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        let data_dir = data_dir.into();
        let kafka = KafkaOptions::new("");
        let clickhouse = ClickHouseOptions::new("");
        Self {
            data_dir,
            kafka: None,
            kafka_properties: Vec::new(),
            registry: None,
            clickhouse: None,
            kafka_nodes: kafka.nodes,
            kafka_heap_mib: kafka.heap_mib,
            clickhouse_memory_mib: clickhouse.memory_mib,
            ephemeral: false,
            progress: Progress::auto(),
        }
    }
}

/// A platform whose parts have all answered.
#[derive(Debug)]
pub struct Platform {
    bootstrap: String,
    registry_url: String,
    clickhouse: ClickHouseEndpoint,
    // In the order of dropping: what uses Kafka goes first.
    own_registry: Option<Registry>,
    own_clickhouse: Option<ClickHouse>,
    own_kafka: Option<Kafka>,
}

impl Platform {
    /// Starts what is not given, checks what is, and returns when all of it answers.
    pub async fn start(options: PlatformOptions) -> Result<Self> {
        http::install_tls();
        // Both are waited for even if one fails, so that nothing is left half-started.
        let (log, clickhouse) = tokio::join!(kafka_and_registry(&options), clickhouse(&options));
        let (bootstrap, own_kafka, registry_url, own_registry) = log?;
        let (clickhouse, own_clickhouse) = clickhouse?;
        Ok(Self { bootstrap, registry_url, clickhouse, own_registry, own_clickhouse, own_kafka })
    }

    /// Kafka's `bootstrap.servers`.
    pub fn kafka(&self) -> &str {
        &self.bootstrap
    }

    /// The registry's base URL, without a slash at the end.
    pub fn registry(&self) -> &str {
        &self.registry_url
    }

    /// ClickHouse's URL, user and password.
    pub fn clickhouse(&self) -> &ClickHouseEndpoint {
        &self.clickhouse
    }

    /// A ClickHouse user that may only read: the started one's, else the given one.
    pub fn clickhouse_reader(&self) -> &ClickHouseEndpoint {
        self.own_clickhouse.as_ref().map_or(&self.clickhouse, ClickHouse::reader)
    }

    /// The Kafka that was started here, for fault tests.
    pub fn own_kafka(&mut self) -> Option<&mut Kafka> {
        self.own_kafka.as_mut()
    }

    /// The ClickHouse that was started here, for fault tests.
    pub fn own_clickhouse(&mut self) -> Option<&mut ClickHouse> {
        self.own_clickhouse.as_mut()
    }

    /// Fails if a part that was started here has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        if let Some(kafka) = &mut self.own_kafka {
            kafka.check()?;
        }
        self.own_clickhouse.as_mut().map_or(Ok(()), ClickHouse::check)
    }

    /// The processes that were started here, by name, with their ids.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let brokers = self.own_kafka.iter().flat_map(Kafka::pids);
        let named = brokers.map(|pid| ("kafka".to_owned(), pid));
        named
            .chain(self.own_clickhouse.iter().filter_map(|c| Some(("clickhouse".to_owned(), c.pid()?))))
            .collect()
    }

    /// Stops what was started here: registry and ClickHouse, then Kafka.
    pub async fn shutdown(self) {
        if let Some(registry) = self.own_registry {
            registry.stop().await;
        }
        if let Some(clickhouse) = self.own_clickhouse {
            clickhouse.stop().await;
        }
        if let Some(kafka) = self.own_kafka {
            kafka.stop().await;
        }
    }

    /// All three parts on temporary data, started once per process and shared by its tests, which therefore use
    /// topics, subjects and databases of their own. Everything ends, and its data with it, when the process does.
    ///
    /// # Panics
    /// If the platform can't be started: a test can't go on without it.
    pub fn for_tests() -> &'static Self {
        static SHARED: OnceLock<Platform> = OnceLock::new();
        SHARED.get_or_init(|| {
            // A runtime of its own, since the first test's ends with that test.
            let started = std::thread::spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .worker_threads(1)
                    .thread_name("platform")
                    .enable_all()
                    .build()
                    .expect("a runtime can be built wherever tests run");
                let platform = runtime.block_on(Self::start(PlatformOptions {
                    ephemeral: true,
                    kafka_heap_mib: 384,
                    clickhouse_memory_mib: 1024,
                    progress: Progress::silent(),
                    ..PlatformOptions::new("")
                }));
                // The registry lives on it until the process ends.
                std::mem::forget(runtime);
                platform
            });
            match started.join() {
                Ok(Ok(platform)) => platform,
                Ok(Err(error)) => panic!("could not start the platform for tests: {error}"),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}

async fn kafka_and_registry(
    options: &PlatformOptions,
) -> Result<(String, Option<Kafka>, String, Option<Registry>)> {
    let (bootstrap, kafka) = match &options.kafka {
        Some(bootstrap) => {
            let task = options.progress.task(format!("Kafka at {bootstrap}"));
            check_kafka(bootstrap, &options.kafka_properties).await?;
            task.done("answers");
            (bootstrap.clone(), None)
        }
        None => {
            let own = KafkaOptions {
                nodes: options.kafka_nodes,
                heap_mib: options.kafka_heap_mib,
                ephemeral: options.ephemeral,
                progress: options.progress.clone(),
                ..KafkaOptions::new(part(options, "kafka")?)
            };
            let task = options.progress.task("Apache Kafka");
            let kafka = Kafka::start(own).await?;
            task.done(&kafka.bootstrap());
            (kafka.bootstrap(), Some(kafka))
        }
    };
    let (url, registry) = match &options.registry {
        Some(url) => {
            let task = options.progress.task(format!("schema registry at {}", http::origin(url)));
            registry::check(url, None).await?;
            task.done("answers");
            (url.as_str().trim_end_matches('/').to_owned(), None)
        }
        None => {
            let task = options.progress.task("schema registry");
            let mut own = RegistryOptions::new(&bootstrap);
            own.properties.clone_from(&options.kafka_properties);
            if !options.ephemeral {
                own.listen = ports::loopback(registry_port(&options.data_dir)?);
            }
            let registry = Registry::start(own).await?;
            task.done(&registry.url());
            (registry.url(), Some(registry))
        }
    };
    Ok((bootstrap, kafka, url, registry))
}

/// The port that the registry had, if it is free, so that clients find it again.
fn registry_port(data_dir: &Path) -> Result<u16> {
    std::fs::create_dir_all(data_dir).map_err(Error::file("create", data_dir))?;
    let path = data_dir.join("registry.port");
    let kept = std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    let port = match kept {
        Some(port) if ports::is_free(port) => port,
        _ => ports::free(1, "the schema registry")?[0],
    };
    std::fs::write(&path, port.to_string()).map_err(Error::file("write", path))?;
    Ok(port)
}

async fn clickhouse(options: &PlatformOptions) -> Result<(ClickHouseEndpoint, Option<ClickHouse>)> {
    if let Some(endpoint) = &options.clickhouse {
        let task = options.progress.task("ClickHouse");
        let version = endpoint.check().await?;
        task.done(&format!("version {version} answers"));
        return Ok((endpoint.clone(), None));
    }
    let own = ClickHouseOptions {
        memory_mib: options.clickhouse_memory_mib,
        ephemeral: options.ephemeral,
        progress: options.progress.clone(),
        ..ClickHouseOptions::new(part(options, "clickhouse")?)
    };
    let task = options.progress.task("ClickHouse engine");
    let engine = ClickHouse::start(own).await?;
    let endpoint = engine.endpoint().clone();
    task.done(endpoint.url.as_str().trim_end_matches('/'));
    Ok((endpoint, Some(engine)))
}

fn part(options: &PlatformOptions, name: &str) -> Result<PathBuf> {
    if !options.ephemeral {
        return Ok(options.data_dir.join(name));
    }
    // Each has a directory of its own under the system's, so that each part's guard can remove it whole.
    let directory = tempfile::Builder::new().prefix(&format!("deskstream-{name}-")).tempdir();
    directory.map(tempfile::TempDir::keep).map_err(Error::file("create a directory in", std::env::temp_dir()))
}

/// Checks that a Kafka cluster answers a metadata request; returns how many brokers it named.
pub async fn check_kafka(bootstrap: &str, properties: &[(String, String)]) -> Result<usize> {
    let mut config = ClientConfig::new();
    for (key, value) in properties {
        config.set(key, value);
    }
    config.set("bootstrap.servers", bootstrap);
    let url = bootstrap.to_owned();
    unblock(move || {
        let unreachable = |detail: String| Error::Unreachable { what: "Kafka", url: url.clone(), detail };
        let consumer: BaseConsumer<Quiet> =
            config.create_with_context(Quiet).map_err(|error| unreachable(error.to_string()))?;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match consumer.fetch_metadata(None, Duration::from_secs(5)) {
                Ok(metadata) => return Ok(metadata.brokers().len()),
                Err(error) if Instant::now() >= deadline => return Err(unreachable(error.to_string())),
                Err(_) => {}
            }
        }
    })
    .await
}
