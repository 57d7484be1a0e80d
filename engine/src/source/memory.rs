//! Samples in memory, behind the same seam as all others: for tests and for small built-in sources.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::datasource::memory::MemorySourceConfig;

use super::{
    Listing, Resolved, RosterBuilder, Select, SelectOptions, SeriesKind, SeriesSource, run_schema,
};
use crate::model::{LabelTable, Labels, Matcher, TimeRange};
use crate::{Error, Result};

/// Float series in memory; no replicas, no external labels.
#[derive(Debug)]
pub struct MemorySource {
    table: Arc<LabelTable>,
    samples: Vec<Vec<(i64, f64)>>,
}

impl MemorySource {
    /// A source with the given series; samples are `(timestamp in ms, value)`, ascending.
    pub fn new(series: Vec<(Labels, Vec<(i64, f64)>)>) -> Self {
        let table = LabelTable::from_labels(series.iter().map(|(labels, _)| labels));
        Self { table: Arc::new(table), samples: series.into_iter().map(|(_, s)| s).collect() }
    }

    fn rows(&self, matchers: &[Matcher], range: TimeRange) -> Vec<u32> {
        let mut rows = self.table.select(matchers);
        rows.retain(|&row| self.samples[row as usize].iter().any(|&(ts, _)| range.contains(ts)));
        rows
    }
}

#[async_trait]
impl SeriesSource for MemorySource {
    async fn resolve(&self, select: &Select, _options: &SelectOptions) -> Result<Resolved> {
        let mut builder = RosterBuilder::new(Vec::new());
        let table = builder.add_table(Arc::clone(&self.table));
        let external = builder.add_external(&Labels::empty());
        let mut ids = Vec::new();
        let mut lengths = Vec::new();
        let (mut ts, mut values) = (Vec::new(), Vec::new());
        for row in self.rows(&select.matchers, select.range) {
            let before = ts.len();
            for &(t, v) in &self.samples[row as usize] {
                if select.range.contains(t) {
                    ts.push(t);
                    values.push(v);
                }
            }
            let count = ts.len() - before;
            lengths.push(count);
            ids.push(builder.push(table, row, external, SeriesKind::Float, count as u64));
        }
        let list = |item: DataType, values: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new("item", item, false));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            let list = ListArray::try_new(field, offsets, values, None)
                .map_err(|e| Error::internal(e.to_string()))?;
            Ok(Arc::new(list))
        };
        let batch = RecordBatch::try_new(
            run_schema(),
            vec![
                Arc::new(UInt32Array::from(ids)),
                list(DataType::Int64, Arc::new(Int64Array::from(ts)))?,
                list(DataType::Float64, Arc::new(Float64Array::from(values)))?,
            ],
        )
        .map_err(|e| Error::internal(e.to_string()))?;
        let runs = MemorySourceConfig::try_new_exec(&[vec![batch]], run_schema(), None)?;
        Ok(Resolved { roster: Arc::new(builder.build()), runs, warnings: Vec::new() })
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        _options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        let rows = self.rows(matchers, range);
        Ok(Listing::new(
            rows.iter().map(|&row| self.table.labels(row as usize)).collect(),
            limit,
            Vec::new(),
        ))
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let series = self.series(matchers, range, options, 0).await?.items;
        let names = series.iter().flat_map(|s| s.iter().map(|l| l.name.to_string()));
        Ok(Listing::new(names.collect(), limit, Vec::new()))
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let series = self.series(matchers, range, options, 0).await?.items;
        let values = series.iter().map(|s| s.get(name).to_owned()).filter(|v| !v.is_empty());
        Ok(Listing::new(values.collect(), limit, Vec::new()))
    }
}
