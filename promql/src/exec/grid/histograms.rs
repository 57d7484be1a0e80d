//! The two columns of native histograms in a grid batch.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use engine::block::histogram::{HistogramBuilder, HistogramColumns, histogram_fields};
use engine::source::histograms_of;

use crate::functions::histogram::FloatHistogram;

/// The column of histograms, in runs and in grids.
pub(super) const HISTOGRAM: &str = "histogram";

static SLOT: LazyLock<FieldRef> =
    LazyLock::new(|| Arc::new(Field::new("item", DataType::Int32, false)));
static ITEM: LazyLock<FieldRef> =
    LazyLock::new(|| Arc::new(Field::new("item", DataType::Struct(histogram_fields()), false)));

pub(in crate::exec) fn fields() -> [Field; 2] {
    [
        Field::new("slot", DataType::List(Arc::clone(&SLOT)), false),
        Field::new(HISTOGRAM, DataType::List(Arc::clone(&ITEM)), false),
    ]
}

/// The columns for rows whose slots are `cells`, `width` a row.
pub(in crate::exec) fn encode(
    cells: &[Option<Arc<FloatHistogram>>],
    rows: usize,
    width: usize,
) -> Result<[ArrayRef; 2]> {
    let mut lengths = Vec::with_capacity(rows);
    let count = cells.iter().flatten().count();
    let mut slots = Vec::with_capacity(count);
    let mut histograms = HistogramBuilder::with_capacity(count);
    for row in 0..rows {
        let before = slots.len();
        // Rows behind the last one with a histogram are not there.
        let from = (row * width).min(cells.len());
        let cells = &cells[from..(from + width).min(cells.len())];
        for (slot, histogram) in cells.iter().enumerate() {
            if let Some(histogram) = histogram {
                slots.push(slot as i32);
                histograms.push(histogram.parts())?;
            }
        }
        lengths.push(slots.len() - before);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    let slots = Arc::new(Int32Array::from(slots));
    let histograms = Arc::new(histograms.finish()?);
    let slots = ListArray::try_new(Arc::clone(&SLOT), offsets.clone(), slots, None)?;
    let histograms = ListArray::try_new(Arc::clone(&ITEM), offsets, histograms, None)?;
    Ok([Arc::new(slots), Arc::new(histograms)])
}

/// The slots of `batch` that have histograms: those of row `r` are from `r * width` on. Empty if
/// there is none.
pub(in crate::exec) fn decode(
    batch: &RecordBatch,
    width: usize,
) -> Result<Vec<Option<Arc<FloatHistogram>>>> {
    let Some((lists, array)) = histograms_of(batch)? else { return Ok(Vec::new()) };
    if array.is_empty() {
        return Ok(Vec::new());
    }
    let wrong = || internal_datafusion_err!("slots of histograms");
    let slots = batch.column_by_name("slot").and_then(|column| column.as_list_opt::<i32>());
    let slots = slots.and_then(|list| list.values().as_primitive_opt::<Int32Type>());
    let slots = slots.ok_or_else(wrong)?.values();
    let columns = HistogramColumns::of(array)?;
    let mut cells = vec![None; batch.num_rows() * width];
    for (row, ends) in lists.value_offsets().windows(2).enumerate() {
        for at in ends[0] as usize..ends[1] as usize {
            let cell = cells.get_mut(row * width + slots[at] as usize).ok_or_else(wrong)?;
            *cell = Some(Arc::new(FloatHistogram::from_view(&columns.view(at)?)));
        }
    }
    Ok(cells)
}
