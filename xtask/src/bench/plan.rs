//! How often each thing is measured: all of it, a quick look, or what CI has time for.

use std::time::Duration;

use super::load::Windows;

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Rounds of what takes milliseconds.
    pub fast: u32,
    /// Rounds of what takes a good part of a second.
    pub slow: u32,
    /// Rounds with a pause of a second for each participant.
    pub idle: u32,
    /// Rounds of fast rows that are not counted.
    pub warm: u32,
    /// The cold engine and the peers take part in each so-many-th round.
    pub seldom: u32,
    /// The numbers of clients at once.
    pub clients: &'static [usize],
    /// How long each of them is at it.
    pub windows: Windows,
    /// Programs that take a good part of a second are left out.
    pub fast_only: bool,
    /// Peers are measured too.
    pub peers: bool,
    /// What no bar depends on is measured too: the cold engine, CPU time, other rates.
    pub extras: bool,
    /// How much worse than its bar a row may be.
    pub slack: f64,
    /// A row that is worse is measured once more, and the better time counts: others may have used the machine.
    pub again: bool,
}

impl Plan {
    /// What CI has time for: only what has a bar, a few rounds of it, and a wide margin, because others may use the
    /// machine at the same time.
    pub const GUARD: Plan = Plan {
        fast: 30,
        slow: 3,
        idle: 6,
        warm: 3,
        seldom: 1,
        clients: &[4],
        windows: Windows { count: 3, length: Duration::from_millis(400) },
        fast_only: false,
        peers: false,
        extras: false,
        slack: 3.0,
        again: true,
    };

    /// All of it, with so many rounds of what is fast; `full` has as many of what waits a second each time.
    pub fn of(rounds: u32, full: bool, peers: bool) -> Plan {
        let length = if rounds >= 100 { 500 } else { 300 };
        Plan {
            fast: rounds,
            // Twenty of what is slow, where not fewer are asked for.
            slow: (rounds / 10).max(20.min(rounds)),
            idle: if full { rounds } else { (rounds / 5).max(5) },
            warm: 3,
            seldom: 4,
            clients: if rounds < 10 { &[1, 4] } else { &[1, 2, 4, 16] },
            windows: Windows { count: 3, length: Duration::from_millis(length) },
            fast_only: false,
            peers,
            extras: true,
            slack: 1.0,
            again: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_rounds_are_those_that_are_promised() {
        let plan = Plan::of(200, true, true);
        assert_eq!((plan.fast, plan.slow, plan.idle), (200, 20, 200));
        assert_eq!(Plan::of(200, false, true).idle, 40);
        assert_eq!(Plan::of(8, false, true).slow, 8);
    }
}
