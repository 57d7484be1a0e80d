//! `type: S3` (Thanos `providers/s3`).

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{Attribute, Attributes};

use base64::Engine as _;

use crate::{Error, Result};

use super::yaml::Section;
use super::{Environment, Parts, http, secrets::Secrets};
use crate::bucket::upload::UploadSettings;

/// Keys that tune the Go client and mean nothing here.
const WITHOUT_EFFECT: &[&str] = &["disable_dualstack", "send_content_md5", "aws_sdk_auth"];

/// Where credentials come from when the YAML has none: the variables that AWS' own tools read.
const CREDENTIAL_VARIABLES: &[(&str, AmazonS3ConfigKey, bool)] = &[
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId, false),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey, true),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token, true),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile, false),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn, false),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName, false),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
        false,
    ),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri, false),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
        false,
    ),
];

pub(super) fn build(mut config: Section, environment: Environment<'_>) -> Result<Parts> {
    let mut secrets = Secrets::default();
    let bucket = config.text("bucket")?.unwrap_or_default();
    let endpoint = config.required("endpoint")?;
    let insecure = config.flag("insecure")?.unwrap_or(false);
    let region = config.filled("region")?;
    let lookup = config.filled("bucket_lookup_type")?;
    let access_key = config.filled("access_key")?;
    let secret_key = config.filled("secret_key")?;
    let session_token = config.filled("session_token")?;
    secrets.add(secret_key.as_deref());
    secrets.add(session_token.as_deref());
    if access_key.is_some() && config.flag("aws_sdk_auth")?.unwrap_or(false) {
        return Err(Error::invalid("config.aws_sdk_auth and config.access_key exclude each other"));
    }
    if access_key.is_some() != secret_key.is_some() {
        return Err(Error::invalid(
            "config.access_key and config.secret_key: both must be set, or neither",
        ));
    }
    if config.flag("signature_version2")?.unwrap_or(false) {
        return Err(config.unsupported("signature_version2", "only version 4 is spoken"));
    }
    match config.filled("list_objects_version")?.as_deref() {
        None | Some("v2") => {}
        Some("v1") => return Err(config.unsupported("list_objects_version", "only v2 is spoken")),
        Some(_) => return Err(Error::invalid("config.list_objects_version: expected v1 or v2")),
    }

    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket)
        .with_region(region.unwrap_or_else(|| region_of(&endpoint)))
        .with_retry(http::retry(config.number("max_retries")?))
        .with_client_options(http::client_options(config.section("http_config")?, insecure)?);
    let scheme = if insecure { "http" } else { "https" };
    builder = if virtual_hosted(lookup.as_deref(), &endpoint, &bucket, insecure)? {
        builder
            .with_virtual_hosted_style_request(true)
            .with_endpoint(format!("{scheme}://{bucket}.{endpoint}"))
    } else {
        builder.with_endpoint(format!("{scheme}://{endpoint}"))
    };
    match (access_key, secret_key) {
        (Some(id), Some(secret)) => {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret);
            if let Some(token) = session_token {
                builder = builder.with_token(token);
            }
        }
        _ => {
            for (variable, key, secret) in CREDENTIAL_VARIABLES {
                if let Some(value) = environment(variable).filter(|v| !v.is_empty()) {
                    if *secret {
                        secrets.add(Some(&value));
                    }
                    builder = builder.with_config(*key, value);
                }
            }
        }
    }
    if let Some(sts) = config.filled("sts_endpoint")? {
        builder = builder.with_config(AmazonS3ConfigKey::StsEndpoint, sts);
    }
    builder = encryption(builder, config.section("sse_config")?, &mut secrets)?;

    let mut attributes = Attributes::new();
    for (name, value) in config.texts("put_user_metadata")? {
        let attribute = if name.eq_ignore_ascii_case("x-amz-storage-class") {
            Attribute::StorageClass
        } else {
            Attribute::Metadata(name.into())
        };
        attributes.insert(attribute, value.into());
    }
    let mut upload = UploadSettings { attributes, ..UploadSettings::default() };
    if let Some(bytes) = config.number("part_size")? {
        upload = upload.with_part_bytes(bytes, "config.part_size")?;
    }
    if config.flag("disable_multipart")?.unwrap_or(false) {
        upload.multipart = false;
    }
    let mut trace = config.section("trace")?;
    trace.without_effect(&["enable"]);
    trace.finish()?;
    config.without_effect(WITHOUT_EFFECT);
    config.finish()?;
    if bucket.is_empty() {
        return Err(Error::invalid("config.bucket is missing"));
    }
    let store = builder.build().map_err(|e| secrets.invalid("config", &e))?;
    Ok(Parts { store: Box::new(store), name: bucket, secrets, upload })
}

/// Whether the bucket's name goes in front of the host; `auto` decides as minio-go does: at AWS,
/// Google and Alibaba, unless a dot in the name would not fit their certificates.
fn virtual_hosted(
    lookup: Option<&str>,
    endpoint: &str,
    bucket: &str,
    insecure: bool,
) -> Result<bool> {
    match lookup {
        Some("path") => Ok(false),
        Some("virtual-hosted") => Ok(true),
        None | Some("auto") => {
            let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
            let known = host.ends_with(".amazonaws.com")
                || host.ends_with(".amazonaws.com.cn")
                || host == "storage.googleapis.com"
                || host.ends_with(".aliyuncs.com");
            Ok(known && (insecure || !bucket.contains('.')))
        }
        Some(_) => {
            Err(Error::invalid("config.bucket_lookup_type: expected auto, virtual-hosted or path"))
        }
    }
}

/// The region in an AWS host (`s3.eu-west-1.amazonaws.com`, also dualstack), or the one that
/// stands for none.
fn region_of(endpoint: &str) -> String {
    endpoint
        .split_once(".amazonaws.com")
        .map(|(host, _)| host)
        .and_then(|host| host.strip_prefix("s3.").or_else(|| host.strip_prefix("s3-")))
        .map(|host| host.strip_prefix("dualstack.").unwrap_or(host))
        .filter(|region| !region.is_empty() && !region.contains('.'))
        .unwrap_or("us-east-1")
        .to_owned()
}

/// `sse_config`.
fn encryption(
    builder: AmazonS3Builder,
    mut sse: Section,
    secrets: &mut Secrets,
) -> Result<AmazonS3Builder> {
    let kind = sse.filled("type")?;
    let kms_key = sse.filled("kms_key_id")?;
    let key_file = sse.filled("encryption_key")?;
    if !sse.texts("kms_encryption_context")?.is_empty() {
        return Err(sse.unsupported("kms_encryption_context", "the client cannot send it"));
    }
    sse.finish()?;
    match kind.as_deref() {
        None => Ok(builder),
        Some("SSE-S3") => {
            let key: AmazonS3ConfigKey = "aws_server_side_encryption"
                .parse()
                .map_err(|_| Error::internal("object_store does not know its key"))?;
            Ok(builder.with_config(key, "AES256"))
        }
        Some("SSE-KMS") => match kms_key {
            Some(key) => Ok(builder.with_sse_kms_encryption(key)),
            None => Err(Error::invalid("config.sse_config.kms_key_id is missing")),
        },
        Some("SSE-C") => {
            let file = key_file
                .ok_or_else(|| Error::invalid("config.sse_config.encryption_key is missing"))?;
            let key = std::fs::read(&file).map_err(|e| {
                Error::invalid(format!("config.sse_config.encryption_key {file:?}")).with_source(e)
            })?;
            let key = base64::engine::general_purpose::STANDARD.encode(key);
            secrets.add(Some(&key));
            Ok(builder.with_ssec_encryption(key))
        }
        Some(_) => Err(Error::invalid("config.sse_config.type: expected SSE-S3, SSE-KMS or SSE-C")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_read_from_hosts_of_aws() {
        for (endpoint, region) in [
            ("s3.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3-eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("s3.amazonaws.com", "us-east-1"),
            ("minio:9000", "us-east-1"),
        ] {
            assert_eq!(region_of(endpoint), region, "{endpoint}");
        }
    }

    #[test]
    fn the_bucket_goes_where_minio_puts_it() {
        let auto = |endpoint, bucket, insecure| {
            virtual_hosted(Some("auto"), endpoint, bucket, insecure).unwrap()
        };
        assert!(auto("s3.eu-west-1.amazonaws.com", "metrics", false));
        assert!(!auto("s3.eu-west-1.amazonaws.com", "my.metrics", false));
        assert!(!auto("minio.example:9000", "metrics", true));
        assert!(!virtual_hosted(Some("path"), "s3.amazonaws.com", "b", false).unwrap());
        assert!(virtual_hosted(Some("other"), "s3.amazonaws.com", "b", false).is_err());
    }
}
