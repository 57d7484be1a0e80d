//! The parts of a pattern while it is parsed, with what is known about their size.

use regex_syntax::hir::{Capture, Class, ClassUnicode, Hir, Repetition};

/// A parsed part. Sizes are counted as Go counts them, so that the same patterns are refused.
pub(super) struct Node {
    pub(super) hir: Hir,
    /// The height of its tree.
    height: u32,
    /// The instructions of Go's program for it.
    size: u64,
    /// The largest product of counted repetitions on a way down.
    repeats: u64,
}

/// A repetition: `min` to `max` times, or without end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) greedy: bool,
    /// Whether it was written with a count: only those are limited in their product.
    pub(super) counted: bool,
}

impl Node {
    fn leaf(hir: Hir, size: u64) -> Self {
        Self { hir, height: 1, size: size.max(1), repeats: 1 }
    }

    pub(super) fn literal(text: &str) -> Self {
        Self::leaf(Hir::literal(text.as_bytes()), text.chars().count() as u64)
    }

    pub(super) fn class(class: ClassUnicode) -> Self {
        Self::leaf(Hir::class(Class::Unicode(class)), 1)
    }

    pub(super) fn look(look: regex_syntax::hir::Look) -> Self {
        Self::leaf(Hir::look(look), 1)
    }

    /// One after the other.
    pub(super) fn concat(mut nodes: Vec<Self>) -> Self {
        match nodes.len() {
            0 => Self::leaf(Hir::empty(), 1),
            1 => nodes.swap_remove(0),
            _ => Self::join(nodes, 0, Hir::concat),
        }
    }

    /// One or the other; the first that fits wins.
    pub(super) fn alternate(mut nodes: Vec<Self>) -> Self {
        if nodes.len() == 1 {
            return nodes.swap_remove(0);
        }
        let between = nodes.len() as u64 - 1;
        Self::join(nodes, between, Hir::alternation)
    }

    fn join(nodes: Vec<Self>, extra: u64, make: impl FnOnce(Vec<Hir>) -> Hir) -> Self {
        let height = 1 + nodes.iter().map(|n| n.height).max().unwrap_or(0);
        let size = nodes.iter().fold(extra, |sum, n| sum.saturating_add(n.size));
        let repeats = nodes.iter().map(|n| n.repeats).max().unwrap_or(1);
        Self { hir: make(nodes.into_iter().map(|n| n.hir).collect()), height, size, repeats }
    }

    /// The group number `index`, counted from 1.
    pub(super) fn capture(self, index: u32) -> Self {
        let capture = Capture { index, name: None, sub: Box::new(self.hir) };
        Self {
            hir: Hir::capture(capture),
            height: self.height + 1,
            size: self.size.saturating_add(2),
            repeats: self.repeats,
        }
    }

    pub(super) fn repeat(self, times: Times) -> Self {
        let Times { min, max, greedy, counted } = times;
        let size = match (counted, max) {
            (false, Some(_)) => self.size.saturating_add(1),
            (false, None) => self.size.saturating_add(2),
            (true, None) if min == 0 => self.size.saturating_add(2),
            (true, None) => self.size.saturating_mul(min.into()).saturating_add(1),
            (true, Some(max)) => self
                .size
                .saturating_mul(max.into())
                .saturating_add(u64::from(max.saturating_sub(min))),
        };
        let repeats = match (counted, max) {
            (false, _) => self.repeats,
            (true, Some(0)) => 1,
            (true, max) => self.repeats.saturating_mul(u64::from(max.unwrap_or(min).max(1))),
        };
        let repetition = Repetition { min, max, greedy, sub: Box::new(self.hir) };
        Self {
            hir: Hir::repetition(repetition),
            height: self.height + 1,
            size: size.max(1),
            repeats,
        }
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn repeats(&self) -> u64 {
        self.repeats
    }
}
