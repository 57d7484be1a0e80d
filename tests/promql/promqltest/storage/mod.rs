//! What a script has loaded, as Prometheus' head would keep it.

mod blocks;
mod dump;
mod hints;
mod nhcb;

use std::collections::BTreeMap;

use engine::model::{Labels, STALE_NAN_BITS};

pub(in crate::promql) use blocks::{Layout, Place};
pub(super) use dump::buckets_of_dump;
pub(in crate::promql) use dump::{dumped, dumped_as_blocks, native_of_dump};

use crate::block::samples::{Data, Float, Native as Stored, Samples};

use super::histogram::Native;
use super::script::{Load, Sample, Value};

/// The series of all loads since the last `clear`.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    series: BTreeMap<Labels, Vec<Sample>>,
}

impl Loaded {
    /// Adds a load.
    pub(super) fn add(&mut self, load: &Load) -> Result<(), String> {
        for (labels, samples) in &load.series {
            self.append(labels, samples)?;
        }
        if load.with_nhcb {
            for (labels, samples) in nhcb::converted(&load.series)? {
                self.append(&labels, &samples)?;
            }
        }
        Ok(())
    }

    /// Appends to a series. It may be one without samples.
    fn append(&mut self, labels: &Labels, samples: &[Sample]) -> Result<(), String> {
        let all = self.series.entry(labels.clone()).or_default();
        for sample in samples {
            match all.last() {
                Some(last) if last.ts == sample.ts && last.value == sample.value => continue,
                Some(last) if last.ts >= sample.ts => {
                    return Err(format!("a sample of {labels} at {} ms comes late", sample.ts));
                }
                _ => all.push(sample.clone()),
            }
        }
        Ok(())
    }

    /// The samples as Prometheus reads them back. Series without samples are there, too.
    pub(super) fn kept(&self) -> BTreeMap<Labels, Vec<Sample>> {
        let mut series = self.series.clone();
        for samples in series.values_mut() {
            type_stale_markers(samples);
            hints::keep(samples);
        }
        series
    }
}

/// A stale marker after a histogram is a histogram.
fn type_stale_markers(samples: &mut [Sample]) {
    let mut histograms = false;
    for sample in samples {
        match &sample.value {
            Value::Float(value) if value.to_bits() == STALE_NAN_BITS && histograms => {
                sample.value = Value::Histogram(Box::new(Native::stale()));
            }
            Value::Float(_) => histograms = false,
            Value::Histogram(_) => histograms = true,
        }
    }
}

/// Series as blocks are made of them; with `whole` native histograms with whole counts are such that
/// count in whole numbers.
pub(super) fn stored(series: &BTreeMap<Labels, Vec<Sample>>, whole: bool) -> Data {
    let of_one = |samples: &Vec<Sample>| {
        let mut stored = Samples::default();
        for &Sample { ts, start_ts, ref value } in samples {
            match value {
                Value::Float(value) => {
                    stored.floats.push(Float { ts, bits: value.to_bits(), start_ts });
                }
                Value::Histogram(native) => {
                    let histogram = native.stored(whole);
                    stored.natives.push(Stored { ts, start_ts, histogram });
                }
            }
        }
        stored
    };
    series.iter().map(|(labels, samples)| (labels.clone(), of_one(samples))).collect()
}
