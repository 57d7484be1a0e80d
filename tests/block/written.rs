//! Any samples at all come back, the same bytes whatever the calls were; and what the writer refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use engine::ErrorKind;
use engine::block::{BlockSettings, BlockWriter, order, verify};
use engine::model::{HistogramCounts, LabelTable, Labels};
use proptest::prelude::*;

use super::samples::{
    Data, Float, HOURS_2, Native, START, Samples, every_kind_of_histogram, labels, odd_values,
    read, settings, upload, write, write_in_pieces,
};

fn a_label_set() -> impl Strategy<Value = Labels> {
    let name = prop::sample::select(vec![
        "__name__", "job", "Job", "le", "quantile", "pod", "größe", "a.b", "zone", "_", "0",
    ]);
    let value = prop::sample::select(vec!["", "a", "b", "10", "9", "+Inf", "ä\u{0}\n", "NaN"]);
    prop::collection::btree_map(name, value, 0..6)
        .prop_map(|set| Labels::new(set).expect("distinct names"))
}

fn a_value() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        prop::sample::select(odd_values()),
        (0u32..1000).prop_map(|whole| f64::from(whole).to_bits()),
    ]
}

fn some_samples(length: i64) -> impl Strategy<Value = Samples> {
    let start_ts = prop_oneof![3 => Just(0), 1 => any::<i64>()];
    let floats = prop::collection::btree_map(0..length, (a_value(), start_ts.clone()), 0..40);
    let kind = 0..every_kind_of_histogram().len();
    let natives = prop::collection::btree_map(0..length, (kind, start_ts), 0..4);
    (floats, natives).prop_map(|(floats, natives)| {
        let kinds = every_kind_of_histogram();
        let float = |(ts, (bits, start_ts))| Float { ts, bits, start_ts };
        let native = |(ts, (kind, start_ts)): (_, (usize, _))| Native {
            ts,
            start_ts,
            histogram: kinds[kind].clone(),
        };
        Samples {
            floats: floats.into_iter().map(float).collect(),
            natives: natives.into_iter().map(native).collect(),
        }
    })
}

/// A block's settings, whatever its time, and samples inside.
fn a_block() -> impl Strategy<Value = (BlockSettings, Data)> {
    let start =
        prop::sample::select(vec![START, 0, -1, -HOURS_2, i64::MIN, i64::MAX - 9 * HOURS_2]);
    (start, 1..5 * HOURS_2, prop::sample::select(vec![HOURS_2, 900_001, 86_400_000])).prop_flat_map(
        |(start, length, bucket_ms)| {
            let series = prop::collection::btree_map(a_label_set(), some_samples(length), 0..8);
            series.prop_map(move |series| {
                let mut settings = settings(&[("replica", "a"), ("job", "outer")], 2);
                (settings.min_time, settings.max_time) = (start, start + length);
                settings.bucket_ms = bucket_ms;
                let moved = |(labels, mut samples): (Labels, Samples)| {
                    samples.floats.iter_mut().for_each(|float| float.ts += start);
                    samples.natives.iter_mut().for_each(|native| native.ts += start);
                    (labels, samples)
                };
                (settings, series.into_iter().map(moved).collect())
            })
        },
    )
}

fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(dir).expect("a folder");
    files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("the file"))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_samples_come_back((settings, data) in a_block(), most in 1usize..9) {
        let (dir, again) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let meta = write(dir.path(), &settings, &data);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let bucket = upload(dir.path(), &meta).await;
            let report = verify(&bucket, meta.ulid).await.expect("the block is there");
            prop_assert_eq!(report.problems, Vec::<String>::new());
            prop_assert!(read(&bucket, &meta).await.expect("a sound block") == data);
            Ok(())
        })?;
        write_in_pieces(again.path(), &settings, &data, most);
        prop_assert!(bytes(dir.path()) == bytes(again.path()), "bytes depend on the calls");
    }
}

fn table(sets: &[Labels]) -> Arc<LabelTable> {
    Arc::new(LabelTable::from_labels(sets))
}

/// Two series of one metric and one of another.
fn three() -> Arc<LabelTable> {
    table(&[
        labels(&[("__name__", "a"), ("pod", "1")]),
        labels(&[("__name__", "a"), ("pod", "2")]),
        labels(&[("__name__", "b")]),
    ])
}

#[test]
fn calls_out_of_order_are_refused() {
    type Call = fn(&mut BlockWriter) -> engine::Result<()>;
    let cases: [(Call, &str); 12] = [
        (
            |w| w.floats(1, &[START], &[0.0], None).and(w.floats(0, &[START], &[0.0], None)),
            "comes after",
        ),
        (
            |w| w.floats(2, &[START], &[0.0], None).and(w.floats(1, &[START], &[0.0], None)),
            "comes after",
        ),
        (
            |w| {
                w.floats(0, &[START + HOURS_2], &[0.0], None).and(w.floats(
                    1,
                    &[START],
                    &[0.0],
                    None,
                ))
            },
            "comes after",
        ),
        (
            |w| w.floats(0, &[START], &[0.0], None).and(w.floats(0, &[START], &[0.0], None)),
            "comes after",
        ),
        (|w| w.floats(3, &[START], &[0.0], None), "not in the block's table"),
        (|w| w.floats(0, &[START, START], &[0.0, 0.0], None), "do not ascend"),
        (|w| w.floats(0, &[START - 1], &[0.0], None), "outside the block"),
        (|w| w.floats(0, &[START + 2 * HOURS_2], &[0.0], None), "outside the block"),
        (|w| w.floats(0, &[START, START + HOURS_2], &[0.0, 0.0], None), "two time buckets"),
        (|w| w.floats(0, &[START], &[], None), "differ in number"),
        (|w| w.floats(0, &[START], &[0.0], Some(&[])), "differ in number"),
        (|w| w.histograms(0, &[START], None, &[]), "differ in number"),
    ];
    for (number, (call, said)) in cases.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer =
            BlockWriter::create(dir.path(), settings(&[], 4), three()).expect("create");
        let error = call(&mut writer).expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid, "case {number}: {error}");
        assert!(error.to_string().contains(said), "case {number}: {error}");
    }
}

#[test]
fn tables_out_of_order_are_refused() {
    let (a, b) = (labels(&[("__name__", "a")]), labels(&[("__name__", "b")]));
    for sets in [vec![b.clone(), a.clone()], vec![a.clone(), a]] {
        let dir = tempfile::tempdir().expect("a folder");
        let error = BlockWriter::create(dir.path(), settings(&[], 2), table(&sets));
        let error = error.expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("in block order"), "{error}");
    }
}

#[test]
fn settings_without_sense_are_refused() {
    let cases: [fn(&mut BlockSettings); 6] = [
        |s| s.max_time = s.min_time,
        |s| s.bucket_ms = 0,
        |s| s.bucket_ms = -1,
        |s| s.bucket_ms = 1,
        |s| s.resolution_ms = -1,
        |s| (s.min_time, s.max_time, s.bucket_ms) = (i64::MIN, i64::MAX, 1),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut settings = settings(&[], 2);
        change(&mut settings);
        let error = BlockWriter::create(dir.path(), settings, three()).err();
        let error = error.unwrap_or_else(|| panic!("case {number} is taken"));
        assert_eq!(error.kind(), ErrorKind::Invalid, "case {number}: {error}");
    }
}

/// Spans and counts that contradict each other could not be read again.
#[test]
fn contradictory_histograms_are_refused() {
    let mut histogram = every_kind_of_histogram().remove(1);
    if let HistogramCounts::Int { positive, .. } = &mut histogram.counts {
        positive.push(1);
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut writer = BlockWriter::create(dir.path(), settings(&[], 2), three()).expect("create");
    // The page is encoded later.
    let error =
        writer.histograms(0, &[START], None, &[histogram]).and_then(|()| writer.finish().map(drop));
    let error = error.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("4 buckets has counts of 5"), "{error}");
}

/// The order of series is the same for a table and for label sets, and for any subset of them.
#[test]
fn blocks_agree_in_the_order_of_series() {
    let names = ["__name__", "job", "zone", "le"];
    let sets: BTreeSet<Labels> = (0..256usize)
        .map(|number| {
            let value = |at: usize| ["", "10", "9", "x"][number / 4usize.pow(at as u32) % 4];
            let pairs: Vec<_> = names.iter().enumerate().map(|(at, &n)| (n, value(at))).collect();
            labels(&pairs)
        })
        .collect();
    let sorted = |sets: Vec<&Labels>| -> Vec<Labels> {
        let table = LabelTable::from_labels(sets.iter().copied());
        order::sort(&table).into_iter().map(|row| sets[row as usize].clone()).collect()
    };
    let all = sorted(sets.iter().collect());
    let third = |labels: &&Labels| labels.hash64().is_multiple_of(3);
    let some = sorted(sets.iter().filter(third).collect());
    let expected: Vec<Labels> = all.iter().filter(third).cloned().collect();
    assert_eq!(some, expected);
}
