//! BYTE_STREAM_SPLIT for f64: the first bytes of all values, then all second bytes, …

/// Replaces the content of `out` by the eight byte streams of `values`.
pub(super) fn encode(values: &[f64], out: &mut Vec<u8>) {
    out.clear();
    out.resize(values.len() * 8, 0);
    if values.is_empty() {
        return;
    }
    for (byte, stream) in out.chunks_exact_mut(values.len()).enumerate() {
        let shift = byte as u32 * 8;
        for (slot, value) in stream.iter_mut().zip(values) {
            *slot = (value.to_bits() >> shift) as u8;
        }
    }
}
