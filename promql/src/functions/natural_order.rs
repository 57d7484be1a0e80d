//! The order of texts with numbers in them, of `sort_by_label` (`natsort.Compare`).

use std::cmp::Ordering;

/// Whether `a` goes before `b`: numbers by their value, other parts by their bytes.
pub(crate) fn precedes(a: &str, b: &str) -> bool {
    let (a, b): (Vec<&str>, Vec<&str>) = (parts(a).collect(), parts(b).collect());
    for (at, (&left, &right)) in a.iter().zip(&b).enumerate() {
        let numbers = (left.parse::<i64>(), right.parse::<i64>());
        let equal = match numbers {
            (Ok(left), Ok(right)) if left != right => return left < right,
            (Ok(_), Ok(_)) => true,
            _ => left == right,
        };
        if !equal {
            return left < right;
        }
        if at + 1 == a.len() {
            return true;
        }
    }
    false
}

/// How many items Go's `slices.SortFunc` sorts by insertion.
const INSERTED: usize = 12;

/// Sorts by a comparison that need not be an order: [`precedes`] goes around in circles (`"10"`, `"9a"`,
/// `"a"` may). Few items come out as Go's `slices.SortFunc` leaves them.
pub(crate) fn sort_by<T: Copy>(items: &mut [T], compare: &mut impl FnMut(T, T) -> Ordering) {
    if items.len() <= INSERTED {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && compare(items[at], items[at - 1]).is_lt() {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let middle = items.len() / 2;
    sort_by(&mut items[..middle], compare);
    sort_by(&mut items[middle..], compare);
    let (left, right) = (items[..middle].to_vec(), items[middle..].to_vec());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    for item in items {
        let take_right = match (left.peek(), right.peek()) {
            (Some(&left), Some(&right)) => compare(right, left).is_lt(),
            (None, _) => true,
            (_, None) => false,
        };
        let next = if take_right { right.next() } else { left.next() };
        *item = next.unwrap_or(*item);
    }
}

/// The parts of a text: of digits, and of what is between.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let digits = text.chars().next()?.is_ascii_digit();
        let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        text = rest;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_order_is_sorted_all_the_same() {
        let mut circle =
            |a: u32, b: u32| if (a + 1) % 3 == b % 3 { Ordering::Less } else { Ordering::Greater };
        let mut items: Vec<u32> = (0..100).collect();
        sort_by(&mut items, &mut circle);
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>(), "all are there");
        let mut stable: Vec<(u32, u32)> = (0..40).map(|at| (at % 4, at)).collect();
        sort_by(&mut stable, &mut |a, b| a.0.cmp(&b.0));
        assert!(stable.is_sorted());
    }

    #[test]
    fn numbers_count_by_value() {
        for (a, b) in [("2", "10"), ("a2", "a10"), ("a2b", "a2c"), ("a", "a1"), ("x-9", "x-10")] {
            assert!(precedes(a, b) && !precedes(b, a), "{a} {b}");
        }
        assert!(!precedes("", "a") && !precedes("a", ""));
    }
}
