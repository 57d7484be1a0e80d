//! Between our values and Thanos' messages.

use engine::model::{Aggregate, Labels, MatchOp, Matcher, TimeRange};
use engine::{Error, ErrorKind};
use proto::thanos::label_matcher::Type;
use proto::thanos::{Aggr, LabelMatcher, ZLabelSet};
use tonic::{Code, Status};

/// What Prometheus takes for the beginning and the end of time, in ms (`infMinTime`, `infMaxTime` of
/// its API): further away, times overflow on their way through nanoseconds.
const TIMES: (i64, i64) = (-9_223_309_901_257_974_000, 9_223_309_901_257_974_999);

/// The longest text of a peer that is handed on.
const TEXT_MAX: usize = 1024;
/// The most warnings of a peer that are handed on.
const WARNINGS_MAX: usize = 100;

pub(crate) fn matchers(matchers: &[Matcher]) -> Vec<LabelMatcher> {
    let wire = |matcher: &Matcher| {
        let kind = match matcher.op() {
            MatchOp::Equal => Type::Eq,
            MatchOp::NotEqual => Type::Neq,
            MatchOp::Regex => Type::Re,
            MatchOp::NotRegex => Type::Nre,
        };
        LabelMatcher {
            r#type: kind.into(),
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
        }
    };
    matchers.iter().map(wire).collect()
}

/// The number of an aggregate.
pub(super) fn aggregate(aggregate: Aggregate) -> i32 {
    let wire = match aggregate {
        Aggregate::Count => Aggr::Count,
        Aggregate::Sum => Aggr::Sum,
        Aggregate::Min => Aggr::Min,
        Aggregate::Max => Aggr::Max,
        Aggregate::Counter => Aggr::Counter,
    };
    wire.into()
}

pub(super) fn times(range: TimeRange) -> (i64, i64) {
    (range.min.max(TIMES.0), range.max.min(TIMES.1))
}

/// A label set; none if it is no label set.
pub(crate) fn label_set(set: &ZLabelSet) -> Option<Labels> {
    let pairs = set.labels.iter().map(|label| (label.name.as_str(), label.value.as_str()));
    Labels::new(pairs).ok()
}

/// At most so many warnings, each at most so long.
pub(super) fn warnings(mut texts: Vec<String>) -> Vec<String> {
    texts.truncate(WARNINGS_MAX);
    texts.into_iter().map(|text| shortened(&text)).collect()
}

pub(crate) fn shortened(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let end = (0..=TEXT_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// What an endpoint failed with. A limit that it kept is the query's own error where nothing may be
/// missing (`strict`).
pub(crate) fn failure(address: &str, status: &Status, strict: bool) -> Error {
    let kind = match status.code() {
        Code::ResourceExhausted if strict => ErrorKind::ResourcesExhausted,
        _ => ErrorKind::Unavailable,
    };
    let (code, text) = (status.code(), shortened(status.message()));
    // Of a broken connection the status says little and its cause more.
    let cause = std::error::Error::source(status)
        .map(|cause| format!(": {}", shortened(&causes(cause))))
        .unwrap_or_default();
    Error::new(kind, format!("{address}: {code:?}: {text}{cause}"))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        let long = "é".repeat(1000);
        let cut = shortened(&long);
        assert_eq!(cut.len(), TEXT_MAX + "…".len());
        assert_eq!(shortened("short"), "short");
        assert_eq!(warnings(vec![long; 200]).len(), WARNINGS_MAX);
    }

    #[test]
    fn limits_keep_their_kind_where_nothing_may_be_missing() {
        let status = Status::resource_exhausted("too much");
        let error = failure("a:1", &status, true);
        assert_eq!(error.kind(), ErrorKind::ResourcesExhausted);
        assert_eq!(error.message(), "a:1: ResourceExhausted: too much");
        assert_eq!(failure("a:1", &status, false).kind(), ErrorKind::Unavailable);
    }
}
