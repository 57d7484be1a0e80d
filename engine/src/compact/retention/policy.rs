//! How long samples are kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::compact::plan::{DownsampleAges, FIVE_MINUTES_MS};
use crate::model::{Matcher, parse_duration};
use crate::{Error, Result};

/// How long samples of each resolution are kept, in ms; 0 is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Raw samples.
    pub raw_ms: i64,
    /// Samples of five minutes.
    pub five_minutes_ms: i64,
    /// Samples of an hour.
    pub hour_ms: i64,
}

impl Retention {
    /// That of samples of `resolution` (ms).
    pub fn at(&self, resolution: i64) -> i64 {
        match resolution {
            0 => self.raw_ms,
            FIVE_MINUTES_MS => self.five_minutes_ms,
            _ => self.hour_ms,
        }
    }

    /// Whether blocks get old enough to be downsampled before they go, as Thanos asks at its start
    /// (`cmd/thanos/compact.go`).
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) where they do not.
    pub fn check(&self, ages: DownsampleAges) -> Result<()> {
        let kept =
            [("raw", self.raw_ms, ages.raw_ms), ("5m", self.five_minutes_ms, ages.five_minutes_ms)];
        match kept.into_iter().find(|&(_, kept, age)| kept != 0 && kept < age) {
            None => Ok(()),
            Some((name, _, age)) => Err(Error::invalid(format!(
                "{name} resolution must be higher than the minimum block size after which {name} \
                 resolution downsampling will occur ({} h)",
                age / 3_600_000
            ))),
        }
    }
}

/// How long the samples of which blocks are kept.
#[derive(Debug, Clone, Default)]
pub struct RetentionPolicy {
    rules: Vec<(Vec<Matcher>, Retention)>,
    default: Retention,
}

/// A rule as it is written. A resolution that it does not name is that of the flags.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    matchers: String,
    #[serde(rename = "resolution-raw")]
    raw: Option<String>,
    #[serde(rename = "resolution-5m")]
    five_minutes: Option<String>,
    #[serde(rename = "resolution-1h")]
    hour: Option<String>,
}

impl RetentionPolicy {
    /// All blocks alike.
    pub fn new(default: Retention) -> Self {
        Self { rules: Vec::new(), default }
    }

    /// Rules from YAML, a list of
    ///
    /// ```yaml
    /// - matchers: '{tenant="a", env=~"dev.*"}'
    ///   resolution-raw: 30d
    ///   resolution-5m: 90d
    ///   resolution-1h: 0d
    /// ```
    ///
    /// The first whose matchers accept a block's external labels holds, else `default` does.
    /// `parse_matchers` reads a selector.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) names the rule and what is wrong with it.
    pub fn from_yaml(
        text: &str,
        default: Retention,
        parse_matchers: &dyn Fn(&str) -> Result<Vec<Matcher>>,
    ) -> Result<Self> {
        let invalid = |what: String| Error::invalid(format!("retention config: {what}"));
        if text.trim().is_empty() {
            return Ok(Self::new(default));
        }
        let written: Vec<Written> =
            serde_saphyr::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let rule = |(at, rule): (usize, Written)| {
            let wrong = |what: String| invalid(format!("rule {}: {what}", at + 1));
            let kept = |name: &str, text: &Option<String>, default: i64| match text {
                None => Ok(default),
                Some(text) => parse_duration(text)
                    .ok()
                    .and_then(|ms| i64::try_from(ms).ok())
                    .ok_or_else(|| wrong(format!("{name}: {text:?} is no duration"))),
            };
            let retention = Retention {
                raw_ms: kept("resolution-raw", &rule.raw, default.raw_ms)?,
                five_minutes_ms: kept(
                    "resolution-5m",
                    &rule.five_minutes,
                    default.five_minutes_ms,
                )?,
                hour_ms: kept("resolution-1h", &rule.hour, default.hour_ms)?,
            };
            let matchers =
                parse_matchers(&rule.matchers).map_err(|error| wrong(error.to_string()))?;
            Ok((matchers, retention))
        };
        let rules = written.into_iter().enumerate().map(rule).collect::<Result<_>>()?;
        Ok(Self { rules, default })
    }

    /// As [`Retention::check`], of every rule.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for the first that does not fit.
    pub fn check(&self, ages: DownsampleAges) -> Result<()> {
        self.default.check(ages)?;
        for (at, (_, retention)) in self.rules.iter().enumerate() {
            let context = |e: Error| e.context(format!("retention config: rule {}", at + 1));
            retention.check(ages).map_err(context)?;
        }
        Ok(())
    }

    /// What holds for a block with these external labels.
    pub fn of(&self, labels: &BTreeMap<String, String>) -> Retention {
        let accepts = |matcher: &Matcher| {
            matcher.matches(labels.get(matcher.name()).map_or("", String::as_str))
        };
        let rule = self.rules.iter().find(|(matchers, _)| matchers.iter().all(accepts));
        rule.map_or(self.default, |(_, retention)| *retention)
    }
}
