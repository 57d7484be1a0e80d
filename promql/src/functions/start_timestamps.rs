//! What start timestamps say of counter resets (`promql/functions.go`). 0 is unknown.

/// Whether the counter began anew between two samples (`isStartTimestampReset`): `before` and `after`
/// are start timestamp and timestamp of each in ms.
pub(crate) fn is_reset(before: (i64, i64), after: (i64, i64)) -> bool {
    let ((start_before, before), (start, after)) = (before, after);
    if start == start_before || start == 0 || start >= after || start < before {
        return false;
    }
    // At the sample before: a delta, or a series whose beginning nobody knows.
    start > before || (start_before <= before && start_before != 0 && start_before != before)
}

/// Whether the counter began anew after time `t` (`isStartTimestampResetAfter`).
pub(crate) fn is_reset_after(t: i64, start: i64, ts: i64) -> bool {
    start > t && ts > t && is_reset((t, t), (start, ts))
}

/// Whether a sample begins before the one before it has ended (`checkStartTimeOverlap`).
pub(crate) fn overlaps(before: (i64, i64), start: i64) -> bool {
    start != 0 && start < before.1 && start != before.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_between_two_samples_is_a_reset() {
        assert!(is_reset((0, 10), (15, 20)));
        assert!(is_reset((5, 10), (15, 20)));
        assert!(!is_reset((5, 10), (5, 20)));
        assert!(!is_reset((5, 10), (0, 20)));
        // Unknown beginnings: the start is the sample's own time, or later.
        assert!(!is_reset((5, 10), (20, 20)));
        assert!(!is_reset((5, 10), (8, 20)));
        // Deltas begin where the sample before ends.
        assert!(is_reset((5, 10), (10, 20)));
        assert!(!is_reset((10, 10), (10, 20)));
        assert!(!is_reset((0, 10), (10, 20)));
        assert!(!is_reset((12, 10), (10, 20)));
    }

    #[test]
    fn overlaps_are_starts_before_the_sample_before() {
        assert!(overlaps((5, 10), 8));
        assert!(!overlaps((5, 10), 5));
        assert!(!overlaps((5, 10), 10));
        assert!(!overlaps((5, 10), 0));
        assert!(is_reset_after(10, 12, 15) && !is_reset_after(10, 10, 15));
    }
}
