//! `eval`: a query, when it is asked, and what is expected.

use engine::model::Labels;
use engine::regex::Regex;

use super::number::{duration, number};
use super::quote;
use super::series::{Values, series};

/// When a query is asked, in ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum When {
    Instant(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// A text that is expected.
#[derive(Debug, Clone)]
pub(in super::super) enum Text {
    Any,
    Exactly(String),
    Matching(Regex),
}

impl Text {
    /// Whether `text` is what is expected.
    pub(in super::super) fn accepts(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(wanted) => wanted == text,
            Self::Matching(pattern) => pattern.is_match(text),
        }
    }

    fn matching(pattern: &str) -> Result<Self, String> {
        // Patterns match anywhere in a text.
        let anywhere = Regex::anchored(&format!(".*(?:{}).*", pattern.trim()));
        anywhere.map(Self::Matching).map_err(|error| format!("pattern {pattern:?}: {error}"))
    }
}

/// What of the warnings, or of the infos, is expected.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Annotations {
    /// Each must occur, and if there is any, nothing else may.
    pub(in super::super) wanted: Vec<Text>,
    /// Whether there must be some, whatever they say.
    pub(in super::super) some: bool,
    /// Whether there must be none.
    pub(in super::super) none: bool,
}

/// A series that is expected.
#[derive(Debug, Clone)]
pub(in super::super) struct Row {
    pub(in super::super) labels: Labels,
    /// One a step.
    pub(in super::super) values: Values,
}

/// The steps of a matrix that an instant query is expected to give, in ms.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Steps {
    pub(in super::super) start: i64,
    pub(in super::super) end: i64,
    pub(in super::super) step: i64,
}

/// The value that is expected.
#[derive(Debug, Clone)]
pub(in super::super) enum Wanted {
    Series(Vec<Row>),
    Scalar(f64),
    Text(String),
}

/// An evaluation.
#[derive(Debug, Clone)]
pub(in super::super) struct Evaluation {
    /// The line of the command.
    pub(in super::super) line: usize,
    /// The command and its body as the script has them.
    pub(in super::super) text: String,
    pub(in super::super) query: String,
    pub(in super::super) when: When,
    /// The error that is expected.
    pub(in super::super) fails: Option<Text>,
    pub(in super::super) warnings: Annotations,
    pub(in super::super) infos: Annotations,
    /// Whether series are expected in their order.
    pub(in super::super) ordered: bool,
    pub(in super::super) range_vector: Option<Steps>,
    pub(in super::super) wanted: Wanted,
}

impl Evaluation {
    /// Whether the answer to the same question as a range is compared too.
    pub(in super::super) fn also_as_range(&self) -> bool {
        self.range_vector.is_none() && !matches!(self.wanted, Wanted::Text(_))
    }
}

/// The evaluation whose command, in `line`, is `command`; and how many of the lines after it are its
/// body.
pub(super) fn evaluation(
    line: usize,
    command: &str,
    lines: &[&str],
) -> Result<(Evaluation, usize), String> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let (when, query) = question(rest.trim_start())?;
    let mut evaluation = Evaluation {
        line,
        text: String::new(),
        query: query.to_owned(),
        when,
        fails: None,
        warnings: Annotations::default(),
        infos: Annotations::default(),
        ordered: false,
        range_vector: None,
        wanted: Wanted::Series(Vec::new()),
    };
    let instant = matches!(when, When::Instant(_));
    match name {
        "eval" => {}
        "eval_ordered" if instant => evaluation.ordered = true,
        "eval_fail" => evaluation.fails = Some(Text::Any),
        "eval_warn" => evaluation.warnings.some = true,
        "eval_info" => evaluation.infos.some = true,
        _ => return Err(format!("invalid command {name:?}")),
    }
    let old_form = name == "eval_fail";
    let mut rows: Vec<Row> = Vec::new();
    let mut used = lines.iter().take_while(|line| !line.is_empty()).count();
    for (at, line) in lines[..used].iter().enumerate() {
        if let Some(text) = line.strip_prefix("expected_fail_message").filter(|_| old_form) {
            evaluation.fails = Some(Text::Exactly(text.trim().to_owned()));
            used = at + 1;
            break;
        }
        if let Some(pattern) = line.strip_prefix("expected_fail_regexp").filter(|_| old_form) {
            evaluation.fails = Some(Text::matching(pattern)?);
            used = at + 1;
            break;
        }
        if let Some(rest) = line.strip_prefix("expect range vector") {
            let steps = steps(rest)?;
            evaluation.when = When::Instant(steps.end);
            evaluation.range_vector = Some(steps);
        } else if let Some(text) = line.strip_prefix("expect string") {
            let text = text.strip_prefix(' ').and_then(quote::unquoted);
            evaluation.wanted = Wanted::Text(text.ok_or_else(|| format!("string in {line:?}"))?);
        } else if line.split(' ').next() == Some("expect") {
            expect(&mut evaluation, line)?;
        } else if let Some(value) = number(line) {
            evaluation.wanted = Wanted::Scalar(value);
            used = at + 1;
            break;
        } else {
            let (labels, values) = series(line)?;
            if values.len() > 1 && instant && evaluation.range_vector.is_none() {
                return Err(format!("several values in an instant evaluation: {line:?}"));
            }
            // A later line of the same series replaces the earlier, in a place of its own.
            rows.retain(|row| row.labels != labels);
            rows.push(Row { labels, values });
        }
    }
    if !rows.is_empty() {
        match evaluation.wanted {
            Wanted::Series(_) => evaluation.wanted = Wanted::Series(rows),
            _ => return Err("series beside another value".to_owned()),
        }
    }
    contradictions(&evaluation)?;
    evaluation.text = [&[command], &lines[..used]].concat().join("\n");
    Ok((evaluation, used))
}

/// `instant at 5m query` or `range from 0 to 5m step 1m query`, without the command's name.
fn question(text: &str) -> Result<(When, &str), String> {
    let (kind, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let words: &[&str] = match kind {
        "instant" => &["at"],
        "range" => &["from", "to", "step"],
        _ => return Err(format!("instant or range is expected: {text:?}")),
    };
    let mut times = Vec::new();
    for word in words {
        let what = || format!("'{word} <duration>' is expected: {text:?}");
        let after = rest.trim_start().strip_prefix(word).ok_or_else(what)?;
        let after = after.strip_prefix(char::is_whitespace).ok_or_else(what)?.trim_start();
        let (time, after) = after.split_once(char::is_whitespace).ok_or_else(what)?;
        times.push(duration(time).ok_or_else(what)?);
        rest = after;
    }
    let query = rest.trim();
    match times[..] {
        _ if query.is_empty() => Err(format!("no query: {text:?}")),
        [time] => Ok((When::Instant(time), query)),
        [start, end, step] if start <= end => Ok((When::Range { start, end, step }, query)),
        _ => Err(format!("the end is before the start: {text:?}")),
    }
}

/// ` from A to B step C`.
fn steps(text: &str) -> Result<Steps, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let time = |at: usize| words.get(at).and_then(|word| duration(word));
    match (words.as_slice(), time(1), time(3), time(5)) {
        (["from", _, "to", _, "step", _], Some(start), Some(end), Some(step)) if start <= end => {
            Ok(Steps { start, end, step })
        }
        _ => Err(format!("invalid range vector definition {text:?}")),
    }
}

/// `expect fail msg: …` and the like.
fn expect(evaluation: &mut Evaluation, line: &str) -> Result<(), String> {
    let what = || format!("invalid expect statement {line:?}");
    let rest = line.strip_prefix("expect").ok_or_else(what)?.trim_start();
    let (kind, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let rest = rest.trim();
    let text = if rest.is_empty() {
        Text::Any
    } else if let Some(text) = rest.strip_prefix("msg:") {
        Text::Exactly(text.trim().to_owned())
    } else if let Some(pattern) = rest.strip_prefix("regex:") {
        Text::matching(pattern)?
    } else {
        return Err(what());
    };
    match kind {
        "ordered" => evaluation.ordered = true,
        "fail" if evaluation.fails.is_none() => evaluation.fails = Some(text),
        "warn" => evaluation.warnings.wanted.push(text),
        "info" => evaluation.infos.wanted.push(text),
        "no_warn" => evaluation.warnings.none = true,
        "no_info" => evaluation.infos.none = true,
        _ => return Err(what()),
    }
    Ok(())
}

fn contradictions(evaluation: &Evaluation) -> Result<(), String> {
    for annotations in [&evaluation.warnings, &evaluation.infos] {
        if annotations.none && !annotations.wanted.is_empty() {
            return Err("annotations are expected, and that there are none".to_owned());
        }
    }
    Ok(())
}
