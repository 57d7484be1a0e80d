//! Prometheus' own scripts of PromQL (`../shared/promqltest`) over real blocks.
//!
//! ```text
//! script ─ load ─▶ series ─▶ blocks in a bucket ─ catalog, BucketSource ─┐
//!        ─ eval ─▶ query, the same under @, the same as a range ──▶ Engine ──▶ judged
//! ```
//!
//! Every script runs twice: all series in one block, and cut in time and over two replicas that are
//! made one. What is known to fail stands in `known.txt`, a line an evaluation; an evaluation that
//! fails without standing there fails its test, and so does one that stands there and passes, here or
//! with Prometheus 3.16. Scripts of our own (`scripts`) pass here and there.

pub(super) mod answer;
pub(super) mod evaluate;
pub(crate) mod histogram;
mod judge;
mod known;
mod loads;
mod peer;
pub(super) mod script;
mod shifts;
pub(super) mod storage;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use crate::support::shared;

use evaluate::{Outcome, run};
use script::{Command, Script};
use shifts::Shifts;
use storage::Layout;

/// How many evaluations the scripts have.
const EVALUATIONS: usize = 1327;

/// The scripts, by name, and what came of their evaluations.
static SCRIPTS: LazyLock<Vec<Script>> = LazyLock::new(|| scripts_in(&shared("promqltest")));

fn scripts_in(folder: &Path) -> Vec<Script> {
    let entries = std::fs::read_dir(folder).expect("the folder of the scripts");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a folder entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    paths.sort();
    let read = |path: &PathBuf| {
        Script::read(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    };
    paths.iter().map(read).collect()
}

/// The queries of all scripts, each once.
pub(super) fn queries() -> Vec<&'static str> {
    let evaluations = SCRIPTS.iter().flat_map(Script::evaluations);
    let mut queries: Vec<&str> = evaluations.map(|evaluation| evaluation.query.as_str()).collect();
    queries.sort_unstable();
    queries.dedup();
    queries
}

static SHIFTS: LazyLock<Shifts> = LazyLock::new(|| Shifts::of(&SCRIPTS));

static RESULTS: LazyLock<BTreeMap<&'static str, OnceLock<Result>>> = LazyLock::new(|| {
    SCRIPTS.iter().map(|script| (script.name.as_str(), OnceLock::new())).collect()
});

/// What came of a script.
#[derive(Debug)]
struct Result {
    evaluations: usize,
    /// Lines of evaluations that are wrong, with what is wrong: over one block, else over many.
    wrong: BTreeMap<usize, String>,
    /// How many passed over one block, and over many.
    passed: [usize; 2],
}

/// Runs a script, once a process.
fn result(name: &str) -> &'static Result {
    let cell = RESULTS.get(name).unwrap_or_else(|| panic!("{name} is not among the scripts"));
    cell.get_or_init(|| {
        let script = SCRIPTS.iter().find(|script| script.name == name).expect("it is among them");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let layouts = [("one block", Layout::One), ("replicas", Layout::Split)];
        let mut wrong = BTreeMap::new();
        let passed = layouts.map(|(of, layout)| {
            let outcomes = runtime.block_on(run(script, &SHIFTS, layout));
            assert_eq!(outcomes.len(), script.evaluations().count(), "{name}");
            let passed = outcomes.iter().filter(|outcome| outcome.wrong.is_none()).count();
            for Outcome { line, query, wrong: why } in outcomes {
                if let Some(why) = why {
                    wrong.entry(line).or_insert(format!("{query}\n    {of}: {why}"));
                }
            }
            passed
        });
        Result { evaluations: script.evaluations().count(), wrong, passed }
    })
}

/// A script's evaluations pass, but for those that are known to fail.
fn passes(name: &str) {
    let result = result(name);
    known::compare(name, &result.wrong);
}

macro_rules! scripts {
    ($($test:ident $name:literal;)*) => {
        $(
            #[test]
            fn $test() {
                passes($name);
            }
        )*

        /// The scripts that have a test above.
        const TESTED: &[&str] = &[$($name),*];
    };
}

scripts! {
    aggregators "aggregators.test";
    at_modifier "at_modifier.test";
    collision "collision.test";
    duration_expression "duration_expression.test";
    extended_vectors "extended_vectors.test";
    fill_modifier "fill-modifier.test";
    functions "functions.test";
    histograms "histograms.test";
    info "info.test";
    limit "limit.test";
    literals "literals.test";
    name_label_dropping "name_label_dropping.test";
    native_histograms "native_histograms.test";
    operators "operators.test";
    range_queries "range_queries.test";
    selectors "selectors.test";
    staleness "staleness.test";
    start_timestamps "start_timestamps.test";
    subquery "subquery.test";
    trig_functions "trig_functions.test";
    type_and_unit "type_and_unit.test";
}

#[test]
fn all_evaluations_are_counted() {
    let names: Vec<&str> = SCRIPTS.iter().map(|script| script.name.as_str()).collect();
    assert_eq!(names, TESTED, "each script has a test");
    let mut table = format!(
        "{:26}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
        "script", "evaluations", "one block", "replicas", "passed", "failed"
    );
    let mut line = |name: &str, cells: [usize; 5]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>12}")).collect();
        table.push_str(&format!("{name:26}{cells}\n"));
    };
    let mut total = [0; 5];
    for name in names {
        let &Result { evaluations, ref wrong, passed: [one, split] } = result(name);
        let cells = [evaluations, one, split, evaluations - wrong.len(), wrong.len()];
        line(name, cells);
        for (sum, cell) in total.iter_mut().zip(cells) {
            *sum += cell;
        }
    }
    line("total", total);
    // Past the test harness, which shows what is printed only of tests that fail.
    std::io::stdout().write_all(table.as_bytes()).expect("the table is printed");
    known::only_of(TESTED);
    assert_eq!(total[0], EVALUATIONS, "no evaluation is skipped");
}

/// The same loads and the same evaluation, alone.
fn alone(script: &Script, line: usize) -> String {
    let mut text = String::new();
    for command in &script.commands {
        match command {
            Command::Clear => text.push_str("clear\n\n"),
            Command::Load(load) => text += &format!("{}\n\n", load.text),
            Command::Evaluate(evaluation) if evaluation.line == line => {
                return text + &evaluation.text + "\n";
            }
            Command::Evaluate(_) => {}
        }
    }
    panic!("{}: no evaluation in line {line}", script.name)
}

/// What stands in `known.txt` is what Prometheus 3.16 answers otherwise, too.
#[test]
fn what_fails_here_fails_with_prometheus() {
    for (name, line) in known::lines() {
        let script = SCRIPTS.iter().find(|script| script.name == name).expect("a script");
        let text = alone(script, line);
        let said = peer::run(&text).expect_err(&text);
        assert!(said.contains("error in eval"), "{text}\n{said}");
        // That before it passes: what is cut out of a script is one.
        let before = script.evaluations().map(|evaluation| evaluation.line);
        let passes = |&other: &usize| other < line && !known::lines().contains(&(name, other));
        let text = alone(script, before.filter(passes).last().expect("it is not the first"));
        peer::run(&text).unwrap_or_else(|said| panic!("{text}\n{said}"));
    }
}

#[test]
fn scripts_of_our_own_pass_here_and_with_prometheus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql/promqltest/scripts");
    let scripts = scripts_in(&folder);
    let shifts = Shifts::of(&scripts);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for script in &scripts {
        for layout in [Layout::One, Layout::Split] {
            for Outcome { line, query, wrong } in runtime.block_on(run(script, &shifts, layout)) {
                assert_eq!(wrong, None, "{}:{line} {query}", script.name);
            }
        }
    }
    for script in &scripts {
        let text = std::fs::read_to_string(folder.join(&script.name)).expect("it was read before");
        peer::run(&text).unwrap_or_else(|said| panic!("{}\n{said}", script.name));
    }
}
