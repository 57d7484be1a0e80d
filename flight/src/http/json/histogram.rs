//! Native histograms as JSON (`MarshalHistogram` in util/jsonutil/marshal.go).

use promql::functions::histogram::FloatHistogram;

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
    for bucket in histogram.filled_buckets() {
        out.extend_from_slice(open);
        out.push(b'0' + bucket.boundaries());
        for number in [bucket.lower, bucket.upper, bucket.count] {
            out.extend_from_slice(b",\"");
            push_value(out, number);
            out.push(b'"');
        }
        open = b"],[";
    }
    out.extend_from_slice(if open.starts_with(b"]") { b"]]}" } else { b"}" });
}
