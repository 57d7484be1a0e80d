//! Counters of series that have downsampled samples: running totals, resets undone.
//!
//! A chunk of a downsampled counter is a running total by itself. The totals of one replica are put
//! one on top of the other, from the beginning of its first chunk, over raw samples too; then replicas
//! are made one. (Thanos does so with raw samples alone as well, and then sees no reset; here these
//! stay as they were scraped.)

use super::algo::{Piece, chunk_order, in_lanes};
use crate::chunk::CounterTotal;
use crate::dedup::{Total, pick_totals};
use crate::model::TimeRange;
use crate::source::DedupFunc;

/// Hands the totals of `pieces` in `range` to `emit`; sorts the pieces.
pub(super) fn read(
    dedup: Option<DedupFunc>,
    pieces: &mut Vec<Piece<'_>>,
    range: TimeRange,
    emit: impl FnMut(i64, f64),
) {
    pieces.retain(|piece| !piece.ts.is_empty());
    let replicas: Vec<Vec<usize>> = match dedup {
        None => {
            pieces.sort_by(chunk_order);
            vec![(0..pieces.len()).collect()]
        }
        Some(DedupFunc::Penalty) => in_lanes(pieces),
        Some(DedupFunc::Coverage | DedupFunc::Chain) => {
            pieces.sort_by(|a, b| a.replica.cmp(&b.replica).then_with(|| chunk_order(a, b)));
            let all: Vec<usize> = (0..pieces.len()).collect();
            let same = |&a: &usize, &b: &usize| pieces[a].replica == pieces[b].replica;
            all.chunk_by(same).map(<[usize]>::to_vec).collect()
        }
    };
    let totals: Vec<(Vec<i64>, Vec<f64>)> =
        replicas.iter().map(|replica| total(replica.iter().map(|&at| &pieces[at]))).collect();
    let cut: Vec<Total<'_>> = totals
        .iter()
        .map(|(ts, values)| {
            let from = ts.partition_point(|&t| t < range.min);
            let to = ts.partition_point(|&t| t <= range.max).max(from);
            Total { ts: &ts[from..to], values: &values[from..to] }
        })
        .collect();
    pick_totals(dedup.unwrap_or_default(), &cut, emit);
}

/// The running total of one replica.
fn total<'a>(pieces: impl Iterator<Item = &'a Piece<'a>>) -> (Vec<i64>, Vec<f64>) {
    let (mut counter, mut ts, mut values) = (CounterTotal::default(), Vec::new(), Vec::new());
    for piece in pieces {
        if let Some(own) = piece.values {
            counter.add(piece.ts, own, &mut ts, &mut values);
        }
    }
    (ts, values)
}
