//! In which order the tests of a submission are run, and which are not run as others have failed.
//!
//! A *lane* is a list of tests that are run one after another. Where nothing stops (`never`) every test is a lane by itself;
//! with `first_failure` all tests are one lane; with `group` each group is one, and tests of no group are lanes by themselves.
//! The repeated runs of one test are run beside each other. What says nothing about the program, as its checker or the engine has
//! failed, stops nothing: of each run is said whether others *go on* after it. So what is skipped follows from the verdicts alone,
//! never from who was faster.

use std::collections::{HashMap, VecDeque};

use api_spec::Stop;
use store::Unit;

/// One list of tests.
#[derive(Debug)]
struct Lane {
    tests: Vec<u32>,
    /// Which of them is under way.
    at: usize,
    /// How many of its runs are not over.
    left: u32,
    /// One of them has failed.
    failed: bool,
}

/// All tests of a submission.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    /// The lane of each test.
    lane_of: Vec<usize>,
    repeat: u32,
    stops: bool,
    /// What has a result from before: whether others go on after it.
    done: HashMap<Unit, bool>,
    /// Runs that may begin.
    ready: VecDeque<Unit>,
    /// Lanes whose next test has not been looked at.
    fresh: VecDeque<usize>,
    skipped: Vec<Unit>,
}

impl Lanes {
    /// Of tests by their groups, with what has a result already: whether others go on after it.
    #[must_use]
    pub fn new(groups: &[Option<usize>], stop: Stop, repeat: u32, done: HashMap<Unit, bool>) -> Lanes {
        let mut lanes: Vec<Lane> = Vec::new();
        let mut named: HashMap<usize, usize> = HashMap::new();
        let mut lane_of = Vec::with_capacity(groups.len());
        for (test, group) in (0_u32..).zip(groups) {
            let known = match (stop, group) {
                (Stop::FirstFailure, _) => (!lanes.is_empty()).then_some(0),
                (Stop::Group, Some(group)) => named.get(group).copied(),
                (Stop::Group, None) | (Stop::Never, _) => None,
            };
            let lane = known.unwrap_or(lanes.len());
            if lane == lanes.len() {
                lanes.push(Lane { tests: Vec::new(), at: 0, left: 0, failed: false });
            }
            if let (Stop::Group, Some(group)) = (stop, group) {
                named.insert(*group, lane);
            }
            lanes[lane].tests.push(test);
            lane_of.push(lane);
        }
        let fresh = (0..lanes.len()).collect();
        let stops = stop != Stop::Never;
        Lanes { lanes, lane_of, repeat, stops, done, ready: VecDeque::new(), fresh, skipped: Vec::new() }
    }

    /// A run that may begin now; it is given out once.
    pub fn give_out(&mut self) -> Option<Unit> {
        while self.ready.is_empty() {
            let lane = self.fresh.pop_front()?;
            self.open(lane);
        }
        self.ready.pop_front()
    }

    /// Goes on to the next test of a lane that has something to run.
    fn open(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        while let Some(test) = lane.tests.get(lane.at) {
            let units = (1..=self.repeat).map(|repeat| Unit { test: Some(*test), repeat });
            let (known, open): (Vec<Unit>, Vec<Unit>) = units.partition(|unit| self.done.contains_key(unit));
            lane.failed |= known.iter().any(|unit| self.done.get(unit) == Some(&false));
            if !open.is_empty() {
                lane.left = u32::try_from(open.len()).unwrap_or(u32::MAX);
                self.ready.extend(open);
                return;
            }
            lane.at += 1;
            if lane.failed && self.stops {
                break;
            }
        }
        self.skip_rest(index);
    }

    /// What comes in a lane after the tests that are over is not run.
    fn skip_rest(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        for test in lane.tests.drain(..).skip(lane.at) {
            let units = (1..=self.repeat).map(|repeat| Unit { test: Some(test), repeat });
            self.skipped.extend(units.filter(|unit| !self.done.contains_key(unit)));
        }
    }

    /// A run is over. With `go_on` it stops nothing.
    pub fn over(&mut self, unit: Unit, go_on: bool) {
        let Some(index) = unit.test.and_then(|test| self.lane_of.get(usize::try_from(test).ok()?)).copied() else {
            return;
        };
        let lane = &mut self.lanes[index];
        lane.left = lane.left.saturating_sub(1);
        lane.failed |= !go_on;
        if lane.left > 0 {
            return;
        }
        lane.at += 1;
        if lane.failed && self.stops {
            self.skip_rest(index);
        } else {
            // Lanes that were begun go on before others begin.
            self.fresh.push_front(index);
        }
    }

    /// Runs that will not be, as others have failed.
    pub fn skipped(&mut self) -> Vec<Unit> {
        std::mem::take(&mut self.skipped)
    }

    /// Every run that has no result from before, of a submission that can't be run at all.
    #[must_use]
    pub fn all(&self) -> Vec<Unit> {
        let tests = 0..u32::try_from(self.lane_of.len()).unwrap_or(u32::MAX);
        let units = tests.flat_map(|test| (1..=self.repeat).map(move |repeat| Unit { test: Some(test), repeat }));
        units.filter(|unit| !self.done.contains_key(unit)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(test: u32, repeat: u32) -> Unit {
        Unit { test: Some(test), repeat }
    }

    fn ready(lanes: &mut Lanes) -> Vec<(u32, u32)> {
        std::iter::from_fn(|| lanes.give_out()).map(|unit| (unit.test.unwrap(), unit.repeat)).collect()
    }

    #[test]
    fn without_a_stop_everything_is_run_in_order() {
        let mut lanes = Lanes::new(&[None, Some(0), Some(0)], Stop::Never, 2, HashMap::from([(unit(1, 1), false)]));
        assert_eq!(ready(&mut lanes), [(0, 1), (0, 2), (1, 2), (2, 1), (2, 2)]);
        for (test, repeat) in [(0, 1), (0, 2), (1, 2), (2, 1), (2, 2)] {
            lanes.over(unit(test, repeat), false);
        }
        assert_eq!((ready(&mut lanes), lanes.skipped()), (vec![], vec![]));
    }

    #[test]
    fn the_first_failure_ends_all_after_it() {
        let mut lanes = Lanes::new(&[None, Some(0), None, None], Stop::FirstFailure, 2, HashMap::new());
        assert_eq!(ready(&mut lanes), [(0, 1), (0, 2)]);
        lanes.over(unit(0, 2), true);
        assert_eq!(ready(&mut lanes), []);
        lanes.over(unit(0, 1), true);
        assert_eq!(ready(&mut lanes), [(1, 1), (1, 2)]);
        lanes.over(unit(1, 1), false);
        assert_eq!(lanes.skipped(), [], "the other run of the same test is wanted");
        lanes.over(unit(1, 2), true);
        assert_eq!(ready(&mut lanes), []);
        assert_eq!(lanes.skipped(), [unit(2, 1), unit(2, 2), unit(3, 1), unit(3, 2)]);
    }

    #[test]
    fn a_group_ends_by_itself() {
        let mut lanes = Lanes::new(&[Some(1), Some(0), None, Some(1), Some(0)], Stop::Group, 1, HashMap::new());
        assert_eq!(ready(&mut lanes), [(0, 1), (1, 1), (2, 1)]);
        lanes.over(unit(0, 1), false);
        lanes.over(unit(2, 1), false);
        lanes.over(unit(1, 1), true);
        assert_eq!(ready(&mut lanes), [(4, 1)]);
        assert_eq!(lanes.skipped(), [unit(3, 1)]);
    }

    #[test]
    fn what_was_done_before_is_taken_as_it_was() {
        let done = HashMap::from([(unit(0, 1), true), (unit(1, 1), false), (unit(2, 1), false)]);
        let mut lanes = Lanes::new(&[None; 4], Stop::FirstFailure, 1, done.clone());
        assert_eq!(lanes.all(), [unit(3, 1)]);
        assert_eq!(ready(&mut lanes), []);
        assert_eq!(lanes.skipped(), [unit(3, 1)], "2 was skipped before the crash, 3 is now");
        let mut lanes = Lanes::new(&[None; 2], Stop::FirstFailure, 2, HashMap::from([(unit(0, 2), false)]));
        assert_eq!(ready(&mut lanes), [(0, 1)]);
        lanes.over(unit(0, 1), true);
        assert_eq!((ready(&mut lanes), lanes.skipped()), (vec![], vec![unit(1, 1), unit(1, 2)]));
    }
}
