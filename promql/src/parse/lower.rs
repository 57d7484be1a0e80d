//! The syntax tree to the tree that is planned: what the query means.

use engine::model::{METRIC_NAME, MatchOp, Matcher};
use engine::{Error, Result};

use super::duration::Steps;
use super::tree::{self, Kind, Modifiers, Node};
use crate::ast::{
    Aggregate, AggregateOp, Binary, BinaryOp, Call, Expr, Grouping, Many, Selector, Subquery,
    VectorMatching,
};

/// Makes the tree that is planned; selectors are numbered in the order of the text.
pub(super) struct Lowering {
    pub(super) steps: Steps,
    pub(super) selectors: usize,
}

impl Lowering {
    #[recursive::recursive]
    pub(super) fn expr(&mut self, node: Node) -> Result<Expr> {
        match node.kind {
            Kind::Number(value) => Ok(Expr::Number(value)),
            Kind::Text(text) => Ok(Expr::Text(text)),
            Kind::Selector(selector) => Ok(Expr::Instant(self.selector(selector)?)),
            Kind::Range(selector, range) => {
                let range = self.ms(&range, false)?;
                Ok(Expr::Range(self.selector(selector)?, range))
            }
            Kind::Subquery(subquery) => {
                let tree::Subquery { expr, range, step, modifiers } = *subquery;
                let range = self.ms(&range, false)?;
                let step = step.map(|step| self.ms(&step, false)).transpose()?;
                let offset = self.offset(&modifiers)?;
                let at = modifiers.at;
                let expr = self.expr(expr)?;
                Ok(Expr::Subquery(Box::new(Subquery { expr, range, step, offset, at })))
            }
            Kind::Paren(inner) => self.expr(*inner),
            Kind::Unary(false, inner) => self.expr(*inner),
            Kind::Unary(true, inner) => Ok(Expr::Negate(Box::new(self.expr(*inner)?))),
            Kind::Binary(binary) => self.binary(*binary),
            Kind::Aggregate(aggregate) => self.aggregate(*aggregate),
            Kind::Call(call) => {
                let args = call.args.into_iter().map(|arg| self.expr(arg));
                let args = args.collect::<Result<Vec<_>>>()?;
                let (function, returns) = (call.function.name, call.function.returns);
                Ok(Expr::Call(Call { function, args, returns }))
            }
        }
    }

    fn selector(&mut self, selector: tree::Selector) -> Result<Selector> {
        if selector.anchored || selector.smoothed {
            let word = if selector.anchored { "anchored" } else { "smoothed" };
            return Err(unsupported(&format!("the {word} modifier")));
        }
        let offset = self.offset(&selector.modifiers)?;
        let (id, at) = (self.selectors, selector.modifiers.at);
        self.selectors += 1;
        Ok(Selector { id, matchers: matchers(selector)?, offset, at })
    }

    fn ms(&self, duration: &tree::Duration, negative: bool) -> Result<i64> {
        match duration.ms(self.steps, negative) {
            // Windows are counted in milliseconds.
            Ok(0) if !negative => Err(Error::invalid("duration must be greater than 0")),
            Ok(ms) => Ok(ms),
            Err(message) => Err(Error::invalid(message)),
        }
    }

    fn offset(&self, modifiers: &Modifiers) -> Result<i64> {
        modifiers.offset.as_ref().map_or(Ok(0), |offset| self.ms(offset, true))
    }

    fn binary(&mut self, binary: tree::Binary) -> Result<Expr> {
        let tree::Binary { op, left, right, modifier, .. } = binary;
        let Some(op) = BinaryOp::from_symbol(op) else {
            return Err(unsupported("operators on native histograms (</, >/)"));
        };
        if modifier.fill.iter().any(Option::is_some) {
            return Err(unsupported("fill modifiers"));
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let (on, labels) = modifier.matching.unwrap_or_default();
        let (many, include) = match modifier.grouping {
            Some((true, labels)) => (Many::Left, labels),
            Some((false, labels)) => (Many::Right, labels),
            None if op.is_set() => (Many::Both, Vec::new()),
            None => (Many::Neither, Vec::new()),
        };
        let (labels, include) = (label_list(labels), label_list(include));
        let matching = VectorMatching { on, labels, many, include };
        let bool = modifier.bool;
        Ok(Expr::Binary(Box::new(Binary { op, left, right, bool, matching })))
    }

    fn aggregate(&mut self, aggregate: tree::Aggregate) -> Result<Expr> {
        let tree::Aggregate { op, grouping, param, expr } = aggregate;
        let Some(op) = AggregateOp::from_name(op) else {
            return Err(unsupported(&format!("{op}()")));
        };
        let (without, labels) = grouping.unwrap_or_default();
        let grouping = Grouping { without, labels: label_list(labels) };
        let param = param.map(|param| self.expr(param)).transpose()?;
        let expr = self.expr(expr)?;
        Ok(Expr::Aggregate(Box::new(Aggregate { op, expr, param, grouping })))
    }
}

/// All matchers of a selector, that of its name first.
pub(super) fn matchers(selector: tree::Selector) -> Result<Vec<Matcher>> {
    let mut matchers = Vec::with_capacity(selector.matchers.len() + 1);
    if let Some(name) = selector.name {
        matchers.push(Matcher::new(METRIC_NAME, MatchOp::Equal, name)?);
    }
    matchers.extend(selector.matchers);
    Ok(matchers)
}

fn label_list(mut labels: Vec<String>) -> Vec<String> {
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn unsupported(what: &str) -> Error {
    Error::unsupported(format!("not supported yet: {what}"))
}
