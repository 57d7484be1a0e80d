//! Character classes: Perl's (ASCII in Go), POSIX' and Unicode's.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// Turns inclusive ranges of code points into a class. Surrogates are code points that no text has.
pub(super) fn of_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> ClassUnicode {
    ClassUnicode::new(ranges.into_iter().filter_map(|(low, high)| {
        let low = char::from_u32(low).unwrap_or('\u{e000}');
        let high = char::from_u32(high).unwrap_or('\u{d7ff}');
        (low <= high).then(|| ClassUnicodeRange::new(low, high))
    }))
}

/// `class` as it is inside `(?i)` when `fold`, and its complement when `negated`, in that order.
fn finish(mut class: ClassUnicode, fold: bool, negated: bool) -> ClassUnicode {
    if fold {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    class
}

/// The class of `\d \s \w` and their complements `\D \S \W`; `letter` is what follows the backslash.
pub(super) fn perl(letter: u8, fold: bool) -> Option<ClassUnicode> {
    let ranges: &[(u8, u8)] = match letter.to_ascii_lowercase() {
        b'd' => &[(b'0', b'9')],
        b's' => &[(b'\t', b'\n'), (0x0c, b'\r'), (b' ', b' ')],
        b'w' => &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')],
        _ => return None,
    };
    Some(finish(ascii(ranges), fold, letter.is_ascii_uppercase()))
}

/// The class `[:name:]` or `[:^name:]`; `name` with its `^`.
pub(super) fn posix(name: &str, fold: bool) -> Option<ClassUnicode> {
    let (name, negated) = match name.strip_prefix('^') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let ranges: &[(u8, u8)] = match name {
        "alnum" => &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        "alpha" => &[(b'A', b'Z'), (b'a', b'z')],
        "ascii" => &[(0, 0x7f)],
        "blank" => &[(b'\t', b'\t'), (b' ', b' ')],
        "cntrl" => &[(0, 0x1f), (0x7f, 0x7f)],
        "digit" => &[(b'0', b'9')],
        "graph" => &[(b'!', b'~')],
        "lower" => &[(b'a', b'z')],
        "print" => &[(b' ', b'~')],
        "punct" => &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')],
        "space" => &[(b'\t', b'\r'), (b' ', b' ')],
        "upper" => &[(b'A', b'Z')],
        "word" => &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')],
        "xdigit" => &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    };
    Some(finish(ascii(ranges), fold, negated))
}

fn ascii(ranges: &[(u8, u8)]) -> ClassUnicode {
    of_ranges(ranges.iter().map(|&(low, high)| (low.into(), high.into())))
}

/// The class `\p{name}`, or its complement when `negated`. Names are read loosely, as in Go: case,
/// spaces, `-` and `_` do not count. Go knows general categories, their long names and scripts;
/// Unicode's other properties (`Emoji`, `Script=…`) are no names to it.
pub(super) fn unicode(name: &str, fold: bool, negated: bool) -> Option<ClassUnicode> {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | ' '))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let class = match plain.as_str() {
        "any" => of_ranges([(0, 0x10_ffff)]),
        "ascii" => of_ranges([(0, 0x7f)]),
        "assigned" => {
            let mut unassigned = property("gc=Cn")?;
            unassigned.negate();
            unassigned
        }
        // Surrogates: no text has them.
        "cs" | "surrogate" => ClassUnicode::empty(),
        // The cased letters, which the tables here do not name.
        "lc" | "casedletter" => {
            let mut class = property("gc=Lu")?;
            class.union(&property("gc=Ll")?);
            class.union(&property("gc=Lt")?);
            class
        }
        _ => {
            let known = |names: &[&str]| names.iter().any(|known| same_name(known, &plain));
            if known(CATEGORIES) || known(CATEGORY_NAMES) {
                property(&format!("gc={plain}"))?
            } else if known(SCRIPTS) {
                property(&format!("sc={plain}"))?
            } else {
                return None;
            }
        }
    };
    Some(finish(class, fold, negated))
}

/// Whether `known` reads loosely as `plain`.
fn same_name(known: &str, plain: &str) -> bool {
    let known = known.bytes().filter(|b| *b != b'_').map(|b| b.to_ascii_lowercase());
    known.eq(plain.bytes())
}

/// A property of the tables in `regex-syntax`.
fn property(query: &str) -> Option<ClassUnicode> {
    match regex_syntax::parse(&format!("\\p{{{query}}}")).ok()?.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        // A class of one character.
        HirKind::Literal(text) => {
            let only = std::str::from_utf8(&text.0).ok()?.chars().next()?;
            Some(of_ranges([(only.into(), only.into())]))
        }
        _ => None,
    }
}

/// General categories but LC and Cs.
const CATEGORIES: &[&str] = &[
    "C", "Cc", "Cf", "Cn", "Co", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N",
    "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So",
    "Z", "Zl", "Zp", "Zs",
];

/// Their long names, as Unicode's PropertyValueAliases lists them, but Cased_Letter and Surrogate.
const CATEGORY_NAMES: &[&str] = &[
    "Other",
    "Control",
    "cntrl",
    "Format",
    "Unassigned",
    "Private_Use",
    "Letter",
    "Lowercase_Letter",
    "Modifier_Letter",
    "Other_Letter",
    "Titlecase_Letter",
    "Uppercase_Letter",
    "Mark",
    "Combining_Mark",
    "Spacing_Mark",
    "Enclosing_Mark",
    "Nonspacing_Mark",
    "Number",
    "Decimal_Number",
    "digit",
    "Letter_Number",
    "Other_Number",
    "Punctuation",
    "punct",
    "Connector_Punctuation",
    "Dash_Punctuation",
    "Close_Punctuation",
    "Final_Punctuation",
    "Initial_Punctuation",
    "Other_Punctuation",
    "Open_Punctuation",
    "Symbol",
    "Currency_Symbol",
    "Modifier_Symbol",
    "Math_Symbol",
    "Other_Symbol",
    "Separator",
    "Line_Separator",
    "Paragraph_Separator",
    "Space_Separator",
];

/// The scripts of Unicode 15, which Go knows. Go 1.25 and 1.26 refuse those of several words, by a
/// slip in their loose reading; earlier ones take them, and so does this.
const SCRIPTS: &[&str] = &[
    "Adlam",
    "Ahom",
    "Anatolian_Hieroglyphs",
    "Arabic",
    "Armenian",
    "Avestan",
    "Balinese",
    "Bamum",
    "Bassa_Vah",
    "Batak",
    "Bengali",
    "Bhaiksuki",
    "Bopomofo",
    "Brahmi",
    "Braille",
    "Buginese",
    "Buhid",
    "Canadian_Aboriginal",
    "Carian",
    "Caucasian_Albanian",
    "Chakma",
    "Cham",
    "Cherokee",
    "Chorasmian",
    "Common",
    "Coptic",
    "Cuneiform",
    "Cypriot",
    "Cypro_Minoan",
    "Cyrillic",
    "Deseret",
    "Devanagari",
    "Dives_Akuru",
    "Dogra",
    "Duployan",
    "Egyptian_Hieroglyphs",
    "Elbasan",
    "Elymaic",
    "Ethiopic",
    "Georgian",
    "Glagolitic",
    "Gothic",
    "Grantha",
    "Greek",
    "Gujarati",
    "Gunjala_Gondi",
    "Gurmukhi",
    "Han",
    "Hangul",
    "Hanifi_Rohingya",
    "Hanunoo",
    "Hatran",
    "Hebrew",
    "Hiragana",
    "Imperial_Aramaic",
    "Inherited",
    "Inscriptional_Pahlavi",
    "Inscriptional_Parthian",
    "Javanese",
    "Kaithi",
    "Kannada",
    "Katakana",
    "Kawi",
    "Kayah_Li",
    "Kharoshthi",
    "Khitan_Small_Script",
    "Khmer",
    "Khojki",
    "Khudawadi",
    "Lao",
    "Latin",
    "Lepcha",
    "Limbu",
    "Linear_A",
    "Linear_B",
    "Lisu",
    "Lycian",
    "Lydian",
    "Mahajani",
    "Makasar",
    "Malayalam",
    "Mandaic",
    "Manichaean",
    "Marchen",
    "Masaram_Gondi",
    "Medefaidrin",
    "Meetei_Mayek",
    "Mende_Kikakui",
    "Meroitic_Cursive",
    "Meroitic_Hieroglyphs",
    "Miao",
    "Modi",
    "Mongolian",
    "Mro",
    "Multani",
    "Myanmar",
    "Nabataean",
    "Nag_Mundari",
    "Nandinagari",
    "New_Tai_Lue",
    "Newa",
    "Nko",
    "Nushu",
    "Nyiakeng_Puachue_Hmong",
    "Ogham",
    "Ol_Chiki",
    "Old_Hungarian",
    "Old_Italic",
    "Old_North_Arabian",
    "Old_Permic",
    "Old_Persian",
    "Old_Sogdian",
    "Old_South_Arabian",
    "Old_Turkic",
    "Old_Uyghur",
    "Oriya",
    "Osage",
    "Osmanya",
    "Pahawh_Hmong",
    "Palmyrene",
    "Pau_Cin_Hau",
    "Phags_Pa",
    "Phoenician",
    "Psalter_Pahlavi",
    "Rejang",
    "Runic",
    "Samaritan",
    "Saurashtra",
    "Sharada",
    "Shavian",
    "Siddham",
    "SignWriting",
    "Sinhala",
    "Sogdian",
    "Sora_Sompeng",
    "Soyombo",
    "Sundanese",
    "Syloti_Nagri",
    "Syriac",
    "Tagalog",
    "Tagbanwa",
    "Tai_Le",
    "Tai_Tham",
    "Tai_Viet",
    "Takri",
    "Tamil",
    "Tangsa",
    "Tangut",
    "Telugu",
    "Thaana",
    "Thai",
    "Tibetan",
    "Tifinagh",
    "Tirhuta",
    "Toto",
    "Ugaritic",
    "Vai",
    "Vithkuqi",
    "Wancho",
    "Warang_Citi",
    "Yezidi",
    "Yi",
    "Zanabazar_Square",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_has_a_class() {
        for name in CATEGORIES.iter().chain(CATEGORY_NAMES).chain(SCRIPTS) {
            assert!(unicode(name, false, false).is_some(), "{name}");
        }
        for name in ["Emoji", "Alphabetic", "Latn", "Script=Latin", "", "gc=L"] {
            assert!(unicode(name, false, false).is_none(), "{name}");
        }
    }

    #[test]
    fn surrogates_are_left_out() {
        let ranges = |low, high| -> Vec<(char, char)> {
            of_ranges([(low, high)]).iter().map(|r| (r.start(), r.end())).collect()
        };
        assert_eq!(ranges(0xd7fe, 0xe001), [('\u{d7fe}', '\u{e001}')]);
        assert_eq!(ranges(0xd7fe, 0xd900), [('\u{d7fe}', '\u{d7ff}')]);
        assert_eq!(ranges(0xd900, 0xe001), [('\u{e000}', '\u{e001}')]);
        assert_eq!(ranges(0xd900, 0xd901), []);
    }
}
