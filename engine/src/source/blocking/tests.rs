//! Batches of what a reader hands out, its errors, and what happens when nobody listens.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;

use super::{BlockingExec, BlockingRuns, RunSamples, RunSink, cut};
use crate::{Error, ErrorKind, Result};

/// Members of so many samples each; reading the last may fail.
#[derive(Debug)]
struct Numbers {
    samples: Vec<u64>,
    fails: bool,
    /// Told how reading ended.
    ended: Sender<Option<ErrorKind>>,
}

impl BlockingRuns for Numbers {
    fn describe(&self) -> String {
        "numbers".to_owned()
    }

    fn samples(&self) -> Vec<u64> {
        self.samples.clone()
    }

    fn read(&self, series: Range<usize>, sink: &mut RunSink<'_>) -> Result<()> {
        let mut read = || {
            for at in series.clone() {
                let ts: Vec<i64> = (0..self.samples[at] as i64).collect();
                for part in ts.chunks(1_000) {
                    let values: Vec<f64> = part.iter().map(|&t| t as f64 / 2.0).collect();
                    sink(at as u32, part, RunSamples::Floats(&values), None)?;
                }
            }
            match self.fails && series.end == self.samples.len() {
                true => Err(Error::corrupt("the last one")),
                false => Ok(()),
            }
        };
        let outcome = read();
        let _ = self.ended.send(outcome.as_ref().err().map(Error::kind));
        outcome
    }
}

#[test]
fn partitions_hold_about_as_many_samples() {
    assert_eq!(cut(&[], 3), [0..0]);
    assert_eq!(cut(&[5, 5, 5, 5], 2), [0..2, 2..4]);
    assert_eq!(cut(&[100, 1, 1], 2), [0..1, 1..3]);
    assert_eq!(cut(&[0, 0], 8), [0..1, 1..2]);
}

#[tokio::test]
async fn all_runs_arrive_in_batches() {
    let samples = vec![0, 3, 70_000, 200_000, 1];
    let reader = Numbers { samples: samples.clone(), fails: false, ended: channel().0 };
    let plan = BlockingExec::new(Arc::new(reader), 2);
    let partitions = plan.properties().partitioning.partition_count();
    assert_eq!(partitions, 2);
    let mut lengths = vec![0; samples.len()];
    for partition in 0..partitions {
        let stream = plan.execute(partition, Arc::new(TaskContext::default())).unwrap();
        let batches: Vec<_> = stream.try_collect().await.unwrap();
        assert!(!batches.is_empty());
        for batch in batches {
            let ids = batch.column(0).as_primitive::<UInt32Type>().values().to_vec();
            assert!(ids.is_sorted(), "{ids:?}");
            let (ts, values) = (batch.column(1).as_list::<i32>(), batch.column(2).as_list::<i32>());
            assert!(ts.values().len() < 70_000, "{} samples in a batch", ts.values().len());
            assert_eq!(ts.offsets(), values.offsets());
            for (row, id) in ids.into_iter().enumerate() {
                lengths[id as usize] += u64::from(ts.value_length(row).unsigned_abs());
            }
        }
    }
    assert_eq!(lengths, samples);
}

#[tokio::test]
async fn an_error_ends_the_stream() {
    let reader = Numbers { samples: vec![10], fails: true, ended: channel().0 };
    let plan = BlockingExec::new(Arc::new(reader), 1);
    let stream = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
    let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(Error::from(error).kind(), ErrorKind::Corrupt);
}

#[tokio::test]
async fn a_reader_whom_nobody_listens_to_ends() {
    let (ended, end) = channel();
    let reader = Numbers { samples: vec![100_000_000], fails: false, ended };
    let plan = BlockingExec::new(Arc::new(reader), 1);
    let mut stream = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
    assert!(stream.try_next().await.unwrap().is_some());
    drop(stream);
    let outcome = tokio::task::spawn_blocking(move || end.recv()).await.unwrap();
    assert_eq!(outcome.unwrap(), Some(ErrorKind::Cancelled));
}
