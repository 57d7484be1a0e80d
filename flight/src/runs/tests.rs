//! Run batches from end to end over loopback, and servers whose source lies.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, SchemaRef};
use async_trait::async_trait;
use datafusion::execution::TaskContext;
use engine::model::{Aggregates, Labels, MatchOp, Matcher, TimeRange};
use engine::source::{
    Columns, Listing, MemorySource, ReadLimits, Resolved, Roster, RunBuilder, Select,
    SelectOptions, SeriesSource, StreamedExec, StreamedRuns, run_schema, start_run_schema,
};
use engine::{Error, ErrorKind, Result};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;
use tonic::transport::Channel;
use tonic::transport::server::TcpIncoming;

use super::batch::{self, Encoder};
use super::roster::{Assembling, Wrong, parts};
use super::{Node, RunsService, ticket};
use crate::endpoints::connection::Connection;
use crate::endpoints::spec::Compression;
use crate::http::Readiness;
use crate::storeapi::client::{Budget, ClientSettings, StoreApi};
use crate::storeapi::server::{StoreService, StoreSettings};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::new(pairs.iter().copied()).unwrap()
}

/// Two metrics of some instances, which are scraped together.
fn honest(instances: usize) -> MemorySource {
    let mut series = Vec::new();
    for name in ["m", "n"] {
        for at in 0..instances {
            let set = labels(&[("__name__", name), ("instance", &format!("{at:06}"))]);
            series.push((set, (0..100).map(|n| (n * 15_000, n as f64 + at as f64)).collect()));
        }
    }
    MemorySource::new(series)
}

fn select(metric: &str) -> Select {
    Select {
        matchers: vec![Matcher::new("__name__", MatchOp::Regex, metric).unwrap()],
        range: TimeRange::new(0, 1_000_000),
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    }
}

fn options(partial_response: bool) -> SelectOptions {
    SelectOptions { partial_response, dedup: false, ..SelectOptions::default() }
}

/// A server whose run batches are of `runs` and whose StoreAPI is of `store`, as a source.
async fn node(runs: impl SeriesSource + 'static, store: MemorySource) -> Node {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).expect("a port");
    let address = incoming.local_addr().expect("an address").to_string();
    let readiness = Readiness::default();
    readiness.ready();
    let settings = StoreSettings::default();
    let context = Arc::new(TaskContext::default());
    let runs = RunsService::new(
        Arc::new(runs),
        settings.clone(),
        readiness.clone(),
        Arc::clone(&context),
        Handle::current(),
    );
    let store = StoreService::new(Arc::new(store), settings, readiness, context, Handle::current());
    let server = tonic::transport::Server::builder()
        .add_service(runs.into_server())
        .add_service(store.into_server());
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy();
    let settings = ClientSettings {
        response_timeout: Duration::from_millis(400),
        budget: Arc::new(Budget::new(64 << 20)),
    };
    let connection = Connection::new(channel, Compression::None);
    let store = StoreApi::new(&address, connection.clone(), settings.clone());
    Node::new(&address, connection, settings, store)
}

type Samples = Vec<(Labels, Vec<(i64, u64)>)>;

/// Reads a plan to its end.
async fn read(resolved: &Resolved) -> Result<Samples> {
    let mut all: Samples =
        (0..resolved.roster.len()).map(|at| (resolved.roster.labels(at), Vec::new())).collect();
    for partition in 0..resolved.runs.properties().partitioning.partition_count() {
        let stream = resolved.runs.execute(partition, Arc::default())?;
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        for batch in batches {
            use arrow::array::AsArray;
            use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
            let ids = batch.column(0).as_primitive::<UInt32Type>();
            for row in 0..batch.num_rows() {
                let ts = batch.column(1).as_list::<i32>().value(row);
                let values = batch.column(2).as_list::<i32>().value(row);
                let (ts, values) =
                    (ts.as_primitive::<Int64Type>(), values.as_primitive::<Float64Type>());
                let pairs = ts.values().iter().copied().zip(values.values());
                let samples = &mut all[ids.value(row) as usize].1;
                samples.extend(pairs.map(|(t, v)| (t, v.to_bits())));
                assert_eq!(ts.len(), values.len());
            }
        }
    }
    Ok(all)
}

#[tokio::test]
async fn a_node_gives_what_its_source_has() {
    // More series than a part of the roster has, more samples than a batch.
    let (here, there) = (honest(5_000), node(honest(5_000), honest(1)).await);
    for metric in ["m", "m|n", "nothing"] {
        let expected = here.resolve(&select(metric), &options(true)).await.expect("it resolves");
        let got = there.resolve(&select(metric), &options(true)).await.expect("it resolves");
        assert_eq!(got.roster.len(), expected.roster.len());
        for at in [0, 1, 4_999].into_iter().filter(|&at| at < got.roster.len()) {
            assert_eq!(got.roster.kind(at), expected.roster.kind(at));
            assert_eq!(got.roster.samples(at), expected.roster.samples(at));
        }
        let expected = read(&expected).await.expect("samples");
        assert!(read(&got).await.expect("samples") == expected, "{metric}");
        // Whoever reads a second time gets the same.
        assert!(read(&got).await.expect("samples") == expected, "{metric}, again");
    }
}

/// What a server's source does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    SeriesBackwards,
    TimesBackwards,
    NotAskedFor,
    UnknownSeries,
    WithoutValues,
    WithoutStarts,
    Breaks,
    Damaged,
    Hangs,
    Endless,
}

/// A source of these series whose samples are what the first says.
#[derive(Debug)]
struct Told<R>(R, MemorySource);

impl StreamedRuns for Lie {
    fn schema(&self) -> SchemaRef {
        match self {
            Self::WithoutStarts => start_run_schema(),
            _ => run_schema(),
        }
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    fn open(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let good = || rows(&[(0, &[15_000, 30_000])]);
        let broken = |kind| Err(Error::new(kind, "broken"));
        match self {
            Self::SeriesBackwards => stream::iter([Ok(rows(&[(1, &[1]), (0, &[1])]))]).boxed(),
            Self::TimesBackwards => stream::iter([Ok(rows(&[(0, &[2, 1])]))]).boxed(),
            Self::NotAskedFor => stream::iter([Ok(rows(&[(0, &[1, 9_999_999])]))]).boxed(),
            Self::UnknownSeries => stream::iter([Ok(rows(&[(7_777, &[1])]))]).boxed(),
            Self::WithoutValues => {
                let (batch, none) = (good(), ListArray::new_null(item(DataType::Float64), 1));
                let columns =
                    vec![Arc::clone(batch.column(0)), Arc::clone(batch.column(1)), Arc::new(none)];
                stream::iter([Ok(RecordBatch::try_new(run_schema(), columns).unwrap())]).boxed()
            }
            Self::WithoutStarts => {
                let batch = started();
                let lengths = OffsetBuffer::from_lengths([0, 0]);
                let none: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
                let none = ListArray::new(item(DataType::Int64), lengths, none, None);
                let mut columns = batch.columns().to_vec();
                columns[4] = Arc::new(none);
                stream::iter([Ok(RecordBatch::try_new(start_run_schema(), columns).unwrap())])
                    .boxed()
            }
            Self::Breaks => stream::iter([Ok(good()), broken(ErrorKind::Unavailable)]).boxed(),
            Self::Damaged => stream::iter([Ok(good()), broken(ErrorKind::Corrupt)]).boxed(),
            Self::Hangs => stream::iter([Ok(good())]).chain(stream::pending()).boxed(),
            Self::Endless => {
                let each = |n: i64| Ok(rows(&[(0, &[n])]));
                stream::iter((0..).map(each)).boxed()
            }
        }
    }
}

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, false))
}

/// A source's batches with start timestamps.
#[derive(Debug, Clone, Copy)]
struct Started;

impl StreamedRuns for Started {
    fn schema(&self) -> SchemaRef {
        start_run_schema()
    }

    fn describe(&self) -> String {
        "started".to_owned()
    }

    fn open(&self) -> BoxStream<'static, Result<RecordBatch>> {
        stream::iter([Ok(started())]).boxed()
    }
}

/// Two series, the first with start timestamps.
fn started() -> RecordBatch {
    let mut runs = RunBuilder::of(&start_run_schema());
    runs.floats(0, &[15_000, 30_000], &[1.0, 2.0]);
    runs.starts(&[14_000, 0]);
    runs.floats(1, &[15_000, 30_000], &[3.0, 4.0]);
    runs.finish().expect("a batch").expect("it has rows")
}

#[tokio::test]
async fn start_timestamps_arrive_where_they_are_asked_for() {
    let there = node(Told(Started, honest(2)), honest(2)).await;
    let asked = Select { columns: Columns::All, ..select("m|n") };
    let resolved = there.resolve(&asked, &options(true)).await.expect("it resolves");
    let stream = resolved.runs.execute(0, Arc::default()).expect("it begins");
    let batches: Vec<RecordBatch> = stream.try_collect().await.expect("batches");
    assert_eq!(batches, [started()]);
}

/// A run batch whose values are its times.
fn rows(rows: &[(u32, &[i64])]) -> RecordBatch {
    let lengths = || OffsetBuffer::from_lengths(rows.iter().map(|(_, ts)| ts.len()));
    let all: Vec<i64> = rows.iter().flat_map(|(_, ts)| ts.iter().copied()).collect();
    let values: Vec<f64> = all.iter().map(|&t| t as f64).collect();
    let ids: Vec<u32> = rows.iter().map(|(id, _)| *id).collect();
    let list =
        |data_type, values: ArrayRef| ListArray::new(item(data_type), lengths(), values, None);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(ids)),
        Arc::new(list(DataType::Int64, Arc::new(Int64Array::from(all)))),
        Arc::new(list(DataType::Float64, Arc::new(Float64Array::from(values)))),
    ];
    RecordBatch::try_new(run_schema(), columns).unwrap()
}

#[async_trait]
impl<R: StreamedRuns + Copy + 'static> SeriesSource for Told<R> {
    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let resolved = self.1.resolve(select, options).await?;
        Ok(Resolved { runs: Arc::new(StreamedExec::new(Arc::new(self.0))), ..resolved })
    }

    async fn series(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<Labels>> {
        Ok(Listing::default())
    }

    async fn label_names(
        &self,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }

    async fn label_values(
        &self,
        _: &str,
        _: &[Matcher],
        _: TimeRange,
        _: &SelectOptions,
        _: usize,
    ) -> Result<Listing<String>> {
        Ok(Listing::default())
    }
}

/// Partial: the query begins anew, and StoreAPI answers. Strict: it fails and says who.
#[tokio::test]
async fn an_answer_that_breaks_off_is_asked_for_over_storeapi() {
    for (lie, what) in [
        (Lie::SeriesBackwards, "series 0 after series 1"),
        (Lie::TimesBackwards, "do not ascend"),
        (Lie::NotAskedFor, "not asked for"),
        (Lie::UnknownSeries, "series 7777 of 4"),
        (Lie::WithoutValues, "2 timestamps and 0 values"),
        (Lie::WithoutStarts, "2 timestamps and 0 start timestamps"),
        (Lie::Breaks, "broken"),
        (Lie::Damaged, "broken"),
        (Lie::Hangs, "no answer within"),
        (Lie::Endless, "more than 1000 samples"),
    ] {
        let there = node(Told(lie, honest(2)), honest(2)).await;
        let options = SelectOptions { limits: ReadLimits::new(1_000, u64::MAX), ..options(true) };
        let resolved = there.resolve(&select("m|n"), &options).await.expect("the series are there");
        let error = read(&resolved).await.expect_err("the samples are not");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{lie:?}: {error}");
        assert!(error.to_string().contains(what), "{lie:?}: {error}");
        assert!(error.to_string().starts_with("127.0.0.1:"), "{lie:?}: {error}");
        let options = SelectOptions { limits: options.limits.anew(), ..options };
        let again = there.resolve(&select("m|n"), &options).await.expect("StoreAPI answers");
        let expected = honest(2).resolve(&select("m|n"), &options).await.expect("it resolves");
        let expected = read(&expected).await.expect("samples");
        assert!(read(&again).await.expect("samples") == expected, "{lie:?}");
        let strict = SelectOptions { partial_response: false, ..options };
        let there = node(Told(lie, honest(2)), honest(2)).await;
        let resolved = there.resolve(&select("m|n"), &strict).await.expect("the series are there");
        let kind = read(&resolved).await.expect_err("the samples are not").kind();
        let expected = match lie {
            Lie::Endless => ErrorKind::ResourcesExhausted,
            _ => ErrorKind::Unavailable,
        };
        assert_eq!(kind, expected, "{lie:?}");
    }
}

#[tokio::test]
async fn limits_hold_before_anything_is_read() {
    let there = node(honest(20), honest(20)).await;
    let few = SelectOptions { series_limit: 7, ..options(false) };
    let error = there.resolve(&select("m"), &few).await.expect_err("too many series");
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}

#[test]
fn timestamps_that_series_share_are_sent_once() {
    let ts: Vec<i64> = (0..1_000).map(|n| n * 15_000).collect();
    let other: Vec<i64> = ts.iter().map(|t| t + 1).collect();
    let each: Vec<(u32, &[i64])> =
        (0..20).map(|id| (id, if id % 2 == 0 { &ts[..] } else { &other[..] })).collect();
    let batch = rows(&each);
    let mut encoder = Encoder::new(&run_schema());
    let message = encoder.batch(&batch).expect("a message");
    let (values, times) = (20 * 1_000 * 8, 2 * 1_000 * 8);
    assert!(message.data_body.len() < values + times + 1_000, "{}", message.data_body.len());
    let wire = batch::wire_schema(&run_schema());
    assert_eq!(batch::decode(message, &run_schema(), &wire).expect("the batch"), batch);
}

/// Whatever a byte of a message becomes: a batch or an error.
#[test]
fn no_message_makes_decoding_panic() {
    let batch = rows(&[(0, &[1, 2, 3]), (1, &[1, 2, 3]), (5, &[4])]);
    let good = Encoder::new(&run_schema()).batch(&batch).expect("a message");
    let wire = batch::wire_schema(&run_schema());
    let mut refused = 0;
    for at in 0..good.data_header.len() + good.data_body.len() {
        for flip in [1, 0x10, 0x80, 0xff] {
            let mut message = good.clone();
            let (bytes, at) = match at.checked_sub(good.data_header.len()) {
                None => (&mut message.data_header, at),
                Some(at) => (&mut message.data_body, at),
            };
            let mut changed = bytes.to_vec();
            changed[at] ^= flip;
            *bytes = changed.into();
            refused += usize::from(batch::decode(message, &run_schema(), &wire).is_err());
        }
    }
    assert!(refused > 100, "{refused} are refused");
    let mut cut = 0;
    for length in 0..good.data_body.len() {
        let mut message = good.clone();
        message.data_body.truncate(length);
        // What is cut off may be the padding at the end.
        match batch::decode(message, &run_schema(), &wire) {
            Ok(decoded) => assert_eq!(decoded, batch, "{length}"),
            Err(_) => cut += 1,
        }
    }
    assert!(cut > good.data_body.len() / 2, "{cut} are refused");
}

#[tokio::test]
async fn parts_of_a_roster_are_checked() {
    let resolved = honest(2).resolve(&select("m|n"), &options(true)).await.expect("it resolves");
    let good = parts(&resolved.roster, vec!["a warning".to_owned()]);
    assert_eq!((good.len(), good[0].warnings.len(), good[0].last), (1, 1, true));
    let take = |parts: &[proto::stoa::RunsRoster], most: usize| -> Result<Roster, Wrong> {
        let mut assembling = Assembling::new(most);
        for part in parts {
            assembling.push(part.clone())?;
        }
        Ok(assembling.finish())
    };
    assert_eq!(take(&good, 4).expect("the roster").labels(3), resolved.roster.labels(3));
    assert_eq!(take(&good, 3).expect_err("too many"), Wrong::TooMany);
    take(&[good[0].clone(), good[0].clone()], 100).expect_err("series twice");
    type Change = fn(&mut proto::stoa::RunsRoster);
    let changes: [(&str, Change); 8] = [
        ("a code", |part| part.columns[0].codes[0] = 99),
        ("codes", |part| part.columns[0].codes.truncate(1)),
        ("a value", |part| part.columns[0].values[0].clear()),
        ("values", |part| {
            let first = part.columns[0].values[0].clone();
            part.columns[0].values.push(first);
        }),
        ("a name", |part| part.columns[0].name.clear()),
        ("names", |part| part.columns[0].name = part.columns[1].name.clone()),
        ("a kind", |part| part.kinds[0] = 9),
        ("samples", |part| part.samples.truncate(1)),
    ];
    for (what, change) in changes {
        let mut part = good[0].clone();
        change(&mut part);
        assert!(matches!(take(&[part], 100), Err(Wrong::Malformed(_))), "{what}");
    }
}

#[test]
fn a_ticket_says_all_of_a_selector() {
    let starts = Select { columns: Columns::All, ..select("m") };
    let bytes = prost::Message::encode_to_vec(&ticket::ticket(&starts, &options(true)));
    assert_eq!(ticket::read(&bytes).expect("a ticket").0.columns, Columns::All);
    let asked = Select {
        matchers: vec![Matcher::new("a", MatchOp::NotRegex, "b|c").unwrap()],
        range: TimeRange::new(-5, i64::MAX),
        columns: Columns::Timestamps,
        aggregates: Aggregates::COUNTER,
        max_resolution: 300_000,
    };
    let wanted = SelectOptions {
        replica_labels: vec!["replica".to_owned()],
        trailing_labels: vec!["cluster".to_owned()],
        series_limit: 3,
        limits: ReadLimits::new(4, u64::MAX),
        ..SelectOptions::default()
    };
    let bytes = prost::Message::encode_to_vec(&ticket::ticket(&asked, &wanted));
    let (select, options) = ticket::read(&bytes).expect("a ticket");
    assert_eq!(format!("{select:?}"), format!("{asked:?}"));
    assert_eq!(format!("{options:?}"), format!("{wanted:?}"));
    let mut other = ticket::ticket(&asked, &wanted);
    other.version = 2;
    let refused = ticket::read(&prost::Message::encode_to_vec(&other)).expect_err("a version");
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    other = ticket::ticket(&asked, &wanted);
    other.aggregates = vec![77];
    ticket::read(&prost::Message::encode_to_vec(&other)).expect_err("an aggregate");
    ticket::read(&[0xff, 0xff]).expect_err("no ticket");
}
