//! The body of a request, read under a limit and in time.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use thiserror::Error;

/// The time in which a body must have come.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a body did not come.
#[derive(Debug, Error)]
pub(super) enum Interrupted {
    /// It was too slow.
    #[error("the body of the request did not come in time")]
    Late,
    /// The connection or its framing broke.
    #[error("{0}")]
    Broken(axum::Error),
}

/// The first bytes of a body, at most `most` of them, and whether that is all of it. What is behind is
/// not read.
pub(super) async fn first(body: Body, most: usize) -> Result<(Vec<u8>, bool), Interrupted> {
    tokio::time::timeout(TIMEOUT, read(body, most)).await.unwrap_or(Err(Interrupted::Late))
}

async fn read(body: Body, most: usize) -> Result<(Vec<u8>, bool), Interrupted> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(Interrupted::Broken)?;
        let fits = (most - bytes.len()).min(chunk.len());
        bytes.extend_from_slice(&chunk[..fits]);
        if fits < chunk.len() {
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}
