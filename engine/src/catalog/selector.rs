//! Which blocks are read, by their external labels: Prometheus' relabelling, of which Thanos allows
//! `keep`, `drop` and `hashmod` here (`--selector.relabel-config`).

use serde::Deserialize;

use super::md5::md5;
use crate::block::BlockMeta;
use crate::model::Labels;
use crate::regex::Regex;
use crate::{Error, Result};

/// The label that holds a block's id in the rules.
const BLOCK_ID: &str = "__block_id";

/// Rules that decide whether a block is read.
#[derive(Debug, Clone, Default)]
pub struct BlockSelector {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    sources: Vec<String>,
    separator: String,
    action: Action,
}

#[derive(Debug, Clone)]
enum Action {
    Keep(Regex),
    Drop(Regex),
    HashMod { target: String, modulus: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    source_labels: Vec<String>,
    #[serde(default = "semicolon")]
    separator: String,
    #[serde(default = "anything")]
    regex: String,
    #[serde(default)]
    modulus: u64,
    #[serde(default)]
    target_label: String,
    #[serde(default)]
    #[expect(dead_code, reason = "known, and without meaning for these actions")]
    replacement: String,
    #[serde(default = "replace")]
    action: String,
}

fn semicolon() -> String {
    ";".to_owned()
}

fn anything() -> String {
    "(.*)".to_owned()
}

fn replace() -> String {
    "replace".to_owned()
}

impl BlockSelector {
    /// Reads a list of Prometheus' `relabel_config`; an empty text has no rules.
    pub fn from_yaml(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let written: Vec<Written> = serde_saphyr::from_str(text)
            .map_err(|error| Error::invalid(format!("relabel config: {error}")))?;
        let rules = written.into_iter().map(Rule::new).collect::<Result<_>>()?;
        Ok(Self { rules })
    }

    /// Whether the block is read.
    pub(crate) fn keeps(&self, meta: &BlockMeta) -> bool {
        if self.rules.is_empty() {
            return true;
        }
        // The catalog sets a block aside whose labels are none.
        let Ok(labels) = meta.external_labels() else { return true };
        self.accepts(&labels, &meta.ulid.to_string())
    }

    fn accepts(&self, labels: &Labels, id: &str) -> bool {
        let mut made: Vec<(&str, String)> = vec![(BLOCK_ID, id.to_owned())];
        for rule in &self.rules {
            let value = |name: &String| match made.iter().rev().find(|(made, _)| made == name) {
                Some((_, value)) => value.as_str(),
                None => labels.get(name),
            };
            let values: Vec<&str> = rule.sources.iter().map(value).collect();
            let joined = values.join(&rule.separator);
            match &rule.action {
                Action::Keep(regex) if !regex.is_match(&joined) => return false,
                Action::Drop(regex) if regex.is_match(&joined) => return false,
                Action::Keep(_) | Action::Drop(_) => {}
                Action::HashMod { target, modulus } => {
                    // The last eight bytes, as Prometheus has it.
                    let hash = u128::from_be_bytes(md5(joined.as_bytes())) as u64;
                    made.push((target, (hash % modulus).to_string()));
                }
            }
        }
        true
    }
}

impl Rule {
    fn new(written: Written) -> Result<Self> {
        let Written { source_labels, separator, regex, modulus, target_label, action, .. } =
            written;
        let action = match action.to_lowercase().as_str() {
            "keep" => Action::Keep(Regex::anchored(&regex)?),
            "drop" => Action::Drop(Regex::anchored(&regex)?),
            "hashmod" if modulus == 0 => {
                return Err(Error::invalid("relabel config: hashmod needs a modulus"));
            }
            "hashmod" if target_label.is_empty() => {
                return Err(Error::invalid("relabel config: hashmod needs a target_label"));
            }
            "hashmod" => Action::HashMod { target: target_label, modulus },
            other => {
                return Err(Error::invalid(format!(
                    "relabel config: action {other:?} is none of keep, drop, hashmod"
                )));
            }
        };
        Ok(Self { sources: source_labels, separator, action })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(yaml: &str, env: &str, replica: &str) -> bool {
        let labels = Labels::new([("env", env), ("replica", replica)]).unwrap();
        BlockSelector::from_yaml(yaml).unwrap().accepts(&labels, "01K6H00000QZAN99RS9Y9WC0Z7")
    }

    #[test]
    fn rules_keep_and_drop() {
        let keep = "[{action: keep, source_labels: [env, replica], regex: 'prod;(a|b)'}]";
        assert!(accepts(keep, "prod", "a") && !accepts(keep, "prod", "c"));
        let two = "- {action: drop, source_labels: [replica], regex: b}\n\
                   - {action: keep, source_labels: [__block_id], regex: '01K6.*'}";
        assert!(accepts(two, "", "a") && !accepts(two, "", "b"));
        let absent = "[{action: drop, source_labels: [none], regex: ''}]";
        assert!(!accepts(absent, "prod", "a"), "an absent label is empty");
        assert!(accepts("", "prod", "a"));
    }

    /// Shards as Prometheus 3.16 computes them: of `prod;a` and `prod;b`.
    #[test]
    fn hashmod_shares_out_as_prometheus_does() {
        let shard = |env: &str, replica: &str| {
            let of = |n: u32| {
                let yaml = format!(
                    "- {{action: hashmod, source_labels: [env, replica], modulus: 3, target_label: s}}\n\
                     - {{action: keep, source_labels: [s], regex: '{n}'}}"
                );
                accepts(&yaml, env, replica)
            };
            (0..3).filter(|&n| of(n)).collect::<Vec<u32>>()
        };
        assert_eq!(shard("prod", "a"), [0]);
        assert_eq!(shard("prod", "b"), [1]);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for yaml in [
            "[{action: replace, source_labels: [a]}]",
            "[{source_labels: [a]}]",
            "[{action: hashmod, source_labels: [a], target_label: t}]",
            "[{action: hashmod, source_labels: [a], modulus: 2}]",
            "[{action: keep, regex: '('}]",
            "[{action: keep, surce_labels: [a]}]",
            "action: keep",
        ] {
            assert!(BlockSelector::from_yaml(yaml).is_err(), "{yaml}");
        }
    }
}
