//! DoGet over any source; of Arrow Flight's other methods there are none.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use engine::source::{ReadLimits, Select, SelectOptions, SeriesSource};
use engine::{Error, Result};
use futures::StreamExt;
use prost::Message;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Request, Response, Status, Streaming};

use super::batch::Encoder;
use super::{roster, ticket};
use crate::grpc::produced::{Messages, produced};
use crate::grpc::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use crate::http::Readiness;
use crate::storeapi::server::failure::status;
use crate::storeapi::server::{StoreSettings, request};

/// Messages that wait for the client to take them.
const WAITING: usize = 2;
/// How many batches of a partition are read ahead.
const AHEAD: usize = 1;

/// Run batches of a source.
pub struct RunsService {
    source: Arc<dyn SeriesSource>,
    settings: StoreSettings,
    readiness: Readiness,
    context: Arc<TaskContext>,
    runtime: Handle,
    turns: Arc<Semaphore>,
}

impl fmt::Debug for RunsService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, settings, .. } = self;
        f.debug_struct("RunsService").field("source", source).field("settings", settings).finish()
    }
}

impl RunsService {
    /// A service over `source`, with the limits of its StoreAPI. Samples are read on `runtime`, within
    /// the memory of `context`.
    pub fn new(
        source: Arc<dyn SeriesSource>,
        settings: StoreSettings,
        readiness: Readiness,
        context: Arc<TaskContext>,
        runtime: Handle,
    ) -> Self {
        let turns = settings.max_concurrent.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            source,
            settings,
            readiness,
            context,
            runtime,
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    /// The service, ready to be served.
    pub fn into_server(self) -> FlightServiceServer<Self> {
        FlightServiceServer::new(self)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(MAX_RESPONSE_BYTES)
    }

    fn answer(&self, ticket: &[u8]) -> Result<Answer, Status> {
        let (mut select, mut options) = ticket::read(ticket)?;
        let served = self.settings.served.range();
        select.range = request::range(select.range.min, select.range.max, served);
        let limit = |own: usize, given: usize| if own == 0 { given } else { given.min(own) };
        options.series_limit = limit(self.settings.series_limit, options.series_limit);
        let samples = limit(self.settings.samples_limit, options.limits.most_samples());
        options.limits = ReadLimits::new(samples, u64::MAX);
        options.partitions = self.settings.partitions;
        Ok(Answer {
            source: Arc::clone(&self.source),
            context: Arc::clone(&self.context),
            turns: Arc::clone(&self.turns),
            select,
            options,
        })
    }
}

/// An answer that is being made.
struct Answer {
    source: Arc<dyn SeriesSource>,
    context: Arc<TaskContext>,
    /// A turn is held while something is read, not while the client is waited for: a query reads
    /// several answers, and may leave one until another has ended.
    turns: Arc<Semaphore>,
    select: Select,
    options: SelectOptions,
}

impl Answer {
    async fn make(self, sender: mpsc::Sender<FlightData>) -> Result<(), Status> {
        let abort = !self.options.partial_response;
        match self.send(sender).await {
            Ok(()) => Ok(()),
            Err(error) => Err(status(&error, abort)),
        }
    }

    async fn send(self, sender: mpsc::Sender<FlightData>) -> Result<()> {
        let turn = turn(&self.turns).await?;
        let resolved = self.source.resolve(&self.select, &self.options).await?;
        drop(turn);
        let schema = Encoder::new(&resolved.runs.schema()).schema();
        let parts = roster::parts(&resolved.roster, resolved.warnings);
        let parts = parts.into_iter().map(|part| FlightData {
            app_metadata: part.encode_to_vec().into(),
            ..FlightData::default()
        });
        for message in std::iter::once(schema).chain(parts) {
            if sender.send(message).await.is_err() {
                return Ok(()); // The client went away.
            }
        }
        let count = resolved.runs.properties().partitioning.partition_count();
        let mut partitions: VecDeque<_> = (0..count)
            .map(|partition| {
                let plan = Arc::clone(&resolved.runs);
                let (context, turns) = (Arc::clone(&self.context), Arc::clone(&self.turns));
                let (ahead, batches) = mpsc::channel(AHEAD);
                let reading = read(plan, partition, context, turns, ahead);
                (batches, AbortOnDropHandle::new(tokio::spawn(reading)))
            })
            .collect();
        while let Some((mut batches, reading)) = partitions.pop_front() {
            while let Some(message) = batches.recv().await {
                if sender.send(message).await.is_err() {
                    return Ok(());
                }
            }
            reading.await.map_err(|error| Error::internal(format!("read samples: {error}")))??;
        }
        Ok(())
    }
}

async fn turn(turns: &Semaphore) -> Result<tokio::sync::SemaphorePermit<'_>> {
    turns.acquire().await.map_err(|_| Error::internal("no turn is given any more"))
}

/// Reads and encodes a partition to its end.
async fn read(
    plan: Arc<dyn ExecutionPlan>,
    partition: usize,
    context: Arc<TaskContext>,
    turns: Arc<Semaphore>,
    ahead: mpsc::Sender<FlightData>,
) -> Result<()> {
    let mut encoder = Encoder::new(&plan.schema());
    let mut batches = plan.execute(partition, context)?;
    loop {
        let turn = turn(&turns).await?;
        let Some(batch) = batches.next().await else { return Ok(()) };
        let message = encoder.batch(&batch?)?;
        drop(turn);
        if ahead.send(message).await.is_err() {
            return Ok(()); // Nobody reads on.
        }
    }
}

fn not_served() -> Status {
    Status::unimplemented("only DoGet of a ticket for run batches is served")
}

#[tonic::async_trait]
impl FlightService for RunsService {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoExchangeStream = Messages<FlightData>;
    type DoActionStream = Messages<arrow_flight::Result>;
    type ListActionsStream = Messages<ActionType>;

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        if self.readiness.is_starting() {
            return Err(Status::unavailable("the endpoint is not ready"));
        }
        let answer = self.answer(&request.into_inner().ticket)?;
        Ok(Response::new(produced(&self.runtime, WAITING, |sender| answer.make(sender))))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(not_served())
    }

    async fn list_flights(
        &self,
        _: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(not_served())
    }

    async fn get_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        Err(not_served())
    }

    async fn poll_flight_info(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        Err(not_served())
    }

    async fn get_schema(
        &self,
        _: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        Err(not_served())
    }

    async fn do_put(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        Err(not_served())
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(not_served())
    }

    async fn do_action(
        &self,
        _: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        Err(not_served())
    }

    async fn list_actions(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(not_served())
    }
}
