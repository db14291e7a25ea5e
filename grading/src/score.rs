//! Points and the verdict of a submission. Pure functions: the same results give the same points, in whichever order they
//! have come.
//!
//! # What is a double here
//! Points are added in the order of the tests, the most that can be got by the very same additions. So all points are
//! exactly the most, none of them is more, and nothing is ever NaN, infinite or -0.

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
    /// Its points lie between none and all.
    Partial,
    /// That of the first test that is not accepted, of its first such run.
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

/// The most that can be got. It is the same for every submission of a batch.
#[must_use]
pub fn max_points(tests: &[Test], groups: &[Rule]) -> f64 {
    total(tests, groups, &vec![Got { accepted: true, share: 1.0 }; tests.len()]).0
}

/// Puts the runs of a submission together. A test that has no run has not been accepted.
#[must_use]
pub fn submission<V: Clone>(tests: &[Test], groups: &[Rule], runs: &[Run<V>]) -> Score<V> {
    let mut got: Vec<Option<Got>> = vec![None; tests.len()];
    for run in runs {
        let Some(test) = got.get_mut(run.test) else { continue };
        let accepted = run.failed.is_none();
        let this = Got { accepted, share: if accepted { 1.0 } else { share(run.share) } };
        *test = Some(test.map_or(this, |before| before.and(this)));
    }
    let got: Vec<Got> = got.into_iter().map(Option::unwrap_or_default).collect();
    let (points, by_group) = total(tests, groups, &got);
    let max_points = max_points(tests, groups);
    let first = runs.iter().filter(|run| run.failed.is_some()).min_by_key(|run| (run.test, run.repeat));
    let verdict = match first.and_then(|run| run.failed.clone()) {
        Some(_) if 0.0 < points && points < max_points => Verdict::Partial,
        Some(failed) => Verdict::Failed(failed),
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
    let mut sums: Vec<Sums> = vec![Sums::default(); groups.len()];
    for (test, got) in tests.iter().zip(got) {
        if let Some(sums) = test.group.and_then(|group| sums.get_mut(group)) {
            sums.most += test.points;
            sums.got += points(test, got.accepted, got.share);
            let share = if got.accepted || test.points > 0.0 { got.share } else { 0.0 };
            sums.least = sums.least.min(share);
            sums.all &= got.accepted;
        }
    }
    let of_group: Vec<f64> = groups.iter().zip(&sums).map(|(rule, sums)| sums.points(*rule)).collect();
    let mut all = 0.0;
    let mut counted = vec![false; groups.len()];
    for (test, got) in tests.iter().zip(got) {
        // A group counts where its first test stands.
        match test.group.filter(|group| *group < groups.len()) {
            None => all += points(test, got.accepted, got.share),
            Some(group) if !counted[group] => {
                counted[group] = true;
                all += of_group[group];
            }
            Some(_) => {}
        }
    }
    (all, of_group)
}

#[derive(Clone, Copy)]
struct Sums {
    most: f64,
    got: f64,
    least: f64,
    all: bool,
}

impl Default for Sums {
    fn default() -> Self {
        Sums { most: 0.0, got: 0.0, least: 1.0, all: true }
    }
}

impl Sums {
    fn points(&self, rule: Rule) -> f64 {
        match rule {
            Rule::All if self.all => self.most,
            Rule::All => 0.0,
            Rule::Sum => self.got,
            Rule::Min => self.most * self.least,
        }
    }
}

#[cfg(test)]
mod tests;
