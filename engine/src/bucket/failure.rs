//! From `object_store`'s errors to the engine's: what the operator must know, without secrets.

use std::error::Error as StdError;
use std::io;

use object_store::Error as StoreError;

use crate::{Error, ErrorKind};

use super::Bucket;

/// Answers of a store can be whole pages; this much of one is shown.
const MAX_TEXT: usize = 600;

impl Bucket {
    /// The engine's error for a failed operation on `path`. The cause becomes text here, because it
    /// may hold a secret (a signed URL, the canonical request that S3 sends back).
    pub(super) fn error(&self, path: &str, error: &StoreError) -> Error {
        let text = self.secrets.redact(&full_text(error));
        let (kind, what) = classify(error, &text);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let cut = text.char_indices().nth(MAX_TEXT).map_or(text.as_str(), |(at, _)| &text[..at]);
        let place = if path.is_empty() {
            self.name().to_owned()
        } else {
            format!("{}/{path}", self.name())
        };
        Error::new(kind, format!("{place}: {what}{cut}"))
    }
}

/// The error's text with those of its causes that it does not show itself.
fn full_text(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

fn classify(error: &StoreError, text: &str) -> (ErrorKind, &'static str) {
    if ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
        .iter()
        .any(|mark| text.contains(mark))
    {
        return (ErrorKind::Unavailable, "the bucket does not exist: ");
    }
    match error {
        StoreError::NotFound { .. } => (ErrorKind::NotFound, "there is no such object: "),
        StoreError::PermissionDenied { .. } => {
            (ErrorKind::Unavailable, "forbidden, the credentials do not allow it: ")
        }
        StoreError::Unauthenticated { .. } => {
            (ErrorKind::Unavailable, "forbidden, the credentials are not accepted: ")
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "")
        }
        StoreError::InvalidPath { .. } => (ErrorKind::Invalid, ""),
        _ => match io_kind(error) {
            Some(io::ErrorKind::PermissionDenied) => {
                (ErrorKind::Unavailable, "forbidden by the file system: ")
            }
            // Listings have no error of their own for it.
            _ if text.contains("status code: 403") => {
                (ErrorKind::Unavailable, "forbidden, the credentials do not allow it: ")
            }
            _ if text.contains("status code: 401") => {
                (ErrorKind::Unavailable, "forbidden, the credentials are not accepted: ")
            }
            _ => (ErrorKind::Unavailable, ""),
        },
    }
}

/// The kind of the I/O error among the causes.
fn io_kind(error: &StoreError) -> Option<io::ErrorKind> {
    let mut cause: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = inner.source();
    }
    None
}
