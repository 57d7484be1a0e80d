//! Plain HTTP calls of the tests.

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The headers, names in lower case.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// The body.
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("status {}, not JSON: {e}: {}", self.status, self.body))
    }
}

/// GET; an error if nothing answers.
pub(crate) async fn try_get(url: &str) -> reqwest::Result<Answer> {
    read(reqwest::get(url).await?).await
}

/// GET.
pub(crate) async fn get(url: &str) -> Answer {
    try_get(url).await.unwrap_or_else(|e| panic!("GET {url}: {e}"))
}

/// POST with form parameters.
pub(crate) async fn post_form(url: &str, parameters: &[(&str, &str)]) -> Answer {
    let sent = reqwest::Client::new().post(url).form(parameters).send().await;
    let answer = sent.unwrap_or_else(|e| panic!("POST {url}: {e}"));
    read(answer).await.unwrap_or_else(|e| panic!("POST {url}: {e}"))
}

async fn read(response: reqwest::Response) -> reqwest::Result<Answer> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.text().await? })
}
