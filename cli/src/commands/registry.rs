//! `deskstream registry`: the embedded schema registry as a process of its own.

use deskstream_embedded::registry::Compatibility;
use deskstream_embedded::{Registry, RegistryOptions};
use deskstream_runtime::config::{LogConfig, LogFormat};
use deskstream_runtime::{shutdown, telemetry};
use std::net::SocketAddr;

/// Run the embedded schema registry alone: Confluent's API for Avro, its state in a compacted Kafka topic.
///
/// The newest registry on a topic is the one that writes; an older one goes on answering reads. There is no
/// authentication: listen on loopback, or put a proxy in front.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Kafka bootstrap servers.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    kafka: String,

    /// A client property for Kafka; KEY=env:NAME reads the value from the environment, as passwords must be.
    #[arg(long = "kafka-property", value_name = "KEY=VALUE", value_parser = property)]
    kafka_properties: Vec<(String, String)>,

    /// Where to listen.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,

    /// The topic that holds the schemas; created if it is not there.
    #[arg(long, value_name = "NAME", default_value = "_schemas")]
    topic: String,

    /// The compatibility level where none is set.
    #[arg(long, value_name = "LEVEL", default_value_t = Compatibility::Backward, value_parser = level)]
    compatibility: Compatibility,

    /// End when standard input closes, so as never to outlive a parent that holds the other end.
    #[arg(long)]
    exit_on_stdin_close: bool,
}

fn level(text: &str) -> Result<Compatibility, String> {
    text.parse().map_err(|given| {
        format!(
            "{given} is no level: NONE, BACKWARD, FORWARD, FULL, or one of the last three with _TRANSITIVE"
        )
    })
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, e.g. security.protocol=sasl_ssl")?;
    let key = key.trim();
    let value = match value.strip_prefix("env:") {
        Some(name) => std::env::var(name).map_err(|_| format!("environment variable {name} is not set"))?,
        None if key.contains("password") || key.contains("secret") => {
            return Err(format!("others see the command line: give {key}=env:NAME"));
        }
        None => value.to_owned(),
    };
    Ok((key.to_owned(), value))
}

/// Serves until told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    telemetry::init(&LogConfig { format: LogFormat::Text, filter: "info".to_owned() });
    let stop = shutdown::on_signals(args.exit_on_stdin_close)?;
    if !args.listen.ip().is_loopback() {
        tracing::warn!(listen = %args.listen, "the registry has no authentication and listens beyond this machine");
    }
    let options = RegistryOptions {
        properties: args.kafka_properties,
        listen: args.listen,
        topic: args.topic,
        compatibility: args.compatibility,
        ..RegistryOptions::new(args.kafka)
    };
    let registry = tokio::select! {
        started = Registry::start(options) => started?,
        () = stop.cancelled() => return Ok(()),
    };
    stop.cancelled().await;
    registry.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_and_secrets_are_not_taken_from_the_command_line() {
        let read = property("security.protocol=sasl_ssl").unwrap();
        assert_eq!(read, ("security.protocol".to_owned(), "sasl_ssl".to_owned()));
        assert_eq!(property("a=b=c").unwrap().1, "b=c");
        let refused = property("sasl.password=hunter2").unwrap_err();
        assert!(refused.contains("sasl.password=env:NAME") && !refused.contains("hunter2"), "{refused}");
        assert!(property("sasl.password=env:NO_SUCH_VARIABLE").unwrap_err().contains("NO_SUCH_VARIABLE"));
        assert_eq!(property("x=env:PATH").unwrap().1, std::env::var("PATH").unwrap());
        assert!(property("nothing").is_err());
    }

    #[test]
    fn levels_are_named() {
        assert_eq!(level("full_transitive").unwrap(), Compatibility::FullTransitive);
        assert!(level("most").unwrap_err().contains("BACKWARD"));
    }
}
