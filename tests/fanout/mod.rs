//! `stoa query` over endpoints: servers in this process that tell the truth, lie, hang, or go away.

mod answers;
mod chunk;
mod discovery;
mod dns;
mod fake;
mod liars;
mod stores;

use std::process::Command;

use serde_json::Value;

use crate::support::{self, Server, free_address, http};

/// A querier of the given endpoints, ready.
pub(crate) async fn querier(flags: &[String]) -> Server {
    let address = free_address();
    let mut command = Command::new(support::stoa());
    command.args(["query", "--grpc-address=127.0.0.1:0", "--query.replica-label=replica"]);
    command.arg(format!("--http-address={address}")).args(flags);
    Server::start(&mut command, address, "/-/ready").await
}

/// Flags that name endpoints.
pub(crate) fn endpoints<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    addresses.into_iter().map(|address| format!("--endpoint={address}")).collect()
}

/// An answer of the API: status and JSON.
pub(crate) async fn ask(server: &Server, path: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let url = reqwest::Url::parse_with_params(&server.url(path), parameters).expect("a URL");
    let answer = http::get(url.as_str()).await;
    let json = serde_json::from_str(&answer.body)
        .unwrap_or_else(|e| panic!("{url}: {e}: {}", answer.body));
    (answer.status, json)
}

/// The warnings of an answer.
pub(crate) fn warnings(json: &Value) -> Vec<&str> {
    json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
