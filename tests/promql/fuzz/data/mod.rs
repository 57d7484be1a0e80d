//! Generated series: every kind that a query may meet, over an hour.

mod floats;
pub(super) mod metrics;
mod natives;
mod times;

use std::collections::BTreeMap;

use engine::model::{Labels, METRIC_NAME, STALE_NAN_BITS};

use super::random::Random;
use crate::promql::promqltest::histogram::Native;
use crate::promql::promqltest::script::{Sample, Value};

use metrics::{Kind, METRICS, Metric};

/// The earliest time of a sample, in ms.
pub(super) const START: i64 = crate::support::DATA_START;
/// How long the data last, in ms.
pub(super) const LENGTH: i64 = 3_600_000;

/// Series by their labels.
pub(super) type Series = BTreeMap<Labels, Vec<Sample>>;

/// The series of one data set.
pub(super) fn generate(random: &mut Random) -> Series {
    let mut all = Series::new();
    for metric in METRICS {
        let random = &mut random.fork();
        match metric.kind {
            Kind::Classic => classic(metric, random, &mut all),
            Kind::Info => info(metric, random, &mut all),
            _ => plain(metric, random, &mut all),
        }
    }
    all.retain(|_, samples| !samples.is_empty());
    all
}

fn plain(metric: &Metric, random: &mut Random, all: &mut Series) {
    for labels in metric.label_sets(random) {
        let times = times::series(random);
        let count = times.len();
        let float = |value: f64| Value::Float(value);
        let native = |native: Native| Value::Histogram(Box::new(native));
        let values: Vec<Value> = match metric.kind {
            Kind::Counter => floats::counter(random, count).into_iter().map(float).collect(),
            Kind::Native => natives::exponential(random, count).into_iter().map(native).collect(),
            Kind::NativeGauge => natives::gauge(random, count).into_iter().map(native).collect(),
            Kind::Custom => natives::custom(random, count).into_iter().map(native).collect(),
            Kind::Mixed => mixed(random, count),
            _ => floats::gauge(random, count).into_iter().map(float).collect(),
        };
        all.insert(labelled(metric.name, &labels), samples(random, &times, values));
    }
}

/// Stretches of floats and of histograms.
fn mixed(random: &mut Random, count: usize) -> Vec<Value> {
    let mut values = Vec::new();
    while values.len() < count {
        let length = random.between(1, 60) as usize;
        match random.below(3) {
            0 => values.extend(floats::counter(random, length).into_iter().map(Value::Float)),
            kind => {
                let natives = match kind {
                    1 => natives::exponential(random, length),
                    _ => natives::custom(random, length),
                };
                values.extend(natives.into_iter().map(|n| Value::Histogram(Box::new(n))));
            }
        }
    }
    values.truncate(count);
    values
}

/// Series of buckets, counts and sums; some histograms are broken.
fn classic(metric: &Metric, random: &mut Random, all: &mut Series) {
    const BOUNDS: [&str; 6] = ["0.1", "0.5", "1", "2.5", "10", "+Inf"];
    for labels in metric.label_sets(random) {
        let times = times::series(random);
        let broken = if random.chance(30) { random.below(5) } else { 9 };
        let bounds = match broken {
            0 => &BOUNDS[..5],
            1 => &BOUNDS[5..],
            _ => &BOUNDS[..],
        };
        let mut total = vec![0.0; times.len()];
        for bound in bounds {
            let rises = floats::counter(random, times.len());
            for (sum, rise) in total.iter_mut().zip(&rises) {
                *sum += rise;
            }
            if broken == 2 && random.chance(30) {
                total.iter_mut().for_each(|sum| *sum *= 0.7);
            }
            let text = match broken {
                3 if *bound == "1" => "wide",
                4 if *bound == "1" => "1.0",
                _ => *bound,
            };
            let mut with_bound = labels.clone();
            with_bound.push(("le", text.to_owned()));
            let mut values: Vec<Value> = total.iter().map(|&value| Value::Float(value)).collect();
            if broken == 4 && random.chance(30) {
                values.iter_mut().step_by(7).for_each(|value| *value = Value::Float(f64::NAN));
            }
            all.insert(labelled(metric.name, &with_bound), samples(random, &times, values));
        }
        let base = metric.name.trim_end_matches("_bucket");
        let floats = |values: Vec<f64>| values.into_iter().map(Value::Float).collect::<Vec<_>>();
        let sums = floats(total.iter().map(|count| count * 0.75).collect());
        all.insert(labelled(&format!("{base}_sum"), &labels), samples(random, &times, sums));
        let counts = floats(total);
        all.insert(labelled(&format!("{base}_count"), &labels), samples(random, &times, counts));
    }
}

/// Series that are 1 and whose labels say something; what they say may change.
fn info(metric: &Metric, random: &mut Random, all: &mut Series) {
    for labels in metric.label_sets(random) {
        let times = times::series(random);
        let change = match random.chance(40) {
            true => random.below(times.len().max(1)),
            false => times.len(),
        };
        // Where one ends without a stale marker, both are there for a while.
        let (before, after) = times.split_at(change.min(times.len()));
        for (version, times) in [("1.0", before), ("1.1", after)] {
            let mut with_version = labels.clone();
            with_version.push(("version", version.to_owned()));
            let name = random.pick(&["green", "blue"]);
            if random.chance(50) {
                with_version.push(("colour", name.to_owned()));
            }
            let values = vec![Value::Float(1.0); times.len()];
            all.insert(labelled(metric.name, &with_version), samples(random, times, values));
        }
    }
}

fn labelled(name: &str, labels: &[(&str, String)]) -> Labels {
    let name = (METRIC_NAME, name.to_owned());
    let labels = labels.iter().map(|(name, value)| (*name, value.clone()));
    Labels::new(labels.chain([name])).expect("distinct names")
}

/// Values at times, some of them stale markers.
fn samples(random: &mut Random, times: &[i64], values: Vec<Value>) -> Vec<Sample> {
    let of_all = random.pick(&[0, 0, 0, 1, 4]);
    let last = times.len().saturating_sub(1);
    let ends_stale = random.chance(30);
    let mut histogram = false;
    let sample = |(at, (&ts, value)): (usize, (&i64, Value))| {
        let stale = random.chance(of_all) || (ends_stale && at == last);
        let value = match (stale, histogram) {
            (false, _) => value,
            (true, true) => Value::Histogram(Box::new(Native::stale())),
            (true, false) => Value::Float(f64::from_bits(STALE_NAN_BITS)),
        };
        histogram = matches!(value, Value::Histogram(_));
        Sample { ts, start_ts: 0, value }
    };
    times.iter().zip(values).enumerate().map(sample).collect()
}
