//! What a request may say.

use engine::model::{Aggregate, Aggregates, MatchOp, Matcher, TimeRange};
use prost::Message;
use prost_types::Any;
use proto::thanos::label_matcher::Type;
use proto::thanos::{Aggr, LabelMatcher, PartialResponseStrategy, ShardInfo};
use tonic::Status;

/// Matchers, in the terms of the engine.
pub(crate) fn matchers(given: &[LabelMatcher]) -> Result<Vec<Matcher>, Status> {
    let matcher = |given: &LabelMatcher| {
        let op = match Type::try_from(given.r#type) {
            Ok(Type::Eq) => MatchOp::Equal,
            Ok(Type::Neq) => MatchOp::NotEqual,
            Ok(Type::Re) => MatchOp::Regex,
            Ok(Type::Nre) => MatchOp::NotRegex,
            Err(_) => {
                return Err(invalid(format!(
                    "unknown label matcher type {} of label {:?}",
                    given.r#type, given.name
                )));
            }
        };
        Matcher::new(given.name.as_str(), op, given.value.as_str())
            .map_err(|error| invalid(error.to_string()))
    };
    given.iter().map(matcher).collect()
}

/// Whether what cannot be read ends the call. `disabled` is the older way to say it; both are filled
/// by Thanos' clients.
pub(super) fn aborts(strategy: i32, disabled: bool) -> Result<bool, Status> {
    match PartialResponseStrategy::try_from(strategy) {
        Ok(PartialResponseStrategy::Warn) => Ok(disabled),
        Ok(PartialResponseStrategy::Abort) => Ok(true),
        Err(_) => Err(invalid(format!("unknown partial response strategy {strategy}"))),
    }
}

/// Which aggregates of downsampled series are wanted. Raw samples are always.
pub(super) fn aggregates(given: &[i32]) -> Result<Aggregates, Status> {
    given.iter().try_fold(Aggregates::NONE, |set, &number| {
        Ok(match Aggr::try_from(number) {
            Ok(Aggr::Raw) => set,
            Ok(Aggr::Count) => set.and(Aggregate::Count),
            Ok(Aggr::Sum) => set.and(Aggregate::Sum),
            Ok(Aggr::Min) => set.and(Aggregate::Min),
            Ok(Aggr::Max) => set.and(Aggregate::Max),
            Ok(Aggr::Counter) => set.and(Aggregate::Counter),
            Err(_) => return Err(invalid(format!("unknown aggregate {number}"))),
        })
    })
}

/// A limit; 0 is none.
pub(super) fn limit(name: &str, given: i64) -> Result<usize, Status> {
    usize::try_from(given).map_err(|_| invalid(format!("{name} must not be negative: {given}")))
}

/// The part of `from..=to` that is served.
pub(crate) fn range(from: i64, to: i64, served: TimeRange) -> TimeRange {
    TimeRange::new(from.max(served.min), to.min(served.max))
}

/// Checks a shard.
pub(crate) fn shard(given: Option<&ShardInfo>) -> Result<(), Status> {
    match given {
        Some(shard) if shard.total_shards < 0 || shard.shard_index < 0 => {
            Err(invalid("shard index and number of shards must not be negative"))
        }
        _ => Ok(()),
    }
}

/// Checks hints of type `T`. They ask for what only native blocks have; so they are understood and
/// have no effect, but what cannot be understood is an error, as in Thanos.
pub(super) fn hints<T: Message + Default>(given: Option<&Any>, name: &str) -> Result<(), Status> {
    let Some(any) = given else { return Ok(()) };
    let wrong = |error: String| invalid(format!("unmarshal {name}: {error}"));
    let own = any.type_url.rsplit('/').next().unwrap_or_default();
    let expected = format!("hintspb.{name}");
    if own != expected {
        return Err(wrong(format!("mismatched message type: got {own:?} want {expected:?}")));
    }
    T::decode(any.value.as_slice()).map(drop).map_err(|error| wrong(error.to_string()))
}

pub(crate) fn invalid(message: impl Into<String>) -> Status {
    Status::invalid_argument(message)
}
