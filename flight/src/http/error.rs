//! Errors as the API tells them: `{"status":"error","errorType":…,"error":…}`.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{Error, ErrorKind};

use super::json::text::{Escape, push_string};

/// Prometheus' types of errors (`web/api/v1/errors.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    BadData,
    TooLarge,
    Execution,
    Canceled,
    Timeout,
    NotFound,
    Internal,
}

impl ErrorType {
    fn name(self) -> &'static str {
        match self {
            Self::BadData | Self::TooLarge => "bad_data",
            Self::Execution => "execution",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::NotFound => "not_found",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            // nginx' "client closed request", as Prometheus answers.
            Self::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) kind: ErrorType,
    pub(crate) message: String,
}

impl ApiError {
    pub(super) fn new(kind: ErrorType, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The code of its answer.
    pub(super) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// A request that is wrong.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self::new(ErrorType::BadData, message)
    }

    /// A parameter that is wrong, in Prometheus' words.
    pub(super) fn parameter(name: &str, message: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {message}"))
    }

    /// A parameter of Thanos' that is wrong, in Thanos' words.
    pub(super) fn thanos_parameter(name: &str, message: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("'{name}' parameter: {message}"))
    }

    /// What the engine says, with `parameter` named where the request itself is at fault.
    pub(super) fn from_engine(parameter: &str, error: &Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Invalid => return Self::parameter(parameter, error),
            ErrorKind::Execution | ErrorKind::Unsupported | ErrorKind::ResourcesExhausted => {
                ErrorType::Execution
            }
            ErrorKind::Timeout => ErrorType::Timeout,
            ErrorKind::Cancelled => ErrorType::Canceled,
            ErrorKind::NotFound => ErrorType::NotFound,
            ErrorKind::Unavailable
            | ErrorKind::Corrupt
            | ErrorKind::Fenced
            | ErrorKind::Internal => ErrorType::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.kind == ErrorType::Internal {
            tracing::error!(err = %self.message, "request failed");
        }
        let mut body = b"{\"status\":\"error\",\"errorType\":".to_vec();
        push_string(&mut body, self.kind.name(), Escape::Html);
        body.extend_from_slice(b",\"error\":");
        push_string(&mut body, &self.message, Escape::Html);
        body.push(b'}');
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.status(), headers, body).into_response()
    }
}
