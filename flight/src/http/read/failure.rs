//! Errors of remote read: a status and a line of text (Go's `http.Error`).

use std::error::Error as StdError;
use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::{Error, ErrorKind};

use crate::http::error::ApiError;
use crate::http::querier::plain;

/// An error as it is answered.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    /// A request that is wrong.
    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.into() }
    }

    /// What Prometheus answers to any other error, those in matchers included.
    pub(super) fn internal(text: impl Into<String>) -> Self {
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, text: text.into() }
    }

    /// Takes note of it where it cannot be answered.
    pub(super) fn log(&self) {
        tracing::error!(err = %self.text, "remote read broke off");
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error.kind() {
            // As Prometheus' limit of samples.
            ErrorKind::ResourcesExhausted => Self::bad_request(text),
            ErrorKind::Timeout => Self { status: StatusCode::SERVICE_UNAVAILABLE, text },
            _ => Self::internal(text),
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { status: error.status(), text: error.message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl StdError for Failure {}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(err = %self.text, "remote read failed");
        }
        plain(self.status, &self.text)
    }
}
