//! TLS of the syslog listeners: the server's certificate, the clients' authority, and who a client is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};

use crate::config::{self, ClientCertificate};
use crate::ingest::messages::ClientName;

/// How often the files are looked at, while clients come.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const NAME_CHARS_MAX: usize = 200;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("syslog.certificate and syslog.key are needed for syslog.tls and syslog.relp_tls")]
    Missing,
    #[error("can't read {what} in {path}: {reason}")]
    Pem { what: &'static str, path: PathBuf, reason: String },
    #[error("certificate and key can't be used")]
    Pair(#[from] rustls::Error),
    #[error("the authority of the clients can't be used: {0}")]
    Authority(#[from] rustls::server::VerifierBuilderError),
}

/// Gives the configuration for the next client; files that have changed are read again.
pub struct Acceptor {
    files: Files,
    current: Mutex<Current>,
}

#[derive(Debug, Clone)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    authority: Option<PathBuf>,
    client: ClientCertificate,
}

struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<(SystemTime, u64)>>,
    looked: Instant,
}

impl Acceptor {
    pub fn open(config: &config::Syslog) -> Result<Self, TlsError> {
        let (Some(certificate), Some(key)) = (config.certificate.clone(), config.key.clone()) else {
            return Err(TlsError::Missing);
        };
        let authority = config.client_authority.clone();
        let files = Files { certificate, key, authority, client: config.client_certificate };
        let stamps = files.stamps();
        let current = Current { config: files.read()?, stamps, looked: Instant::now() };
        Ok(Self { files, current: Mutex::new(current) })
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock();
        if current.looked.elapsed() >= LOOK_EVERY {
            current.looked = Instant::now();
            let stamps = self.files.stamps();
            if stamps != current.stamps {
                match self.files.read() {
                    Ok(config) => {
                        tracing::info!("the certificate of syslog over TLS was read again");
                        current.config = config;
                        current.stamps = stamps;
                    }
                    // Half-written files look like this for a moment; the next look will tell.
                    Err(error) => {
                        tracing::warn!(%error, "the changed certificate of syslog over TLS can't be used; the old one stays");
                    }
                }
            }
        }
        current.config.clone()
    }
}

impl Files {
    fn stamps(&self) -> Vec<Option<(SystemTime, u64)>> {
        [Some(&self.certificate), Some(&self.key), self.authority.as_ref()]
            .into_iter()
            .flatten()
            .map(|path| {
                let metadata = std::fs::metadata(path).ok()?;
                Some((metadata.modified().ok()?, metadata.len()))
            })
            .collect()
    }

    fn read(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates("the certificate", &self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| TlsError::Pem {
            what: "the key",
            path: self.key.clone(),
            reason: error.to_string(),
        })?;
        let builder = ServerConfig::builder();
        let builder = match &self.authority {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("the authority of the clients", authority)? {
                    roots.add(certificate)?;
                }
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
                let verifier = match self.client {
                    ClientCertificate::Required => verifier,
                    ClientCertificate::Optional => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut config = builder.with_single_cert(chain, key)?;
        // A sender that never reads would leave a ticket unread, and closing then resets the connection: what it had
        // just sent could be lost with it.
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::Pem { what, path: path.to_path_buf(), reason };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("there is none".to_owned())) } else { Ok(found) }
}

/// Who a client is, by the certificate that it proved to hold.
pub fn client(certificate: &CertificateDer<'_>) -> ClientName {
    let fingerprint: String = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect();
    let (mut name, mut subject) = (String::new(), String::new());
    if let Ok((_, parsed)) = x509_parser::parse_x509_certificate(certificate) {
        subject = clean(&parsed.subject().to_string());
        let common = parsed.subject().iter_common_name().next().and_then(|common| common.as_str().ok());
        name = common.map(clean).unwrap_or_default();
    }
    if name.is_empty() {
        name = if subject.is_empty() { format!("sha256:{fingerprint}") } else { subject.clone() };
    }
    ClientName { name, subject, fingerprint }
}

/// Whoever signs a certificate may write anything into it.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect::<String>().trim().to_owned()
}
