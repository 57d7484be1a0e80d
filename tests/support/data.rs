//! Data sets of the shared generator.

use std::path::PathBuf;
use std::process::Command;

use super::cache::{made_once, run};
use super::places::shared;
use super::programs::build_go;

/// Set S: one block of 2 h, 1,060 series each 15 s, 508,646 samples, external labels `cluster` and
/// `replica`. The folder holds the block's folder.
pub(crate) fn data_set_s() -> PathBuf {
    let source = shared("bench/gen");
    let generator = build_go(&source, "gen", ".");
    let folder = made_once("data", "S", &[source], |folder| {
        let set = ["-seed", "1", "-series", "1000", "-hours", "2", "-replicas", "1", "-out"];
        run(Command::new(&generator).args(set).arg(folder.join("S")), "the generator runs");
    });
    folder.join("S")
}
