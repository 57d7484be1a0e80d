//! What is written is read back, to the bit.

use engine::model::STALE_NAN_BITS;

use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};

use super::samples::{
    Data, Float, HOURS_2, START, Samples, decode, float, labels, read, settings, upload, write,
};

/// Values that a careless reader or writer changes.
fn odd_values() -> Vec<u64> {
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

fn floats(bits: &[u64], step: i64) -> Vec<Float> {
    let at = |(at, &bits): (usize, &u64)| Float { ts: START + at as i64 * step, bits, start_ts: 0 };
    bits.iter().enumerate().map(at).collect()
}

#[tokio::test]
async fn floats_come_back_bit_by_bit() {
    let mut data = Data::new();
    let mut add = |pairs: &[(&str, &str)], floats: Vec<Float>| {
        data.insert(labels(pairs), Samples { floats, natives: vec![] });
    };
    add(&[("__name__", "odd"), ("job", "a")], floats(&odd_values(), 15_000));
    // Only the metric's name; one sample; at the block's last millisecond.
    add(&[("__name__", "one")], vec![float(START + HOURS_2 - 1, 1.5)]);
    add(&[("job", "nameless")], floats(&odd_values(), 1));
    add(&[("__name__", "up"), ("größe", "ß"), ("a.b", "x\ny\"z")], floats(&[1, 2, 3], 7));
    let with_start = |(at, sample): (usize, Float)| Float {
        start_ts: if at % 3 == 0 { 0 } else { START - 5 + at as i64 },
        ..sample
    };
    let started = floats(&odd_values(), 1_000).into_iter().enumerate().map(with_start).collect();
    add(&[("__name__", "started")], started);

    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[("replica", "a"), ("job", "outer")], 2), &data);
    let bucket = upload(dir.path(), &meta).await;
    assert_eq!(read(&bucket, &meta).await.expect("a sound block"), data);
    assert_eq!(meta.stats.num_float_samples, 11 * 3 + 1 + 3);
}

/// Rows enough for several pages and row groups, over several time buckets, with values that call for
/// each of the encodings.
#[tokio::test]
async fn many_row_groups_come_back() {
    let mut data = Data::new();
    let mut seed = 1u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    for (metric, series, step) in
        [("large", 24, 500), ("mid", 40, 15_000), ("small", 3, 60_000), ("vast", 30, 400)]
    {
        for number in 0..series {
            let mut samples = Samples::default();
            let mut value = 1e6;
            let mut ts = START;
            while ts < START + 6 * 3_600_000 {
                value += match number % 4 {
                    0 => 0.0,
                    1 => (random() % 300) as f64,
                    2 => random() as f64 / 1e9,
                    _ => f64::from(random() % 100 == 0),
                };
                samples.floats.push(float(ts + (random() % 3) as i64, value));
                ts += step;
            }
            let name = format!("{number:03}");
            data.insert(labels(&[("__name__", metric), ("pod", &name)]), samples);
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[], 6), &data);
    let bucket = upload(dir.path(), &meta).await;
    assert!(read(&bucket, &meta).await.expect("a sound block") == data);

    let file = std::fs::File::open(dir.path().join("samples.parquet")).expect("the file");
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&file)
        .expect("a footer");
    let rows: Vec<i64> = metadata.row_groups().iter().map(|g| g.num_rows()).collect();
    println!("{rows:?}");
}

#[tokio::test]
async fn a_block_without_samples_or_series() {
    for data in [Data::new(), Data::from([(labels(&[("a", "b")]), Samples::default())])] {
        let dir = tempfile::tempdir().expect("a folder");
        let meta = write(dir.path(), &settings(&[], 2), &data);
        let bucket = upload(dir.path(), &meta).await;
        assert_eq!(read(&bucket, &meta).await.expect("a sound block"), data);
    }
}

/// 600 names, of which 512 have a column, and names that differ in case alone.
#[tokio::test]
async fn hundreds_of_label_names_come_back() {
    let mut data = Data::new();
    for number in 0..600 {
        let name = format!("label_{number}");
        let more = format!("Label_{number}");
        let pairs = [("__name__", "m"), (name.as_str(), "x"), (more.as_str(), "y")];
        let pairs = if number % 2 == 0 { &pairs[..] } else { &pairs[..2] };
        data.insert(labels(pairs), Samples { floats: floats(&[7], 1), natives: vec![] });
    }
    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[("replica", "a")], 2), &data);
    assert_eq!(meta.stoa.label_columns.len(), 512);
    let bucket = upload(dir.path(), &meta).await;
    assert_eq!(read(&bucket, &meta).await.expect("a sound block"), data);

    let bytes = std::fs::read(dir.path().join("series.parquet")).expect("the file");
    let batch = decode(bytes.into());
    let schema = batch.schema();
    let mut names: Vec<String> =
        schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "names differ without regard to case");
    assert!(batch.column_by_name("e_replica").is_some());
}
