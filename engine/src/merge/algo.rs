//! Merging sorted runs by timestamp.

/// A sorted run; of equal timestamps that of the greater `rank` is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sorted<'a> {
    pub(crate) ts: &'a [i64],
    pub(crate) rank: u32,
}

/// Consecutive samples of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) run: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The union of all runs by distinct timestamps, as stretches in order of time.
pub(crate) fn merge(runs: &[Sorted<'_>], taken: &mut Vec<Taken>) {
    taken.clear();
    let mut at = vec![0; runs.len()];
    loop {
        // Who is first (the greatest rank on a tie), and up to where nobody else has a sample.
        let mut first: Option<(i64, usize)> = None;
        let mut until: Option<i64> = None;
        for (index, run) in runs.iter().enumerate() {
            let Some(&next) = run.ts.get(at[index]) else { continue };
            match first {
                None => first = Some((next, index)),
                Some((t, held)) if next < t || (next == t && run.rank > runs[held].rank) => {
                    until = Some(until.map_or(t, |u: i64| u.min(t)));
                    first = Some((next, index));
                }
                Some(_) => until = Some(until.map_or(next, |u| u.min(next))),
            }
        }
        let Some((t, index)) = first else { return };
        let ts = runs[index].ts;
        let start = at[index];
        let end = match until {
            None => ts.len(),
            Some(until) => start + ts[start..].partition_point(|&own| own < until).max(1),
        };
        match taken.last_mut() {
            Some(last) if last.run == index && last.end == start => last.end = end,
            _ => taken.push(Taken { run: index, start, end }),
        }
        at[index] = end;
        let last = ts[end - 1].max(t);
        for (other, run) in runs.iter().enumerate() {
            while run.ts.get(at[other]).is_some_and(|&own| own <= last) {
                at[other] += 1;
            }
        }
    }
}
