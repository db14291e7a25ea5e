//! What jaild tells of its stock of armed sandboxes. It keeps the books; a jaild that starts anew begins them anew, which
//! Prometheus takes for what it is.

use jail::inventory::StockCount;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntCounter, IntGauge};

/// The gauge and the counters, none of them registered: without a jaild there is nothing to tell.
#[derive(Debug)]
pub struct StockSeries {
    armed: IntGauge,
    taken: IntCounter,
    made_on_the_spot: IntCounter,
    refills: IntCounter,
    refill_seconds: Counter,
    held_back: IntCounter,
}

impl StockSeries {
    /// All of them, at zero.
    ///
    /// # Errors
    /// That of a name that is none.
    pub fn new() -> prometheus::Result<Self> {
        Ok(StockSeries {
            armed: IntGauge::new("engined_stock_armed", "Sandboxes that wait for a run, every layer in force.")?,
            taken: IntCounter::new(
                "engined_stock_taken_total",
                "Runs and compilations that got a sandbox that waited in the stock, armed.",
            )?,
            made_on_the_spot: IntCounter::new(
                "engined_stock_made_on_the_spot_total",
                "Runs and compilations that waited until theirs was made, because none was armed.",
            )?,
            refills: IntCounter::new("engined_stock_refills_total", "Sandboxes that were armed for the stock.")?,
            refill_seconds: Counter::new(
                "engined_stock_refill_seconds_total",
                "What arming them took, by the clock and at low priority. Divided by the refills: the mean.",
            )?,
            held_back: IntCounter::new(
                "engined_stock_held_back_total",
                "How often a sandbox had to wait for the kernel to take network namespaces down.",
            )?,
        })
    }

    /// As jaild has just told.
    pub fn collect(&self, count: &StockCount) -> Vec<MetricFamily> {
        let StockCount { armed, taken, made_on_the_spot, refills, refill_us, held_back } = *count;
        self.armed.set(i64::try_from(armed).unwrap_or(i64::MAX));
        for (counter, now) in [
            (&self.taken, taken),
            (&self.made_on_the_spot, made_on_the_spot),
            (&self.refills, refills),
            (&self.held_back, held_back),
        ] {
            counter.reset();
            counter.inc_by(now);
        }
        self.refill_seconds.reset();
        self.refill_seconds.inc_by(std::time::Duration::from_micros(refill_us).as_secs_f64());
        let all: [&dyn Collector; 6] =
            [&self.armed, &self.taken, &self.made_on_the_spot, &self.refills, &self.refill_seconds, &self.held_back];
        all.into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_jaild_says_however_often_it_is_asked() {
        let series = StockSeries::new().unwrap();
        let count =
            StockCount { armed: 2, taken: 7, made_on_the_spot: 1, refills: 9, refill_us: 4_500_000, held_back: 0 };
        for _ in 0..2 {
            let told = series.collect(&count);
            let value = |name: &str| {
                let metric = &told.iter().find(|family| family.name() == name).unwrap().get_metric()[0];
                metric.get_gauge().get_value() + metric.get_counter().get_value()
            };
            assert!((value("engined_stock_armed") - 2.0).abs() < 1e-9);
            assert!((value("engined_stock_taken_total") - 7.0).abs() < 1e-9);
            assert!((value("engined_stock_refill_seconds_total") - 4.5).abs() < 1e-9);
        }
        // A jaild that has started anew.
        assert_eq!(series.collect(&StockCount::default()).len(), 6);
    }
}
