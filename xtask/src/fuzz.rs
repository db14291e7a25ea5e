//! `cargo xtask fuzz`: builds the targets of `fuzz/` once and runs each for a time, as many at once as there are cores, or
//! three times as many in the short form.
//!
//! The engine is libFuzzer, which libfuzzer-sys brings and the system's C++ compiler builds; the coverage that guides it is
//! rustc's own, by flags that stable takes. So a fresh machine needs nothing that `setup` does not install.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::build;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// How long each target runs in `cargo xtask test`.
pub const SHORT_SECONDS: u64 = 6;
/// How long all of them run together in `cargo xtask prove`.
pub const LONG_SECONDS: u64 = 3600;

/// Edges and comparisons are counted in every crate, and what a debug build checks is checked.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Named, so that the flags above are for the targets and not for build scripts and macros.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// One input: seconds on the wall, of which others may take most; bytes. Memory is bounded for each input by the targets
/// themselves, and for all here.
const LIMITS: [&str; 3] = ["-timeout=60", "-max_len=12288", "-rss_limit_mb=512"];

/// Committed for each target at most: those that reach the most.
const MOST_SEEDS: usize = 48;

/// What one target came to.
#[derive(Debug, Default)]
pub struct Figures {
    name: String,
    seconds: u64,
    executions: u64,
    edges: u64,
    features: u64,
    corpus: u64,
    seeds: u64,
    peak_mib: u64,
}

/// The targets and where their things are.
struct Fuzzer {
    programs: PathBuf,
    /// What was found in earlier runs; not committed.
    grown: PathBuf,
    findings: PathBuf,
    source: PathBuf,
}

/// Runs those of `names`, or all, for `seconds` each.
///
/// # Errors
/// When they can't be built or started. What a target finds is a failure in the tally.
pub fn run(names: &[String], seconds: u64) -> Result<(Tally, Vec<Figures>)> {
    let fuzzer = Fuzzer::build()?;
    let names = fuzzer.targets(names)?;
    let waiting = Mutex::new(VecDeque::from(names));
    let done = Mutex::new((Tally::default(), Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    // The short form looks for what breaks at once, and CI has little time.
    let at_once = if seconds <= SHORT_SECONDS { 3 * cores } else { cores };
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(name) = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() else { break };
                    let outcome = fuzzer.fuzz(&name, seconds);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    match outcome {
                        Ok(figures) => {
                            println!("xtask: {figures}");
                            done.0.check(&name, Ok(()));
                            done.1.push(figures);
                        }
                        Err(problem) => done.0.fail(format!("fuzz {name}: {problem}")),
                    }
                }
            });
        }
    });
    let (tally, mut figures) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    figures.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((tally, figures))
}

/// How long each target has when all together have so long and there are so many cores.
///
/// # Errors
/// When the list of targets can't be read.
pub fn each_of(seconds: u64) -> Result<u64> {
    let targets = listed()?.len().max(1) as u64;
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    Ok((seconds * cores / targets).max(SHORT_SECONDS))
}

/// Writes into `fuzz/corpus` the smallest inputs that reach everything that was reached so far.
///
/// # Errors
/// When a target can't be built or run, or files can't be written.
pub fn minimize(names: &[String]) -> Result<Tally> {
    let fuzzer = Fuzzer::build()?;
    let mut tally = Tally::default();
    for name in fuzzer.targets(names)? {
        tally.check(&name, fuzzer.merge(&name).map_err(|problem| problem.to_string()));
    }
    Ok(tally)
}

/// The rows of a report.
pub fn table(figures: &[Figures]) -> String {
    let mut text = "| target | seconds | executions | edges | features | corpus (committed) | peak MiB |\n\
                    | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for f in figures {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} ({}) | {} |\n",
            f.name, f.seconds, f.executions, f.edges, f.features, f.corpus, f.seeds, f.peak_mib
        );
    }
    text
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Figures { name, seconds, executions, edges, features, corpus, seeds, peak_mib } = self;
        write!(
            f,
            "fuzz {name}: {executions} executions in {seconds} s, {edges} edges, {features} features, corpus {corpus} \
             ({seeds} committed), at most {peak_mib} MiB"
        )
    }
}

impl Fuzzer {
    fn build() -> Result<Self> {
        let target = build::target()?.join("fuzz");
        let status = build::cargo()
            .args(["build", "--locked", "--package", "fuzz", "--features", "libfuzzer", "--bins", "--profile", "fuzz"])
            .args(["--target", TRIPLE, "--target-dir"])
            .arg(&target)
            .env("RUSTFLAGS", COVERAGE)
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .status()
            .or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
        if !status.success() {
            return Err(Problem::new("the fuzz targets were not built", "read the compiler's message above"));
        }
        Ok(Fuzzer {
            programs: target.join(TRIPLE).join("fuzz"),
            grown: target.join("corpus"),
            findings: target.join("findings"),
            source: build::root().join("fuzz"),
        })
    }

    fn targets(&self, names: &[String]) -> Result<Vec<String>> {
        let all = listed()?;
        match names.iter().find(|name| !all.contains(name)) {
            Some(name) => {
                Err(Problem::new(format!("there is no target {name}"), format!("name some of {}", all.join(" "))))
            }
            None if names.is_empty() => Ok(all),
            None => Ok(names.to_vec()),
        }
    }

    fn fuzz(&self, name: &str, seconds: u64) -> Result<Figures> {
        let (grown, seeds) = (self.grown.join(name), self.seeds(name));
        folder(&grown)?;
        folder(&self.findings)?;
        let mut command = self.program(name);
        let finding = self.findings.join(format!("{name}-"));
        command.arg(format!("-artifact_prefix={}", finding.display()));
        command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1").args(LIMITS);
        let words = self.source.join("dict").join(format!("{name}.dict"));
        if words.exists() {
            command.arg(format!("-dict={}", words.display()));
        }
        let output = command.arg(&grown).arg(&seeds).output().or_problem(name, "build it again")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let lines: Vec<&str> = said.lines().filter(|line| tells(line)).take(12).collect();
            let remedy = format!("mend it, and add what {}… holds to the tests", finding.display());
            return Err(Problem::new(lines.join("\n"), remedy));
        }
        Ok(Figures { name: name.to_owned(), seconds, seeds: count(&seeds)?, ..Figures::read(&said) })
    }

    fn merge(&self, name: &str) -> Result<()> {
        let fresh = self.grown.join(format!("{name}.new"));
        if fresh.exists() {
            fs::remove_dir_all(&fresh).or_problem(fresh.display().to_string(), "remove it")?;
        }
        folder(&fresh)?;
        let (grown, seeds) = (self.grown.join(name), self.seeds(name));
        folder(&grown)?;
        // By edges alone: how often one is passed is for the fuzzer to find out again.
        let mut merging = self.program(name);
        merging.args(["-set_cover_merge=1", "-use_counters=0"]).args(LIMITS).args([&fresh, &seeds, &grown]);
        let output = merging.output().or_problem(name, "build it again")?;
        if !output.status.success() {
            return Err(Problem::new(String::from_utf8_lossy(&output.stderr), "mend what it names"));
        }
        fs::remove_dir_all(&seeds).or_problem(seeds.display().to_string(), "make it writable")?;
        folder(&seeds)?;
        for path in first_written(&fresh, MOST_SEEDS)? {
            let to = seeds.join(path.file_name().unwrap_or_default());
            fs::copy(&path, &to).or_problem(to.display().to_string(), "free some disk")?;
        }
        println!("xtask: fuzz {name}: {} inputs", count(&seeds)?);
        Ok(())
    }

    fn seeds(&self, name: &str) -> PathBuf {
        self.source.join("corpus").join(name)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.stdin(Stdio::null());
        command
    }
}

impl Figures {
    /// Reads what libFuzzer says: its statistics, and the last line of progress.
    fn read(said: &str) -> Figures {
        let stat = |name: &str| {
            let line = said.lines().rev().find_map(|line| line.strip_prefix("stat::")?.strip_prefix(name));
            line.and_then(|rest| rest.trim_start_matches(':').trim().parse().ok()).unwrap_or(0)
        };
        let progress = said.lines().rev().find(|line| line.starts_with('#') && line.contains(" cov: ")).unwrap_or("");
        let after = |word: &str| {
            let mut words = progress.split_whitespace().skip_while(|found| *found != word).skip(1);
            words.next().and_then(|number| number.split('/').next()?.parse().ok()).unwrap_or(0)
        };
        Figures {
            executions: stat("number_of_executed_units"),
            peak_mib: stat("peak_rss_mb"),
            edges: after("cov:"),
            features: after("ft:"),
            corpus: after("corp:"),
            ..Figures::default()
        }
    }
}

/// Lines that say what went wrong.
fn tells(line: &str) -> bool {
    // With the seed the same inputs are made again, as long as the corpus is the same.
    let words = [
        "INFO: Seed:",
        "panicked at",
        "ERROR: libFuzzer",
        "memory allocation",
        "Test unit written",
        "Base64:",
        "SUMMARY",
    ];
    words.iter().any(|word| line.contains(word)) || !line.starts_with(['#', ' ', 'I', '=']) && line.len() < 300
}

/// The targets by their programs.
fn listed() -> Result<Vec<String>> {
    let sources = build::root().join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&sources).or_problem(sources.display().to_string(), "git checkout -- fuzz")? {
        let path = entry.or_problem(sources.display().to_string(), "git checkout -- fuzz")?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The files of a folder that were written first. libFuzzer writes what reaches most before what adds little.
fn first_written(folder: &Path, most: usize) -> Result<Vec<PathBuf>> {
    let told = || folder.display().to_string();
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).or_problem(told(), "run it again")? {
        let entry = entry.or_problem(told(), "run it again")?;
        let meta = entry.metadata().or_problem(told(), "run it again")?;
        let written = meta.modified().or_problem(told(), "run it again")?;
        files.push((written, meta.len(), entry.path()));
    }
    files.sort();
    Ok(files.into_iter().take(most).map(|(_, _, path)| path).collect())
}

fn folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).or_problem(path.display().to_string(), "make the target folder writable")
}

fn count(folder: &Path) -> Result<u64> {
    let entries = fs::read_dir(folder).or_problem(folder.display().to_string(), "git checkout -- fuzz")?;
    Ok(entries.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "INFO: Seed: 1\n#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                    #900\tDONE   cov: 77 ft: 123 corp: 45/6Kb lim: 4096 exec/s: 30 rss: 51Mb\nDone 900 runs in 20 second(s)\n\
                    stat::number_of_executed_units: 900\nstat::peak_rss_mb:              52\n";
        let figures = Figures::read(said);
        assert_eq!((figures.executions, figures.edges, figures.features), (900, 77, 123));
        assert_eq!((figures.corpus, figures.peak_mib), (45, 52));
        assert!(table(&[figures]).contains("| 900 | 77 | 123 | 45 (0) | 52 |"));
    }

    #[test]
    fn every_target_is_listed() {
        let names = listed().unwrap();
        assert!(names.contains(&"link_jaild".to_owned()) && names.contains(&"request".to_owned()), "{names:?}");
    }
}
