//! `stoa tools bucket inspect`: the blocks of a bucket as a table.

use std::cmp::Ordering;
use std::process::ExitCode;
use std::time::Duration;

use clap::ValueEnum;
use engine::block::BlockMeta;
use engine::bucket::Bucket;

use super::table::{self, Output};
use super::{labels, print, spelling, survey};
use crate::cli::duration;

/// Raw blocks of this length are downsampled to 5 minutes.
const UNTIL_5M_MS: i64 = 40 * 3_600_000;
/// Blocks of 5 minutes and this length are downsampled to 1 hour.
const UNTIL_1H_MS: i64 = 10 * 24 * 3_600_000;
/// The resolutions that have a coarser one, in ms.
const RAW: i64 = 0;
const FIVE_MINUTES: i64 = 300_000;

/// The flags of `inspect`.
#[derive(Debug, clap::Args)]
pub(super) struct InspectArgs {
    /// Only blocks with this external label; repeatable, all must match.
    #[arg(
        long = "selector",
        short = 'l',
        value_name = "NAME=\"VALUE\"",
        value_parser = labels::parse
    )]
    selector: Vec<(String, String)>,
    /// Column to sort by; repeatable, later ones decide where earlier ones are equal.
    #[arg(
        long = "sort-by",
        value_name = "COLUMN",
        value_enum,
        default_values_t = [Column::From, Column::Until]
    )]
    sort_by: Vec<Column>,
    /// Form of the output.
    #[arg(long = "output", value_enum, default_value = "table")]
    output: Output,
    /// The most time that listing the bucket gets.
    #[arg(long = "timeout", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
}

/// The columns of Thanos' table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Column {
    #[value(name = "ULID")]
    Ulid,
    #[value(name = "FROM")]
    From,
    #[value(name = "UNTIL")]
    Until,
    #[value(name = "RANGE")]
    Range,
    #[value(name = "UNTIL-DOWN")]
    UntilDown,
    #[value(name = "#SERIES")]
    Series,
    #[value(name = "#SAMPLES")]
    Samples,
    #[value(name = "#CHUNKS")]
    Chunks,
    #[value(name = "COMP-LEVEL")]
    CompLevel,
    #[value(name = "COMP-FAILED")]
    CompFailed,
    #[value(name = "LABELS")]
    Labels,
    #[value(name = "RESOLUTION")]
    Resolution,
    #[value(name = "SOURCE")]
    Source,
}

pub(super) async fn run(args: InspectArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let survey = survey(bucket, args.timeout).await?;
    let selected = |meta: &BlockMeta| {
        args.selector.iter().all(|(name, value)| meta.thanos.labels.get(name) == Some(value))
    };
    let mut blocks: Vec<&BlockMeta> =
        survey.blocks.iter().map(|block| &*block.meta).filter(|meta| selected(meta)).collect();
    blocks.sort_by(|a, b| {
        let by_column = args.sort_by.iter().map(|column| column.compare(a, b));
        by_column.fold(Ordering::Equal, Ordering::then).then(a.ulid.cmp(&b.ulid))
    });
    let columns = Column::value_variants();
    let header: Vec<String> = columns.iter().map(|column| column.name()).collect();
    let rows: Vec<Vec<String>> = blocks
        .iter()
        .map(|meta| columns.iter().map(|column| column.cell(meta)).collect())
        .collect();
    print(&table::render(args.output, &header, &rows))?;
    Ok(ExitCode::SUCCESS)
}

impl Column {
    fn name(self) -> String {
        // No column is skipped, so each has a name.
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn cell(self, meta: &BlockMeta) -> String {
        match self {
            Self::Ulid => meta.ulid.to_string(),
            Self::From => spelling::time(meta.min_time),
            Self::Until => spelling::time(meta.max_time),
            Self::Range => spelling::duration(length(meta)),
            Self::UntilDown => match until_downsampling(meta) {
                Some(ms) => spelling::duration(ms),
                None => "-".to_owned(),
            },
            Self::Series => spelling::count(meta.stats.num_series),
            Self::Samples => spelling::count(meta.stats.num_samples),
            Self::Chunks => spelling::count(meta.stats.num_chunks),
            Self::CompLevel => spelling::count(meta.compaction.level.into()),
            // A compaction that fails leaves nothing behind.
            Self::CompFailed => "false".to_owned(),
            Self::Labels => labels_of(meta),
            Self::Resolution => spelling::duration(meta.thanos.downsample.resolution),
            Self::Source => meta.thanos.source.clone(),
        }
    }

    fn compare(self, a: &BlockMeta, b: &BlockMeta) -> Ordering {
        match self {
            Self::Ulid => a.ulid.cmp(&b.ulid),
            Self::From => a.min_time.cmp(&b.min_time),
            Self::Until => a.max_time.cmp(&b.max_time),
            Self::Range => length(a).cmp(&length(b)),
            Self::UntilDown => until_downsampling(a).cmp(&until_downsampling(b)),
            Self::Series => a.stats.num_series.cmp(&b.stats.num_series),
            Self::Samples => a.stats.num_samples.cmp(&b.stats.num_samples),
            Self::Chunks => a.stats.num_chunks.cmp(&b.stats.num_chunks),
            Self::CompLevel => a.compaction.level.cmp(&b.compaction.level),
            Self::CompFailed => Ordering::Equal,
            Self::Labels => labels_of(a).cmp(&labels_of(b)),
            Self::Resolution => a.thanos.downsample.resolution.cmp(&b.thanos.downsample.resolution),
            Self::Source => a.thanos.source.cmp(&b.thanos.source),
        }
    }
}

fn length(meta: &BlockMeta) -> i64 {
    meta.max_time.saturating_sub(meta.min_time)
}

/// How much longer the block must become before it is downsampled, less than zero if it is long
/// enough; none where there is no coarser resolution (Thanos `compact.UntilNextDownsampling`).
fn until_downsampling(meta: &BlockMeta) -> Option<i64> {
    match meta.thanos.downsample.resolution {
        RAW => Some(UNTIL_5M_MS.saturating_sub(length(meta))),
        FIVE_MINUTES => Some(UNTIL_1H_MS.saturating_sub(length(meta))),
        _ => None,
    }
}

fn labels_of(meta: &BlockMeta) -> String {
    let labels: Vec<String> =
        meta.thanos.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    labels.join(",")
}
