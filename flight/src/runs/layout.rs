//! Whether the buffers of a message are what its schema needs. Arrow's reader trusts a message's numbers
//! here and there and panics at wrong ones; so they are looked at before it is asked.

use arrow::datatypes::{DataType, Fields};
use arrow::ipc::{FieldNode, RecordBatch};

/// Bytes of an offset.
const OFFSET: usize = 4;

/// Walks nodes and buffers as the reader will.
struct Walk<'a> {
    nodes: Box<dyn Iterator<Item = &'a FieldNode> + 'a>,
    buffers: Box<dyn Iterator<Item = &'a arrow::ipc::Buffer> + 'a>,
    /// Bytes of the message's body.
    body: usize,
}

/// Checks that `batch` describes columns of `fields` within a body of `body` bytes; the error says what
/// is wrong.
pub(super) fn check(batch: &RecordBatch<'_>, fields: &Fields, body: usize) -> Result<(), String> {
    if batch.compression().is_some() {
        return Err("a batch is compressed".to_owned());
    }
    if batch.variadicBufferCounts().is_some_and(|counts| !counts.is_empty()) {
        return Err("a batch has buffers of a type that is not expected".to_owned());
    }
    let (Some(nodes), Some(buffers)) = (batch.nodes(), batch.buffers()) else {
        return Err("a batch without buffers".to_owned());
    };
    let mut walk = Walk { nodes: Box::new(nodes.iter()), buffers: Box::new(buffers.iter()), body };
    for field in fields {
        let rows = walk.column(field.data_type())?;
        if i64::try_from(rows) != Ok(batch.length()) {
            return Err(format!("column {}: {rows} rows of {}", field.name(), batch.length()));
        }
    }
    match (walk.nodes.next(), walk.buffers.next()) {
        (None, None) => Ok(()),
        _ => Err("a batch has more columns than expected".to_owned()),
    }
}

impl Walk<'_> {
    /// A column and those below; its length.
    fn column(&mut self, data_type: &DataType) -> Result<usize, String> {
        let node = self.nodes.next().ok_or("a batch has fewer columns than expected")?;
        let (rows, nulls) = (node.length(), node.null_count());
        let rows = usize::try_from(rows)
            .ok()
            .filter(|&rows| rows <= self.body.saturating_mul(8))
            .ok_or_else(|| format!("a column of {rows} rows in {} bytes", self.body))?;
        if !(0..=rows as i64).contains(&nulls) {
            return Err(format!("{nulls} of {rows} rows are null"));
        }
        let validity = self.buffer(1)?;
        if nulls > 0 && validity < rows.div_ceil(8) {
            return Err(format!("nulls of {rows} rows in {validity} bytes"));
        }
        match data_type {
            DataType::List(item) => {
                self.buffer(OFFSET)?;
                self.column(item.data_type())?;
            }
            DataType::ListView(item) => {
                self.buffer(OFFSET)?;
                self.buffer(OFFSET)?;
                self.column(item.data_type())?;
            }
            DataType::Struct(fields) => {
                for field in fields {
                    let below = self.column(field.data_type())?;
                    if below != rows {
                        return Err(format!("column {}: {below} rows of {rows}", field.name()));
                    }
                }
            }
            DataType::Binary | DataType::Utf8 => {
                self.buffer(OFFSET)?;
                self.buffer(1)?;
            }
            fixed => {
                self.buffer(fixed.primitive_width().unwrap_or(1))?;
            }
        }
        Ok(rows)
    }

    /// The length of the next buffer, which lies within the body and holds elements of `width` bytes.
    fn buffer(&mut self, width: usize) -> Result<usize, String> {
        let buffer = self.buffers.next().ok_or("a batch has fewer buffers than expected")?;
        let (offset, length) = (buffer.offset(), buffer.length());
        let wrong = || format!("a buffer of {length} bytes at {offset} of {}", self.body);
        let (Ok(at), Ok(bytes)) = (usize::try_from(offset), usize::try_from(length)) else {
            return Err(wrong());
        };
        match at.checked_add(bytes) {
            Some(end) if end <= self.body && bytes % width == 0 => Ok(bytes),
            _ => Err(wrong()),
        }
    }
}
