//! Thanos' object storage YAML (`client.BucketConfig`), verbatim: `type`, `config`, `prefix`.
//!
//! | type | here |
//! |---|---|
//! | FILESYSTEM, S3, GCS, AZURE | supported |
//! | SWIFT, COS, ALIYUNOSS, BOS, OCI, OBS | an error that says so |
//!
//! Every key of Thanos is known. Those that only tune its Go clients are accepted and logged as
//! without effect; those that change what goes over the wire and cannot be honoured are errors;
//! keys that Thanos does not have are errors, as with Go's strict YAML.

mod azure;
mod gcs;
mod http;
mod s3;
mod secrets;
mod yaml;

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;

use crate::{Error, Result};

use super::Bucket;
use super::folder::FolderStore;
use super::upload::UploadSettings;

pub(super) use secrets::Secrets;

/// Looks up a variable of the process' environment.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a provider makes of its `config`.
struct Parts {
    store: Box<dyn ObjectStore>,
    name: String,
    secrets: Secrets,
    upload: UploadSettings,
}

pub(super) fn from_yaml(yaml: &str) -> Result<Bucket> {
    build(yaml, &|name| std::env::var(name).ok())
        .map_err(|error| error.context("object storage configuration"))
}

fn build(yaml: &str, environment: Environment<'_>) -> Result<Bucket> {
    let mut top = yaml::parse(yaml)?;
    let kind = top.required("type")?;
    let prefix = top.filled("prefix")?;
    let config = top.section("config")?;
    top.without_effect(&["hedging_config"]);
    top.finish()?;
    let parts = match kind.to_uppercase().as_str() {
        "FILESYSTEM" => filesystem(config)?,
        "S3" => s3::build(config, environment)?,
        "GCS" => gcs::build(config)?,
        "AZURE" => azure::build(config, environment)?,
        "SWIFT" | "COS" | "ALIYUNOSS" | "BOS" | "OCI" | "OBS" => {
            return Err(Error::unsupported(format!(
                "type {kind} is not supported; FILESYSTEM, S3, GCS and AZURE are"
            )));
        }
        _ => {
            return Err(Error::invalid(format!(
                "type {kind:?} is unknown; FILESYSTEM, S3, GCS and AZURE are supported"
            )));
        }
    };
    let prefix = prefix.map(|text| text.trim_matches('/').to_owned()).filter(|p| !p.is_empty());
    let store: Arc<dyn ObjectStore> = match prefix {
        None => Arc::from(parts.store),
        Some(prefix) => {
            let path = Path::parse(&prefix)
                .map_err(|_| Error::invalid(format!("prefix {prefix:?} is not a path")))?;
            Arc::new(PrefixStore::new(parts.store, path))
        }
    };
    let mut bucket = Bucket::new(store, &parts.name);
    bucket.secrets = Arc::new(parts.secrets);
    bucket.upload = Arc::new(parts.upload);
    Ok(bucket)
}

fn filesystem(mut config: yaml::Section) -> Result<Parts> {
    let directory = config.required("directory")?;
    config.finish()?;
    let store = FolderStore::new(std::path::Path::new(&directory))?;
    Ok(Parts {
        name: format!("fs: {}", store.root().display()),
        store: Box::new(store),
        secrets: Secrets::default(),
        upload: UploadSettings::default(),
    })
}

#[cfg(test)]
mod tests;
