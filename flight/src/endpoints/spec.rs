//! What is configured: flags and the YAML of `--endpoint.sd-config`, as Thanos has them
//! (`cmd/thanos/endpointset.go`).

use std::path::PathBuf;

use engine::{Error, Result};
use serde::Deserialize;

use super::dns;

/// The longest YAML that is read.
pub(super) const YAML_BYTES_MAX: usize = 4 << 20;

/// An endpoint, or a name behind which there are some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// `host:port`, or a name with a prefix for DNS.
    pub address: String,
    /// Whether it is always asked, and never forgotten.
    pub strict: bool,
    /// Whether all addresses behind it are one endpoint.
    pub group: bool,
    /// How it is reached.
    pub client: ClientSpec,
}

/// How an endpoint is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSpec {
    /// TLS, if it is used.
    pub tls: Option<TlsSpec>,
    /// The name in the server's certificate, if not that of the address.
    pub server_name: String,
    /// How messages are compressed.
    pub compression: Compression,
}

/// How messages to and from an endpoint are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Thanos' snappy, in both directions.
    Snappy,
}

/// TLS towards an endpoint; paths of PEM files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSpec {
    /// Whether any certificate is taken.
    pub skip_verify: bool,
    /// Our certificate.
    pub cert: Option<PathBuf>,
    /// Our key.
    pub key: Option<PathBuf>,
    /// Who signs the servers' certificates; the system's roots if none.
    pub ca: Option<PathBuf>,
}

impl Spec {
    /// A spec, checked: an address behind which there may be others cannot be strict by itself.
    pub fn new(address: &str, strict: bool, group: bool, client: ClientSpec) -> Result<Self> {
        let spec = Self { address: address.to_owned(), strict, group, client };
        if address.is_empty() {
            return Err(Error::invalid("an endpoint has an empty address"));
        }
        if strict && dns::split(address).is_some() {
            return Err(Error::invalid(format!(
                "{address} is a dynamically specified endpoint, which is not permitted under strict \
                 mode"
            )));
        }
        if dns::split(address).is_none() && address.contains('+') {
            return Err(Error::invalid(format!("{address}: an unknown kind of lookup")));
        }
        Ok(spec)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    default_client_config: Option<Client>,
    endpoints: Vec<Settings>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    address: String,
    strict: bool,
    group: bool,
    service_config: String,
    client_config: Option<Client>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Client {
    tls_config: Option<Tls>,
    server_name: String,
    compression: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Tls {
    enabled: Option<bool>,
    insecure_skip_verify: Option<bool>,
    cert_file: Option<String>,
    key_file: Option<String>,
    ca_file: Option<String>,
    min_version: Option<String>,
}

/// The specs in an sd-config; `flags` is what the flags say about TLS, for endpoints that say nothing.
///
/// # Errors
/// [`Invalid`](engine::ErrorKind::Invalid) for unknown keys and values.
pub fn parse(yaml: &str, flags: &ClientSpec) -> Result<Vec<Spec>> {
    if yaml.trim().is_empty() {
        return Ok(Vec::new());
    }
    let config: Config = from_yaml(yaml)?;
    let default = match &config.default_client_config {
        Some(client) => client.spec(flags)?,
        None => flags.clone(),
    };
    config
        .endpoints
        .iter()
        .map(|endpoint| {
            if !endpoint.group && !endpoint.service_config.is_empty() {
                return Err(Error::invalid(format!(
                    "{}: service_config is only valid for endpoint groups",
                    endpoint.address
                )));
            }
            let client = match &endpoint.client_config {
                Some(client) => {
                    client.spec(&default).map_err(|error| error.context(&endpoint.address))?
                }
                None => default.clone(),
            };
            Spec::new(&endpoint.address, endpoint.strict, endpoint.group, client)
        })
        .collect()
}

/// Reads YAML of a bounded size.
pub(super) fn from_yaml<T: serde::de::DeserializeOwned>(yaml: &str) -> Result<T> {
    if yaml.len() > YAML_BYTES_MAX {
        return Err(Error::invalid(format!("more than {YAML_BYTES_MAX} bytes of YAML")));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        budget: serde_saphyr::budget! { max_nodes: 200_000, max_depth: 32, max_events: 1_000_000 },
    };
    serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| Error::invalid(error.without_snippet().to_string()))
}

impl Client {
    /// What it says, over what `fallback` says.
    fn spec(&self, fallback: &ClientSpec) -> Result<ClientSpec> {
        let compression = match self.compression.as_str() {
            "" => fallback.compression,
            "none" => Compression::None,
            "snappy" => Compression::Snappy,
            other => {
                return Err(Error::invalid(format!(
                    "compression: {other:?}, must be \"none\" or \"snappy\""
                )));
            }
        };
        let server_name = match self.server_name.as_str() {
            "" => fallback.server_name.clone(),
            name => name.to_owned(),
        };
        let Some(tls) = &self.tls_config else {
            return Ok(ClientSpec { tls: fallback.tls.clone(), server_name, compression });
        };
        if let Some(version) = &tls.min_version
            && !matches!(version.as_str(), "1.2" | "1.3")
        {
            return Err(Error::invalid(format!(
                "min_version: {version:?}, must be \"1.2\" or \"1.3\""
            )));
        }
        let says_something = tls.cert_file.is_some()
            || tls.key_file.is_some()
            || tls.ca_file.is_some()
            || tls.insecure_skip_verify.is_some();
        let enabled = tls.enabled.unwrap_or(says_something || fallback.tls.is_some());
        let base = fallback.tls.clone().unwrap_or_default();
        let file = |given: &Option<String>, base: Option<PathBuf>| match given {
            Some(path) => (!path.is_empty()).then(|| PathBuf::from(path)),
            None => base,
        };
        let tls = TlsSpec {
            skip_verify: tls.insecure_skip_verify.unwrap_or(base.skip_verify),
            cert: file(&tls.cert_file, base.cert),
            key: file(&tls.key_file, base.key),
            ca: file(&tls.ca_file, base.ca),
        };
        Ok(ClientSpec { tls: enabled.then_some(tls), server_name, compression })
    }
}
