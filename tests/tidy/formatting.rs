//! One way to write each language.

use std::process::Command;

use crate::support::repository;

#[test]
fn rust_is_formatted() {
    let checked = Command::new(env!("CARGO"))
        .args(["fmt", "--all", "--", "--check"])
        .current_dir(repository())
        .output()
        .expect("cargo fmt runs: the tests need rustfmt");
    let shown = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "run `make fmt`:\n{shown}");
}

#[test]
fn go_is_formatted() {
    let checked = Command::new("gofmt")
        .args(["-l", "tests", "benches"])
        .current_dir(repository())
        .output()
        .expect("gofmt runs: the tests need Go 1.26 on PATH");
    let shown = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(shown.is_empty(), "run `make fmt`, these Go files are not formatted:\n{shown}");
}
