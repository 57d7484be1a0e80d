//! `meta.json` by itself: do its figures agree with each other?

use super::problems::Problems;
use crate::block::schema::{HISTOGRAMS_FILE, SAMPLES_FILE, SERIES_FILE};
use crate::block::{BlockMeta, Digest};

pub(super) fn check(meta: &BlockMeta, problems: &mut Problems) {
    let mut equal = |what: &str, is: u64, should: u64| {
        if is != should {
            problems
                .add(format!("meta.json: {what} is {is}, {should} follows from its other parts"));
        }
    };
    let rows = |name: &str| meta.file(name).map_or(0, |file| file.rows);
    let (floats, histograms) = (rows(SAMPLES_FILE), rows(HISTOGRAMS_FILE));
    let samples = floats.saturating_add(histograms);
    let stats = &meta.stats;
    equal("numSeries", stats.num_series, rows(SERIES_FILE));
    equal("numFloatSamples", stats.num_float_samples, floats);
    equal("numHistogramSamples", stats.num_histogram_samples, histograms);
    equal("numSamples", stats.num_samples, samples);
    equal("numChunks", stats.num_chunks, 0);
    match meta.stoa.digest.parse::<Digest>() {
        Ok(digest) => equal("the count of the digest", digest.count, samples),
        Err(error) => problems.add(error.context("meta.json")),
    }
}
