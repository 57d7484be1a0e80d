//! Several sources as one.
//!
//! ```text
//! resolve      all children at once, replicas apart          a child that fails: warning or error
//! union        one roster without replica labels             which child has which series where
//! FanoutExec   takes the children's runs, series by series   merge, dedup, one row a series
//! ```
//!
//! A child whose extents fit neither the matchers nor the time is not asked. A child that is late or
//! fails does not hold up the others: with partial response its error becomes a warning that begins
//! with its name.
//!
//! # One replica in two places
//!
//! A sidecar has the last hours of a replica, the bucket the hours before, and both have what was
//! just uploaded. Runs of equal labels, replica labels among them, are copies of one sequence:
//!
//! ```text
//! bucket    replica=a    0   15   30   45
//! sidecar   replica=a             30   45   60   75
//! one       replica=a    0   15   30   45   60   75      of equal timestamps the first child's
//! ```
//!
//! Only then the replicas are made one ([`crate::dedup`]). `penalty` is Thanos' rule and takes
//! Thanos' way: all pieces of a series, of whatever replica or source, are dealt to lanes in which
//! none overlap, and the lanes are what it chooses from.
//!
//! # Downsampled samples
//!
//! One series may have raw samples from here and downsampled ones from there. Chunks of a replica that
//! overlap are then read one behind the other, so that nothing counts twice, and a counter becomes a
//! running total over all of them.

mod algo;
mod exec;
mod inputs;
mod totals;
mod union;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::physical_plan::empty::EmptyExec;
use futures::future::join_all;

use super::{
    DedupFunc, Extent, Listing, Resolved, ResolvedParts, Roster, Select, SelectOptions,
    SeriesSource, run_schema,
};
use crate::model::{Labels, Matcher, TimeRange};
use crate::{Error, ErrorKind, Result};

pub use exec::FanoutExec;

/// One of the sources that are made one.
#[derive(Debug, Clone)]
pub struct Child {
    /// What errors and warnings call it, and what `storeMatch[]` means by `__address__`.
    pub name: String,
    /// The source.
    pub source: Arc<dyn SeriesSource>,
    /// Whether the source makes replicas one by itself: alone, it is asked to.
    pub deduplicates: bool,
    /// Whether it is another process: its failure is a warning of a partial answer even if there is
    /// no other source.
    pub remote: bool,
}

/// The sources there are now; they may be others at the next query.
pub trait Children: std::fmt::Debug + Send + Sync {
    /// The sources for what lies in `range` at a resolution of at most `max_resolution` (ms), in order
    /// of preference.
    fn children(&self, range: TimeRange, max_resolution: i64) -> Vec<Child>;

    /// What is known to be missing from all of them.
    fn missing(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Children for Vec<Child> {
    fn children(&self, _: TimeRange, _: i64) -> Vec<Child> {
        self.clone()
    }
}

/// Several sources as one.
#[derive(Debug, Clone)]
pub struct FanoutSource {
    children: Arc<dyn Children>,
    /// The longest that a child may take to resolve, or to answer a metadata request.
    patience: Duration,
    /// Whether the children are places of their own, which a query may choose from.
    apart: bool,
}

impl FanoutSource {
    /// The sources that `children` has at each query; none is waited for longer than `patience`.
    pub fn new(children: Arc<dyn Children>, patience: Duration) -> Self {
        Self { children, patience, apart: true }
    }

    /// The parts of one place, such as the blocks of a bucket: no query chooses among them, and they
    /// are waited for as long as it takes.
    pub fn of_parts(children: Arc<dyn Children>) -> Self {
        Self { children, patience: Duration::MAX, apart: false }
    }

    /// The children that may have series which `matchers` accept, in `range`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) if there is no child at all: an empty answer would say
    /// that there are no series.
    fn fitting(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        max_resolution: i64,
        options: &SelectOptions,
    ) -> Result<Fitting> {
        let missing = self.children.missing();
        if let Some(what) = missing.first().filter(|_| !options.partial_response) {
            return Err(Error::corrupt(what.clone()));
        }
        let mut children = self.children.children(range, max_resolution);
        let all = children.len();
        if all == 0 {
            return Err(Error::new(ErrorKind::Unavailable, "no endpoint is known"));
        }
        let selectors = &options.source_matchers;
        children.retain(|child| {
            let of_name =
                |m: &Matcher| m.matches(if m.name() == ADDRESS { &child.name } else { "" });
            !self.apart || selectors.is_empty() || selectors.iter().any(|s| s.iter().all(of_name))
        });
        let mut trailing: Vec<String> = Vec::new();
        children.retain(|child| {
            let extents = child.source.extents();
            for label in extents.iter().flat_map(|extent| extent.labels.iter()) {
                if !trailing.iter().any(|known| **known == *label.name) {
                    trailing.push(label.name.to_string());
                }
            }
            extents.iter().any(|extent| fits(extent, matchers, range))
        });
        trailing.sort_unstable();
        Ok(Fitting { alone: all == 1, children, trailing, missing })
    }

    /// Asks all `children` at once; failures become warnings, or the first one the error.
    async fn ask<'a, T, F, A>(
        &self,
        children: &'a [Child],
        options: &SelectOptions,
        ask: A,
    ) -> Result<(Vec<(usize, T)>, Vec<String>)>
    where
        F: Future<Output = Result<T>>,
        A: Fn(&'a Child) -> F,
    {
        let patience = self.patience;
        let asked = children.iter().map(|child| {
            let answer = ask(child);
            async move {
                tokio::time::timeout(patience, answer).await.unwrap_or_else(|_| {
                    let message = format!("{}: no answer within {patience:?}", child.name);
                    Err(Error::new(ErrorKind::Unavailable, message))
                })
            }
        });
        let mut answers = Vec::new();
        let mut warnings = Vec::new();
        for (at, answer) in join_all(asked).await.into_iter().enumerate() {
            match answer {
                Ok(answer) => answers.push((at, answer)),
                Err(error) if is_of_the_query(&error) || !options.partial_response => {
                    return Err(error);
                }
                Err(error) => warnings.push(error.to_string()),
            }
        }
        Ok((answers, warnings))
    }

    /// Joins sorted lists of all children.
    async fn listing<'a, T, F, A>(
        &self,
        fitting: &'a Fitting,
        options: &SelectOptions,
        limit: usize,
        ask: A,
    ) -> Result<Listing<T>>
    where
        T: Ord,
        F: Future<Output = Result<Listing<T>>>,
        A: Fn(&'a Child) -> F,
    {
        let (answers, mut warnings) = self.ask(&fitting.children, options, ask).await?;
        warnings.extend(fitting.missing.iter().cloned());
        let (mut items, mut truncated) = (Vec::new(), false);
        for (_, listing) in answers {
            truncated |= listing.truncated;
            warnings.extend(listing.warnings);
            items.extend(listing.items);
        }
        let mut joined = Listing::new(items, limit, warnings);
        joined.truncated |= truncated;
        Ok(joined)
    }
}

/// Samples of any resolution know their series.
const ANY_RESOLUTION: i64 = i64::MAX;

/// The label by which `storeMatch[]` tells sources apart.
const ADDRESS: &str = "__address__";

/// The children that are asked.
struct Fitting {
    children: Vec<Child>,
    /// Whether there is one child at all.
    alone: bool,
    /// Names of the external labels of all of them.
    trailing: Vec<String>,
    /// What is known to be missing.
    missing: Vec<String>,
}

/// Whether a source may have series that `matchers` accept under the external labels of `extent`: a
/// label that is not among these may be any series' own.
fn fits(extent: &Extent, matchers: &[Matcher], range: TimeRange) -> bool {
    let accepts = |matcher: &Matcher| match extent.labels.get(matcher.name()) {
        "" => true,
        value => matcher.matches(value),
    };
    extent.range.overlaps(&range) && matchers.iter().all(accepts)
}

/// Whether an error is not that of one source alone: no other source would help.
fn is_of_the_query(error: &Error) -> bool {
    use ErrorKind as K;
    matches!(error.kind(), K::Invalid | K::ResourcesExhausted | K::Cancelled | K::Unsupported)
}

#[async_trait]
impl SeriesSource for FanoutSource {
    fn extents(&self) -> Vec<Extent> {
        let mut extents: Vec<Extent> = Vec::new();
        let all = self.children.children(TimeRange::ALL, ANY_RESOLUTION);
        for extent in all.iter().flat_map(|child| child.source.extents()) {
            match extents.iter_mut().find(|known| known.labels == extent.labels) {
                Some(known) => known.range = known.range.union(&extent.range),
                None => extents.push(extent),
            }
        }
        extents.sort_by(|a, b| a.labels.cmp(&b.labels));
        extents
    }

    async fn resolve(&self, select: &Select, options: &SelectOptions) -> Result<Resolved> {
        let Fitting { children, alone, trailing, missing } =
            self.fitting(&select.matchers, select.range, select.max_resolution, options)?;
        if let [only] = &children[..]
            && only.deduplicates
            && !only.remote
            && alone
            && missing.is_empty()
        {
            return only.source.resolve(select, options).await;
        }
        let apart = SelectOptions { trailing_labels: trailing, ..options.apart() };
        let ask = |child: &Child| {
            let (source, apart) = (Arc::clone(&child.source), &apart);
            let whole = only(&children, options).then_some(options);
            async move { source.resolve(select, whole.unwrap_or(apart)).await }
        };
        let (mut answers, mut warnings) = self.ask(&children, options, ask).await?;
        warnings.extend(missing);
        for (_, resolved) in &mut answers {
            warnings.append(&mut resolved.warnings);
        }
        if only(&children, options)
            && let Some((_, resolved)) = answers.pop()
        {
            return Ok(Resolved { warnings, ..resolved });
        }
        answers.retain(|(_, resolved)| !resolved.roster.is_empty());
        if answers.is_empty() {
            let runs = Arc::new(EmptyExec::new(run_schema()));
            return Ok(Resolved { roster: Arc::new(Roster::default()), runs, warnings });
        }
        let rosters: Vec<&Roster> = answers.iter().map(|(_, r)| r.roster.as_ref()).collect();
        let (roster, union) = union::unite(&rosters, &apart, options)?;
        let names = answers.iter().map(|(at, _)| children[*at].name.clone()).collect();
        let runs = answers.into_iter().map(|(_, resolved)| resolved.runs).collect();
        let plan = exec::Plan::new(union, names, select, options);
        let runs = Arc::new(FanoutExec::new(Arc::new(plan), runs));
        Ok(Resolved { roster: Arc::new(roster), runs, warnings })
    }

    async fn resolve_parts(
        &self,
        select: &Select,
        options: &SelectOptions,
    ) -> Result<ResolvedParts> {
        let Fitting { children, missing, .. } =
            self.fitting(&select.matchers, select.range, select.max_resolution, options)?;
        let ask = |child: &Child| {
            let source = Arc::clone(&child.source);
            async move { source.resolve_parts(select, options).await }
        };
        let (answers, mut warnings) = self.ask(&children, options, ask).await?;
        warnings.extend(missing);
        let mut sources = Vec::new();
        for (_, resolved) in answers {
            sources.extend(resolved.sources.into_iter().filter(|s| !s.roster.is_empty()));
            warnings.extend(resolved.warnings);
        }
        Ok(ResolvedParts { sources, warnings })
    }

    async fn series(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<Labels>> {
        let fitting = self.fitting(matchers, range, ANY_RESOLUTION, options)?;
        self.listing(&fitting, options, limit, |child| {
            child.source.series(matchers, range, options, limit)
        })
        .await
    }

    async fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let fitting = self.fitting(matchers, range, ANY_RESOLUTION, options)?;
        self.listing(&fitting, options, limit, |child| {
            child.source.label_names(matchers, range, options, limit)
        })
        .await
    }

    async fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
        options: &SelectOptions,
        limit: usize,
    ) -> Result<Listing<String>> {
        let fitting = self.fitting(matchers, range, ANY_RESOLUTION, options)?;
        self.listing(&fitting, options, limit, |child| {
            child.source.label_values(name, matchers, range, options, limit)
        })
        .await
    }
}

/// Whether one child is asked, and it makes replicas one by itself. Where they stay apart, a child that
/// could go on by Thanos' rule gives pieces.
fn only(children: &[Child], options: &SelectOptions) -> bool {
    let whole = options.dedup || options.dedup_func != DedupFunc::Penalty;
    matches!(children, [only] if only.deduplicates && whole)
}
