//! Whether two answers are the same, and where they are not.

use std::collections::BTreeMap;

use super::answer::{Answer, Ask, Question, Series};
use super::promqltest::histogram::{CUSTOM, Native};

/// How far a rounded value may be from the other, relative to it.
const TOLERANCE: f64 = 1e-12;

/// What makes a value depend on the order of additions over series, or on a library of mathematics.
/// Everything else is exact: `*_over_time` adds the samples of one series in order of time.
///
/// Quantiles sort values, and which of two zeros comes first is Go's unstable sort's to say.
const ROUNDED: &str = "
    sum avg stddev stdvar exp ln log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh
    acosh atanh atan2 ^ quantile quantile_over_time mad_over_time
";

/// Functions of a library whose values are at most about 1: differences of them are as exact as they are.
const BOUNDED: &str = "sin cos asin acos atan tanh atan2";

/// What both answers are to one question.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Equal, bit for bit.
    Equal,
    /// Equal but for rounding, which is allowed here.
    Rounded,
    /// Not equal: what is where.
    Different(String),
}

/// Compares what Stoa and Prometheus answer.
pub(super) fn compare(question: &Question, stoa: &Answer, prometheus: &Answer) -> Verdict {
    match (stoa, prometheus) {
        (Answer::Error(_), Answer::Error(_)) => Verdict::Equal,
        (Answer::Data { series: ours, kind: our_kind }, Answer::Data { series: theirs, kind }) => {
            if our_kind != kind {
                return Verdict::Different(format!("{our_kind} and {kind}"));
            }
            if let Some(found) = order(question, ours, theirs) {
                return Verdict::Different(found);
            }
            data(question, ours, theirs)
        }
        (Answer::Data { series, .. }, Answer::Names(names))
        | (Answer::Names(names), Answer::Data { series, .. })
            if series.is_empty() && names.is_empty() =>
        {
            Verdict::Equal
        }
        (ours, theirs) if ours == theirs => Verdict::Equal,
        (ours, theirs) => Verdict::Different(format!("{} and {}", short(ours), short(theirs))),
    }
}

type Rows = [(BTreeMap<String, String>, Series)];

fn data(question: &Question, ours: &Rows, theirs: &Rows) -> Verdict {
    let mut left: BTreeMap<_, _> = ours.iter().map(|(labels, row)| (labels, row)).collect();
    if left.len() != ours.len() {
        return Verdict::Different("a label set occurs twice".to_owned());
    }
    let mut found = Vec::new();
    let mut rounded = false;
    let rounds = Rounding::of(&question.query);
    for (labels, their) in theirs {
        let alike = |other: &&&BTreeMap<String, String>| {
            rounds != Rounding::NONE && near_labels(other, labels)
        };
        let known = match left.contains_key(labels) {
            true => Some(labels),
            false => left.keys().find(alike).copied(),
        };
        rounded |= known.is_some_and(|known| known != labels);
        match known.and_then(|known| left.remove(known)) {
            None => found.push(format!("{labels:?} is missing, it has {}", points(their))),
            Some(our) => match row(question, our, their) {
                Verdict::Equal => {}
                Verdict::Rounded => rounded = true,
                Verdict::Different(what) => found.push(format!("{labels:?}: {what}")),
            },
        }
    }
    for (labels, our) in left {
        found.push(format!("{labels:?} is not Prometheus', it has {}", points(our)));
    }
    match found.as_slice() {
        [] if rounded => Verdict::Rounded,
        [] => Verdict::Equal,
        [first, rest @ ..] => Verdict::Different(format!(
            "{first}{}",
            if rest.is_empty() { String::new() } else { format!(" … and {} more", rest.len()) }
        )),
    }
}

/// Whether labels are the same but for rounding: `count_values` makes labels of values.
fn near_labels(ours: &BTreeMap<String, String>, theirs: &BTreeMap<String, String>) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|((our_name, our), (their_name, their))| {
            our_name == their_name && near_text(our, their)
        })
}

/// Whether texts are the same, but for rounding of numbers in them where the query may round.
pub(super) fn same_text(query: &str, ours: &str, theirs: &str) -> bool {
    ours == theirs || (may_round(query) && near_text(ours, theirs))
}

fn near_text(ours: &str, theirs: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| "{}[](): ,".contains(c)).map(str::to_owned).collect()
    };
    let near = |(our, their): (&String, &String)| match (our.parse(), their.parse()) {
        (Ok(our), Ok(their)) => number(Rounding::OF_SUMS, our, their).is_ok(),
        _ => our == their,
    };
    let (ours, theirs) = (words(ours), words(theirs));
    ours.len() == theirs.len() && ours.iter().zip(&theirs).all(near)
}

fn row(question: &Question, ours: &Series, theirs: &Series) -> Verdict {
    let rounds = Rounding::of(&question.query);
    let verdicts = [
        points_of("points", &ours.points, &theirs.points, |our, their| {
            number(rounds, *our, *their).map_err(|()| format!("{our:?} and {their:?}"))
        }),
        points_of("histograms", &ours.histograms, &theirs.histograms, |our, their| {
            native(rounds, our, their)
        }),
    ];
    let mut rounded = false;
    for verdict in verdicts {
        match verdict {
            Verdict::Equal => {}
            Verdict::Rounded => rounded = true,
            different @ Verdict::Different(_) => return different,
        }
    }
    if rounded { Verdict::Rounded } else { Verdict::Equal }
}

/// Compares points at the same times; `same` says whether two are equal but for rounding.
fn points_of<T: std::fmt::Debug>(
    what: &str,
    ours: &[(i64, T)],
    theirs: &[(i64, T)],
    same: impl Fn(&T, &T) -> Result<Near, String>,
) -> Verdict {
    let times = |points: &[(i64, T)]| points.iter().map(|(t, _)| *t).collect::<Vec<_>>();
    let (our_times, their_times) = (times(ours), times(theirs));
    if our_times != their_times {
        let first = theirs.iter().find(|(t, _)| !our_times.contains(t));
        let other = ours.iter().find(|(t, _)| !their_times.contains(t));
        return Verdict::Different(format!(
            "{} {what} and {}: the first that is not Prometheus' is {other:?}, the first missing is \
             {first:?}",
            our_times.len(),
            their_times.len()
        ));
    }
    let mut rounded = false;
    let mut found = Vec::new();
    for ((time, our), (_, their)) in ours.iter().zip(theirs) {
        match same(our, their) {
            Ok(Near::Same) => {}
            Ok(Near::Rounded) => rounded = true,
            Err(why) => found.push(format!("{why} at {time}")),
        }
    }
    match found.as_slice() {
        [] if rounded => Verdict::Rounded,
        [] => Verdict::Equal,
        [first, ..] => {
            Verdict::Different(format!("{first}, {} of {} {what}", found.len(), our_times.len()))
        }
    }
}

/// How far a value may be from the other.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rounding {
    /// Relative to the greater one.
    relative: f64,
    absolute: f64,
}

impl Rounding {
    const NONE: Self = Self { relative: 0.0, absolute: 0.0 };
    const OF_SUMS: Self = Self { relative: TOLERANCE, absolute: 0.0 };

    fn of(query: &str) -> Self {
        match may_round(query) {
            false => Self::NONE,
            true if has_word(query, BOUNDED) => Self { absolute: TOLERANCE, ..Self::OF_SUMS },
            true => Self::OF_SUMS,
        }
    }
}

/// How near two values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Near {
    Same,
    Rounded,
}

fn number(rounds: Rounding, our: f64, their: f64) -> Result<Near, ()> {
    if our.to_bits() == their.to_bits() || (our.is_nan() && their.is_nan()) {
        return Ok(Near::Same);
    }
    // Equal ones are zeros of both signs.
    let difference = (our - their).abs();
    let near = difference <= rounds.relative * their.abs().max(our.abs());
    let allowed = rounds != Rounding::NONE && (near || difference <= rounds.absolute);
    if allowed { Ok(Near::Rounded) } else { Err(()) }
}

/// Compares histograms; empty buckets do not count.
fn native(rounds: Rounding, our: &Native, their: &Native) -> Result<Near, String> {
    let shown = || format!("{our:?} and {their:?}");
    let exact = our.schema == their.schema
        && our.zero_threshold.to_bits() == their.zero_threshold.to_bits()
        && our.custom_values == their.custom_values
        && our.hint == their.hint;
    let populated = |buckets: &BTreeMap<i32, f64>| -> Vec<(i32, f64)> {
        let all = buckets.iter().map(|(&at, &count)| (at, count));
        all.filter(|&(_, count)| count != 0.0).collect()
    };
    let buckets = |native: &Native| [populated(&native.positive), populated(&native.negative)];
    let (ours, theirs) = (buckets(our).concat(), buckets(their).concat());
    let places = |buckets: &[(i32, f64)]| buckets.iter().map(|(at, _)| *at).collect::<Vec<_>>();
    if !exact || places(&ours) != places(&theirs) {
        return Err(shown());
    }
    let numbers = |native: &Native, buckets: &[(i32, f64)]| -> Vec<f64> {
        // What was calculated in the zero bucket that histograms with custom bounds do not have is lost
        // with the next copy, and never shown.
        let zero_count = if native.schema == CUSTOM { 0.0 } else { native.zero_count };
        let own = [native.count, native.sum, zero_count];
        own.into_iter().chain(buckets.iter().map(|(_, count)| *count)).collect()
    };
    let mut near = Near::Same;
    for (our, their) in numbers(our, &ours).into_iter().zip(numbers(their, &theirs)) {
        if number(rounds, our, their).map_err(|()| shown())? == Near::Rounded {
            near = Near::Rounded;
        }
    }
    Ok(near)
}

/// Sorted answers have their values in the same order; equal values may change places.
fn order(question: &Question, ours: &Rows, theirs: &Rows) -> Option<String> {
    let sorted = ["sort(", "sort_desc(", "topk(", "bottomk("];
    if !matches!(question.ask, Ask::Instant(_))
        || !sorted.iter().any(|name| question.query.starts_with(name))
    {
        return None;
    }
    let values = |rows: &Rows| -> Vec<u64> {
        let bits = |value: f64| if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
        let last = |row: &Series| row.points.last().map_or(0, |&(_, value)| bits(value));
        rows.iter().map(|(_, row)| last(row)).collect()
    };
    let (ours, theirs) = (values(ours), values(theirs));
    let same_set = {
        let (mut a, mut b) = (ours.clone(), theirs.clone());
        a.sort_unstable();
        b.sort_unstable();
        a == b
    };
    (same_set && ours != theirs).then(|| "the order of the values differs".to_owned())
}

/// Whether a query's value may differ in its last digits.
pub(super) fn may_round(query: &str) -> bool {
    has_word(query, ROUNDED)
}

/// Whether one of `wanted` stands in a query, outside of strings.
fn has_word(query: &str, wanted: &str) -> bool {
    let mut words = Vec::new();
    let mut quoted = None;
    let mut word = String::new();
    for c in query.chars().chain([' ']) {
        match quoted {
            Some(quote) => quoted = (c != quote).then_some(quote),
            None if c == '"' || c == '\'' => quoted = Some(c),
            None if c.is_alphanumeric() || c == '_' || c == ':' => word.push(c),
            None => {
                words.push(std::mem::take(&mut word));
                words.push(c.to_string());
            }
        }
    }
    words.iter().any(|word| wanted.split_whitespace().any(|wanted| wanted == word))
}

fn points(series: &Series) -> String {
    let first = series.points.first();
    let histograms = &series.histograms;
    format!(
        "{} points from {first:?}, {} histograms from {:?}",
        series.points.len(),
        histograms.len(),
        histograms.first()
    )
}

fn short(answer: &Answer) -> String {
    let text = match answer {
        Answer::Data { kind, series } => format!("a {kind} of {} series", series.len()),
        other => format!("{other:?}"),
    };
    text.chars().take(300).collect()
}

#[test]
fn rounding_is_allowed_where_order_or_libraries_matter() {
    for query in ["sum(x)", "sum by (a) (x)", "exp(x)", "x ^ 2", "1 + avg without (a) (x)"] {
        assert!(may_round(query), "{query}");
    }
    for query in [
        "sum_over_time(x[5m])",
        "histogram_quantile(1, x)",
        "rate(x[5m])",
        "up{job=\"sum\"}",
        "max(x)",
        "x / y",
    ] {
        assert!(!may_round(query), "{query}");
    }
}
