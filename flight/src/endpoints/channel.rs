//! Connections to endpoints.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::{Error, ErrorKind, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::spec::{ClientSpec, TlsSpec};

/// The longest that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Thanos' keepalive: a ping every 10 s, answered within 5.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer may be under way. A query reads several answers at once and may leave one
/// until another has ended; the window of the connection has room for so many that none stops the
/// others.
const STREAM_WINDOW: u32 = 2 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;
/// The longest frame of HTTP/2: answers come in messages of about a MiB.
const FRAME_BYTES: u32 = 256 << 10;

/// How the endpoint at `host:port` is reached. TLS files are read now.
///
/// # Errors
/// [`Invalid`](ErrorKind::Invalid) for an address that is none, and for TLS files that cannot be read.
pub fn endpoint(address: &str, client: &ClientSpec) -> Result<Endpoint> {
    let scheme = if client.tls.is_some() { "https" } else { "http" };
    let wrong = || Error::invalid(format!("{address}: not an address host:port"));
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(|error| wrong().with_source(error))?;
    if endpoint.uri().port_u16().is_none() || endpoint.uri().path() != "/" {
        return Err(wrong());
    }
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(FRAME_BYTES);
    match &client.tls {
        None => Ok(endpoint),
        Some(tls) => with_tls(endpoint, tls, &client.server_name)
            .map_err(|error| error.context(format!("{address}: TLS"))),
    }
}

fn with_tls(endpoint: Endpoint, tls: &TlsSpec, server_name: &str) -> Result<Endpoint> {
    let mut config = ClientTlsConfig::new();
    if !server_name.is_empty() {
        config = config.domain_name(server_name);
    }
    match (&tls.cert, &tls.key) {
        (None, None) => {}
        (Some(cert), Some(key)) => {
            config = config.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        _ => return Err(Error::invalid("a certificate needs a key, and a key a certificate")),
    }
    let failed = |error: tonic::transport::Error| {
        Error::new(ErrorKind::Invalid, "the configuration is refused").with_source(error)
    };
    if tls.skip_verify {
        let verifier = Arc::new(AnyCertificate(rustls::crypto::ring::default_provider()));
        return endpoint.tls_config_with_verifier(config, verifier).map_err(failed);
    }
    config = match &tls.ca {
        Some(ca) => config.ca_certificate(Certificate::from_pem(read(ca)?)),
        None => config.with_native_roots(),
    };
    endpoint.tls_config(config).map_err(failed)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Error::invalid(format!("read {}", path.display())).with_source(error))
}

/// `--grpc-client-tls-skip-verify`: whoever answers is believed to be who he says.
#[derive(Debug)]
struct AnyCertificate(CryptoProvider);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
