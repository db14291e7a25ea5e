//! Points and the verdict of a submission. Pure functions: the same results give the same points, in whichever order they
//! have come.
//!
//! # What is a double here
//! Points are added in the order of the tests: what each brings under the rule of its group. So all points are exactly the
//! most, which is the sum of the tests' points, none are more, and nothing is ever NaN, infinite or -0.

/// How the points of a group are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// All of them when every test is accepted, else none.
    All,
    /// The points that its tests have got.
    Sum,
    /// All of them times the least share that a test of it has got. An accepted test has got all of its share, one of no
    /// points that is not accepted nothing.
    Min,
}

/// A test: what it is worth, and for which group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// From 0 to 1e9.
    pub points: f64,
    /// The place of its group in the list of groups.
    pub group: Option<usize>,
}

/// What became of one run of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Run<V> {
    /// The place of the test.
    pub test: usize,
    /// Which of the repeated runs.
    pub repeat: u32,
    /// `None` when it is accepted.
    pub failed: Option<V>,
    /// The share of the test's points that it has got, from 0 to 1. Of an accepted one all, whatever stands here.
    pub share: f64,
}

/// What a submission comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Score<V> {
    /// What it has got.
    pub points: f64,
    /// What it could have got.
    pub max_points: f64,
    /// In words.
    pub verdict: Verdict<V>,
    /// The points of each group.
    pub groups: Vec<f64>,
}

/// What became of a submission that compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<V> {
    /// Every run of every test is.
    Accepted,
    /// Its points lie between none and all, and all of its runs could be judged.
    Partial,
    /// That of the first test that is not accepted, of its first such run. Where points lie between none and all as a run could
    /// not be judged, that of the first such run.
    Failed(V),
}

/// A share of points as it counts: between 0 and 1, and never -0.
#[must_use]
pub fn share(of: f64) -> f64 {
    if of > 0.0 { of.min(1.0) } else { 0.0 }
}

/// The points of one run, before the rule of its group.
#[must_use]
pub fn points(test: &Test, accepted: bool, of: f64) -> f64 {
    if accepted { test.points } else { test.points * share(of) }
}

/// The most that can be got: the points of all tests. It is the same for every submission of a batch.
#[must_use]
pub fn max_points(tests: &[Test]) -> f64 {
    tests.iter().fold(0.0, |sum, test| sum + test.points)
}

/// Puts the runs of a submission together. A test that has no run has not been accepted.
///
/// `unjudged` says which verdicts are none on the submission: the checker has failed, or the engine. Such a run brings the share
/// that it comes with, but as long as there is one nobody knows where the points lie: the submission is not `partial`, which
/// would say that it has failed.
#[must_use]
pub fn submission<V: Clone>(
    tests: &[Test],
    groups: &[Rule],
    runs: &[Run<V>],
    unjudged: impl Fn(&V) -> bool,
) -> Score<V> {
    let mut got: Vec<Option<Got>> = vec![None; tests.len()];
    for run in runs {
        let Some(test) = got.get_mut(run.test) else { continue };
        let accepted = run.failed.is_none();
        let this = Got { accepted, share: if accepted { 1.0 } else { share(run.share) } };
        *test = Some(test.map_or(this, |before| before.and(this)));
    }
    let got: Vec<Got> = got.into_iter().map(Option::unwrap_or_default).collect();
    let (points, by_group) = total(tests, groups, &got);
    let max_points = max_points(tests);
    let failed = || runs.iter().filter_map(|run| Some(((run.test, run.repeat), run.failed.as_ref()?)));
    let of_first = |(_, verdict): ((usize, u32), &V)| Verdict::Failed(verdict.clone());
    let verdict = match failed().min_by_key(|(place, _)| *place) {
        Some(_) if 0.0 < points && points < max_points => {
            let first = failed().filter(|(_, verdict)| unjudged(verdict)).min_by_key(|(place, _)| *place);
            first.map_or(Verdict::Partial, of_first)
        }
        Some(first) => of_first(first),
        None => Verdict::Accepted,
    };
    Score { points, max_points, verdict, groups: by_group }
}

/// What a test has got in all of its runs: accepted when each of them is, and the least of their shares.
#[derive(Clone, Copy, Debug, Default)]
struct Got {
    accepted: bool,
    share: f64,
}

impl Got {
    fn and(self, other: Got) -> Got {
        Got { accepted: self.accepted && other.accepted, share: self.share.min(other.share) }
    }
}

/// The points of all tests, and those of each group.
fn total(tests: &[Test], groups: &[Rule], got: &[Got]) -> (f64, Vec<f64>) {
    let of = |test: &Test| test.group.filter(|group| *group < groups.len());
    let mut together = vec![Got { accepted: true, share: 1.0 }; groups.len()];
    for (test, got) in tests.iter().zip(got) {
        if let Some(group) = of(test) {
            let share = if got.accepted || test.points > 0.0 { got.share } else { 0.0 };
            together[group] = together[group].and(Got { share, ..*got });
        }
    }
    let (mut all, mut by_group) = (0.0, vec![0.0; groups.len()]);
    for (test, got) in tests.iter().zip(got) {
        let Some(group) = of(test) else {
            all += points(test, got.accepted, got.share);
            continue;
        };
        // What a test brings under the rule of its group.
        let credit = match groups[group] {
            Rule::All if together[group].accepted => test.points,
            Rule::All => 0.0,
            Rule::Sum => points(test, got.accepted, got.share),
            Rule::Min => test.points * together[group].share,
        };
        all += credit;
        by_group[group] += credit;
    }
    (all, by_group)
}

#[cfg(test)]
mod tests;
