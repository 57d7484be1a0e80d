//! Metrics of object storage operations, by Thanos' names (`objstore.BucketMetrics`).

use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::{ErrorKind, Result};

/// What was done, in Thanos' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the names are the label values")]
pub(super) enum Operation {
    iter,
    get,
    get_range,
    upload,
    delete,
    attributes,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    bucket: String,
    operation: Operation,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BucketLabels {
    bucket: String,
}

type Histograms = Family<OperationLabels, Histogram, fn() -> Histogram>;

/// The metrics of all buckets of a process, told apart by the label `bucket`.
#[derive(Debug, Clone)]
pub struct BucketMetrics {
    operations: Family<OperationLabels, Counter>,
    failures: Family<OperationLabels, Counter>,
    fetched_bytes: Family<OperationLabels, Counter>,
    duration: Histograms,
    last_upload: Family<BucketLabels, Gauge<f64, AtomicU64>>,
}

impl Default for BucketMetrics {
    /// Metrics that nobody sees.
    fn default() -> Self {
        Self {
            operations: Family::default(),
            failures: Family::default(),
            fetched_bytes: Family::default(),
            duration: Family::new_with_constructor(seconds),
            last_upload: Family::default(),
        }
    }
}

fn seconds() -> Histogram {
    Histogram::new([0.001, 0.01, 0.1, 0.3, 0.6, 1., 3., 6., 9., 20., 30., 60., 90., 120.])
}

impl BucketMetrics {
    /// Metrics that `registry` exposes.
    pub fn new(registry: &mut Registry) -> Self {
        let new = Self::default();
        registry.register(
            "thanos_objstore_bucket_operations",
            "Total number of all attempted operations against a bucket",
            new.operations.clone(),
        );
        registry.register(
            "thanos_objstore_bucket_operation_failures",
            "Total number of operations against a bucket that failed unexpectedly",
            new.failures.clone(),
        );
        registry.register(
            "thanos_objstore_bucket_operation_fetched_bytes",
            "Total number of bytes fetched from a bucket, per operation",
            new.fetched_bytes.clone(),
        );
        registry.register(
            "thanos_objstore_bucket_operation_duration_seconds",
            "Duration of successful operations against a bucket",
            new.duration.clone(),
        );
        registry.register(
            "thanos_objstore_bucket_last_successful_upload_time",
            "Second timestamp of the last successful upload to a bucket",
            new.last_upload.clone(),
        );
        new
    }

    /// Counts an operation and times it. A missing object is an answer, not a failure.
    pub(super) async fn observe<T>(
        &self,
        bucket: &str,
        operation: Operation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let labels = OperationLabels { bucket: bucket.to_owned(), operation };
        self.operations.get_or_create(&labels).inc();
        let begin = Instant::now();
        let done = work.await;
        match &done {
            Ok(_) => {
                self.duration.get_or_create(&labels).observe(begin.elapsed().as_secs_f64());
                if operation == Operation::upload {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    self.last_upload
                        .get_or_create(&BucketLabels { bucket: bucket.to_owned() })
                        .set(now.as_secs_f64().floor());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(_) => {
                self.failures.get_or_create(&labels).inc();
            }
        }
        done
    }

    /// Counts bytes that came from the bucket.
    pub(super) fn fetched(&self, bucket: &str, operation: Operation, bytes: u64) {
        let labels = OperationLabels { bucket: bucket.to_owned(), operation };
        self.fetched_bytes.get_or_create(&labels).inc_by(bytes);
    }
}
