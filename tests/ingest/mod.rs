//! Prometheus blocks: what Stoa reads and converts, against what Prometheus' own reader says.

mod bad_blocks;
mod dump;
mod reading;
