//! Samples as the HTTP API gives them, and what must hold between the answers of several servers.

use std::collections::{BTreeMap, BTreeSet};

use engine::model::Labels;
use serde_json::Value;

/// A replica's samples may be left out where the answer has others within this, in ms: four scrape
/// intervals.
const HOLE: i64 = 1_000;

/// Samples as `(time in ms, the text of the value)`, by labels.
pub(super) type Matrix = BTreeMap<Labels, Vec<(i64, String)>>;

/// A `data` of the API, which is a matrix, under more labels. A series comes once.
pub(super) fn matrix(data: &Value, external: &Labels) -> Matrix {
    let mut all = Matrix::new();
    for series in data["result"].as_array().expect("a matrix") {
        let labels = series["metric"].as_object().expect("labels").iter();
        let labels = labels.map(|(n, v)| (n.as_str(), v.as_str().expect("a text")));
        let labels = Labels::new(labels).expect("labels").overlay(external);
        let samples = series["values"].as_array().expect("samples").iter().map(|pair| {
            let ts = (pair[0].as_f64().expect("a time") * 1_000.0).round() as i64;
            (ts, pair[1].as_str().expect("a value").to_owned())
        });
        let before = all.insert(labels.clone(), samples.collect());
        assert!(before.is_none(), "{labels} comes twice");
    }
    all
}

/// All series of both replicas.
pub(super) fn together(replicas: &[Matrix; 2]) -> Matrix {
    let both = replicas.iter().flatten();
    both.map(|(labels, samples)| (labels.clone(), samples.clone())).collect()
}

/// Fails with the first series and sample in which the two differ.
pub(super) fn assert_equal(got: &Matrix, wanted: &Matrix) {
    let names = |matrix: &Matrix| matrix.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(got), names(wanted));
    for (labels, wanted) in wanted {
        let got = &got[labels];
        let differs = got.iter().zip(wanted).position(|(got, wanted)| got != wanted);
        if let Some(at) = differs {
            panic!("{labels}, sample {at}: {:?}, not {:?}", got[at], wanted[at]);
        }
        assert_eq!(got.len(), wanted.len(), "{labels}: {:?} {:?}", got.last(), wanted.last());
    }
}

/// Every sample of `got` is one of `whole`, each once; up to the time `until` none is missing.
pub(super) fn assert_part(got: &Matrix, whole: &Matrix, until: i64) {
    for (labels, samples) in got {
        assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "{labels}: times ascend");
        let whole: BTreeSet<_> = whole[labels].iter().collect();
        let wrong = samples.iter().find(|sample| !whole.contains(sample));
        assert!(wrong.is_none(), "{labels}: nobody has {wrong:?}");
    }
    for (labels, samples) in whole {
        let got: BTreeSet<_> = got.get(labels).into_iter().flatten().collect();
        let missing = samples.iter().find(|sample| sample.0 <= until && !got.contains(sample));
        assert!(missing.is_none(), "{labels}: {missing:?} is missing");
    }
}

/// `merged` is both replicas by coverage: all samples of the first, of the second what fills holes.
pub(super) fn assert_deduplicated(merged: &Matrix, replicas: &[Matrix; 2]) {
    let none = Vec::new();
    let of = |replica: usize, labels: &Labels| -> &Vec<(i64, String)> {
        let name = ["a", "b"][replica];
        let name = Labels::new([("replica", name)]).expect("a label");
        replicas[replica].get(&labels.overlay(&name)).unwrap_or(&none)
    };
    assert_eq!(
        merged.keys().cloned().collect::<BTreeSet<_>>(),
        replicas.iter().flat_map(|r| r.keys()).map(|l| l.filter(|n| n != "replica")).collect()
    );
    for (labels, samples) in merged {
        let (first, second) = (of(0, labels), of(1, labels));
        assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "{labels}: times ascend");
        let known: BTreeSet<_> = first.iter().chain(second).collect();
        let wrong = samples.iter().find(|sample| !known.contains(sample));
        assert!(wrong.is_none(), "{labels}: nobody has {wrong:?}");
        let merged: BTreeMap<i64, &String> = samples.iter().map(|(t, v)| (*t, v)).collect();
        let left_out = first.iter().find(|(t, v)| merged.get(t) != Some(&v));
        assert!(left_out.is_none(), "{labels}: the first replica's {left_out:?} is left out");
        let hole = second.iter().find(|(t, _)| merged.range(t - HOLE..=t + HOLE).next().is_none());
        assert!(hole.is_none(), "{labels}: a hole where the second replica has {hole:?}");
    }
}

/// The times of each series.
pub(super) fn times(matrix: &Matrix) -> BTreeMap<Labels, BTreeSet<i64>> {
    let series = matrix.iter();
    series.map(|(labels, all)| (labels.clone(), all.iter().map(|(t, _)| *t).collect())).collect()
}

/// The times of each series that any replica has.
pub(super) fn times_of_any(replicas: &[Matrix; 2]) -> BTreeMap<Labels, BTreeSet<i64>> {
    let mut all: BTreeMap<Labels, BTreeSet<i64>> = BTreeMap::new();
    for (labels, samples) in replicas.iter().flatten() {
        let times = samples.iter().map(|(t, _)| *t);
        all.entry(labels.filter(|name| name != "replica")).or_default().extend(times);
    }
    all
}
