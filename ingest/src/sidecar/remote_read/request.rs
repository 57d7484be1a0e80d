//! The request of remote read: a message in a block of snappy.

use engine::Result;
use engine::model::{MatchOp, Matcher, TimeRange};
use prost::Message as _;
use proto::prometheus::label_matcher::Type;
use proto::prometheus::read_request::ResponseType;
use proto::prometheus::{LabelMatcher, Query, ReadRequest};

use super::frames::broken;

/// What goes with it.
pub(super) const HEADERS: &[(&str, &str)] = &[
    ("content-encoding", "snappy"),
    ("content-type", "application/x-stream-protobuf"),
    ("x-prometheus-remote-read-version", "0.1.0"),
];

/// Asks for the series that all `matchers` accept, best as chunks, else as samples.
pub(super) fn encode(matchers: &[Matcher], range: TimeRange) -> Result<Vec<u8>> {
    let matchers = matchers.iter().map(|matcher| LabelMatcher {
        r#type: match matcher.op() {
            MatchOp::Equal => Type::Eq,
            MatchOp::NotEqual => Type::Neq,
            MatchOp::Regex => Type::Re,
            MatchOp::NotRegex => Type::Nre,
        }
        .into(),
        name: matcher.name().to_owned(),
        value: matcher.value().to_owned(),
    });
    let request = ReadRequest {
        queries: vec![Query {
            start_timestamp_ms: range.min,
            end_timestamp_ms: range.max,
            matchers: matchers.collect(),
            hints: None,
        }],
        accepted_response_types: vec![
            ResponseType::StreamedXorChunks.into(),
            ResponseType::Samples.into(),
        ],
    };
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).map_err(broken)
}
