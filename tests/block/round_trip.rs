//! What is written is read back, to the bit.

use parquet::data_type::ByteArray;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::statistics::Statistics;

use engine::block::schema::{CUT_ROWS, PAGE_ROWS};
use engine::block::{BlockMeta, verify};

use super::samples::{
    Data, Float, HOURS_2, Native, Random, START, Samples, decode, every_kind_of_histogram, float,
    labels, odd_values, read, settings, upload, write,
};

/// The block in `dir` is sound and holds `data`.
async fn holds(dir: &std::path::Path, meta: &BlockMeta, data: &Data) {
    let bucket = upload(dir, meta).await;
    let report = verify(&bucket, meta.ulid).await.expect("the block is there");
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(&read(&bucket, meta).await.expect("a sound block") == data);
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
    holds(dir.path(), &meta, &data).await;
    assert_eq!(meta.stats.num_float_samples, 11 * 3 + 1 + 3);
}

/// Rows enough for several pages and row groups, over several time buckets, with values that call for
/// each of the encodings.
#[tokio::test]
async fn many_row_groups_come_back() {
    let mut data = Data::new();
    let mut random = Random(1);
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
                    1 => random.below(300) as f64,
                    2 => random.below(1 << 30) as f64 / 1e9,
                    _ => f64::from(random.below(100) == 0),
                };
                samples.floats.push(float(ts + random.below(3) as i64, value));
                ts += step;
            }
            let name = format!("{number:03}");
            data.insert(labels(&[("__name__", metric), ("pod", &name)]), samples);
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[], 6), &data);
    holds(dir.path(), &meta, &data).await;

    let file = std::fs::File::open(dir.path().join("samples.parquet")).expect("the file");
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&file)
        .expect("a footer");
    let bounds = |group: usize| match metadata.row_group(group).column(0).statistics() {
        Some(Statistics::ByteArray(of)) => {
            let text = |value: Option<&ByteArray>| {
                String::from_utf8(value.expect("a bound").data().to_vec()).expect("UTF-8")
            };
            (text(of.min_opt()), text(of.max_opt()))
        }
        other => panic!("{other:?}"),
    };
    let rows: Vec<usize> = metadata.row_groups().iter().map(|g| g.num_rows() as usize).collect();
    // A large metric shares a row group with nobody before it, and ends one at a bucket's edge.
    let large: Vec<usize> = (0..rows.len()).filter(|&g| bounds(g).0 == "large").collect();
    assert!(large.len() >= 2, "{rows:?}");
    assert!(large[..large.len() - 1].iter().all(|&g| rows[g] >= CUT_ROWS), "{rows:?}");
    let vast: Vec<usize> = (0..rows.len()).filter(|&g| bounds(g).1 == "vast").collect();
    assert!(vast.iter().all(|&g| bounds(g).0 == "vast"), "{rows:?}");
    // Small metrics share one.
    assert!((0..rows.len()).any(|g| bounds(g) == ("mid".to_owned(), "small".to_owned())));
    let pages = metadata.offset_index().expect("a page index");
    for (group, columns) in pages.iter().enumerate() {
        for column in columns {
            let pages = column.page_locations();
            assert_eq!(pages.len(), rows[group].div_ceil(PAGE_ROWS));
            let even = |(at, page): (usize, &PageLocation)| {
                page.first_row_index as usize == at * PAGE_ROWS
            };
            assert!(pages.iter().enumerate().all(even), "pages are equal across columns");
        }
    }
}

/// Native histograms of every kind, alone, among floats, and more than a page of them.
#[tokio::test]
async fn histograms_come_back_exactly() {
    let kinds = every_kind_of_histogram();
    let natives = |count: usize, start_ts: i64| -> Vec<Native> {
        let native = |at: usize| Native {
            ts: START + at as i64 * 1_000,
            start_ts: if at.is_multiple_of(2) { start_ts } else { 0 },
            histogram: kinds[at % kinds.len()].clone(),
        };
        (0..count).map(native).collect()
    };
    let mut data = Data::new();
    let mut add = |pairs: &[(&str, &str)], floats: Vec<Float>, natives: Vec<Native>| {
        data.insert(labels(pairs), Samples { floats, natives });
    };
    add(&[("__name__", "alone")], vec![], natives(kinds.len(), 0));
    add(&[("__name__", "many"), ("pod", "1")], vec![], natives(2_500, START - 7));
    add(&[("__name__", "many"), ("pod", "2")], vec![], natives(7, -1));
    let between = floats(&odd_values(), 1_000).into_iter();
    let between = between.map(|f| Float { ts: f.ts + 500, ..f }).collect();
    add(&[("__name__", "mixed")], between, natives(20, 1));
    add(&[("__name__", "plain")], floats(&[1, 2], 1), vec![]);
    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[("replica", "a")], 2), &data);
    assert_eq!(meta.stats.num_histogram_samples, kinds.len() as u64 + 2_500 + 7 + 20);
    holds(dir.path(), &meta, &data).await;
}

/// Without float samples there is no `samples.parquet`.
#[tokio::test]
async fn a_block_of_histograms_alone() {
    let native = Native { ts: START, start_ts: 0, histogram: every_kind_of_histogram().remove(1) };
    let samples = Samples { floats: vec![], natives: vec![native] };
    let data = Data::from([(labels(&[("__name__", "h")]), samples)]);
    let dir = tempfile::tempdir().expect("a folder");
    let meta = write(dir.path(), &settings(&[], 2), &data);
    let names: Vec<&str> = meta.stoa.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["series.parquet", "histograms.parquet"]);
    holds(dir.path(), &meta, &data).await;
}

#[tokio::test]
async fn a_block_without_samples_or_series() {
    for data in [Data::new(), Data::from([(labels(&[("a", "b")]), Samples::default())])] {
        let dir = tempfile::tempdir().expect("a folder");
        let meta = write(dir.path(), &settings(&[], 2), &data);
        holds(dir.path(), &meta, &data).await;
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
    holds(dir.path(), &meta, &data).await;

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
