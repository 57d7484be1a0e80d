//! Late values: what is read, and what the counter rule leaves out.

use super::assemble::{Settling, left_out, remove};
use crate::dedup::SETTLED;
use crate::model::STALE_NAN_BITS;

/// How many samples of each run are left out; runs are (settle, goes on, samples).
fn all_left_out(runs: &[(i64, bool, &[(i64, f64)])]) -> Vec<usize> {
    let mut state = Settling::default();
    runs.iter()
        .map(|&(settle, goes_on, samples)| {
            let ts: Vec<i64> = samples.iter().map(|s| s.0).collect();
            let values: Vec<f64> = samples.iter().map(|s| s.1).collect();
            left_out(&mut state, 7, settle, goes_on, &ts, &values)
        })
        .collect()
}

/// The tables in the module's documentation.
#[test]
fn counters_settle_after_a_change() {
    let before: &[(i64, f64)] = &[(0, 100.0), (15, 110.0), (30, 120.0)];
    let skewed: &[(i64, f64)] = &[(50, 118.0), (65, 133.0), (80, 148.0)];
    assert_eq!(all_left_out(&[(SETTLED, false, before), (65, false, skewed)]), [0, 1]);
    let reset: &[(i64, f64)] = &[(50, 3.0), (66, 18.0), (80, 33.0)];
    assert_eq!(all_left_out(&[(SETTLED, false, before), (65, false, reset)]), [0, 1]);
}

#[test]
fn a_reset_that_an_input_shows_stays() {
    let before: &[(i64, f64)] = &[(0, 100.0), (30, 120.0)];
    // Not below at first, reset within the interval: only the first samples are left out.
    let run: &[(i64, f64)] = &[(45, 121.0), (50, 3.0), (65, 9.0)];
    assert_eq!(all_left_out(&[(SETTLED, false, before), (60, false, run)]), [0, 0]);
    // No change of leader, no rule.
    assert_eq!(all_left_out(&[(SETTLED, false, before), (SETTLED, false, run)]), [0, 0]);
}

#[test]
fn settling_goes_on_in_the_next_run_and_passes_over_stale_markers() {
    let stale = f64::from_bits(STALE_NAN_BITS);
    let before: &[(i64, f64)] = &[(0, 100.0), (30, stale)];
    let (one, two): (&[(i64, f64)], &[(i64, f64)]) =
        (&[(45, 98.0)], &[(50, 99.0), (55, 101.0), (56, 2.0)]);
    let runs = [(SETTLED, false, before), (60, false, one), (60, true, two)];
    assert_eq!(all_left_out(&runs), [0, 1, 1]);
}

#[test]
fn ranges_are_removed() {
    assert_eq!(remove(&[0, 1, 2, 3, 4, 5], &[0..1, 2..4]), [1, 4, 5]);
    assert_eq!(remove(&[0, 1], &[]), [0, 1]);
}
