//! The gRPC server that every role stands its services in.
//!
//! ```text
//! connection ── TLS ── HTTP/2 ── metrics ── snappy ── services, health, reflection
//!    accepted    certificates     counts     messages
//!    until the   read anew when   by method  unpacked and
//!    end         they change      and code   packed
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`services`] | what is served: tonic services, health, reflection |
//! | [`server`] | connections, and how they end |
//! | `incoming`, [`tls`] | accepting, and certificates |
//! | `snappy`, `frames` | the message compression that Thanos' clients use |
//! | `produced` | answers that a task makes |
//! | [`metrics`] | `grpc_server_…` as Go's servers count |

mod frames;
mod incoming;
mod methods;
pub mod metrics;
pub(crate) mod produced;
pub mod server;
pub mod services;
pub(crate) mod snappy;
#[cfg(test)]
mod tests;
pub mod tls;

pub use metrics::GrpcMetrics;
pub use server::{ServerSettings, serve};
pub use services::Services;
pub use tls::{TlsFiles, TlsVersion};

/// The longest request that is taken, also after it is unpacked. Go's servers take 2 GiB; no query
/// is near that, and a client that says so must not cost that much memory.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;
/// The longest message of an answer, as in Thanos.
pub const MAX_RESPONSE_BYTES: usize = i32::MAX as usize;
