//! What the HTTP API wraps around every answer.

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Debug, Deserialize)]
struct Answer<T> {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<T>,
}

/// GETs `url` with `parameters`: `data` of the answer.
pub(super) async fn get<T: DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<T> {
    let body = client.get(url).query(parameters).send().await?.text().await?;
    parse(&body).with_context(|| url.to_owned())
}

/// `data` of a body.
pub(super) fn parse<T: DeserializeOwned>(body: &str) -> anyhow::Result<T> {
    let answer: Answer<T> = serde_json::from_str(body).with_context(|| body.to_owned())?;
    ensure!(answer.status == "success", "{}", answer.error);
    answer.data.context("an answer without data")
}
