//! Blocks of Prometheus, and all their series and samples as text: Prometheus' own reader's
//! (`tests/peers/prometheus/dump.go` describes the format), and Stoa's in the same format.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::model::{Histogram, HistogramCounts, Labels, Span};
use ingest::tsdb::{Run, TsdbBlock};

use crate::support;

/// Writes the block `kind` of the Go module into `dir` and returns its folder.
pub(crate) fn write_block(dir: &Path, kind: &str) -> PathBuf {
    write_seeded(dir, kind, 1)
}

/// The same with other samples for each `seed`.
pub(crate) fn write_seeded(dir: &Path, kind: &str, seed: u64) -> PathBuf {
    let status = Command::new(support::go_program("prometheus"))
        .args(["write", "-kind", kind, "-seed", &seed.to_string(), "-out"])
        .arg(dir)
        .status()
        .expect("the Go program runs");
    assert!(status.success(), "Prometheus writes {kind}: {status}");
    dir.join(kind)
}

/// What Prometheus reads in a block.
pub(crate) fn by_prometheus(block: &Path) -> String {
    let output = Command::new(support::go_program("prometheus"))
        .args(["dump", "-block"])
        .arg(block)
        .output()
        .expect("the Go program runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Prometheus reads {}: {error}", block.display());
    String::from_utf8(output.stdout).expect("the dump is text")
}

/// What Stoa reads in a block.
pub(crate) fn by_stoa(block: &TsdbBlock) -> String {
    let mut dump = Dump::default();
    let rows = block.live_rows().expect("the index reads");
    for &row in &rows {
        dump.series(block.table().labels(row as usize));
    }
    let mut series = BTreeMap::new();
    for &row in &rows {
        series.insert(row, block.table().labels(row as usize));
    }
    block
        .scan(&rows, None, &mut |run| {
            dump.run(&series[&run.row], run);
            Ok(())
        })
        .expect("the samples read");
    dump.finish()
}

/// Samples by series and time, as lines of text.
#[derive(Debug, Default)]
pub(crate) struct Dump {
    series: BTreeMap<Labels, BTreeMap<i64, String>>,
}

impl Dump {
    /// Adds a series.
    pub(crate) fn series(&mut self, labels: Labels) {
        let before = self.series.insert(labels, BTreeMap::new());
        assert!(before.is_none(), "a series is given once");
    }

    /// Adds a run.
    pub(crate) fn run(&mut self, labels: &Labels, run: &Run<'_>) {
        self.floats(labels, run.floats.ts(), run.floats.values(), run.floats.starts());
        let histograms = run.histograms;
        self.histograms(labels, &histograms.ts, &histograms.samples, histograms.starts());
    }

    /// Adds float samples.
    pub(crate) fn floats(
        &mut self,
        labels: &Labels,
        ts: &[i64],
        values: &[f64],
        starts: Option<&[i64]>,
    ) {
        for (at, (&ts, value)) in ts.iter().zip(values).enumerate() {
            let start = starts.map_or(0, |starts| starts[at]);
            self.line(labels, ts, format!("f {start} {ts} {}", bits(value)));
        }
    }

    /// Adds histogram samples.
    pub(crate) fn histograms(
        &mut self,
        labels: &Labels,
        ts: &[i64],
        samples: &[Histogram],
        starts: Option<&[i64]>,
    ) {
        for (at, (&ts, histogram)) in ts.iter().zip(samples).enumerate() {
            let start = starts.map_or(0, |starts| starts[at]);
            self.line(labels, ts, histogram_line(start, ts, histogram));
        }
    }

    fn line(&mut self, labels: &Labels, ts: i64, line: String) {
        let samples = self.series.get_mut(labels).expect("samples belong to a series");
        let before = samples.insert(ts, line);
        assert!(before.is_none(), "one sample a time: {labels} {ts}");
    }

    /// The text, in the order of the label sets.
    pub(crate) fn finish(self) -> String {
        let mut text = String::new();
        for (labels, samples) in self.series {
            text.push_str("series");
            for label in labels.iter() {
                write!(text, " {}={}", hex(&label.name), hex(&label.value)).expect("a string");
            }
            text.push('\n');
            for line in samples.into_values() {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }
}

/// Fails with the first line in which two dumps differ, and the series that it belongs to.
pub(crate) fn assert_equal(stoa: &str, prometheus: &str, what: &str) {
    let mut series = "none";
    for (number, (ours, theirs)) in stoa.lines().zip(prometheus.lines()).enumerate() {
        if theirs.starts_with("series") {
            series = theirs;
        }
        assert!(
            ours == theirs,
            "{what}, line {number} of {}:\nStoa       {ours}\nPrometheus {theirs}",
            readable(series)
        );
    }
    let (ours, theirs) = (stoa.lines().count(), prometheus.lines().count());
    assert_eq!(ours, theirs, "{what}: one dump is longer");
}

fn histogram_line(start: i64, ts: i64, h: &Histogram) -> String {
    let hint = h.counter_reset_hint as u8;
    let list = |items: Vec<String>| match items.is_empty() {
        true => "-".to_owned(),
        false => items.join(","),
    };
    let spans = |spans: &[Span]| {
        list(spans.iter().map(|span| format!("{}:{}", span.offset, span.length)).collect())
    };
    let all_bits = |values: &[f64]| list(values.iter().map(bits).collect());
    let whole = |values: &[i64]| list(values.iter().map(i64::to_string).collect());
    let (kind, count, zero_count, positive, negative) = match &h.counts {
        HistogramCounts::Int { count, zero_count, positive, negative } => {
            ("i", count.to_string(), zero_count.to_string(), whole(positive), whole(negative))
        }
        HistogramCounts::Float { count, zero_count, positive, negative } => {
            ("h", bits(count), bits(zero_count), all_bits(positive), all_bits(negative))
        }
    };
    format!(
        "{kind} {start} {ts} {hint} {} {} {} {count} {zero_count} {} {} {} {positive} {negative}",
        h.schema,
        bits(&h.zero_threshold),
        bits(&h.sum),
        spans(&h.positive_spans),
        spans(&h.negative_spans),
        all_bits(&h.custom_values),
    )
}

fn bits(value: &f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// A series' line with its hexadecimal texts decoded.
fn readable(line: &str) -> String {
    let text = |hex: &str| -> String {
        let digits: Vec<u8> = hex.bytes().collect();
        let bytes = digits.chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).expect("digits");
            u8::from_str_radix(pair, 16).expect("digits")
        });
        String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
    };
    let labels = line.split(' ').filter_map(|label| label.split_once('='));
    labels.map(|(name, value)| format!("{}={:?} ", text(name), text(value))).collect()
}
