//! Data sets of the shared generator: the same seed gives the same samples.

use std::path::PathBuf;
use std::process::Command;

use super::cache::{made_once, run};
use super::places::shared;
use super::programs::build_go;

/// When every data set begins: 2026-10-02T00:00:00Z, in ms.
pub(crate) const DATA_START: i64 = 1_790_899_200_000;

/// Set S: one block of 2 h, 1,060 series each 15 s, 508,646 samples, external labels `cluster` and
/// `replica`. The folder holds the block's folder.
pub(crate) fn data_set_s() -> PathBuf {
    generated("S", 1, 1000, 2)
}

/// Three blocks of 2 h with about 300 series: most go on over the edges of the blocks, and some end
/// with a stale marker as their pod is replaced.
pub(crate) fn data_set_edges() -> PathBuf {
    generated("edges", 7, 300, 6)
}

/// Twelve blocks of 2 h with about 200 series.
pub(crate) fn data_set_kills() -> PathBuf {
    generated("kills", 9, 200, 24)
}

fn generated(name: &str, seed: u32, series: u32, hours: u32) -> PathBuf {
    let source = shared("bench/gen");
    let generator = build_go(&source, "gen", ".", "");
    let folder = made_once("data", name, &[source], |folder| {
        let mut command = Command::new(&generator);
        command.args(["-seed", &seed.to_string(), "-series", &series.to_string()]);
        command.args(["-hours", &hours.to_string(), "-replicas", "1", "-out"]);
        run(command.arg(folder.join(name)), "the generator runs");
    });
    folder.join(name)
}
