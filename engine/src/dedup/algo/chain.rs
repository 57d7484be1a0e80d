//! `chain`: the union of distinct timestamps; the first replica wins on equal ones
//! (Prometheus' `storage.ChainedSeriesMerge`).

use super::{Pick, Replica, SETTLED, push, seek};

pub(super) fn pick(replicas: &[Replica<'_>], picks: &mut Vec<Pick>) {
    let mut at = vec![0; replicas.len()];
    loop {
        // The earliest next sample and, for the others, the earliest one after it.
        let mut leader: Option<(i64, usize)> = None;
        let mut rival = i64::MAX;
        for (index, replica) in replicas.iter().enumerate() {
            let Some(&next) = replica.ts.get(at[index]) else { continue };
            match leader {
                None => leader = Some((next, index)),
                Some((first, _)) if next < first => {
                    rival = first;
                    leader = Some((next, index));
                }
                Some(_) => rival = rival.min(next),
            }
        }
        let Some((first, index)) = leader else { return };
        let ts = replicas[index].ts;
        let end = if rival == i64::MAX {
            // Either nobody else has samples left, or only at the end of time.
            ts.len()
        } else {
            seek(ts, at[index], rival).max(at[index] + 1)
        };
        push(picks, index, at[index], end, SETTLED);
        let last = ts[end - 1].max(first);
        at[index] = end;
        for (other, replica) in replicas.iter().enumerate() {
            if other != index {
                at[other] = seek(replica.ts, at[other], last.saturating_add(1));
            }
        }
        if last == i64::MAX {
            return;
        }
    }
}
