//! What the measurements come to: medians, their spread, and whether the promise is kept.

use std::fs;

use serde_json::{Value, json};

use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// The most that CPU time may differ, in per cent.
const MOST_PERCENT: f64 = 5.0;

/// One run.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub cpu_us: u64,
    pub wall_us: u64,
    pub throttled_us: u64,
    pub switches: u64,
}

/// One program on one runner.
#[derive(Debug)]
pub struct Row {
    runner: &'static str,
    program: &'static str,
    /// Whether the promise is about it.
    promised: bool,
    /// By itself.
    pub alone: Vec<Sample>,
    /// Beside as many as there are slots.
    pub busy: Vec<Sample>,
}

/// All of them.
#[derive(Debug)]
pub struct Figures {
    pub rows: Vec<Row>,
    pub slots: usize,
    /// What jaild said of its CPUs.
    pub pinning: String,
    /// How busy the machine was before it began, as `/proc/loadavg` has it.
    pub load: String,
    /// What the hypervisor gave to others meanwhile, in hundredths of a second.
    pub stolen: u64,
}

impl Row {
    /// Without measurements yet. The promise is about programs that compute on an engine that pins.
    pub fn new(runner: &'static str, program: &'static str, computes: bool) -> Self {
        let promised = computes && runner == "pinned";
        Row { runner, program, promised, alone: Vec::new(), busy: Vec::new() }
    }

    /// By how many per cent a run costs more when all slots are busy.
    fn percent(&self) -> f64 {
        let median = |samples: &[Sample]| exact(at(samples, |s| s.cpu_us, 1, 2));
        (median(&self.busy) / median(&self.alone).max(1.0) - 1.0) * 100.0
    }

    fn holds(&self) -> std::result::Result<(), String> {
        let percent = self.percent();
        if !self.promised || percent.abs() <= MOST_PERCENT {
            return Ok(());
        }
        Err(format!("{percent:+.2} % when all slots are busy, promised within {MOST_PERCENT} %"))
    }

    fn line(&self) -> String {
        let mut line = format!("| {} | {} ", self.runner, self.program);
        for samples in [&self.alone, &self.busy] {
            line += &format!("| {} | {:.2} ", at(samples, |s| s.cpu_us, 1, 2), spread(samples));
        }
        let busy = &self.busy;
        let [wall, throttled, switches] =
            [|s: &Sample| s.wall_us, |s: &Sample| s.throttled_us, |s: &Sample| s.switches].map(|of| at(busy, of, 1, 2));
        let promised = if self.promised { format!("within {MOST_PERCENT}") } else { "-".to_owned() };
        line + &format!("| {:+.2} | {promised} | {wall} | {throttled} | {switches} |\n", self.percent())
    }

    fn json(&self) -> Value {
        let of = |samples: &[Sample]| {
            json!({
                "runs": samples.len(),
                "cpu_time_us": at(samples, |s| s.cpu_us, 1, 2),
                "spread_percent": spread(samples),
                "wall_time_us": at(samples, |s| s.wall_us, 1, 2),
                "throttled_us": at(samples, |s| s.throttled_us, 1, 2),
                "involuntary_switches": at(samples, |s| s.switches, 1, 2),
            })
        };
        json!({
            "runner": self.runner, "program": self.program, "alone": of(&self.alone), "busy": of(&self.busy),
            "percent": self.percent(), "limit_percent": self.promised.then_some(MOST_PERCENT),
        })
    }
}

impl Figures {
    /// In Markdown.
    pub fn table(&self) -> String {
        let mut text = "| runner | program | alone: CPU, µs | spread, % | busy: CPU, µs | spread, % | more when busy, % | promised, % | \
                        wall, µs | throttled, µs | switches |\n| --- | --- |"
            .to_owned();
        text += &" ---: |".repeat(9);
        text += "\n";
        self.rows.iter().for_each(|row| text += &row.line());
        text + &format!(
            "\nSlots: {}. Runs pinned to CPU {}. Load of the machine before it: {}. Stolen by the hypervisor: {} ms.\n",
            self.slots,
            self.pinning,
            self.load,
            self.stolen * 10
        )
    }

    /// What a report says of them.
    pub fn report(&self) -> String {
        let runs = self.rows.first().map_or((0, 0), |row| (row.alone.len(), row.busy.len()));
        format!(
            "- runs in each row: {} alone, {} busy\n\nCPU time of the same program by itself, and while every slot runs it: \
             medians, and the distance between the quartiles in per cent of the median. *compute* works in registers, \
             *memory* walks through 128 MiB in random order. Wall time, throttled time and involuntary switches are medians \
             of the busy runs.\n\n{}",
            runs.0,
            runs.1,
            self.table()
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::json).collect();
        json!({
            "rows": rows, "slots": self.slots, "pinning": self.pinning, "load": self.load, "stolen_ms": self.stolen * 10,
        })
    }

    /// The promise, and that all was measured.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for row in &self.rows {
            tally.check(&format!("{}, {}", row.runner, row.program), row.holds());
        }
        tally
    }
}

/// The value that `part` of `whole` of the samples are below.
fn at(samples: &[Sample], of: impl Fn(&Sample) -> u64, part: usize, whole: usize) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() * part / whole).copied().unwrap_or(0)
}

fn spread(samples: &[Sample]) -> f64 {
    let quarter = |part| exact(at(samples, |s| s.cpu_us, part, 4));
    (quarter(3) - quarter(1)) / quarter(2).max(1.0) * 100.0
}

/// Microseconds of some seconds: exact as f64.
fn exact(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX))
}

/// The three averages.
pub fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").or_problem("/proc/loadavg", "mount -t proc proc /proc")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

/// Time that the hypervisor gave to others, since boot: the eighth number of the first line, see proc(5).
pub fn stolen_ticks() -> Result<u64> {
    let text = fs::read_to_string("/proc/stat").or_problem("/proc/stat", "mount -t proc proc /proc")?;
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)).and_then(|word| word.parse().ok());
    ticks.ok_or_else(|| Problem::new("/proc/stat does not begin as proc(5) says", "use Linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(times: &[u64]) -> Vec<Sample> {
        times.iter().map(|cpu_us| Sample { cpu_us: *cpu_us, wall_us: 1, throttled_us: 0, switches: 2 }).collect()
    }

    #[test]
    fn the_promise_is_kept_or_told() {
        let row = |runner, busy: &[u64]| Row {
            busy: samples(busy),
            alone: samples(&[100, 99, 101]),
            ..Row::new(runner, "compute", true)
        };
        assert_eq!(row("pinned", &[104, 103, 180]).holds(), Ok(()));
        assert_eq!(
            row("pinned", &[106, 110, 104]).holds(),
            Err("+6.00 % when all slots are busy, promised within 5 %".to_owned())
        );
        assert_eq!(row("not pinned", &[200]).holds(), Ok(()), "nothing is promised there");
        assert!(spread(&samples(&[100, 100, 100, 100])).abs() < 0.01);
        assert!((spread(&samples(&[90, 95, 100, 105])) - 10.0).abs() < 0.01);
    }

    #[test]
    fn the_kernel_tells_what_was_stolen() {
        assert!(stolen_ticks().is_ok() && load().is_ok());
    }
}
