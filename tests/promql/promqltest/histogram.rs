//! Native histograms by bucket index: how scripts add them up and how answers are compared.

use std::collections::BTreeMap;

use engine::model::{CounterResetHint, Histogram, HistogramCounts, STALE_NAN_BITS, Span};

/// The schema of histograms with custom bounds.
pub(in crate::promql) const CUSTOM: i32 = -53;

/// A native histogram.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Native {
    /// The resolution, or [`CUSTOM`].
    pub(crate) schema: i32,
    pub(crate) zero_threshold: f64,
    pub(crate) zero_count: f64,
    pub(crate) count: f64,
    pub(crate) sum: f64,
    /// Counts by bucket index; empty buckets may stand among them.
    pub(crate) positive: BTreeMap<i32, f64>,
    /// The same below zero.
    pub(crate) negative: BTreeMap<i32, f64>,
    pub(crate) custom_values: Vec<f64>,
    pub(crate) hint: CounterResetHint,
    /// Whether the script says the hint: only then it is compared.
    pub(crate) hint_written: bool,
}

impl Default for Native {
    fn default() -> Self {
        Self {
            schema: 0,
            zero_threshold: 0.0,
            zero_count: 0.0,
            count: 0.0,
            sum: 0.0,
            positive: BTreeMap::new(),
            negative: BTreeMap::new(),
            custom_values: Vec::new(),
            hint: CounterResetHint::Unknown,
            hint_written: false,
        }
    }
}

impl Native {
    /// The stale marker.
    pub(in crate::promql) fn stale() -> Self {
        Self { sum: f64::from_bits(STALE_NAN_BITS), ..Self::default() }
    }

    /// Whether it is the stale marker.
    pub(super) fn is_stale(&self) -> bool {
        self.sum.to_bits() == STALE_NAN_BITS
    }

    /// This and `sign` times `other` (`FloatHistogram.Add` and `Sub`), as far as scripts need it: the
    /// zero buckets are as wide, and custom bounds the same.
    pub(super) fn plus(&self, other: &Self, sign: f64) -> Result<Self, String> {
        if self.schema > other.schema {
            return Err(format!(
                "error combining histograms: cannot merge from schema {} to {}",
                other.schema, self.schema
            ));
        }
        let alike = (self.schema == CUSTOM) == (other.schema == CUSTOM)
            && self.zero_threshold == other.zero_threshold
            && self.custom_values == other.custom_values;
        if !alike {
            return Err("histograms with other zero buckets or bounds are not added up".to_owned());
        }
        use CounterResetHint::{Gauge, Unknown};
        let mut sum = self.clone();
        sum.hint = match (self.hint, other.hint) {
            (ours, theirs) if ours == theirs => ours,
            (Gauge, _) | (_, Gauge) => Gauge,
            _ => Unknown,
        };
        sum.zero_count += sign * other.zero_count;
        sum.count += sign * other.count;
        sum.sum += sign * other.sum;
        let levels = (other.schema - self.schema) as u32;
        for (buckets, more) in
            [(&mut sum.positive, &other.positive), (&mut sum.negative, &other.negative)]
        {
            for (&at, count) in more {
                *buckets.entry(((at - 1) >> levels) + 1).or_default() += sign * count;
            }
        }
        Ok(sum)
    }

    /// As a block stores it; with `whole` as an integer histogram, if all its counts are whole.
    pub(super) fn stored(&self, whole: bool) -> Histogram {
        let (positive_spans, positive) = spread(&self.positive);
        let (negative_spans, negative) = spread(&self.negative);
        let numbers = [self.count, self.zero_count];
        let mut numbers = numbers.iter().chain(&positive).chain(&negative);
        let counts = if whole && numbers.all(|n| (0.0..1e15).contains(n) && n.fract() == 0.0) {
            HistogramCounts::Int {
                count: self.count as u64,
                zero_count: self.zero_count as u64,
                positive: positive.iter().map(|&n| n as i64).collect(),
                negative: negative.iter().map(|&n| n as i64).collect(),
            }
        } else {
            let (count, zero_count) = (self.count, self.zero_count);
            HistogramCounts::Float { count, zero_count, positive, negative }
        };
        Histogram {
            counter_reset_hint: self.hint,
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            sum: self.sum,
            positive_spans,
            negative_spans,
            custom_values: self.custom_values.clone(),
            counts,
        }
    }
}

/// Spans and counts of `buckets`.
fn spread(buckets: &BTreeMap<i32, f64>) -> (Vec<Span>, Vec<f64>) {
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    for &at in buckets.keys() {
        match spans.last_mut() {
            Some(last) if at == next => last.length += 1,
            _ => spans.push(Span { offset: at - next, length: 1 }),
        }
        next = at + 1;
    }
    (spans, buckets.values().copied().collect())
}

/// The counts of `buckets` by their index.
pub(super) fn by_index(spans: &[Span], buckets: &[f64]) -> BTreeMap<i32, f64> {
    let mut at = 0;
    let mut indices = Vec::with_capacity(buckets.len());
    for span in spans {
        at += span.offset;
        indices.extend(at..at + span.length as i32);
        at += span.length as i32;
    }
    assert_eq!(indices.len(), buckets.len(), "spans have as many buckets as there are counts");
    indices.into_iter().zip(buckets.iter().copied()).collect()
}

#[test]
fn sums_take_the_lower_resolution() {
    let one = Native { schema: -1, positive: [(1, 1.0)].into(), ..Native::default() };
    let more = Native { positive: [(-1, 8.0), (1, 2.0), (2, 4.0)].into(), ..Native::default() };
    let sum = one.plus(&more, -1.0).expect("alike");
    assert_eq!(sum.positive, [(0, -8.0), (1, -5.0)].into());
    assert!(more.plus(&one, 1.0).is_err());
}
