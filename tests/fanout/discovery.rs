//! Endpoints that files say, and that come and go.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::answers::series;
use super::fake::{Fake, Manner};
use super::{ask, querier};
use crate::support::{Server, scratch};

/// Waits until the querier knows so many sidecars.
async fn sidecars(server: &Server, expected: usize) {
    let began = Instant::now();
    loop {
        let (_, json) = ask(server, "/api/v1/stores", &[]).await;
        if json["data"]["sidecar"].as_array().map_or(0, Vec::len) == expected {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{json}\n{}", server.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_read_again() {
    let one = Fake::start(Manner::Honest, &[("replica", "a")], series("a", 0, 300, 1.0));
    let two = Fake::start(Manner::Honest, &[("replica", "b")], series("b", 0, 300, 2.0));
    let folder = scratch();
    let (targets, config) = (folder.path().join("stores.yml"), folder.path().join("sd.yaml"));
    let write = |path, text: String| std::fs::write(path, text).expect("a file");
    write(&targets, format!("- targets: ['{}']\n", one.address));
    write(&config, "endpoints: []".to_owned());
    let server = querier(&[
        format!("--store.sd-files={}/*.yml", folder.path().display()),
        "--store.sd-interval=100ms".to_owned(),
        format!("--endpoint.sd-config-file={}", config.display()),
        "--endpoint.sd-config-reload-interval=100ms".to_owned(),
    ])
    .await;
    sidecars(&server, 1).await;
    // What is wrong is not taken: the last good one stays.
    write(&targets, "- target: [x]".to_owned());
    write(&config, format!("endpoints: [{{address: '{}'}}]", two.address));
    sidecars(&server, 2).await;
    write(&targets, "[]".to_owned());
    sidecars(&server, 1).await;
    let (_, json) = ask(&server, "/api/v1/stores", &[]).await;
    assert_eq!(json["data"]["sidecar"][0]["name"], Value::from(two.address.clone()));
    assert!(server.output().contains("kept as it was"), "{}", server.output());
}
