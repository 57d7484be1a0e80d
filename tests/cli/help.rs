//! What `--help` shows: the flags are a public contract, so each change of them is seen.

use std::process::Command;

use crate::support;

#[test]
fn help_is_as_committed() {
    for (name, args) in [
        ("stoa", &[][..]),
        ("query", &["query"]),
        ("store", &["store"]),
        ("demo", &["demo"]),
        ("tools_bucket", &["tools", "bucket"]),
        ("upload_blocks", &["tools", "bucket", "upload-blocks"]),
    ] {
        let mut command = Command::new(support::stoa());
        let output =
            command.args(args).arg("--help").env("COLUMNS", "100").output().expect("it runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{args:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = Command::new(support::stoa()).arg("--version").output().expect("it runs");
    let expected = format!("stoa {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
