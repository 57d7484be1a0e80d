//! Text to tree: what is taken, what is refused and in which words.

use engine::ErrorKind;
use engine::model::MatchOp;

use super::{Features, parse};
use crate::ast::{At, Expr};

fn error(query: &str) -> String {
    parse(query, Features::default()).map(|_| query).expect_err(query).message().to_owned()
}

fn ok(query: &str) -> Expr {
    parse(query, Features::default()).unwrap_or_else(|e| panic!("{query}: {e}"))
}

#[test]
fn matchers_keep_their_values_and_are_res_patterns() {
    let query = "http{a=~\"x.+|a\\\\.b\", 'utf8.name' != `y\"`, b!~'', c=\"0\"}";
    let Expr::Instant(selector) = ok(query) else { panic!("no selector") };
    let matchers: Vec<_> =
        selector.matchers.iter().map(|m| (m.name(), m.op(), m.value())).collect();
    let expected = [
        ("__name__", MatchOp::Equal, "http"),
        ("a", MatchOp::Regex, r"x.+|a\.b"),
        ("utf8.name", MatchOp::NotEqual, "y\""),
        ("b", MatchOp::NotRegex, ""),
        ("c", MatchOp::Equal, "0"),
    ];
    assert_eq!(matchers, expected);
}

#[test]
fn a_quoted_metric_name_is_a_name() {
    let Expr::Instant(selector) = ok(r#"{"my.metric", a="b"}"#) else { panic!("no selector") };
    assert_eq!(selector.matchers[0].name(), "__name__");
    assert_eq!(selector.matchers[0].value(), "my.metric");
}

#[test]
fn modifiers_are_milliseconds() {
    let Expr::Range(selector, range) = ok("m[5m] @ -1.5 offset -1h") else { panic!("no range") };
    assert_eq!((range, selector.offset, selector.at), (300_000, -3_600_000, Some(At::Time(-1500))));
    let Expr::Subquery(subquery) = ok("m[1h:30s] @ end()") else { panic!("no subquery") };
    assert_eq!(
        (subquery.range, subquery.step, subquery.at),
        (3_600_000, Some(30_000), Some(At::End))
    );
}

#[test]
fn what_prometheus_refuses_is_refused_in_its_words() {
    let cases = [
        ("rate(m)", r#"expected type range vector in call to function "rate", got instant vector"#),
        ("ln(0)", r#"expected type instant vector in call to function "ln", got scalar"#),
        ("1 == 1", "comparisons between scalars must use BOOL modifier"),
        ("1 and m", r#"set operator "and" not allowed in binary scalar expression"#),
        ("{a=~\".*\"}", "vector selector must contain at least one non-empty matcher"),
        ("{}", "vector selector must contain at least one non-empty matcher"),
        ("m[0s]", "duration must be greater than 0"),
        ("m{__name__=\"n\"}", r#"metric name must not be set twice: "m" or "n""#),
        ("mad_over_time(m[5m])", r#"function "mad_over_time" is not enabled"#),
        (
            "-\"a\"",
            r#"unary expression only allowed on expressions of type scalar or instant vector, got "string""#,
        ),
        ("m[5m][5m:]", "subquery is only allowed on instant vector, got matrix instead"),
        ("a + on(x) group_left(x) b", r#"label "x" must not occur in ON and GROUP clause at once"#),
        ("m{a=\"b", "unterminated quoted string"),
    ];
    for (query, expected) in cases {
        assert_eq!(error(query), format!("parse error: {expected}"), "{query}");
    }
    for query in [
        "{a=\"b\" or c=\"d\"}",
        "m{a=~\"(\"}",
        "sum(",
        "m @ 1e300",
        "a + fill(0) b",
        "limitk(1, m)",
    ] {
        let found = parse(query, Features::default()).expect_err(query);
        assert_eq!(found.kind(), ErrorKind::Invalid, "{query}: {found}");
    }
}

#[test]
fn what_is_not_there_yet_is_named() {
    for (query, named) in [
        ("rate(m[5m] anchored)", "anchored"),
        ("m smoothed", "smoothed"),
        ("m[5m+1m]", "duration expressions"),
        ("m[step()]", "duration expressions"),
        ("m offset (5m)", "duration expressions"),
        ("m </ 3", "</"),
    ] {
        let found = parse(query, Features::default()).expect_err(query);
        assert_eq!(found.kind(), ErrorKind::Unsupported, "{query}: {found}");
        assert!(found.message().contains(named), "{query}: {found}");
    }
}

#[test]
fn deep_and_long_input_is_an_error_and_ends_soon() {
    let nest =
        |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    for query in [nest("-", ""), nest("(", ")"), nest("abs(", ")"), nest("sum(", ")")] {
        assert!(error(&query).contains("deeper than"), "{}", &query[..10]);
    }
    assert!(error(&"a+".repeat(10_000)).contains("deeper than"));
    assert!(error(&"a or ".repeat(5_000)).contains("deeper than"));
    assert!(error(&format!("a{}", "[1m:1m]".repeat(1_500))).contains("only allowed on"));
    assert!(error(&"a".repeat(70_000)).contains("bytes long"));
}

#[test]
fn a_deep_tree_within_the_limits_is_built_and_dropped_on_a_small_stack() {
    let query = format!("{}1{}", "(".repeat(990), ")".repeat(990));
    let chain = vec!["a"; 900].join("+");
    std::thread::Builder::new()
        .stack_size(8 << 20)
        .spawn(move || {
            ok(&query);
            ok(&chain);
        })
        .unwrap()
        .join()
        .unwrap();
}
