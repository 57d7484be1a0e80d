//! What the demo tells its user: lines that stay on standard output; below them, on a terminal, one
//! line that changes.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often progress is a line of its own where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(15);

/// Tells what happens.
#[derive(Debug)]
pub(super) struct Narrator {
    /// Draws on standard error, and nothing if that is no terminal.
    bar: ProgressBar,
    on_terminal: bool,
    last_line: Option<Instant>,
}

impl Narrator {
    pub(super) fn new() -> Self {
        let on_terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        if on_terminal {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar, on_terminal, last_line: None }
    }

    /// Prints `text`, which stays.
    pub(super) fn say(&self, text: &str) {
        self.bar.suspend(|| {
            let mut out = std::io::stdout().lock();
            // Nobody reads any more: the demo goes on.
            let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        });
    }

    /// Shows where things are.
    pub(super) fn progress(&mut self, text: &str) {
        if self.on_terminal {
            self.bar.set_message(text.to_owned());
        } else if self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES) {
            self.last_line = Some(Instant::now());
            self.say(text);
        }
    }
}

impl Drop for Narrator {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
