//! What is removed from a bucket: blocks whose deletion mark is old enough, and what was left unfinished.

use crate::Result;
use crate::block::BlockId;
use crate::block::mark::DeletionMark;
use crate::bucket::{Bucket, delete_block};
use crate::catalog::covered::{may_be_of, sources};
use crate::catalog::{Survey, Surveyed};

/// How old what an upload left unfinished is before it is removed, in ms
/// (`PartialUploadThresholdAge` in `pkg/compact/clean.go`).
pub const PARTIAL_AGE_MS: i64 = 48 * 3_600_000;

/// A block that is removed, or is not although it is marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The block.
    pub block: BlockId,
    /// Why.
    pub why: String,
}

/// What is to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaning {
    /// Blocks that were marked.
    pub marked: Vec<Cleaned>,
    /// Folders without `meta.json`.
    pub unfinished: Vec<Cleaned>,
    /// Blocks whose time has come, but whose samples no other block has now.
    pub kept: Vec<Cleaned>,
}

/// What of `survey` is to be removed at `now` (ms since 1970), `delete_delay_ms` after the marks.
///
/// A mark that says which block replaces this one ([`DeletionMark::replaced_by`]) is heeded only if a sound
/// and unmarked block has its samples now.
pub fn decide(survey: &Survey, now: i64, delete_delay_ms: i64) -> Cleaning {
    let mut cleaning = Cleaning::default();
    let is_due = |mark: &&DeletionMark| {
        now.saturating_sub(mark.deletion_time.saturating_mul(1000)) >= delete_delay_ms
    };
    for block in &survey.blocks {
        let Some(mark) = block.marks.deletion.as_ref().filter(is_due) else { continue };
        let cleaned = Cleaned { block: block.meta.ulid, why: mark.details.clone() };
        match mark.replaced_by {
            Some(by) if !is_replaced(survey, block, by) => {
                let why = format!("it was replaced by {by}, which is not there or not sound");
                cleaning.kept.push(Cleaned { why, ..cleaned });
            }
            _ => cleaning.marked.push(cleaned),
        }
    }
    for block in &survey.set_aside {
        let Some(mark) = block.marks.deletion.as_ref().filter(is_due) else { continue };
        let is_sound = |by| survey.blocks.iter().any(|b| b.meta.ulid == by && !b.is_marked());
        let cleaned = Cleaned { block: block.block, why: mark.details.clone() };
        match mark.replaced_by {
            Some(by) if !is_sound(by) => {
                let why = format!("it was replaced by {by}, which is not there or not sound");
                cleaning.kept.push(Cleaned { why, ..cleaned });
            }
            _ => cleaning.marked.push(cleaned),
        }
    }
    for partial in &survey.partial {
        let block = partial.block;
        if partial.marked {
            let why = "its removal was cut off".to_owned();
            cleaning.unfinished.push(Cleaned { block, why });
        } else if now.saturating_sub(partial.newest) > PARTIAL_AGE_MS {
            let why = "its upload was cut off".to_owned();
            cleaning.unfinished.push(Cleaned { block, why });
        }
    }
    cleaning
}

/// Whether a sound block that is not marked has all samples of `block`: `by`, or another one.
fn is_replaced(survey: &Survey, block: &Surveyed, by: BlockId) -> bool {
    let own = sources(&block.meta);
    let has_all = |other: &Surveyed| {
        let (thanos, of_block) = (&other.meta.thanos, &block.meta.thanos);
        thanos.downsample == of_block.downsample
            && may_be_of(&thanos.labels, &of_block.labels)
            && own.is_subset(&sources(&other.meta))
    };
    let others = survey.blocks.iter().filter(|b| b.meta.ulid != block.meta.ulid && !b.is_marked());
    others.into_iter().any(|other| other.meta.ulid == by || has_all(other))
}

/// Removes what was decided; how many blocks are gone, and what failed.
pub async fn clean(bucket: &Bucket, cleaning: &Cleaning) -> (usize, Vec<crate::Error>) {
    let (mut removed, mut failed) = (0, Vec::new());
    for cleaned in cleaning.marked.iter().chain(&cleaning.unfinished) {
        let gone: Result<()> = delete_block(bucket, cleaned.block).await;
        match gone {
            Ok(()) => {
                tracing::info!(block = %cleaned.block, why = cleaned.why, "block removed");
                removed += 1;
            }
            Err(error) => failed.push(error),
        }
    }
    for kept in &cleaning.kept {
        tracing::warn!(block = %kept.block, why = kept.why, "marked block kept");
    }
    (removed, failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::BlockMeta;
    use crate::catalog::{Marks, Partial, Unsound};
    use crate::compact::plan::tests::{block, id};

    const HOUR: i64 = 3_600_000;

    fn surveyed(text: &str, mark: Option<(i64, Option<&str>)>) -> Surveyed {
        let meta: Arc<BlockMeta> = block(text).meta;
        let deletion = mark.map(|(time, by)| DeletionMark::new(meta.ulid, "why", by.map(id), time));
        Surveyed { meta, uploaded: 0, marks: Marks { deletion, ..Marks::default() } }
    }

    fn blocks(cleaned: &[Cleaned]) -> Vec<BlockId> {
        cleaned.iter().map(|cleaned| cleaned.block).collect()
    }

    #[test]
    fn marked_blocks_go_after_the_delay() {
        let survey = Survey {
            blocks: vec![
                surveyed("old - 0-2", Some((0, None))),
                surveyed("new - 0-2", Some((HOUR, None))),
                surveyed("none - 0-2", None),
            ],
            ..Survey::default()
        };
        let at = |now| blocks(&decide(&survey, now, 48 * HOUR).marked);
        assert_eq!(at(48 * HOUR - 1), []);
        assert_eq!(at(48 * HOUR), [id("old")]);
        assert_eq!(at(49 * HOUR), [id("old"), id("new")]);
    }

    #[test]
    fn what_nothing_replaces_stays() {
        let marked = || surveyed("a r 0-2", Some((0, Some("day"))));
        let decided = |others: Vec<Surveyed>| {
            let mut survey = Survey { blocks: vec![marked()], ..Survey::default() };
            survey.blocks.extend(others);
            let cleaning = decide(&survey, HOUR, 0);
            (blocks(&cleaning.marked), blocks(&cleaning.kept))
        };
        let (gone, kept) = ((vec![id("a")], vec![]), (vec![], vec![id("a")]));
        assert_eq!(decided(vec![surveyed("day - 0-24 <a,b", None)]), gone);
        assert_eq!(decided(vec![surveyed("later - 0-24 <a,b,c", None)]), gone);
        assert_eq!(decided(vec![]), kept);
        assert_eq!(decided(vec![surveyed("later - 0-24 <b,c", None)]), kept);
        assert_eq!(decided(vec![surveyed("later - 0-24 <a,b 5m", None)]), kept);
        assert_eq!(decided(vec![surveyed("later x 0-24 <a,b", None)]), kept);
        let marked = (vec![id("a"), id("day")], vec![]);
        let day = surveyed("day - 0-24 <a,b", Some((0, None)));
        assert_eq!(decided(vec![day]), (vec![id("day")], vec![id("a")]));
        let later = surveyed("later - 0-24 <a,b,c", None);
        let day = surveyed("day - 0-24 <a,b", Some((0, None)));
        assert_eq!(decided(vec![day, later]), marked);
    }

    #[test]
    fn unsound_and_unfinished_blocks_go_too() {
        let partial = |name: &str, newest, marked| Partial {
            block: id(name),
            newest,
            marked,
            objects: Vec::new(),
        };
        let deletion = Some(DeletionMark::new(id("bad"), "", None, 0));
        let replaced = Some(DeletionMark::new(id("kept"), "", Some(id("x")), 0));
        let unsound = |name: &str, deletion| Unsound {
            block: id(name),
            reason: String::new(),
            marks: Marks { deletion, ..Marks::default() },
        };
        let survey = Survey {
            blocks: Vec::new(),
            set_aside: vec![
                unsound("bad", deletion),
                unsound("kept", replaced),
                unsound("worse", None),
            ],
            partial: vec![
                partial("half", HOUR, true),
                partial("old", 0, false),
                partial("new", 1, false),
            ],
        };
        let cleaning = decide(&survey, PARTIAL_AGE_MS + 1, 0);
        assert_eq!(blocks(&cleaning.marked), [id("bad")]);
        assert_eq!(blocks(&cleaning.kept), [id("kept")]);
        assert_eq!(blocks(&cleaning.unfinished), [id("half"), id("old")]);
    }
}
