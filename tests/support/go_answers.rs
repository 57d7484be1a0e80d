//! The Go programs, asked over stdin.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::go_program;

/// What `tests/peers/<program>` says to `input`; it is written while the answer is read.
pub(crate) fn go_output(program: &str, args: &[&str], input: String) -> Output {
    let mut child = Command::new(go_program(program))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Go program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the Go program ends");
    writer.join().expect("the writer does not panic").expect("all input is read");
    output
}

/// The same of a program that must succeed.
pub(crate) fn go_answer(program: &str, args: &[&str], input: String) -> String {
    let output = go_output(program, args, input);
    assert!(output.status.success(), "{program} {args:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}
