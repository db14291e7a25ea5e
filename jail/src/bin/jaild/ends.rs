//! How runs end that never had a program.

use jail::error::Step;
use jail::sandbox::Spec;
use jail::spec::{Attempts, Bytes, Collected, Ended, Layers, Micros, Outcome, PeakSource, StopReason, Usage};
use jail::talk::now_us;

/// Init or its spawner went away unasked.
pub const GONE: Outcome = Outcome::Failed { step: Step::Clone as u8, errno: libc::ECHILD, index: 0 };
/// As a program that was stopped ends.
pub const KILLED: Outcome = Outcome::Signalled(9);

/// The end of a run whose program never was.
pub fn never_ran(spec: &Spec, outcome: Outcome, stop: Option<StopReason>, layers: Layers) -> Ended {
    Ended {
        id: spec.id,
        outcome,
        stop,
        filter_killed: false,
        attempts: Attempts::default(),
        usage: Usage {
            cpu: Micros(0),
            user: Micros(0),
            system: Micros(0),
            wall: Micros(0),
            memory_peak: Bytes(0),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: 0,
            throttled: Micros(0),
            involuntary_switches: 0,
            oom_kills: 0,
            processes_hit: false,
            disk_hit: false,
        },
        setup: Micros(now_us().saturating_sub(spec.ordered_us)),
        collected: Collected::None,
        layers,
    }
}
