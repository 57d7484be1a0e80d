//! PromQL against Prometheus' own engine.
