//! The flags of everything that listens.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::ValueEnum;
use flight::grpc::{ServerSettings, TlsFiles, TlsVersion};

use super::duration;

/// Address and grace period of HTTP.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HttpArgs {
    /// Listen address of HTTP.
    #[arg(long = "http-address", value_name = "HOST:PORT", default_value = "0.0.0.0:10902")]
    pub(crate) address: String,
    /// Time that open HTTP requests get to end at shutdown.
    #[arg(long = "http-grace-period", default_value = "2m", value_parser = duration::parse)]
    pub(crate) grace_period: Duration,
}

/// Addresses, grace periods, and TLS of gRPC.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    /// Listen address of gRPC.
    #[arg(long = "grpc-address", value_name = "HOST:PORT", default_value = "0.0.0.0:10901")]
    pub(crate) grpc_address: String,
    /// Time that open gRPC calls get to end at shutdown.
    #[arg(long = "grpc-grace-period", default_value = "2m", value_parser = duration::parse)]
    pub(crate) grpc_grace_period: Duration,
    /// Age at which a gRPC connection is closed gracefully.
    #[arg(
        long = "grpc-server-max-connection-age",
        default_value = "60m",
        value_parser = duration::parse
    )]
    pub(crate) grpc_max_connection_age: Duration,
    /// Certificate of gRPC as PEM; with it TLS is spoken. Read anew when the file changes.
    #[arg(
        long = "grpc-server-tls-cert",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    grpc_tls_cert: String,
    /// Key of that certificate as PEM.
    #[arg(
        long = "grpc-server-tls-key",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    grpc_tls_key: String,
    /// Certificates as PEM by which those of gRPC clients must be signed.
    #[arg(
        long = "grpc-server-tls-client-ca",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    grpc_tls_client_ca: String,
    /// Oldest TLS version of gRPC; 1.0 and 1.1 stand for 1.2, the oldest that is spoken.
    #[arg(long = "grpc-server-tls-min-version", value_enum, default_value = "1.3")]
    grpc_tls_min_version: MinVersion,
}

/// Thanos' names of TLS versions.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MinVersion {
    #[value(name = "1.0")]
    V10,
    #[value(name = "1.1")]
    V11,
    #[value(name = "1.2")]
    V12,
    #[value(name = "1.3")]
    V13,
}

impl ServerArgs {
    /// The settings of the gRPC server.
    pub(crate) fn grpc(&self) -> anyhow::Result<ServerSettings> {
        Ok(ServerSettings {
            max_connection_age: self.grpc_max_connection_age,
            grace: self.grpc_grace_period,
            tls: self.tls()?,
        })
    }

    fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        // As in Thanos, an empty path is none.
        let given = |path: &str| (!path.is_empty()).then(|| PathBuf::from(path));
        let client_ca = given(&self.grpc_tls_client_ca);
        match (given(&self.grpc_tls_cert), given(&self.grpc_tls_key)) {
            (None, None) => {
                ensure!(
                    client_ca.is_none(),
                    "--grpc-server-tls-client-ca needs --grpc-server-tls-cert and -key"
                );
                Ok(None)
            }
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate,
                key,
                client_ca,
                min_version: match self.grpc_tls_min_version {
                    MinVersion::V10 | MinVersion::V11 | MinVersion::V12 => TlsVersion::V12,
                    MinVersion::V13 => TlsVersion::V13,
                },
            })),
            _ => bail!("--grpc-server-tls-cert and --grpc-server-tls-key go together"),
        }
    }
}
