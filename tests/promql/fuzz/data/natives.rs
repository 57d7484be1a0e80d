//! Native histograms.

use std::collections::BTreeMap;

use engine::model::CounterResetHint;

use crate::promql::fuzz::random::Random;
use crate::promql::promqltest::histogram::{CUSTOM, Native};

/// Counters with exponential buckets: they grow, are reset, and change their resolution or the width of
/// their zero bucket.
pub(super) fn exponential(random: &mut Random, count: usize) -> Vec<Native> {
    let changes = random.pick(&[0, 0, 2, 10]);
    walk(random, count, |random, now| {
        if random.chance(changes) {
            *now = empty(random);
            return true;
        }
        false
    })
}

/// Counters with custom buckets, whose bounds change.
pub(super) fn custom(random: &mut Random, count: usize) -> Vec<Native> {
    let changes = random.pick(&[0, 0, 2, 10]);
    let first = bounds(random);
    walk(random, count, move |random, now| {
        if now.schema != CUSTOM || random.chance(changes) {
            let custom_values = if now.schema == CUSTOM { bounds(random) } else { first.clone() };
            *now = Native { schema: CUSTOM, custom_values, ..Native::default() };
            return true;
        }
        false
    })
}

/// Gauges with exponential buckets.
pub(super) fn gauge(random: &mut Random, count: usize) -> Vec<Native> {
    let mut all = exponential(random, count);
    for native in &mut all {
        native.hint = CounterResetHint::Gauge;
        if random.chance(20) {
            for bucket in native.positive.values_mut() {
                *bucket = (*bucket * 0.5).floor();
            }
            total(native);
        }
    }
    all
}

fn bounds(random: &mut Random) -> Vec<f64> {
    const BOUNDS: [f64; 9] = [-5.0, 0.0, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 100.0];
    let mut bounds = BOUNDS.to_vec();
    bounds.retain(|_| random.chance(70));
    if bounds.is_empty() { vec![1.0] } else { bounds }
}

fn empty(random: &mut Random) -> Native {
    Native {
        schema: random.pick(&[-2, -1, 0, 0, 1, 2, 3, 5]),
        zero_threshold: random.pick(&[0.0, 0.0, 0.001, 1e-128, 0.5, 3.0]),
        ..Native::default()
    }
}

/// A histogram after the other; `change` begins a new one and says so.
fn walk(
    random: &mut Random,
    count: usize,
    mut change: impl FnMut(&mut Random, &mut Native) -> bool,
) -> Vec<Native> {
    let resets = random.pick(&[0, 2, 8]);
    let known = random.pick(&[0, 50, 100]);
    let fraction = random.pick(&[1.0, 1.0, 1.0, 0.5, 0.1]);
    let not_a_number = random.chance(10);
    let mut now = empty(random);
    let mut all: Vec<Native> = Vec::with_capacity(count);
    for at in 0..count {
        let changed = change(random, &mut now);
        let reset = random.chance(resets);
        if reset {
            now.zero_count = 0.0;
            now.count = 0.0;
            now.sum = 0.0;
            now.positive = BTreeMap::new();
            now.negative = BTreeMap::new();
        }
        observe(random, &mut now, fraction);
        if not_a_number && random.chance(5) {
            now.sum = f64::NAN;
        }
        use CounterResetHint::{CounterReset, NotCounterReset, Unknown};
        now.hint = match random.chance(known) {
            true if reset && at > 0 => CounterReset,
            true if !changed && at > 0 => NotCounterReset,
            _ => Unknown,
        };
        all.push(now.clone());
    }
    all
}

/// Adds observations.
fn observe(random: &mut Random, native: &mut Native, fraction: f64) {
    let buckets = native.custom_values.len() as i64;
    for _ in 0..random.below(4) {
        let more = random.between(0, 9) as f64 * fraction;
        let (at, negative) = match native.schema {
            CUSTOM => (random.between(0, buckets), false),
            _ => (random.between(-4, 8), random.chance(25)),
        };
        let side = if negative { &mut native.negative } else { &mut native.positive };
        *side.entry(at as i32).or_default() += more;
        native.sum += more * if negative { -1.5 } else { 2.5 };
    }
    if native.schema != CUSTOM && random.chance(30) {
        native.zero_count += random.between(0, 3) as f64 * fraction;
    }
    total(native);
}

fn total(native: &mut Native) {
    let buckets = native.positive.values().chain(native.negative.values());
    native.count = native.zero_count + buckets.sum::<f64>();
}
