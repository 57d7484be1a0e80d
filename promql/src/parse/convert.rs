//! promql-parser's tree to ours, with the checks that it leaves out.

use std::time::{Duration, SystemTime};

use engine::model::{METRIC_NAME, MatchOp, Matcher};
use engine::{Error, Result};
use promql_parser::parser as pp;
use promql_parser::parser::value::ValueType as PpType;

use super::scan::MatcherText;
use super::{Features, parse_error};
use crate::ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Expr, Grouping, Many, Selector, Subquery,
    ValueType, VectorMatching,
};

pub(super) struct Converter<'a> {
    matchers: &'a [MatcherText],
    features: Features,
    selectors: usize,
}

impl<'a> Converter<'a> {
    pub(super) fn new(matchers: &'a [MatcherText], features: Features) -> Self {
        Self { matchers, features, selectors: 0 }
    }

    pub(super) fn convert(mut self, expr: pp::Expr) -> Result<Expr> {
        self.expr(expr)
    }

    fn expr(&mut self, expr: pp::Expr) -> Result<Expr> {
        match expr {
            pp::Expr::Paren(paren) => self.expr(*paren.expr),
            pp::Expr::NumberLiteral(number) => Ok(Expr::Number(number.val)),
            pp::Expr::StringLiteral(text) => Ok(Expr::Text(text.val)),
            pp::Expr::Unary(unary) => self.negate(*unary.expr),
            pp::Expr::VectorSelector(selector) => Ok(Expr::Instant(self.selector(selector)?)),
            pp::Expr::MatrixSelector(matrix) => {
                let range = positive(matrix.range)?;
                Ok(Expr::Range(self.selector(matrix.vs)?, range))
            }
            pp::Expr::Subquery(subquery) => self.subquery(subquery),
            pp::Expr::Call(call) => self.call(call),
            pp::Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            pp::Expr::Binary(binary) => self.binary(binary),
            pp::Expr::Extension(_) => Err(Error::internal("the parser made an extension")),
        }
    }

    fn negate(&mut self, inner: pp::Expr) -> Result<Expr> {
        let inner = self.expr(inner)?;
        match inner.value_type() {
            ValueType::Scalar | ValueType::Instant => Ok(Expr::Negate(Box::new(inner))),
            other => Err(parse_error(&format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got {:?}",
                other.to_string()
            ))),
        }
    }

    fn selector(&mut self, selector: pp::VectorSelector) -> Result<Selector> {
        if !selector.matchers.or_matchers.is_empty() {
            return Err(parse_error("unexpected <or> in label matching, expected \",\" or \"}\""));
        }
        let mut matchers = Vec::with_capacity(selector.matchers.matchers.len() + 1);
        if let Some(name) = selector.name {
            matchers.push(Matcher::new(METRIC_NAME, MatchOp::Equal, name)?);
        }
        for matcher in selector.matchers.matchers {
            let text = matcher.value.parse::<usize>().ok().and_then(|at| self.matchers.get(at));
            let text = text.ok_or_else(|| Error::internal("a matcher without its value"))?;
            let made = Matcher::new(matcher.name, text.op, text.value.clone())
                .map_err(|error| parse_error(error.message()))?;
            matchers.push(made);
        }
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(parse_error("vector selector must contain at least one non-empty matcher"));
        }
        let id = self.selectors;
        self.selectors += 1;
        Ok(Selector { id, matchers, offset: offset(selector.offset)?, at: at(selector.at)? })
    }

    fn subquery(&mut self, subquery: pp::SubqueryExpr) -> Result<Expr> {
        let range = positive(subquery.range)?;
        let step = subquery.step.map(positive).transpose()?;
        let (offset, at) = (offset(subquery.offset)?, at(subquery.at)?);
        let expr = self.expr(*subquery.expr)?;
        Ok(Expr::Subquery(Box::new(Subquery { expr, range, step, offset, at })))
    }

    fn call(&mut self, call: pp::Call) -> Result<Expr> {
        let function = call.func.name;
        if call.func.experimental && !self.features.experimental_functions {
            return Err(parse_error(&format!("function {function:?} is not enabled")));
        }
        let types = call.func.arg_types;
        let mut args = Vec::with_capacity(call.args.args.len());
        for (position, arg) in call.args.args.into_iter().enumerate() {
            let arg = self.expr(*arg)?;
            // promql-parser forgets the type of some literals (`ln(0)`).
            if let Some(expected) = types.get(position).or(types.last()).map(|t| own_type(*t))
                && expected != arg.value_type()
            {
                return Err(parse_error(&format!(
                    "expected type {expected} in call to function {function:?}, got {}",
                    arg.value_type()
                )));
            }
            args.push(arg);
        }
        Ok(Expr::Call(Call { function, args }))
    }

    fn aggregate(&mut self, aggregate: pp::AggregateExpr) -> Result<Expr> {
        let name = aggregate.op.to_string();
        let Some(op) = AggregateOp::from_name(&name) else {
            return Err(match self.features.experimental_functions {
                true => Error::unsupported(format!("not supported yet: {name}()")),
                false => parse_error(&format!(
                    "{name}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
                )),
            });
        };
        let grouping = match aggregate.modifier {
            Some(pp::LabelModifier::Include(labels)) => {
                Grouping { without: false, labels: label_list(labels.labels) }
            }
            Some(pp::LabelModifier::Exclude(labels)) => {
                Grouping { without: true, labels: label_list(labels.labels) }
            }
            None => Grouping { without: false, labels: Vec::new() },
        };
        let param = aggregate.param.map(|param| self.expr(*param)).transpose()?;
        let expr = self.expr(*aggregate.expr)?;
        Ok(Expr::Aggregate(Box::new(Aggregate { op, expr, param, grouping })))
    }

    fn binary(&mut self, binary: pp::BinaryExpr) -> Result<Expr> {
        let symbol = binary.op.to_string();
        let op = BinaryOp::from_symbol(&symbol).ok_or_else(|| {
            parse_error(&format!("binary expression does not support operator {symbol:?}"))
        })?;
        let modifier = binary.modifier.unwrap_or_default();
        if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
            return Err(parse_error("binop fill modifiers are experimental and not enabled"));
        }
        let (on, labels) = match modifier.matching {
            Some(pp::LabelModifier::Include(labels)) => (true, label_list(labels.labels)),
            Some(pp::LabelModifier::Exclude(labels)) => (false, label_list(labels.labels)),
            None => (false, Vec::new()),
        };
        let (many, include) = match modifier.card {
            pp::VectorMatchCardinality::OneToOne => (Many::Neither, Vec::new()),
            pp::VectorMatchCardinality::ManyToOne(labels) => (Many::Left, labels.labels),
            pp::VectorMatchCardinality::OneToMany(labels) => (Many::Right, labels.labels),
            pp::VectorMatchCardinality::ManyToMany => (Many::Both, Vec::new()),
        };
        let left = self.expr(*binary.lhs)?;
        let right = self.expr(*binary.rhs)?;
        let matching = VectorMatching { on, labels, many, include: label_list(include) };
        let bool = modifier.return_bool;
        Ok(Expr::Binary(Box::new(Binary { op, left, right, bool, matching })))
    }
}

fn label_list(mut labels: Vec<String>) -> Vec<String> {
    labels.sort_unstable();
    labels.dedup();
    labels
}

fn own_type(value_type: PpType) -> ValueType {
    match value_type {
        PpType::Scalar => ValueType::Scalar,
        PpType::String => ValueType::Text,
        PpType::Vector => ValueType::Instant,
        PpType::Matrix => ValueType::Range,
    }
}

/// The longest duration in ms: Go's `time.Duration` counts nanoseconds in 63 bits.
const MAX_DURATION: i64 = i64::MAX / 1_000_000;

fn millis(duration: Duration) -> Result<i64> {
    i64::try_from(duration.as_millis())
        .ok()
        .filter(|&ms| ms <= MAX_DURATION)
        .ok_or_else(|| parse_error("duration out of range"))
}

fn positive(duration: Duration) -> Result<i64> {
    match millis(duration)? {
        0 => Err(parse_error("duration must be greater than 0")),
        ms => Ok(ms),
    }
}

fn offset(offset: Option<pp::Offset>) -> Result<i64> {
    match offset {
        None => Ok(0),
        Some(pp::Offset::Pos(duration)) => millis(duration),
        Some(pp::Offset::Neg(duration)) => Ok(-millis(duration)?),
    }
}

fn at(at: Option<pp::AtModifier>) -> Result<Option<At>> {
    let time = match at {
        None => return Ok(None),
        Some(pp::AtModifier::Start) => return Ok(Some(At::Start)),
        Some(pp::AtModifier::End) => return Ok(Some(At::End)),
        Some(pp::AtModifier::At(time)) => time,
    };
    let ms = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()),
        Err(before) => i64::try_from(before.duration().as_millis()).map(|ms| -ms),
    };
    match ms {
        // Sums of a time and some durations must not overflow.
        Ok(ms) if ms.abs() < i64::MAX / 4 => Ok(Some(At::Time(ms))),
        _ => Err(parse_error("timestamp out of bounds for @ modifier")),
    }
}
