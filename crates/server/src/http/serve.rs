//! Sockets: accepts connections, with TLS when configured, within bounds, until told to stop.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::from_fn_with_state;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower_http::compression::CompressionLayer;

use super::assets::{self, Assets};
use super::client::Peer;
use super::envelope::envelope;
use super::{elastic, router};
use crate::app::App;
use crate::config::Tls;

/// Bytes of a body where the handler does not say otherwise.
const BODY_BYTES_MAX: usize = 2 << 20;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HTTP2_STREAMS_MAX: u32 = 200;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("can't read {what} in {path}: {reason}")]
    Pem { what: &'static str, path: PathBuf, reason: String },
    #[error("certificate and key can't be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// Everything that is answered, in its layers.
pub fn service(app: &App, console: Assets) -> Router {
    let root = app.clone();
    router::api(app)
        .fallback(move |method: Method, uri: Uri, headers: HeaderMap| async move {
            if elastic::asks_for_root(&method, &uri, &headers) {
                return elastic::greeting(&root);
            }
            assets::serve(console, &method, &uri, &headers)
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(app.clone(), envelope))
        .with_state(app.clone())
}

/// What TLS needs, from the files of the configuration; `None` when there are none.
pub fn tls(config: &Tls) -> Result<Option<TlsAcceptor>, TlsError> {
    let (Some(certificate), Some(key)) = (&config.certificate, &config.key) else { return Ok(None) };
    let failed = |what, path: &Path, reason: String| TlsError::Pem { what, path: path.to_path_buf(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed("the certificate", certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(failed("the certificate", certificate, "there is none".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed("the key", key, error.to_string()))?;
    let mut server = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(server))))
}

/// Serves until the app is told to stop, then lets open requests end.
pub async fn serve(app: App, listener: TcpListener, tls: Option<TlsAcceptor>, service: Router) {
    let limits = &app.config.limits;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(limits.header_seconds));
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .keep_alive_interval(Duration::from_secs(30));
    let builder = Arc::new(builder);
    let graceful = Arc::new(GracefulShutdown::new());
    let room = Arc::new(Semaphore::new(limits.connections_max));
    loop {
        let permit = tokio::select! {
            () = app.stop.cancelled() => break,
            permit = room.clone().acquire_owned() => match permit {
                Ok(permit) => permit,
                Err(_) => break,
            },
        };
        let (stream, peer) = tokio::select! {
            () = app.stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: wait for some to come back.
                    tracing::warn!(%error, "can't accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (tls, service, builder, watcher) = (tls.clone(), service.clone(), builder.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _permit = permit;
            match tls {
                None => connection(stream, peer, service, &builder, watcher).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                        connection(stream, peer, service, &builder, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let wait = Duration::from_secs(app.config.limits.stop_seconds);
    if let Some(graceful) = Arc::into_inner(graceful)
        && tokio::time::timeout(wait, graceful.shutdown()).await.is_err()
    {
        tracing::warn!("some requests did not end within {} s", wait.as_secs());
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    service: Router,
    builder: &auto::Builder<TokioExecutor>,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service =
        tower::ServiceExt::map_request(service, move |mut request: axum::http::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.map(axum::body::Body::new) as Request
        });
    let served = watcher.watch(
        builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned(),
    );
    if let Err(error) = served.await {
        // Clients hang up in many ways; none of them is worth more than this.
        tracing::debug!(source.ip = %peer.ip(), "connection ended: {error}");
    }
}
