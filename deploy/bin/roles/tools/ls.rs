//! `stoa tools bucket ls`: the blocks of a bucket.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use engine::block::BlockMeta;
use engine::bucket::Bucket;
use engine::model::TimeRange;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::{print, spelling, survey};
use crate::cli::{duration, time};

/// The flags of `ls`.
#[derive(Debug, clap::Args)]
pub(super) struct LsArgs {
    /// What is printed of each block: its id, a line (wide) or its meta.json (json).
    #[arg(
        long = "output",
        short = 'o',
        value_name = "wide|json",
        default_value = "",
        hide_default_value = true,
        value_parser = output
    )]
    output: Output,
    /// Leave out blocks that are marked for deletion.
    #[arg(long = "exclude-delete")]
    exclude_delete: bool,
    /// Leave out blocks that end before this time (RFC 3339, or as in -1d).
    #[arg(
        long = "min-time",
        value_name = "TIME",
        default_value = "0000-01-01T00:00:00Z",
        allow_hyphen_values = true,
        value_parser = time::parse
    )]
    min_time: i64,
    /// Leave out blocks that begin after this time (RFC 3339, or as in -1d).
    #[arg(
        long = "max-time",
        value_name = "TIME",
        default_value = "9999-12-31T23:59:59Z",
        allow_hyphen_values = true,
        value_parser = time::parse
    )]
    max_time: i64,
    /// The most time that listing the bucket gets.
    #[arg(long = "timeout", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Output {
    Id,
    Wide,
    Json,
}

fn output(text: &str) -> Result<Output, String> {
    match text {
        "" => Ok(Output::Id),
        "wide" => Ok(Output::Wide),
        "json" => Ok(Output::Json),
        _ => Err("expected wide or json, or nothing; there are no templates".to_owned()),
    }
}

pub(super) async fn run(args: LsArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let survey = survey(bucket, args.timeout).await?;
    let range = TimeRange::new(args.min_time, args.max_time);
    let mut listed = 0;
    let mut text = String::new();
    for block in &survey.blocks {
        if (args.exclude_delete && block.is_marked()) || !block.meta.range().overlaps(&range) {
            continue;
        }
        listed += 1;
        match args.output {
            Output::Id => text.push_str(&block.meta.ulid.to_string()),
            Output::Wide => text.push_str(&wide(&block.meta)),
            Output::Json => text.push_str(&json(&block.meta)?),
        }
        text.push('\n');
    }
    print(&text)?;
    tracing::info!(
        bucket = bucket.name(),
        blocks = listed,
        not_sound = survey.set_aside.len(),
        not_finished = survey.partial.len(),
        "ls done"
    );
    Ok(ExitCode::SUCCESS)
}

/// The line of Thanos' `-o wide`.
fn wide(meta: &BlockMeta) -> String {
    format!(
        "{} -- {} - {} Diff: {}, Compaction: {}, Downsample: {}, Source: {}",
        meta.ulid,
        spelling::time(meta.min_time),
        spelling::time(meta.max_time),
        spelling::duration(meta.max_time.saturating_sub(meta.min_time)),
        meta.compaction.level,
        meta.thanos.downsample.resolution,
        meta.thanos.source
    )
}

/// The `meta.json`, indented as Thanos indents it.
fn json(meta: &BlockMeta) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"\t"));
    meta.serialize(&mut serializer).context("meta.json")?;
    String::from_utf8(text).context("meta.json")
}
