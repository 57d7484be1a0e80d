//! Criterion benches, a module an operator.

mod blocks;
mod dedup;
mod label_lookup;
mod scan;

criterion::criterion_group!(operators, label_lookup::label_lookup, scan::scan, dedup::dedup);
criterion::criterion_main!(operators);
