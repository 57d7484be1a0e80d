//! What a query may not say though its grammar allows it (`checkAST` in `promql/parser/parse.go`).

use engine::model::METRIC_NAME;

use super::grammar::Parsed;
use super::quote::quoted;
use super::tree::{Aggregate, Binary, Call, Kind, Node, Selector};
use crate::ast::ValueType;

/// What is wrong with a query, and from which byte on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// As Prometheus writes it, `line:column: parse error: …`.
    pub(super) fn text(&self, query: &str) -> String {
        // Without a query there is no place in it.
        match query {
            "" => format!("unknown position: parse error: {}", self.message),
            _ => format!("{}: parse error: {}", position(query, self.at), self.message),
        }
    }
}

/// Byte `at` of a query as line and column (`StartPosInput`).
pub(crate) fn position(query: &str, at: usize) -> String {
    let before = query.as_bytes().get(..at).unwrap_or_default();
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&byte| byte != b'\n').count() + 1;
    format!("{line}:{column}")
}

fn fault<T>(node: &Node, message: impl Into<String>) -> Parsed<T> {
    Err(Fault::new(node.span.start, message))
}

/// Checks a tree; `info`'s selectors are marked in it.
#[recursive::recursive]
pub(super) fn check(node: &mut Node) -> Parsed<ValueType> {
    let value_type = node.value_type();
    let start = node.span.start;
    match &mut node.kind {
        Kind::Number(_) | Kind::Text(_) => {}
        Kind::Selector(selector) | Kind::Range(selector, _) => check_selector(start, selector)?,
        Kind::Subquery(subquery) => match check(&mut subquery.expr)? {
            ValueType::Instant => {}
            other => {
                let message = format!(
                    "subquery is only allowed on instant vector, got {} instead",
                    short(other)
                );
                return fault(node, message);
            }
        },
        Kind::Paren(inner) => drop(check(inner)?),
        Kind::Unary(_, inner) => match check(inner)? {
            ValueType::Scalar | ValueType::Instant => {}
            other => {
                let message = format!(
                    "unary expression only allowed on expressions of type scalar or instant vector, got {}",
                    quoted(other.to_string())
                );
                return fault(node, message);
            }
        },
        Kind::Binary(binary) => check_binary(start, binary)?,
        Kind::Aggregate(aggregate) => check_aggregate(aggregate)?,
        Kind::Call(call) => check_call(start, call)?,
    }
    Ok(value_type)
}

/// As Go names types in one place.
pub(super) fn short(value_type: ValueType) -> &'static str {
    match value_type {
        ValueType::Scalar => "scalar",
        ValueType::Text => "string",
        ValueType::Instant => "vector",
        ValueType::Range => "matrix",
    }
}

fn check_selector(start: usize, selector: &Selector) -> Parsed<()> {
    if let Some(name) = &selector.name {
        let mut names = selector.conditions.iter().filter(|one| one.matcher.name() == METRIC_NAME);
        return match names.next() {
            Some(other) => {
                let (name, other) = (quoted(name), quoted(&other.value));
                let message = format!("metric name must not be set twice: {name} or {other}");
                Err(Fault::new(start, message))
            }
            None => Ok(()),
        };
    }
    if !selector.may_be_empty && selector.conditions.iter().all(|one| one.matcher.matches("")) {
        let message = "vector selector must contain at least one non-empty matcher";
        return Err(Fault::new(start, message));
    }
    Ok(())
}

fn check_aggregate(aggregate: &mut Aggregate) -> Parsed<()> {
    expect(&mut aggregate.expr, ValueType::Instant, "aggregation expression")?;
    let wanted = match aggregate.op {
        "count_values" => ValueType::Text,
        _ => ValueType::Scalar,
    };
    match &mut aggregate.param {
        Some(param) => expect(param, wanted, "aggregation parameter"),
        None => Ok(()),
    }
}

fn expect(node: &mut Node, wanted: ValueType, context: &str) -> Parsed<()> {
    match check(node)? {
        found if found == wanted => Ok(()),
        found => fault(node, format!("expected type {wanted} in {context}, got {found}")),
    }
}

fn check_binary(start: usize, binary: &mut Binary) -> Parsed<()> {
    let (left, right) = (check(&mut binary.left)?, check(&mut binary.right)?);
    let Binary { op, op_at, modifier, .. } = &*binary;
    let at_operator = |message: String| Err(Fault::new(*op_at, message));
    let at_start = |message: &str| Err(Fault::new(start, message));
    let compares = matches!(*op, "==" | "!=" | "<" | "<=" | ">" | ">=");
    let is_set = matches!(*op, "and" | "or" | "unless");
    let scalars = [left, right].map(|side| side == ValueType::Scalar);
    if modifier.bool && !compares {
        return at_operator("bool modifier can only be used on comparison operators".to_owned());
    }
    if compares && !modifier.bool && scalars == [true, true] {
        return at_operator("comparisons between scalars must use BOOL modifier".to_owned());
    }
    if let (Some((true, labels)), Some((_, included))) = (&modifier.matching, &modifier.grouping)
        && let Some(label) = labels.iter().find(|label| included.contains(label))
    {
        return at_operator(format!(
            "label {} must not occur in ON and GROUP clause at once",
            quoted(label)
        ));
    }
    let allowed = |side| matches!(side, ValueType::Scalar | ValueType::Instant);
    for (side, node) in [(left, &binary.left), (right, &binary.right)] {
        if !allowed(side) {
            let message = "binary expression must contain only scalar and instant vector types";
            return fault(node, message);
        }
    }
    let fills = modifier.fill.iter().any(Option::is_some);
    if scalars != [false, false] {
        if modifier.matching.as_ref().is_some_and(|(_, labels)| !labels.is_empty()) {
            return at_start("vector matching only allowed between instant vectors");
        }
        if fills {
            return at_start("filling in missing series only allowed between instant vectors");
        }
        if is_set {
            let message =
                format!("set operator {} not allowed in binary scalar expression", quoted(op));
            return at_start(&message);
        }
    } else if is_set {
        if modifier.grouping.is_some() {
            return at_start(&format!("no grouping allowed for {} operation", quoted(op)));
        }
        if fills {
            return at_start("filling in missing series not allowed for set operators");
        }
    }
    Ok(())
}

fn check_call(start: usize, call: &mut Call) -> Parsed<()> {
    let Call { function, args } = call;
    let (name, given) = (quoted(function.name), args.len());
    let counted = |message: String| Err(Fault::new(start, message));
    let types = function.args.len();
    if function.more == 0 {
        if types != given {
            return counted(format!("expected {types} argument(s) in call to {name}, got {given}"));
        }
    } else {
        let least = types.saturating_sub(1);
        if given < least {
            let message =
                format!("expected at least {least} argument(s) in call to {name}, got {given}");
            return counted(message);
        }
        let most = usize::try_from(function.more).ok().map(|more| least + more);
        if let Some(most) = most.filter(|&most| given > most) {
            let message =
                format!("expected at most {most} argument(s) in call to {name}, got {given}");
            return counted(message);
        }
    }
    if function.name == "info"
        && let Some(labels) = args.get_mut(1)
    {
        check_info(start, labels)?;
    }
    for (at, arg) in args.iter_mut().enumerate() {
        let wanted = function.args.get(at).or(function.args.last());
        let found = check(arg)?;
        if let Some(wanted) = wanted.filter(|&&wanted| wanted != found) {
            let message = format!("expected type {wanted} in call to function {name}, got {found}");
            return fault(arg, message);
        }
    }
    Ok(())
}

/// The second argument of `info` is a selector without a name, which may accept anything.
fn check_info(start: usize, labels: &mut Node) -> Parsed<()> {
    let found = labels.value_type();
    if found != ValueType::Instant {
        let wanted = ValueType::Instant;
        let message = format!("expected type {wanted} in call to function \"info\", got {found}");
        return Err(Fault::new(start, message));
    }
    match &mut labels.kind {
        Kind::Selector(selector) if selector.name.is_none() => selector.may_be_empty = true,
        Kind::Selector(_) => {
            return fault(labels, "expected label selectors only, got vector selector instead");
        }
        _ => return fault(labels, "expected label selectors only"),
    }
    Ok(())
}
