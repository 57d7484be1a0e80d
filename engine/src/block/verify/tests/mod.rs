//! Everything that can be wrong with a block whose CRCs are right, and some of what CRCs find.

mod forge;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::take;
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMillisecondType};

use self::forge::{FILES, HOUR, IN_BUCKET, TestBlock, elements, map_values, numbers, texts, times};
use crate::ErrorKind;
use crate::block::schema::{HISTOGRAMS_FILE, SAMPLES_FILE, SERIES_FILE};
use crate::block::{Block, BlockId, BlockMeta};

type Ms = TimestampMillisecondType;

/// A forgery, and what `verify` must say among other things.
type Case = (Box<dyn Fn(&mut TestBlock)>, &'static str);

fn case(forge: impl Fn(&mut TestBlock) + 'static, said: &'static str) -> Case {
    (Box::new(forge), said)
}

async fn expect(cases: Vec<Case>) {
    for (at, (forge, said)) in cases.into_iter().enumerate() {
        let mut block = TestBlock::new();
        forge(&mut block);
        let report = block.verify().await.unwrap();
        let found = report.problems.iter().any(|problem| problem.contains(said));
        assert!(found, "case {at}: none says {said:?}:\n{}", report.problems.join("\n"));
    }
}

#[tokio::test]
async fn a_sound_block_has_no_problems() {
    let block = TestBlock::new();
    let report = block.verify().await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!((report.series, report.samples), (5, 5 * 2 * IN_BUCKET as u64));
    assert_eq!(report.digest.to_string(), block.meta.stoa.digest);
    let json = block.meta.to_json().unwrap().len() as u64;
    let files: u64 = block.meta.stoa.files.iter().map(|file| file.size_bytes).sum();
    assert_eq!(report.bytes, json + files);
}

/// What the forger does besides the forgery changes nothing.
#[tokio::test]
async fn files_that_are_only_rewritten_are_sound() {
    let mut block = TestBlock::new();
    FILES.into_iter().for_each(|name| block.rewrite(name, |_| ()));
    assert_eq!(block.verify().await.unwrap().problems, Vec::<String>::new());
    block.rewrite_behind_the_bounds("ts", Clone::clone);
    assert_eq!(block.verify().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_block_that_is_not_there_is_an_error() {
    let bucket = TestBlock::new().upload().await;
    let error = super::verify(&bucket, BlockId::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&BlockId::default().to_string()), "{error}");
}

#[tokio::test]
async fn wrong_samples_are_found() {
    let column = |name: &'static str, change: fn(&ArrayRef) -> ArrayRef, said| {
        case(move |block| block.rewrite_column(SAMPLES_FILE, name, change), said)
    };
    expect(vec![
        column("ts", |a| numbers::<Ms>(|ts| ts.swap(3, 4))(a), "samples.parquet, row 4: ts 180000"),
        column("ts", |a| numbers::<Ms>(|ts| ts[1] = ts[0])(a), "row 1: ts 0 after 0"),
        column("ts", |a| numbers::<Ms>(|ts| ts[159] = 4 * HOUR)(a), "row 159: ts 14400000 lies"),
        column("ts", |a| numbers::<Ms>(|ts| ts[159] = i64::MAX)(a), "lies outside the block"),
        column("ts", |a| numbers::<Ms>(|ts| ts[0] = i64::MIN)(a), "row 0: ts -9223372036854775808"),
        column("ts", |a| numbers::<Ms>(|ts| ts[159] += 1)(a), "row 3: max_ts is not"),
        column("ts", |a| numbers::<Ms>(|ts| ts[0] += 1)(a), "row 0: min_ts is not"),
        // A row that slips into another time bucket, and a whole run.
        column("ts", |a| numbers::<Ms>(|ts| ts[19] = 2 * HOUR)(a), "in time bucket"),
        column(
            "ts",
            |a| numbers::<Ms>(|ts| ts[60..80].copy_from_slice(&times(0)))(a),
            "row 60: series 1 in bucket 0 at 0 comes after series 0 in bucket 1",
        ),
        column("series_ref", |a| numbers::<Int32Type>(|r| r[0] = 99)(a), "series_ref 99 is not in"),
        column("series_ref", |a| numbers::<Int32Type>(|r| r[0] = -1)(a), "series_ref -1 is not in"),
        column("series_ref", |a| numbers::<Int32Type>(|r| r[0] = 1)(a), "comes after series 1"),
        column(
            "series_id",
            |a| numbers::<Int64Type>(|id| id[5] += 1)(a),
            "row 5: series_id is not",
        ),
        column("metric", |a| texts(|m| m[5] = Some("mem".into()))(a), "metric is not that of"),
        column(
            "metric",
            |a| texts(|m| m[0] = Some("mem".into()))(a),
            "row 0: metric is not that of",
        ),
        column(
            "value",
            |a| numbers::<Float64Type>(|v| v[7] = -v[7])(a),
            "the digest of all samples",
        ),
        column(
            "value",
            |a| numbers::<Float64Type>(|v| v.swap(7, 8))(a),
            "the digest of all samples",
        ),
        column("value", |a| numbers::<Float64Type>(|v| v[159] = 0.0)(a), "n_stale is not"),
        column("start_ts", |a| numbers::<Ms>(|s| s[1] += 1)(a), "the digest of all samples"),
        case(
            |block| {
                block.rewrite(SAMPLES_FILE, |columns| {
                    let rows = columns[0].len() - 1;
                    columns.iter_mut().for_each(|column| *column = column.slice(0, rows));
                });
            },
            "ends after row 159",
        ),
        case(|block| block.rewrite_in_pages(SAMPLES_FILE, 50, |_| ()), "do not have 16384 rows"),
        case(
            |block| {
                let late = numbers::<Ms>(|ts| ts[159] += 60_000);
                block.rewrite_behind_the_bounds("ts", late);
            },
            "row group 0, page 0 lie outside the bounds of ts in the page index",
        ),
        case(
            |block| {
                let late = numbers::<Ms>(|ts| ts[159] += 60_000);
                block.rewrite_behind_the_bounds("ts", late);
            },
            "outside the statistics of ts",
        ),
        case(
            |block| {
                block.rewrite_behind_the_bounds("series_ref", numbers::<Int32Type>(|r| r[159] = 4))
            },
            "outside the statistics of series_ref",
        ),
        case(
            |block| {
                block.rewrite_behind_the_bounds("metric", texts(|m| m[159] = Some("men".into())));
            },
            "outside the bounds of metric",
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_histograms_are_found() {
    let column = |name: &'static str, change: fn(&ArrayRef) -> ArrayRef, said| {
        case(move |block| block.rewrite_column(HISTOGRAMS_FILE, name, change), said)
    };
    expect(vec![
        column("ts", |a| numbers::<Ms>(|ts| ts.swap(3, 4))(a), "histograms.parquet, row 4: ts"),
        column("reset_hint", |a| numbers::<Int32Type>(|h| h[3] = 9)(a), "reset_hint 9"),
        column("sum", |a| numbers::<Float64Type>(|s| s[3] += 1.0)(a), "the digest of all samples"),
        column("count", |a| numbers::<Int64Type>(|c| c[3] += 1)(a), "the digest of all samples"),
        column(
            "positive_counts",
            |a| elements::<Int64Type>(|c| c[3] += 1)(a),
            "the digest of all samples",
        ),
        column("positive_lengths", |a| elements::<Int32Type>(|l| l[1] = 2)(a), "4 buckets"),
        column("positive_lengths", |a| elements::<Int32Type>(|l| l[1] = -1)(a), "-1 buckets"),
        column(
            "series_id",
            |a| numbers::<Int64Type>(|id| id[0] += 1)(a),
            "row 0: series_id is not",
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_series_are_found() {
    let column = |name: &'static str, change: fn(&ArrayRef) -> ArrayRef, said| {
        case(move |block| block.rewrite_column(SERIES_FILE, name, change), said)
    };
    expect(vec![
        column(
            "series_ref",
            |a| numbers::<Int32Type>(|r| r.swap(1, 2))(a),
            "row 1: series_ref is 2",
        ),
        column("e_replica", |a| texts(|v| v[2] = Some("b".into()))(a), "row 2: e_replica is not"),
        column(
            "labels",
            |a| map_values(|v| v[1] = Some("x".into()))(a),
            "row 0: the map of labels",
        ),
        column("l_job", |a| texts(|v| v[2] = None)(a), "series 2: the labels are not those"),
        column("metric", |a| texts(|v| v[4] = Some("sizes".into()))(a), "series 4: the labels"),
        column("series_id", |a| numbers::<Int64Type>(|v| v[4] += 1)(a), "series 4: the labels"),
        column("min_ts", |a| numbers::<Ms>(|v| v[1] -= 1)(a), "row 1: min_ts is not"),
        column("max_ts", |a| numbers::<Ms>(|v| v[4] += 1)(a), "row 4: max_ts is not"),
        column("n_stale", |a| numbers::<Int64Type>(|v| v[3] = 0)(a), "row 3: n_stale is not"),
        column("n_samples", |a| numbers::<Int64Type>(|v| v[3] = 0)(a), "series 3: runs of 40 rows"),
        column("kind", |a| texts(|v| v[3] = Some("mixed".into()))(a), "row 3: kind is not"),
        column("kind", |a| texts(|v| v[3] = Some("other".into()))(a), "kind Some(\"other\")"),
        // Series 0 and 2 exchange their rows: as many, and in order.
        column(
            "row_start",
            |a| {
                elements::<Int64Type>(|v| {
                    v.swap(0, 4);
                    v.swap(1, 5);
                })(a)
            },
            "series 0 has 20 rows from row 0 on in time bucket 0, series.parquet says",
        ),
        column("row_start", |a| elements::<Int64Type>(|v| v[7] = 1000)(a), "ends after row 160"),
        column(
            "row_start",
            |a| elements::<Int64Type>(|v| v.swap(0, 1))(a),
            "runs are out of order",
        ),
        column("run_bucket", |a| elements::<Int32Type>(|v| v[1] = 2)(a), "in time bucket 1"),
        // Whole series in another order, with all that belongs to them.
        case(
            |block| {
                block.rewrite(SERIES_FILE, |columns| {
                    let order = arrow::array::UInt32Array::from(vec![0, 1, 3, 2, 4]);
                    for column in columns {
                        *column = take(column.as_ref(), &order, None).unwrap();
                    }
                });
            },
            "does not follow",
        ),
    ])
    .await;
}

#[tokio::test]
async fn wrong_figures_of_meta_json_are_found() {
    let meta = |change: fn(&mut BlockMeta), said| {
        case(move |block: &mut TestBlock| change(&mut block.meta), said)
    };
    expect(vec![
        meta(|m| m.stats.num_samples += 1, "numSamples is 201, 200 follows"),
        meta(|m| m.stats.num_float_samples += 1, "numFloatSamples"),
        meta(|m| m.stats.num_histogram_samples = 0, "numHistogramSamples"),
        meta(|m| m.stats.num_series += 1, "numSeries"),
        meta(|m| m.stats.num_series += 1, "5 series, 6 in meta.json"),
        meta(|m| m.stats.num_chunks += 1, "numChunks"),
        meta(|m| m.stoa.digest = "none".into(), "digest \"none\""),
        meta(|m| m.stoa.digest = m.stoa.digest.replacen("200", "201", 1), "count of the digest"),
        meta(|m| m.stoa.label_columns.reverse(), "the label columns are not those of meta.json"),
        meta(|m| m.stoa.bucket_ms = HOUR, "in time bucket 2"),
        meta(|m| m.max_time = HOUR, "lies outside the block"),
        meta(|m| drop(m.thanos.labels.insert("replica".into(), "b".into())), "external labels"),
        meta(|m| drop(m.thanos.labels.insert("zone".into(), "b".into())), "other external labels"),
    ])
    .await;
}

#[tokio::test]
async fn wrong_files_are_found() {
    let with = |name: &'static str, change: fn(&mut crate::block::meta::FileMeta), said| {
        case(move |block: &mut TestBlock| change(block.file(name)), said)
    };
    expect(vec![
        case(
            |block| std::fs::remove_file(block.path(SAMPLES_FILE)).unwrap(),
            "samples.parquet is missing",
        ),
        case(
            |block| std::fs::remove_file(block.path(SERIES_FILE)).unwrap(),
            "series.parquet is missing",
        ),
        case(
            |block| {
                let mut bytes = std::fs::read(block.path(HISTOGRAMS_FILE)).unwrap();
                bytes.push(0);
                std::fs::write(block.path(HISTOGRAMS_FILE), bytes).unwrap();
            },
            "histograms.parquet has ",
        ),
        with(SAMPLES_FILE, |file| file.chunk_crc32c.truncate(5), "has 6 column chunks"),
        with(
            SAMPLES_FILE,
            |file| file.chunk_crc32c[4] ^= 1,
            "row group 0, \"value\": the CRC32C of",
        ),
        with(SERIES_FILE, |file| file.chunk_crc32c[0] ^= 1, "series.parquet, row group 0"),
        with(SERIES_FILE, |file| file.tail_crc32c ^= 1, "the CRC of the tail does not match"),
        with(SAMPLES_FILE, |file| file.rows += 1, "160 rows, 161 in meta.json"),
        with(SAMPLES_FILE, |file| file.tail_offset -= 1, "the CRC of the tail does not match"),
        // A file under a name that this version does not know.
        with(
            HISTOGRAMS_FILE,
            |file| file.name = "other.parquet".into(),
            "other.parquet is missing",
        ),
        case(
            |block| block.rename("01K6H00000000000000000TESV".parse().unwrap()),
            "samples.parquet: stoa.block is Some(\"01K6H00000000000000000TEST\")",
        ),
    ])
    .await;
}

/// A later version may append columns: the block reads as before.
#[tokio::test]
async fn appended_columns_are_no_problem() {
    let mut block = TestBlock::new();
    FILES.into_iter().for_each(|name| block.append_column(name));
    assert_eq!(block.verify().await.unwrap().problems, Vec::<String>::new());
    let opened = Block::open(&block.upload().await, Arc::new(block.meta.clone())).await.unwrap();
    assert_eq!(opened.series.len(), 5);
}

#[tokio::test]
async fn columns_in_another_order_are_found() {
    expect(vec![
        case(
            |block| block.move_column(SAMPLES_FILE, 3, 4),
            "column 3 is Some(\"value\"), not \"ts\" as the format has it",
        ),
        case(|block| block.move_column(HISTOGRAMS_FILE, 0, 5), "not \"metric\""),
        case(|block| block.move_column(SERIES_FILE, 6, 7), "not \"min_ts\""),
    ])
    .await;
}

/// A file that no query reads is checked by its CRCs.
#[tokio::test]
async fn files_of_other_names_are_read() {
    for (damaged, problems) in [(false, 0), (true, 1)] {
        let mut block = TestBlock::new();
        let mut other = block.file(HISTOGRAMS_FILE).clone();
        let mut bytes = std::fs::read(block.path(HISTOGRAMS_FILE)).unwrap();
        if damaged {
            bytes[40] ^= 1;
            other.chunk_crc32c.clear();
        }
        std::fs::write(block.path("other.parquet"), bytes).unwrap();
        other.name = "other.parquet".into();
        block.meta.stoa.files.push(other);
        let report = block.verify().await.unwrap();
        let pages = report.problems.iter().filter(|p| p.contains("other.parquet, row group 0"));
        assert_eq!(pages.count(), problems, "{:?}", report.problems);
    }
}

/// Damage in one place does not hide damage in another.
#[tokio::test]
async fn all_problems_are_found_at_once() {
    let block = TestBlock::new();
    for name in FILES {
        let mut bytes = std::fs::read(block.path(name)).unwrap();
        bytes[100] ^= 1;
        std::fs::write(block.path(name), bytes).unwrap();
    }
    let problems = block.verify().await.unwrap().problems;
    for name in FILES {
        let pages = problems.iter().filter(|p| p.starts_with(name) && p.contains("of the page at"));
        assert_eq!(pages.count(), 1, "{problems:?}");
    }
}
