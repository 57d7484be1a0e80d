//! The argument lists of the seed's manifests, unchanged. What they ask for is on other machines: the
//! roles wait for it, and are alive.

use std::process::Command;

use crate::support::{Server, free_address, http, scratch, shared, stoa};

/// The arguments of a role's container.
fn arguments(role: &str) -> Vec<String> {
    let path = shared("seed/ha-kubernetes-monitoring.txt");
    let text = std::fs::read_to_string(path).expect("the seed is text");
    let lists = text.split("args:").skip(1).map(|list| {
        let (list, _) =
            list.split_once(" env:").or_else(|| list.split_once(" ports:")).expect("an end");
        let (list, _) = list.split_once(" ports:").unwrap_or((list, ""));
        let items = list.split("- ").map(|item| item.trim().trim_matches('"').to_owned());
        items.filter(|item| !item.is_empty()).collect::<Vec<String>>()
    });
    let mut found = lists.filter(|list| list[0] == role);
    let list = found.next().unwrap_or_else(|| panic!("the seed has a {role}"));
    assert!(found.next().is_none(), "the seed has one {role}");
    list
}

/// The role with these arguments, alive; pods have their ports to themselves, so these are given.
async fn start(role: &str, count: usize) -> Server {
    let arguments = arguments(role);
    assert_eq!(arguments.len(), count + 1, "{arguments:?}");
    let folder = scratch();
    let account = folder.path().join("account.json");
    let json = r#"{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}"#;
    std::fs::write(&account, json).expect("a file");
    let http = free_address();
    let mut command = Command::new(stoa());
    command.args(&arguments);
    command.env("POD_NAME", "prometheus-0").env("GOOGLE_APPLICATION_CREDENTIALS", &account);
    command.arg(format!("--http-address={http}")).arg("--grpc-address=127.0.0.1:0");
    let server = Server::start(&mut command, http, "/-/healthy").await;
    assert!(!server.output().contains("exiting"), "{}", server.output());
    server
}

#[tokio::test]
async fn the_sidecar_of_the_seed_starts() {
    let sidecar = start("sidecar", 7).await;
    assert_eq!(http::get(&sidecar.url("/-/ready")).await.status, 503);
}

#[tokio::test]
async fn the_store_of_the_seed_starts() {
    let store = start("store", 5).await;
    assert_eq!(http::get(&store.url("/-/ready")).await.status, 503);
}

/// Its store's name is not known here: it is ready, has no endpoints, and gives no
/// empty answers.
#[tokio::test]
async fn the_querier_of_the_seed_starts() {
    let arguments = arguments("query");
    assert!(arguments.contains(&"--store=dnssrv+thanos-store-gateway:10901".to_owned()));
    let query = start("query", 3).await;
    while http::get(&query.url("/-/ready")).await.status != 200 {
        tokio::task::yield_now().await;
    }
    let answer = http::get(&query.url("/api/v1/stores")).await;
    assert_eq!(answer.body, r#"{"status":"success","data":{}}"#);
    let answer = http::get(&query.url("/api/v1/query?query=up")).await;
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert!(answer.body.contains("no endpoint is known"), "{}", answer.body);
}
