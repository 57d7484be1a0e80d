//! A bucket in a folder, filled with a few known samples, and queriers over it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use engine::block::{BlockId, BlockMeta, id};
use engine::bucket::{Bucket, commit};
use reqwest::{Method, Response};
use tempfile::TempDir;

use crate::block::samples::{
    Data, HOURS_2, START, Samples, float, labels, settings as two_hours, write,
};
use crate::support::{Server, free_address, scratch, stoa};

/// The time between samples, in ms.
const SCRAPE: i64 = 15_000;
/// The last sample is so long after the start of a block, in ms.
const LENGTH: i64 = 600_000;

/// A bucket in a folder.
#[derive(Debug)]
pub(super) struct Place {
    folder: TempDir,
    bucket: Bucket,
}

impl Place {
    /// An empty bucket, whose folder exists.
    pub(super) fn new() -> Self {
        let folder = scratch();
        let bucket = Bucket::from_yaml(&objstore(&folder)).expect("a folder is a bucket");
        Self { folder, bucket }
    }

    /// A bucket with one block of each of the replicas `a` and `b` of cluster `c`, the samples alike.
    pub(super) async fn with_replicas() -> Self {
        let place = Self::new();
        place.add("a", 0).await;
        place.add("b", 0).await;
        place
    }

    /// Adds the block of `replica` that begins `number` × 2 h after [`START`].
    pub(super) async fn add(&self, replica: &str, number: i64) -> BlockId {
        let dir = scratch();
        let meta = self.write(&dir, replica, number);
        commit(&self.bucket, dir.path(), &meta).await.expect("the block is committed");
        meta.ulid
    }

    fn write(&self, dir: &TempDir, replica: &str, number: i64) -> BlockMeta {
        let mut settings = two_hours(&[("cluster", "c"), ("replica", replica)], 2);
        settings.min_time += number * HOURS_2;
        settings.max_time += number * HOURS_2;
        let source = format!("01K6H{:016}{replica}{number:04}", 0);
        settings.compaction.sources = vec![source.to_uppercase().parse().expect("a ULID")];
        settings.ulid = id(&settings.compaction.sources, &settings);
        write(dir.path(), &settings, &data(settings.min_time))
    }

    /// The folder of the bucket.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The path of a file of a block.
    pub(super) fn file(&self, block: BlockId, name: &str) -> PathBuf {
        self.folder.path().join(BlockMeta::path(block, name))
    }

    /// `stoa query` over the bucket, listening on `address`, with `flags`.
    pub(super) fn command(&self, address: SocketAddr, flags: &[&str]) -> Command {
        let mut command = Command::new(stoa());
        command.arg("query").arg(format!("--objstore.config={}", objstore(&self.folder)));
        command.arg(format!("--http-address={address}")).arg("--grpc-address=127.0.0.1:0");
        command.arg("--query.replica-label=replica").args(flags);
        command
    }

    /// Starts `stoa query` over the bucket and waits until it is ready.
    pub(super) async fn serve(&self, flags: &[&str]) -> Server {
        let address = free_address();
        Server::start(&mut self.command(address, flags), address, "/-/ready").await
    }
}

fn objstore(folder: &TempDir) -> String {
    format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", folder.path().display())
}

/// Ten minutes of samples from `start` on, each 15 s.
fn data(start: i64) -> Data {
    let mut data = Data::new();
    let mut add = |pairs: &[(&str, &str)], value: &dyn Fn(i64) -> f64| {
        let times = (0..=LENGTH / SCRAPE).map(|n| (n, start + n * SCRAPE));
        let floats = times.map(|(n, ts)| float(ts, value(n))).collect();
        data.insert(labels(pairs), Samples { floats, natives: vec![] });
    };
    add(&[("__name__", "up"), ("job", "node"), ("instance", "i1")], &|_| 1.0);
    add(&[("__name__", "up"), ("job", "node"), ("instance", "i2")], &|_| 0.0);
    add(&[("__name__", "requests_total"), ("code", "200")], &|n| (15 * n) as f64);
    add(&[("__name__", "requests_total"), ("code", "500")], &|n| (3 * n) as f64);
    for (kind, value) in [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("less", f64::NEG_INFINITY),
        ("zero", -0.0),
        ("small", 1e-7),
        ("large", 1e21),
        ("third", 1.0 / 3.0),
    ] {
        add(&[("__name__", "odd"), ("kind", kind)], &|_| value);
    }
    add(&[("__name__", "text"), ("a.b", "<a href=\"x\">&é\u{2028}\n")], &|_| 1.0);
    data
}

/// A time so many seconds after the start of the samples, in Unix seconds.
pub(super) fn at(seconds: i64) -> i64 {
    START / 1000 + seconds
}

/// Sends a request with parameters in the URL.
pub(super) async fn send(
    server: &Server,
    method: Method,
    path: &str,
    parameters: &[(&str, &str)],
) -> Response {
    let request = reqwest::Client::new().request(method.clone(), server.url(path));
    let sent = request.query(parameters).send().await;
    sent.unwrap_or_else(|e| panic!("{method} {path} {parameters:?}: {e}\n{}", server.output()))
}

/// The code and the body of an answer.
pub(super) async fn read(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, response.text().await.expect("the body arrives"))
}

/// GET.
pub(super) async fn get(server: &Server, path: &str, parameters: &[(&str, &str)]) -> (u16, String) {
    read(send(server, Method::GET, path, parameters).await).await
}

/// POST with parameters as a form.
pub(super) async fn post(
    server: &Server,
    path: &str,
    parameters: &[(&str, &str)],
) -> (u16, String) {
    let sent = reqwest::Client::new().post(server.url(path)).form(parameters).send().await;
    read(sent.unwrap_or_else(|e| panic!("POST {path}: {e}\n{}", server.output()))).await
}
