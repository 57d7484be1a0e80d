//! promql-parser's error texts in Prometheus' words.

use super::scan::Scanned;

/// The message without placeholders, with Prometheus' names of types and its quotes.
pub(super) fn in_prometheus_words(message: &str, scanned: &Scanned) -> String {
    let quoted = message.replace('\'', "\"");
    if let Some(rest) = quoted.strip_prefix("metric name must not be set twice: ") {
        return format!("metric name must not be set twice: {}", restored(rest, scanned));
    }
    if let Some((expected, got)) =
        quoted.strip_prefix("expected type ").and_then(|rest| rest.split_once(", got "))
    {
        let (kind, context) = expected.split_once(' ').unwrap_or((expected, ""));
        return format!("expected type {} {context}, got {}", documented(kind), documented(got));
    }
    if let Some(got) = quoted
        .strip_prefix("unary expression only allowed on expressions of type scalar or vector, got")
    {
        let got = got.trim_start_matches(':').trim();
        return format!(
            "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
            documented(got)
        );
    }
    quoted
        .replace("subquery is only allowed on vector", "subquery is only allowed on instant vector")
        .replace("only allowed between vectors", "only allowed between instant vectors")
        .replace(
            "by an vector selector or matrix selector or a subquery",
            "by an instant vector selector or range vector selector or a subquery",
        )
}

fn documented(kind: &str) -> &str {
    match kind {
        "vector" => "instant vector",
        "matrix" => "range vector",
        other => other,
    }
}

/// `"a" or "0"` with the value that stands behind index 0.
fn restored(pair: &str, scanned: &Scanned) -> String {
    let value = |quoted: &str| -> String {
        let index = quoted.trim_matches('"').parse::<usize>().ok();
        match index.and_then(|index| scanned.matchers.get(index)) {
            Some(matcher) => format!("{:?}", matcher.value),
            None => quoted.to_owned(),
        }
    };
    match pair.split_once(" or ") {
        Some((first, second)) => format!("{first} or {}", value(second)),
        None => pair.to_owned(),
    }
}
