//! The flags of everything that listens.

use std::time::Duration;

use super::duration;

/// Addresses and grace periods.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// Listen address of HTTP.
    #[arg(long = "http-address", value_name = "HOST:PORT", default_value = "0.0.0.0:10902")]
    pub(crate) http_address: String,
    /// Time that open HTTP requests get to end at shutdown.
    #[arg(long = "http-grace-period", default_value = "2m", value_parser = duration::parse)]
    pub(crate) http_grace_period: Duration,
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
}
