//! `load` and `load_with_nhcb`.

use std::collections::BTreeMap;

use engine::model::Labels;

use super::number::duration;
use super::series::{Offsets, Value, series, start_offsets};

/// A sample of a load.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::promql) struct Sample {
    /// In ms.
    pub(in crate::promql) ts: i64,
    /// The start timestamp in ms; 0 is none.
    pub(in crate::promql) start_ts: i64,
    pub(in crate::promql) value: Value,
}

/// Data that come at once.
#[derive(Debug, Clone, Default)]
pub(in crate::promql) struct Load {
    /// Whether classic histograms are also loaded as native ones with custom buckets.
    pub(in crate::promql) with_nhcb: bool,
    /// Samples in order of time.
    pub(in crate::promql) series: BTreeMap<Labels, Vec<Sample>>,
    /// The command as the script has it.
    pub(in crate::promql) text: String,
}

/// The load whose first line is `command`, with the lines after it.
pub(super) fn load(command: &str, body: &[&str]) -> Result<Load, String> {
    let what = || "invalid load command: load[_with_nhcb] <step>".to_owned();
    let (name, step) = command.split_once(char::is_whitespace).ok_or_else(what)?;
    let with_nhcb = match name {
        "load" => false,
        "load_with_nhcb" => true,
        _ => return Err(what()),
    };
    let step = duration(step.trim()).ok_or_else(|| format!("step {step:?}"))?;
    let mut loaded =
        Load { with_nhcb, text: [&[command], body].concat().join("\n"), ..Load::default() };
    let mut starts: Option<(Labels, Offsets)> = None;
    for line in body {
        if let Some(offsets) = start_offsets(line) {
            if starts.replace(offsets?).is_some() {
                return Err(format!("no samples before {line:?}"));
            }
            continue;
        }
        let (labels, values) = series(line)?;
        let offsets = match starts.take() {
            None => vec![None; values.len()],
            Some((of, offsets)) if of == labels && offsets.len() == values.len() => offsets,
            Some(_) => return Err(format!("start timestamps of another series than {line:?}")),
        };
        let samples = (0..).zip(values).zip(offsets).filter_map(|((at, value), offset)| {
            let ts = at * step;
            let start_ts = offset.map_or(0, |offset| ts + offset);
            value.map(|value| Sample { ts, start_ts, value })
        });
        loaded.series.insert(labels, samples.collect());
    }
    match starts {
        Some((labels, _)) => Err(format!("start timestamps of {labels} without samples")),
        None => Ok(loaded),
    }
}
