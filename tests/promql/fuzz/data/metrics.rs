//! The metrics of every data set, and their labels.

use crate::promql::fuzz::random::Random;

/// What the samples of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::promql::fuzz) enum Kind {
    /// Floats that grow and are reset.
    Counter,
    /// Floats.
    Gauge,
    /// Buckets of classic histograms.
    Classic,
    /// Native histograms that grow and are reset.
    Native,
    /// Native histograms that are gauges.
    NativeGauge,
    /// Native histograms with custom buckets.
    Custom,
    /// Floats and histograms.
    Mixed,
    /// 1, with labels that say something.
    Info,
}

/// A metric.
#[derive(Debug)]
pub(in crate::promql::fuzz) struct Metric {
    /// Its name.
    pub(in crate::promql::fuzz) name: &'static str,
    /// What it measures.
    pub(in crate::promql::fuzz) kind: Kind,
    /// Its labels and their values.
    pub(in crate::promql::fuzz) labels: &'static [(&'static str, &'static [&'static str])],
}

const JOB: (&str, &[&str]) = ("job", &["api", "db"]);
const INSTANCE: (&str, &[&str]) = ("instance", &["a:1", "b:1", "c:2"]);

/// All metrics.
pub(in crate::promql::fuzz) const METRICS: &[Metric] = &[
    Metric {
        name: "requests_total",
        kind: Kind::Counter,
        labels: &[JOB, INSTANCE, ("code", &["200", "404", "500"])],
    },
    Metric { name: "errors_total", kind: Kind::Counter, labels: &[JOB, INSTANCE] },
    Metric { name: "work_seconds", kind: Kind::Counter, labels: &[JOB, INSTANCE] },
    Metric { name: "temperature", kind: Kind::Gauge, labels: &[JOB, INSTANCE] },
    Metric { name: "level", kind: Kind::Gauge, labels: &[JOB, INSTANCE, ("zone", &["", "z1"])] },
    Metric {
        name: "räume.belegt",
        kind: Kind::Gauge,
        labels: &[JOB, ("stock.werk", &["eins", "zwei π"])],
    },
    Metric {
        name: "latency_bucket",
        kind: Kind::Classic,
        labels: &[JOB, ("instance", &["a:1", "b:1"])],
    },
    Metric { name: "native", kind: Kind::Native, labels: &[JOB, INSTANCE] },
    Metric {
        name: "native_other",
        kind: Kind::Native,
        labels: &[JOB, ("instance", &["a:1", "b:1"])],
    },
    Metric {
        name: "native_gauge",
        kind: Kind::NativeGauge,
        labels: &[JOB, ("instance", &["a:1", "b:1"])],
    },
    Metric { name: "custom", kind: Kind::Custom, labels: &[JOB, ("instance", &["a:1", "b:1"])] },
    Metric { name: "mixed", kind: Kind::Mixed, labels: &[JOB, ("instance", &["a:1", "b:1"])] },
    Metric { name: "target_info", kind: Kind::Info, labels: &[JOB, INSTANCE] },
    Metric { name: "build_info", kind: Kind::Info, labels: &[JOB, INSTANCE] },
];

impl Metric {
    /// Label sets of its series: most of the products of its labels. An empty value is no label.
    pub(super) fn label_sets(&self, random: &mut Random) -> Vec<Vec<(&'static str, String)>> {
        let mut sets = vec![Vec::new()];
        for (name, values) in self.labels {
            let with = |set: &Vec<(&'static str, String)>| {
                let one = |value: &&str| {
                    let label = (!value.is_empty()).then(|| (*name, (*value).to_owned()));
                    set.iter().cloned().chain(label).collect()
                };
                values.iter().map(one).collect::<Vec<_>>()
            };
            sets = sets.iter().flat_map(with).collect();
        }
        sets.retain(|_| random.chance(85));
        sets
    }
}
