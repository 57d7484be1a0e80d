//! Over `stoa store`: two stores whose blocks overlap answer as the bucket that has all of them.

use std::path::Path;
use std::process::Command;

use super::{ask, endpoints, querier, warnings};
use crate::support::{
    self, DATA_START, Server, UploadedBucket, data_set_edges, free_address, http, scratch,
};

/// Queries whose answers do not hang on the order of additions.
const QUERIES: [&str; 9] = [
    "up",
    "{__name__=~\"up|http_requests_total|node_cpu_seconds_total\"}",
    "count({__name__=~\".+\"}) by (__name__)",
    "last_over_time({__name__=~\".+_total\"}[5m])",
    "max_over_time(up[1h])",
    "count_over_time(http_requests_total[2h])",
    "sum(up) by (job)",
    "absent(nothing)",
    "topk(3, max by (__name__) ({__name__=~\".+\"}))",
];

/// `stoa store` over a bucket; the address of its gRPC.
async fn store(objstore: &str) -> (Server, String) {
    let (http, grpc) = (free_address(), free_address());
    let mut command = Command::new(support::stoa());
    command.arg("store").arg(format!("--objstore.config={objstore}"));
    command.arg(format!("--http-address={http}")).arg(format!("--grpc-address={grpc}"));
    (Server::start(&mut command, http, "/-/ready").await, grpc.to_string())
}

/// A bucket with some blocks of another.
fn copied(blocks: &[impl AsRef<Path>], bucket: &Path) -> String {
    for block in blocks {
        let block = block.as_ref();
        let folder = bucket.join("stoa/v1/blocks").join(block.file_name().expect("a name"));
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in std::fs::read_dir(block).expect("the block's files") {
            let file = file.expect("a folder entry").path();
            let copy = folder.join(file.file_name().expect("a name"));
            std::fs::copy(&file, copy).expect("a copy");
        }
    }
    format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", bucket.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_answer_as_the_bucket() {
    let whole = UploadedBucket::of(&data_set_edges());
    let blocks = whole.blocks();
    assert_eq!(blocks.len(), 3);
    let (first, second) = (scratch(), scratch());
    // The block in the middle is in both.
    let (one, one_address) = store(&copied(&blocks[..2], first.path())).await;
    let (two, two_address) = store(&copied(&blocks[1..], second.path())).await;
    let direct = querier(&[format!("--objstore.config={}", whole.objstore())]).await;
    let both = endpoints([one_address.as_str(), &two_address]);
    let (mut packed, mut chunks) = (both.clone(), both.clone());
    packed.push("--grpc-compression=snappy".to_owned());
    chunks.push("--no-endpoint.run-batches".to_owned());
    let run_batches = querier(&both).await;
    let queriers = [
        ("run batches", &run_batches),
        ("run batches, packed", &querier(&packed).await),
        ("StoreAPI", &querier(&chunks).await),
    ];
    let (start, end) = (DATA_START / 1000, DATA_START / 1000 + 6 * 3600);
    let (start, end) = ((start - 600).to_string(), (end + 600).to_string());
    for query in QUERIES {
        for dedup in ["true", "false"] {
            let parameters = [
                ("query", query),
                ("start", &start),
                ("end", &end),
                ("step", "97"),
                ("dedup", dedup),
            ];
            let (status, expected) = ask(&direct, "/api/v1/query_range", &parameters).await;
            assert_eq!(status, 200, "{query}: {expected}");
            for (way, fanned) in queriers {
                let (status, got) = ask(fanned, "/api/v1/query_range", &parameters).await;
                assert_eq!((status, warnings(&got).len()), (200, 0), "{way}, {query}: {got}");
                let same = got["data"] == expected["data"];
                assert!(same, "{way}, {query}, dedup={dedup}\n{}\n{}", one.output(), two.output());
            }
        }
    }
    // Sample by sample, over the edges of the blocks.
    let raw = [("query", "{__name__=~\".+\"}[6h]"), ("time", end.as_str())];
    let (_, expected) = ask(&direct, "/api/v1/query", &raw).await;
    assert!(expected["data"]["result"].as_array().is_some_and(|series| series.len() > 100));
    for (way, fanned) in queriers {
        let (_, got) = ask(fanned, "/api/v1/query", &raw).await;
        assert!(got["data"] == expected["data"], "{way}");
    }
    let fanned = run_batches;
    for path in ["/api/v1/labels", "/api/v1/label/__name__/values", "/api/v1/label/job/values"] {
        let expected = ask(&direct, path, &[]).await;
        assert_eq!(ask(&fanned, path, &[]).await, expected, "{path}");
    }
    let series = [("match[]", "up")];
    let expected = ask(&direct, "/api/v1/series", &series).await;
    assert_eq!(ask(&fanned, "/api/v1/series", &series).await, expected);
    // Both ways were gone.
    let metrics = http::get(&one.url("/metrics")).await.body;
    for method in ["DoGet", "Series"] {
        let counted =
            format!("grpc_server_handled_total{{grpc_code=\"OK\",grpc_method=\"{method}\"");
        assert!(metrics.contains(&counted), "{method}: {metrics}");
    }
}

/// Alone, a store makes replicas one itself; and what it has not is not missing.
#[tokio::test(flavor = "multi_thread")]
async fn one_store_answers_as_its_bucket() {
    let whole = UploadedBucket::of(&data_set_edges());
    let (store, address) = store(&whole.objstore()).await;
    let end = DATA_START / 1000 + 6 * 3600;
    let (start, end) = ((DATA_START / 1000).to_string(), end.to_string());
    for func in ["coverage", "penalty", "chain"] {
        let mut flags = endpoints([address.as_str()]);
        flags.push(format!("--deduplication.func={func}"));
        let fanned = querier(&flags).await;
        let own = [flags[1].clone(), format!("--objstore.config={}", whole.objstore())];
        let direct = querier(&own).await;
        for query in QUERIES {
            let parameters = [("query", query), ("start", &start), ("end", &end), ("step", "97")];
            let (_, expected) = ask(&direct, "/api/v1/query_range", &parameters).await;
            let (status, got) = ask(&fanned, "/api/v1/query_range", &parameters).await;
            assert_eq!((status, warnings(&got).len()), (200, 0), "{func}, {query}: {got}");
            assert!(got["data"] == expected["data"], "{func}, {query}\n{}", store.output());
        }
    }
    // Gone, it is a warning, not an error: it is another process.
    let fanned = querier(&endpoints([address.as_str()])).await;
    drop(store);
    let (status, json) = ask(&fanned, "/api/v1/query", &[("query", "up"), ("time", &end)]).await;
    assert_eq!((status, warnings(&json).len()), (200, 1), "{json}");
    let strict = [("query", "up"), ("time", end.as_str()), ("partial_response", "false")];
    let (status, json) = ask(&fanned, "/api/v1/query", &strict).await;
    assert!(status >= 422, "{json}");
}
