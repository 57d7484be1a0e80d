//! Series selectors in parameters: `match[]` and `storeMatch[]`.

use engine::model::Matcher;

use super::form::check_length;

/// What Prometheus says of a selector that the empty label set fulfils.
pub(super) const EMPTY: &str = "match[] must contain at least one non-empty matcher";

/// The matchers of a selector such as `up{job="node"}`; the error is in Prometheus' words.
pub(super) fn parse(text: &str) -> Result<Vec<Matcher>, String> {
    check_length(text)?;
    let matchers = promql::parse::selector(text).map_err(|error| error.to_string())?;
    match matchers.iter().all(|matcher| matcher.matches("")) {
        true => Err(EMPTY.to_owned()),
        false => Ok(matchers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_selectors_are_selectors() {
        let shown =
            |text| parse(text).map(|m| m.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(shown(r#"{a=~"b|c"}"#), Ok(vec![r#"a=~"b|c""#.to_owned()]));
        assert_eq!(shown("up"), Ok(vec![r#"__name__="up""#.to_owned()]));
        assert_eq!(shown(r#"{a=~".*"}"#), Err(EMPTY.to_owned()));
        for text in ["up + 1", "up[5m]", "up offset 5m", "1", "", "up{", "sum(up)"] {
            assert!(shown(text).unwrap_err().contains("parse error"), "{text}");
        }
    }
}
