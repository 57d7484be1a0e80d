//! Patterns that need no automaton: most of those in dashboards are literals, alternations of
//! literals, or one of them with `.*` around it.

use hashbrown::HashSet;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// An alternation is a set up to this many texts, and this many bytes.
const MAX_TEXTS: usize = 20_000;
const MAX_TEXT_BYTES: usize = 2 << 20;

/// What a pattern that must match a whole value comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `.*`
    Anything,
    /// `.+`
    Something,
    /// One text.
    Literal(Box<str>),
    /// One of several texts.
    Set(HashSet<Box<str>>),
    /// `text.*`, or `text.+` if `more`.
    Prefix { text: Box<str>, more: bool },
    /// `.*text`, or `.+text` if `more`.
    Suffix { text: Box<str>, more: bool },
    /// `.*text.*`
    Contains(Box<str>),
}

impl Shape {
    /// The shape of `hir`, if it has one.
    pub(super) fn of(hir: &Hir) -> Option<Self> {
        if let HirKind::Capture(capture) = hir.kind() {
            return Self::of(&capture.sub);
        }
        if let Some(any) = any(hir) {
            return Some(if any { Self::Something } else { Self::Anything });
        }
        if let HirKind::Concat(parts) = hir.kind() {
            let last = parts.len() - 1;
            let text = |parts: &[Hir]| match parts {
                [one] => literal(one),
                _ => None,
            };
            match (any(&parts[0]), any(&parts[last])) {
                (Some(false), Some(false)) => return text(&parts[1..last]).map(Self::Contains),
                (Some(more), None) => {
                    return text(&parts[1..]).map(|text| Self::Suffix { text, more });
                }
                (None, Some(more)) => {
                    return text(&parts[..last]).map(|text| Self::Prefix { text, more });
                }
                (None, None) => {}
                (Some(_), Some(_)) => return None,
            }
        }
        let mut texts = texts(hir)?;
        Some(if texts.len() == 1 {
            Self::Literal(texts.swap_remove(0).into())
        } else {
            Self::Set(texts.into_iter().map(Into::into).collect())
        })
    }

    pub(super) fn is_match(&self, value: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Something => !value.is_empty(),
            Self::Literal(text) => value == &**text,
            Self::Set(texts) => texts.contains(value),
            Self::Prefix { text, more } => {
                value.starts_with(&**text) && (!more || value.len() > text.len())
            }
            Self::Suffix { text, more } => {
                value.ends_with(&**text) && (!more || value.len() > text.len())
            }
            Self::Contains(text) => value.contains(&**text),
        }
    }
}

/// Whether `hir` is `.*` (false) or `.+` (true) over all characters.
fn any(hir: &Hir) -> Option<bool> {
    let HirKind::Repetition(Repetition { min, max: None, sub, .. }) = hir.kind() else {
        return None;
    };
    let HirKind::Class(Class::Unicode(class)) = sub.kind() else { return None };
    let everything = matches!(
        class.ranges(),
        [range] if range.start() == '\0' && range.end() == char::MAX
    );
    match (everything, min) {
        (true, 0) => Some(false),
        (true, 1) => Some(true),
        _ => None,
    }
}

fn literal(hir: &Hir) -> Option<Box<str>> {
    match hir.kind() {
        HirKind::Literal(text) => std::str::from_utf8(&text.0).ok().map(Box::from),
        _ => None,
    }
}

/// All texts that `hir` matches, if they are few and it has no other conditions. Alternations come
/// with common prefixes drawn out, so texts are built part by part.
fn texts(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(text) => Some(vec![std::str::from_utf8(&text.0).ok()?.to_owned()]),
        HirKind::Class(Class::Unicode(class)) => {
            let number: usize = class.iter().map(|range| range.len()).sum();
            (1..=MAX_TEXTS)
                .contains(&number)
                .then(|| class.iter().flat_map(|r| r.start()..=r.end()).map(String::from).collect())
        }
        HirKind::Concat(parts) => {
            let mut whole = vec![String::new()];
            for part in parts {
                let next = texts(part)?;
                let number = whole.len().checked_mul(next.len()).filter(|&n| n <= MAX_TEXTS)?;
                let mut longer = Vec::with_capacity(number);
                let mut bytes = 0;
                for begin in &whole {
                    for end in &next {
                        bytes += begin.len() + end.len();
                        if bytes > MAX_TEXT_BYTES {
                            return None;
                        }
                        longer.push(format!("{begin}{end}"));
                    }
                }
                whole = longer;
            }
            Some(whole)
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.append(&mut texts(part)?);
                if all.len() > MAX_TEXTS {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Capture(capture) => texts(&capture.sub),
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}
