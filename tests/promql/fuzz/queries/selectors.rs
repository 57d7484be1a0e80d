//! Selectors.

use super::tree::{Node, Type};
use super::{Queries, Taste};
use crate::promql::fuzz::data::metrics::{Kind, METRICS, Metric};

impl Queries<'_> {
    /// An instant selector with what may stand behind it.
    pub(super) fn instant_selector(&mut self, taste: Taste) -> Node {
        let selector = Node::text(Type::Vector, "").child(self.selector(taste));
        let smoothed = self.random.chance(4);
        let smoothed = smoothed.then(|| Node::optional(" smoothed").using("smoothed (instant)"));
        selector.maybe(smoothed).maybe(self.when())
    }

    /// A selector by itself.
    pub(super) fn selector(&mut self, taste: Taste) -> Node {
        let metric = self.metric(taste);
        let matcher = |q: &mut Self| {
            let chance = q.random.below(10);
            (chance < 4).then(|| q.matcher(metric))
        };
        let mut matchers: Vec<Node> = (0..2).filter_map(|_| matcher(self)).collect();
        let name = metric.name;
        let quoted = name.contains('.') && self.random.chance(50);
        let mut selector = match self.random.below(20) {
            0 => {
                matchers.push(Node::text(Type::Part, format!("__name__=\"{name}\"")));
                Node::text(Type::Part, "")
            }
            1 => {
                let other = self.random.pick(METRICS_OF_ONE_SHAPE);
                matchers.push(Node::text(Type::Part, format!("__name__=~\"{name}|{other}\"")));
                Node::text(Type::Part, "").using("name by =~")
            }
            2 => {
                matchers.insert(0, Node::text(Type::Part, format!("\"{name}\"")));
                Node::text(Type::Part, "").using("quoted name")
            }
            _ if quoted => {
                matchers.insert(0, Node::text(Type::Part, format!("\"{name}\"")));
                Node::text(Type::Part, "").using("quoted name")
            }
            _ => Node::text(Type::Part, name),
        };
        if name.contains('.') {
            selector = selector.using("UTF-8 name");
        }
        if matchers.is_empty() {
            return selector;
        }
        selector = selector.then("{");
        for (at, matcher) in matchers.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            selector = selector.then(comma).child(matcher);
        }
        selector.then("}")
    }

    fn metric(&mut self, taste: Taste) -> &'static Metric {
        use Kind::{Classic, Counter, Custom, Gauge, Info, Mixed, Native, NativeGauge};
        let kinds: &[Kind] = match taste {
            Taste::Any => {
                &[Counter, Gauge, Gauge, Classic, Native, NativeGauge, Custom, Mixed, Info]
            }
            Taste::Counter => &[Counter, Counter, Counter, Counter, Native, Mixed],
            Taste::Gauge => &[Gauge, Gauge, Gauge, Gauge, Counter, Mixed],
            Taste::Native => &[Native, Native, NativeGauge, Custom, Custom, Mixed],
            Taste::Buckets => {
                &[Native, Native, NativeGauge, Custom, Custom, Mixed, Classic, Classic, Classic]
            }
        };
        let kind = self.random.pick(kinds);
        let all: Vec<&Metric> = METRICS.iter().filter(|metric| metric.kind == kind).collect();
        self.random.pick(&all)
    }

    fn matcher(&mut self, metric: &'static Metric) -> Node {
        let (label, values) = self.random.pick(metric.labels);
        let value = self.random.pick(values);
        let name = match label.contains('.') {
            true => format!("\"{label}\""),
            false => label.to_owned(),
        };
        let (text, operator) = match self.random.below(10) {
            0..=3 => (format!("{name}=\"{value}\""), "="),
            4..=5 => (format!("{name}!=\"{value}\""), "!="),
            6..=7 => (format!("{name}=~\"{}.*\"", value.chars().next().unwrap_or('x')), "=~"),
            8 => (format!("{name}=~\".+\""), "=~"),
            _ => (format!("{name}!~\"{value}|nothing\""), "!~"),
        };
        Node::text(Type::Part, text).using(match operator {
            "=" => "{=}",
            "!=" => "{!=}",
            "=~" => "{=~}",
            _ => "{!~}",
        })
    }
}

/// Metrics that are selected together with another one.
const METRICS_OF_ONE_SHAPE: &[&str] =
    &["errors_total", "work_seconds", "temperature", "native", "mixed"];
