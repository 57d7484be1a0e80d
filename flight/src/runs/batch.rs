//! Batches as messages. Timestamps that several series share are sent once a batch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, ListViewArray, RecordBatch};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteContext, IpcWriteOptions};
use arrow::ipc::{reader, root_as_message};
use arrow_flight::{FlightData, SchemaAsIpc};
use engine::{Error, Result};

use super::layout;

/// Where a run batch has its timestamps.
const TS: usize = 1;
/// Shorter rows are only compared with the row before: to look for them costs more than to send them.
const SHORT: usize = 8;

/// The schema of the messages for batches of `runs`.
pub(super) fn wire_schema(runs: &Schema) -> SchemaRef {
    let fields = runs.fields().iter().enumerate().map(|(at, field)| match field.data_type() {
        DataType::List(item) if at == TS => Arc::new(Field::new(
            field.name(),
            DataType::ListView(Arc::clone(item)),
            field.is_nullable(),
        )),
        _ => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Makes messages of batches.
pub(super) struct Encoder {
    schema: SchemaRef,
    tracker: DictionaryTracker,
    options: IpcWriteOptions,
    context: IpcWriteContext,
}

impl Encoder {
    /// For batches of schema `runs`.
    pub(super) fn new(runs: &Schema) -> Self {
        Self {
            schema: wire_schema(runs),
            tracker: DictionaryTracker::new(false),
            options: IpcWriteOptions::default(),
            context: IpcWriteContext::default(),
        }
    }

    /// The message that begins the stream.
    pub(super) fn schema(&self) -> FlightData {
        SchemaAsIpc::new(&self.schema, &self.options).into()
    }

    /// A batch as a message.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<FlightData> {
        let wrong = |error: &dyn std::fmt::Display| Error::internal(format!("run batch: {error}"));
        let ts = batch.columns().get(TS).and_then(|column| column.as_list_opt::<i32>());
        let ts = ts.ok_or_else(|| wrong(&"it has no timestamps"))?;
        let mut columns = batch.columns().to_vec();
        columns[TS] = Arc::new(shared(ts).ok_or_else(|| wrong(&"its timestamps are none"))?);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| wrong(&error))?;
        let generator = IpcDataGenerator::default();
        let (_, encoded) = generator
            .encode(&batch, &mut self.tracker, &self.options, &mut self.context)
            .map_err(|error| wrong(&error))?;
        Ok(encoded.into())
    }
}

/// The distinct rows of a list, and which of them each row is; none if it is no list of numbers.
fn shared(list: &ListArray) -> Option<ListViewArray> {
    let all: &[i64] = list.values().as_primitive_opt::<Int64Type>()?.values();
    let mut distinct: Vec<i64> = Vec::with_capacity(all.len() / 4);
    let mut known: HashMap<(usize, i64, i64), usize> = HashMap::new();
    let (mut offsets, mut sizes) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
    let mut last = 0;
    for bounds in list.value_offsets().windows(2) {
        let row = &all[bounds[0] as usize..bounds[1] as usize];
        let is_at = |distinct: &[i64], at: usize| distinct.get(at..at + row.len()) == Some(row);
        if !is_at(&distinct, last) {
            let key = (row.len(), row.first().copied()?, row.last().copied()?);
            match known.get(&key) {
                Some(&at) if is_at(&distinct, at) => last = at,
                _ => {
                    last = distinct.len();
                    distinct.extend_from_slice(row);
                    if row.len() >= SHORT {
                        known.insert(key, last);
                    }
                }
            }
        }
        offsets.push(i32::try_from(last).ok()?);
        sizes.push(i32::try_from(row.len()).ok()?);
    }
    let item = Arc::new(Field::new("item", DataType::Int64, false));
    let values: ArrayRef = Arc::new(Int64Array::from(distinct));
    let (offsets, sizes) = (ScalarBuffer::from(offsets), ScalarBuffer::from(sizes));
    ListViewArray::try_new(item, offsets, sizes, values, None).ok()
}

/// The batch of schema `runs` in a message; the error says what is wrong with it.
pub(super) fn decode(
    data: FlightData,
    runs: &SchemaRef,
    wire: &SchemaRef,
) -> Result<RecordBatch, String> {
    let message = root_as_message(&data.data_header)
        .map_err(|error| format!("a message that is none of Arrow's: {error}"))?;
    let header = message.header_as_record_batch().ok_or("a message that is no batch")?;
    layout::check(&header, wire.fields(), data.data_body.len())?;
    let body = Buffer::from(data.data_body);
    let none = HashMap::new();
    let version = message.version();
    let batch = reader::read_record_batch(&body, header, Arc::clone(wire), &none, None, &version)
        .map_err(|error| format!("a batch that cannot be read: {error}"))?;
    let ts = batch.column(TS).as_list_view_opt::<i32>().ok_or("a batch without timestamps")?;
    let mut columns = batch.columns().to_vec();
    columns[TS] = Arc::new(unshared(ts)?);
    RecordBatch::try_new(Arc::clone(runs), columns).map_err(|error| error.to_string())
}

/// A list view as a list. The sum of its rows may be far more than it takes: what the message may
/// become is bounded by `i32` offsets.
fn unshared(view: &ListViewArray) -> Result<ListArray, String> {
    let wrong = || "timestamps that are none".to_owned();
    let all: &[i64] = view.values().as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values();
    let sizes = view.sizes();
    let total: i64 = sizes.iter().map(|&size| i64::from(size)).sum();
    if view.null_count() > 0 || total > i64::from(SAMPLES_MAX) {
        return Err(format!("a batch of {total} samples"));
    }
    let mut ts: Vec<i64> = Vec::with_capacity(total as usize);
    for (&offset, &size) in view.offsets().iter().zip(sizes) {
        // Arrow has checked both against the values.
        let end = offset as usize + size as usize;
        ts.extend_from_slice(all.get(offset as usize..end).ok_or_else(wrong)?);
    }
    let item = Arc::new(Field::new("item", DataType::Int64, false));
    let offsets = OffsetBuffer::from_lengths(sizes.iter().map(|&size| size as usize));
    ListArray::try_new(item, offsets, Arc::new(Int64Array::from(ts)), None)
        .map_err(|error| error.to_string())
}

/// The most samples of a batch that are taken: a row of years at 15 s. Servers send some 64 Ki at a
/// time, unless one series alone has more.
const SAMPLES_MAX: i32 = 16 << 20;
