//! Downsampled samples as columns.

/// Windows of time, one row each. What is said of a window is said of the samples inside it that are not NaN;
/// a window without any has no row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows {
    /// The last ms of the window; at the end of a series not later than its last sample.
    pub ts: Vec<i64>,
    /// How many samples there are.
    pub count: Vec<i64>,
    /// Their sum.
    pub sum: Vec<f64>,
    /// The least of them.
    pub min: Vec<f64>,
    /// The greatest of them.
    pub max: Vec<f64>,
    /// How much a counter grew from the first of them to the last, resets undone.
    pub counter: Vec<f64>,
    /// The first of them.
    pub first: Vec<f64>,
    /// When that was, in ms.
    pub first_ts: Vec<i64>,
    /// The last of them.
    pub last: Vec<f64>,
}

/// Windows that lie elsewhere; else as [`Windows`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of Windows")]
pub struct WindowSlices<'a> {
    pub ts: &'a [i64],
    pub count: &'a [i64],
    pub sum: &'a [f64],
    pub min: &'a [f64],
    pub max: &'a [f64],
    pub counter: &'a [f64],
    pub first: &'a [f64],
    pub first_ts: &'a [i64],
    pub last: &'a [f64],
}

impl Windows {
    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    /// All of them by reference.
    pub fn slices(&self) -> WindowSlices<'_> {
        WindowSlices {
            ts: &self.ts,
            count: &self.count,
            sum: &self.sum,
            min: &self.min,
            max: &self.max,
            counter: &self.counter,
            first: &self.first,
            first_ts: &self.first_ts,
            last: &self.last,
        }
    }

    /// Appends windows.
    pub fn extend(&mut self, other: WindowSlices<'_>) {
        self.ts.extend_from_slice(other.ts);
        self.count.extend_from_slice(other.count);
        self.sum.extend_from_slice(other.sum);
        self.min.extend_from_slice(other.min);
        self.max.extend_from_slice(other.max);
        self.counter.extend_from_slice(other.counter);
        self.first.extend_from_slice(other.first);
        self.first_ts.extend_from_slice(other.first_ts);
        self.last.extend_from_slice(other.last);
    }

    /// Removes all; capacity stays.
    pub fn clear(&mut self) {
        self.ts.clear();
        self.count.clear();
        for column in [
            &mut self.sum,
            &mut self.min,
            &mut self.max,
            &mut self.counter,
            &mut self.first,
            &mut self.last,
        ] {
            column.clear();
        }
        self.first_ts.clear();
    }
}

impl<'a> WindowSlices<'a> {
    /// How many windows there are.
    pub fn len(&self) -> usize {
        self.ts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ts.is_empty()
    }

    /// Whether all columns are of one length.
    pub fn is_whole(&self) -> bool {
        let len = self.ts.len();
        let floats = [self.sum, self.min, self.max, self.counter, self.first, self.last];
        self.count.len() == len
            && self.first_ts.len() == len
            && floats.iter().all(|column| column.len() == len)
    }

    /// The windows `range`.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> WindowSlices<'a> {
        WindowSlices {
            ts: &self.ts[range.clone()],
            count: &self.count[range.clone()],
            sum: &self.sum[range.clone()],
            min: &self.min[range.clone()],
            max: &self.max[range.clone()],
            counter: &self.counter[range.clone()],
            first: &self.first[range.clone()],
            first_ts: &self.first_ts[range.clone()],
            last: &self.last[range],
        }
    }
}
