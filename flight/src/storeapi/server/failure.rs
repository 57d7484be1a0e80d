//! Errors of the engine as gRPC status.

use engine::{Error, ErrorKind};
use tonic::{Code, Status};

/// The status of an error. Where the client wants all or nothing, what cannot be read aborts (Thanos'
/// `PartialResponseStrategy_ABORT`); limits and wrong requests keep their code.
pub(crate) fn status(error: &Error, abort: bool) -> Status {
    let code = match error.kind() {
        ErrorKind::Invalid => Code::InvalidArgument,
        ErrorKind::ResourcesExhausted => Code::ResourceExhausted,
        ErrorKind::Cancelled => Code::Cancelled,
        _ if abort => Code::Aborted,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Unavailable => Code::Unavailable,
        ErrorKind::Unsupported => Code::Unimplemented,
        ErrorKind::Timeout => Code::DeadlineExceeded,
        ErrorKind::Corrupt => Code::DataLoss,
        ErrorKind::Execution | ErrorKind::Fenced | ErrorKind::Internal => Code::Internal,
    };
    Status::new(code, error.to_string())
}
