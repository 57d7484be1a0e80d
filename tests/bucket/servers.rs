//! The object stores under test: a folder, and real servers on loopback.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::error_handling::HandleError;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use engine::bucket::Bucket;
use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequestBody;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;

use crate::support::{self, Server};

/// A store with a bucket in it, and what is needed to keep it alive.
pub(crate) struct Place {
    /// The bucket, as YAML.
    pub(crate) yaml: String,
    /// What stands where the store looks at secrets.
    pub(crate) forbidden: Option<Forbidden>,
    /// A bucket that is not there, as YAML.
    pub(crate) missing: String,
    /// Whether the store takes uploads in parts.
    pub(super) parts: bool,
    _server: Option<Server>,
    _folder: Option<TempDir>,
}

/// The same bucket with a secret that the store does not accept.
pub(crate) struct Forbidden {
    /// The bucket, as YAML.
    pub(crate) yaml: String,
    /// The secret.
    pub(crate) secret: String,
}

impl Place {
    /// The bucket.
    pub(super) fn bucket(&self) -> Bucket {
        bucket(&self.yaml)
    }

    /// The same with a prefix.
    pub(super) fn prefixed(&self, prefix: &str) -> Bucket {
        bucket(&format!("{}prefix: '{prefix}'\n", self.yaml))
    }
}

/// The bucket that `yaml` describes.
pub(super) fn bucket(yaml: &str) -> Bucket {
    Bucket::from_yaml(yaml).unwrap_or_else(|e| panic!("{e}:\n{yaml}"))
}

/// A folder, by `type: FILESYSTEM`.
pub(super) fn folder() -> Place {
    let folder = support::scratch();
    let yaml =
        |path: &Path| format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}\n", path.display());
    let root = folder.path().join("bucket");
    std::fs::create_dir(&root).expect("a folder");
    Place {
        yaml: yaml(&root),
        forbidden: None,
        missing: yaml(&folder.path().join("nowhere")),
        parts: true,
        _server: None,
        _folder: Some(folder),
    }
}

/// s3s-fs, in this process. It checks `If-None-Match` before it writes, not while, so requests are
/// let through one at a time.
pub(crate) async fn s3() -> Place {
    let folder = support::scratch();
    std::fs::create_dir(folder.path().join("metrics")).expect("a folder");
    let files = s3s_fs::FileSystem::new(folder.path()).expect("s3s-fs opens its folder");
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single("the-key", "the-secret"));
    let failed = |_: s3s::HttpError| async { StatusCode::INTERNAL_SERVER_ERROR };
    let turn = Arc::new(tokio::sync::Mutex::new(()));
    let one_at_a_time = move |request: Request, next: Next| {
        let turn = Arc::clone(&turn);
        async move {
            let _turn = turn.lock().await;
            next.run(request).await
        }
    };
    let router = Router::new()
        .fallback_service(HandleError::new(builder.build(), failed))
        .layer(axum::middleware::from_fn(one_at_a_time));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("a bound socket has an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    let yaml = |bucket: &str, secret: &str| {
        format!(
            "type: S3\nconfig:\n  bucket: {bucket}\n  endpoint: '{address}'\n  insecure: true\n  \
             access_key: the-key\n  secret_key: {secret}\n  part_size: 5242880\n"
        )
    };
    let wrong = "a-wrong-secret";
    Place {
        yaml: yaml("metrics", "the-secret"),
        forbidden: Some(Forbidden { yaml: yaml("metrics", wrong), secret: wrong.to_owned() }),
        missing: yaml("nowhere", "the-secret"),
        parts: true,
        _server: None,
        _folder: Some(folder),
    }
}

/// fake-gcs-server, with what `tests/peers/gcs` puts in front of it. It does not look at credentials,
/// and does not know the multipart uploads of the XML API.
pub(super) async fn gcs() -> Place {
    let mut command = Command::new(support::go_program("gcs"));
    let announced = |line: &str| line.strip_prefix("listening on ")?.parse().ok();
    let server = Server::announced(command.arg("metrics"), announced);
    let account = serde_json::json!({
        "gcs_base_url": server.url(""),
        "disable_oauth": true,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    });
    let yaml = |bucket: &str| {
        format!("type: GCS\nconfig:\n  bucket: {bucket}\n  service_account: '{account}'\n")
    };
    Place {
        yaml: yaml("metrics"),
        forbidden: None,
        missing: yaml("nowhere"),
        parts: false,
        _server: Some(server),
        _folder: None,
    }
}

/// The account that Azurite has from the start, and its key, as Microsoft documents them.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azurite.
pub(super) async fn azure() -> Place {
    let folder = support::scratch();
    let program = support::node_program("azurite", "azurite-blob");
    let mut command = Command::new(program);
    command
        .args(["--blobHost", "127.0.0.1", "--blobPort", "0", "--skipApiVersionCheck"])
        .args(["--inMemoryPersistence", "--disableTelemetry"])
        .current_dir(folder.path());
    let announced =
        |line: &str| line.split("successfully listens on http://").nth(1)?.trim().parse().ok();
    let server = Server::announced(&mut command, announced);
    let endpoint = format!("http://{}/{AZURITE_ACCOUNT}", server.address);
    create_container(&format!("{endpoint}/metrics?restype=container")).await;
    let yaml = |container: &str, key: &str| {
        format!(
            "type: AZURE\nconfig:\n  storage_account: {AZURITE_ACCOUNT}\n  container: {container}\n  \
             storage_connection_string: 'AccountName={AZURITE_ACCOUNT};AccountKey={key};\
             BlobEndpoint={endpoint};'\n"
        )
    };
    let wrong = AZURITE_KEY.replace("Eby8", "8ybE");
    Place {
        yaml: yaml("metrics", AZURITE_KEY),
        forbidden: Some(Forbidden { yaml: yaml("metrics", &wrong), secret: wrong }),
        missing: yaml("nowhere", AZURITE_KEY),
        parts: true,
        _server: Some(server),
        _folder: Some(folder),
    }
}

async fn create_container(url: &str) {
    let key = AzureAccessKey::try_new(AZURITE_KEY).expect("the key is base64");
    let credential = AzureCredential::AccessKey(key);
    let mut request = http::Request::put(url)
        .header("content-length", "0")
        .body(HttpRequestBody::empty())
        .expect("a request");
    AzureAuthorizer::new(&credential, AZURITE_ACCOUNT).authorize(&mut request);
    let (parts, _) = request.into_parts();
    let answer = reqwest::Client::new()
        .put(url)
        .headers(parts.headers)
        .send()
        .await
        .unwrap_or_else(|e| panic!("PUT {url}: {e}"));
    let status = answer.status();
    assert!(status.is_success(), "PUT {url}: {status}: {:?}", answer.text().await);
}
