//! The language of the scripts (`../shared/promqltest/FORMAT.md`; `promql/promqltest/test.go` in
//! Prometheus).

mod evaluation;
mod load;
mod notation;
pub(super) mod number;
mod quote;
mod series;

use std::path::Path;

pub(super) use evaluation::{Annotations, Evaluation, Row, Wanted, When};
pub(super) use load::Load;
pub(in crate::promql) use load::Sample;
pub(in crate::promql) use series::Value;
pub(super) use series::Values;

/// A command of a script.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Clear,
    Load(Load),
    Evaluate(Evaluation),
}

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    /// The file's name.
    pub(super) name: String,
    pub(super) commands: Vec<Command>,
}

impl Script {
    /// Reads a script from a file. The error names the line.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        Ok(Self { commands: commands(&text)?, name: name.unwrap_or_default() })
    }

    /// Its evaluations.
    pub(super) fn evaluations(&self) -> impl Iterator<Item = &Evaluation> {
        self.commands.iter().filter_map(|command| match command {
            Command::Evaluate(evaluation) => Some(evaluation),
            _ => None,
        })
    }
}

/// The commands of a script.
fn commands(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut commands = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        at += 1;
        let word = line.split([' ', '\t']).next().unwrap_or_default().to_lowercase();
        let of_line = |why: String| format!("line {at}: {why}");
        let after = &lines[at..];
        let (command, used) = if word.is_empty() {
            continue;
        } else if word == "clear" {
            (Command::Clear, 0)
        } else if word.starts_with("load") {
            let body = after.iter().take_while(|line| !line.is_empty()).count();
            (Command::Load(load::load(line, &after[..body]).map_err(of_line)?), body)
        } else if word.starts_with("eval") {
            let (evaluation, used) = evaluation::evaluation(at, line, after).map_err(of_line)?;
            (Command::Evaluate(evaluation), used)
        } else {
            return Err(format!("line {at}: invalid command {line:?}"));
        };
        commands.push(command);
        at += used;
    }
    Ok(commands)
}

#[test]
fn a_script_that_is_none_is_refused_with_its_line() {
    for (script, line) in [
        ("clear\nlaod 5m", "line 2: "),
        ("load 5m\n  m a", "line 1: "),
        ("load", "line 1: "),
        ("\n\neval instant at 5m", "line 3: "),
        ("eval instant at x m", "line 1: "),
        ("eval range from 5m to 0 step 1m m", "line 1: "),
        ("eval instant at 0 m\n  m 1 2", "line 1: "),
        ("eval instant at 0 m\n  expect warm", "line 1: "),
        ("eval instant at 0 m\n  expect warn\n  expect no_warn", "line 1: "),
        ("eval instant at 0 m\n  expect string x", "line 1: "),
    ] {
        let error = commands(script).expect_err(script);
        assert!(error.starts_with(line), "{script}: {error}");
    }
}

#[test]
fn commands_end_where_their_lines_do() {
    let script = "load 5m\n  m 1 2\n# nothing\nclear\neval instant at 5m m\n  expect ordered\n\
                  \x20 m 1\n\neval instant at 0 1\n  1\nclear\neval_fail instant at 0 -m\n\
                  \x20 expected_fail_message x\nclear";
    let commands = commands(script).expect("a script");
    let kinds: String = commands
        .iter()
        .map(|command| match command {
            Command::Clear => 'c',
            Command::Load(_) => 'l',
            Command::Evaluate(_) => 'e',
        })
        .collect();
    assert_eq!(kinds, "lceecec");
}
