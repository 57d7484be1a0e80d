//! Scripts as Prometheus 3.16 itself runs them (`tests/peers/prometheus script`).

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::go_program;

/// Runs `script`; the error is what is said of the evaluation that fails.
pub(super) fn run(script: &str) -> Result<(), String> {
    let mut run = Command::new(go_program("prometheus"))
        .arg("script")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go program starts");
    let mut stdin = run.stdin.take().expect("stdin is piped");
    stdin
        .write_all(script.as_bytes())
        .expect("the script is read whole before anything is printed");
    drop(stdin);
    let output = run.wait_with_output().expect("the Go program ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(said),
        _ => panic!("prometheus script: {}: {said}", output.status),
    }
}
