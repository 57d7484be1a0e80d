//! What Go accepts and refuses, fast paths, templates, and patterns that are meant to hurt. The
//! comparison with Go itself is in the workspace's integration tests.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, value: &str) -> bool {
    Regex::anchored(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}")).is_match(value)
}

fn shape(pattern: &str) -> Option<Shape> {
    Shape::of(&parse::parse(pattern).unwrap().hir)
}

#[test]
fn patterns_mean_what_go_means() {
    for (pattern, yes, no) in [
        ("", "", "a"),
        ("a.c", "a\nc", "abc\n"),
        (r"\d+", "09", "\u{663}"),
        (r"\w", "_", "é"),
        (r"\s", "\u{c}", "\u{b}"),
        (r"\S", "\u{a0}", " "),
        (r"a\b.b", "a b", "aéb\u{300}"),
        ("{", "{", ""),
        ("a{,2}", "a{,2}", "aa"),
        ("a{01}", "a{01}", "a"),
        ("[[a]", "[", "b"),
        ("[]a]", "]", "b"),
        ("[a-]", "-", "b"),
        (r"[\d-x]", "-", "y"),
        ("[a&&b]", "&", "c"),
        (r"\Qa.b\E+", "a.bb", "aXb"),
        (r"\Qa.b", "a.b", "aXb"),
        (r"\101\x42\x{43}", "ABC", "abc"),
        (r"\0", "\0", "0"),
        ("(?i)k", "\u{212a}", "j"),
        ("(?i)[^k]", "j", "K"),
        (r"(?i)\W", "-", "\u{17f}"),
        ("(?-s).", "a", "\n"),
        ("(?m)a$\nb", "a\nb", "ab"),
        (r"\pL", "é", "1"),
        (r"\p{^Greek}", "a", "α"),
        (r"\P{Latin}", "α", "a"),
        (r"\p{Cased_Letter}", "A", "1"),
        ("(?P<n>a)(?<n>b)", "ab", "a"),
        ("[[:^alpha:][:word:]]", "a", "é\u{300}"),
        ("a|", "", "b"),
        ("(|a)*", "aaa", "b"),
        (r"\x{d800}|a", "a", ""),
        (r"[\x{d800}-\x{e000}]", "\u{e000}", "\u{d7ff}"),
        ("a{0}b", "b", "ab"),
        ("a{2,3}", "aaa", "a"),
        ("a{2,}", "aaaa", "a"),
    ] {
        assert!(matches(pattern, yes), "{pattern} does not match {yes:?}");
        assert!(!matches(pattern, no), "{pattern} matches {no:?}");
    }
}

#[test]
fn refusals_have_gos_words() {
    for (pattern, words) in [
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*+", "invalid nested repetition operator: `*+`"),
        ("x{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("(|*)", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("(?:x{40}){40}", "invalid repeat count: `{40}`"),
        ("((a{10}){10}){11}?", "invalid repeat count: `{11}?`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?u:a)", "invalid or unsupported Perl syntax: `(?u`"),
        ("(?", "invalid or unsupported Perl syntax: `(?`"),
        ("(?-)", "invalid or unsupported Perl syntax: `(?-)`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?<n", "invalid named capture: `(?<n`"),
        ("(?P<é>a)", "invalid named capture: `(?P<é>`"),
        (r"\u{41}", r"invalid escape sequence: `\u`"),
        (r"\8", r"invalid escape sequence: `\8`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\xg1", r"invalid escape sequence: `\xg1`"),
        (r"\x{110000}", r"invalid escape sequence: `\x{110000`"),
        (r"\x{}", r"invalid escape sequence: `\x{}`"),
        (r"a\", "trailing backslash at end of expression: ``"),
        ("[a--b]", "invalid character class range: `a--`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        (r"[a-\d]", r"invalid escape sequence: `\d`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        (r"\p{Emoji}", r"invalid character class range: `\p{Emoji}`"),
        (r"\pé", r"invalid character class range: `\pé`"),
        (r"\p", r"invalid character class range: `\p`"),
        ("[a", "missing closing ]: `[a`"),
        ("b[", "missing closing ]: `[`"),
        ("((a)", "missing closing ): `((a)`"),
        ("a)(b", "unexpected ): `a)(b`"),
    ] {
        match Regex::anchored(pattern) {
            Ok(_) => panic!("{pattern} is accepted"),
            Err(error) => {
                assert_eq!(
                    error.to_string(),
                    format!("error parsing regexp: {words}"),
                    "{pattern}"
                );
            }
        }
    }
}

#[test]
fn common_patterns_need_no_automaton() {
    let text = |text: &str| Box::<str>::from(text);
    assert_eq!(shape(".*"), Some(Shape::Anything));
    assert_eq!(shape("(.+)"), Some(Shape::Something));
    assert_eq!(shape(".+"), Some(Shape::Something));
    assert_eq!(shape(""), Some(Shape::Literal(text(""))));
    assert_eq!(shape(r"a\.b"), Some(Shape::Literal(text("a.b"))));
    assert_eq!(shape("abc.*"), Some(Shape::Prefix { text: text("abc"), more: false }));
    assert_eq!(shape("abc.+"), Some(Shape::Prefix { text: text("abc"), more: true }));
    assert_eq!(shape(".*abc"), Some(Shape::Suffix { text: text("abc"), more: false }));
    assert_eq!(shape(".*abc.*"), Some(Shape::Contains(text("abc"))));
    assert_eq!(shape(".+abc.*"), None);
    assert_eq!(shape("(?-s).*"), None);
    let set = |texts: &[&str]| Some(Shape::Set(texts.iter().map(|t| text(t)).collect()));
    assert_eq!(shape("foo|far|"), set(&["foo", "far", ""]));
    assert_eq!(shape("(a|b)c[de]"), set(&["acd", "ace", "bcd", "bce"]));
    assert_eq!(shape("(?i:ab)"), set(&["ab", "aB", "Ab", "AB"]));
    assert_eq!(shape("a?"), None);
}

#[test]
fn templates_expand_as_in_go() {
    for (pattern, value, template, expanded) in [
        ("(.*)-(.*)", "a-b", "$2.$1", Some("b.a")),
        ("(.*)-(.*)", "a-b", "${2}x$1x", Some("bx")),
        ("(?P<x>.*)", "v", "$x ${x} $y $0", Some("v v  v")),
        ("(a)|(b)", "b", "[$1][$2][$3]", Some("[][b][]")),
        ("a", "a", "$$1 $ $", Some("$1 $ $")),
        ("a", "a", "${} ${a $-", Some("${} ${a $-")),
        ("(a)(b)?", "a", "$01 $1", Some(" a")),
        ("(?P<n>a)|(?P<n>b)", "b", "$n", Some("b")),
        ("(a{0})(b)", "b", "<$1><$2>", Some("<><b>")),
        ("(a){0}(b)", "b", "<$1><$2>", Some("<><b>")),
        ("(a*)(a*)", "aa", "$1|$2", Some("aa|")),
        ("(a*?)(a*)", "aa", "$1|$2", Some("|aa")),
        ("(?U)(a*)(a*)", "aa", "$1|$2", Some("|aa")),
        ("a", "b", "x", None),
        ("é(.)", "éß", "$1", Some("ß")),
    ] {
        let regex = Regex::anchored(pattern).unwrap();
        assert_eq!(regex.expand(value, template).as_deref(), expanded, "{pattern} {template}");
    }
}

#[test]
fn bombs_take_linear_time_and_bounded_memory() {
    let value = "a".repeat(20_000);
    let begin = Instant::now();
    for pattern in [
        "(a*)*b",
        "(a+)+b",
        "(a|aa)+b",
        "(?:a?){500}a{500}b",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b",
        "([a-z]+\\.?)+b",
        "(x+x+)+y",
    ] {
        assert!(!matches(pattern, &value), "{pattern}");
    }
    for pattern in [
        ".{1000}{1000}".to_owned(),
        "(.{1000}){1000}".to_owned(),
        "((a{100}){10}){10}".to_owned(),
        r"\pL{1000}".repeat(40),
        r"[\pL\pN]".repeat(20_000),
        "(x{1000}y{1000})".repeat(200),
        "(".repeat(100_000),
        format!("{}a{}", "(".repeat(1001), ")".repeat(1001)),
        format!("{}a{}", "(?:".repeat(1001), ")*".repeat(1001)),
        "a".repeat(2 << 20),
        "(){1000}".repeat(1000),
    ] {
        let refused = Regex::anchored(&pattern).map(|_| ()).unwrap_err();
        assert!(refused.to_string().len() < pattern.len() + 100);
    }
    let wide = (0..10_000).map(|n| format!("name-{n}")).collect::<Vec<_>>().join("|");
    assert!(matches(&wide, "name-9999"));
    assert!(matches(&format!("(?:{wide}).*"), "name-9999/x"));
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn deep_patterns_fit_a_small_stack() {
    let deep = |number: usize, open: &str, close: &str| {
        format!("{}a{}", open.repeat(number), close.repeat(number))
    };
    let patterns = [
        deep(990, "(", ")"),
        deep(990, "(?:", ")*"),
        deep(490, "(?:b", ")?"),
        deep(330, "(bc|", ")"),
    ];
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for pattern in patterns {
                let regex = Regex::anchored(&pattern).unwrap();
                assert!(!regex.is_match("c"));
                assert_eq!(regex.expand("c", "$1"), None);
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

proptest! {
    /// No text makes the parser panic, and what it accepts is compiled.
    #[test]
    fn any_text_is_accepted_or_refused(
        pattern in r"([\[\](){}|*+?\\^$.:,<>=!a-cP0-9iQEdDsSwWbBxpL&&~ -]|\PC){0,24}",
        value in "[a-c\\[\\]\\\\ ]{0,6}",
    ) {
        if let Ok(regex) = Regex::anchored(&pattern) {
            let matched = regex.is_match(&value);
            prop_assert_eq!(regex.expand(&value, "").is_some(), matched);
        }
    }
}
