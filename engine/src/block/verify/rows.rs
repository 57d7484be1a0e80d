//! The rows of a sample file: whose they are, whether they are in order, and whether the runs of
//! `series.parquet` find them.

use std::ops::Range;

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, DictionaryArray, PrimitiveArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMillisecondType};

use super::problems::Problems;
use crate::block::writer::{Catalogue, Place, bucket_of};
use crate::block::{BlockMeta, Run};
use crate::{Error, Result};

/// The columns that all sample files have; downsampled ones have no start timestamps.
pub(super) struct Keys<'a> {
    metrics: &'a DictionaryArray<Int32Type>,
    names: &'a StringArray,
    pub(super) refs: &'a [i32],
    ids: &'a [i64],
    pub(super) ts: &'a [i64],
    /// 0 where there is none; nothing, if no row has one.
    pub(super) starts: Option<Vec<i64>>,
    /// How many rows have no start timestamp.
    pub(super) no_start: usize,
}

impl<'a> Keys<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Result<Self> {
        let wrong = |name: &str| Error::corrupt(format!("column {name} has another type"));
        let metrics = batch
            .column(0)
            .as_dictionary_opt::<Int32Type>()
            .filter(|metrics| metrics.null_count() == 0)
            .ok_or_else(|| wrong("metric"))?;
        let names = metrics.values().as_string_opt::<i32>().ok_or_else(|| wrong("metric"))?;
        let starts = match batch.column_by_name("start_ts") {
            Some(_) => Some(column::<TimestampMillisecondType>(batch, "start_ts")?),
            None => None,
        };
        let no_start = starts.map_or(0, |starts| starts.null_count());
        let some = starts.filter(|starts| no_start < starts.len());
        Ok(Self {
            metrics,
            names,
            refs: column::<Int32Type>(batch, "series_ref")?.values(),
            ids: column::<Int64Type>(batch, "series_id")?.values(),
            ts: column::<TimestampMillisecondType>(batch, "ts")?.values(),
            starts: some.map(|starts| starts.iter().map(|start| start.unwrap_or(0)).collect()),
            no_start,
        })
    }

    /// The metric of `row`.
    pub(super) fn metric(&self, row: usize) -> &'a str {
        self.names.value(self.metrics.keys().value(row) as usize)
    }

    /// The rows where another metric or dictionary entry begins.
    pub(super) fn metric_edges(&self) -> impl Iterator<Item = usize> {
        let codes = self.metrics.keys().values();
        (0..codes.len()).filter(move |&row| row == 0 || codes[row] != codes[row - 1])
    }

    /// Ranges of rows with one `series_ref`.
    fn stretches(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        self.refs.chunk_by(|a, b| a == b).map(move |refs| {
            let start = at;
            at += refs.len();
            start..at
        })
    }
}

fn column<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a PrimitiveArray<T>> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_primitive_opt::<T>())
        .ok_or_else(|| Error::corrupt(format!("column {name} lacks or has another type")))
}

/// The rows of one file, as they pass.
pub(super) struct Ledger<'a> {
    name: &'static str,
    meta: &'a BlockMeta,
    catalogue: &'a Catalogue,
    /// What `series.parquet` says, for each series.
    runs: Vec<&'a [Run]>,
    /// How many of them have passed.
    passed: Vec<usize>,
    /// The run that is passing.
    current: Option<(u32, Run)>,
    last: Option<(Place, i64)>,
    row: u64,
    /// Whether no row was skipped so far.
    whole: bool,
}

impl<'a> Ledger<'a> {
    /// `runs` has those of each series in the file `name`.
    pub(super) fn new(
        name: &'static str,
        meta: &'a BlockMeta,
        catalogue: &'a Catalogue,
        runs: Vec<&'a [Run]>,
    ) -> Self {
        let passed = vec![0; runs.len()];
        let (current, last) = (None, None);
        Self { name, meta, catalogue, runs, passed, current, last, row: 0, whole: true }
    }

    /// The row that comes next.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// Goes on at `row`; what is before it cannot be read.
    pub(super) fn skip_to(&mut self, row: u64) {
        self.whole = false;
        self.current = None;
        self.last = None;
        self.row = row;
    }

    /// Takes the next rows, and returns those of known series, with the series.
    pub(super) fn rows(
        &mut self,
        keys: &Keys<'_>,
        problems: &mut Problems,
    ) -> Vec<(u32, Range<usize>)> {
        let mut known = Vec::new();
        for range in keys.stretches() {
            let series_ref = keys.refs[range.start];
            match u32::try_from(series_ref).ok().filter(|&r| (r as usize) < self.catalogue.len()) {
                Some(series_ref) => {
                    self.names(series_ref, keys, range.clone(), problems);
                    self.times(series_ref, keys, range.clone(), problems);
                    known.push((series_ref, range));
                }
                None => {
                    self.end_run(problems);
                    let row = self.row + range.start as u64;
                    problems.add(format!(
                        "{}, row {row}: series_ref {series_ref} is not in series.parquet",
                        self.name
                    ));
                }
            }
        }
        self.row += keys.ts.len() as u64;
        known
    }

    /// Whether rows have the metric and the id of their series.
    fn names(
        &self,
        series_ref: u32,
        keys: &Keys<'_>,
        range: Range<usize>,
        problems: &mut Problems,
    ) {
        let metric = self.catalogue.metric(series_ref);
        let codes = &keys.metrics.keys().values()[range.clone()];
        let same = codes.iter().all(|&code| code == codes[0]);
        if keys.metric(range.start) != metric || !same {
            problems.add(format!(
                "{}, row {}: metric is not that of series {series_ref}, {metric:?}",
                self.name,
                self.row + range.start as u64
            ));
        }
        let id = self.catalogue.series_id(series_ref);
        if let Some(at) = keys.ids[range.clone()].iter().position(|&other| other != id) {
            problems.add(format!(
                "{}, row {}: series_id is not that of series {series_ref}, {id}",
                self.name,
                self.row + (range.start + at) as u64
            ));
        }
    }

    /// Whether rows come in order and inside the block, and where runs begin and end.
    fn times(
        &mut self,
        series_ref: u32,
        keys: &Keys<'_>,
        range: Range<usize>,
        problems: &mut Problems,
    ) {
        let BlockMeta { min_time, max_time, .. } = *self.meta;
        let bucket_ms = self.meta.stoa.bucket_ms;
        let inside = min_time..max_time;
        let bucket = |ts: &i64| inside.contains(ts).then(|| bucket_of(*ts, min_time, bucket_ms));
        let metric = self.catalogue.metric_of(series_ref);
        let mut at = self.row + range.start as u64;
        for piece in keys.ts[range].chunk_by(|a, b| bucket(a) == bucket(b)) {
            let row = at;
            at += piece.len() as u64;
            let Some(bucket) = bucket(&piece[0]) else {
                self.end_run(problems);
                problems.add(format!(
                    "{}, row {row}: ts {} lies outside the block, {min_time} to {max_time}",
                    self.name, piece[0]
                ));
                continue;
            };
            if let Some(at) = piece.windows(2).position(|pair| pair[0] >= pair[1]) {
                problems.add(format!(
                    "{}, row {}: ts {} after {}",
                    self.name,
                    row + at as u64 + 1,
                    piece[at + 1],
                    piece[at]
                ));
            }
            let place = Place { metric, bucket, series_ref };
            if let Some((before, ts)) = self.last
                && (before, ts) >= (place, piece[0])
            {
                problems.add(format!(
                    "{}, row {row}: series {series_ref} in bucket {bucket} at {} comes after series \
                     {} in bucket {} at {ts}",
                    self.name, piece[0], before.series_ref, before.bucket
                ));
            }
            self.last = Some((place, piece[piece.len() - 1]));
            self.extend_run(series_ref, bucket, row, piece.len(), problems);
        }
    }

    fn extend_run(
        &mut self,
        series_ref: u32,
        bucket: u32,
        start_row: u64,
        rows: usize,
        problems: &mut Problems,
    ) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        match &mut self.current {
            Some((current, run)) if *current == series_ref && run.bucket == bucket => {
                run.rows = run.rows.saturating_add(rows);
            }
            _ => {
                self.end_run(problems);
                self.current = Some((series_ref, Run { bucket, start_row, rows }));
            }
        }
    }

    /// Holds the run that has passed against the index.
    fn end_run(&mut self, problems: &mut Problems) {
        let Some((series_ref, run)) = self.current.take() else { return };
        if !self.whole {
            return;
        }
        let said = self.runs[series_ref as usize];
        let passed = &mut self.passed[series_ref as usize];
        if said.get(*passed) == Some(&run) {
            *passed += 1;
            return;
        }
        problems.add(format!(
            "{}: series {series_ref} has {} rows from row {} on in time bucket {}, \
             series.parquet says {:?}",
            self.name,
            run.rows,
            run.start_row,
            run.bucket,
            said.get(*passed)
        ));
        *passed = said.partition_point(|said| said.bucket <= run.bucket);
    }

    /// After the last row: whether all runs have passed.
    pub(super) fn finish(mut self, problems: &mut Problems) {
        self.end_run(problems);
        if !self.whole {
            return;
        }
        for (series_ref, (said, &passed)) in self.runs.iter().zip(&self.passed).enumerate() {
            for run in &said[passed..] {
                problems.add(format!(
                    "{}: series {series_ref} lacks the rows that series.parquet names, {run:?}",
                    self.name
                ));
            }
        }
    }
}
