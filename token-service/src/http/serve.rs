//! Listeners: sockets, TLS, the end.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinHandle;

use crate::config::TlsFiles;

/// A listener that is being served.
#[derive(Debug)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    handle: Handle<SocketAddr>,
    task: JoinHandle<io::Result<()>>,
    tls: Option<Certificate>,
}

/// A certificate that can be exchanged.
#[derive(Clone, Debug)]
struct Certificate {
    files: TlsFiles,
    loaded: Vec<u8>,
    config: RustlsConfig,
}

/// Why nothing can be served.
#[derive(Debug)]
pub enum ServeError {
    /// The address cannot be listened on.
    Bind(SocketAddr, io::Error),
    /// The certificate or its key cannot be used.
    Tls(TlsFiles, String),
}

/// How long a peer may take for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long the head of a request may take, and how long a connection may be
/// idle.
const HEAD: Duration = Duration::from_secs(75);

impl Listener {
    /// Listens and answers.
    ///
    /// # Errors
    /// The address or the certificate cannot be used.
    pub(crate) fn start(
        address: SocketAddr,
        tls: Option<&TlsFiles>,
        router: Router,
    ) -> Result<Self, ServeError> {
        let tls = tls.map(Certificate::load).transpose()?;
        let bound = |problem| ServeError::Bind(address, problem);
        let socket = TcpListener::bind(address).map_err(bound)?;
        socket.set_nonblocking(true).map_err(bound)?;
        let real = socket.local_addr().map_err(bound)?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(socket)
            .map_err(bound)?
            .handle(handle.clone())
            .http1_only()
            .first_request_timeout(HEAD);
        server
            .http_builder()
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD);
        let service = router.into_make_service();
        let task = match &tls {
            Some(certificate) => {
                let config = certificate.config.clone();
                tokio::spawn(
                    server
                        .acceptor(RustlsAcceptor::new(config).handshake_timeout(HANDSHAKE))
                        .serve(service),
                )
            }
            None => tokio::spawn(server.serve(service)),
        };
        Ok(Self {
            address: real,
            handle,
            task,
            tls,
        })
    }

    /// Takes over a certificate that has been renewed. One that cannot be
    /// used leaves everything as it is.
    pub(crate) fn renew_certificate(&mut self) {
        let Some(current) = &mut self.tls else { return };
        if read(&current.files).is_ok_and(|read| read == current.loaded) {
            return;
        }
        match Certificate::load(&current.files) {
            Ok(new) => {
                current.config.reload_from_config(new.config.get_inner());
                current.loaded = new.loaded;
                tracing::info!(address = %self.address, "a renewed certificate");
            }
            Err(problem) => tracing::error!(%problem, "the old certificate is kept"),
        }
    }

    /// Takes no more connections, and lets requests end for so long.
    pub(crate) fn begin_stop(&self, time: Duration) {
        self.handle.graceful_shutdown(Some(time));
    }

    /// Waits for the end after [`Self::begin_stop`], or for a failure.
    pub(crate) async fn ended(&mut self) -> io::Result<()> {
        (&mut self.task)
            .await
            .unwrap_or_else(|problem| Err(io::Error::other(problem)))
    }
}

impl Certificate {
    fn load(files: &TlsFiles) -> Result<Self, ServeError> {
        let unusable =
            |problem: &dyn fmt::Display| ServeError::Tls(files.clone(), problem.to_string());
        let loaded = read(files).map_err(|problem| unusable(&problem))?;
        let chain = certificates(&files.certificate).map_err(|problem| unusable(&problem))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|problem| unusable(&problem))?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|problem| unusable(&problem))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            files: files.clone(),
            loaded,
            config: RustlsConfig::from_config(Arc::new(config)),
        })
    }
}

fn certificates(
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, rustls::pki_types::pem::Error> {
    CertificateDer::pem_file_iter(path)?.collect()
}

/// What tells a certificate from another: its own file. A key without its
/// certificate is never exchanged.
fn read(files: &TlsFiles) -> io::Result<Vec<u8>> {
    std::fs::read(&files.certificate)
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind(address, problem) => write!(f, "listening on {address}: {problem}"),
            Self::Tls(files, problem) => write!(
                f,
                "the certificate {} with the key {}: {problem}",
                files.certificate.display(),
                files.key.display()
            ),
        }
    }
}

impl core::error::Error for ServeError {}
