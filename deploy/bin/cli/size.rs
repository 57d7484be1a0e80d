//! Sizes on the command line (`alecthomas/units`, as Thanos' `BytesFlag`).

/// Parses a number of bytes: `250MB` and `250MiB` are both 250 × 2²⁰, as in Thanos; a bare number is
/// bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let invalid = || format!("not a size: {text:?} (as in 250MB, 2GB)");
    let number: u64 = text[..digits].parse().map_err(|_| invalid())?;
    let shift = match &text[digits..] {
        "" | "B" => 0,
        "KB" | "KiB" => 10,
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        "TB" | "TiB" => 40,
        _ => return Err(invalid()),
    };
    number.checked_mul(1 << shift).ok_or_else(|| format!("size out of range: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_thanos() {
        for (text, bytes) in
            [("0", 0), ("7B", 7), ("250MB", 250 << 20), ("2GB", 2 << 30), ("1KiB", 1024)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "MB", "1.5GB", "-1", "1 MB", "1mb", "99999999999TB"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
