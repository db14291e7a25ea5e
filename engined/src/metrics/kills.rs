//! Who ended a run before it ended by itself, counted where jaild's reports come in: also for those whose caller has gone
//! and of whom nobody else hears any more.

use std::sync::atomic::{AtomicU64, Ordering};

use jail::spec::{Ended, StopReason};
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, Opts};

/// Why a run was ended: what jaild says, as a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Cause {
    /// Its CPU time was used up.
    CpuTime,
    /// The wall clock ran out.
    WallTime,
    /// It needed more memory than it may have.
    Memory,
    /// It wrote more than it may, and its caller wants it ended then.
    Output,
    /// It made a system call that ends whoever makes it.
    Filter,
    /// Its caller cancelled it.
    Cancelled,
    /// Its caller, or the link, went away.
    Gone,
}

impl Cause {
    /// Every one.
    pub const ALL: [Cause; 7] =
        [Cause::CpuTime, Cause::WallTime, Cause::Memory, Cause::Output, Cause::Filter, Cause::Cancelled, Cause::Gone];

    /// The label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::CpuTime => "cpu_time",
            Cause::WallTime => "wall_time",
            Cause::Memory => "memory",
            Cause::Output => "output",
            Cause::Filter => "filter",
            Cause::Cancelled => "cancelled",
            Cause::Gone => "gone",
        }
    }

    /// Why this run was ended, where somebody did. A run that ended by itself was not, whatever its verdict.
    #[must_use]
    pub fn of(ended: &Ended) -> Option<Self> {
        match ended.stop {
            Some(StopReason::CpuTime) => Some(Cause::CpuTime),
            Some(StopReason::WallTime) => Some(Cause::WallTime),
            Some(StopReason::Memory) => Some(Cause::Memory),
            Some(StopReason::Output) => Some(Cause::Output),
            Some(StopReason::Cancelled) => Some(Cause::Cancelled),
            Some(StopReason::Gone) => Some(Cause::Gone),
            None => ended.filter_killed.then_some(Cause::Filter),
        }
    }
}

/// How often each was the cause.
#[derive(Debug, Default)]
pub struct Kills([AtomicU64; Cause::ALL.len()]);

impl Kills {
    /// A run is over, compilers and the engine's own included.
    pub fn count(&self, ended: &Ended) {
        if let Some(cause) = Cause::of(ended) {
            self.0[cause as usize].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Their series.
#[derive(Debug)]
pub struct KillSeries(IntCounterVec);

impl KillSeries {
    /// Each at zero.
    ///
    /// # Errors
    /// That of a name that is none.
    pub fn new() -> prometheus::Result<Self> {
        let help =
            "Steps that were ended before they ended by themselves, by why. Compilers and the engine's own runs count.";
        Ok(KillSeries(IntCounterVec::new(Opts::new("engined_kills_total", help), &["cause"])?))
    }

    /// As it is now.
    pub fn collect(&self, kills: &Kills) -> Vec<MetricFamily> {
        for (cause, count) in Cause::ALL.iter().zip(&kills.0) {
            let counter = self.0.with_label_values(&[cause.name()]);
            counter.reset();
            counter.inc_by(count.load(Ordering::Relaxed));
        }
        self.0.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jail::spec::{Attempts, Bytes, Collected, Layers, Micros, Outcome, PeakSource, RunId, Usage};

    fn ended(stop: Option<StopReason>, filter_killed: bool) -> Ended {
        let zero = Micros(0);
        let usage = Usage {
            cpu: zero,
            user: zero,
            system: zero,
            wall: zero,
            memory_peak: Bytes(0),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: 1,
            throttled: zero,
            involuntary_switches: 0,
            oom_kills: 0,
            processes_hit: false,
            disk_hit: false,
        };
        Ended {
            id: RunId(1),
            outcome: Outcome::Signalled(9),
            stop,
            filter_killed,
            attempts: Attempts::default(),
            usage,
            setup: zero,
            collected: Collected::None,
            layers: Layers::all(),
        }
    }

    #[test]
    fn each_stop_has_its_own_cause() {
        for (at, cause) in Cause::ALL.iter().enumerate() {
            assert_eq!(*cause as usize, at);
        }
        let stops = [
            (Some(StopReason::CpuTime), false, Some(Cause::CpuTime)),
            (Some(StopReason::WallTime), false, Some(Cause::WallTime)),
            (Some(StopReason::Memory), false, Some(Cause::Memory)),
            (Some(StopReason::Output), false, Some(Cause::Output)),
            (Some(StopReason::Cancelled), true, Some(Cause::Cancelled)),
            (Some(StopReason::Gone), false, Some(Cause::Gone)),
            (None, true, Some(Cause::Filter)),
            (None, false, None),
        ];
        let kills = Kills::default();
        for (stop, filter, cause) in stops {
            assert_eq!(Cause::of(&ended(stop, filter)), cause);
            kills.count(&ended(stop, filter));
        }
        let series = KillSeries::new().unwrap();
        for _ in 0..2 {
            let families = series.collect(&kills);
            let counted: Vec<f64> =
                families[0].get_metric().iter().map(|metric| metric.get_counter().get_value()).collect();
            assert_eq!(counted, [1.0; 7], "however often it is asked");
        }
    }
}
