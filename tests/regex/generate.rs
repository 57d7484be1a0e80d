//! Patterns from a seed, with a value that each of them probably matches.

/// Numbers from a seed (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.roll() % end as u64) as usize
    }

    /// One of `items`.
    pub(super) fn pick<'i, T>(&mut self, items: &'i [T]) -> &'i T {
        &items[self.below(items.len())]
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }
}

/// Single parts, each with texts that it matches.
const PARTS: &[(&str, &[&str])] = &[
    ("a", &["a"]),
    ("b", &["b"]),
    ("K", &["K", "k", "\u{212a}"]),
    ("s", &["s", "S", "\u{17f}"]),
    ("é", &["é", "É"]),
    ("ß", &["ß", "ẞ"]),
    (".", &["x", "\n", "é", "\u{1f600}"]),
    (r"\.", &["."]),
    (r"\d", &["7", "\u{663}"]),
    (r"\D", &["x", "\u{663}"]),
    (r"\w", &["_", "a", "é"]),
    (r"\W", &["-", "é"]),
    (r"\s", &[" ", "\u{c}", "\u{b}", "\u{a0}"]),
    (r"\S", &["a", "\u{a0}"]),
    ("[ab]", &["a", "b"]),
    ("[^ab]", &["c", "\n"]),
    ("[a-z0-9_]", &["q", "5"]),
    ("[]a]", &["]"]),
    ("[^]a]", &["b"]),
    ("[a-]", &["-"]),
    (r"[\d-x]", &["-", "3"]),
    ("[[:alpha:]]", &["z"]),
    ("[[:^space:]x]", &["x", "é"]),
    ("[[:word:]]", &["_"]),
    (r"[\w.:/-]", &[":", "/", "-"]),
    (r"[^\W\d]", &["a"]),
    ("[[a]", &["["]),
    ("[a&&b]", &["&"]),
    ("[a~~b]", &["~"]),
    (r"\pL", &["é", "a"]),
    (r"\p{Greek}", &["α"]),
    (r"\P{Lu}", &["a", "A"]),
    (r"\p{^N}", &["a", "1"]),
    (r"[\p{Lu}\d]", &["A", "a"]),
    (r"\p{Letter}", &["é"]),
    (r"\p{any}", &["\n"]),
    (r"\x41", &["A"]),
    (r"\x{1F600}", &["\u{1f600}"]),
    (r"\101", &["A"]),
    (r"\0", &["\0"]),
    (r"\n", &["\n"]),
    (r"\Qa.b\E", &["a.b"]),
    (r"\Q\E", &[""]),
    (r"\-", &["-"]),
    (r"\_", &["_"]),
    ("{", &["{"]),
    ("}", &["}"]),
    ("]", &["]"]),
    ("a{,2}", &["a{,2}"]),
    ("a{01}", &["a{01}"]),
    (r"\b", &[""]),
    (r"\B", &[""]),
    ("^", &[""]),
    ("$", &[""]),
    (r"\A", &[""]),
    (r"\z", &[""]),
    ("", &[""]),
];

const REPEATS: &[&str] = &[
    "*", "+", "?", "*?", "+?", "??", "{0}", "{1}", "{2}", "{0,2}", "{1,3}?", "{2,}", "{,3}", "{0,}",
];

const FLAGS: &[&str] = &["i", "s", "m", "U", "-s", "im", "i-s", "-i", "is-m", "s-i"];

/// What makes patterns wrong, or seem wrong.
const CRUMBS: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "+",
    "?",
    "|",
    "^",
    "$",
    "\\",
    ".",
    "-",
    ",",
    ":",
    "<",
    ">",
    "=",
    "!",
    "&",
    "a",
    "P",
    "Q",
    "E",
    "p",
    "L",
    "x",
    "u",
    "8",
    "1",
    "0",
    "(?",
    "(?:",
    "(?i)",
    "(?x)",
    "(?P<n>",
    "(?<n>",
    "(?P=n)",
    "(?R)",
    "(?=",
    "(?#",
    "(?-)",
    "[[:",
    ":]]",
    "[:foo:]",
    r"\Q",
    r"\E",
    r"\C",
    r"\Z",
    r"\G",
    r"\K",
    r"\h",
    r"\R",
    r"\X",
    r"\1",
    r"\8",
    r"\x",
    r"\x{",
    r"\u{41}",
    r"\p",
    r"\p{",
    r"\pN",
    r"\p{Emoji}",
    r"\p{scx=Latin}",
    r"\b{start}",
    "{1001}",
    "{1000}",
    "{2,1}",
    "{1,2",
    "**",
    "++",
    "a--b",
    "é",
    "\u{212a}",
];

/// A pattern and a value that it probably matches.
pub(super) fn pattern(dice: &mut Dice) -> (String, String) {
    match dice.below(10) {
        0..6 => alternation(dice, 3),
        6..8 => {
            let (mut pattern, value) = alternation(dice, 2);
            let crumb = *dice.pick(CRUMBS);
            let places: Vec<usize> =
                pattern.char_indices().map(|(at, _)| at).chain([pattern.len()]).collect();
            pattern.insert_str(*dice.pick(&places), crumb);
            (pattern, value)
        }
        _ => {
            let crumbs: Vec<&str> = (0..1 + dice.below(6)).map(|_| *dice.pick(CRUMBS)).collect();
            (crumbs.concat(), crumbs.concat())
        }
    }
}

fn alternation(dice: &mut Dice, depth: usize) -> (String, String) {
    let (mut pattern, mut value) = concatenation(dice, depth);
    while dice.one_in(3) {
        let (other, its) = concatenation(dice, depth);
        pattern = format!("{pattern}|{other}");
        if dice.one_in(2) {
            value = its;
        }
    }
    (pattern, value)
}

fn concatenation(dice: &mut Dice, depth: usize) -> (String, String) {
    let (mut pattern, mut value) = (String::new(), String::new());
    for _ in 0..dice.below(4) {
        let (part, its) = part(dice, depth);
        pattern.push_str(&part);
        let times = if !dice.one_in(3) {
            1
        } else {
            let repeat = *dice.pick(REPEATS);
            pattern.push_str(repeat);
            dice.below(4)
        };
        value.push_str(&its.repeat(times));
    }
    (pattern, value)
}

fn part(dice: &mut Dice, depth: usize) -> (String, String) {
    if depth == 0 || !dice.one_in(3) {
        let (pattern, values) = dice.pick(PARTS);
        return ((*pattern).to_owned(), (*dice.pick(values)).to_owned());
    }
    let (inside, value) = alternation(dice, depth - 1);
    let pattern = match dice.below(6) {
        0 | 1 => format!("({inside})"),
        2 => format!("(?:{inside})"),
        3 => format!("(?P<n{}>{inside})", dice.below(3)),
        4 => format!("(?{}:{inside})", dice.pick(FLAGS)),
        _ => format!("(?{}){inside}", dice.pick(FLAGS)),
    };
    (pattern, value)
}

/// A value near `value`: itself, or with a character more, less or other.
pub(super) fn near(dice: &mut Dice, value: &str) -> String {
    const OTHERS: &[char] = &['a', 'b', 'A', 'k', '\n', '.', ' ', '1', 'é', '\u{17f}', '-'];
    let mut chars: Vec<char> = value.chars().collect();
    let at = dice.below(chars.len() + 1);
    match dice.below(6) {
        0 => chars.insert(at, *dice.pick(OTHERS)),
        1 if at < chars.len() => drop(chars.remove(at)),
        2 if at < chars.len() => chars[at] = *dice.pick(OTHERS),
        _ => {}
    }
    chars.into_iter().collect()
}
