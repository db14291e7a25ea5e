//! Counts what passed and what failed, over test binaries, corpus runs and checks of our own.

use std::process::ExitCode;

/// Sums, and the name of everything that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failures: Vec<String>,
    /// What failed, and then passed by itself.
    unsteady: Vec<String>,
    /// What failures said, told once more at the end: there it is found.
    again: Vec<String>,
}

impl Tally {
    /// One failure and nothing else.
    pub fn failure(name: &str) -> Self {
        Tally { failures: vec![name.to_owned()], ..Tally::default() }
    }

    /// Counts one check, and says so when it failed.
    pub fn check(&mut self, name: &str, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(why) => self.fail(format!("{name}: {why}")),
        }
    }

    /// Counts one failure.
    pub fn fail(&mut self, what: impl Into<String>) {
        let what = what.into();
        println!("FAIL {what}");
        self.failures.push(what);
    }

    /// Adds another sum to this one.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failures.extend(other.failures);
        self.unsteady.extend(other.unsteady);
        self.again.extend(other.again);
    }

    /// A test that failed has passed by itself.
    pub fn steadied(&mut self, name: &str) {
        self.passed += 1;
        self.failures.retain(|failure| failure != name);
        self.unsteady.push(name.to_owned());
    }

    /// Tells it once more at the end.
    pub fn tell_again(&mut self, what: String) {
        self.again.push(what);
    }

    /// Counts a line of `cargo test` or of a corpus run; other lines are none of ours.
    pub fn read_line(&mut self, line: &str) {
        if let Some(counts) = line.strip_prefix("test result: ") {
            self.passed += count_before(counts, "passed");
            if count_before(counts, "ignored") > 0 {
                self.failures.push("a test is marked #[ignore]".to_owned());
            }
        } else if let Some(name) = failed_test(line) {
            self.failures.push(name.to_owned());
        } else if line.ends_with(" failed") && line.contains(" passed, ") {
            self.passed += count_before(line, "passed");
        } else if let Some(name) = ["FAIL ", "POLICY "].iter().find_map(|word| line.strip_prefix(word)) {
            self.failures.push(name.trim().to_owned());
        }
    }

    /// How many passed.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// What failed.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// What failed, and then passed by itself.
    pub fn unsteady(&self) -> &[String] {
        &self.unsteady
    }

    /// What failures said.
    #[cfg(test)]
    pub fn again(&self) -> &[String] {
        &self.again
    }

    /// Says what failed, then the closing line.
    pub fn close(&self) -> ExitCode {
        for text in &self.again {
            println!("== failed in {text}");
        }
        for name in self.unsteady() {
            println!("unsteady: {name} failed, and passed by itself afterwards: mend it");
        }
        for name in &self.failures {
            println!("failed: {name}");
        }
        println!("{} passed, {} failed", self.passed, self.failures.len());
        if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The test of which a line of a test binary says that it failed.
pub fn failed_test(line: &str) -> Option<&str> {
    line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
}

/// How many tests failed by a `test result:` line, which may not say it. `None` is another line.
pub fn failed_of_result(line: &str) -> Option<Option<u64>> {
    line.strip_prefix("test result:").map(|counts| number_before(counts, "failed"))
}

/// The number that stands before `word` in `text`, 0 where there is none.
fn count_before(text: &str, word: &str) -> u64 {
    number_before(text, word).unwrap_or(0)
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    let words: Vec<&str> = text.split([' ', ',', ';']).filter(|w| !w.is_empty()).collect();
    words.windows(2).find(|pair| pair[1] == word).and_then(|pair| pair[0].parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_kinds_are_counted() {
        let mut tally = Tally::default();
        for line in [
            "test spec::tests::good ... ok",
            "test spec::tests::bad ... FAILED",
            "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "FAIL   spin.c | verdict ok (OK), allowed ['TLE']",
            "POLICY caps_status.c | check stdout!~ESCAPED",
            "71 passed, 1 failed",
            "the 3 passed, by and by",
        ] {
            tally.read_line(line);
        }
        assert_eq!(tally.passed(), 83);
        assert_eq!(tally.failures().len(), 3);
    }

    #[test]
    fn an_ignored_test_is_a_failure() {
        let mut tally = Tally::default();
        tally.read_line("test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        assert_eq!(tally.failures().len(), 1);
    }
}
