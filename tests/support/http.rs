//! Plain HTTP calls of the tests.

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
}

/// GET; an error if nothing answers.
pub(crate) async fn try_get(url: &str) -> reqwest::Result<Answer> {
    read(reqwest::get(url).await?).await
}

/// GET.
pub(crate) async fn get(url: &str) -> Answer {
    try_get(url).await.unwrap_or_else(|e| panic!("GET {url}: {e}"))
}

async fn read(response: reqwest::Response) -> reqwest::Result<Answer> {
    Ok(Answer { status: response.status().as_u16(), body: response.text().await? })
}
