//! What failed, and when it is tried again.

use std::collections::HashMap;

/// The first pause in ms; each further one is twice as long.
const FIRST_MS: i64 = 60_000;
/// The longest pause in ms.
const LONGEST_MS: i64 = 3_600_000;
/// What has not failed for so long, in ms, is forgotten.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;

/// When each thing that failed is tried again.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<String, Pause>);

#[derive(Debug, Clone, Copy)]
struct Pause {
    until: i64,
    length: i64,
}

impl Pauses {
    /// Whether `name` is to be left alone at `now` (ms).
    pub(super) fn is_paused(&self, name: &str, now: i64) -> bool {
        self.0.get(name).is_some_and(|pause| now < pause.until)
    }

    /// Takes note that `name` failed at `now`; returns how long it is left alone, in ms.
    pub(super) fn add(&mut self, name: &str, now: i64) -> i64 {
        self.0.retain(|_, pause| now - pause.until < FORGOTTEN_MS);
        let before = self.0.get(name).map_or(0, |pause| pause.length);
        let length = (before * 2).clamp(FIRST_MS, LONGEST_MS);
        self.0.insert(name.to_owned(), Pause { until: now.saturating_add(length), length });
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut pauses = Pauses::default();
        assert!(!pauses.is_paused("a", 0));
        assert_eq!(pauses.add("a", 0), FIRST_MS);
        assert!(pauses.is_paused("a", FIRST_MS - 1) && !pauses.is_paused("a", FIRST_MS));
        assert!(!pauses.is_paused("b", 0));
        let lengths: Vec<i64> = (0..8).map(|_| pauses.add("a", FIRST_MS)).collect();
        assert_eq!(lengths[0], 2 * FIRST_MS);
        assert_eq!(lengths[7], LONGEST_MS);
        assert_eq!(pauses.add("a", 100 * FORGOTTEN_MS), FIRST_MS);
    }
}
