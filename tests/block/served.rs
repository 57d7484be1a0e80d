//! What a query sees of the blocks in a bucket.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type, UInt32Type};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlanProperties, common};
use engine::ErrorKind;
use engine::block::BlockId;
use engine::bucket::Bucket;
use engine::catalog::{Catalog, CatalogSettings};
use engine::model::{Aggregates, MatchOp, Matcher, TimeRange};
use engine::scan::BlockCache;
use engine::source::{BucketSource, Columns, Select, SelectOptions, SeriesSource};

/// The float samples of each series, values by their bits.
pub(crate) type Seen = BTreeMap<String, Vec<(i64, u64)>>;

/// The answer of all floats in the bucket and its warnings. Where the block `id` turns out damaged
/// while its samples are read, the second try goes without it.
pub(crate) async fn ask(bucket: &Bucket, id: BlockId) -> (Seen, Vec<String>) {
    let catalog = Arc::new(Catalog::new(bucket.clone(), CatalogSettings::default()));
    catalog.sync().await.expect("the bucket is listed");
    let cache = BlockCache::new(bucket.clone(), 64 << 20);
    let source = BucketSource::new(catalog, cache);
    let matcher = Matcher::new("__name__", MatchOp::Regex, ".+").expect("a pattern");
    let select = Select {
        matchers: vec![matcher],
        range: TimeRange::ALL,
        columns: Columns::Values,
        aggregates: Aggregates::default(),
        max_resolution: 0,
    };
    for _ in 0..2 {
        match all(&source, &select).await {
            Ok(answer) => return answer,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(error.to_string().contains(&id.to_string()), "{error}");
            }
        }
    }
    panic!("a damaged block is met twice");
}

/// The answer of all floats that `select` asks for, and its warnings.
pub(crate) async fn all(
    source: &dyn SeriesSource,
    select: &Select,
) -> engine::Result<(Seen, Vec<String>)> {
    let resolved = source.resolve(select, &SelectOptions::default()).await?;
    let mut seen = Seen::new();
    for partition in 0..resolved.runs.output_partitioning().partition_count() {
        let stream = resolved.runs.execute(partition, Arc::new(TaskContext::default()))?;
        for batch in common::collect(stream).await? {
            let series = batch.column(0).as_primitive::<UInt32Type>().values();
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            for (row, &series) in series.iter().enumerate() {
                let (ts, values) = (ts.value(row), values.value(row));
                let ts = ts.as_primitive::<Int64Type>().values().iter().copied();
                let bits =
                    values.as_primitive::<Float64Type>().values().iter().map(|v| v.to_bits());
                let labels = resolved.roster.labels(series as usize).to_string();
                seen.entry(labels).or_default().extend(ts.zip(bits));
            }
        }
    }
    Ok((seen, resolved.warnings))
}
