//! `stoa tools bucket verify`: reads blocks whole and names everything that is wrong with them.

use std::process::ExitCode;
use std::time::Duration;

use engine::ErrorKind;
use engine::block::{self, BlockId};
use engine::bucket::Bucket;
use engine::catalog::Survey;

use super::progress::Progress;
use super::{print, spelling, survey};
use crate::cli::duration;

/// The flags of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Id of a block to verify; repeatable. Without any, all are verified that are not marked for
    /// deletion.
    #[arg(long = "id", value_name = "ULID")]
    ids: Vec<BlockId>,
    /// The most time that listing the bucket gets.
    #[arg(long = "timeout", default_value = "5m", value_parser = duration::parse)]
    timeout: Duration,
}

pub(super) async fn run(args: VerifyArgs, bucket: &Bucket) -> anyhow::Result<ExitCode> {
    let survey = survey(bucket, args.timeout).await?;
    let listed = args.ids.is_empty();
    let ids = if listed { all(&survey) } else { args.ids };
    let progress = Progress::blocks(ids.len() as u64);
    let (mut sound, mut bad) = (0, 0);
    for id in ids {
        progress.begin(&id.to_string());
        let report = match block::verify(bucket, id).await {
            // Removed since the listing.
            Err(error) if listed && error.kind() == ErrorKind::NotFound => {
                progress.done_one();
                continue;
            }
            report => report?,
        };
        let mut problems = report.problems;
        // What only the listing shows.
        let aside = survey.set_aside.iter().find(|block| block.block == id);
        if let Some(block) = aside
            && problems.is_empty()
        {
            problems.push(block.reason.clone());
        }
        let text = match problems.len() {
            0 => {
                sound += 1;
                format!(
                    "{id}: sound: {} samples of {} series, {}\n",
                    spelling::count(report.samples),
                    spelling::count(report.series),
                    spelling::bytes(report.bytes)
                )
            }
            number => {
                bad += 1;
                let problem = if number == 1 { "problem" } else { "problems" };
                let lines: String = problems.iter().map(|what| format!("  {what}\n")).collect();
                format!("{id}: {number} {problem}\n{lines}")
            }
        };
        progress.above(|| print(&text))?;
        progress.done_one();
    }
    drop(progress);
    if survey.partial.len() > 0 {
        tracing::info!(
            folders = survey.partial.len(),
            "folders without meta.json: uploads under way, or cut off"
        );
    }
    print(&format!("{sound} of {} blocks are sound\n", sound + bad))?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The blocks that are not marked for deletion, and those that are not sound.
fn all(survey: &Survey) -> Vec<BlockId> {
    let unmarked = survey.blocks.iter().filter(|block| !block.is_marked());
    let bad = survey.set_aside.iter().map(|block| block.block);
    unmarked.map(|block| block.meta.ulid).chain(bad).collect()
}
