//! Flags: unknown ones are named, Thanos' that mean nothing here are accepted and told once.

use std::fs;
use std::process::Command;

use super::command::{Said, stoa};
use crate::support::{self, Server, free_address, scratch};

/// What is wrong on the command line ends with code 2 before anything is done, in few lines.
fn refused(args: &[&str], words: &[&str]) {
    let Said { code, out, errors } = stoa(args);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {errors}");
    for word in words {
        assert!(errors.contains(word), "{args:?}: {word:?} is not in:\n{errors}");
    }
    assert!(errors.lines().count() < 10, "{args:?}: {errors}");
}

#[test]
fn an_unknown_flag_is_named() {
    for role in
        [&["query"][..], &["demo"], &["tools", "bucket", "ls"], &["tools", "bucket", "verify"]]
    {
        refused(&[role, &["--objstore.confg=x"]].concat(), &["--objstore.confg"]);
    }
    refused(&["query", "--no-such-switch"], &["--no-such-switch"]);
    refused(&["--log.levle=info", "query"], &["--log.levle"]);
    refused(&["quary"], &["quary"]);
    refused(&["query", "surplus"], &["surplus"]);
}

#[test]
fn a_bad_value_is_named_with_its_flag() {
    refused(&["query", "--query.timeout=1.5h"], &["--query.timeout", "1.5h"]);
    refused(&["query", "--query.max-concurrent=many"], &["--query.max-concurrent", "many"]);
    refused(&["query", "--log.level=loud"], &["--log.level", "loud", "debug"]);
    refused(&["query", "--log.format=xml"], &["--log.format", "xml", "logfmt"]);
    refused(&["query", "--deduplication.func=best"], &["--deduplication.func", "best", "penalty"]);
    for flag in ["--query.timeout", "--http-address"] {
        refused(&["query", flag], &[flag]);
    }
    refused(&["store", "--index-cache-size=big"], &["--index-cache-size", "big"]);
    refused(&["store", "--min-time=yesterday"], &["--min-time", "yesterday"]);
    let bucket = "--objstore.config={type: FILESYSTEM, config: {directory: x}}";
    let listen = ["--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"];
    for (wrong, words) in [
        (&["--min-time=2026-10-02T00:00:00Z", "--max-time=2026-10-01T00:00:00Z"][..], "--min-time"),
        (&["--selector.relabel-config=[{action: replace}]"], "replace"),
        (&["--grpc-server-tls-cert=x.pem"], "--grpc-server-tls-key"),
        (&["--grpc-server-tls-cert=x.pem", "--grpc-server-tls-key=x.key"], "x.key"),
        (&["--grpc-server-tls-client-ca=x.pem"], "--grpc-server-tls-cert"),
    ] {
        stoa(&[&["store", bucket][..], &listen, wrong].concat()).badly(&[words]);
    }
    for zero in ["--query.lookback-delta=0s", "--query.max-concurrent=0"] {
        let name = zero.split('=').next().expect("a name");
        let listen = ["--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"];
        stoa(&["query", bucket, zero, listen[0], listen[1]]).badly(&[name, "must be positive"]);
    }
}

/// Flags of Thanos that ask for something that is not there are refused: to ignore them would be a lie.
#[test]
fn what_is_not_built_is_refused_by_name() {
    for flag in ["--selector.relabel-config=x", "--http.config=web.yaml"] {
        let name = flag.split('=').next().expect("a name");
        refused(&["query", flag], &[name, "not built yet"]);
    }
    for role in ["query-frontend", "rule", "receive", "sql"] {
        stoa(&[role, "--anything", "x"]).badly(&[&format!("stoa {role}: not built yet")]);
    }
}

#[test]
fn the_bucket_is_given_once() {
    let folder = scratch();
    let file = folder.path().join("bucket.yaml");
    fs::write(&file, "type: FILESYSTEM\nconfig: {directory: x}\n").expect("a file");
    let file = format!("--objstore.config-file={}", file.display());
    let text = "--objstore.config={type: FILESYSTEM, config: {directory: x}}";
    refused(&["query", text, &file], &["--objstore.config", "--objstore.config-file"]);
    stoa(&["query"]).badly(&["no bucket", "--objstore.config", "--objstore.config-file"]);
    stoa(&["query", "--objstore.config="]).badly(&["no bucket"]);
    stoa(&["query", "--objstore.config-file=nowhere.yaml"]).badly(&["nowhere.yaml"]);
    stoa(&["query", "--objstore.config=type: ["]).badly(&["--objstore.config"]);
}

#[test]
fn endpoints_are_checked_at_the_start() {
    let listen = ["--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"];
    for (flag, parts) in [
        ("--endpoint=store", &["store", "host:port"][..]),
        ("--endpoint=doh+store:1", &["--endpoint", "doh+store:1"]),
        ("--endpoint-strict=dns+store:1", &["--endpoint-strict", "dns+store:1", "strict"]),
        ("--endpoint.sd-config=endpoints: [{adress: a}]", &["--endpoint.sd-config", "adress"]),
        ("--endpoint.sd-config-file=nowhere.yaml", &["--endpoint.sd-config", "nowhere.yaml"]),
    ] {
        stoa(&["query", flag, listen[0], listen[1]]).badly(parts);
    }
    let tls = ["--grpc-client-tls-secure", "--grpc-client-tls-ca=nowhere.pem"];
    stoa(&["query", "--endpoint=a:1", tls[0], tls[1], listen[0], listen[1]])
        .badly(&["a:1", "nowhere.pem"]);
}

/// The lines of a server's log, as JSON.
async fn log_of(flags: &[&str]) -> Vec<serde_json::Value> {
    let folder = scratch();
    let address = free_address();
    let mut command = Command::new(support::stoa());
    command.args(["query", "--log.format=json", "--grpc-address=127.0.0.1:0"]);
    command.arg(format!("--http-address={address}")).args(flags);
    let bucket = folder.path().display();
    command
        .arg(format!("--objstore.config={{type: FILESYSTEM, config: {{directory: '{bucket}'}}}}"));
    let server = Server::start(&mut command, address, "/-/ready").await;
    let output = server.output();
    output.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[tokio::test]
async fn a_flag_without_effect_is_told_once() {
    let flags = [
        "--enable-auto-gomemlimit",
        "--auto-gomemlimit.ratio=0.8",
        "--query.promql-engine=thanos",
        "--query.mode=local",
        "--query.mode=distributed",
        "--no-query.disable-fallback",
    ];
    let log = log_of(&flags).await;
    let told: Vec<&str> = log
        .iter()
        .filter(|line| line["msg"] == "flag without effect")
        .map(|line| {
            assert!(line["level"] == "warn" && line["reason"].is_string(), "{line}");
            line["flag"].as_str().expect("a name")
        })
        .collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    let expected = [
        "--auto-gomemlimit.ratio",
        "--enable-auto-gomemlimit",
        "--query.disable-fallback",
        "--query.mode",
        "--query.promql-engine",
    ];
    assert_eq!(sorted, expected);
    let log = log_of(&["--log.level=error", "--enable-auto-gomemlimit"]).await;
    assert!(log.is_empty(), "{log:?}");
}

#[tokio::test]
async fn a_feature_that_is_none_is_told() {
    let log =
        log_of(&["--enable-feature=promql-experimental-functions,promql-duration-expr,x"]).await;
    let told: Vec<(&str, &str)> = log
        .iter()
        .filter(|line| line["level"] == "warn" && line["option"].is_string())
        .map(|line| (line["msg"].as_str().unwrap_or(""), line["option"].as_str().unwrap_or("")))
        .collect();
    let permanent =
        "This option for --enable-feature is now permanently enabled and therefore a no-op.";
    let expected =
        [(permanent, "promql-duration-expr"), ("Unknown option for --enable-feature", "x")];
    assert_eq!(told, expected);
}
