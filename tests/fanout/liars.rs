//! Endpoints that lie, hang or go away: the others are answered, and who is missing is said.

use std::time::{Duration, Instant};

use super::answers::series;
use super::fake::{Fake, Manner};
use super::{ask, endpoints, querier, warnings};

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_is_named_and_the_others_are_answered() {
    let honest = Fake::start(Manner::Honest, &[("replica", "a")], series("a", 0, 300, 1.0));
    for manner in Manner::LIES {
        let liar = Fake::start(manner, &[("replica", "b")], series("b", 0, 300, 2.0));
        let mut flags = endpoints([honest.address.as_str(), &liar.address]);
        flags.push("--store.response-timeout=500ms".to_owned());
        let server = querier(&flags).await;
        let range = [("query", "m"), ("start", "0"), ("end", "300"), ("step", "60")];
        let (status, json) = ask(&server, "/api/v1/query_range", &range).await;
        assert_eq!(status, 200, "{manner:?}: {json}");
        let values = json["data"]["result"][0]["values"].as_array();
        assert_eq!(values.map(Vec::len), Some(6), "{manner:?}: {json}");
        let warned = warnings(&json);
        assert!(
            warned.len() == 1 && warned[0].starts_with(&liar.address),
            "{manner:?}: {warned:?}"
        );
        let whole = [&range[..], &[("partial_response", "false")]].concat();
        let (status, json) = ask(&server, "/api/v1/query_range", &whole).await;
        assert!(status >= 422, "{manner:?}: {json}");
        let error = json["error"].as_str().unwrap_or_default();
        assert!(error.contains(&liar.address), "{manner:?}: {error}");
        // And it goes on: the honest one alone.
        let only = [&range[..], &[("storeMatch[]", "{__address__=~\".+\"}")]].concat();
        assert_eq!(ask(&server, "/api/v1/query_range", &only).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_is_said_and_then_forgotten() {
    let honest = Fake::start(Manner::Honest, &[("replica", "a")], series("a", 0, 300, 1.0));
    let gone = Fake::start(Manner::Honest, &[("replica", "b")], series("b", 0, 300, 2.0));
    let address = gone.address.clone();
    let mut flags = endpoints([honest.address.as_str(), &address]);
    flags.push("--store.unhealthy-timeout=8s".to_owned());
    let server = querier(&flags).await;
    let instant = [("query", "m"), ("time", "300")];
    assert!(warnings(&ask(&server, "/api/v1/query", &instant).await.1).is_empty());
    drop(gone);
    let began = Instant::now();
    let (status, json) = ask(&server, "/api/v1/query", &instant).await;
    assert_eq!(status, 200, "{json}");
    assert!(warnings(&json)[0].starts_with(&address), "{json}");
    // Within the timeout, and one Info more, nobody expects it back.
    loop {
        let (status, json) = ask(&server, "/api/v1/query", &instant).await;
        assert_eq!(status, 200, "{json}");
        let (_, stores) = ask(&server, "/api/v1/stores", &[]).await;
        if warnings(&json).is_empty()
            && stores["data"]["sidecar"].as_array().map(Vec::len) == Some(1)
        {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{json} {stores}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
