//! Go's templates of a match (`regexp.Expand`): `$1`, `${1}`, `$name`, `${name}`, `$$`.

/// A reference to a group.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'t> {
    Number(usize),
    Name(&'t str),
}

/// The reference at the begin of `text`, behind the `$`, and what follows it. A name is as long as
/// letters, digits and underscores go on, so `$1x` is the group named `1x`.
fn reference(text: &str) -> Option<(Reference<'_>, &str)> {
    let (inside, braced) = match text.strip_prefix('{') {
        Some(inside) => (inside, true),
        None => (text, false),
    };
    let end = inside.find(|c: char| !(c == '_' || c.is_alphanumeric())).unwrap_or(inside.len());
    let (name, mut rest) = inside.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced {
        rest = rest.strip_prefix('}')?;
    }
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    if digits && (name.len() == 1 || !name.starts_with('0')) && name.len() < 10 {
        Some((Reference::Number(name.parse().ok()?), rest))
    } else {
        Some((Reference::Name(name), rest))
    }
}

/// Appends `template` to `out`, with each reference replaced by what `group` says of a number: the
/// text of that group, or none if it took no part. Of several groups with one name, the first that
/// took part counts. A `$` that begins no reference stays.
pub(super) fn expand<'v>(
    template: &str,
    names: &[Option<Box<str>>],
    group: impl Fn(usize) -> Option<&'v str>,
    out: &mut String,
) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((reference, after)) = reference(rest) {
            rest = after;
            let text = match reference {
                Reference::Number(number) => group(number),
                Reference::Name(name) => names
                    .iter()
                    .enumerate()
                    .filter(|(_, known)| known.as_deref() == Some(name))
                    .find_map(|(number, _)| group(number)),
            };
            out.push_str(text.unwrap_or(""));
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
}
