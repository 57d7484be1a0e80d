//! Counters over their chunks, resets undone (`ApplyCounterResetsSeriesIterator` in
//! `pkg/compact/downsample/downsample.go`).
//!
//! A counter chunk of downsampled samples begins with the first sample that was scraped, goes on with
//! a running total a window, and ends with the last sample that was scraped at the timestamp before.
//! So whether a counter was reset between two chunks shows in the samples around their border:
//!
//! ```text
//! raw       10:1 20:3 30:5 │ 50:1 60:8 70:10 │ 120:1 130:18 140:20 │ 160:21 170:38 180:40
//! chunks    10:1 30:5 30:5 │ 50:1 70:10 70:10│ 120:1 140:20 140:20 │ 160:21 180:40 180:40
//! total     10:1 30:5        50:6 70:15        120:16 140:35         160:36 180:55
//! ```

/// The running total of a counter. Chunks are given in order of their times, raw ones too where a
/// series has both.
#[derive(Debug, Clone, Copy, Default)]
pub struct CounterTotal {
    /// The last sample that counted; none yet.
    last: Option<(i64, f64)>,
    total: f64,
}

impl CounterTotal {
    /// Adds the samples of the next chunk, and appends the total at each to `out_ts` and `out`.
    ///
    /// A sample at the last timestamp is no sample: it says which value the next one is compared
    /// with. NaN (stale markers among them) and samples before the last timestamp (chunks that
    /// overlap) are left out.
    pub fn add(&mut self, ts: &[i64], values: &[f64], out_ts: &mut Vec<i64>, out: &mut Vec<f64>) {
        for (&t, &value) in ts.iter().zip(values) {
            if value.is_nan() {
                continue;
            }
            match self.last {
                None => self.total = value,
                Some((last, before)) if t > last => {
                    self.total += if value >= before { value - before } else { value };
                }
                Some((last, _)) => {
                    if t == last {
                        self.last = Some((t, value));
                    }
                    continue;
                }
            }
            self.last = Some((t, value));
            out_ts.push(t);
            out.push(self.total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::STALE_NAN_BITS;

    type Samples<'a> = &'a [(i64, f64)];

    fn total(chunks: &[Samples<'_>]) -> Vec<(i64, f64)> {
        let (mut counter, mut ts, mut values) = (CounterTotal::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            let (t, v): (Vec<i64>, Vec<f64>) = chunk.iter().copied().unzip();
            counter.add(&t, &v, &mut ts, &mut values);
        }
        ts.into_iter().zip(values).collect()
    }

    /// The table of the module's documentation.
    #[test]
    fn resets_between_chunks_are_seen() {
        let got = total(&[
            &[(10, 1.0), (30, 5.0), (30, 5.0)],
            &[(50, 1.0), (70, 10.0), (70, 10.0)],
            &[(120, 1.0), (140, 20.0), (140, 20.0)],
            &[(160, 21.0), (180, 40.0), (180, 40.0)],
        ]);
        let values: Vec<f64> = got.iter().map(|&(_, value)| value).collect();
        assert_eq!(values, [1.0, 5.0, 6.0, 15.0, 16.0, 35.0, 36.0, 55.0]);
        let last_is_lower =
            total(&[&[(10, 1.0), (70, 15.0), (70, 10.0)], &[(120, 1.0), (180, 40.0), (180, 40.0)]]);
        assert_eq!(last_is_lower, [(10, 1.0), (70, 15.0), (120, 16.0), (180, 55.0)]);
    }

    /// Thanos' own vector (`TestApplyCounterResetsIterator`): resets, stale markers, chunks of both kinds.
    #[test]
    fn totals_are_those_of_thanos() {
        let stale = f64::from_bits(STALE_NAN_BITS);
        let got = total(&[
            &[(100, 10.0), (200, 20.0), (300, 10.0), (400, 20.0), (400, 5.0)],
            &[(500, 10.0), (600, 20.0), (700, 30.0), (800, 40.0), (800, 10.0)],
            &[(900, 5.0), (1000, 10.0), (1100, 15.0)],
            &[(1200, 20.0), (1250, stale), (1300, 40.0)],
            &[(1400, 30.0), (1500, 30.0), (1600, 50.0)],
        ]);
        let values: Vec<f64> = got.iter().map(|&(_, value)| value).collect();
        let expected = [
            10.0, 20.0, 30.0, 40.0, 45.0, 55.0, 65.0, 75.0, 80.0, 85.0, 90.0, 95.0, 115.0, 145.0,
            145.0, 165.0,
        ];
        assert_eq!(values, expected);
        assert!(got.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn chunks_that_overlap_are_read_on_behind_the_one_before() {
        let got = total(&[
            &[(10, 1.0), (20, 2.0), (30, 3.0)],
            &[(5, 9.0), (20, 9.0), (30, 4.0), (40, 6.0)],
            &[(7, 100.0)],
        ]);
        assert_eq!(got, [(10, 1.0), (20, 2.0), (30, 3.0), (40, 5.0)]);
    }
}
