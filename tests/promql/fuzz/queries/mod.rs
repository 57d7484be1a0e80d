//! Queries by grammar and types: what is generated parses, and most of it selects something.

mod aggregations;
mod calls;
mod durations;
mod operators;
mod range_calls;
mod scalars;
mod selectors;
mod tree;

pub(super) use tree::{Node, Part, Type};

use super::random::Random;

/// What a vector should better be of, so that what is done with it makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taste {
    Any,
    Counter,
    Gauge,
    /// Native histograms.
    Native,
    /// Native histograms, or the buckets of classic ones.
    Buckets,
}

/// Makes queries.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    random: &'a mut Random,
    /// How many subqueries are around what is made now.
    subqueries: usize,
}

impl<'a> Queries<'a> {
    pub(super) fn new(random: &'a mut Random) -> Self {
        Self { random, subqueries: 0 }
    }

    /// A query; `instant` ones may also be strings and range vectors.
    pub(super) fn query(&mut self, instant: bool) -> Node {
        let depth = self.random.pick(&[1, 2, 2, 2, 3, 3, 4]);
        match self.random.below(100) {
            0 if instant => Node::text(Type::Text, "\"a string\""),
            1..=3 if instant => self.range(Taste::Any, depth.min(2)),
            4..=6 => self.scalar(depth),
            7..=14 => self.sorted(depth),
            _ => self.vector(Taste::Any, depth),
        }
    }

    /// An instant vector.
    fn vector(&mut self, taste: Taste, depth: usize) -> Node {
        if depth == 0 {
            return self.instant_selector(taste);
        }
        let taste = match taste {
            Taste::Any => self.random.pick(&[
                Taste::Any,
                Taste::Any,
                Taste::Counter,
                Taste::Gauge,
                Taste::Gauge,
                Taste::Native,
            ]),
            taste => taste,
        };
        match self.random.below(100) {
            0..=9 => self.instant_selector(taste),
            10..=33 => self.range_call(taste, depth),
            34..=47 => self.aggregation(taste, depth),
            48..=66 => self.operation(taste, depth),
            67..=69 => {
                let of = self.vector(taste, depth - 1);
                Node::text(Type::Vector, "(").child(of).then(")").using("()")
            }
            70..=72 => {
                let of = self.vector(taste, depth - 1);
                Node::text(Type::Vector, "-(").child(of).then(")").using("unary -")
            }
            _ => self.call(taste, depth),
        }
    }
}

#[test]
fn a_seed_makes_the_same_queries() {
    let texts = |seed| -> Vec<String> {
        let mut random = Random::new(seed);
        (0..50).map(|_| Queries::new(&mut random).query(true).to_string()).collect()
    };
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
}
