//! The wire protocols between Stoa, Thanos and Prometheus.

mod generated;
