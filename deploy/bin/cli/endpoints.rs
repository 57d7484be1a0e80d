//! The endpoints of a querier: flags of Thanos' `query`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use flight::endpoints::ConnectionLabel;
use flight::endpoints::discovery::Sources;
use flight::endpoints::dns::Dns;
use flight::endpoints::spec::{ClientSpec, Compression, Spec, TlsSpec};

use super::duration;

/// Where the endpoints are, and how they are reached.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EndpointArgs {
    /// Address of a Thanos or Stoa gRPC endpoint; repeatable. Prefixes look names up: dns+ (A),
    /// dnssrv+ (SRV, then A), dnssrvnoa+ (SRV), dnsdualstack+ (AAAA and A).
    #[arg(long = "endpoint", value_name = "HOST:PORT")]
    endpoints: Vec<String>,
    /// Address of an endpoint that is always asked, even if it does not answer; repeatable.
    #[arg(long = "endpoint-strict", value_name = "HOST:PORT")]
    strict: Vec<String>,
    /// Name behind which all addresses are one endpoint; repeatable.
    #[arg(long = "endpoint-group", value_name = "NAME")]
    groups: Vec<String>,
    /// Such a name that is always asked; repeatable.
    #[arg(long = "endpoint-group-strict", value_name = "NAME")]
    strict_groups: Vec<String>,
    /// Older name of --endpoint.
    #[arg(long = "store", value_name = "HOST:PORT", hide = true)]
    stores: Vec<String>,
    /// Endpoints as YAML: default_client_config, endpoints.
    #[arg(long = "endpoint.sd-config", value_name = "YAML", conflicts_with = "config_file")]
    config: Option<String>,
    /// Path of a file with endpoints as YAML; read again when it is time.
    #[arg(long = "endpoint.sd-config-file", value_name = "PATH")]
    config_file: Option<PathBuf>,
    /// How often that file is read again.
    #[arg(
        long = "endpoint.sd-config-reload-interval",
        default_value = "5m",
        value_parser = duration::parse
    )]
    config_interval: Duration,
    /// Path of a file with addresses, as Prometheus' file_sd; * and ? in its name; repeatable.
    #[arg(long = "store.sd-files", value_name = "PATH")]
    files: Vec<PathBuf>,
    /// How often those files are read again.
    #[arg(long = "store.sd-interval", default_value = "5m", value_parser = duration::parse)]
    files_interval: Duration,
    /// How often names are looked up again.
    #[arg(long = "store.sd-dns-interval", default_value = "30s", value_parser = duration::parse)]
    dns_interval: Duration,
    /// DNS server that is asked for names, as in 127.0.0.1:8600 (default: those of the system).
    #[arg(long = "store.sd-dns-server", value_name = "IP:PORT")]
    dns_server: Option<SocketAddr>,
    /// How long an endpoint that does not answer is still expected back.
    #[arg(long = "store.unhealthy-timeout", default_value = "5m", value_parser = duration::parse)]
    pub(crate) unhealthy_timeout: Duration,
    /// The longest that a frame of an endpoint's answer may take; 0ms is half of --query.timeout.
    #[arg(long = "store.response-timeout", default_value = "0ms", value_parser = duration::parse)]
    pub(crate) response_timeout: Duration,
    /// The longest that an endpoint may take to say what it is.
    #[arg(
        long = "endpoint.info-timeout",
        default_value = "5s",
        value_parser = duration::parse,
        hide = true
    )]
    pub(crate) info_timeout: Duration,
    /// Ask Stoa's endpoints for run batches, over Arrow Flight; if not, StoreAPI is asked as of
    /// Thanos' endpoints.
    #[arg(long = "endpoint.run-batches", default_value = "true")]
    pub(crate) runs: bool,
    /// Label of the metric that counts endpoints: external_labels, store_type or ip_port; repeatable.
    #[arg(
        long = "query.conn-metric.label",
        value_name = "LABEL",
        value_enum,
        default_values_t = [ConnectionName::ExternalLabels, ConnectionName::StoreType]
    )]
    connection_labels: Vec<ConnectionName>,
    /// Reach endpoints over TLS.
    #[arg(long = "grpc-client-tls-secure")]
    tls: bool,
    /// Take any certificate of an endpoint.
    #[arg(long = "grpc-client-tls-skip-verify")]
    tls_skip_verify: bool,
    /// Path of the certificate shown to endpoints.
    #[arg(long = "grpc-client-tls-cert", value_name = "PATH")]
    tls_cert: Option<String>,
    /// Path of its key.
    #[arg(long = "grpc-client-tls-key", value_name = "PATH")]
    tls_key: Option<String>,
    /// Path of the certificates that sign those of endpoints (default: the system's).
    #[arg(long = "grpc-client-tls-ca", value_name = "PATH")]
    tls_ca: Option<String>,
    /// Name in the endpoints' certificates (default: that of their address).
    #[arg(
        long = "grpc-client-server-name",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    server_name: String,
    /// How messages to and from endpoints are compressed.
    #[arg(long = "grpc-compression", value_enum, default_value = "none")]
    compression: CompressionName,
}

/// `--grpc-compression`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompressionName {
    None,
    Snappy,
}

impl From<CompressionName> for Compression {
    fn from(name: CompressionName) -> Self {
        match name {
            CompressionName::None => Self::None,
            CompressionName::Snappy => Self::Snappy,
        }
    }
}

/// `--query.conn-metric.label`.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum ConnectionName {
    ExternalLabels,
    StoreType,
    IpPort,
}

impl From<ConnectionName> for ConnectionLabel {
    fn from(name: ConnectionName) -> Self {
        match name {
            ConnectionName::ExternalLabels => Self::ExternalLabels,
            ConnectionName::StoreType => Self::StoreType,
            ConnectionName::IpPort => Self::Address,
        }
    }
}

impl EndpointArgs {
    /// Who is asked for names.
    pub(crate) fn dns(&self) -> anyhow::Result<Dns> {
        Ok(match self.dns_server {
            Some(server) => Dns::server(server)?,
            None => Dns::system()?,
        })
    }

    /// By what the endpoints that answer are counted.
    pub(crate) fn connection_labels(&self) -> Vec<ConnectionLabel> {
        self.connection_labels.iter().map(|&name| name.into()).collect()
    }

    /// What the flags say, checked.
    pub(crate) fn sources(&self) -> anyhow::Result<Sources> {
        // An empty path is none, as in Thanos.
        let path = |path: &Option<String>| {
            path.as_deref().filter(|path| !path.is_empty()).map(PathBuf::from)
        };
        let tls = TlsSpec {
            skip_verify: self.tls_skip_verify,
            cert: path(&self.tls_cert),
            key: path(&self.tls_key),
            ca: path(&self.tls_ca),
        };
        let client = ClientSpec {
            tls: self.tls.then_some(tls),
            server_name: self.server_name.clone(),
            compression: self.compression.into(),
        };
        let said = [
            ("--endpoint", &self.endpoints, false, false),
            ("--store", &self.stores, false, false),
            ("--endpoint-strict", &self.strict, true, false),
            ("--endpoint-group", &self.groups, false, true),
            ("--endpoint-group-strict", &self.strict_groups, true, true),
        ];
        let mut flags = Vec::new();
        for (flag, addresses, strict, group) in said {
            for address in addresses {
                flags.push(Spec::new(address, strict, group, client.clone()).context(flag)?);
            }
        }
        Ok(Sources {
            flags,
            config: self.config.clone(),
            config_file: self.config_file.clone(),
            config_interval: self.config_interval,
            files: self.files.clone(),
            files_interval: self.files_interval,
            dns_interval: self.dns_interval,
            client,
        })
    }
}
