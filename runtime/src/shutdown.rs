//! Graceful shutdown: one token that every task watches.

use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled on SIGINT, on SIGTERM and, if asked for, when standard input closes: a child
/// whose parent holds the other end of that pipe then never outlives it, however the parent dies.
pub fn on_signals(exit_on_stdin_close: bool) -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        let reason = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            () = stdin_closed(), if exit_on_stdin_close => "standard input closed",
        };
        tracing::info!(reason, "shutting down");
        cancelled.cancel();
    });
    Ok(token)
}

async fn stdin_closed() {
    let mut sink = [0u8; 64];
    let mut stdin = tokio::io::stdin();
    while !matches!(stdin.read(&mut sink).await, Ok(0) | Err(_)) {}
}
