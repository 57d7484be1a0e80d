//! Client of a Prometheus' HTTP API.
//!
//! | file | holds |
//! |---|---|
//! | [`http_config`] | `--prometheus.http-client`: credentials, TLS, timeouts |
//! | [`status`] | what the server is: external labels, flags, version, earliest sample |
//! | [`listing`] | its series, label names and values |
//! | `metadata` | type, unit and help of its metrics |
//!
//! Nothing that it answers is believed to be small: every body has a limit, and a connection that
//! brings nothing ends.

pub mod http_config;
mod listing;
mod metadata;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use engine::{Error, ErrorKind, Result};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use http_config::HttpConfig;
pub use status::PrometheusFlags;

use http_config::Credentials;

/// Most bytes of an answer in JSON or text.
const MAX_ANSWER: usize = 256 << 20;
/// Most bytes of an error's body; it is a sentence.
const MAX_REFUSAL: usize = 64 << 10;
/// A server that sends nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(120);

/// A parameter of a request.
pub type Parameter<'a> = (&'a str, String);

/// A Prometheus, by its URL. Clones share their connections.
#[derive(Clone)]
pub struct Prometheus {
    base: Url,
    client: reqwest::Client,
    credentials: Credentials,
}

/// The frame of every answer of the API.
#[derive(Debug, Deserialize)]
struct Answer<T> {
    data: Option<T>,
    #[serde(default)]
    error: String,
}

impl fmt::Debug for Prometheus {
    /// The URL may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prometheus").field(&self.name()).finish()
    }
}

impl Prometheus {
    /// The server at `url` (`--prometheus.url`), whose path is kept in front of the API's.
    pub fn new(url: &str, config: HttpConfig) -> Result<Self> {
        let invalid = |why: &str| Error::invalid(format!("URL of Prometheus {url:?}: {why}"));
        let mut base = Url::parse(url).map_err(|e| invalid(&e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(invalid("expected http://host:port or https://host:port"));
        }
        base.set_query(None);
        base.set_fragment(None);
        let (builder, credentials) = config.into_client()?;
        let client = builder
            .read_timeout(SILENCE)
            .build()
            .map_err(|e| Error::invalid("HTTP client of Prometheus").with_source(e))?;
        Ok(Self { base, client, credentials })
    }

    /// The URL without credentials, as it appears in errors.
    pub fn name(&self) -> String {
        let mut url = self.base.clone();
        // These fail only for URLs without a host.
        let _ = url.set_password(None);
        let _ = url.set_username("");
        url.to_string()
    }

    fn url(&self, path: &str) -> Result<Url> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| Error::internal("a URL with a host has a path"))?
            .pop_if_empty()
            .extend(path.split('/'));
        Ok(url)
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        self.credentials.add(self.client.request(method, self.url(path)?))
    }

    /// Sends a request; a status that is no success is an error with what the server says.
    async fn send(&self, request: RequestBuilder, path: &str) -> Result<Response> {
        let what = || format!("{} /{path}", self.name());
        let response = request
            .send()
            .await
            .map_err(|e| Error::new(ErrorKind::Unavailable, what()).with_source(e.without_url()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let kind = match status {
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => ErrorKind::Invalid,
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => ErrorKind::NotFound,
            _ => ErrorKind::Unavailable,
        };
        let body = read(response, MAX_REFUSAL).await.unwrap_or_default();
        let said = match serde_json::from_slice::<Answer<serde_json::Value>>(&body) {
            Ok(answer) => answer.error,
            Err(_) => String::from_utf8_lossy(&body).trim().chars().take(300).collect(),
        };
        Err(Error::new(kind, format!("{}: {status}: {said}", what())))
    }

    /// GET of `path` (without a slash in front), the body as it came.
    pub async fn get(&self, path: &str, parameters: &[Parameter<'_>]) -> Result<Bytes> {
        let request = self.request(Method::GET, path)?.query(parameters);
        let response = self.send(request, path).await?;
        read(response, MAX_ANSWER).await.map_err(|e| e.context(format!("{} /{path}", self.name())))
    }

    /// `data` of an answer of the API.
    pub async fn api<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<T> {
        let body = self.get(path, parameters).await?;
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|e| {
            let what = format!("{} /{path}: the answer is not understood", self.name());
            Error::new(ErrorKind::Unavailable, what).with_source(e)
        })?;
        answer.data.ok_or_else(|| {
            let what = format!("{} /{path}: {}", self.name(), answer.error);
            Error::new(ErrorKind::Unavailable, what)
        })
    }

    /// POST of a body.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: Vec<u8>,
    ) -> Result<Response> {
        let mut request = self.request(Method::POST, path)?.body(body);
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        self.send(request, path).await
    }

    /// Tells the server to read its configuration again (`/-/reload`).
    pub async fn reload(&self) -> Result<()> {
        let reloaded = self.post("-/reload", &[], Vec::new()).await;
        reloaded.map(drop).map_err(|error| match error.kind() {
            // Without the flag the server answers 403.
            ErrorKind::Unavailable if error.message().contains("403") => Error::new(
                ErrorKind::Unavailable,
                format!("{error}; is it run with --web.enable-lifecycle?"),
            ),
            _ => error,
        })
    }
}

/// Reads a body of at most `most` bytes.
pub(super) async fn read(mut response: Response, most: usize) -> Result<Bytes> {
    let failed =
        |e: reqwest::Error| Error::new(ErrorKind::Unavailable, "read the answer").with_source(e);
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if body.len() + part.len() > most {
            return Err(Error::new(
                ErrorKind::ResourcesExhausted,
                format!("the answer is longer than {most} bytes"),
            ));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}
