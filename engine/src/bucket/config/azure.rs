//! `type: AZURE` (Thanos `providers/azure`).

use object_store::azure::MicrosoftAzureBuilder;

use crate::{Error, Result};

use super::yaml::Section;
use super::{Environment, Parts, http, secrets::Secrets};
use crate::bucket::upload::UploadSettings;

/// Keys that tune the Go client and mean nothing here. `storage_create_container` is one of them:
/// a container is never created, a missing one is an error.
const WITHOUT_EFFECT: &[&str] = &["storage_create_container", "msi_resource"];

/// Where a workload's identity comes from when the YAML has none.
const FEDERATED_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

pub(super) fn build(mut config: Section, environment: Environment<'_>) -> Result<Parts> {
    let mut secrets = Secrets::default();
    let account = config.required("storage_account")?;
    let container = config.required("container")?;
    let host = config.filled("endpoint")?.unwrap_or_else(|| "blob.core.windows.net".to_owned());
    let key = config.filled("storage_account_key")?;
    let connection = config.filled("storage_connection_string")?;
    let identity = config.filled("user_assigned_id")?;
    let tenant = config.filled("az_tenant_id")?;
    let client = config.filled("client_id")?;
    let client_secret = config.filled("client_secret")?;
    for secret in [&key, &connection, &client_secret] {
        secrets.add(secret.as_deref());
    }
    let ways = [
        ("storage_account_key", key.is_some()),
        ("storage_connection_string", connection.is_some()),
        ("user_assigned_id", identity.is_some()),
        ("client_id", client.is_some()),
    ];
    let mut set = ways.iter().filter(|(_, set)| *set).map(|(name, _)| name);
    if let (Some(first), Some(second)) = (set.next(), set.next()) {
        return Err(Error::invalid(format!(
            "config.{first} and config.{second} exclude each other"
        )));
    }

    let connection = match &connection {
        Some(text) => Some(Connection::parse(text)?),
        None => None,
    };
    let endpoint = connection
        .as_ref()
        .and_then(Connection::endpoint)
        .unwrap_or_else(|| format!("https://{account}.{host}"));
    let max_retries = config.number("max_retries")?;
    let mut pipeline = config.section("pipeline_config")?;
    let tries = pipeline.number("max_tries")?.or(max_retries);
    pipeline.without_effect(&["try_timeout", "retry_delay", "max_retry_delay"]);
    pipeline.finish()?;
    let mut reader = config.section("reader_config")?;
    reader.without_effect(&["max_retry_requests"]);
    reader.finish()?;

    let mut builder = MicrosoftAzureBuilder::new()
        .with_account(&account)
        .with_container_name(&container)
        .with_retry(http::retry(tries))
        .with_client_options(http::client_options(
            config.section("http_config")?,
            endpoint.starts_with("http://"),
        )?)
        .with_endpoint(endpoint);
    match (connection, key, client, client_secret, tenant) {
        (Some(connection), ..) => {
            if let Some(name) = connection.account {
                builder = builder.with_account(name);
            }
            secrets.add(connection.key.as_deref());
            if let Some(key) = connection.key {
                builder = builder.with_access_key(key);
            } else if !connection.sas.is_empty() {
                for (_, value) in connection.sas.iter().filter(|(name, _)| name == "sig") {
                    secrets.add(Some(value));
                }
                builder = builder.with_sas_authorization(connection.sas);
            }
        }
        (None, Some(key), ..) => builder = builder.with_access_key(key),
        (None, None, Some(client), Some(secret), Some(tenant)) => {
            builder = builder.with_client_secret_authorization(client, secret, tenant);
        }
        (None, None, None, None, None) => {
            if let Some(client) = identity.or_else(|| environment("AZURE_CLIENT_ID")) {
                builder = builder.with_client_id(client);
            }
            if let (Some(file), Some(tenant)) =
                (environment(FEDERATED_TOKEN_FILE), environment("AZURE_TENANT_ID"))
            {
                builder = builder.with_federated_token_file(file).with_tenant_id(tenant);
            }
        }
        _ => {
            return Err(Error::invalid(
                "config.az_tenant_id, config.client_id and config.client_secret: all must be set, \
                 or none",
            ));
        }
    }
    config.without_effect(WITHOUT_EFFECT);
    config.finish()?;
    let store = builder.build().map_err(|e| secrets.invalid("config", &e))?;
    Ok(Parts {
        store: Box::new(store),
        name: container,
        secrets,
        upload: UploadSettings::default(),
    })
}

/// A storage connection string: `Name=Value` pairs with semicolons between.
#[derive(Default)]
struct Connection {
    protocol: Option<String>,
    account: Option<String>,
    key: Option<String>,
    suffix: Option<String>,
    blob_endpoint: Option<String>,
    sas: Vec<(String, String)>,
}

impl Connection {
    fn parse(text: &str) -> Result<Self> {
        let mut parsed = Self::default();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::invalid(
                    "config.storage_connection_string: expected Name=Value pairs with semicolons \
                     between",
                )
            })?;
            let value = value.to_owned();
            match name {
                "DefaultEndpointsProtocol" => parsed.protocol = Some(value),
                "AccountName" => parsed.account = Some(value),
                "AccountKey" => parsed.key = Some(value),
                "EndpointSuffix" => parsed.suffix = Some(value),
                "BlobEndpoint" => parsed.blob_endpoint = Some(value),
                "SharedAccessSignature" => {
                    parsed.sas = value
                        .trim_start_matches('?')
                        .split('&')
                        .filter_map(|pair| pair.split_once('='))
                        .map(|(name, value)| (name.to_owned(), percent_decoded(value)))
                        .collect();
                }
                // Queues, tables and files have endpoints too; blocks are blobs.
                _ => {}
            }
        }
        Ok(parsed)
    }

    fn endpoint(&self) -> Option<String> {
        if let Some(endpoint) = &self.blob_endpoint {
            return Some(endpoint.trim_end_matches('/').to_owned());
        }
        let account = self.account.as_ref()?;
        Some(format!(
            "{}://{account}.blob.{}",
            self.protocol.as_deref().unwrap_or("https"),
            self.suffix.as_deref().unwrap_or("core.windows.net")
        ))
    }
}

/// `text` with its `%xx` decoded; what is no valid escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        decoded.push(escape.unwrap_or(bytes[at]));
        at += if escape.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connection_strings() {
        let cloud = Connection::parse(
            "DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5PT0=;EndpointSuffix=core.windows.net",
        )
        .unwrap();
        assert_eq!(cloud.endpoint().as_deref(), Some("https://acc.blob.core.windows.net"));
        assert_eq!(cloud.key.as_deref(), Some("a2V5PT0="));
        let shared = Connection::parse(
            "BlobEndpoint=http://127.0.0.1:10000/dev/;SharedAccessSignature=?sv=1&sig=a%2Bb",
        )
        .unwrap();
        assert_eq!(shared.endpoint().as_deref(), Some("http://127.0.0.1:10000/dev"));
        assert_eq!(shared.sas[1], ("sig".to_owned(), "a+b".to_owned()));
        assert!(Connection::parse("nonsense").is_err());
    }
}
