use engine::model::STALE_NAN_BITS;

use super::algo::{self, Ends};

const MINUTE: i64 = 60_000;

#[test]
fn the_newest_sample_wins_and_a_stale_marker_ends_the_series() {
    let ts = [0, MINUTE, 2 * MINUTE, 9 * MINUTE];
    let values = [1.0, 2.0, f64::from_bits(STALE_NAN_BITS), 4.0];
    let at = |end: i64| {
        let ends = Ends { start: end, step: 0, lookback: 5 * MINUTE };
        let (mut out, mut valid) = ([0.0], [false]);
        algo::values(&ts, &values, ends, &mut out, &mut valid);
        valid[0].then_some(out[0])
    };
    assert_eq!(at(-1), None);
    assert_eq!(at(0), Some(1.0));
    assert_eq!(at(MINUTE), Some(2.0));
    assert_eq!(at(2 * MINUTE), None);
    assert_eq!(at(9 * MINUTE), Some(4.0));
    assert_eq!(at(14 * MINUTE - 1), Some(4.0));
    assert_eq!(at(14 * MINUTE), None, "a sample exactly as old as the lookback is out");
}

#[test]
fn timestamps_need_values_only_for_stale_markers() {
    let ends = Ends { start: 1500, step: 1000, lookback: 5 * MINUTE };
    let (mut out, mut valid) = ([0.0; 2], [false; 2]);
    algo::timestamps(&[1250, 2500], None, ends, &mut out, &mut valid);
    assert_eq!((out, valid), ([1.25, 2.5], [true, true]));
    let stale = [1.0, f64::from_bits(STALE_NAN_BITS)];
    let (mut out, mut valid) = ([0.0; 2], [false; 2]);
    algo::timestamps(&[1250, 2500], Some(&stale), ends, &mut out, &mut valid);
    assert_eq!(valid, [true, false]);
}
