//! `cargo xtask prove`: everything again and harder, and a dated report of what was seen on which machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::build::{self, Programs};
use crate::corpus::{self, FOLDERS, LANGUAGES, Load};
use crate::host::{self, Depth, Kernel};
use crate::mixed::{self, Mixed};
use crate::problem::{Context, Result};
use crate::schemathesis::Length;
use crate::soak::{self, Soak};
use crate::tally::Tally;
use crate::{bench, cost, fuzz, power, problems, python_client, schemathesis, setup, tests, timing, toolchains};

/// Repetitions of the tests that lie to the link: a race needs more than one try.
const LIES: u32 = 10;
/// Repetitions of the fault tests, all of which must pass.
const FAULTS: u32 = 20;

/// How often an engine is killed under load.
const KILLS: &str = "100";
/// How often one that judges batches, and their store alone.
const BATCH_KILLS: &str = "200";

/// One part of the proof.
struct Part {
    name: String,
    tally: Tally,
    took: Duration,
}

/// What has been proved so far, and the report of it.
struct Proof<'a> {
    programs: &'a Programs,
    /// Words of the parts that were asked for; none asks for all.
    only: Vec<String>,
    parts: Vec<Part>,
    begun: String,
    table: String,
    file: PathBuf,
}

/// Runs all parts, or those that `only` asks for, and writes `reports/DATE.md`.
pub fn run(only: Vec<String>) -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    let programs = build::release()?;
    let folder = build::root().join("reports");
    fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "make it writable")?;
    let file = folder.join(format!("{}.md", said("date", &["-u", "+%Y-%m-%dT%H%M"])));
    let begun = said("date", &["+%Y-%m-%d %H:%M UTC", "-u"]);
    let mut proof = Proof { programs: &programs, only, parts: Vec::new(), begun, table: String::new(), file };
    proof.part("tests of the workspace", tests::workspace)?;
    proof.part("tuned and bare toolchains", tests::tuned)?;
    proof.part("Python client", || python_client::run(&programs))?;
    proof.part("schemathesis, ten minutes", || schemathesis::run(&programs, Length::Long))?;
    for (jobs, told) in [(1, "one"), (8, "eight")] {
        let load = Load { folders: &FOLDERS, times: 3, jobs, one_in: 1 };
        proof.part(&format!("corpus, three times, {told} at a time"), || corpus::run(&programs, &[load]))?;
    }
    for (what, options) in corpus::WITHOUT {
        let load = Load { folders: &FOLDERS, times: 1, jobs: 2, one_in: 1 };
        proof.part(&format!("corpus without {what}"), || corpus::run_with(&programs, &[load], &options))?;
    }
    proof.part(&format!("faults, {FAULTS} times"), || tests::faults(FAULTS))?;
    proof.part(&format!("usage after {KILLS} times kill -9"), || tests::killed(KILLS))?;
    proof.part(&format!("batches after {BATCH_KILLS} times kill -9"), || tests::batches_killed(BATCH_KILLS))?;
    proof.part(&format!("the store of batches after {BATCH_KILLS} times kill -9"), || {
        tests::store_killed(BATCH_KILLS)
    })?;
    proof.part("problems judged three times, alone and under full load", || {
        problems::run(&programs, &problems::THOROUGHLY)
    })?;
    proof.part(&format!("the store of batches after {} power cuts", power::LONG), || {
        power::run(power::Power { cuts: power::LONG, seed: 1, durable: true })
    })?;
    proof.told(
        "attacks beside an honest program",
        "Beside an attack\n\nWall time of an honest program next to an attack, over that alone: the worst medians.",
        || corpus::beside(&programs),
    )?;
    proof.part("soak, 10,000 mixed runs", || soak::run(&programs, Soak::FULL))?;
    proof.part("what a request costs in instructions", || cost::run(400, None))?;
    proof.part("an hour of three tenants, equal books", || mixed::run(&programs, Mixed::FULL, None))?;
    proof.part(&format!("lies on the link, {LIES} times"), lies)?;
    proof.told("fuzzing, an hour", "Fuzzing\n\nThe time is divided among the targets, on all processors.", || {
        let (tally, figures) = fuzz::run(&[], fuzz::each_of(fuzz::LONG_SECONDS)?)?;
        Ok((tally, fuzz::table(&figures)))
    })?;
    proof.told(
        "speed and memory",
        "Against the bare toolchain\n\nMedians of interleaved pairs on this machine.",
        || {
            let figures = bench::prove(&programs)?;
            Ok((figures.tally(), figures.table()))
        },
    )?;
    proof.told("CPU time when all slots are busy", "CPU time, alone and with all slots busy", || {
        let figures = timing::measure(&programs, timing::ROUNDS)?;
        Ok((figures.tally(), figures.report()))
    })?;
    for kernel in [Kernel::Newer, Kernel::Older] {
        let version = kernel.version();
        let units = || host::run(&programs, kernel, Depth::Whole);
        proof.part(&format!("test host, kernel {version}, systemd units"), units)?;
        let rootless = || host::rootless(&programs, kernel, Depth::Whole);
        proof.part(&format!("test host, kernel {version}, rootless"), rootless)?;
    }
    proof.write("")?;
    println!("{}{}", proof.report(), proof.table);
    let mut total = Tally::default();
    proof.parts.into_iter().for_each(|part| total.add(part.tally));
    Ok(total)
}

impl Proof<'_> {
    /// Runs a part that is asked for and writes down how it went: hours of proof are not lost with the last of them.
    fn part(&mut self, name: &str, run: impl FnOnce() -> Result<Tally>) -> Result<()> {
        self.told(name, "", || Ok((run()?, String::new())))
    }

    /// The same for one that also makes a table, which the report has under this heading.
    fn told(&mut self, name: &str, heading: &str, run: impl FnOnce() -> Result<(Tally, String)>) -> Result<()> {
        if !self.only.is_empty() && !self.only.iter().any(|word| name.contains(word)) {
            return Ok(());
        }
        let started = Instant::now();
        // One part that cannot run must not hide what the others say.
        let (tally, table) = run().unwrap_or_else(|problem| {
            let mut tally = Tally::default();
            tally.fail(format!("{name}: {problem}"));
            (tally, "None: see what failed.\n".to_owned())
        });
        println!("xtask: {name}: {} passed, {} failed", tally.passed(), tally.failures().len());
        self.parts.push(Part { name: name.to_owned(), tally, took: started.elapsed() });
        if !heading.is_empty() {
            self.table += &format!("\n## {heading}\n\n{table}");
        }
        self.write("\nUnder way: more parts follow.\n")
    }

    fn write(&self, end: &str) -> Result<()> {
        let report = self.report() + &self.table + end;
        fs::write(&self.file, &report).or_problem(self.file.display().to_string(), "free some disk")?;
        println!("xtask: written to {}", self.file.display());
        Ok(())
    }

    fn report(&self) -> String {
        let mut text = format!("# Proof of {}\n\n{}", self.begun, facts(self.programs));
        if !self.only.is_empty() {
            text += &format!("- only the parts named by: {}\n", self.only.join(", "));
        }
        match toolchains::installed() {
            Ok(all) => {
                toolchains::told(&all).iter().for_each(|(name, versions)| text += &format!("- {name}: {versions}\n"))
            }
            Err(problem) => text += &format!("- toolchains: {problem}\n"),
        }
        text += "\n| part | passed | failed | seconds |\n| --- | ---: | ---: | ---: |\n";
        for Part { name, tally, took } in &self.parts {
            text += &format!("| {name} | {} | {} | {} |\n", tally.passed(), tally.failures().len(), took.as_secs());
        }
        let failures: Vec<&String> = self.parts.iter().flat_map(|part| part.tally.failures()).collect();
        text += &languages(&failures);
        if !failures.is_empty() {
            text += "\n## What failed\n\n";
            for failure in &failures {
                text += &format!("- {}\n", failure.replace('\n', " "));
            }
        }
        text
    }
}

/// What a report begins with: which engine, on which machine.
pub fn facts(programs: &Programs) -> String {
    let facts = [
        ("commit", said("git", &["-C", &build::root().display().to_string(), "describe", "--always", "--dirty"])),
        ("kernel", said("uname", &["-srm"])),
        ("processors", processors()),
        ("cgroup", said("stat", &["-fc", "%T", "/sys/fs/cgroup"])),
        ("engined", said(&programs.engined.display().to_string(), &["--version"])),
    ];
    facts.iter().map(|(name, value)| format!("- {name}: {value}\n")).collect()
}

/// Clients of the link that lie, again and again.
fn lies() -> Result<Tally> {
    let mut tally = Tally::default();
    for _ in 0..LIES {
        tally.add(build::test("lies on the link", &["--package", "jail", "--test", "lies"])?);
    }
    Ok(tally)
}

/// The programs of each language, and how many failures in all parts together were of them.
fn languages(failures: &[&String]) -> String {
    let mut text =
        format!("\n| programs | {} | failures |\n| --- | ---: | ---: | ---: | ---: |\n", FOLDERS.join(" | "));
    let census: Vec<Vec<usize>> = FOLDERS.iter().map(|folder| corpus::census(folder).unwrap_or_default()).collect();
    for (n, (ending, name)) in LANGUAGES.iter().enumerate() {
        let counts = census.iter().map(|folder| folder.get(n).map_or_else(|| "?".to_owned(), usize::to_string));
        // A failure of a program begins with its name.
        let program = |text: &&&String| {
            text.split(' ').next().and_then(|w| w.rsplit_once('.')).is_some_and(|(_, e)| e == *ending)
        };
        let failed = failures.iter().filter(program).count();
        text += &format!("| {name} | {} | {failed} |\n", counts.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// How many there are, and of what model.
pub fn processors() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("unknown", |l| l.trim_start_matches([' ', '\t', ':']));
    let count = info.lines().filter(|l| l.starts_with("processor")).count();
    format!("{count} of {model}")
}

/// What a command prints, or that it could not be asked: a report goes on without one fact.
pub fn said(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
