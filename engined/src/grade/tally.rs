//! What the results come to while they come: how many of each verdict, and for each submission the first test that it
//! fails.

use std::collections::{BTreeMap, HashMap};

use api_spec::{BatchRequest, CheckerTold, Difference, SubmissionVerdict, TestResult, TestVerdict, Verdict};

use super::plain;

/// The word that the API has for it.
#[must_use]
pub fn word(verdict: TestVerdict) -> &'static str {
    match verdict {
        TestVerdict::Accepted => "accepted",
        TestVerdict::WrongAnswer => "wrong_answer",
        TestVerdict::CheckerError => "checker_error",
        TestVerdict::Skipped => "skipped",
        TestVerdict::Run(verdict) => verdict.name(),
    }
}

/// The word that the API has for it.
#[must_use]
pub fn of_submission(verdict: SubmissionVerdict) -> &'static str {
    match verdict {
        SubmissionVerdict::Partial => "partial",
        SubmissionVerdict::Test(verdict) => word(verdict),
    }
}

/// Why a result is what it is, in one line; nothing where it is not told.
#[must_use]
pub fn why(result: &TestResult) -> String {
    let of_checker = result.checker.as_ref().and_then(of_checker);
    let of_run = result.reason.as_ref().map(|reason| reason.message.clone());
    plain::line(&of_checker.or(of_run).unwrap_or_default())
}

fn of_checker(told: &CheckerTold) -> Option<String> {
    let difference = told.difference.as_ref();
    let shown = difference.filter(|there| there.expected.is_some() || there.found.is_some()).map(of_difference);
    let message = told.message.clone().filter(|message| !message.trim().is_empty());
    shown.or(message).or_else(|| difference.map(of_difference))
}

fn of_difference(difference: &Difference) -> String {
    let Difference { line, column, expected, found } = difference;
    let quoted = |text: &Option<String>| text.as_ref().map_or("nothing".to_owned(), |text| format!("{text:?}"));
    format!("line {line}, column {column}: expected {}, found {}", quoted(expected), quoted(found))
}

/// The first test that a submission does not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// Its place among the tests.
    pub test: usize,
    /// Which of the repeated runs.
    pub repeat: u32,
    /// What became of it.
    pub verdict: TestVerdict,
    /// Why.
    pub why: String,
}

/// Where a result belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The submission's place in the request.
    pub submission: usize,
    /// The test's.
    pub test: usize,
    /// Which of the repeated runs.
    pub repeat: u32,
}

/// Keeps a result where it is the first of its submission.
fn keep(first: &mut [Option<First>], place: Place, result: &TestResult) {
    // A test that was not run tells less than the one for which it was not.
    let rank = |test: usize, repeat: u32, verdict: TestVerdict| (verdict == TestVerdict::Skipped, test, repeat);
    let Place { submission, test, repeat } = place;
    if let Some(first) = first.get_mut(submission)
        && first.as_ref().is_none_or(|f| rank(test, repeat, result.verdict) < rank(f.test, f.repeat, f.verdict))
    {
        *first = Some(First { test, repeat, verdict: result.verdict, why: why(result) });
    }
}

/// What there is so far.
#[derive(Debug, Default)]
pub struct Tally {
    submissions: HashMap<String, usize>,
    tests: HashMap<String, usize>,
    first: Vec<Option<First>>,
    /// The same of results that say nothing about the program.
    unjudged: Vec<Option<First>>,
    verdicts: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Of a batch without results.
    #[must_use]
    pub fn new(request: &BatchRequest) -> Tally {
        let submissions: HashMap<String, usize> =
            request.submissions.iter().enumerate().map(|(at, one)| (one.id.clone(), at)).collect();
        let tests = request.tests.iter().enumerate().map(|(at, test)| (test.id.clone(), at)).collect();
        let first: Vec<Option<First>> = request.submissions.iter().map(|_| None).collect();
        Tally { submissions, tests, unjudged: first.clone(), first, verdicts: BTreeMap::new() }
    }

    /// One more result.
    ///
    /// # Errors
    /// It is about something that was not sent.
    pub fn add(&mut self, result: &TestResult) -> Result<Place, String> {
        let place = self.submissions.get(&result.submission).zip(self.tests.get(&result.test));
        let Some((&submission, &test)) = place else {
            return Err(format!(
                "result {} is about submission {:?} and test {:?}, which were not sent",
                result.seq, result.submission, result.test
            ));
        };
        let place = Place { submission, test, repeat: result.repeat };
        *self.verdicts.entry(word(result.verdict)).or_default() += 1;
        if result.verdict != TestVerdict::Accepted {
            keep(&mut self.first, place, result);
        }
        if result.verdict.is_unjudged() {
            keep(&mut self.unjudged, place, result);
        }
        Ok(place)
    }

    /// The first test that a submission does not pass. Of one whose verdict is that it could not be judged, the first by which
    /// it could not.
    #[must_use]
    pub fn first(&self, submission: usize, verdict: Option<SubmissionVerdict>) -> Option<&First> {
        let unjudged = matches!(verdict, Some(SubmissionVerdict::Test(verdict)) if verdict.is_unjudged());
        let first = if unjudged { &self.unjudged } else { &self.first };
        first.get(submission).and_then(Option::as_ref)
    }

    /// How many results could not be judged, in words. `None`: all could.
    #[must_use]
    pub fn unjudged(&self) -> Option<String> {
        let words = [TestVerdict::CheckerError, TestVerdict::Run(Verdict::EngineError)].map(word);
        let counts: Vec<(&str, u64)> = words
            .iter()
            .filter_map(|word| self.verdicts.get_key_value(word))
            .map(|(word, count)| (*word, *count))
            .collect();
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        let results = if all == 1 { "result" } else { "results" };
        match counts[..] {
            [] => None,
            [(word, _)] => Some(format!("{all} {results} could not be judged ({word})")),
            _ => {
                let words: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
                Some(format!("{all} {results} could not be judged ({})", words.join(", ")))
            }
        }
    }

    /// How many of each verdict, the most first.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut verdicts: Vec<(&str, u64)> = self.verdicts.iter().map(|(verdict, count)| (*verdict, *count)).collect();
        verdicts.sort_by_key(|(verdict, count)| (std::cmp::Reverse(*count), *verdict));
        let words: Vec<String> = verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        if words.is_empty() { "none yet".to_owned() } else { words.join(", ") }
    }
}
