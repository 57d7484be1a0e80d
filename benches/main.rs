//! Criterion benches, a module an operator.

fn main() {}
