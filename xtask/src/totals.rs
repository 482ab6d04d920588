//! What all tests of a run of cargo came to.

use std::fmt;

/// Tests that passed and failed, over all programs of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    passed: u64,
    failed: u64,
}

impl Totals {
    /// Counts a line of cargo's output, if it is the end of one program of tests.
    pub fn count(&mut self, line: &str) {
        let Some((_, results)) = line.split_once("test result: ") else { return };
        for result in results.split(['.', ';']).map(str::trim) {
            match result.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sum_over_all_programs_of_tests() {
        let mut totals = Totals::default();
        for line in [
            "running 3 tests",
            "test result: ok. 41 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.38s",
            "test the_words_7_passed_in_a_name ... ok",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            totals.count(line);
        }
        assert_eq!(totals.to_string(), "53 passed, 2 failed");
    }
}
