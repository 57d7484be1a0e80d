//! Classic histograms as native ones with custom buckets (`util/convertnhcb` in Prometheus, and what
//! promqltest makes of it).

use std::collections::BTreeMap;

use engine::model::{Labels, METRIC_NAME};

use super::super::histogram::{CUSTOM, Native};
use super::super::script::number::number;
use super::super::script::{Sample, Value};

/// A classic histogram at one time.
#[derive(Debug, Clone, Default)]
struct Classic {
    /// Upper bounds and counts, ascending.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

/// The native series of the classic histograms of one load.
pub(super) fn converted(
    series: &BTreeMap<Labels, Vec<Sample>>,
) -> Result<BTreeMap<Labels, Vec<Sample>>, String> {
    let mut classic: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
    for (labels, samples) in series {
        let Some((base, part)) = part(labels)? else { continue };
        let of_base = classic.entry(base).or_default();
        for sample in samples {
            let Value::Float(value) = sample.value else { continue };
            let classic = of_base.entry(sample.ts).or_default();
            match part {
                Part::Bucket(bound) => {
                    let at = classic.buckets.partition_point(|&(other, _)| other < bound);
                    // Of two that say the same bound, one is ignored.
                    if classic.buckets.get(at).is_none_or(|&(other, _)| other != bound) {
                        classic.buckets.insert(at, (bound, value));
                    }
                }
                Part::Count => classic.count = Some(value),
                Part::Sum => classic.sum = value,
            }
        }
    }
    let native = |(labels, by_time): (Labels, BTreeMap<i64, Classic>)| {
        let sample = |(ts, classic): (i64, Classic)| {
            let native = classic.native().map_err(|why| format!("{labels} at {ts} ms: {why}"))?;
            Ok(Sample { ts, start_ts: 0, value: Value::Histogram(Box::new(native)) })
        };
        let samples: Result<Vec<Sample>, String> = by_time.into_iter().map(sample).collect();
        Ok((labels, samples?))
    };
    classic.into_iter().map(native).collect()
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

/// The native histogram that a series is a part of, and which; none if it is no part of any.
fn part(labels: &Labels) -> Result<Option<(Labels, Part)>, String> {
    let metric = labels.metric();
    let (base, part) = if let Some(base) = metric.strip_suffix("_bucket") {
        match labels.get("le") {
            "" => return Err(format!("{labels} has no bound")),
            bound => match number(bound) {
                Some(bound) if !bound.is_nan() => (base, Part::Bucket(bound)),
                _ => return Ok(None),
            },
        }
    } else if let Some(base) = metric.strip_suffix("_count") {
        (base, Part::Count)
    } else if let Some(base) = metric.strip_suffix("_sum") {
        (base, Part::Sum)
    } else {
        return Ok(None);
    };
    let name = Labels::new([(METRIC_NAME, base)]).map_err(|error| error.to_string())?;
    Ok(Some((labels.filter(|label| label != "le").overlay(&name), part)))
}

impl Classic {
    fn native(mut self) -> Result<Native, String> {
        if self.buckets.windows(2).any(|pair| pair[1].1 < pair[0].1) {
            return Err("count is not cumulative".to_owned());
        }
        let highest = self.buckets.last().map(|&(_, count)| count);
        let count = self.count.or(highest).ok_or("count must be provided without buckets")?;
        if self.buckets.last().is_none_or(|&(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        if self.buckets.last().is_some_and(|&(_, last)| last != count) {
            return Err(format!("count mismatch: {count}"));
        }
        let mut before = 0.0;
        let mut positive = BTreeMap::new();
        for (at, &(_, cumulative)) in (0..).zip(&self.buckets) {
            positive.insert(at, cumulative - before);
            before = cumulative;
        }
        // Counts of empty buckets are not kept.
        positive.retain(|_, count| *count != 0.0);
        let bounds = self.buckets.iter().map(|&(bound, _)| bound);
        let custom_values = bounds.filter(|&bound| bound != f64::INFINITY).collect();
        let sum = self.sum;
        Ok(Native { schema: CUSTOM, count, sum, positive, custom_values, ..Native::default() })
    }
}
