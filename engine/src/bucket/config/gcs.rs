//! `type: GCS` (Thanos `providers/gcs`).

use object_store::gcp::GoogleCloudStorageBuilder;

use crate::Result;

use super::yaml::Section;
use super::{Parts, http, secrets::Secrets};
use crate::bucket::upload::UploadSettings;

/// Keys that tune the Go client and mean nothing here: the JSON API serves what gRPC serves.
const WITHOUT_EFFECT: &[&str] = &["use_grpc", "grpc_conn_pool_size", "chunk_size_bytes"];

pub(super) fn build(mut config: Section) -> Result<Parts> {
    let mut secrets = Secrets::default();
    let bucket = config.required("bucket")?;
    let account = config.filled("service_account")?;
    let mut allow_http = false;
    if let Some(json) = &account {
        // Emulators are named inside the account, and speak plain HTTP.
        if let Ok(serde_json::Value::Object(fields)) = serde_json::from_str(json) {
            for field in ["private_key", "private_key_id"] {
                secrets.add(fields.get(field).and_then(|v| v.as_str()));
            }
            allow_http = fields
                .get("gcs_base_url")
                .and_then(|v| v.as_str())
                .is_some_and(|url| url.starts_with("http://"));
        }
        secrets.add(Some(json));
    }
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(&bucket)
        .with_retry(http::retry(config.number("max_retries")?))
        .with_client_options(http::client_options(config.section("http_config")?, allow_http)?);
    match account {
        Some(json) => builder = builder.with_service_account_key(json),
        // Where Google's own clients look first.
        None => {
            if let Ok(path) = std::env::var("GOOGLE_APPLICATION_CREDENTIALS") {
                builder = builder.with_application_credentials(path);
            }
        }
    }
    config.without_effect(WITHOUT_EFFECT);
    config.finish()?;
    let store = builder.build().map_err(|e| secrets.invalid("config.service_account", &e))?;
    Ok(Parts { store: Box::new(store), name: bucket, secrets, upload: UploadSettings::default() })
}
