//! Scripts as Prometheus 3.16 itself runs them (`tests/peers/prometheus script`).

use crate::support::go_output;

/// Runs `script`; the error is what is said of the evaluation that fails.
pub(super) fn run(script: &str) -> Result<(), String> {
    let output = go_output("prometheus", &["script"], script.to_owned());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(said),
        _ => panic!("prometheus script: {}: {said}", output.status),
    }
}
