//! Native histograms as JSON (`MarshalHistogram` in util/jsonutil/marshal.go).

use promql::functions::histogram::{Bucket, FloatHistogram};

use super::number::push_value;

/// Appends `{"count":"3","sum":"4.5","buckets":[[0,"0.5","1","2"],…]}`: buckets with observations, each
/// with which of its bounds belong to it.
pub(super) fn push_histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(b"{\"count\":\"");
    push_value(out, histogram.count);
    out.extend_from_slice(b"\",\"sum\":\"");
    push_value(out, histogram.sum);
    out.push(b'"');
    let mut open: &[u8] = b",\"buckets\":[[";
    for bucket in histogram.buckets().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(open);
        out.push(boundaries(&bucket));
        for number in [bucket.lower, bucket.upper, bucket.count] {
            out.extend_from_slice(b",\"");
            push_value(out, number);
            out.push(b'"');
        }
        open = b"],[";
    }
    out.extend_from_slice(if open.starts_with(b"]") { b"]]}" } else { b"}" });
}

/// 0: the upper bound belongs to the bucket; 1: the lower; 2: neither; 3: both.
fn boundaries(bucket: &Bucket) -> u8 {
    match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => b'0',
        (true, false) => b'1',
        (false, false) => b'2',
        (true, true) => b'3',
    }
}
