//! A small HTTP/1.1 server on loopback that can also hang up without an answer.
//!
//! `axum::serve` always answers; a client must also meet the connection that ends before any answer came, so
//! the accept loop is hyper's own here. A response carrying [`HangUp`] is never written: the connection is
//! closed instead. A `.json` at the end of a path is cut off before routing, since every vendor route here
//! is documented with and without it.

use axum::Router;
use axum::body::Body;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Response extension: close the connection instead of answering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HangUp;

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves `router` on 127.0.0.1. Port 0 takes a free one.
    pub(crate) async fn start(port: u16, router: Router) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, router, stop.clone(), tasks.clone()));
        tasks.close();
        Ok(Self { address, stop, tasks })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Closes the listener and every connection, and waits until they are gone.
    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn accept(listener: TcpListener, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tasks.spawn(connection(stream, router.clone(), stop.clone()));
                }
                // Out of file descriptors, or the peer left already: both pass.
                Err(error) => {
                    tracing::debug!(%error, "sample server could not accept");
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Small answers; Nagle would add 40 ms to every other one.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(router.clone(), request));
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        () = stop.cancelled() => {}
        _ = connection => {}
    }
}

async fn answer(router: Router, mut request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    if let Some(uri) = without_json_suffix(request.uri()) {
        *request.uri_mut() = uri;
    }
    let response = match router.oneshot(request.map(Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if response.extensions().get::<HangUp>().is_some() {
        return Err(io::Error::other("hung up by script"));
    }
    Ok(response)
}

fn without_json_suffix(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix(".json")?;
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_json_suffix_of_the_path_is_cut() {
        let cut = |uri: &str| without_json_suffix(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(
            cut("/api/v2/tickets/1.json?include=users.json").as_deref(),
            Some("/api/v2/tickets/1?include=users.json")
        );
        assert_eq!(cut("/api/v2/tickets/1?a=b.json"), None);
    }
}
