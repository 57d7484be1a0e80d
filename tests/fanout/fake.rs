//! StoreAPI servers in this process.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use proto::thanos::info::info_server::{Info, InfoServer};
use proto::thanos::info::{InfoRequest, InfoResponse, RulesInfo, StoreInfo};
use proto::thanos::rules_server::{Rules, RulesServer};
use proto::thanos::series_response::Result as Frame;
use proto::thanos::store_server::{Store, StoreServer};
use proto::thanos::{
    AggrChunk, Alert, AlertState, Chunk, Label, LabelNamesRequest, LabelNamesResponse,
    LabelValuesRequest, LabelValuesResponse, Rule, RuleGroup, RulesRequest, RulesResponse, Series,
    SeriesBatch, SeriesRequest, SeriesResponse, ZLabelSet, rule, rules_response,
};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tonic::{Request, Response, Status};
use xxhash_rust::xxh64::xxh64;

use super::chunk::xor;

/// Labels of a series and its samples.
pub(super) type Samples = (Vec<(&'static str, &'static str)>, Vec<(i64, f64)>);

/// What a server does when it is asked for series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// All series, sorted, in one batch.
    Honest,
    /// Series backwards, each in its own frame.
    Unsorted,
    /// Everything twice.
    Twice,
    /// Chunks with another hash than that of their bytes.
    WrongHash,
    /// An encoding that does not exist.
    UnknownEncoding,
    /// Chunks that end in the middle of a sample.
    Torn,
    /// Frames without end.
    Endless,
    /// The head of a frame of 1 GiB.
    Huge,
    /// One frame, and then nothing.
    Hangs,
    /// One frame, and then a reset.
    Resets,
    /// An error.
    Fails,
}

impl Manner {
    pub(super) const LIES: [Self; 8] = [
        Self::WrongHash,
        Self::UnknownEncoding,
        Self::Torn,
        Self::Endless,
        Self::Huge,
        Self::Hangs,
        Self::Resets,
        Self::Fails,
    ];
}

/// A server on threads of its own; it ends, its connections too, when the value is dropped.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) address: String,
    asked: Arc<AtomicUsize>,
    runtime: Option<Runtime>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Fake {
    /// A server that has `series` under the external labels `external`, which are among theirs.
    pub(super) fn start(
        manner: Manner,
        external: &[(&'static str, &'static str)],
        series: Vec<Samples>,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        listener.set_nonblocking(true).expect("a socket does not block");
        let address = listener.local_addr().expect("a bound socket has an address").to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let place = Place { manner, external: labels(external), series, asked: Arc::clone(&asked) };
        let mut app = Router::new()
            .route_service("/thanos.info.Info/{method}", InfoServer::new(place.clone()))
            .route_service("/thanos.Rules/{method}", RulesServer::new(place.clone()));
        app = if manner == Manner::Huge {
            app.route("/thanos.Store/{method}", post(huge))
        } else if manner == Manner::Resets {
            app.route("/thanos.Store/{method}", post(resets))
        } else {
            app.route_service("/thanos.Store/{method}", StoreServer::new(place))
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a bound socket");
            let _ = axum::serve(listener, app).await;
        });
        Self { address, asked, runtime: Some(runtime) }
    }

    /// How often it was asked for series.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn huge() -> impl IntoResponse {
    let head = Bytes::from_static(&[0, 0x40, 0, 0, 0, 1, 2, 3]);
    let body = stream::iter([Ok::<_, Infallible>(head)]).chain(stream::pending());
    ([(CONTENT_TYPE, "application/grpc")], Body::from_stream(body))
}

async fn resets() -> impl IntoResponse {
    // The head of a frame of nine bytes, three of them, and an end that is none.
    let head = Bytes::from_static(&[0, 0, 0, 0, 9, 1, 2, 3]);
    let body = stream::iter([Ok(head), Err(std::io::Error::other("gone"))]);
    ([(CONTENT_TYPE, "application/grpc")], Body::from_stream(body))
}

#[derive(Debug, Clone)]
struct Place {
    manner: Manner,
    external: Vec<Label>,
    series: Vec<Samples>,
    asked: Arc<AtomicUsize>,
}

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label = |&(name, value): &(&str, &str)| Label { name: name.into(), value: value.into() };
    pairs.iter().map(label).collect()
}

impl Place {
    /// The series that the request's matchers of equality accept; other matchers accept all.
    fn wanted(&self, request: &SeriesRequest) -> Vec<Series> {
        let accepted = |labels: &[(&str, &str)]| {
            request.matchers.iter().all(|m| {
                let own = labels.iter().find(|(name, _)| *name == m.name).map_or("", |l| l.1);
                m.r#type != 0 || own == m.value
            })
        };
        let series = self.series.iter().filter(|(labels, _)| accepted(labels));
        let mut series: Vec<Series> = series
            .map(|(pairs, samples)| {
                let mut pairs = pairs.clone();
                pairs.sort_unstable();
                let chunks = samples.chunks(120).map(|samples| self.chunk(samples));
                let chunks = if request.skip_chunks { Vec::new() } else { chunks.collect() };
                Series { labels: labels(&pairs), chunks }
            })
            .collect();
        let key = |series: &Series| -> Vec<(String, String)> {
            series.labels.iter().map(|l| (l.name.clone(), l.value.clone())).collect()
        };
        series.sort_by_cached_key(key);
        series
    }

    fn chunk(&self, samples: &[(i64, f64)]) -> AggrChunk {
        let mut data = xor(samples);
        let mut hash = xxh64(&data, 0);
        let mut kind = 0;
        match self.manner {
            Manner::WrongHash => hash ^= 1,
            Manner::UnknownEncoding => kind = 7,
            Manner::Torn => {
                data.truncate(data.len() / 2);
                hash = 0;
            }
            _ => {}
        }
        AggrChunk {
            min_time: samples[0].0,
            max_time: samples[samples.len() - 1].0,
            raw: Some(Chunk { r#type: kind, data: data.into(), hash }),
            ..AggrChunk::default()
        }
    }
}

fn frame(result: Frame) -> Result<SeriesResponse, Status> {
    Ok(SeriesResponse { result: Some(result) })
}

type Frames<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Store for Place {
    type SeriesStream = Frames<SeriesResponse>;

    async fn series(
        &self,
        request: Request<SeriesRequest>,
    ) -> Result<Response<Self::SeriesStream>, Status> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let request = request.into_inner();
        let mut series = self.wanted(&request);
        let single = |series: Vec<Series>| stream::iter(series).map(|s| frame(Frame::Series(s)));
        let frames: Self::SeriesStream = match self.manner {
            Manner::Fails => return Err(Status::internal("the disk is gone")),
            Manner::Unsorted => {
                series.reverse();
                Box::pin(single(series))
            }
            Manner::Twice => Box::pin(single(series.clone()).chain(single(series))),
            Manner::Hangs => Box::pin(single(series).take(1).chain(stream::pending())),
            Manner::Endless => {
                let padding = "x".repeat(1 << 20);
                Box::pin(stream::iter(0u64..).map(move |at| {
                    let labels =
                        labels(&[("__name__", "m"), ("at", &at.to_string()), ("pad", &padding)]);
                    frame(Frame::Series(Series { labels, chunks: Vec::new() }))
                }))
            }
            _ => {
                let batch = frame(Frame::Batch(SeriesBatch { series }));
                Box::pin(stream::iter([batch]))
            }
        };
        Ok(Response::new(frames))
    }

    async fn label_names(
        &self,
        _: Request<LabelNamesRequest>,
    ) -> Result<Response<LabelNamesResponse>, Status> {
        let names = self.series.iter().flat_map(|(labels, _)| labels).map(|l| l.0.to_owned());
        Ok(Response::new(LabelNamesResponse { names: names.collect(), ..Default::default() }))
    }

    async fn label_values(
        &self,
        request: Request<LabelValuesRequest>,
    ) -> Result<Response<LabelValuesResponse>, Status> {
        let wanted = request.into_inner().label;
        let labels = self.series.iter().flat_map(|(labels, _)| labels);
        let values = labels.filter(|l| l.0 == wanted).map(|l| l.1.to_owned()).collect();
        Ok(Response::new(LabelValuesResponse { values, ..Default::default() }))
    }
}

#[tonic::async_trait]
impl Info for Place {
    async fn info(&self, _: Request<InfoRequest>) -> Result<Response<InfoResponse>, Status> {
        Ok(Response::new(InfoResponse {
            label_sets: vec![ZLabelSet { labels: self.external.clone() }],
            component_type: "sidecar".to_owned(),
            store: Some(StoreInfo { min_time: 0, max_time: i64::MAX, ..StoreInfo::default() }),
            rules: Some(RulesInfo {}),
            ..InfoResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl Rules for Place {
    type RulesStream = Frames<RulesResponse>;

    /// One alert, which fires where the manner is honest.
    async fn rules(&self, _: Request<RulesRequest>) -> Result<Response<Self::RulesStream>, Status> {
        let state = match self.manner {
            Manner::Fails => return Err(Status::internal("no rules")),
            Manner::Honest => AlertState::Firing,
            _ => AlertState::Inactive,
        };
        let labels = Some(ZLabelSet { labels: self.external.clone() });
        let alert = Alert { name: "Down".into(), state: state.into(), labels, ..Alert::default() };
        let rule = Rule { result: Some(rule::Result::Alert(alert)) };
        let group = RuleGroup { name: "g".into(), rules: vec![rule], ..RuleGroup::default() };
        let result = Some(rules_response::Result::Group(group));
        Ok(Response::new(Box::pin(stream::iter([Ok(RulesResponse { result })]))))
    }
}
