//! Blocks with the same samples, native and as Stoa's, and stores over both.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use engine::bucket::{Bucket, commit};
use engine::model::Labels;
use ingest::convert::{ConvertOptions, convert};
use ingest::tsdb::LocalBlock;
use proto::thanos::info::InfoResponse;
use proto::thanos::info::info_client::InfoClient;
use proto::thanos::series_response::Result as Frame;
use proto::thanos::store_client::StoreClient;
use proto::thanos::{LabelMatcher, Series, SeriesRequest};
use tempfile::TempDir;
use tonic::Status;
use tonic::transport::Channel;

use crate::ingest::dump::write_seeded;
use crate::ingest::native::copy;
use crate::support::prometheus::{Prometheus, link_tree};
use crate::support::{Server, free_address, go_package, scratch, stoa};

/// Who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Thanos' store.
    Thanos,
    /// `stoa store` over blocks of its own.
    Stoa,
    /// `stoa store` over the native blocks, in place.
    InPlace,
    /// `stoa store` over all native blocks, and blocks of its own with the samples of every second one.
    Beside,
    /// `stoa sidecar` beside a real Prometheus, which has the blocks of one replica.
    Sidecar,
    /// `stoa query` over both stores, so that it gets everything twice.
    Query,
}

/// The stores, in the order in which a suite asks them: what it expects must first hold for Thanos.
pub(super) const STORES: [Kind; 4] = [Kind::Thanos, Kind::Stoa, Kind::InPlace, Kind::Beside];

/// All who serve StoreAPI, in that order.
pub(super) const KINDS: [Kind; 6] =
    [Kind::Thanos, Kind::Stoa, Kind::InPlace, Kind::Beside, Kind::Sidecar, Kind::Query];

/// The Go program over Thanos' StoreAPI code, which looks into label sets as slices.
pub(super) fn go_storeapi() -> PathBuf {
    go_package("thanos", "storeapi", "slicelabels")
}

/// A series: labels, and samples as `(timestamp in ms, value)`.
pub(crate) type Written = (Labels, Vec<(i64, f64)>);

/// Blocks on disk, as Prometheus and a sidecar leave them.
#[derive(Debug)]
pub(crate) struct Blocks {
    folder: TempDir,
    bucket: TempDir,
}

impl Blocks {
    /// No blocks yet.
    pub(crate) fn new() -> Self {
        Self { folder: scratch(), bucket: scratch() }
    }

    /// Adds a block with external labels, native and as Stoa's; returns the native one's id.
    pub(crate) async fn add(&self, external: &[(&str, &str)], series: &[Written]) -> String {
        let id = self.add_native(external, series);
        let labels = Labels::new(external.iter().copied()).expect("labels");
        self.convert(&self.native().join(&id), labels).await;
        id
    }

    /// Adds a native block alone, and returns its id. NaN are stale markers.
    pub(crate) fn add_native(&self, external: &[(&str, &str)], series: &[Written]) -> String {
        let pairs: Vec<String> = external.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let mut write = Command::new(go_storeapi())
            .arg("write")
            .arg(format!("-out={}", self.native().display()))
            .arg(format!("-labels={}", pairs.join(",")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Go program runs");
        let mut input = write.stdin.take().expect("stdin is piped");
        for (labels, samples) in series {
            let pairs = labels.iter().map(|l| (l.name.to_string(), l.value.to_string().into()));
            let labels: serde_json::Map<String, serde_json::Value> = pairs.collect();
            let line = serde_json::json!({ "labels": labels, "samples": samples });
            writeln!(input, "{line}").expect("the Go program reads");
        }
        drop(input);
        id_of(&write.wait_with_output().expect("the Go program ends"))
    }

    /// Adds what Thanos makes of the native block `id` in windows of `resolution` ms; returns its id.
    pub(crate) fn downsample(&self, id: &str, resolution: i64) -> String {
        let output = Command::new(go_storeapi())
            .arg("downsample")
            .arg(format!("-dir={}", self.native().display()))
            .arg(format!("-block={id}"))
            .arg(format!("-resolution={resolution}"))
            .stderr(Stdio::inherit())
            .output()
            .expect("the Go program runs");
        id_of(&output)
    }

    /// What Thanos finds in the downsampled block `id`: of each series, by its labels, the chunks, and of
    /// each chunk the samples of its aggregates, as `timestamp bits`.
    pub(crate) fn windows(&self, id: &str) -> BTreeMap<String, serde_json::Value> {
        let output = Command::new(go_storeapi())
            .arg("windows")
            .arg(format!("-dir={}", self.native().display()))
            .arg(format!("-block={id}"))
            .stderr(Stdio::inherit())
            .output()
            .expect("the Go program runs");
        assert!(output.status.success(), "the Go program: {}", output.status);
        let lines = String::from_utf8(output.stdout).expect("UTF-8");
        let series = lines.lines().map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            (line["labels"].as_str().expect("labels").to_owned(), line["chunks"].take())
        });
        series.collect()
    }

    /// Adds a block that the Go program over Prometheus' code writes, native and as Stoa's; each
    /// `replica` (a letter) has its own samples.
    pub(super) async fn add_kind(&self, kind: &str, replica: &str) {
        let dir = scratch();
        let block = write_seeded(dir.path(), kind, u64::from(replica.as_bytes()[0]));
        let path = block.join("meta.json");
        let mut meta: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).expect("meta.json")).expect("JSON");
        meta["ulid"] = format!("01ARZ3NDEKTSV4RRFFQ69G5FA{}", replica.to_uppercase()).into();
        meta["thanos"] = serde_json::json!({
            "labels": { "replica": replica }, "source": "sidecar", "downsample": { "resolution": 0 },
        });
        fs::write(&path, meta.to_string()).expect("meta.json");
        let native = self.native().join(meta["ulid"].as_str().expect("an id"));
        copy(&block, &native);
        self.convert(&native, Labels::new([("replica", replica)]).expect("labels")).await;
    }

    async fn convert(&self, block: &Path, labels: Labels) {
        let out = scratch();
        let options = ConvertOptions::new(labels, "test");
        let block = Arc::new(LocalBlock::new(block));
        let meta = convert(block, out.path(), &options).expect("the block converts");
        commit(&self.of_stoa(), out.path(), &meta).await.expect("the block is committed");
    }

    /// The bucket of Stoa's blocks.
    pub(crate) fn of_stoa(&self) -> Bucket {
        Bucket::from_yaml(&self.objstore()).expect("a folder is a bucket")
    }

    fn native(&self) -> &Path {
        self.folder.path()
    }

    /// A bucket as it is in the middle of a conversion.
    fn both(&self) -> TempDir {
        let both = scratch();
        link_tree(self.native(), both.path());
        let blocks = Path::new("stoa/v1/blocks");
        let from = self.bucket.path().join(blocks);
        let mut converted: Vec<_> = from.read_dir().expect("blocks").flatten().collect();
        converted.sort_by_key(std::fs::DirEntry::file_name);
        for block in converted.iter().step_by(2) {
            let to = both.path().join(blocks).join(block.file_name());
            link_tree(&block.path(), &to);
        }
        both
    }

    /// The bucket of Stoa's blocks, as YAML.
    pub(crate) fn objstore(&self) -> String {
        folder(self.bucket.path())
    }

    /// The bucket of the native blocks, as YAML.
    pub(crate) fn bucket(&self) -> String {
        folder(self.native())
    }

    /// Starts a server of the blocks; `flags` are for Stoa's.
    pub(crate) async fn serve(&self, kind: Kind, flags: &[&str]) -> Endpoint {
        match kind {
            Kind::Thanos => {
                let headers = scratch();
                let mut command = Command::new(go_storeapi());
                command.arg("store").arg(format!("-bucket={}", self.native().display()));
                command.arg(format!("-scratch={}", headers.path().display()));
                let server = Server::announced(&mut command, |line| line.parse().ok());
                Endpoint { kind, grpc: server.address, server, _behind: Behind::Headers(headers) }
            }
            Kind::Stoa => {
                let own = [format!("--objstore.config={}", self.objstore())];
                start("store", &own, flags, kind, Behind::Nothing).await
            }
            Kind::InPlace => {
                let own = [format!("--objstore.config={}", self.bucket())];
                start("store", &own, flags, kind, Behind::Nothing).await
            }
            Kind::Beside => {
                let both = self.both();
                let own = [format!("--objstore.config={}", folder(both.path()))];
                start("store", &own, flags, kind, Behind::Bucket(both)).await
            }
            Kind::Sidecar => {
                let (blocks, labels) = self.of_one_replica();
                let config = format!("global: {{external_labels: {labels}}}\n");
                let prometheus = Prometheus::start(&config, &blocks, &[]).await;
                let own = [format!("--prometheus.url={}", prometheus.url())];
                start("sidecar", &own, flags, kind, Behind::Prometheus(prometheus)).await
            }
            Kind::Query => {
                let stores = [
                    Box::pin(self.serve(Kind::Thanos, &[])).await,
                    Box::pin(self.serve(Kind::Stoa, &[])).await,
                ];
                let own = stores.each_ref().map(|store| format!("--endpoint={}", store.grpc));
                start("query", &own, flags, kind, Behind::Stores(Box::new(stores))).await
            }
        }
    }

    /// The native blocks of the first replica, and its external labels as JSON.
    fn of_one_replica(&self) -> (Vec<PathBuf>, String) {
        let mut replicas: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for entry in std::fs::read_dir(self.native()).expect("the blocks") {
            let block = entry.expect("a folder entry").path();
            let meta = std::fs::read(block.join("meta.json")).expect("a meta.json");
            let meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
            replicas.entry(meta["thanos"]["labels"].to_string()).or_default().push(block);
        }
        let (labels, blocks) = replicas.pop_first().expect("a block");
        (blocks, labels)
    }
}

/// Starts a role of Stoa, and waits until it is ready.
async fn start(role: &str, own: &[String], flags: &[&str], kind: Kind, behind: Behind) -> Endpoint {
    let (http, grpc) = (free_address(), free_address());
    let mut command = Command::new(stoa());
    command.arg(role).args(own).arg(format!("--http-address={http}"));
    command.arg(format!("--grpc-address={grpc}")).args(flags);
    let server = Server::start(&mut command, http, "/-/ready").await;
    Endpoint { kind, grpc, server, _behind: behind }
}

/// What a server needs as long as it runs.
#[derive(Debug)]
enum Behind {
    Nothing,
    /// The headers of indexes that Thanos' store keeps.
    Headers(#[expect(dead_code, reason = "it is removed when the store ends")] TempDir),
    Bucket(#[expect(dead_code, reason = "it is removed when the store ends")] TempDir),
    Prometheus(#[expect(dead_code, reason = "it runs as long as the sidecar")] Prometheus),
    Stores(#[expect(dead_code, reason = "they run as long as the querier")] Box<[Endpoint; 2]>),
}

/// A folder as a bucket, in YAML.
fn folder(path: &Path) -> String {
    format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", path.display())
}

/// The id of the block that the Go program has written.
fn id_of(output: &Output) -> String {
    assert!(output.status.success(), "the block is written: {}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A store that answers.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(super) kind: Kind,
    pub(crate) grpc: SocketAddr,
    pub(super) server: Server,
    _behind: Behind,
}

impl Endpoint {
    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.grpc)).expect("a URI");
        let connected = endpoint.connect().await;
        connected.unwrap_or_else(|e| panic!("{:?}: {e}\n{}", self.kind, self.server.output()))
    }

    pub(super) async fn store(&self) -> StoreClient<Channel> {
        StoreClient::new(self.channel().await).max_decoding_message_size(usize::MAX)
    }

    pub(super) async fn info(&self) -> InfoResponse {
        let mut client = InfoClient::new(self.channel().await);
        let answer = client.info(proto::thanos::info::InfoRequest {}).await;
        answer.unwrap_or_else(|e| panic!("{:?}: {e}", self.kind)).into_inner()
    }

    /// The frames of a Series answer.
    pub(super) async fn frames(&self, request: SeriesRequest) -> Result<Vec<Frame>, Status> {
        let mut stream = self.store().await.series(request).await?.into_inner();
        let mut frames = Vec::new();
        while let Some(response) = stream.message().await? {
            frames.push(response.result.expect("a frame has something in it"));
        }
        Ok(frames)
    }

    /// The series of an answer without warnings.
    pub(super) async fn series(&self, request: SeriesRequest) -> Result<Vec<Series>, Status> {
        let mut all = Vec::new();
        for frame in self.frames(request).await? {
            match frame {
                Frame::Series(series) => all.push(series),
                Frame::Batch(batch) => all.extend(batch.series),
                Frame::Hints(_) => {}
                Frame::Warning(text) => panic!("{:?} warns: {text}", self.kind),
            }
        }
        Ok(all)
    }
}

/// Matchers as in `a=1`, `b!=2`, `c=~x.*`, `d!~y`.
pub(super) fn matchers(texts: &[&str]) -> Vec<LabelMatcher> {
    let parse = |text: &&str| {
        let at = text.find(['=', '!']).unwrap_or_else(|| panic!("no matcher: {text}"));
        let (name, rest) = text.split_at(at);
        let ops = [("=~", 2), ("!~", 3), ("!=", 1), ("=", 0)];
        let (op, r#type) =
            ops.into_iter().find(|(op, _)| rest.starts_with(op)).expect("an operator");
        let value = rest[op.len()..].to_owned();
        LabelMatcher { r#type, name: name.to_owned(), value }
    };
    texts.iter().map(parse).collect()
}

/// A label set as in `a=1,b=2`.
pub(crate) fn label_set(text: &str) -> Labels {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    Labels::new(pairs).expect("a label set")
}

/// The labels of a series on the wire, which must be sorted.
pub(super) fn labels_of(series: &Series) -> Labels {
    assert!(series.labels.is_sorted_by(|a, b| a.name < b.name), "{:?}", series.labels);
    Labels::new(series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str()))).expect("labels")
}

/// A request for all series that `texts` accept.
pub(super) fn all_time(texts: &[&str]) -> SeriesRequest {
    SeriesRequest {
        min_time: i64::MIN,
        max_time: i64::MAX,
        matchers: matchers(texts),
        without_replica_labels: vec!["replica".to_owned()],
        ..SeriesRequest::default()
    }
}
