//! `--prometheus.http-client`: how to reach a Prometheus (Thanos' `pkg/clientconfig`).
//!
//! Unknown keys are errors that name the key. No value appears in an error: it may be a secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Error, Result};
use reqwest::{Certificate, ClientBuilder, Identity, Proxy, RequestBuilder};
use serde::Deserialize;

/// A connection is there within this by default.
const CONNECT: Duration = Duration::from_secs(5);
/// No file of credentials or certificates is longer.
const MAX_FILE: u64 = 1 << 20;

/// How to reach a server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    basic_auth: BasicAuth,
    bearer_token: Secret,
    bearer_token_file: PathBuf,
    proxy_url: Secret,
    tls_config: TlsConfig,
    transport_config: TransportConfig,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BasicAuth {
    username: String,
    password: Secret,
    password_file: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsConfig {
    ca_file: PathBuf,
    cert_file: PathBuf,
    key_file: PathBuf,
    server_name: String,
    insecure_skip_verify: bool,
}

/// Tuning of Go's transport, durations in ns as there. What has no effect here is taken and logged.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TransportConfig {
    max_idle_conns: Option<i64>,
    max_idle_conns_per_host: Option<usize>,
    idle_conn_timeout: Option<u64>,
    response_header_timeout: Option<u64>,
    expect_continue_timeout: Option<u64>,
    max_conns_per_host: Option<i64>,
    disable_compression: Option<bool>,
    tls_handshake_timeout: Option<u64>,
    dialer_timeout: Option<u64>,
}

/// A text that no output shows.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "<secret>" })
    }
}

/// What a request says of who asks. Files are read for each request: they may be rotated.
#[derive(Debug, Clone)]
pub(super) enum Credentials {
    None,
    Basic(String, Secret),
    BasicFile(String, PathBuf),
    Bearer(Secret),
    BearerFile(PathBuf),
}

impl HttpConfig {
    /// Reads Thanos' YAML; an empty text is the default.
    pub fn from_yaml(yaml: &str) -> Result<Self> {
        if yaml.trim().is_empty() {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! {
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
            budget: serde_saphyr::budget! { max_nodes: 1_000, max_depth: 16, max_events: 5_000 },
        };
        serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
            let what = match error.without_snippet() {
                serde_saphyr::Error::SerdeUnknownField { field, .. } => {
                    format!("unknown key {field}")
                }
                serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
                    format!("key {key:?} occurs twice")
                }
                _ => "not valid YAML of an HTTP client, or a value of another type".to_owned(),
            };
            Error::invalid(match error.location() {
                Some(at) => format!("line {}, column {}: {what}", at.line(), at.column()),
                None => what,
            })
        })
    }

    /// A client, and the credentials of its requests.
    pub(super) fn into_client(self) -> Result<(ClientBuilder, Credentials)> {
        let credentials = self.credentials()?;
        let transport = &self.transport_config;
        let ns = |given: Option<u64>| given.filter(|&ns| ns > 0).map(Duration::from_nanos);
        let connect = ns(transport.dialer_timeout).unwrap_or(CONNECT);
        let mut builder = ClientBuilder::new().connect_timeout(connect).no_proxy();
        if let Some(idle) = ns(transport.idle_conn_timeout) {
            builder = builder.pool_idle_timeout(idle);
        }
        if let Some(most) = transport.max_idle_conns_per_host {
            builder = builder.pool_max_idle_per_host(most);
        }
        for (key, given) in [
            ("max_idle_conns", transport.max_idle_conns.is_some()),
            ("response_header_timeout", transport.response_header_timeout.is_some()),
            ("expect_continue_timeout", transport.expect_continue_timeout.is_some()),
            ("max_conns_per_host", transport.max_conns_per_host.is_some()),
            ("disable_compression", transport.disable_compression.is_some()),
            ("tls_handshake_timeout", transport.tls_handshake_timeout.is_some()),
        ] {
            if given {
                tracing::info!(key, "key of transport_config without effect");
            }
        }
        if !self.proxy_url.0.is_empty() {
            let proxy =
                Proxy::all(&self.proxy_url.0).map_err(|_| Error::invalid("proxy_url: no URL"))?;
            builder = builder.proxy(proxy);
        }
        Ok((self.tls_config.apply(builder)?, credentials))
    }

    fn credentials(&self) -> Result<Credentials> {
        let basic = &self.basic_auth;
        let has = |path: &Path| !path.as_os_str().is_empty();
        let is_basic =
            !basic.username.is_empty() || !basic.password.0.is_empty() || has(&basic.password_file);
        let bearers = [!self.bearer_token.0.is_empty(), has(&self.bearer_token_file)];
        if usize::from(is_basic) + bearers.iter().filter(|&&given| given).count() > 1 {
            return Err(Error::invalid(
                "at most one of basic_auth, bearer_token and bearer_token_file may be given",
            ));
        }
        if !basic.password.0.is_empty() && has(&basic.password_file) {
            return Err(Error::invalid("basic_auth: both password and password_file are given"));
        }
        Ok(if is_basic && has(&basic.password_file) {
            Credentials::BasicFile(basic.username.clone(), basic.password_file.clone())
        } else if is_basic {
            Credentials::Basic(basic.username.clone(), basic.password.clone())
        } else if has(&self.bearer_token_file) {
            Credentials::BearerFile(self.bearer_token_file.clone())
        } else if !self.bearer_token.0.is_empty() {
            Credentials::Bearer(self.bearer_token.clone())
        } else {
            Credentials::None
        })
    }
}

impl TlsConfig {
    fn apply(self, mut builder: ClientBuilder) -> Result<ClientBuilder> {
        let given = |path: &Path| !path.as_os_str().is_empty();
        if given(&self.ca_file) {
            let pem = small_file("tls_config.ca_file", &self.ca_file)?;
            let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(Error::invalid("tls_config.ca_file: no certificates in PEM"));
            }
            // As in Go, the file replaces the system's roots.
            builder = builder.tls_built_in_root_certs(false);
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if given(&self.cert_file) != given(&self.key_file) {
            return Err(Error::invalid("tls_config: give both cert_file and key_file"));
        }
        if given(&self.cert_file) {
            let mut pem = small_file("tls_config.key_file", &self.key_file)?;
            pem.push(b'\n');
            pem.extend(small_file("tls_config.cert_file", &self.cert_file)?);
            let identity = Identity::from_pem(&pem).map_err(|_| {
                Error::invalid("tls_config: cert_file and key_file are no certificate with its key")
            })?;
            builder = builder.identity(identity);
        }
        if !self.server_name.is_empty() {
            return Err(Error::unsupported(
                "tls_config.server_name is not supported: the name comes from the URL",
            ));
        }
        Ok(builder.danger_accept_invalid_certs(self.insecure_skip_verify))
    }
}

impl Credentials {
    /// The request with the credentials.
    pub(super) fn add(&self, request: RequestBuilder) -> Result<RequestBuilder> {
        Ok(match self {
            Self::None => request,
            Self::Basic(user, password) => request.basic_auth(user, Some(&password.0)),
            Self::BasicFile(user, file) => {
                request.basic_auth(user, Some(secret_file("basic_auth.password_file", file)?))
            }
            Self::Bearer(token) => request.bearer_auth(&token.0),
            Self::BearerFile(file) => request.bearer_auth(secret_file("bearer_token_file", file)?),
        })
    }
}

fn secret_file(key: &str, path: &Path) -> Result<String> {
    let text = String::from_utf8(small_file(key, path)?)
        .map_err(|_| Error::invalid(format!("{key} {}: not a text", path.display())))?;
    Ok(text.trim().to_owned())
}

fn small_file(key: &str, path: &Path) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let failed = |e| Error::invalid(format!("{key} {}", path.display())).with_source(e);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
