//! Prometheus blocks, as Prometheus itself reads them.
