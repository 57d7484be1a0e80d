//! A syntax tree as JSON (`web/api/v1/translate_ast.go`).

use engine::model::METRIC_NAME;
use serde_json::{Value, json};

use super::check::short;
use super::print::{binary_of_vectors, found_ms, operator, sign};
use super::tree::{
    Aggregate, Binary, Call, Duration, DurationKind, Kind, Modifiers, Node, Selector,
};
use crate::ast::At;
use crate::functions::float_text::plain;

/// A part of a query as an object.
#[recursive::recursive]
pub(super) fn node(part: &Node) -> Value {
    match &part.kind {
        Kind::Number(number) => json!({"type": "numberLiteral", "val": plain(number.value)}),
        Kind::Text(text) => json!({"type": "stringLiteral", "val": text.shown()}),
        Kind::Selector(found) => selector("vectorSelector", found),
        Kind::Range(found, range) => {
            let mut object = selector("matrixSelector", found);
            object["range"] = literal_ms(Some(range));
            object["rangeExpr"] = computed(Some(range));
            object
        }
        Kind::Subquery(subquery) => with_modifiers(
            json!({
                "type": "subquery",
                "expr": node(&subquery.expr),
                "range": literal_ms(Some(&subquery.range)),
                "rangeExpr": computed(Some(&subquery.range)),
                "step": literal_ms(subquery.step.as_ref()),
                "stepExpr": computed(subquery.step.as_ref()),
            }),
            &subquery.modifiers,
        ),
        Kind::Paren(inner) => json!({"type": "parenExpr", "expr": node(inner)}),
        Kind::Unary(minus, inner) => {
            json!({"type": "unaryExpr", "op": sign(*minus), "expr": node(inner)})
        }
        Kind::Binary(found) => json!({
            "type": "binaryExpr",
            "op": found.op,
            "lhs": node(&found.left),
            "rhs": node(&found.right),
            "matching": if binary_of_vectors(part) { matching(found) } else { Value::Null },
            "bool": found.modifier.bool,
        }),
        Kind::Aggregate(found) => {
            let Aggregate { op, grouping, param, expr } = &**found;
            let (without, labels) = grouping.as_ref().map_or((false, &[][..]), |(w, l)| (*w, l));
            json!({
                "type": "aggregation",
                "op": op,
                "expr": node(expr),
                "param": param.as_ref().map(node),
                "grouping": labels,
                "without": without,
            })
        }
        Kind::Call(Call { function, args }) => {
            let types = function.args.iter().map(|&of| short(of));
            json!({
                "type": "call",
                "func": {
                    "name": function.name,
                    "argTypes": types.collect::<Vec<_>>(),
                    "variadic": function.more,
                    "returnType": short(function.returns),
                },
                "args": args.iter().map(node).collect::<Vec<_>>(),
            })
        }
    }
}

fn selector(kind: &str, found: &Selector) -> Value {
    let conditions = found.conditions.iter().map(|condition| {
        let (name, value) = (condition.name.shown(), condition.value.shown());
        json!({"name": name, "value": value, "type": operator(condition.op)})
    });
    // A name before the braces is the last condition.
    let name =
        found.name.iter().map(|name| json!({"name": METRIC_NAME, "value": name, "type": "="}));
    with_modifiers(
        json!({
            "type": kind,
            "name": found.name.as_deref().unwrap_or_default(),
            "matchers": conditions.chain(name).collect::<Vec<_>>(),
            "anchored": found.anchored,
            "smoothed": found.smoothed,
        }),
        &found.modifiers,
    )
}

fn with_modifiers(mut object: Value, modifiers: &Modifiers) -> Value {
    object["offset"] = literal_ms(modifiers.offset.as_ref());
    object["offsetExpr"] = computed(modifiers.offset.as_ref());
    object["timestamp"] = match modifiers.at {
        Some(At::Time(ms)) => json!(ms),
        _ => Value::Null,
    };
    object["startOrEnd"] = match modifiers.at {
        Some(At::Start) => json!("start"),
        Some(At::End) => json!("end"),
        _ => Value::Null,
    };
    object
}

fn matching(found: &Binary) -> Value {
    let modifier = &found.modifier;
    let (on, labels) = modifier.matching.as_ref().map_or((false, &[][..]), |(on, l)| (*on, l));
    let (card, include) = match &modifier.grouping {
        Some((true, include)) => ("many-to-one", &include[..]),
        Some((false, include)) => ("one-to-many", &include[..]),
        None if matches!(found.op, "and" | "or" | "unless") => ("many-to-many", &[][..]),
        None => ("one-to-one", &[][..]),
    };
    let [left, right] = modifier.fill;
    json!({
        "card": card,
        "labels": labels,
        "on": on,
        "include": include,
        "fillValues": {"lhs": left, "rhs": right},
    })
}

/// A literal in ms; 0 for what is computed, or not there.
fn literal_ms(duration: Option<&Duration>) -> Value {
    match duration.map(|duration| &duration.kind) {
        Some(DurationKind::Number(number)) => json!(found_ms(*number)),
        _ => json!(0),
    }
}

/// What is computed as an object; null for a literal.
fn computed(duration: Option<&Duration>) -> Value {
    match duration {
        Some(duration) if !matches!(duration.kind, DurationKind::Number(_)) => part(duration),
        _ => Value::Null,
    }
}

#[recursive::recursive]
fn part(duration: &Duration) -> Value {
    let (op, left, right) = match &duration.kind {
        DurationKind::Number(number) => {
            return json!({
                "type": "numberLiteral",
                "val": plain(number.value),
                "duration": number.is_duration,
            });
        }
        DurationKind::Step => ("step", None, None),
        DurationKind::Range => ("range", None, None),
        DurationKind::Unary(minus, inner) => (sign(*minus), None, Some(inner)),
        DurationKind::Binary(op, left, right) => (*op, Some(left), Some(right)),
    };
    json!({
        "type": "durationExpr",
        "op": op,
        "lhs": left.map(|left| part(left)),
        "rhs": right.map(|right| part(right)),
        "wrapped": duration.wrapped,
    })
}
