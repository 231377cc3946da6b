//! The listener: bounded connections, and an end that lets requests finish.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::TaskTracker;

use crate::http::{App, handle};

/// Connections at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;

/// The longest a request's head may take: what a slow sender can hold is one connection for so long.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves until `end` says so, then gives the requests under way `grace` to finish; what runs after that is stopped.
pub async fn serve(app: Arc<App>, listener: TcpListener, mut end: watch::Receiver<Option<Duration>>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let grace = loop {
        let permit = tokio::select! {
            grace = ended(&mut end) => break grace,
            permit = Arc::clone(&room).acquire_owned() => permit.expect("the semaphore is never closed"),
        };
        let stream = tokio::select! {
            grace = ended(&mut end) => break grace,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: wait for some to come back rather than spin.
                    tracing::warn!(%error, "accepting a connection");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let (app, end) = (Arc::clone(&app), end.clone());
        connections.spawn(async move {
            serve_connection(app, stream, end).await;
            drop(permit);
        });
    };
    drop(listener);
    connections.close();
    let deadline = Instant::now() + grace;
    if timeout_at(deadline, connections.wait()).await.is_err() {
        tracing::warn!(running = app.running.count(), "stopping the statements that did not end in time");
        app.running.stop_all();
        let _ = timeout_at(deadline + Duration::from_secs(2), connections.wait()).await;
    }
}

/// Waits for the word to end, and returns the time given to finish. A dropped sender is the word too.
async fn ended(end: &mut watch::Receiver<Option<Duration>>) -> Duration {
    match end.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}

async fn serve_connection(app: Arc<App>, stream: TcpStream, mut end: watch::Receiver<Option<Duration>>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY");
    }
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(handle(app, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        _ = ended(&mut end) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // A client that went away: of interest to nobody but a developer.
        tracing::debug!(%error, "connection ended");
    }
}
