//! The metrics of a compactor, by Thanos' names (`cmd/thanos/compact.go`, `pkg/compact/compact.go`).

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::compact::plan::{Job, Plan};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Resolution {
    resolution: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Marker {
    marker: &'static str,
}

/// The metrics of a compactor.
#[derive(Debug, Clone, Default)]
pub struct CompactMetrics {
    pub(super) iterations: Counter,
    compactions: Family<Resolution, Counter>,
    compaction_failures: Family<Resolution, Counter>,
    vertical: Family<Resolution, Counter>,
    downsamplings: Family<Resolution, Counter>,
    downsampling_failures: Family<Resolution, Counter>,
    todo_compactions: Gauge,
    todo_compaction_blocks: Gauge,
    todo_downsample_blocks: Gauge,
    marked: Family<Marker, Counter>,
    pub(super) cleaned: Counter,
    pub(super) clean_failures: Counter,
    halted: Gauge,
    pub(super) unsound: Gauge,
    pub(super) held_back: Gauge,
}

impl CompactMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "thanos_compact_iterations",
            "Total number of iterations that were started",
            new.iterations.clone(),
        );
        registry.register(
            "thanos_compact_group_compactions",
            "Total number of group compactions that made a block, by resolution",
            new.compactions.clone(),
        );
        registry.register(
            "thanos_compact_group_compactions_failures",
            "Total number of failed group compactions, by resolution",
            new.compaction_failures.clone(),
        );
        registry.register(
            "thanos_compact_group_vertical_compactions",
            "Total number of group compactions of overlapping blocks, by resolution",
            new.vertical.clone(),
        );
        registry.register(
            "thanos_compact_downsample",
            "Total number of downsamplings, by resolution of the result",
            new.downsamplings.clone(),
        );
        registry.register(
            "thanos_compact_downsample_failures",
            "Total number of failed downsamplings, by resolution of the result",
            new.downsampling_failures.clone(),
        );
        registry.register(
            "thanos_compact_todo_compactions",
            "Number of compactions to be done",
            new.todo_compactions.clone(),
        );
        registry.register(
            "thanos_compact_todo_compaction_blocks",
            "Number of blocks planned to be compacted",
            new.todo_compaction_blocks.clone(),
        );
        registry.register(
            "thanos_compact_todo_downsample_blocks",
            "Number of blocks to be downsampled",
            new.todo_downsample_blocks.clone(),
        );
        registry.register(
            "thanos_compact_blocks_marked",
            "Total number of blocks marked, by kind of mark",
            new.marked.clone(),
        );
        registry.register(
            "thanos_compact_blocks_cleaned",
            "Total number of blocks deleted",
            new.cleaned.clone(),
        );
        registry.register(
            "thanos_compact_block_cleanup_failures",
            "Failures encountered while deleting blocks",
            new.clean_failures.clone(),
        );
        registry.register(
            "thanos_compact_halted",
            "Always 0: what cannot be compacted is set aside, and the rest goes on",
            new.halted.clone(),
        );
        registry.register(
            "stoa_compact_unsound_blocks",
            "Number of blocks that are not sound",
            new.unsound.clone(),
        );
        registry.register(
            "stoa_compact_retention_held_back_blocks",
            "Number of blocks past their retention that are not downsampled yet",
            new.held_back.clone(),
        );
        new
    }

    /// What is to be done.
    pub(super) fn planned(&self, plan: &Plan) {
        let blocks = |jobs: &[Job]| jobs.iter().map(|job| job.sources.len() as i64).sum();
        self.todo_compactions.set(plan.compactions.len() as i64);
        self.todo_compaction_blocks.set(blocks(&plan.compactions));
        self.todo_downsample_blocks.set(blocks(&plan.downsamplings));
    }

    /// A job was done.
    pub(super) fn done(&self, job: &Job) {
        let resolution = Resolution { resolution: job.group.resolution };
        if job.downsamples() {
            self.downsamplings.get_or_create(&resolution).inc();
            return;
        }
        self.compactions.get_or_create(&resolution).inc();
        if job.sources.windows(2).any(|pair| pair[1].min_time < pair[0].max_time) {
            self.vertical.get_or_create(&resolution).inc();
        }
    }

    /// A job failed.
    pub(super) fn failed(&self, job: &Job) {
        let failures = match job.downsamples() {
            true => &self.downsampling_failures,
            false => &self.compaction_failures,
        };
        failures.get_or_create(&Resolution { resolution: job.group.resolution }).inc();
    }

    /// A block got a mark of a kind.
    pub(super) fn marked(&self, marker: &'static str) {
        self.marked.get_or_create(&Marker { marker }).inc();
    }
}
