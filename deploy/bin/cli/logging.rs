//! Logs as Thanos writes them: `ts=… caller=… level=info msg=…`, or the same keys as JSON.

use std::fmt::{self, Write as _};

use clap::ValueEnum;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// How the process logs.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct LoggingArgs {
    /// Least level that is logged.
    #[arg(long = "log.level", global = true, value_enum, default_value = "info")]
    pub(crate) log_level: LogLevel,
    /// Form of the log lines.
    #[arg(long = "log.format", global = true, value_enum, default_value = "logfmt")]
    pub(crate) log_format: LogFormat,
}

/// `--log.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

/// `--log.format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Logfmt,
    Json,
}

/// Starts logging to standard error. Libraries are heard from one level up, so that `info` is ours.
pub(crate) fn init(args: &LoggingArgs) {
    let (own, libraries) = match args.log_level {
        LogLevel::Error => ("error", "error"),
        LogLevel::Warn => ("warn", "warn"),
        LogLevel::Info => ("info", "warn"),
        LogLevel::Debug => ("debug", "info"),
    };
    let mut filter = libraries.to_owned();
    for name in ["stoa", "flight", "promql", "ingest", "engine"] {
        let _ = write!(filter, ",{name}={own}");
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .event_format(LogLine { format: args.log_format })
        .init();
}

struct LogLine {
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for LogLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Nanos, true);
        let mut line = Line { format: self.format, text: String::with_capacity(160) };
        line.pair("ts", &now);
        if let (Some(file), Some(number)) = (metadata.file(), metadata.line()) {
            let file = file.rsplit('/').next().unwrap_or(file);
            line.pair("caller", &format!("{file}:{number}"));
        }
        line.pair("level", level_name(*metadata.level()));
        event.record(&mut line);
        writer.write_str(&line.finish())
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

struct Line {
    format: LogFormat,
    text: String,
}

impl Line {
    fn pair(&mut self, key: &str, value: &str) {
        match self.format {
            LogFormat::Logfmt => {
                if !self.text.is_empty() {
                    self.text.push(' ');
                }
                self.text.push_str(key);
                self.text.push('=');
                if needs_quotes(value) {
                    push_quoted(&mut self.text, value);
                } else {
                    self.text.push_str(value);
                }
            }
            LogFormat::Json => {
                self.text.push(if self.text.is_empty() { '{' } else { ',' });
                push_quoted(&mut self.text, key);
                self.text.push(':');
                push_quoted(&mut self.text, value);
            }
        }
    }

    fn finish(mut self) -> String {
        if self.format == LogFormat::Json {
            self.text.push('}');
        }
        self.text.push('\n');
        self.text
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.pair(key_of(field), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.pair(key_of(field), &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.pair(key_of(field), &format!("{value:?}"));
    }
}

fn key_of(field: &Field) -> &'static str {
    match field.name() {
        "message" => "msg",
        name => name,
    }
}

/// Whether logfmt needs quotes: nothing at all, a space, `=`, a quote or a control character.
fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.chars().any(|c| c <= ' ' || c == '=' || c == '"' || c.is_control())
}

/// A JSON string, which is also how logfmt quotes.
fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat) -> String {
        let mut line = Line { format, text: String::new() };
        line.pair("level", "info");
        line.pair("msg", "say \"a=b\"\n");
        line.pair("empty", "");
        line.finish()
    }

    #[test]
    fn lines_are_logfmt_or_json() {
        let logfmt = "level=info msg=\"say \\\"a=b\\\"\\n\" empty=\"\"\n";
        assert_eq!(line(LogFormat::Logfmt), logfmt);
        let json: serde_json::Value =
            serde_json::from_str(&line(LogFormat::Json)).expect("a line is JSON");
        assert_eq!(json["msg"], "say \"a=b\"\n");
    }
}
