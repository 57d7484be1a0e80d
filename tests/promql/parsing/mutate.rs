//! Queries that are nearly what they were.

use crate::promql::fuzz::random::Random;

/// What is put into a query; characters beyond ASCII are as old as both sides' tables.
const TOKENS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    "==",
    "!=",
    "=~",
    "!~",
    "<",
    ">",
    ">=",
    "<=",
    "</",
    ">/",
    "@",
    "offset",
    "anchored",
    "smoothed",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "bool",
    "fill",
    "fill_left",
    "fill_right",
    "sum",
    "topk",
    "count_values",
    "limitk",
    "limit_ratio",
    "start",
    "end",
    "step",
    "range",
    "max_of",
    "min_of",
    "and",
    "or",
    "unless",
    "atan2",
    "inf",
    "nan",
    "1",
    "5m",
    "0x1f",
    "1e3",
    "-1",
    "0",
    "1_000",
    "\"a\"",
    "'b'",
    "`c`",
    "\"\\xc5\"",
    "\"\\u00e9\"",
    "foo",
    "a:b",
    "é",
    "日本",
    "a.b",
    "info",
    "rate",
    "abs",
    "time",
    "unknown_fn",
    "#c\n",
    "\n",
    "\t",
    "$",
    "!",
    "=",
    "~",
    "\\",
    "\"",
    "'",
    "`",
    ".",
    "5m30s",
    "1h1h",
    "5x",
    "1y",
    "10y5",
    "9e99",
    "99999999999",
    ".5",
    "1.",
    "1..2",
    "1e",
    "1e+",
    "0b1",
    "08",
    "\u{fffd}",
    "\u{a0}",
    "\u{2028}",
    "__name__",
    "range()",
    "step()",
    "start()",
    "(1m)",
    "fill(0)",
    "fill_left(1)",
    "group_left(a)",
    "by (a)",
    "[5m]",
    "[5m:]",
    "[5m:1m]",
    "offset 5m",
    "@ 10",
    "@ start()",
    "{a=\"b\"}",
];

/// Characters that take the place of others.
const CHARACTERS: &[char] = &[
    '\u{1}',
    '\u{7}',
    '\u{b}',
    '\u{1b}',
    ' ',
    '!',
    '"',
    '#',
    '$',
    '%',
    '&',
    '\'',
    '(',
    ')',
    '*',
    '+',
    ',',
    '-',
    '.',
    '/',
    '0',
    '9',
    ':',
    ';',
    '<',
    '=',
    '>',
    '?',
    '@',
    'A',
    'Z',
    '[',
    '\\',
    ']',
    '^',
    '_',
    '`',
    'a',
    'e',
    'm',
    's',
    'x',
    'z',
    '{',
    '|',
    '}',
    '~',
    '\u{7f}',
    '\u{85}',
    '\u{a0}',
    'ß',
    '\u{ad}',
    'é',
    'Ω',
    '\u{301}',
    'ⅷ',
    'ا',
    '٣',
    '\u{200b}',
    '\u{2028}',
    '日',
    '\u{e000}',
    '\u{feff}',
    '\u{fffd}',
    '😀',
    '\u{10ffff}',
];

const BEFORE: &[&str] = &[
    "(",
    "-",
    "+",
    "sum(",
    "abs(",
    "rate(",
    "foo + ",
    "1 * ",
    "max_of(",
    "topk(1, ",
    "info(",
    "2 ^ -",
    "a[",
    "{",
    "sum by (a) (",
    "5m ",
];

const BEHIND: &[&str] = &[
    "",
    ")",
    ")",
    " + foo",
    "[5m]",
    "[5m:]",
    " offset 5m",
    " @ 1",
    " anchored",
    " by (a)",
    ")[5m:1m]",
    " offset -(1m) + 2",
    " offset - -1m * 3",
    " offset max_of(1m,step())",
];

/// Mutations of queries.
pub(super) struct Mutations<'q> {
    queries: &'q [&'q str],
    random: Random,
}

impl<'q> Mutations<'q> {
    pub(super) fn new(queries: &'q [&'q str], random: Random) -> Self {
        Self { queries, random }
    }

    /// The next one: up to three changes of one query.
    pub(super) fn next(&mut self) -> String {
        let random = &mut self.random;
        let mut query = random.pick(self.queries).to_owned();
        for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3]) {
            let mut tokens = tokens(&query);
            let (count, at) = (tokens.len(), random.below(tokens.len().max(1)));
            match random.below(9) {
                0 if count > 0 => drop(tokens.remove(at)),
                1 if count > 0 => tokens.insert(at, tokens[at]),
                2 if count > 0 => tokens.swap(at, random.below(count)),
                3 if count > 0 => tokens[at] = random.pick(TOKENS),
                4 if count > 0 => tokens.truncate(at),
                5 if count > 0 => {
                    query = replaced(&query, random);
                    continue;
                }
                6 => {
                    query = random.pick(BEFORE).to_owned() + &query + random.pick(BEHIND);
                    continue;
                }
                7 => {
                    query = query.clone() + random.pick(&["", " "]) + random.pick(self.queries);
                    continue;
                }
                _ => {
                    for text in
                        [random.pick(&[" ", ""]), random.pick(TOKENS), random.pick(&[" ", ""])]
                    {
                        tokens.insert(at, text);
                    }
                }
            }
            query = tokens.concat();
        }
        query
    }
}

/// `query` with one character exchanged.
fn replaced(query: &str, random: &mut Random) -> String {
    let mut characters: Vec<char> = query.chars().collect();
    let at = random.below(characters.len());
    characters[at] = random.pick(CHARACTERS);
    characters.into_iter().collect()
}

/// Words, strings, and single characters, without a loss.
fn tokens(query: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.');
        let length = match first {
            '"' | '\'' | '`' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            _ if word(first) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind;
    }
    tokens
}
