//! What is known of a submission's results so far.

use std::collections::HashMap;

use api_spec::{CompileTold, SubmissionVerdict, TestVerdict, Verdict};
use grading::score;
use store::Unit;

use super::common::Common;
use super::told::{self, Note};

/// What a test has got in those of its runs that are over.
#[derive(Clone, Copy, Debug)]
struct Got {
    share: f64,
    /// Of the first repeated run that was not accepted.
    failed: Option<(u32, TestVerdict)>,
    /// Of the first repeated run that says nothing about the program.
    unjudged: Option<(u32, TestVerdict)>,
}

/// That of the earlier of two repeated runs.
fn first(one: Option<(u32, TestVerdict)>, other: Option<(u32, TestVerdict)>) -> Option<(u32, TestVerdict)> {
    one.into_iter().chain(other).min_by_key(|(repeat, _)| *repeat)
}

/// The results of a submission, as far as points and verdict need them.
#[derive(Debug, Default)]
pub struct Book {
    tests: Vec<Option<Got>>,
    done: u64,
    unjudged: u64,
    cpu_us: Option<u64>,
    memory: Option<u64>,
}

impl Book {
    /// Nothing of so many tests.
    #[must_use]
    pub fn new(tests: usize) -> Book {
        Book { tests: vec![None; tests], ..Book::default() }
    }

    /// Takes up what was recorded before. `known` is told what has a result, and whether others go on after it.
    pub fn restore(&mut self, done: &[(Unit, Vec<u8>)], known: &mut HashMap<Unit, bool>) {
        for (unit, note) in done {
            let note = serde_json::from_slice(note).unwrap_or_else(|error| {
                tracing::error!(%error, "a note of a result can't be read: it counts as failed by us");
                Note { verdict: TestVerdict::Run(Verdict::EngineError), share: 0.0, cpu_us: None, memory: None }
            });
            self.add(*unit, &note);
            known.insert(*unit, note.stops_nothing());
        }
    }

    /// A result more.
    pub fn add(&mut self, unit: Unit, note: &Note) {
        let place = unit.test.and_then(|test| usize::try_from(test).ok());
        let Some(test) = place.and_then(|place| self.tests.get_mut(place)) else { return };
        let accepted = note.verdict == TestVerdict::Accepted;
        let failed = (!accepted).then_some((unit.repeat, note.verdict));
        let unjudged = failed.filter(|(_, verdict)| verdict.is_unjudged());
        let before = test.unwrap_or(Got { share: 1.0, failed: None, unjudged: None });
        let share = before.share.min(if accepted { 1.0 } else { note.share });
        *test = Some(Got { share, failed: first(before.failed, failed), unjudged: first(before.unjudged, unjudged) });
        self.done += 1;
        self.unjudged += u64::from(unjudged.is_some());
        self.cpu_us = self.cpu_us.max(note.cpu_us);
        self.memory = self.memory.max(note.memory);
    }

    /// The line of a submission that is over.
    ///
    /// # Errors
    /// That of serialising.
    pub fn line(
        &self,
        id: &str,
        common: &Common,
        compiles: bool,
        compile: Option<CompileTold>,
    ) -> serde_json::Result<Vec<u8>> {
        let runs: Vec<score::Run<TestVerdict>> = self
            .tests
            .iter()
            .enumerate()
            .filter_map(|(test, got)| Some((test, (*got)?)))
            .flat_map(|(test, Got { share, failed, unjudged })| {
                let failed = failed.map_or((1, None), |(repeat, verdict)| (repeat, Some(verdict)));
                let unjudged = unjudged.map(|(repeat, verdict)| (repeat, Some(verdict)));
                let told = [Some(failed), unjudged.filter(|unjudged| *unjudged != failed)];
                told.into_iter().flatten().map(move |(repeat, failed)| score::Run { test, repeat, failed, share })
            })
            .collect();
        let score = score::submission(&common.worth, &common.rules, &runs, |verdict| verdict.is_unjudged());
        let verdict = match score.verdict {
            _ if !compiles => SubmissionVerdict::Test(TestVerdict::Run(Verdict::CompileError)),
            score::Verdict::Accepted => SubmissionVerdict::Test(TestVerdict::Accepted),
            score::Verdict::Partial => SubmissionVerdict::Partial,
            score::Verdict::Failed(verdict) => SubmissionVerdict::Test(verdict),
        };
        let most = [self.cpu_us, self.memory];
        let points = (score.points, score.max_points, score.groups);
        told::submission(
            id,
            verdict,
            points,
            (self.done, self.unjudged),
            most,
            compile,
            (common.spec.feedback, common.spec.told),
        )
    }
}
