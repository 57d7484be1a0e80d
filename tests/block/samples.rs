//! Series in memory, the blocks made of them, and the series that a block gives back.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};
use bytes::Bytes;
use engine::block::meta::Compaction;
use engine::block::schema::{HISTOGRAMS_FILE, SAMPLES_FILE};
use engine::block::{
    Block, BlockId, BlockMeta, BlockSettings, BlockWriter, FileReader, histogram, id, order,
};
use engine::bucket::Bucket;
use engine::model::{
    CounterResetHint, Histogram, HistogramCounts, LabelTable, Labels, STALE_NAN_BITS, Span,
};
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// 2026-10-02T00:00:00Z: the start of the blocks.
pub(crate) const START: i64 = 1_790_899_200_000;
/// Two hours in ms.
pub(crate) const HOURS_2: i64 = 2 * 3_600_000;

/// A float sample by its bits, so that NaN equals itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Float {
    pub ts: i64,
    pub bits: u64,
    /// 0 is none.
    pub start_ts: i64,
}

/// A native histogram sample.
#[derive(Debug, Clone)]
pub(crate) struct Native {
    pub ts: i64,
    pub start_ts: i64,
    pub histogram: Histogram,
}

impl PartialEq for Native {
    /// By bits, as [`Float`].
    fn eq(&self, other: &Self) -> bool {
        let times = (self.ts, self.start_ts) == (other.ts, other.start_ts);
        times && bits(&self.histogram) == bits(&other.histogram)
    }
}

/// A histogram whose floats stand as their bits.
fn bits(histogram: &Histogram) -> String {
    let all = |values: &[f64]| -> Vec<u64> { values.iter().map(|value| value.to_bits()).collect() };
    let counts = match &histogram.counts {
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            format!("{:?} {:?} {:?}", all(&[*count, *zero_count]), all(positive), all(negative))
        }
        whole => format!("{whole:?}"),
    };
    format!(
        "{:?} {} {:?} {:?} {:?} {:?} {counts}",
        histogram.counter_reset_hint,
        histogram.schema,
        all(&[histogram.zero_threshold, histogram.sum]),
        histogram.positive_spans,
        histogram.negative_spans,
        all(&histogram.custom_values),
    )
}

/// The samples of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    pub floats: Vec<Float>,
    pub natives: Vec<Native>,
}

/// Series and their samples.
pub(crate) type Data = BTreeMap<Labels, Samples>;

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).expect("labels of a test")
}

/// Bits of values that a careless reader or writer changes.
pub(crate) fn odd_values() -> Vec<u64> {
    let odd = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, f64::MAX];
    let mut bits: Vec<u64> = odd.iter().map(|value: &f64| value.to_bits()).collect();
    bits.extend([
        STALE_NAN_BITS,
        0x7ff8_0000_0000_0001,
        0xfff8_dead_beef_0000,
        0x7ff0_0000_0000_0001,
    ]);
    bits
}

pub(crate) fn float(ts: i64, value: f64) -> Float {
    Float { ts, bits: value.to_bits(), start_ts: 0 }
}

/// One native histogram of each kind: whole and float counts, exponential and custom buckets, gauges,
/// resets, stale markers, empty ones, and numbers at their limits.
pub(crate) fn every_kind_of_histogram() -> Vec<Histogram> {
    let spans = |pairs: &[(i32, u32)]| -> Vec<Span> {
        pairs.iter().map(|&(offset, length)| Span { offset, length }).collect()
    };
    let plain = Histogram {
        counter_reset_hint: CounterResetHint::Unknown,
        schema: 0,
        zero_threshold: 0.0,
        sum: 0.0,
        positive_spans: vec![],
        negative_spans: vec![],
        custom_values: vec![],
        counts: HistogramCounts::Int {
            count: 0,
            zero_count: 0,
            positive: vec![],
            negative: vec![],
        },
    };
    let int = |count: u64, zero_count: u64, positive: &[i64], negative: &[i64]| {
        let (positive, negative) = (positive.to_vec(), negative.to_vec());
        HistogramCounts::Int { count, zero_count, positive, negative }
    };
    let float = |count: f64, zero_count: f64, positive: &[f64], negative: &[f64]| {
        let (positive, negative) = (positive.to_vec(), negative.to_vec());
        HistogramCounts::Float { count, zero_count, positive, negative }
    };
    let stale = f64::from_bits(STALE_NAN_BITS);
    vec![
        plain.clone(),
        Histogram {
            schema: 3,
            zero_threshold: 2.938_735_877_055_719e-39,
            sum: 18.4,
            positive_spans: spans(&[(0, 2), (1, 2)]),
            negative_spans: spans(&[(-7, 1), (3, 0), (2, 3)]),
            counts: int(31, 2, &[1, 2, -1, 0], &[4, 5, 6, 7]),
            ..plain.clone()
        },
        Histogram {
            schema: 3,
            sum: -0.0,
            counter_reset_hint: CounterResetHint::CounterReset,
            positive_spans: spans(&[(i32::MIN, 1), (i32::MAX, 1)]),
            counts: int(u64::MAX, u64::MAX - 1, &[i64::MIN, i64::MAX], &[]),
            ..plain.clone()
        },
        Histogram {
            schema: 8,
            sum: f64::NEG_INFINITY,
            counter_reset_hint: CounterResetHint::Gauge,
            positive_spans: spans(&[(5, 3)]),
            counts: float(6.5, 0.25, &[1.0, -0.0, f64::MAX], &[]),
            ..plain.clone()
        },
        Histogram {
            schema: -4,
            zero_threshold: 1e-3,
            sum: f64::from_bits(0x7ff8_0000_0000_0001),
            counter_reset_hint: CounterResetHint::NotCounterReset,
            negative_spans: spans(&[(0, 2)]),
            counts: float(f64::INFINITY, 5e-324, &[], &[0.1, 0.2]),
            ..plain.clone()
        },
        // Custom buckets, whole and float.
        Histogram {
            schema: -53,
            sum: 12.5,
            positive_spans: spans(&[(0, 1), (2, 2)]),
            custom_values: vec![-5.0, 0.0, 0.005, 2.5, 10.0],
            counts: int(9, 0, &[3, 3, 3], &[]),
            ..plain.clone()
        },
        Histogram {
            schema: -53,
            sum: 12.5,
            positive_spans: spans(&[(1, 2)]),
            custom_values: vec![f64::NEG_INFINITY, 1.0],
            counts: float(4.5, 0.0, &[2.0, 2.5], &[]),
            ..plain.clone()
        },
        // Stale markers of both kinds.
        Histogram { sum: stale, ..plain.clone() },
        Histogram { sum: stale, counts: float(0.0, 0.0, &[], &[]), ..plain.clone() },
        // Hundreds of buckets.
        Histogram {
            schema: 8,
            sum: 1e9,
            positive_spans: spans(&[(-80, 160)]),
            negative_spans: spans(&[(-80, 160)]),
            counts: int(320, 0, &[1; 160], &(0..160).collect::<Vec<i64>>()),
            ..plain.clone()
        },
        plain,
    ]
}

/// Settings of a block of `hours` from [`START`] on, in buckets of two hours.
pub(crate) fn settings(external: &[(&str, &str)], hours: i64) -> BlockSettings {
    let sources = vec!["01K6H00000000000000000TEST".parse().expect("a ULID")];
    let mut settings = BlockSettings {
        ulid: BlockId::default(),
        external_labels: labels(external),
        source: "test".into(),
        resolution_ms: 0,
        min_time: START,
        max_time: START + hours * 3_600_000,
        bucket_ms: HOURS_2,
        compaction: Compaction { level: 1, sources: sources.clone(), parents: vec![] },
    };
    settings.ulid = id(&sources, &settings);
    settings
}

/// Pseudo-random numbers (splitmix64), the same every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number from 0 on, below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }
}

/// Writes a block of `data` into `dir`.
pub(crate) fn write(dir: &Path, settings: &BlockSettings, data: &Data) -> BlockMeta {
    write_in_pieces(dir, settings, data, usize::MAX)
}

/// Writes a block of `data` into `dir`, with at most `most` samples in a call of the writer.
pub(crate) fn write_in_pieces(
    dir: &Path,
    settings: &BlockSettings,
    data: &Data,
    most: usize,
) -> BlockMeta {
    let table = LabelTable::from_labels(data.keys());
    let rows = order::sort(&table);
    let samples: Vec<&Samples> = data.values().collect();
    let table = Arc::new(table.take(&rows));
    let samples: Vec<&Samples> = rows.iter().map(|&row| samples[row as usize]).collect();
    let mut writer =
        BlockWriter::create(dir, settings.clone(), Arc::clone(&table)).expect("create");
    let buckets = writer.bucket_of(settings.max_time - 1) + 1;
    let mut first = 0;
    while first < samples.len() {
        let metric = table.value(first, "__name__");
        let mut end = first;
        while end < samples.len() && table.value(end, "__name__") == metric {
            end += 1;
        }
        for bucket in 0..buckets {
            for row in first..end {
                write_run(&mut writer, row as u32, bucket, samples[row], most);
            }
        }
        first = end;
    }
    writer.finish().expect("finish")
}

fn write_run(writer: &mut BlockWriter, row: u32, bucket: u32, samples: &Samples, most: usize) {
    let inside: Vec<&Float> =
        samples.floats.iter().filter(|sample| writer.bucket_of(sample.ts) == bucket).collect();
    for piece in inside.chunks(most) {
        let ts: Vec<i64> = piece.iter().map(|sample| sample.ts).collect();
        let values: Vec<f64> = piece.iter().map(|sample| f64::from_bits(sample.bits)).collect();
        let starts: Vec<i64> = piece.iter().map(|sample| sample.start_ts).collect();
        let starts = starts.iter().any(|&start| start != 0).then_some(starts.as_slice());
        writer.floats(row, &ts, &values, starts).expect("floats");
    }
    let inside: Vec<&Native> =
        samples.natives.iter().filter(|sample| writer.bucket_of(sample.ts) == bucket).collect();
    for piece in inside.chunks(most) {
        let ts: Vec<i64> = piece.iter().map(|sample| sample.ts).collect();
        let starts: Vec<i64> = piece.iter().map(|sample| sample.start_ts).collect();
        let histograms: Vec<Histogram> = piece.iter().map(|s| s.histogram.clone()).collect();
        writer.histograms(row, &ts, Some(&starts), &histograms).expect("histograms");
    }
}

/// A bucket in memory with the block that was written into `dir`.
pub(crate) async fn upload(dir: &Path, meta: &BlockMeta) -> Bucket {
    let bucket = Bucket::new(Arc::new(InMemory::new()), "memory");
    let names = meta.stoa.files.iter().map(|file| file.name.as_str());
    for name in names.chain(["meta.json"]) {
        let bytes = std::fs::read(dir.join(name)).expect("a file of the block");
        bucket.put(&BlockMeta::path(meta.ulid, name), bytes.into()).await.expect("put");
    }
    bucket
}

/// All series and samples of a block, through the reader.
pub(crate) async fn read(bucket: &Bucket, meta: &BlockMeta) -> engine::Result<Data> {
    let block = Block::open(bucket, Arc::new(meta.clone())).await?;
    let floats = match &block.samples {
        Some(file) => Some(rows(bucket, meta, file, SAMPLES_FILE).await?),
        None => None,
    };
    let natives = match &block.histograms {
        Some(file) => Some(rows(bucket, meta, file, HISTOGRAMS_FILE).await?),
        None => None,
    };
    let histograms = natives.as_ref().map(histogram::from_batch).transpose()?;
    let mut data = Data::new();
    for row in 0..block.series.len() {
        let mut samples = Samples::default();
        for run in block.series.runs(row) {
            let batch = floats.as_ref().expect("runs point into a file");
            let batch = batch.slice(run.start_row as usize, run.rows as usize);
            check_keys(&batch, &block, row);
            let ts = batch.column(3).as_primitive::<TimestampMillisecondType>();
            let values = batch.column(4).as_primitive::<Float64Type>();
            let starts = batch.column(5).as_primitive::<TimestampMillisecondType>();
            samples.floats.extend((0..batch.num_rows()).map(|at| Float {
                ts: ts.value(at),
                bits: values.value(at).to_bits(),
                start_ts: if starts.is_null(at) { 0 } else { starts.value(at) },
            }));
        }
        for run in block.series.histogram_runs(row) {
            let batch = natives.as_ref().expect("runs point into a file");
            let batch = batch.slice(run.start_row as usize, run.rows as usize);
            check_keys(&batch, &block, row);
            let ts = batch.column(3).as_primitive::<TimestampMillisecondType>();
            let starts = batch.column(4).as_primitive::<TimestampMillisecondType>();
            let histograms = histograms.as_ref().expect("runs point into a file");
            samples.natives.extend((0..batch.num_rows()).map(|at| Native {
                ts: ts.value(at),
                start_ts: if starts.is_null(at) { 0 } else { starts.value(at) },
                histogram: histograms[run.start_row as usize + at].clone(),
            }));
        }
        let times = || {
            let floats = samples.floats.iter().map(|sample| sample.ts);
            floats.chain(samples.natives.iter().map(|sample| sample.ts))
        };
        assert_eq!(block.series.min_ts[row], times().min().unwrap_or(i64::MAX));
        assert_eq!(block.series.max_ts[row], times().max().unwrap_or(i64::MIN));
        assert_eq!(block.series.n_samples[row], times().count() as u64);
        data.insert(block.series.table.labels(row), samples);
    }
    assert_eq!(data.len(), block.series.len(), "series are distinct");
    Ok(data)
}

/// The columns that say whose samples the rows are.
fn check_keys(batch: &RecordBatch, block: &Block, row: usize) {
    let metrics = batch.column(0).as_string::<i32>();
    let refs = batch.column(1).as_primitive::<Int32Type>();
    let ids = batch.column(2).as_primitive::<Int64Type>();
    for at in 0..batch.num_rows() {
        assert_eq!(metrics.value(at), block.series.table.value(row, "__name__"));
        assert_eq!(refs.value(at), row as i32);
        assert_eq!(ids.value(at), block.series.series_id[row]);
    }
}

/// All rows of a sample file, its pages checked.
async fn rows(
    bucket: &Bucket,
    meta: &BlockMeta,
    file: &FileReader,
    name: &str,
) -> engine::Result<RecordBatch> {
    let bytes = bucket.get(file.path()).await?;
    let entry = meta.file(name).expect("a file of the block");
    let (pages, length) = (4..entry.tail_offset, bytes.len() as u64);
    if length != entry.size_bytes {
        return Err(engine::Error::corrupt(format!("{} has {length} bytes", file.path())));
    }
    file.check(pages.clone(), &bytes[4..pages.end as usize])?;
    Ok(decode(bytes))
}

/// All rows of a Parquet file, by the stock reader and without any knowledge of blocks.
pub(crate) fn decode(bytes: Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader
        .with_batch_size(1 << 20)
        .build()
        .expect("a reader")
        .map(|batch| batch.expect("a batch"))
        .collect();
    concat_batches(&schema, &batches).expect("batches of one schema")
}
