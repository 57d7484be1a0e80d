//! Queries as trees: texts, and what stands between them.

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::promql::fuzz) enum Type {
    /// An instant vector.
    Vector,
    /// A range vector.
    Range,
    Scalar,
    Text,
    /// No expression by itself.
    Part,
}

/// A part of an expression.
#[derive(Debug, Clone)]
pub(in crate::promql::fuzz) enum Part {
    Text(String),
    Child(Node),
}

/// An expression.
#[derive(Debug, Clone)]
pub(in crate::promql::fuzz) struct Node {
    pub(in crate::promql::fuzz) of: Type,
    pub(in crate::promql::fuzz) parts: Vec<Part>,
    /// Whether the expression around it is one without it, too.
    pub(in crate::promql::fuzz) optional: bool,
    /// What of the language it uses by itself.
    pub(in crate::promql::fuzz) uses: Vec<&'static str>,
}

impl Node {
    /// One that begins with a text.
    pub(super) fn text(of: Type, text: impl Into<String>) -> Self {
        Self { of, parts: vec![Part::Text(text.into())], optional: false, uses: Vec::new() }
    }

    /// A part that may be left out.
    pub(super) fn optional(text: impl Into<String>) -> Self {
        Self { optional: true, ..Self::text(Type::Part, text) }
    }

    /// A text follows.
    pub(super) fn then(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// An expression or an optional part follows.
    pub(super) fn child(mut self, child: Self) -> Self {
        self.parts.push(Part::Child(child));
        self
    }

    /// A part follows, if there is one.
    pub(super) fn maybe(self, child: Option<Self>) -> Self {
        match child {
            Some(child) => self.child(child),
            None => self,
        }
    }

    /// It uses this of the language.
    pub(super) fn using(mut self, what: &'static str) -> Self {
        self.uses.push(what);
        self
    }

    /// The parts that are nodes.
    pub(in crate::promql::fuzz) fn children(&self) -> impl Iterator<Item = &Self> {
        self.parts.iter().filter_map(|part| match part {
            Part::Child(child) => Some(child),
            Part::Text(_) => None,
        })
    }

    /// All nodes below it.
    pub(in crate::promql::fuzz) fn below(&self) -> Vec<&Self> {
        self.children().flat_map(|child| std::iter::once(child).chain(child.below())).collect()
    }

    /// All that it and what is below it uses.
    pub(in crate::promql::fuzz) fn all_uses(&self) -> Vec<&'static str> {
        let below = self.children().flat_map(Self::all_uses);
        self.uses.iter().copied().chain(below).collect()
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Child(child) => write!(f, "{child}"),
        })
    }
}
