//! The clocks of a run: when to look at it again, when it has had enough, and who ended it.
//!
//! Wall time has one deadline. CPU time has no event in the kernel, so the next look is set for the moment at which the
//! program could have used up its budget at the earliest, on all cores that its quota gives; and no later than a sample
//! is worth taking: after 2 ms, then twice as long each time, at last every 100 ms. Nothing here makes a system call.

use crate::spec::{Limits, Micros, StopReason};

/// How long a program may take to be unpacked and executed before the sandbox counts as broken.
const START_US: u64 = 30_000_000;
/// The least time between two looks, which bounds the overshoot of CPU time (with a core: 5 ms).
const LEAST_US: u64 = 5_000;
/// The first sample, and the longest time between two.
const SAMPLE_US: (u64, u64) = (2_000, 100_000);
/// How long init may take to end a payload that is to be killed. Then init is killed, which can't be slow.
const KILL_US: u64 = 2_000_000;

/// The clocks of one run.
#[derive(Debug)]
pub struct Meter {
    limits: Limits,
    begun_us: u64,
    started_us: Option<u64>,
    stopped: Option<(StopReason, u64)>,
    next_us: u64,
    sample_us: u64,
}

impl Meter {
    /// For a run that is given its command at `now`.
    #[must_use]
    pub fn new(limits: Limits, now: u64) -> Self {
        let (sample_us, _) = SAMPLE_US;
        Meter { limits, begun_us: now, started_us: None, stopped: None, next_us: now + sample_us, sample_us }
    }

    /// Init says, at `now`, that the program was executed at `at`. An init that a payload has taken over may lie: the
    /// first word counts, and no time before the command or after now.
    pub fn started(&mut self, at: u64, now: u64) {
        self.started_us.get_or_insert(at.clamp(self.begun_us, now));
    }

    /// When it was.
    #[must_use]
    pub fn started_at(&self) -> Option<u64> {
        self.started_us
    }

    /// When it was given its command.
    #[must_use]
    pub fn begun_us(&self) -> u64 {
        self.begun_us
    }

    /// When to call [`Meter::check`] next.
    #[must_use]
    pub fn next_us(&self) -> u64 {
        self.next_us
    }

    /// Why it was ended, if it was.
    #[must_use]
    pub fn stopped(&self) -> Option<StopReason> {
        self.stopped.map(|(why, _)| why)
    }

    /// It is being ended. The first reason counts.
    pub fn stop(&mut self, why: StopReason, now: u64) {
        self.stopped.get_or_insert((why, now));
        self.next_us = now + KILL_US;
    }

    /// A limit that is reached at `now` with `cpu` used; sets the time of the next look.
    pub fn check(&mut self, now: u64, cpu: Micros) -> Option<StopReason> {
        if self.stopped.is_some() {
            self.next_us = now + LEAST_US;
            return None;
        }
        let budget = self.limits.cpu_time.0 * 1000;
        if cpu.0 >= budget {
            return Some(StopReason::CpuTime);
        }
        let wall = self.limits.wall_time.0 * 1000;
        let deadline = self.started_us.map_or(self.begun_us + START_US + wall, |at| at + wall);
        if now >= deadline {
            return Some(StopReason::WallTime);
        }
        let cores = u64::from(self.limits.cpus_milli.div_ceil(1000)).max(1);
        self.sample_us = (self.sample_us * 2).min(SAMPLE_US.1);
        let earliest = ((budget - cpu.0) / cores).max(LEAST_US).min(self.sample_us);
        self.next_us = (now + earliest).min(deadline);
        None
    }

    /// It was to be ended long ago and still is not.
    #[must_use]
    pub fn overdue(&self, now: u64) -> bool {
        self.stopped.is_some_and(|(_, at)| now >= at + KILL_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Bytes, Millis};

    fn meter(cpus_milli: u32) -> Meter {
        let limits = Limits {
            cpu_time: Millis(1000),
            wall_time: Millis(3000),
            memory: Bytes(1),
            processes: 1,
            cpus_milli,
            file: Bytes(1),
            disk: Bytes(1),
            open_files: 1,
            stack: Bytes(1),
        };
        let mut meter = Meter::new(limits, 0);
        meter.started(0, 0);
        meter
    }

    #[test]
    fn looks_come_before_the_budget_can_be_gone() {
        let mut m = meter(2000);
        m.sample_us = SAMPLE_US.1;
        assert_eq!(m.check(0, Micros(900_000)), None);
        assert_eq!(m.next_us(), 50_000, "two cores use up 100 ms in 50");
        assert_eq!(m.check(1, Micros(999_999)), None);
        assert_eq!(m.next_us(), 1 + LEAST_US);
        assert_eq!(m.check(2, Micros(1_000_000)), Some(StopReason::CpuTime));
    }

    #[test]
    fn the_wall_clock_runs_from_the_start_of_the_program() {
        let mut m = Meter::new(meter(1000).limits, 0);
        m.started(500_000, 600_000);
        m.started(u64::MAX, u64::MAX);
        assert_eq!(m.check(3_499_999, Micros(0)), None);
        assert_eq!(m.next_us(), 3_500_000);
        assert_eq!(m.check(0, Micros(0)), None);
        assert_eq!(m.next_us(), 8_000, "the second sample after 4 ms, the third after 8");
        assert_eq!(m.check(3_500_000, Micros(0)), Some(StopReason::WallTime));
    }

    #[test]
    fn the_first_reason_counts_and_a_kill_has_a_deadline() {
        let mut m = meter(1000);
        m.stop(StopReason::Cancelled, 10);
        m.stop(StopReason::Gone, 20);
        assert_eq!(m.stopped(), Some(StopReason::Cancelled));
        assert_eq!(m.check(30, Micros(u64::MAX)), None);
        assert!(!m.overdue(10 + KILL_US - 1) && m.overdue(10 + KILL_US));
    }
}
