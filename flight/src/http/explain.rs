//! A physical plan as the `analysis` of an answer: Thanos' shape, a name and children, with what
//! DataFusion measured beside it.

use super::json::text::{Escape, push_string};

/// Deeper plans are cut: nobody reads them, and their nesting is a reader's stack.
const DEPTH_MAX: usize = 200;

/// Makes `{"name":…,"metrics":…,"children":[…]}` of an indented plan (`EXPLAIN ANALYZE`); `{}` of
/// none.
pub(super) fn analysis(plan: &str) -> String {
    let mut out = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for line in plan.lines().filter(|line| !line.trim().is_empty()) {
        let text = line.trim_start();
        let depth = (line.len() - text.len()) / 2;
        // A second root would make two values of it.
        if depth > DEPTH_MAX || (depth == 0 && !out.is_empty()) {
            continue;
        }
        let mut sibling = false;
        while open.last().is_some_and(|&above| above >= depth) {
            open.pop();
            out.extend_from_slice(b"]}");
            sibling = true;
        }
        if sibling {
            out.push(b',');
        }
        push_node(&mut out, text);
        open.push(depth);
    }
    if out.is_empty() {
        return "{}".to_owned();
    }
    for _ in open {
        out.extend_from_slice(b"]}");
    }
    String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned())
}

fn push_node(out: &mut Vec<u8>, text: &str) {
    let (name, metrics) = match text.split_once(", metrics=[") {
        Some((name, metrics)) => (name, metrics.trim_end().trim_end_matches(']')),
        None => (text, ""),
    };
    out.extend_from_slice(b"{\"name\":");
    push_string(out, name, Escape::Html);
    out.extend_from_slice(b",\"metrics\":");
    push_string(out, metrics, Escape::Html);
    out.extend_from_slice(b",\"children\":[");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_becomes_children() {
        let plan = "Sum, metrics=[rows=1, time=2ms]\n  Rate: [5m]\n    Scan\n  Rate: [1m]\n";
        let tree: serde_json::Value = serde_json::from_str(&analysis(plan)).unwrap();
        assert_eq!(tree["name"], "Sum");
        assert_eq!(tree["metrics"], "rows=1, time=2ms");
        assert_eq!(tree["children"][0]["children"][0]["name"], "Scan");
        assert_eq!(tree["children"][1]["name"], "Rate: [1m]");
        assert_eq!(tree["children"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn any_text_is_json() {
        for plan in ["", "   \n", "a\n    b\n  c\n      d\nz\n", "x\n\"q\"", " a\n  b\n a"] {
            let text = analysis(plan);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{plan:?}: {text}");
        }
    }
}
