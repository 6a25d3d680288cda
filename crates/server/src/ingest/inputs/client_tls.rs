//! TLS of the connections that inputs open.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::ReadError;

/// Trusts the public authorities, or the one that is given instead.
pub fn config(authority: Option<&str>) -> Result<ClientConfig, ReadError> {
    Ok(ClientConfig::builder().with_root_certificates(roots(authority)?).with_no_client_auth())
}

/// The same for a connection to an address that was resolved and checked before: the certificate must be that of `host`.
pub fn config_for(authority: Option<&str>, host: &str) -> Result<ClientConfig, ReadError> {
    let failed = |what: String| ReadError::new(format!("TLS to {host}: {what}"));
    let inner = WebPkiServerVerifier::builder(Arc::new(roots(authority)?))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
    Ok(ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Named { inner, name }))
        .with_no_client_auth())
}

fn roots(authority: Option<&str>) -> Result<RootCertStore, ReadError> {
    let Some(pem) = authority else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| ReadError::new(format!("certificate_authority: {error}")))?;
        roots.add(certificate).map_err(|error| ReadError::new(format!("certificate_authority: {error}")))?;
    }
    if roots.is_empty() {
        return Err(ReadError::new("certificate_authority holds no certificate"));
    }
    Ok(roots)
}

/// Checks everything that is checked usually, against the name that was asked for instead of the address it led to.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
