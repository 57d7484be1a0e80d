//! The times at which `info` reads its info series: those of its first argument, if all selectors there
//! agree (`infoSelectTimestampAndOffset` in promql/info.go).

use crate::ast::{At, Call, Expr, ValueType};

/// `@` and `offset`, those of subqueries around added up.
type Reference = (Option<At>, i64);

/// The reference of the info series of `base`.
pub(super) fn of_infos(base: &Expr) -> Reference {
    let mut found = Found { first: None, agree: true };
    let has_selector = found.walk(base, &mut Vec::new());
    match found.first {
        Some(reference) if found.agree && has_selector => reference,
        _ => (None, 0),
    }
}

struct Found {
    first: Option<Reference>,
    /// Whether all selectors have one reference, and no vector is without a selector.
    agree: bool,
}

impl Found {
    /// Returns whether `expr` has a selector; `subqueries` are those around, the outermost first.
    fn walk(&mut self, expr: &Expr, subqueries: &mut Vec<Reference>) -> bool {
        if !matches!(expr.value_type(), ValueType::Instant | ValueType::Range) {
            return false;
        }
        let selector = match expr {
            Expr::Instant(selector) | Expr::Range(selector, _) => Some(selector),
            _ => None,
        };
        if let Some(selector) = selector {
            let (mut at, mut offset) = (selector.at, selector.offset);
            for &(around, more) in subqueries.iter().rev() {
                if at.is_some() {
                    break;
                }
                offset = offset.saturating_add(more);
                at = around;
            }
            let reference = (at, offset);
            self.agree &= self.first.is_none_or(|first| same(first, reference));
            self.first.get_or_insert(reference);
            return true;
        }
        let children = match expr {
            // What it selects is not evaluated as a vector.
            Expr::Call(Call { function: "info", args, .. }) => args.iter().take(1).collect(),
            _ => expr.children(),
        };
        if let Expr::Subquery(subquery) = expr {
            subqueries.push((subquery.at, subquery.offset));
        }
        let mut any = false;
        for child in children {
            any |= self.walk(child, subqueries);
        }
        if matches!(expr, Expr::Subquery(_)) {
            subqueries.pop();
        }
        self.agree &= any;
        any
    }
}

fn same(a: Reference, b: Reference) -> bool {
    match (a, b) {
        ((Some(At::Time(a)), before), (Some(At::Time(b)), other)) => {
            a.saturating_sub(before) == b.saturating_sub(other)
        }
        (a, b) => a == b,
    }
}
