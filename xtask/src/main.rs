//! What developers of engined run. Two of these commands do everything on a fresh Debian or Ubuntu: `cargo xtask up` and `cargo xtask test`.
//!
//! The way of a test: [`setup`] makes the machine ready, [`build`] makes both programs, [`engine`] starts them as a
//! caller would find them, [`corpus`], [`schemathesis`], [`prometheus`], [`python_client`] and [`host`] send programs to them, [`tally`]
//! counts what passed. Every command but `up` closes with one line, `N passed, N failed`, and fails when the second
//! number is not 0.
#![forbid(unsafe_code)]

#[cfg(test)]
mod alerts;
mod bench;
mod binaries;
mod build;
mod corpus;
mod cost;
mod dashboard;
#[cfg(test)]
mod docs;
mod engine;
mod examples;
mod fuzz;
mod gates;
mod host;
mod http;
mod memory;
mod mixed;
mod numpy;
mod picture;
mod power;
mod problem;
mod problems;
mod prometheus;
mod prove;
mod python_client;
mod schemathesis;
mod secrets;
mod served;
mod setup;
mod soak;
mod svg;
mod tally;
mod tests;
mod timing;
mod toolchains;
#[cfg(test)]
mod watched;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::host::{Depth, Kernel};
use crate::mixed::Mixed;
use crate::problem::Result;
use crate::soak::Soak;
use crate::tally::Tally;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set up, start, test and measure engined", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set this machine up, build both programs and start them: `engined up` until Ctrl-C
    Up {
        /// Passed on to `engined up`, such as --listen 127.0.0.1:8080
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Only set this machine up: packages, accounts, subordinate ids
    Setup,
    /// Every test: the workspace's, the corpus through a live engine, the test host
    Test {
        /// Only the part in the test host (a Debian 12 with systemd in QEMU)
        #[arg(long, conflicts_with = "no_host")]
        host: bool,
        /// The kernel of the test host
        #[arg(long, value_enum, default_value = "6.12")]
        kernel: Kernel,
        /// In the test host, run everything as an ordinary user instead of through the systemd units
        #[arg(long, requires = "host")]
        rootless: bool,
        /// In the test host, run the whole corpus, as `prove` does: an hour or more
        #[arg(long, requires = "host")]
        whole: bool,
        /// All but the part in the test host
        #[arg(long)]
        no_host: bool,
        /// Only the Python client
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        client: bool,
        /// Only schemathesis: requests made out of openapi.yaml, sent to a live engine
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        schemathesis: bool,
        /// Only Prometheus: it scrapes a live engine, and reads the rules of systemd/prometheus
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        prometheus: bool,
        /// With --prometheus: where both programs are, instead of a release build
        #[arg(long, value_name = "DIR", requires = "prometheus")]
        programs: Option<std::path::PathBuf>,
        /// Only the corpus through a live engine
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        corpus: bool,
        /// Only the problems of `corpus/problems`: each submission must get the verdict that it is labelled by
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        problems: bool,
        /// With --problems: three times alone and three times under full load, as `prove` does
        #[arg(long, requires = "problems")]
        thoroughly: bool,
        /// With --corpus: again without the stock, without tuning, without the cache
        #[arg(long, requires = "corpus")]
        without: bool,
        /// Only the faults: -9 at every point of a run's life, and whatever hosts and clients can do
        #[arg(long, conflicts_with_all = ["host", "no_host"])]
        faults: bool,
        /// How many times in a row
        #[arg(long, requires = "faults", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        times: u32,
    },
    /// Everything again and harder: the corpus three times, eight at a time, two kernels, rootless; writes a report
    Prove {
        /// Only the parts whose names have one of these words in them
        parts: Vec<String>,
    },
    /// Thousands of mixed runs, a fifth of them attacks: whether memory, descriptors or anything else grows
    Soak {
        /// How many
        #[arg(long, default_value_t = Soak::FULL.runs)]
        runs: u32,
        /// End earlier, after so many minutes
        #[arg(long)]
        minutes: Option<u64>,
        /// Runs in flight; 0 is twice the cores
        #[arg(long, default_value_t = Soak::FULL.jobs)]
        jobs: usize,
        /// Which runs are drawn
        #[arg(long, default_value_t = Soak::FULL.seed)]
        seed: u64,
        /// Write reports/soak-DATE.md and its plot
        #[arg(long)]
        report: bool,
        /// Where both programs are, instead of a release build
        #[arg(long, value_name = "DIR")]
        programs: Option<std::path::PathBuf>,
    },
    /// Cut the power of a guest that works on a store of batches: is what it had acknowledged still there, and once?
    Power {
        /// How often
        #[arg(long, default_value_t = power::LONG, value_parser = clap::value_parser!(u32).range(1..))]
        cuts: u32,
        /// Which moments are drawn
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The store does not wait for its disk: this has to fail
        #[arg(long)]
        sync_off: bool,
    },
    /// Three tenants at once, SIGHUPs and restarts between: are audit, usage and the callers' counts equal at the end?
    Mixed {
        /// How long they call
        #[arg(long, default_value_t = 3600)]
        seconds: u64,
        /// Between two readings of the configuration
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
        reload: u64,
        /// Between two restarts of engined
        #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
        restart: u64,
        /// The pause between two calls of a connection, on average
        #[arg(long, default_value_t = 0)]
        pause_ms: u64,
        /// Which runs are drawn
        #[arg(long, default_value_t = Mixed::FULL.seed)]
        seed: u64,
        /// Where to write what /metrics says every few seconds
        #[arg(long, value_name = "FILE")]
        samples: Option<std::path::PathBuf>,
        /// Where both programs are, instead of a release build
        #[arg(long, value_name = "DIR")]
        programs: Option<std::path::PathBuf>,
    },
    /// Count what knowing callers, metrics, audit and usage cost of a no-op's request, in instructions: of the whole
    /// machine (in the test host) and of engined's user space alone (by callgrind)
    Cost {
        /// Runs of a program that does nothing, under callgrind
        #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
        requests: u32,
        /// Where both programs are, instead of a release build
        #[arg(long, value_name = "DIR")]
        programs: Option<std::path::PathBuf>,
        /// What the test host runs: counts there
        #[arg(long, hide = true, requires = "programs")]
        inside: bool,
    },
    /// Measure against the bare toolchains and other sandboxes (benches/README.md)
    Bench {
        /// Only this part: `grade` measures batches
        #[arg(value_enum)]
        part: Option<bench::Part>,
        /// Rounds of each row; slow rows have fewer
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(4..))]
        rounds: u32,
        /// As many rounds in the row about idleness, too: minutes more
        #[arg(long)]
        full: bool,
        /// Without other sandboxes
        #[arg(long)]
        no_peers: bool,
        /// Without what takes a good part of a second: C++ and Java
        #[arg(long)]
        fast_only: bool,
        /// Only what CI measures: each bar with a wide margin, in a minute
        #[arg(long, conflicts_with_all = ["rounds", "full", "no_peers", "fast_only", "save", "json"])]
        guard: bool,
        /// A few rounds of the fast rows in the test host, which has systemd-run
        #[arg(long, conflicts_with_all = ["rounds", "full", "no_peers", "fast_only", "guard", "save", "json"])]
        host: bool,
        /// Keep report, JSON and plot in benches/results, under the date and the machine
        #[arg(long)]
        save: bool,
        /// Also write the figures there, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<std::path::PathBuf>,
        /// Where both programs are, instead of a release build
        #[arg(long, value_name = "DIR")]
        programs: Option<std::path::PathBuf>,
    },
    /// Measure whether CPU time stays the same when all slots are busy and runs are pinned to cores
    Timing {
        /// How often each is measured
        #[arg(long, default_value_t = timing::ROUNDS, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// Also write the figures there, as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<std::path::PathBuf>,
        /// Write reports/timing-DATE.md
        #[arg(long)]
        report: bool,
        /// Where both programs are, instead of a release build
        #[arg(long, value_name = "DIR")]
        programs: Option<std::path::PathBuf>,
    },
    /// Fuzz what engined and jaild read of others (fuzz/README.md): the named targets, or all
    Fuzz {
        /// Which of fuzz/fuzz_targets
        targets: Vec<String>,
        /// How long each runs; as many run at once as there are cores
        #[arg(long, default_value_t = fuzz::SHORT_SECONDS)]
        seconds: u64,
        /// Instead, write the smallest inputs that reach everything found so far into fuzz/corpus
        #[arg(long, conflicts_with = "seconds")]
        minimize: bool,
    },
    /// Draw the picture of a load that the README shows: systemd/grafana/load.svg, out of load.csv beside it
    Picture {
        /// First make load.csv out of these recorded scrapes: a JSON object a line, {"t_ms": N, "samples": {SERIES: VALUE}}
        #[arg(long, value_name = "FILE")]
        scrapes: Option<std::path::PathBuf>,
    },
    /// Make systemd/grafana/engined.json out of panels.toml beside it
    Dashboard,
    /// Check licences, sources and bans of deny.toml against Cargo.lock, without a network
    Deny,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Up { args } => up(&args).map(|never| match never {}),
        Command::Setup => setup::ensure().map(|()| None),
        Command::Test { host: true, kernel, rootless, whole, .. } => {
            tests::host_only(kernel, rootless, if whole { Depth::Whole } else { Depth::Short }).map(Some)
        }
        Command::Test { faults: true, times, .. } => tests::faults_only(times).map(Some),
        Command::Test { corpus: true, without, .. } => tests::corpus_only(without).map(Some),
        Command::Test { schemathesis: true, .. } => tests::schemathesis_only().map(Some),
        Command::Test { prometheus: true, programs, .. } => tests::prometheus_only(programs.as_deref()).map(Some),
        Command::Test { client: true, .. } => tests::client_only().map(Some),
        Command::Test { problems: true, thoroughly, .. } => tests::problems_only(thoroughly).map(Some),
        Command::Test { no_host, kernel, .. } => tests::all((!no_host).then_some(kernel)).map(Some),
        Command::Prove { parts } => prove::run(parts).map(Some),
        Command::Soak { runs, minutes, jobs, seed, report, programs } => {
            let time = minutes.map(|minutes| std::time::Duration::from_secs(minutes * 60));
            soak::alone(Soak { runs, time, jobs, seed, report }, programs.as_deref()).map(Some)
        }
        Command::Power { cuts, seed, sync_off } => {
            power::run(power::Power { cuts, seed, durable: !sync_off }).map(Some)
        }
        Command::Mixed { seconds, reload, restart, pause_ms, seed, samples, programs } => {
            let [time, reload, restart] = [seconds, reload, restart].map(std::time::Duration::from_secs);
            let mixed = Mixed { time, pause: std::time::Duration::from_millis(pause_ms), reload, restart, seed };
            mixed::alone(mixed, programs.as_deref(), samples.as_deref()).map(Some)
        }
        Command::Cost { programs: Some(folder), inside: true, .. } => {
            cost::inside::run(&build::Programs::of(&folder)).map(|()| None)
        }
        Command::Cost { requests, programs, .. } => cost::run(requests, programs.as_deref()).map(Some),
        Command::Bench { part, rounds, full, no_peers, fast_only, guard, host, save, json, programs } => {
            bench::run(&bench::Options { part, rounds, full, no_peers, fast_only, guard, host, save, json, programs })
                .map(Some)
        }
        Command::Timing { rounds, json, report, programs } => {
            timing::run(&timing::Wish { rounds, json: json.as_deref(), report, programs: programs.as_deref() })
                .map(Some)
        }
        Command::Fuzz { targets, minimize: true, .. } => fuzz::minimize(&targets).map(Some),
        Command::Fuzz { targets, seconds, .. } => fuzz::run(&targets, seconds).map(|(tally, _)| Some(tally)),
        Command::Picture { scrapes } => picture::run(scrapes.as_deref()).map(|()| None),
        Command::Dashboard => dashboard::write().map(|()| None),
        Command::Deny => gates::deny().map(Some),
    };
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(tally)) => tally.close(),
        Err(problem) => {
            eprintln!("xtask: {problem}");
            Tally::failure("xtask").close()
        }
    }
}

/// Sets up, builds and becomes `engined up`.
fn up(args: &[String]) -> Result<std::convert::Infallible> {
    setup::ensure()?;
    let programs = build::release()?;
    Err(engine::become_up(&programs, args))
}
