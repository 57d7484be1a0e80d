//! Aggregations that must see values side by side: `topk`, `bottomk`, `quantile`, `count_values`.
//!
//! Each type here is the state of one group over all steps; rows are added one after the other.

use std::cmp::Ordering;
use std::sync::Arc;

use engine::Result;
use hashbrown::HashMap;

use super::{Scalar, float_text, quantile, refused};

/// How many series `topk` and `bottomk` keep at each of `steps`: the parameter cut to an integer, not
/// below 0 and not above `most`.
///
/// Errors: a NaN, and (unless no step keeps any) a number beyond 64 bits.
pub fn kept(parameter: &Scalar, steps: usize, most: usize) -> Result<Vec<usize>> {
    let values: Vec<f64> = (0..steps).map(|step| parameter.at(step)).collect();
    if values.iter().any(|value| value.is_nan()) {
        return Err(refused("Parameter value is NaN"));
    }
    if !values.iter().any(|&value| value >= 1.0) {
        return Ok(vec![0; steps]);
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if least <= i64::MIN as f64 {
        let text = float_text::general(least);
        return Err(refused(format!("Scalar value {text} underflows int64")));
    }
    if greatest >= i64::MAX as f64 {
        let text = float_text::general(greatest);
        return Err(refused(format!("Scalar value {text} overflows int64")));
    }
    // A float below 0 becomes 0.
    Ok(values.into_iter().map(|value| (value as usize).min(most)).collect())
}

/// One kept cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    /// The step.
    pub step: usize,
    /// The series it comes from.
    pub series: u32,
    /// Its value.
    pub value: f64,
}

/// The greatest (`topk`) or least (`bottomk`) values of a group at each step.
///
/// Numbers go before NaN, and of equal values that of the lower series, so the result does not
/// depend on the order of rows.
#[derive(Debug, Clone)]
pub struct TopK {
    bottom: bool,
    kept: Arc<[usize]>,
    /// A heap a step, its root the first to go.
    heaps: Vec<Vec<(f64, u32)>>,
    /// The root's value of a full heap, NaN while there is room: most cells go no further.
    bars: Vec<f64>,
    held: usize,
}

impl TopK {
    /// A group that keeps `kept[step]` series at each step; the least if `bottom`, else the greatest.
    pub fn new(bottom: bool, kept: Arc<[usize]>) -> Self {
        let heaps = vec![Vec::new(); kept.len()];
        let bars = vec![f64::NAN; kept.len()];
        Self { bottom, kept, heaps, bars, held: 0 }
    }

    /// Adds a series' row.
    pub fn add(&mut self, series: u32, values: &[f64], valid: &[bool]) {
        for step in 0..self.kept.len() {
            let (value, bar) = (values[step], self.bars[step]);
            let worse = if self.bottom { value > bar } else { value < bar };
            if valid[step] && !worse && (bar.is_nan() || !value.is_nan()) {
                self.offer(step, (value, series));
            }
        }
    }

    /// Which of two cells is kept rather than the other: less is better.
    fn rank(&self, a: (f64, u32), b: (f64, u32)) -> Ordering {
        let by_value = match (a.0.is_nan(), b.0.is_nan()) {
            (false, false) if self.bottom => a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal),
            (false, false) => b.0.partial_cmp(&a.0).unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        };
        by_value.then(a.1.cmp(&b.1))
    }

    fn offer(&mut self, step: usize, cell: (f64, u32)) {
        let room = self.kept[step];
        let mut heap = std::mem::take(&mut self.heaps[step]);
        if heap.len() < room {
            heap.push(cell);
            self.held += 1;
            let mut at = heap.len() - 1;
            while at > 0 && self.rank(heap[at], heap[(at - 1) / 2]).is_gt() {
                heap.swap(at, (at - 1) / 2);
                at = (at - 1) / 2;
            }
        } else if room > 0 && self.rank(cell, heap[0]).is_lt() {
            heap[0] = cell;
            self.sink(&mut heap);
        }
        if heap.len() == room && room > 0 {
            self.bars[step] = heap[0].0;
        }
        self.heaps[step] = heap;
    }

    /// Moves the root down to its place.
    fn sink(&self, heap: &mut [(f64, u32)]) {
        let mut at = 0;
        loop {
            let mut worst = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if child < heap.len() && self.rank(heap[child], heap[worst]).is_gt() {
                    worst = child;
                }
            }
            if worst == at {
                return;
            }
            heap.swap(at, worst);
            at = worst;
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.held * size_of::<(f64, u32)>() + self.kept.len() * (size_of::<Vec<u8>>() + 16)
    }

    /// The kept cells: step by step, the best first.
    pub fn finish(mut self) -> Vec<Pick> {
        let mut picks = Vec::with_capacity(self.held);
        for (step, mut heap) in std::mem::take(&mut self.heaps).into_iter().enumerate() {
            heap.sort_unstable_by(|&a, &b| self.rank(a, b));
            picks.extend(heap.into_iter().map(|(value, series)| Pick { step, series, value }));
        }
        picks
    }
}

/// All values of a group at each step, for `quantile`.
#[derive(Debug, Clone)]
pub struct Values {
    columns: Vec<Vec<f64>>,
    held: usize,
}

impl Values {
    /// A group without values.
    pub fn new(steps: usize) -> Self {
        Self { columns: vec![Vec::new(); steps], held: 0 }
    }

    /// Adds a series' row.
    pub fn add(&mut self, values: &[f64], valid: &[bool]) {
        for (column, (&value, &valid)) in self.columns.iter_mut().zip(values.iter().zip(valid)) {
            if valid {
                column.push(value);
                self.held += 1;
            }
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        // A growing vector has up to twice the room that it needs.
        self.held * 2 * size_of::<f64>() + self.columns.len() * size_of::<Vec<f64>>()
    }

    /// The φ-quantile of each step that has a value. The values are reordered.
    pub fn quantile(&mut self, phi: &Scalar, out: &mut [f64], valid: &mut [bool]) {
        for (step, column) in self.columns.iter_mut().enumerate() {
            valid[step] = !column.is_empty();
            out[step] = 0.0;
            if valid[step] {
                out[step] = quantile::quantile(phi.at(step), column);
            }
        }
    }
}

/// How often each value occurs in a group at each step, for `count_values`.
#[derive(Debug, Clone)]
pub struct ValueCounts {
    steps: usize,
    rows: HashMap<u64, usize>,
    texts: HashMap<String, usize>,
    /// The value of each row; none if it is counted by its text.
    values: Vec<Option<f64>>,
    counts: Vec<f64>,
}

impl ValueCounts {
    /// A group without values.
    pub fn new(steps: usize) -> Self {
        let (rows, texts) = (HashMap::new(), HashMap::new());
        Self { steps, rows, texts, values: Vec::new(), counts: Vec::new() }
    }

    /// Adds a series' row.
    pub fn add(&mut self, values: &[f64], valid: &[bool]) {
        // Values often stay the same from step to step: the row found last is tried first.
        let mut last: Option<(u64, usize)> = None;
        for step in 0..self.steps {
            if !valid[step] {
                continue;
            }
            // All NaNs have one text.
            let value = if values[step].is_nan() { f64::NAN } else { values[step] };
            let bits = value.to_bits();
            let row = match last {
                Some((known, row)) if known == bits => row,
                _ => *self.rows.entry(bits).or_insert_with(|| {
                    self.values.push(Some(value));
                    self.counts.resize(self.values.len() * self.steps, 0.0);
                    self.values.len() - 1
                }),
            };
            last = Some((bits, row));
            self.counts[row * self.steps + step] += 1.0;
        }
    }

    /// Adds a histogram by its text.
    pub fn add_text(&mut self, step: usize, text: String) {
        let row = *self.texts.entry(text).or_insert_with(|| {
            self.values.push(None);
            self.counts.resize(self.values.len() * self.steps, 0.0);
            self.values.len() - 1
        });
        self.counts[row * self.steps + step] += 1.0;
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let texts: usize = self.texts.keys().map(|text| text.len() + 32).sum();
        self.counts.capacity() * size_of::<f64>() + self.values.capacity() * 32 + texts
    }

    /// The text of each value, numbers in ascending order (NaN last) before histograms, and how often
    /// it occurs at each step; 0 where it does not, and the result has no cell there.
    pub fn rows(&self) -> Vec<(String, &[f64])> {
        let counts = |row: usize| &self.counts[row * self.steps..(row + 1) * self.steps];
        let numbers = self.values.iter().enumerate();
        let mut numbers: Vec<(f64, usize)> =
            numbers.filter_map(|(row, value)| Some(((*value)?, row))).collect();
        numbers.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut texts: Vec<(&String, usize)> =
            self.texts.iter().map(|(text, &row)| (text, row)).collect();
        texts.sort_unstable();
        let numbers = numbers.into_iter().map(|(value, row)| (float_text::plain(value), row));
        let texts = texts.into_iter().map(|(text, row)| (text.clone(), row));
        numbers.chain(texts).map(|(text, row)| (text, counts(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAN: f64 = f64::NAN;

    fn top(bottom: bool, kept: usize, values: &[f64]) -> Vec<(u32, f64)> {
        let mut top = TopK::new(bottom, [kept].into());
        for (series, &value) in values.iter().enumerate() {
            top.add(series as u32, &[value], &[true]);
        }
        top.finish().into_iter().map(|pick| (pick.series, pick.value)).collect()
    }

    #[test]
    fn the_best_come_first_and_nan_comes_last() {
        assert_eq!(top(false, 2, &[1.0, 7.0, NAN, 5.0]), [(1, 7.0), (3, 5.0)]);
        assert_eq!(top(true, 2, &[1.0, 7.0, NAN, 5.0]), [(0, 1.0), (3, 5.0)]);
        assert_eq!(top(false, 2, &[4.0, 4.0, 4.0]), [(0, 4.0), (1, 4.0)]);
        assert_eq!(top(false, 0, &[4.0]), []);
        let all = top(false, 9, &[NAN, 1.0, NAN]);
        assert_eq!(all.iter().map(|pick| pick.0).collect::<Vec<_>>(), [1, 0, 2]);
    }

    #[test]
    fn steps_keep_their_own() {
        let mut top = TopK::new(false, [1, 0, 2].into());
        top.add(4, &[1.0, 1.0, 1.0], &[true, true, true]);
        top.add(9, &[2.0, 2.0, 2.0], &[true, true, false]);
        let pick = |step, series, value| Pick { step, series, value };
        assert_eq!(top.finish(), [pick(0, 9, 2.0), pick(2, 4, 1.0)]);
    }

    #[test]
    fn parameters_are_cut_to_integers() {
        let sizes = |values: &[f64]| kept(&Scalar::Steps(values.into()), values.len(), 100);
        assert_eq!(sizes(&[2.9, 0.9, -3.0, 1e9]).unwrap(), [2, 0, 0, 100]);
        assert_eq!(sizes(&[0.5, -1e300]).unwrap(), [0, 0]);
        let message = |values: &[f64]| sizes(values).unwrap_err().to_string();
        assert_eq!(message(&[1.0, NAN]), "Parameter value is NaN");
        assert_eq!(message(&[NAN]), "Parameter value is NaN");
        assert_eq!(message(&[1e20]), "Scalar value 1e+20 overflows int64");
        assert_eq!(message(&[1.0, -1e20]), "Scalar value -1e+20 underflows int64");
    }

    #[test]
    fn quantiles_of_columns() {
        let mut values = Values::new(3);
        values.add(&[1.0, 5.0, 0.0], &[true, true, false]);
        values.add(&[3.0, 0.0, 0.0], &[true, false, false]);
        let (mut out, mut valid) = ([9.0; 3], [true; 3]);
        values.quantile(&0.5.into(), &mut out, &mut valid);
        assert_eq!((out, valid), ([2.0, 5.0, 0.0], [true, true, false]));
    }

    #[test]
    fn values_are_counted_by_text() {
        let mut counts = ValueCounts::new(2);
        counts.add(&[6.0, 6.0], &[true, true]);
        counts.add(&[6.0, NAN], &[true, true]);
        counts.add(&[-NAN, 7.0], &[true, false]);
        let rows = counts.rows();
        let text: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(text, ["6", "NaN"]);
        assert_eq!((rows[0].1, rows[1].1), (&[2.0, 1.0][..], &[1.0, 1.0][..]));
    }

    proptest! {
        #[test]
        fn a_heap_keeps_what_sorting_keeps(
            values in proptest::collection::vec(
                prop_oneof![(-9i32..9).prop_map(f64::from), Just(NAN)], 0..40),
            kept in 0usize..12, bottom: bool,
        ) {
            let mut sorted: Vec<(u32, f64)> =
                values.iter().enumerate().map(|(at, &value)| (at as u32, value)).collect();
            sorted.sort_by(|a, b| match (a.1.is_nan(), b.1.is_nan()) {
                (false, false) if bottom => a.1.total_cmp(&b.1),
                (false, false) => b.1.total_cmp(&a.1),
                (a, b) => a.cmp(&b),
            });
            sorted.truncate(kept);
            let found = top(bottom, kept, &values);
            prop_assert_eq!(format!("{found:?}"), format!("{sorted:?}"));
        }
    }
}
