//! Text to tree: what is taken, what is refused and in which words.

use engine::ErrorKind;
use engine::model::MatchOp;

use super::{Features, Steps};
use crate::ast::{At, Expr};

fn error(query: &str) -> String {
    super::parse(query, Features::default(), Steps::default())
        .map(|_| query)
        .expect_err(query)
        .message()
        .to_owned()
}

fn ok(query: &str) -> Expr {
    super::parse(query, Features::default(), Steps::default())
        .unwrap_or_else(|e| panic!("{query}: {e}"))
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
        (
            "rate(m)",
            r#"1:6: expected type range vector in call to function "rate", got instant vector"#,
        ),
        ("ln(0)", r#"1:4: expected type instant vector in call to function "ln", got scalar"#),
        ("1\n == 1", "2:2: comparisons between scalars must use BOOL modifier"),
        ("1 and m", r#"1:1: set operator "and" not allowed in binary scalar expression"#),
        ("{a=~\".*\"}", "1:1: vector selector must contain at least one non-empty matcher"),
        ("{}", "1:1: vector selector must contain at least one non-empty matcher"),
        ("m[0s]", "1:3: duration must be greater than 0"),
        ("m{__name__=\"n\"}", r#"1:1: metric name must not be set twice: "m" or "n""#),
        ("mad_over_time(m[5m])", r#"1:1: function "mad_over_time" is not enabled"#),
        (
            "-\"a\"",
            r#"1:1: unary expression only allowed on expressions of type scalar or instant vector, got "string""#,
        ),
        ("m[5m][5m:]", "1:1: subquery is only allowed on instant vector, got matrix instead"),
        (
            "a + on(x) group_left(x) b",
            r#"1:3: label "x" must not occur in ON and GROUP clause at once"#,
        ),
        ("m{a=\"b", "1:5: unterminated quoted string"),
        ("(m", "1:3: unclosed left parenthesis"),
        ("sum by (x (m)", r#"1:11: unexpected "(" in grouping opts, expected "," or ")""#),
        ("sum(m n)", r#"1:7: unexpected identifier "n" in aggregation"#),
        ("rate(m n)", r#"1:8: unexpected identifier "n""#),
        (
            "m{a b}",
            r#"1:5: unexpected identifier "b" in label matching, expected label matching operator"#,
        ),
        (
            "m offset n",
            r#"1:10: unexpected identifier "n" in offset, expected number, duration, step(), or range()"#,
        ),
        ("m @ n", r#"1:5: unexpected identifier "n" in @, expected timestamp"#),
        ("abs(m,)", "1:6: trailing commas not allowed in function call args"),
        ("nothing(m)", r#"1:1: unknown function with name "nothing""#),
        ("", "unknown position: no expression found in input"),
    ];
    for (query, expected) in cases {
        let (place, expected) = expected.split_once(": ").expect("a place");
        assert_eq!(error(query), format!("{place}: parse error: {expected}"), "{query}");
    }
    for query in [
        "{a=\"b\" or c=\"d\"}",
        "m{a=~\"(\"}",
        "sum(",
        "m @ 1e300",
        "a + fill(0) b",
        "limitk(1, m)",
    ] {
        let found = super::parse(query, Features::default(), Steps::default()).expect_err(query);
        assert_eq!(found.kind(), ErrorKind::Invalid, "{query}: {found}");
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
    assert!(error(&format!("a{}", "[1m:1m]".repeat(1_500))).contains("deeper than"));
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

/// What `[…]` and `offset …` come to, in ms.
#[test]
fn durations_are_computed() {
    let steps = Steps { step: 15_000, range: 3_600_000 };
    for (query, range, offset) in [
        ("m[5m]", 300_000, 0),
        ("m[300]", 300_000, 0),
        ("m[1h30m5ms]", 5_400_005, 0),
        ("m[5m+1m]", 360_000, 0),
        ("m[2^2*1m-(30s)]", 210_000, 0),
        ("m[step()*2]", 30_000, 0),
        ("m[min_of(range(), 1m)] offset -(step()+1m)", 60_000, -75_000),
        ("m[1m] offset step()", 60_000, 15_000),
        ("m[1m] offset (1m) + 2", 60_000, 62_000),
    ] {
        let Ok(Expr::Range(selector, got)) = super::parse(query, Features::default(), steps) else {
            panic!("{query} is no range")
        };
        assert_eq!((got, selector.offset), (range, offset), "{query}");
    }
    // A sign and a number are one: the power is of the whole.
    assert!(matches!(ok("m offset -2^2"), Expr::Binary(_)));
    for (query, expected) in [
        ("m[1m-1m]", "2:7: duration must be greater than 0"),
        ("m[1m/step()]", "2:11: division by zero"),
    ] {
        assert_eq!(error(query), expected, "{query}");
    }
}

/// All queries of Prometheus' scripts that promql-parser reads are read here too.
#[test]
fn what_promql_parser_reads_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/promqltest");
    let features =
        Features { experimental_functions: true, fill_modifiers: true, ..Features::default() };
    let (mut read, mut only_here) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("the scripts") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "test") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a script");
        for line in text.lines().map(str::trim).filter(|line| line.starts_with("eval")) {
            let words = if line.contains(" instant at ") { 4 } else { 8 };
            let query = line.splitn(words + 1, char::is_whitespace).nth(words).unwrap_or_default();
            let ours = super::parse(query, features, Steps { step: 60_000, range: 600_000 });
            let refused = ours.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid);
            match promql_parser::parser::parse(query) {
                Ok(_) if refused => {
                    // It has no positions, and does not check what these say.
                    let message = ours.unwrap_err().to_string();
                    let known = [
                        "unquoting",
                        "within",
                        "regexp",
                        "out of",
                        "greater than 0",
                        "label selectors",
                    ];
                    assert!(known.iter().any(|text| message.contains(text)), "{query}: {message}");
                }
                Ok(_) => read += 1,
                Err(_) => only_here += usize::from(!refused),
            }
        }
    }
    assert!(read > 1_000 && only_here > 50, "{read} queries are read, {only_here} only here");
}
