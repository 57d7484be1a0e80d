//! `label_replace` and `label_join`, on label sets; the planner calls them once a series.

use engine::Result;
use engine::model::Labels;
use engine::regex::Regex;

use super::refused;

/// `label_replace(v, destination, replacement, source, pattern)`.
#[derive(Debug, Clone)]
pub struct LabelReplace {
    destination: String,
    replacement: String,
    source: String,
    pattern: Regex,
}

impl LabelReplace {
    /// Checks the arguments; errors are in Prometheus' words.
    pub fn new(destination: &str, replacement: &str, source: &str, pattern: &str) -> Result<Self> {
        let pattern = Regex::anchored(pattern).map_err(|_| {
            refused(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        if destination.is_empty() {
            return Err(refused("invalid destination label name in label_replace(): "));
        }
        Ok(Self {
            destination: destination.to_owned(),
            replacement: replacement.to_owned(),
            source: source.to_owned(),
            pattern,
        })
    }

    /// The label set after the call; none if the source label's value does not match.
    pub fn apply(&self, labels: &Labels) -> Result<Option<Labels>> {
        let value = self.pattern.expand(labels.get(&self.source), &self.replacement);
        value.map(|value| set(labels, &self.destination, &value)).transpose()
    }
}

/// `label_join(v, destination, separator, source, …)`.
#[derive(Debug, Clone)]
pub struct LabelJoin {
    destination: String,
    separator: String,
    sources: Vec<String>,
}

impl LabelJoin {
    /// Checks the arguments; errors are in Prometheus' words.
    pub fn new(destination: &str, separator: &str, sources: &[String]) -> Result<Self> {
        if sources.iter().any(String::is_empty) {
            return Err(refused("invalid source label name in label_join(): "));
        }
        if destination.is_empty() {
            return Err(refused("invalid destination label name in label_join(): "));
        }
        Ok(Self {
            destination: destination.to_owned(),
            separator: separator.to_owned(),
            sources: sources.to_vec(),
        })
    }

    /// The label set after the call.
    pub fn apply(&self, labels: &Labels) -> Result<Labels> {
        let values: Vec<&str> = self.sources.iter().map(|source| labels.get(source)).collect();
        set(labels, &self.destination, &values.join(&self.separator))
    }
}

/// `labels` with `name` set to `value`, or without it if the value is empty.
fn set(labels: &Labels, name: &str, value: &str) -> Result<Labels> {
    let others = labels.filter(|other| other != name);
    Ok(others.overlay(&Labels::new([(name, value)])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::new(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn wrong_arguments_are_named() {
        let message = |destination, pattern| {
            LabelReplace::new(destination, "", "src", pattern).unwrap_err().to_string()
        };
        assert_eq!(message("dst", "("), "invalid regular expression in label_replace(): (");
        assert_eq!(message("", ".*"), "invalid destination label name in label_replace(): ");
        assert!(LabelReplace::new("~ok", "", "src", ".*").is_ok());
        let message = |destination: &str, source: &str| {
            LabelJoin::new(destination, "-", &[source.to_owned()]).unwrap_err().to_string()
        };
        assert_eq!(message("", "src"), "invalid destination label name in label_join(): ");
        assert_eq!(message("dst", ""), "invalid source label name in label_join(): ");
    }

    #[test]
    fn values_are_joined_in_order() {
        let series = labels(&[("src", "a"), ("src1", "b"), ("src2", "c"), ("dst", "old")]);
        let join = |separator: &str, sources: &[&str]| {
            let sources: Vec<String> = sources.iter().map(|s| (*s).to_owned()).collect();
            let join = LabelJoin::new("dst", separator, &sources).unwrap();
            join.apply(&series).unwrap().get("dst").to_owned()
        };
        assert_eq!(join("-", &["src", "src1", "src2"]), "a-b-c");
        assert_eq!(join("", &["src", "emptysrc", "src1", "src2"]), "abc");
        assert_eq!(join("-", &["absent", "src"]), "-a");
        assert_eq!(join("-", &["src"]), "a");
        assert_eq!(join("-", &[]), "", "nothing joined removes the label");
    }
}
