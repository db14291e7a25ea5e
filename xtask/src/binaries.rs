//! Test binaries of cargo, run by ourselves: by whoever has time for the next. What fails in CI may have a second try,
//! by itself while other parts go on; that is told. No second try mends a run that is not whole: a binary that crashes,
//! that ends early, or of whose failures one has no name.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::build;
use crate::problem::{Context, Problem, Result};
use crate::tally::{self, Tally};

/// So many tests of a whole `cargo xtask test` may have a second try: a busy machine holds up one or two of thousands,
/// a mistake more.
const SECOND_TRIES: usize = 2;
/// So long we read on when a binary has ended and somebody else holds its output. Then it is not read to its end.
const PATIENCE: Duration = Duration::from_secs(30);
/// What has none, by crate and by name: a wall that holds when it is tried again is none.
const WALLS: [&str; 5] = ["jail", "pairs", "remains", "pinned", "confinement"];
/// The exit status of a test binary of which a test failed.
const FAILED: i32 = 101;
/// So much of what a failure says is told again at the end.
const DETAIL_LINES: usize = 120;

/// How many failed tests may still be tried again. All that run at the same time, or one after another, share them.
#[derive(Debug)]
pub struct SecondTries(AtomicUsize);

impl SecondTries {
    /// For CI, where a busy machine may hold one up.
    pub fn few() -> Self {
        SecondTries(AtomicUsize::new(SECOND_TRIES))
    }

    /// What fails has failed.
    pub fn none() -> Self {
        SecondTries(AtomicUsize::new(0))
    }

    fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// One of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Binary {
    /// Its crate's, where cargo would start it.
    folder: PathBuf,
    /// Of the library, program or file that it is made of.
    name: String,
    path: PathBuf,
}

/// Those that are still to be run.
#[derive(Debug)]
pub struct Binaries {
    next: Mutex<VecDeque<Binary>>,
    patience: Duration,
}

/// What one run of a binary came to.
#[derive(Debug)]
struct Run {
    tally: Tally,
    /// Tests that failed.
    failed: Vec<String>,
    /// Why it is not whole.
    broken: Option<String>,
}

/// What is heard of a binary.
enum Heard {
    Line(io::Result<Vec<u8>>),
    /// Nobody has its output any more.
    Silence,
    Ended(io::Result<ExitStatus>),
}

/// How a binary ended.
struct End {
    status: ExitStatus,
    /// Its output was read to the end.
    silent: bool,
}

impl Binaries {
    /// Builds what `cargo test` with the same `args` would run, but for the documentation's examples.
    pub fn build(args: &[&str]) -> Result<Self> {
        let mut cargo = build::cargo();
        cargo
            .args(["test", "--quiet", "--locked", "--no-run", "--message-format", "json-render-diagnostics"])
            .args(args);
        let built = cargo.stderr(Stdio::inherit()).output();
        let built = built.or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
        if !built.status.success() {
            return Err(Problem::new("the tests were not built", "read the compiler's message above"));
        }
        let lines = String::from_utf8_lossy(&built.stdout);
        let mut next: Vec<Binary> = lines.lines().filter_map(Binary::of).collect();
        // Cargo names them as they are ready.
        next.sort_unstable();
        if next.is_empty() {
            return Err(Problem::new("cargo has built no tests", "look at the arguments in xtask/src/tests.rs"));
        }
        Ok(Binaries { next: Mutex::new(next.into()), patience: PATIENCE })
    }

    /// Runs the next until there is none. Several may do so at the same time.
    pub fn work(&self, tries: &SecondTries) -> Result<Tally> {
        let mut tally = Tally::default();
        while let Some(binary) = self.next() {
            let first = binary.run(&[], self.patience)?;
            let mut said = first.tally;
            if let Some(why) = first.broken {
                // It has failed, whatever a test of it does now.
                said.fail(why);
                tally.add(said);
                continue;
            }
            for failure in first.failed {
                if binary.is_wall() || !tries.take() {
                    continue;
                }
                println!("xtask: {failure} again, by itself while other parts go on");
                let again = binary.run(&["--exact", &failure], self.patience)?;
                if let Some(why) = again.broken {
                    said.fail(why);
                } else if again.tally.failures().is_empty() && again.tally.passed() == 1 {
                    said.steadied(&failure);
                }
            }
            tally.add(said);
        }
        Ok(tally)
    }

    fn next(&self) -> Option<Binary> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Binary {
    /// What one line of cargo's says of a test binary.
    fn of(line: &str) -> Option<Self> {
        let said: Value = serde_json::from_str(line).ok()?;
        let is_test = said["reason"] == "compiler-artifact" && said["profile"]["test"] == true;
        let path = said["executable"].as_str().filter(|_| is_test)?.into();
        let manifest = PathBuf::from(said["manifest_path"].as_str()?);
        Some(Binary { folder: manifest.parent()?.to_owned(), name: said["target"]["name"].as_str()?.to_owned(), path })
    }

    fn is_wall(&self) -> bool {
        let of = self.folder.file_name().and_then(|name| name.to_str());
        WALLS.iter().any(|wall| self.name == *wall || of == Some(*wall))
    }

    /// Shows what it says as it comes, and counts it.
    fn run(&self, args: &[&str], patience: Duration) -> Result<Run> {
        println!("     Running {} {} ({})", self.name, args.join(" "), self.path.display());
        let (mut tally, mut failed, mut results) = (Tally::default(), Vec::new(), Vec::new());
        let (mut detail, mut telling) = (Vec::new(), false);
        let end = self.say(args, patience, |line| {
            println!("{line}");
            // What failed says why between two lines of this kind; a result that stands there was printed by a test.
            if line == "failures:" {
                telling = detail.is_empty();
            }
            if telling {
                if detail.len() < DETAIL_LINES {
                    detail.push(line.to_owned());
                }
                return;
            }
            tally.read_line(line);
            failed.extend(tally::failed_test(line).map(str::to_owned));
            results.extend(tally::failed_of_result(line));
        })?;
        let broken = end.not_whole(&failed, &results).map(|why| format!("{}: {why}", self.path.display()));
        if !detail.is_empty() {
            tally.tell_again(format!("{}:\n{}", self.name, detail.join("\n")));
        }
        Ok(Run { tally, failed, broken })
    }

    /// Calls `line` with each line of its standard output. Its errors go where ours go: in the same pipe a line of the
    /// one could tear a line of the other, and with it the name of a test.
    fn say(&self, args: &[&str], patience: Duration, mut line: impl FnMut(&str)) -> Result<End> {
        let name = self.path.display().to_string();
        let mut command = Command::new(&self.path);
        command.args(args).current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        // A test that lacks a privilege or a facility skips aloud elsewhere; here it must not.
        if nix::unistd::geteuid().is_root() {
            command.env("ENGINED_FORBID_SKIP", "1");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let heard = hear(command.spawn().or_problem(format!("{name} did not start"), "build it again")?);
        let (mut status, mut silent, mut until) = (None, false, None);
        while status.is_none() || !silent {
            let left = until.map_or(Duration::MAX, |until: Instant| until.saturating_duration_since(Instant::now()));
            // Asked first, as whoever holds the output may write for ever.
            if left.is_zero() {
                break;
            }
            match heard.recv_timeout(left) {
                Ok(Heard::Line(said)) => {
                    let said = said.or_problem(format!("{name}: its output broke off"), "run it again")?;
                    line(&String::from_utf8_lossy(&said));
                }
                Ok(Heard::Silence) => silent = true,
                Ok(Heard::Ended(how)) => {
                    status = Some(how.or_problem(format!("{name} was lost"), "run it again")?);
                    until = Some(Instant::now() + patience);
                }
                Err(_) => break,
            }
        }
        let status = status.ok_or_else(|| Problem::new(format!("{name} was lost"), "run it again"))?;
        Ok(End { status, silent })
    }
}

impl End {
    /// Why not all tests were run, or not all that failed are among `failed`. A run is whole where there is one line with
    /// its result, that says as many, and the status says the same.
    fn not_whole(&self, failed: &[String], results: &[Option<u64>]) -> Option<String> {
        let status = self.status;
        if !self.silent {
            return Some(format!(
                "{status}, but a process that it left behind holds its output: a test must end those"
            ));
        }
        let [result] = results else {
            return Some(format!("{status}, with {} lines `test result:` instead of one", results.len()));
        };
        let Some(count) = result else {
            return Some(format!("{status}, and its line `test result:` does not say how many failed"));
        };
        if u64::try_from(failed.len()) != Ok(*count) {
            return Some(format!("{status}, and {count} tests failed, of which {} were named", failed.len()));
        }
        let due = if failed.is_empty() { 0 } else { FAILED };
        (status.code() != Some(due)).then(|| format!("{status}, which is not the exit status {due} of {count} failed"))
    }
}

/// Reads and waits at the same time: who is left behind may hold the output for longer than the binary lives.
fn hear(mut child: Child) -> Receiver<Heard> {
    let (tell, heard) = mpsc::channel();
    let output = child.stdout.take();
    let of_end = tell.clone();
    // Nobody hears them who has given up.
    thread::spawn(move || of_end.send(Heard::Ended(child.wait())));
    thread::spawn(move || {
        let lines = output.into_iter().flat_map(|output| BufReader::new(output).split(b'\n'));
        lines.map(Heard::Line).chain([Heard::Silence]).try_for_each(|heard| tell.send(heard))
    });
    heard
}

#[cfg(test)]
mod tests;
