//! `http_config` (Thanos `exthttp.HTTPConfig`) and the bounds of retries.

use std::time::Duration;

use object_store::client::{Certificate, ClientOptions};
use object_store::{BackoffConfig, RetryConfig};

use crate::{Error, Result};

use super::yaml::Section;

/// Keys of `http_config` that tune Go's transport and mean nothing here.
const WITHOUT_EFFECT: &[&str] =
    &["expect_continue_timeout", "max_idle_conns", "max_conns_per_host", "disable_compression"];

/// A request, its answer's body included, ends within this by default (`response_header_timeout`).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// A connection is there within this by default (`tls_handshake_timeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a request is tried again by default, and for how long at most.
const RETRIES: usize = 5;
const RETRY_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads `http_config`.
pub(super) fn client_options(mut http: Section, allow_http: bool) -> Result<ClientOptions> {
    let mut options = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_timeout(http.duration("response_header_timeout")?.unwrap_or(REQUEST_TIMEOUT))
        .with_connect_timeout(http.duration("tls_handshake_timeout")?.unwrap_or(CONNECT_TIMEOUT))
        .with_pool_idle_timeout(
            http.duration("idle_conn_timeout")?.unwrap_or(Duration::from_secs(90)),
        );
    if let Some(most) = http.number("max_idle_conns_per_host")? {
        options = options.with_pool_max_idle_per_host(usize::try_from(most).unwrap_or(usize::MAX));
    }
    let mut insecure = http.flag("insecure_skip_verify")?.unwrap_or(false);
    let mut tls = http.section("tls_config")?;
    insecure |= tls.flag("insecure_skip_verify")?.unwrap_or(false);
    if let Some(file) = tls.filled("ca_file")? {
        let pem = std::fs::read(&file).map_err(|e| {
            Error::invalid(format!("config.http_config.tls_config.ca_file {file:?}")).with_source(e)
        })?;
        for certificate in Certificate::from_pem_bundle(&pem).map_err(|_| {
            Error::invalid(format!(
                "config.http_config.tls_config.ca_file {file:?}: no certificates in PEM"
            ))
        })? {
            options = options.with_root_certificate(certificate);
        }
    }
    for key in ["cert_file", "key_file"] {
        if tls.filled(key)?.is_some() {
            return Err(tls.unsupported(key, "client certificates"));
        }
    }
    if tls.filled("server_name")?.is_some() {
        return Err(tls.unsupported("server_name", "the name comes from the endpoint"));
    }
    tls.finish()?;
    http.without_effect(WITHOUT_EFFECT);
    http.finish()?;
    Ok(options.with_allow_invalid_certificates(insecure))
}

/// Bounded retries; `max_retries` counts attempts, as in the clients that Thanos uses, and 0 means
/// the default.
pub(super) fn retry(max_retries: Option<u64>) -> RetryConfig {
    let max_retries = match max_retries {
        None | Some(0) => RETRIES,
        Some(attempts) => usize::try_from(attempts - 1).unwrap_or(usize::MAX).min(20),
    };
    RetryConfig {
        max_retries,
        retry_timeout: RETRY_TIMEOUT,
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
    }
}
