//! What is wrong with a block, as text.

use std::fmt::Display;

/// Most problems that are told; the rest are counted.
const MOST: usize = 1000;

/// A list of problems that cannot grow without end.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<String>,
    untold: u64,
}

impl Problems {
    pub(super) fn add(&mut self, problem: impl Display) {
        match self.told.len() < MOST {
            true => self.told.push(problem.to_string()),
            false => self.untold += 1,
        }
    }

    pub(super) fn into_list(mut self) -> Vec<String> {
        if self.untold > 0 {
            self.told.push(format!("and {} more", self.untold));
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_ends() {
        let mut problems = Problems::default();
        (0..MOST + 5).for_each(|number| problems.add(number));
        let list = problems.into_list();
        assert_eq!((list.len(), list[MOST].as_str()), (MOST + 1, "and 5 more"));
    }
}
