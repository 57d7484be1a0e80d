//! The wire messages that Stoa shares with Thanos and Prometheus, and the gRPC services over them.
//!
//! The schemas in `schema/` are ours; names, types and field numbers are the contract. The code in
//! `src/generated/` is made from them and committed; `make proto` makes it anew, and a test compares.
//!
//! | module | holds |
//! |---|---|
//! | [`thanos`] | Store, WriteableStore, Query, Rules, Targets, Metadata, Exemplars, Status |
//! | [`thanos::info`] | Info |
//! | [`hintspb`] | what StoreAPI carries as Any |
//! | [`prometheus_copy`] | series with samples |
//! | [`prometheus`] | remote read |
//! | [`stoa`] | run batches between Stoa nodes |

#![allow(missing_docs, reason = "generated; the schemas have the comments")]
#![allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated")]

/// StoreAPI and its sisters.
pub mod thanos {
    include!("generated/thanos.rs");

    /// What an endpoint is and has.
    pub mod info {
        include!("generated/thanos.info.rs");
    }
}

/// What StoreAPI carries as Any.
pub mod hintspb {
    include!("generated/hintspb.rs");
}

/// Series with samples, as Thanos copies Prometheus' messages.
pub mod prometheus_copy {
    include!("generated/prometheus_copy.rs");
}

/// Prometheus' remote read.
pub mod prometheus {
    include!("generated/prometheus.rs");
}

/// Run batches between Stoa nodes.
pub mod stoa {
    include!("generated/stoa.rs");
}

/// All schemas as an encoded `FileDescriptorSet`, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
