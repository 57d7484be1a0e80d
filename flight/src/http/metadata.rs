//! `/series`, `/labels` and `/label/…/values`: what there is, without samples.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use engine::model::{Labels, Matcher, TimeRange};
use engine::source::{Listing, SelectOptions, SeriesSource};
use tokio_util::task::AbortOnDropHandle;

use super::error::{ApiError, ErrorType};
use super::evaluate::ended_early;
use super::form::Form;
use super::json::{Answer, Payload};
use super::querier::Querier;
use super::query::{TRUNCATED, limit, respond, select_options};
use super::selector;
use super::time::time_parameter;

/// `GET` and `POST /series`.
pub(super) async fn series(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    if form.all("match[]").next().is_none() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let mut ask = Ask::new(&querier, &form)?;
    ask.selectors = selectors(&form).map_err(|message| ApiError::parameter("match[]", message))?;
    let listing = ask.run(&querier, Want::Series).await?;
    Ok(listing.respond())
}

/// `GET` and `POST /labels`.
pub(super) async fn names(
    State(querier): State<Arc<Querier>>,
    form: Form,
) -> Result<Response, ApiError> {
    let mut ask = Ask::new(&querier, &form)?;
    ask.selectors = selectors(&form).map_err(ApiError::bad_data)?;
    let listing = ask.run(&querier, Want::Names).await?;
    Ok(listing.respond())
}

/// `GET /label/{name}/values`.
pub(super) async fn values(
    State(querier): State<Arc<Querier>>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let name = if name.starts_with("U__") { unescape(&name) } else { name };
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {name:?}")));
    }
    let mut ask = Ask::new(&querier, &form)?;
    ask.selectors = selectors(&form).map_err(ApiError::bad_data)?;
    let listing = ask.run(&querier, Want::Values(name)).await?;
    Ok(listing.respond())
}

/// Undoes the escaping of names that are not of the old character set (`model.UnescapeName`,
/// `ValueEncodingEscaping`): `U__a_2e_b` is `a.b`, `__` is `_`; what is no escape stays as it is.
fn unescape(escaped: &str) -> String {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = &escaped["U__".len()..];
    while let Some(at) = rest.find('_') {
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(end) = rest.find('_') else { return escaped.to_owned() };
        let code = &rest[..end];
        rest = &rest[end + 1..];
        if code.is_empty() {
            name.push('_');
            continue;
        }
        let scalar = (code.len() <= 6 && code.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| u32::from_str_radix(code, 16).ok())
            .flatten()
            .and_then(char::from_u32);
        match scalar {
            Some(scalar) => name.push(scalar),
            None => return escaped.to_owned(),
        }
    }
    name.push_str(rest);
    name
}

/// The selectors in `match[]`; each must refuse the empty label set.
fn selectors(form: &Form) -> Result<Vec<Vec<Matcher>>, String> {
    let mut selectors = Vec::new();
    for text in form.all("match[]") {
        let matchers = selector::parse(text)?;
        if matchers.iter().all(|matcher| matcher.matches("")) {
            return Err(selector::EMPTY.to_owned());
        }
        selectors.push(matchers);
    }
    Ok(selectors)
}

/// What is asked of a source.
#[derive(Debug)]
enum Want {
    Series,
    Names,
    Values(String),
}

#[derive(Debug)]
struct Ask {
    selectors: Vec<Vec<Matcher>>,
    range: TimeRange,
    options: SelectOptions,
    limit: usize,
}

impl Ask {
    fn new(querier: &Querier, form: &Form) -> Result<Self, ApiError> {
        let limit = limit(form)?;
        let default = querier.settings.metadata_default_range;
        let (earliest, latest) = if default.is_zero() {
            (TimeRange::ALL.min, TimeRange::ALL.max)
        } else {
            let now = chrono::Utc::now().timestamp_millis();
            (now.saturating_sub(i64::try_from(default.as_millis()).unwrap_or(i64::MAX)), now)
        };
        let start = time_parameter(form, "start", earliest)?;
        let end = time_parameter(form, "end", latest)?;
        if end < start {
            let message = "end timestamp must not be before start time";
            return Err(ApiError::parameter("end", message));
        }
        let options = select_options(querier, form)?;
        let range = TimeRange::new(start, end);
        Ok(Self { selectors: Vec::new(), range, options, limit })
    }

    /// Asks the source once a selector (once without, if there is none) and joins what it says.
    async fn run(mut self, querier: &Arc<Querier>, want: Want) -> Result<Joined, ApiError> {
        if self.selectors.is_empty() {
            self.selectors.push(Vec::new());
        }
        let source = Arc::clone(&querier.source);
        let task = AbortOnDropHandle::new(
            querier.runtime.spawn(async move { self.ask(source.as_ref(), &want).await }),
        );
        match tokio::time::timeout(querier.settings.timeout, task).await {
            Ok(Ok(Ok(joined))) => Ok(joined),
            Ok(Ok(Err(error))) => Err(ApiError::from_engine("match[]", &error)),
            Ok(Err(ended)) => Err(ended_early(ended)),
            Err(_) => Err(ApiError::new(ErrorType::Timeout, "the request timed out")),
        }
    }

    async fn ask(&self, source: &dyn SeriesSource, want: &Want) -> engine::Result<Joined> {
        let (range, options, limit) = (self.range, &self.options, self.limit);
        let mut sets = Union::<Labels>::default();
        let mut strings = Union::<String>::default();
        for matchers in &self.selectors {
            match want {
                Want::Series => {
                    sets.add(source.series(matchers, range, options, limit).await?);
                }
                Want::Names => {
                    strings.add(source.label_names(matchers, range, options, limit).await?);
                }
                Want::Values(name) => {
                    strings.add(source.label_values(name, matchers, range, options, limit).await?);
                }
            }
        }
        Ok(match want {
            Want::Series => sets.join(limit, Payload::LabelSets),
            Want::Names | Want::Values(_) => strings.join(limit, Payload::Strings),
        })
    }
}

/// Sorted lists, joined.
#[derive(Debug)]
struct Union<T> {
    first: Vec<T>,
    more: Option<BTreeSet<T>>,
    lists: usize,
    truncated: bool,
    warnings: Vec<String>,
}

impl<T> Default for Union<T> {
    fn default() -> Self {
        Self { first: Vec::new(), more: None, lists: 0, truncated: false, warnings: Vec::new() }
    }
}

impl<T: Ord> Union<T> {
    fn add(&mut self, listing: Listing<T>) {
        self.truncated |= listing.truncated;
        self.warnings.extend(listing.warnings);
        self.lists += 1;
        if self.lists == 1 {
            self.first = listing.items;
        } else {
            let all = self.more.get_or_insert_default();
            all.extend(self.first.drain(..));
            all.extend(listing.items);
        }
    }

    fn join(self, limit: usize, payload: impl FnOnce(Vec<T>) -> Payload) -> Joined {
        let mut items = match self.more {
            Some(all) => all.into_iter().collect(),
            None => self.first,
        };
        let mut warnings = self.warnings;
        if self.truncated || (limit > 0 && items.len() > limit) {
            warnings.push(TRUNCATED.to_owned());
        }
        if limit > 0 {
            items.truncate(limit);
        }
        Joined { payload: payload(items), warnings }
    }
}

struct Joined {
    payload: Payload,
    warnings: Vec<String>,
}

impl Joined {
    fn respond(self) -> Response {
        respond(Answer::with_extras(self.payload, &[], &self.warnings, &[]), &self.warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_those_of_prometheus() {
        for (escaped, name) in [
            ("U__label_2e_x", "label.x"),
            ("U__a__b", "a_b"),
            ("U___e9_", "é"),
            ("U___1f600_x", "😀x"),
            ("U__plain", "plain"),
            ("U__open_2e", "U__open_2e"),
            ("U__bad_zz_", "U__bad_zz_"),
            ("U__big_d800_", "U__big_d800_"),
            ("U__", ""),
        ] {
            assert_eq!(unescape(escaped), name, "{escaped}");
        }
    }

    #[test]
    fn lists_of_several_selectors_are_one() {
        let list = |items: &[&str], truncated| Listing {
            items: items.iter().map(|s| (*s).to_owned()).collect(),
            truncated,
            warnings: vec![],
        };
        let join = |lists: Vec<Listing<String>>, limit| {
            let mut union = Union::default();
            lists.into_iter().for_each(|l| union.add(l));
            let joined = union.join(limit, Payload::Strings);
            let Payload::Strings(strings) = joined.payload else { panic!("strings") };
            (strings.join(","), joined.warnings.len())
        };
        assert_eq!(
            join(vec![list(&["a", "c"], false), list(&["b", "c"], false)], 0),
            ("a,b,c".into(), 0)
        );
        assert_eq!(join(vec![list(&["a", "c"], false), list(&["b"], false)], 2), ("a,b".into(), 1));
        assert_eq!(join(vec![list(&["a"], true)], 1), ("a".into(), 1));
        assert_eq!(join(vec![list(&[], false)], 1), (String::new(), 0));
    }
}
