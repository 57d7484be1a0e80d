//! The HTTP API of the querier.
