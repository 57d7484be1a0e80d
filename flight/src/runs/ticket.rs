//! A selector and its options as a ticket.

use engine::model::{Aggregate, Aggregates, TimeRange};
use engine::source::{Columns, DedupFunc, ReadLimits, Select, SelectOptions};
use prost::Message;
use proto::stoa::RunsTicket;
use proto::stoa::runs_ticket::Dedup;
use proto::thanos::Aggr;
use tonic::Status;

use super::VERSION;
use crate::storeapi::client;
use crate::storeapi::server::request::{invalid, matchers};

/// The ticket of a selector. Which of several sources are asked is not in it: that is chosen here.
pub(super) fn ticket(select: &Select, options: &SelectOptions) -> RunsTicket {
    let dedup = match (options.dedup, options.dedup_func) {
        (false, _) => Dedup::None,
        (true, DedupFunc::Coverage) => Dedup::Coverage,
        (true, DedupFunc::Penalty) => Dedup::Penalty,
        (true, DedupFunc::Chain) => Dedup::Chain,
    };
    RunsTicket {
        version: VERSION,
        matchers: client::matchers(&select.matchers),
        min_time: select.range.min,
        max_time: select.range.max,
        timestamps_only: select.columns == Columns::Timestamps,
        start_timestamps: select.columns.starts(),
        aggregates: select.aggregates.iter().map(|aggregate| wire(aggregate).into()).collect(),
        max_resolution: select.max_resolution,
        dedup: dedup.into(),
        replica_labels: options.replica_labels.clone(),
        trailing_labels: options.trailing_labels.clone(),
        partial_response: options.partial_response,
        series_limit: options.series_limit as u64,
        samples_limit: options.limits.most_samples() as u64,
    }
}

/// What a ticket asks for; limits are those of the ticket, and no less than 1.
pub(super) fn read(bytes: &[u8]) -> Result<(Select, SelectOptions), Status> {
    let ticket = RunsTicket::decode(bytes)
        .map_err(|error| invalid(format!("this is no ticket for run batches: {error}")))?;
    if ticket.version != VERSION {
        return Err(Status::unimplemented(format!(
            "run batches of version {}; version {VERSION} is spoken here",
            ticket.version
        )));
    }
    let dedup = Dedup::try_from(ticket.dedup)
        .map_err(|_| invalid(format!("unknown kind of dedup {}", ticket.dedup)))?;
    let built_in = SelectOptions::default();
    let dedup_func = match dedup {
        Dedup::None => built_in.dedup_func,
        Dedup::Coverage => DedupFunc::Coverage,
        Dedup::Penalty => DedupFunc::Penalty,
        Dedup::Chain => DedupFunc::Chain,
    };
    let limit = |given: u64| usize::try_from(given).unwrap_or(usize::MAX);
    if ticket.max_resolution < 0 {
        return Err(invalid(format!(
            "max_resolution must not be negative: {}",
            ticket.max_resolution
        )));
    }
    let select = Select {
        matchers: matchers(&ticket.matchers)?,
        range: TimeRange::new(ticket.min_time, ticket.max_time),
        columns: match (ticket.timestamps_only, ticket.start_timestamps) {
            (true, _) => Columns::Timestamps,
            (false, true) => Columns::All,
            (false, false) => Columns::Samples,
        },
        aggregates: aggregates(&ticket.aggregates)?,
        max_resolution: ticket.max_resolution,
    };
    if select.matchers.is_empty() {
        return Err(invalid("no matchers specified"));
    }
    let options = SelectOptions {
        dedup: dedup != Dedup::None,
        dedup_func,
        replica_labels: ticket.replica_labels,
        trailing_labels: ticket.trailing_labels,
        partial_response: ticket.partial_response,
        series_limit: limit(ticket.series_limit),
        limits: ReadLimits::new(limit(ticket.samples_limit), u64::MAX),
        ..built_in
    };
    Ok((select, options))
}

fn wire(aggregate: Aggregate) -> Aggr {
    match aggregate {
        Aggregate::Count => Aggr::Count,
        Aggregate::Sum => Aggr::Sum,
        Aggregate::Min => Aggr::Min,
        Aggregate::Max => Aggr::Max,
        Aggregate::Counter => Aggr::Counter,
    }
}

fn aggregates(given: &[i32]) -> Result<Aggregates, Status> {
    given.iter().try_fold(Aggregates::NONE, |all, &number| {
        let aggregate = match Aggr::try_from(number) {
            Ok(Aggr::Count) => Aggregate::Count,
            Ok(Aggr::Sum) => Aggregate::Sum,
            Ok(Aggr::Min) => Aggregate::Min,
            Ok(Aggr::Max) => Aggregate::Max,
            Ok(Aggr::Counter) => Aggregate::Counter,
            Ok(Aggr::Raw) | Err(_) => return Err(invalid(format!("unknown aggregate {number}"))),
        };
        Ok(all.and(aggregate))
    })
}
