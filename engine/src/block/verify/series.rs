//! `series.parquet` against itself, `meta.json` and the samples.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use super::files::Contents;
use super::problems::Problems;
use crate::block::columns::LabelColumns;
use crate::block::reader::label_columns;
use crate::block::schema::{SERIES_FILE, series_schema};
use crate::block::writer::{Account, Catalogue};
use crate::block::{BlockMeta, SeriesIndex};
use crate::model::Labels;
use crate::{Error, Result};

/// Series decoded at once.
const BATCH_ROWS: usize = 4096;

/// The series of a block whose file is sound.
pub(super) struct Series {
    /// As queries read them.
    pub(super) index: SeriesIndex,
    /// As the writer knew them.
    pub(super) catalogue: Catalogue,
    /// The fingerprint of the external labels.
    pub(super) external: u128,
}

impl Series {
    /// Reads the file whose bytes before the tail are `pages`; none if the series cannot be told.
    pub(super) fn read(
        contents: &Contents<'_>,
        pages: Bytes,
        meta: &BlockMeta,
        problems: &mut Problems,
    ) -> Option<Self> {
        let groups = contents.groups_in(&pages);
        let mut sound = contents.check_magic(&pages, problems);
        for group in &groups {
            sound &= contents.check(group, problems);
        }
        if !sound {
            return None;
        }
        let read = || {
            let external = meta.external_labels()?;
            let index = SeriesIndex::decode(&contents.reader, pages.clone(), meta)?;
            let catalogue = Catalogue::new(Arc::clone(&index.table), external.clone())
                .map_err(|e| e.context(SERIES_FILE))?;
            Ok::<_, Error>(Self { index, catalogue, external: external.fingerprint() })
        };
        let series = match read() {
            Ok(series) => series,
            Err(error) => {
                problems.add(error);
                return None;
            }
        };
        let columns = match label_columns(&contents.reader, meta) {
            Ok(columns) => columns,
            Err(error) => {
                problems.add(error);
                return Some(series);
            }
        };
        let labels = columns.external.iter().map(|named| named.label.as_ref());
        if !labels.eq(meta.thanos.labels.keys()) {
            problems.add(format!("{SERIES_FILE}: it has columns for other external labels"));
        }
        if !contents.check_columns(&series_schema(&columns), problems) {
            return Some(series);
        }
        for group in &groups {
            let mut row = group.rows.start as usize;
            let decoded = contents.decode(group, BATCH_ROWS, &mut |batch| {
                series.batch(batch, row, &columns, problems)?;
                row += batch.num_rows();
                Ok(())
            });
            if let Err(error) = decoded {
                problems.add(error);
            }
        }
        Some(series)
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Looks at the columns that queries do not read, from the series `first` on.
    fn batch(
        &self,
        batch: &RecordBatch,
        first: usize,
        columns: &LabelColumns,
        problems: &mut Problems,
    ) -> Result<()> {
        let wrong = |name: &str| Error::corrupt(format!("column {name} has another type"));
        let refs =
            batch.column_by_name("series_ref").and_then(|c| c.as_primitive_opt::<Int32Type>());
        let refs = refs.ok_or_else(|| wrong("series_ref"))?.values().iter();
        for (row, &series_ref) in (first..).zip(refs) {
            if usize::try_from(series_ref) != Ok(row) {
                problems.add(format!("{SERIES_FILE}, row {row}: series_ref is {series_ref}"));
            }
        }
        for named in &columns.external {
            let column = batch
                .column_by_name(&named.column)
                .and_then(|column| column.as_dictionary_opt::<Int32Type>())
                .ok_or_else(|| wrong(&named.column))?;
            let values =
                column.downcast_dict::<StringArray>().ok_or_else(|| wrong(&named.column))?;
            let value = self.catalogue.external.get(&named.label);
            if let Some(row) = values.into_iter().position(|other| other != Some(value)) {
                let (row, name) = (first + row, &named.column);
                problems.add(format!("{SERIES_FILE}, row {row}: {name} is not {value:?}"));
            }
        }
        let map = batch.column_by_name("labels").and_then(|column| column.as_map_opt());
        let map = map.ok_or_else(|| wrong("labels"))?;
        let names = map.keys().as_string_opt::<i32>().ok_or_else(|| wrong("labels"))?;
        let values = map.values().as_string_opt::<i32>().ok_or_else(|| wrong("labels"))?;
        let mut text = Vec::new();
        for (row, entries) in map.value_offsets().windows(2).enumerate() {
            text.clear();
            for entry in entries[0] as usize..entries[1] as usize {
                for part in [names.value(entry), values.value(entry)] {
                    text.extend_from_slice(part.as_bytes());
                    text.push(0xff);
                }
            }
            let row = first + row;
            // As `Labels::fingerprint`: the entries in order of their names.
            if self.index.table.fingerprints().get(row) != Some(&xxh3_128(&text)) {
                let labels: Labels = self.index.table.labels(row);
                problems.add(format!(
                    "{SERIES_FILE}, row {row}: the map of labels is not {labels} of the columns"
                ));
            }
        }
        Ok(())
    }

    /// Holds what the samples were against what the columns of the series say.
    pub(super) fn compare(&self, accounts: &[Account], problems: &mut Problems) {
        let index = &self.index;
        for (row, account) in accounts.iter().enumerate() {
            let samples = account.floats + account.histograms;
            let mut wrong = BTreeMap::new();
            if index.n_samples[row] != samples {
                wrong.insert("n_samples", samples.to_string());
            }
            if index.n_stale[row] != account.stale {
                wrong.insert("n_stale", account.stale.to_string());
            }
            if index.min_ts[row] != account.min_ts {
                wrong.insert("min_ts", account.min_ts.to_string());
            }
            if index.max_ts[row] != account.max_ts {
                wrong.insert("max_ts", account.max_ts.to_string());
            }
            if index.kind[row] != account.kind() {
                wrong.insert("kind", format!("{:?}", account.kind()));
            }
            for (column, is) in wrong {
                problems.add(format!(
                    "{SERIES_FILE}, row {row}: {column} is not that of its samples, {is}"
                ));
            }
        }
    }
}
