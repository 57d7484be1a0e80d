//! What queries may take of the machine.

use clap::Args;
use engine::source::ReadLimits;
use promql::EngineSettings;

use super::size;
use crate::roles::memory;

/// Limits of PromQL queries. Whoever goes beyond one gets an error that names it.
#[derive(Debug, Clone, Args)]
pub(crate) struct LimitArgs {
    /// Memory of all queries together; 0 is 60 % of what the machine, or the container, has.
    #[arg(long = "memory-limit", default_value = "0", value_parser = size::parse)]
    memory: u64,
    /// Memory of one query; 0 is half of that of all queries.
    #[arg(long = "query.memory-limit", default_value = "0", value_parser = size::parse)]
    query_memory: u64,
    /// Most series that the selectors of a query may match together; 0 is no limit.
    #[arg(long = "query.max-series", default_value = "1000000")]
    series: usize,
    /// Most samples that a query may read, replicas included; 0 is no limit.
    #[arg(long = "query.max-samples", default_value = "500000000")]
    samples: usize,
    /// Most bytes of pages and chunks that a query may read; 0 is no limit.
    #[arg(long = "query.max-fetched-bytes", default_value = "2GiB", value_parser = size::parse)]
    bytes: u64,
}

impl LimitArgs {
    /// The engine's settings under these limits.
    pub(crate) fn engine(&self) -> EngineSettings {
        let bytes = |given: u64| usize::try_from(given).unwrap_or(usize::MAX);
        let all = match self.memory {
            0 => memory::available() / 5 * 3,
            given => given,
        };
        let one = match self.query_memory {
            0 => all / 2,
            given => given,
        };
        EngineSettings {
            memory_limit: bytes(all),
            query_memory_limit: bytes(one),
            series_limit: or_none(self.series),
            ..EngineSettings::default()
        }
    }

    /// What a query may read; `request_samples` is the limit of a StoreAPI request, 0 for none.
    pub(crate) fn reading(&self, request_samples: usize) -> ReadLimits {
        let bytes = if self.bytes == 0 { u64::MAX } else { self.bytes };
        ReadLimits::new(or_none(self.samples).min(or_none(request_samples)), bytes)
    }
}

fn or_none(given: usize) -> usize {
    if given == 0 { usize::MAX } else { given }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn limits(flags: &[&str]) -> LimitArgs {
        Line::try_parse_from(["x"].iter().chain(flags)).expect("known flags").limits
    }

    #[test]
    fn limits_are_finite_by_default_and_none_when_0() {
        let built_in = limits(&[]);
        let (engine, reading) = (built_in.engine(), built_in.reading(0));
        assert!(engine.memory_limit > 0 && (engine.memory_limit as u64) < memory::available());
        assert_eq!(engine.query_memory_limit, engine.memory_limit / 2);
        assert_eq!(engine.series_limit, 1_000_000);
        assert_eq!((reading.most_samples(), reading.most_bytes()), (500_000_000, 2 << 30));
        let none = limits(&["--query.max-series=0", "--query.max-samples=0"]);
        assert_eq!(none.engine().series_limit, usize::MAX);
        assert_eq!(none.reading(0).most_samples(), usize::MAX);
    }

    #[test]
    fn the_smaller_limit_holds() {
        let given = limits(&["--memory-limit=256MiB", "--query.max-samples=7"]);
        let engine = given.engine();
        assert_eq!((engine.memory_limit, engine.query_memory_limit), (256 << 20, 128 << 20));
        assert_eq!(given.reading(5).most_samples(), 5);
        assert_eq!(given.reading(9).most_samples(), 7);
    }
}
