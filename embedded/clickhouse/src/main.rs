//! `deskstream-clickhouse`: the ClickHouse engine (libchdb) behind ClickHouse's HTTP interface, as a process of its own.
//!
//! Tests, the demo and small installations use it where a `clickhouse-server` would stand; clients cannot tell, up to
//! what the engine as a library lacks: roles, row policies, quotas, replication, `query_log`, HTTP sessions, TLS, true
//! asynchronous inserts. It owns its data directory, answers on loopback by default, and ends when told to by
//! SIGTERM, SIGINT or, with `--exit-on-stdin-close`, by the end of its standard input.

mod answer;
mod auth;
mod cli;
mod compression;
mod exception;
mod ffi;
mod format;
mod guard;
mod http;
mod insert;
mod lexer;
mod lock;
mod metrics;
mod multipart;
mod profile;
mod request;
mod running;
mod select;
mod server;
mod session;
mod statement;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let options = cli::Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    match cli::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = error.to_string();
            let mut cause = error.source();
            while let Some(source) = cause {
                message = format!("{message}: {source}");
                cause = source.source();
            }
            tracing::error!("{message}");
            ExitCode::FAILURE
        }
    }
}
