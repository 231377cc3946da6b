//! The listener, with or without TLS 1.3.

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use deskstream_runtime::config::ConsoleConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::ExposeSecret;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long open requests may take to end on shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// The console could not be served.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub enum ServeError {
    #[error("listen on {address}: free it, or set console.listen")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("console.certificate holds no usable certificate: give a chain in PEM")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    #[error("console.private_key holds no usable key: give one in PEM")]
    Key(#[source] rustls::pki_types::pem::Error),
    #[error("console.certificate and console.private_key don't fit, or can't be used")]
    Pair(#[source] rustls::Error),
}

/// A running server.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Ends after shutdown, when open requests have ended.
    pub ended: JoinHandle<()>,
}

/// Serves until `shutdown`.
pub fn serve(
    config: &ConsoleConfig,
    router: Router,
    shutdown: CancellationToken,
) -> Result<Server, ServeError> {
    let bind = |source| ServeError::Bind { address: config.listen, source };
    let listener = TcpListener::bind(config.listen).map_err(bind)?;
    listener.set_nonblocking(true).map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    let stopping = handle.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        stopping.graceful_shutdown(Some(DRAIN));
    });
    let ended = match tls(config)? {
        Some(tls) => {
            let server = axum_server::from_tcp_rustls(listener, tls).map_err(bind)?.handle(handle);
            tokio::spawn(async move { told(server.serve(service).await) })
        }
        None => {
            let server = axum_server::from_tcp(listener).map_err(bind)?.handle(handle);
            tokio::spawn(async move { told(server.serve(service).await) })
        }
    };
    Ok(Server { address, ended })
}

fn told(served: std::io::Result<()>) {
    if let Err(error) = served {
        tracing::error!(%error, "the console is not served any more");
    }
}

fn tls(config: &ConsoleConfig) -> Result<Option<RustlsConfig>, ServeError> {
    let (Some(certificate), Some(key)) = (&config.certificate, &config.private_key) else { return Ok(None) };
    let chain = CertificateDer::pem_file_iter(certificate).map_err(ServeError::Certificate)?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(ServeError::Certificate)?;
    let key =
        PrivateKeyDer::from_pem_slice(key.expose().expose_secret().as_bytes()).map_err(ServeError::Key)?;
    let versions = [&rustls::version::TLS13];
    let mut server = rustls::ServerConfig::builder_with_protocol_versions(&versions)
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(ServeError::Pair)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(RustlsConfig::from_config(Arc::new(server))))
}
