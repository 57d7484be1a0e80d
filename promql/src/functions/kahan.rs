//! Compensated summation, as `util/kahansum` does it.

/// A running sum and the error that it has lost so far (Kahan's method with Neumaier's change).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kahan {
    pub(crate) sum: f64,
    pub(crate) lost: f64,
}

impl Kahan {
    /// Adds `value`. An infinite sum forgets the error, which would make it NaN.
    #[inline(always)]
    pub(crate) fn add(&mut self, value: f64) {
        let total = self.sum + value;
        let (large, small) =
            if self.sum.abs() >= value.abs() { (self.sum, value) } else { (value, self.sum) };
        let lost = self.lost + ((large - total) + small);
        self.lost = if total.abs() > f64::MAX { 0.0 } else { lost };
        self.sum = total;
    }

    /// Sum and error together.
    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        self.sum + self.lost
    }
}

/// The mean of a sequence: the compensated sum divided by the count, as long as the sum is finite;
/// from the value that would make it infinite on, an incremental mean.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    /// The sum, or the mean itself once `incremental`.
    pub(crate) state: Kahan,
    pub(crate) count: f64,
    pub(crate) incremental: bool,
}

impl Mean {
    #[inline(always)]
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut next = self.state;
            next.add(value);
            // The first value is the sum, whatever it is.
            if !next.sum.is_infinite() || self.count == 1.0 {
                self.state = next;
                return;
            }
            self.incremental = true;
            let before = self.count - 1.0;
            self.state.sum /= before;
            self.state.lost /= before;
        }
        let weight = (self.count - 1.0) / self.count;
        self.state.sum *= weight;
        self.state.lost *= weight;
        self.state.add(value / self.count);
    }

    /// The mean; NaN of nothing.
    #[inline(always)]
    pub(crate) fn finish(self) -> f64 {
        if self.incremental {
            self.state.total()
        } else {
            self.state.sum / self.count + self.state.lost / self.count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> f64 {
        let mut sum = Kahan::default();
        values.iter().for_each(|&v| sum.add(v));
        sum.total()
    }

    fn mean(values: &[f64]) -> f64 {
        let mut mean = Mean::default();
        values.iter().for_each(|&v| mean.add(v));
        mean.finish()
    }

    #[test]
    fn lost_digits_come_back() {
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        assert_eq!(sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(&[f64::INFINITY, 1.0]), f64::INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(sum(&[-0.0]).to_bits(), 0.0f64.to_bits());
    }

    #[test]
    fn a_mean_does_not_overflow() {
        assert_eq!(mean(&[1.0, 2.0, 3.0]), 2.0);
        assert_eq!(mean(&[f64::MAX, f64::MAX]), f64::MAX);
        assert_eq!(mean(&[f64::INFINITY]), f64::INFINITY);
        assert_eq!(mean(&[f64::INFINITY, 5.0]), f64::INFINITY);
        assert!(mean(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(mean(&[9.98846567431158e307, 9.98846567431158e307]), 9.98846567431158e307);
    }
}
