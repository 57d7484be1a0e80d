//! Thanos' YAML: what is accepted, what is refused and in which words, and that no secret shows.

use super::*;
use crate::ErrorKind;

fn none(_: &str) -> Option<String> {
    None
}

fn refused(yaml: &str) -> Error {
    match build(yaml, &none) {
        Ok(bucket) => panic!("accepted as {}: {yaml}", bucket.name()),
        Err(error) => error,
    }
}

const S3: &str = "type: S3
config:
  bucket: metrics
  endpoint: s3.eu-west-1.amazonaws.com
  region: eu-west-1
  disable_dualstack: false
  aws_sdk_auth: false
  access_key: AKIDEXAMPLE
  insecure: false
  signature_version2: false
  secret_key: canary-secret-key
  session_token: canary-session-token
  put_user_metadata: {X-Amz-Storage-Class: STANDARD_IA, team: metrics}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 2m
    insecure_skip_verify: false
    tls_handshake_timeout: 10s
    expect_continue_timeout: 1s
    max_idle_conns: 100
    max_idle_conns_per_host: 100
    max_conns_per_host: 0
    tls_config: {ca_file: '', cert_file: '', key_file: '', server_name: '', insecure_skip_verify: false}
    disable_compression: false
  trace: {enable: false}
  list_objects_version: ''
  bucket_lookup_type: auto
  send_content_md5: true
  disable_multipart: false
  part_size: 67108864
  sse_config: {type: '', kms_key_id: '', kms_encryption_context: {}, encryption_key: ''}
  sts_endpoint: ''
  max_retries: 0
prefix: some/where/
hedging_config: {enabled: false, up_to: 3, quantile: 0.9}
";

const GCS: &str = "type: GCS
config:
  bucket: metrics
  service_account: '{\"type\":\"service_account\",\"client_email\":\"a@b\",\"private_key_id\":\"canary-id\",\"private_key\":\"canary-private-key\",\"disable_oauth\":true}'
  use_grpc: false
  grpc_conn_pool_size: 0
  http_config: {idle_conn_timeout: 1m30s}
  chunk_size_bytes: 0
  max_retries: 0
prefix: ''
";

const AZURE: &str = "type: AZURE
config:
  storage_account: acc
  storage_account_key: Y2FuYXJ5LWF6dXJlLWtleQ==
  storage_connection_string: ''
  storage_create_container: false
  container: metrics
  endpoint: ''
  user_assigned_id: ''
  max_retries: 0
  reader_config: {max_retry_requests: 0}
  pipeline_config: {max_tries: 0, try_timeout: 0s, retry_delay: 0s, max_retry_delay: 0s}
  http_config: {idle_conn_timeout: 0s, disable_compression: false}
  az_tenant_id: ''
  client_id: ''
  client_secret: ''
  msi_resource: ''
";

#[test]
fn what_thanos_prints_as_defaults_is_accepted() {
    for (yaml, name) in [(S3, "metrics"), (GCS, "metrics"), (AZURE, "metrics")] {
        assert_eq!(build(yaml, &none).unwrap().name(), name);
    }
    let folder = build("type: filesystem\nconfig: {directory: /nowhere/bucket}", &none).unwrap();
    assert_eq!(folder.name(), "fs: /nowhere/bucket");
}

#[test]
fn errors_name_the_key() {
    for (yaml, part) in [
        ("type: S3\nconfig: {bucket: b, endpoint: e, color: red}", "unknown key config.color"),
        ("type: GCS\nconfig: {bucket: b, no_auth: true}", "unknown key config.no_auth"),
        (
            "type: GCS\nconfig: {bucket: b, http_config: {tls_config: {x: 1}}}",
            "unknown key config.http_config.tls_config.x",
        ),
        ("type: FILESYSTEM\nconfig: {directory: d}\nprefx: a", "unknown key prefx"),
        ("type: FILESYSTEM\nconfig: {directory: d, dir: e}", "unknown key config.dir"),
        ("type: FILESYSTEM\nconfig:\n  directory: d\n  directory: e", "\"directory\" occurs twice"),
        ("config: {directory: d}", "type is missing"),
        ("type: FILESYSTEM", "config.directory is missing"),
        ("type: S3\nconfig: {bucket: b}", "config.endpoint is missing"),
        ("type: S3\nconfig: {endpoint: e}", "config.bucket is missing"),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, insecure: maybe}",
            "config.insecure: expected",
        ),
        ("type: S3\nconfig: {bucket: b, endpoint: e, part_size: 1}", "config.part_size: expected"),
        ("type: S3\nconfig: {bucket: b, endpoint: e, secret_key: s}", "config.access_key and"),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, http_config: {idle_conn_timeout: 5}}",
            "config.http_config.idle_conn_timeout: expected a duration",
        ),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, sse_config: {type: SSE}}",
            "config.sse_config.type: expected",
        ),
        ("type: AZURE\nconfig: {container: c}", "config.storage_account is missing"),
        (
            "type: AZURE\nconfig: {storage_account: a, container: c, client_id: i}",
            "config.client_secret",
        ),
        (
            "type: AZURE\nconfig: {storage_account: a, container: c, storage_account_key: Yg==, user_assigned_id: i}",
            "config.storage_account_key and config.user_assigned_id exclude",
        ),
        ("type: FLOPPY\nconfig: {}", "type \"FLOPPY\" is unknown"),
        ("type: S3\nconfig: []", "config: expected a mapping"),
        ("", "empty"),
        ("- a", "not a mapping"),
        ("type: S3\n\tconfig: {", "line "),
        ("a: &a [*a, *a]", "line "),
        ("type: S3\n---\ntype: S3", "more than one YAML document"),
    ] {
        let error = refused(yaml);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{yaml}: {error}");
        assert!(error.to_string().contains(part), "{yaml}\n gives {error}\n not {part}");
    }
}

#[test]
fn what_cannot_be_honoured_is_said() {
    for (yaml, part) in [
        ("type: SWIFT\nconfig: {}", "type SWIFT is not supported"),
        ("type: cos\nconfig: {}", "type cos is not supported"),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, signature_version2: true}",
            "config.signature_version2 is not supported",
        ),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, list_objects_version: v1}",
            "config.list_objects_version is not supported",
        ),
        (
            "type: S3\nconfig: {bucket: b, endpoint: e, http_config: {tls_config: {cert_file: f}}}",
            "config.http_config.tls_config.cert_file is not supported",
        ),
    ] {
        let error = refused(yaml);
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{yaml}");
        assert!(error.to_string().contains(part), "{yaml}\n gives {error}");
    }
}

#[test]
fn yaml_bombs_are_refused() {
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    let wide = format!("a: [{}]", "1,".repeat(200_000));
    let aliases = "a: &a [x,x,x,x,x,x,x,x,x]
b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]
c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]
d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]
e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]
f: [*e,*e,*e,*e,*e,*e,*e,*e,*e]";
    for yaml in [deep.as_str(), wide.as_str(), aliases, &"x".repeat(2 << 20)] {
        assert_eq!(refused(yaml).kind(), ErrorKind::Invalid);
    }
}

#[test]
fn no_secret_is_shown() {
    let show = |text: &dyn Fn(&str) -> String, yaml: &str| {
        let shown = text(yaml);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains("Y2FuYXJ5"), "{shown}");
    };
    let debug = |yaml: &str| format!("{:?}", build(yaml, &none).unwrap());
    for yaml in [S3, GCS, AZURE] {
        show(&debug, yaml);
    }
    let error = |yaml: &str| {
        let error = refused(yaml);
        format!("{error} {error:?}")
    };
    for yaml in [
        "type: S3\nconfig: {secret_key: canary, bucket: [canary], endpoint: e}",
        "type: S3\nconfig: {bucket: b, endpoint: e, secret_key: canary}",
        "type: S3\nconfig: {bucket: b, endpoint: e, secret_key: canary, access_key: a, insecure: canary}",
        "type: S3\nconfig:\n  secret_key: \"canary\n  bucket: b",
        "type: S3\nconfig:\n  secret_key: canary\n bad: indent",
        "type: GCS\nconfig: {bucket: b, service_account: 'canary not json'}",
        "type: GCS\nconfig: {bucket: b, service_account: '{\"private_key\": \"canary\", \"client_email\": 1}'}",
        "type: AZURE\nconfig: {storage_account: a, container: c, storage_account_key: 'canary!'}",
        "type: AZURE\nconfig: {storage_account: a, container: c, storage_connection_string: 'canary'}",
        "type: AZURE\nconfig: {storage_account: a, container: c, storage_connection_string: 'AccountKey=canary!'}",
    ] {
        show(&error, yaml);
    }
}

#[test]
fn credentials_come_from_the_environment() {
    let environment = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("id".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("canary".to_owned()),
        _ => None,
    };
    let bucket = build("type: S3\nconfig: {bucket: b, endpoint: 'e:9000'}", &environment).unwrap();
    assert_eq!(bucket.secrets.redact("xcanaryx"), "x<redacted>x");
}

#[test]
fn secrets_are_redacted_in_every_form() {
    let mut secrets = Secrets::default();
    secrets.add(Some("a+b/c=\"d"));
    secrets.add(Some("a+b"));
    assert_eq!(
        secrets.redact("1 a+b/c=\"d 2 a%2Bb%2Fc%3D%22d 3 a+b/c=\\\"d 4 a+b"),
        "1 <redacted> 2 <redacted> 3 <redacted> 4 <redacted>"
    );
}
