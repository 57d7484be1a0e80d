//! The error of the engine: a kind that tells the caller what to do, and a message that names what
//! and where.

use std::fmt;
use std::sync::Arc;

/// What the caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request or configuration is wrong: change it.
    Invalid,
    /// The thing asked for does not exist.
    NotFound,
    /// Storage or a peer did not answer: try again.
    Unavailable,
    /// Stored bytes are damaged: the block is set aside.
    Corrupt,
    /// A limit of samples, series, bytes or memory was hit.
    ResourcesExhausted,
    /// The input is valid, but this version cannot answer it.
    Unsupported,
    /// The query is valid, but its samples do not allow an answer (PromQL's execution errors).
    Execution,
    /// Another process has taken the work over: leave it.
    Fenced,
    /// The caller went away.
    Cancelled,
    /// The time given to the request is over.
    Timeout,
    /// A bug of Stoa.
    Internal,
}

/// An engine error: kind, message (what and where), and the cause if there is one.
#[derive(Debug, Clone)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// A result with the engine's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind`; `message` names what and where, lower case, no full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The same error with `context` (what was being done, on which thing) before its message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message alone, without the cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Shorthand for [`ErrorKind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// Shorthand for [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// Shorthand for [`ErrorKind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for datafusion::error::DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<datafusion::error::DataFusionError> for Error {
    /// Finds the engine's own error inside DataFusion's wrapping, so that its kind survives a plan.
    fn from(error: datafusion::error::DataFusionError) -> Self {
        use datafusion::error::DataFusionError as D;
        match error {
            D::External(inner) => match inner.downcast::<Error>() {
                Ok(own) => *own,
                Err(other) => Error::internal(other.to_string()),
            },
            D::Context(_, inner) => (*inner).into(),
            D::Shared(inner) => match inner.as_ref() {
                D::External(e) => match e.downcast_ref::<Error>() {
                    Some(own) => own.clone(),
                    None => Error::internal(inner.to_string()),
                },
                D::ResourcesExhausted(message) => {
                    Error::new(ErrorKind::ResourcesExhausted, message.clone())
                }
                other => Error::internal(other.to_string()),
            },
            D::ResourcesExhausted(message) => Error::new(ErrorKind::ResourcesExhausted, message),
            other => Error::internal(other.to_string()),
        }
    }
}
