//! Criterion benches, a module an operator.

mod blocks;
mod chunk_decode;
mod convert;
mod dedup;
mod label_lookup;
mod rate;
mod scan;
mod tsdb_block;

criterion::criterion_group!(
    operators,
    chunk_decode::chunk_decode,
    chunk_decode::chunk_encode,
    convert::convert,
    label_lookup::label_lookup,
    scan::scan,
    dedup::dedup,
    rate::rate
);
criterion::criterion_main!(operators);
