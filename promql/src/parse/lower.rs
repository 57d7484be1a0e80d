//! The syntax tree to the tree that is planned: what the query means.

use engine::model::{METRIC_NAME, MatchOp, Matcher};
use engine::{Error, Result};

use super::duration::Steps;
use super::reference;
use super::tree::{self, Kind, Modifiers, Node};
use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Expr, Extended, Grouping, Many, Selector,
    Subquery, VectorMatching,
};
use crate::functions::RangeFunction;

/// Makes the tree that is planned; selectors are numbered in the order of the text.
pub(super) struct Lowering {
    pub(super) steps: Steps,
    pub(super) selectors: usize,
    /// What stands around the part in hand.
    pub(super) around: Around,
}

/// What is asked of histograms by what stands around a selector (`detectHistogramStatsDecoding`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// A function that looks at no more than counts and sums.
    totals: bool,
    /// Anything that needs the buckets.
    buckets: bool,
}

impl Around {
    /// With a node between.
    fn and(self, kind: &Kind) -> Self {
        let (totals, buckets) = match kind {
            Kind::Call(call) => match call.function.name {
                "histogram_count" | "histogram_sum" | "histogram_avg" | "timestamp"
                | "start_timestamp" | "absent" => (true, false),
                "histogram_quantile"
                | "histogram_quantiles"
                | "histogram_fraction"
                | "histogram_stddev"
                | "histogram_stdvar"
                | "changes" => (false, true),
                _ => (false, false),
            },
            Kind::Subquery(_) => (false, true),
            Kind::Aggregate(aggregate) => (false, aggregate.op == "count_values"),
            Kind::Binary(binary) => (false, matches!(binary.op, "</" | ">/" | "==" | "!=")),
            _ => (false, false),
        };
        Self { totals: self.totals || totals, buckets: self.buckets || buckets }
    }
}

impl Lowering {
    #[recursive::recursive]
    pub(super) fn expr(&mut self, node: Node) -> Result<Expr> {
        let place = node.span.start;
        let around = self.around;
        self.around = around.and(&node.kind);
        let expr = self.kind(node.kind, place);
        self.around = around;
        expr
    }

    fn kind(&mut self, kind: Kind, place: usize) -> Result<Expr> {
        match kind {
            Kind::Number(number) => Ok(Expr::Number(number.value)),
            Kind::Text(text) => Ok(Expr::Text(text)),
            Kind::Selector(selector) => Ok(Expr::Instant(self.selector(selector, place)?)),
            Kind::Range(selector, range) => {
                let range = self.ms(&range, false)?;
                Ok(Expr::Range(self.selector(selector, place)?, range))
            }
            Kind::Subquery(subquery) => {
                let tree::Subquery { expr, range, step, modifiers } = *subquery;
                let range = self.ms(&range, false)?;
                let step = step.map(|step| self.ms(&step, false)).transpose()?;
                let offset = self.offset(&modifiers)?;
                let at = bounded(modifiers.at);
                let expr = self.expr(expr)?;
                Ok(Expr::Subquery(Box::new(Subquery { expr, range, step, offset, at })))
            }
            Kind::Paren(inner) => self.expr(*inner),
            Kind::Unary(false, inner) => self.expr(*inner),
            Kind::Unary(true, inner) => Ok(Expr::Negate(Box::new(self.expr(*inner)?))),
            Kind::Binary(binary) => self.binary(*binary, place),
            Kind::Aggregate(aggregate) => self.aggregate(*aggregate, place),
            Kind::Call(call) => {
                let places = call.args.iter().map(inner_place).collect();
                let args = call.args.into_iter().map(|arg| self.expr(arg));
                let mut args = args.collect::<Result<Vec<_>>>()?;
                if RangeFunction::from_name(call.function.name)
                    .is_some_and(RangeFunction::from_before)
                    && let Some(Expr::Range(selector, _)) = args.first_mut()
                {
                    selector.extended = selector.extended.or(Some(Extended::Before));
                }
                let (function, returns) = (call.function.name, call.function.returns);
                let args = if function == "info" { self.info(args, place)? } else { args };
                Ok(Expr::Call(Call { function, args, returns, place, places }))
            }
        }
    }

    fn selector(&mut self, selector: tree::Selector, place: usize) -> Result<Selector> {
        let extended = match (selector.anchored, selector.smoothed) {
            (true, _) => Some(Extended::Anchored),
            (false, true) => Some(Extended::Smoothed),
            (false, false) => None,
        };
        let offset = self.offset(&selector.modifiers)?;
        let (id, at) = (self.selectors, bounded(selector.modifiers.at));
        self.selectors += 1;
        let totals_only = self.around == Around { totals: true, buckets: false };
        let matchers = matchers(selector)?;
        Ok(Selector { id, matchers, offset, at, extended, totals_only, place })
    }

    /// The arguments of `info`: the second becomes the selector of all info series that may match, at
    /// the times that the first one asks for.
    fn info(&mut self, args: Vec<Expr>, place: usize) -> Result<Vec<Expr>> {
        let mut args = args.into_iter();
        let base = args.next().ok_or_else(|| Error::internal("info() without a vector"))?;
        let (id, mut matchers) = match args.next() {
            Some(Expr::Instant(selector)) => (selector.id, selector.matchers),
            _ => {
                self.selectors += 1;
                (self.selectors - 1, Vec::new())
            }
        };
        let names = matchers.iter().filter(|matcher| matcher.name() == METRIC_NAME);
        let positive = |op| matches!(op, MatchOp::Equal | MatchOp::Regex);
        let (mut any, mut any_positive) = (false, false);
        for name in names {
            any = true;
            any_positive |= positive(name.op());
        }
        if !any {
            matchers.push(Matcher::new(METRIC_NAME, MatchOp::Equal, "target_info")?);
        } else if !any_positive {
            matchers.push(Matcher::new(METRIC_NAME, MatchOp::Regex, ".+_info")?);
        }
        let (at, offset) = reference::of_infos(&base);
        let infos =
            Selector { id, matchers, offset, at, extended: None, totals_only: false, place };
        Ok(vec![base, Expr::Instant(infos)])
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

    fn binary(&mut self, binary: tree::Binary, place: usize) -> Result<Expr> {
        let tree::Binary { op, left, right, modifier, .. } = binary;
        let known = BinaryOp::from_symbol(op);
        let op = known.ok_or_else(|| Error::internal(format!("operator {op}")))?;
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        let (on, labels) = modifier.matching.unwrap_or_default();
        let (many, include) = match modifier.grouping {
            Some((true, labels)) => (Many::Left, labels),
            Some((false, labels)) => (Many::Right, labels),
            None if op.is_set() => (Many::Both, Vec::new()),
            None => (Many::Neither, Vec::new()),
        };
        let (labels, include) = (label_list(labels), label_list(include));
        let matching = VectorMatching { on, labels, many, include, fill: modifier.fill };
        let bool = modifier.bool;
        Ok(Expr::Binary(Box::new(Binary { op, left, right, bool, matching, place })))
    }

    fn aggregate(&mut self, aggregate: tree::Aggregate, place: usize) -> Result<Expr> {
        let tree::Aggregate { op, grouping, param, expr } = aggregate;
        let known = AggregateOp::from_name(op);
        let op = known.ok_or_else(|| Error::internal(format!("aggregation {op}")))?;
        let (without, labels) = grouping.unwrap_or_default();
        let grouping = Grouping { without, labels: label_list(labels) };
        let expr_place = inner_place(&expr);
        let param_place = param.as_ref().map_or(place, inner_place);
        let param = param.map(|param| self.expr(param)).transpose()?;
        let expr = self.expr(expr)?;
        Ok(Expr::Aggregate(Box::new(Aggregate {
            op,
            expr,
            param,
            grouping,
            place,
            expr_place,
            param_place,
        })))
    }
}

/// A time so far from all samples that nothing is there may come nearer: sums of it and some durations
/// must not overflow.
fn bounded(at: Option<At>) -> Option<At> {
    const FAR: i64 = i64::MAX / 4;
    match at {
        Some(At::Time(ms)) => Some(At::Time(ms.clamp(-FAR, FAR))),
        other => other,
    }
}

/// Where a node begins, without its parentheses.
fn inner_place(node: &Node) -> usize {
    match &node.kind {
        Kind::Paren(inner) => inner_place(inner),
        _ => node.span.start,
    }
}

/// All matchers of a selector, that of its name first.
pub(super) fn matchers(selector: tree::Selector) -> Result<Vec<Matcher>> {
    let mut matchers = Vec::with_capacity(selector.conditions.len() + 1);
    if let Some(name) = selector.name {
        matchers.push(Matcher::new(METRIC_NAME, MatchOp::Equal, name)?);
    }
    matchers.extend(selector.conditions.into_iter().map(|condition| condition.matcher));
    Ok(matchers)
}

fn label_list(mut labels: Vec<String>) -> Vec<String> {
    labels.sort_unstable();
    labels.dedup();
    labels
}
