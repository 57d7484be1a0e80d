//! An answer: opened up to its series, then read batch by batch.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use arrow_flight::{FlightData, Ticket};
use bytes::Bytes;
use engine::model::TimeRange;
use engine::source::{
    Columns, ReadLimits, Roster, Select, SelectOptions, StreamedRuns, histogram_run_schema,
    run_schema, start_run_schema,
};
use engine::{Error, ErrorKind, Result};
use futures::stream::{BoxStream, try_unfold};
use futures::{StreamExt, TryStreamExt};
use prost::Message;
use proto::stoa::RunsRoster;
use tonic::{Code, Status, Streaming};
use xxhash_rust::xxh3::Xxh3;

use super::Peer;
use super::check::Check;
use crate::runs::batch::wire_schema;
use crate::runs::roster::{Assembling, Wrong, held};
use crate::storeapi::client::{Lease, failure, late, shortened};

/// The most warnings that are kept.
const WARNINGS_MAX: usize = 100;

/// How an answer is asked for.
#[derive(Debug, Clone)]
pub(super) struct Opening {
    peer: Arc<Peer>,
    ticket: Bytes,
    pub(super) range: TimeRange,
    pub(super) columns: Columns,
    limits: ReadLimits,
    series_limit: usize,
    /// Whether nothing may be missing.
    strict: bool,
}

/// An answer whose series are there.
pub(super) struct Opened {
    pub(super) roster: Arc<Roster>,
    pub(super) warnings: Vec<String>,
    /// Of the messages with the series.
    digest: u64,
    /// The schema of the batches.
    runs: SchemaRef,
    stream: Streaming<FlightData>,
    /// The memory that the series take.
    lease: Lease,
}

impl Opening {
    pub(super) fn new(
        peer: &Arc<Peer>,
        ticket: Bytes,
        select: &Select,
        options: &SelectOptions,
    ) -> Self {
        Self {
            peer: Arc::clone(peer),
            ticket,
            range: select.range,
            columns: select.columns,
            limits: options.limits.clone(),
            series_limit: options.series_limit,
            strict: !options.partial_response,
        }
    }

    fn timeout(&self) -> Duration {
        self.peer.settings.response_timeout
    }

    fn status(&self, status: &Status) -> Error {
        failure(&self.peer.address, status, self.strict)
    }

    /// What the endpoint did wrong.
    fn fault(&self, what: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{}: {what}", self.peer.address))
    }

    /// What is awaited, or an error when it takes longer than a message may.
    async fn in_time<T>(&self, awaited: impl Future<Output = T>) -> Result<T> {
        let timeout = self.timeout();
        let awaited = tokio::time::timeout(timeout, awaited).await;
        awaited.map_err(|_| late(&self.peer.address, timeout))
    }

    async fn message(&self, stream: &mut Streaming<FlightData>) -> Result<Option<FlightData>> {
        self.in_time(stream.message()).await?.map_err(|status| self.status(&status))
    }

    /// Calls, and reads the series; none if the endpoint does not serve such answers after all.
    pub(super) async fn open(&self) -> Result<Option<Opened>> {
        let mut client = self.peer.client.clone();
        let ticket = Ticket { ticket: self.ticket.clone() };
        let mut stream = match self.in_time(client.do_get(ticket)).await? {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.code() == Code::Unimplemented => return Ok(None),
            Err(status) => return Err(self.status(&status)),
        };
        let mut lease = self.peer.settings.budget.lease();
        let mut assembling = Assembling::new(self.series_limit);
        let (mut warnings, mut digest) = (Vec::new(), Xxh3::new());
        let schema = self.message(&mut stream).await?;
        let schema = schema.ok_or_else(|| self.fault("an answer without a schema"))?;
        let runs = runs_of(&schema).map_err(|what| self.fault(what))?;
        loop {
            let Some(message) = self.message(&mut stream).await? else {
                return Err(self.fault("the answer ends within its series"));
            };
            digest.update(&message.app_metadata);
            let mut part = RunsRoster::decode(message.app_metadata)
                .map_err(|error| self.fault(format!("no part of the series: {error}")))?;
            lease.grow(held(&part)).map_err(|what| self.fault(what))?;
            for warning in std::mem::take(&mut part.warnings) {
                let text = format!("{}: {}", self.peer.address, shortened(&warning));
                if self.strict {
                    return Err(Error::new(ErrorKind::Unavailable, text));
                }
                if warnings.len() < WARNINGS_MAX {
                    warnings.push(text);
                }
            }
            let (last, empty) = (part.last, part.kinds.is_empty());
            assembling.push(part).map_err(|wrong| match wrong {
                Wrong::Malformed(what) => self.fault(format!("the series: {what}")),
                Wrong::TooMany => self.too_many("series", self.series_limit),
            })?;
            if last {
                break;
            }
            if empty {
                return Err(self.fault("a part of the series without series"));
            }
        }
        let roster = Arc::new(assembling.finish());
        Ok(Some(Opened { roster, warnings, digest: digest.digest(), runs, stream, lease }))
    }

    /// A limit that is exceeded: where something may be missing it is this endpoint's answer.
    pub(super) fn too_many(&self, what: &str, limit: usize) -> Error {
        let kind = if self.strict { ErrorKind::ResourcesExhausted } else { ErrorKind::Unavailable };
        Error::new(kind, format!("{}: more than {limit} {what}", self.peer.address))
    }

    /// An answer that broke off: the query begins anew where something may be missing, and asks this
    /// endpoint in another way.
    fn broke_off(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::ResourcesExhausted {
            return error;
        }
        self.peer.avoid(&error);
        if self.strict {
            return error;
        }
        Error::corrupt(error.to_string())
    }
}

/// An answer as batches.
pub(super) struct Answer {
    opening: Opening,
    series: usize,
    digest: u64,
    runs: SchemaRef,
    /// The stream behind the series, until somebody reads it.
    first: Mutex<Option<Streaming<FlightData>>>,
    _lease: Lease,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({})", self.describe())
    }
}

impl Answer {
    pub(super) fn new(opening: Opening, opened: Opened) -> Self {
        let Opened { roster, digest, runs, stream, lease, .. } = opened;
        let (series, first) = (roster.len(), Mutex::new(Some(stream)));
        Self { opening, series, digest, runs, first, _lease: lease }
    }
}

/// Where reading stands.
enum Reading {
    /// Nobody has called.
    Closed {
        digest: u64,
    },
    Open {
        stream: Streaming<FlightData>,
        check: Check,
    },
}

impl Reading {
    /// The next batch, and what comes after.
    async fn next(
        self,
        opening: &Opening,
        runs: &SchemaRef,
        series: usize,
    ) -> Result<Option<(RecordBatch, Self)>> {
        let (mut stream, mut check) = match self {
            Self::Open { stream, check } => (stream, check),
            Self::Closed { digest } => {
                let again = opening.open().await?;
                let again = again.ok_or_else(|| opening.fault("run batches are not served"))?;
                if again.digest != digest {
                    return Err(opening.fault("other series than a moment ago"));
                }
                if again.runs != *runs {
                    return Err(opening.fault("other columns than a moment ago"));
                }
                (again.stream, Check::new(opening, runs, series))
            }
        };
        let Some(message) = opening.message(&mut stream).await? else { return Ok(None) };
        let bytes = message.data_body.len();
        let mut lease = opening.peer.settings.budget.lease();
        lease.grow(bytes).map_err(|what| opening.fault(what))?;
        let before = check.samples();
        let batch = check.batch(message).map_err(|what| opening.fault(what))?;
        let most = opening.limits.most_samples();
        if check.samples() > most {
            return Err(opening.too_many("samples", most));
        }
        opening.limits.spend_samples(check.samples() - before)?;
        opening.limits.spend_bytes(bytes)?;
        Ok(Some((batch, Self::Open { stream, check })))
    }
}

/// The schema of the run batches that a message announces; the error says what is wrong with it.
fn runs_of(message: &FlightData) -> std::result::Result<SchemaRef, String> {
    let schema = Schema::try_from(message).map_err(|error| format!("no schema: {error}"))?;
    [run_schema(), histogram_run_schema(), start_run_schema()]
        .into_iter()
        .find(|runs| wire_schema(runs).fields() == schema.fields())
        .ok_or_else(|| "columns that are not those of run batches".to_owned())
}

impl StreamedRuns for Answer {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.runs)
    }

    fn describe(&self) -> String {
        format!("from={}, series={}", self.opening.peer.address, self.series)
    }

    /// The stream that was opened with the series; another one for whoever reads a second time.
    fn open(&self) -> BoxStream<'static, Result<RecordBatch>> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (opening, series, runs) = (self.opening.clone(), self.series, Arc::clone(&self.runs));
        let reading = match first {
            Some(stream) => Reading::Open { stream, check: Check::new(&opening, &runs, series) },
            None => Reading::Closed { digest: self.digest },
        };
        let again = opening.clone();
        try_unfold((reading, opening, runs), move |(reading, opening, runs)| async move {
            let next = reading.next(&opening, &runs, series).await?;
            Ok(next.map(|(batch, reading)| (batch, (reading, opening, runs))))
        })
        .map_err(move |error| again.broke_off(error))
        .boxed()
    }
}
