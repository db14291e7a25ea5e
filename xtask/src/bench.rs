//! What the engine costs against the bare toolchains and beside other sandboxes, measured as fairly as we can.
//!
//! Bare is the very toolchain that the engine uses, by its absolute path, with default flags and a clean environment,
//! spawned by this small program ([`spawn`]). Everybody who takes part in a row is measured in turn, in another order each
//! round ([`turns`]); what counts is the median of each. Sources of compiled programs are unique, but in the rows that are
//! about the cache. What takes part where is in [`contest`], how often in [`plan`], what comes out of it in [`report`];
//! `benches/README.md` says how to read it.

mod contest;
mod cpu;
mod grade;
mod load;
mod peers;
mod plan;
mod plot;
mod programs;
mod report;
mod row;
mod server;
mod spawn;
mod turns;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::build::{self, Programs};
use crate::engine::Scratch;
use crate::problem::{Context, Result};
use crate::tally::Tally;
use crate::{host, setup, toolchains};
use contest::Contest;
use peers::{Stage, Told};
use plan::Plan;
use programs::NOOP;
use server::Server;

pub use report::Figures;

/// The most that all processes of the engine may have, in kB as the kernel counts: 60 MB.
const MEMORY_LIMIT_KB: u64 = 60_000_000 / 1024;
/// Until an engine that was started has made what it makes ahead of time.
const STOCKED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A part that can be had by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Batches against bare compiles and runs.
    Grade,
}

/// What `cargo xtask bench` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only that.
    pub part: Option<Part>,
    /// Rounds of what is fast.
    pub rounds: u32,
    /// As many rounds of what waits.
    pub full: bool,
    /// Without other sandboxes.
    pub no_peers: bool,
    /// Without what takes a good part of a second.
    pub fast_only: bool,
    /// In the test host.
    pub host: bool,
    /// Only what CI looks at.
    pub guard: bool,
    /// Keep the figures in `benches/results/`.
    pub save: bool,
    /// Also write them there, as JSON.
    pub json: Option<PathBuf>,
    /// Where both programs are, instead of a release build.
    pub programs: Option<PathBuf>,
}

/// `cargo xtask bench`.
pub fn run(options: &Options) -> Result<Tally> {
    let programs = match &options.programs {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => {
            setup::ensure()?;
            build::release()?
        }
    };
    if options.part == Some(Part::Grade) {
        return grade::run(&programs);
    }
    if options.guard {
        return guard(&programs);
    }
    if options.host {
        return host::bench(&programs);
    }
    let plan = Plan::of(options.rounds, options.full, !options.no_peers);
    let figures = measure(&programs, Plan { fast_only: options.fast_only, ..plan })?;
    println!("{}", figures.text(&programs));
    if let Some(file) = &options.json {
        write(file, &format!("{:#}\n", figures.json()))?;
    }
    if options.save {
        figures.save(&programs)?;
    }
    Ok(figures.tally())
}

/// What `cargo xtask prove` measures.
///
/// # Errors
/// When something cannot be measured.
pub fn prove(programs: &Programs) -> Result<Figures> {
    measure(programs, Plan::of(200, true, true))
}

/// What CI measures: each bar with a wide margin, in a minute. A busy machine may hold up the one more than the other with
/// which it is compared, but not each time: what has become slow is too slow three times in a row.
///
/// # Errors
/// When something cannot be measured.
pub fn guard(programs: &Programs) -> Result<Tally> {
    let mut tally = Tally::default();
    for time in 1..=3 {
        let figures = measure(programs, Plan::GUARD)?;
        println!("{}", figures.table());
        tally = figures.tally();
        if tally.failures().is_empty() {
            break;
        }
        println!("xtask: bench guard, {time} of 3: {}", tally.failures().join("; "));
    }
    Ok(tally)
}

/// Measures every row, on engines of its own.
fn measure(programs: &Programs, plan: Plan) -> Result<Figures> {
    let began = Instant::now();
    let scratch = Scratch::new("bench")?;
    let load = fs::read_to_string("/proc/loadavg").or_problem("/proc/loadavg", "mount -t proc proc /proc")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let stage = Stage::new(scratch.path())?;
    let armed = Server::armed(programs)?;
    armed.settle(STOCKED.0, STOCKED.1)?;
    // Before a second engine shares pages with it.
    let fresh_kb = armed.pss_kb()?;
    let cold = plan.extras.then(|| Server::cold(programs)).transpose()?;
    let (found, told) = if plan.peers { peers(&scratch, &stage)? } else { (Vec::new(), Vec::new()) };
    let contest =
        Contest { plan, top: scratch.path(), stage: &stage, cold: cold.as_ref(), armed: &armed, peers: &found };
    let results = contest.hold()?;
    let ceiling = contest::ceiling(&armed)?;
    if let Some(cold) = cold {
        cold.stop()?;
    }
    armed.settle(STOCKED.0, STOCKED.1)?;
    let used_kb = armed.pss_kb()?;
    armed.stop()?;
    let (rows, levels) = (results.rows, results.levels);
    Ok(Figures {
        plan,
        rows,
        levels,
        ceiling,
        fresh_kb,
        used_kb,
        load,
        peers: told,
        sections: Vec::new(),
        took: began.elapsed(),
    })
}

/// Those that work here, tried with the program that does nothing.
fn peers(scratch: &Scratch, stage: &Stage) -> Result<(Vec<peers::Peer>, Vec<Told>)> {
    let installed = toolchains::installed()?;
    let Some(toolchain) = programs::toolchain(&NOOP, &installed)? else { return Ok((Vec::new(), Vec::new())) };
    let probe = NOOP.place(toolchain, scratch.path())?;
    Stage::open(&probe.folder)?;
    peers::find(&probe.runner(), stage)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).or_problem(file.display().to_string(), "name another file, or free some disk")?;
    println!("xtask: written to {}", file.display());
    Ok(())
}
