//! The stock: how many sandboxes are to wait, armed, for an order, and when the next one is made.
//!
//! Arming moves work off the way of a run, it saves none. So a sandbox is made for the stock only while no order waits and
//! cores are free, with a small share of them ([`jail::cgroup::Urgency`]), and slower while that fails: because the kernel
//! is behind with taking network namespaces down, or because something ends what waits. An empty stock costs time alone:
//! the order's sandbox is made on the spot, by the same code.

use jail::inventory::StockCount;

use crate::slot::Readiness;

/// For how long of the recent rate the stock is to last: some times what it takes to arm one.
const LAST_US: u64 = 20_000;
/// The rate is that of the last second: an estimate forgets half in that time.
const HALF_US: u64 = 1_000_000;
/// How long the stock waits when one could not be made: at first, and at most.
const BACK_OFF_US: (u64, u64) = (10_000, 1_000_000);
/// How long an order waits then.
const RETRY_US: u64 = 2_000;

/// The books of the stock.
#[derive(Debug)]
pub struct Stock {
    most: u32,
    slots: u32,
    /// Orders a second, as last estimated, and when that was.
    rate: (f64, u64),
    back_off_us: u64,
    not_before_us: u64,
    retry_us: u64,
    count: StockCount,
}

impl Stock {
    /// One that holds at most `most`, for `slots` runs at once.
    pub fn new(most: u32, slots: u32) -> Self {
        Stock {
            most,
            slots,
            rate: (0.0, 0),
            back_off_us: BACK_OFF_US.0,
            not_before_us: 0,
            retry_us: 0,
            count: StockCount::default(),
        }
    }

    /// How many are to be armed at `now`: one for each slot at rest, and what the recent rate uses up meanwhile.
    pub fn wanted(&self, now: u64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and that is meant"
        )]
        let used = (self.rate_at(now) * seconds(LAST_US)).round() as u32;
        self.slots.saturating_add(used).min(self.most)
    }

    /// When the next one may be made: for the stock, or for an order that waits.
    pub fn not_before_us(&self, is_waited_for: bool) -> u64 {
        if is_waited_for { self.retry_us } else { self.not_before_us }
    }

    /// An order was given what was nearest to a run. Only what waited was taken from the stock: for one that is still made
    /// the order waits nearly as long as for one of its own, and under load it finds little else.
    pub fn ordered(&mut self, now: u64, found: Readiness) {
        // Each order adds its share of a mean life of the estimate.
        let mean = seconds(HALF_US) / std::f64::consts::LN_2;
        self.rate = (self.rate_at(now) + mean.recip(), now);
        if found == Readiness::Armed {
            self.count.taken += 1;
        } else {
            self.count.made_on_the_spot += 1;
        }
        if found != Readiness::Idle {
            // Not when one is armed: what is ended while it waits, time and again, would be made at the least pause for ever.
            self.back_off_us = BACK_OFF_US.0;
        }
    }

    /// One was armed in so many microseconds.
    pub fn stocked(&mut self, took_us: u64) {
        self.count.refills += 1;
        self.count.refill_us += took_us;
    }

    /// The kernel is behind with network namespaces.
    pub fn backed_up(&mut self, now: u64) {
        self.count.held_back += 1;
        self.retry_us = now + RETRY_US;
        self.failed(now);
    }

    /// One could not be made, or died while it waited: whatever the host lacks, it will not have it at once.
    pub fn failed(&mut self, now: u64) {
        self.not_before_us = now + self.back_off_us;
        self.back_off_us = (self.back_off_us * 2).min(BACK_OFF_US.1);
    }

    /// All that is counted, with `armed` at this moment.
    pub fn count(&self, armed: usize) -> StockCount {
        StockCount { armed: armed as u64, ..self.count }
    }

    fn rate_at(&self, now: u64) -> f64 {
        let (rate, at) = self.rate;
        rate * (-seconds(now.saturating_sub(at)) / seconds(HALF_US)).exp2()
    }
}

/// Of a span that is no longer than a machine is up: exact enough.
fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_the_rate_and_shrinks_with_idleness() {
        let mut stock = Stock::new(8, 2);
        assert_eq!(stock.wanted(5), 2);
        let mut now = 0;
        for n in 0..1500_u64 {
            now = n * 4_000;
            stock.ordered(now, if n % 2 == 0 { Readiness::Armed } else { Readiness::Idle });
        }
        assert_eq!(stock.wanted(now), 7, "250 a second for 20 ms are 5");
        assert_eq!(stock.wanted(now + 20_000_000), 2);
        let count = stock.count(3);
        assert_eq!((count.armed, count.taken, count.made_on_the_spot), (3, 750, 750));
        assert_eq!(Stock::new(0, 2).wanted(0), 0, "off");
    }

    #[test]
    fn only_what_waited_was_taken() {
        let mut stock = Stock::new(4, 2);
        for (found, taken) in [
            (Readiness::Armed, 1),
            (Readiness::Arming, 1),
            (Readiness::Making, 1),
            (Readiness::Idle, 1),
            (Readiness::Armed, 2),
        ] {
            stock.ordered(0, found);
            assert_eq!(stock.count(0).taken, taken, "{found:?}");
        }
        assert_eq!(stock.count(0).made_on_the_spot, 3);
    }

    #[test]
    fn it_slows_down_while_namespaces_back_up() {
        let mut stock = Stock::new(4, 2);
        let waits: Vec<u64> = std::iter::repeat_with(|| {
            stock.backed_up(1_000);
            stock.not_before_us(false) - 1_000
        })
        .take(9)
        .collect();
        assert_eq!((waits[0], waits[1], waits[8]), (10_000, 20_000, 1_000_000));
        stock.stocked(900);
        stock.failed(1_000);
        assert_eq!(stock.not_before_us(false), 1_001_000, "it was armed, and ended before an order came");
        stock.ordered(0, Readiness::Armed);
        stock.backed_up(0);
        assert_eq!(stock.not_before_us(false), 10_000, "it goes on as before");
        assert_eq!(stock.not_before_us(true), 2_000, "an order does not wait so long");
    }
}
