//! TLS of the server: certificates that are read anew when their files change.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// The oldest version that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

impl TlsVersion {
    fn supported(self) -> &'static [&'static SupportedProtocolVersion] {
        static FROM_12: [&SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::V12 => &FROM_12,
            Self::V13 => &FROM_12[..1],
        }
    }
}

/// The files of a server's TLS, as PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate and those that it was signed with.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Whose certificates clients must have; without it they need none.
    pub client_ca: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// The configuration made from [`TlsFiles`], made anew when a file changes.
pub(super) struct Tls {
    files: TlsFiles,
    current: Mutex<(Vec<Stamp>, Arc<ServerConfig>)>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What tells that a file changed.
pub(crate) type Stamp = Option<(SystemTime, u64)>;

/// The stamp of a file; none if it cannot be looked at.
pub(crate) fn stamp(path: &Path) -> Stamp {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

impl Tls {
    /// Reads the files; one that is missing or wrong is an error that names it.
    pub(super) fn new(files: TlsFiles) -> io::Result<Self> {
        let stamps = files.stamps();
        let config = files.config()?;
        Ok(Self { files, current: Mutex::new((stamps, config)) })
    }

    /// The configuration for the next connection. Files that changed and are wrong now leave the one
    /// before in place, and are tried again with the next connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let stamps = self.files.stamps();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != stamps {
            match self.files.config() {
                Ok(config) => {
                    tracing::info!("TLS files are read anew");
                    *current = (stamps, config);
                }
                Err(error) => tracing::error!(err = %error, "TLS files changed; the old ones stay"),
            }
        }
        Arc::clone(&current.1)
    }
}

impl TlsFiles {
    fn stamps(&self) -> Vec<Stamp> {
        let all = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        all.into_iter().flatten().map(|path| stamp(path)).collect()
    }

    fn config(&self) -> io::Result<Arc<ServerConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.min_version.supported())
            .map_err(io::Error::other)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(path)? {
                    roots.add(certificate).map_err(|error| wrong(path, error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| wrong(path, error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|error| wrong(&self.key, error))?;
        let mut config = builder
            .with_single_cert(certificates(&self.certificate)?, key)
            .map_err(|error| wrong(&self.certificate, error))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path)
        .map_err(|error| io::Error::new(error.kind(), format!("read {}: {error}", path.display())))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let pem = read(path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match all {
        Ok(all) if all.is_empty() => Err(wrong(path, "there is no certificate in it")),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(path, error)),
    }
}

fn wrong(path: &Path, error: impl fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
}
