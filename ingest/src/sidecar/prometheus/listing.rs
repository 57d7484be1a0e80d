//! Series, label names and label values of a Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine::Result;
use engine::model::{Labels, MatchOp, Matcher, TimeRange};

use super::{Parameter, Prometheus};

/// The times that Prometheus' API takes: the years 0 and beyond 9999 are cut (`minTime`, `maxTime`
/// of `web/api/v1`), and with them everything is inside.
const EARLIEST: i64 = -62_135_596_800_000;
const LATEST: i64 = 253_402_300_799_000;

impl Prometheus {
    /// The label sets of the series that all `matchers` accept (one at least) in `range`; at most
    /// `limit` if it is not 0.
    pub async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Labels>> {
        let parameters = parameters(matchers, range, limit);
        let sets: Vec<BTreeMap<String, String>> = self.api("api/v1/series", &parameters).await?;
        sets.into_iter().map(Labels::new).collect()
    }

    /// The label names of those series; without matchers those of all.
    pub async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<String>> {
        self.api("api/v1/labels", &parameters(matchers, range, limit)).await
    }

    /// The values of label `name` in those series; without matchers in all.
    pub async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<String>> {
        let path = format!("api/v1/label/{}/values", escape_name(name));
        self.api(&path, &parameters(matchers, range, limit)).await
    }
}

/// How the API's path names a label: one that is no identifier is escaped as `U__…`
/// (`model.EscapeName` with value encoding).
pub(super) fn escape_name(name: &str) -> String {
    if is_identifier(name) && !name.starts_with("U__") {
        return name.to_owned();
    }
    let mut escaped = String::from("U__");
    for (at, c) in name.chars().enumerate() {
        match c {
            '_' => escaped.push_str("__"),
            c if is_plain(at, c) => escaped.push(c),
            c => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "_{:x}_", u32::from(c));
            }
        }
    }
    escaped
}

fn is_plain(at: usize, c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit())
}

fn is_identifier(name: &str) -> bool {
    name.chars().enumerate().all(|(at, c)| is_plain(at, c))
}

fn parameters(matchers: &[Matcher], range: TimeRange, limit: usize) -> Vec<Parameter<'static>> {
    let mut parameters = vec![
        ("start", seconds(range.min.clamp(EARLIEST, LATEST))),
        ("end", seconds(range.max.clamp(EARLIEST, LATEST))),
    ];
    if !matchers.is_empty() {
        parameters.push(("match[]", selector(matchers)));
    }
    if limit > 0 {
        parameters.push(("limit", limit.to_string()));
    }
    parameters
}

fn seconds(ms: i64) -> String {
    format!("{:.3}", ms as f64 / 1000.0)
}

/// `matchers` as a selector of PromQL.
pub(super) fn selector(matchers: &[Matcher]) -> String {
    let mut text = String::from("{");
    for (at, matcher) in matchers.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        // Prometheus before 3 knows no quoted names.
        if is_identifier(matcher.name()) {
            text.push_str(matcher.name());
        } else {
            quote(&mut text, matcher.name());
        }
        text.push_str(match matcher.op() {
            MatchOp::Equal => "=",
            MatchOp::NotEqual => "!=",
            MatchOp::Regex => "=~",
            MatchOp::NotRegex => "!~",
        });
        quote(&mut text, matcher.value());
    }
    text.push('}');
    text
}

/// A string of PromQL.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(text, "\\U{:08x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
