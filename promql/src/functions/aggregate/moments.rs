//! Sums, means and variances, a step a lane.

use crate::functions::kahan::{Kahan, Mean};

/// Columns: count, sum, lost. A cell that is not valid adds 0, which changes nothing: a sum that
/// starts at 0 is never -0.
pub(super) fn add_sum(state: [&mut [f64]; 3], values: &[f64], valid: &[bool]) {
    let [count, sum, lost] = state;
    for (((count, sum), lost), (&value, &valid)) in
        count.iter_mut().zip(sum.iter_mut()).zip(lost.iter_mut()).zip(values.iter().zip(valid))
    {
        let mut kahan = Kahan { sum: *sum, lost: *lost };
        kahan.add(if valid { value } else { 0.0 });
        (*sum, *lost) = (kahan.sum, kahan.lost);
        *count += f64::from(u8::from(valid));
    }
}

/// Adds the other's sum and its error.
pub(super) fn merge_sum(state: [&mut [f64]; 3], other: [&[f64]; 3]) {
    let [count, sum, lost] = state;
    for k in 0..count.len() {
        let mut kahan = Kahan { sum: sum[k], lost: lost[k] };
        kahan.add(other[1][k]);
        // An infinite sum has no error; adding another's would make it NaN.
        kahan.lost += if kahan.sum.is_infinite() { 0.0 } else { other[2][k] };
        (sum[k], lost[k]) = (kahan.sum, kahan.lost);
        count[k] += other[0][k];
    }
}

/// Columns: count, sum (or the mean itself), lost, and 1 where it is the mean.
pub(super) fn add_mean(state: [&mut [f64]; 4], values: &[f64], valid: &[bool]) {
    let [count, sum, lost, incremental] = state;
    // Whether any cell is, or becomes, more than a finite sum: infinities and overflows are rare, and
    // without them a mean is a sum and a count.
    let mut care = false;
    for ((&sum, &incremental), (&value, &valid)) in
        sum.iter().zip(incremental.iter()).zip(values.iter().zip(valid))
    {
        let next = sum + if valid { value } else { 0.0 };
        care |= (next.abs() > f64::MAX) | (incremental != 0.0);
    }
    if !care {
        return add_sum([count, sum, lost], values, valid);
    }
    for (k, (&value, _)) in values.iter().zip(valid).enumerate().filter(|(_, (_, valid))| **valid) {
        let mut mean = Mean {
            state: Kahan { sum: sum[k], lost: lost[k] },
            count: count[k],
            incremental: incremental[k] != 0.0,
        };
        mean.add(value);
        (sum[k], lost[k], count[k]) = (mean.state.sum, mean.state.lost, mean.count);
        incremental[k] = f64::from(u8::from(mean.incremental));
    }
}

/// Adds sums while they stay finite; else weighs the means.
pub(super) fn merge_mean(state: [&mut [f64]; 4], other: [&[f64]; 4]) {
    let [count, sum, lost, incremental] = state;
    let [other_count, other_sum, other_lost, other_incremental] = other;
    for k in 0..count.len() {
        if other_count[k] == 0.0 {
            continue;
        }
        if count[k] == 0.0 {
            (count[k], sum[k]) = (other_count[k], other_sum[k]);
            (lost[k], incremental[k]) = (other_lost[k], other_incremental[k]);
            continue;
        }
        let total = count[k] + other_count[k];
        let mut kahan = Kahan { sum: sum[k], lost: lost[k] };
        kahan.add(other_sum[k]);
        if incremental[k] == 0.0 && other_incremental[k] == 0.0 && !kahan.sum.is_infinite() {
            (sum[k], lost[k]) = (kahan.sum, kahan.lost + other_lost[k]);
        } else {
            let own = mean(count[k], sum[k], lost[k], incremental[k]);
            let other = mean(other_count[k], other_sum[k], other_lost[k], other_incremental[k]);
            let mut kahan = Kahan { sum: own * (count[k] / total), lost: 0.0 };
            kahan.add(other * (other_count[k] / total));
            (sum[k], lost[k], incremental[k]) = (kahan.sum, kahan.lost, 1.0);
        }
        count[k] = total;
    }
}

/// The mean from its columns.
pub(super) fn mean(count: f64, sum: f64, lost: f64, incremental: f64) -> f64 {
    Mean { state: Kahan { sum, lost }, count, incremental: incremental != 0.0 }.finish()
}

/// Columns: count, mean, sum of squared distances from it. Welford's method; an infinity or NaN makes
/// the last NaN.
pub(super) fn add_squares(state: [&mut [f64]; 3], values: &[f64], valid: &[bool]) {
    let [count, mean, squares] = state;
    for (((count, mean), squares), (&value, &valid)) in
        count.iter_mut().zip(mean.iter_mut()).zip(squares.iter_mut()).zip(values.iter().zip(valid))
    {
        let next_count = *count + 1.0;
        let delta = value - *mean;
        let next_mean = *mean + delta / next_count;
        let next_squares = *squares + delta * (value - next_mean);
        *count = if valid { next_count } else { *count };
        *mean = if valid { next_mean } else { *mean };
        *squares = if valid { next_squares } else { *squares };
    }
}

/// Joins two populations (Chan, Golub and LeVeque).
pub(super) fn merge_squares(state: [&mut [f64]; 3], other: [&[f64]; 3]) {
    let [count, mean, squares] = state;
    for k in 0..count.len() {
        let (other_count, other_mean, other_squares) = (other[0][k], other[1][k], other[2][k]);
        if other_count == 0.0 {
            continue;
        }
        let total = count[k] + other_count;
        let delta = other_mean - mean[k];
        let between =
            if count[k] == 0.0 { 0.0 } else { delta * delta * (count[k] * other_count / total) };
        mean[k] =
            if count[k] == 0.0 { other_mean } else { mean[k] + delta * (other_count / total) };
        squares[k] += other_squares + between;
        count[k] = total;
    }
}
