//! The order of texts with numbers in them, of `sort_by_label` (`natsort.Compare`).

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
    fn numbers_count_by_value() {
        for (a, b) in [("2", "10"), ("a2", "a10"), ("a2b", "a2c"), ("a", "a1"), ("x-9", "x-10")] {
            assert!(precedes(a, b) && !precedes(b, a), "{a} {b}");
        }
        assert!(!precedes("", "a") && !precedes("a", ""));
    }
}
