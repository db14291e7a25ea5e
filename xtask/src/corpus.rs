//! Sends the programs of `corpus/` to a live engine and compares the host before and after.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::build::{self, Programs};
use crate::engine::{Engine, Scratch};
use crate::problem::{Context, Result};
use crate::tally::Tally;

/// The languages that this engine runs, as file endings.
const ENDINGS: [&str; 5] = ["py", "js", "c", "cpp", "java"];
/// A process that somebody else on this machine started is gone, or another one, by then.
const TRIES: u32 = 3;

/// How often and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Repetitions of each program.
    pub times: u32,
    /// Programs in flight.
    pub jobs: u32,
}

/// Starts an engine, sends every program through it, stops it, and looks at what is left after each.
pub fn run(programs: &Programs, load: Load) -> Result<Tally> {
    println!("xtask: corpus, {} time(s), {} at a time", load.times, load.jobs);
    let scratch = Scratch::new("corpus")?;
    let (cold, idle) = (scratch.path().join("cold"), scratch.path().join("idle"));
    snapshot(invariants("snap", &cold, None))?;
    let engine = Engine::start(programs)?;
    // The slots of a cgroup v1 host and the page cache are there after the first runs: what counts is growth after that.
    let warm_up =
        over_http(&engine, Load { times: 1, jobs: 2 }, &["argv_args.py".to_owned(), "fork_wait.c".to_owned()]);
    let mut tally = build::counted("corpus warm-up", warm_up)?;
    std::thread::sleep(Duration::from_secs(1));
    snapshot(invariants("snap", &idle, Some(engine.pid())))?;
    tally.add(build::counted("corpus", over_http(&engine, load, &names()?))?);
    let pid = engine.pid();
    tally.check("the host after the corpus", holds(|| invariants("diff", &idle, Some(pid))));
    let log = engine.log();
    tally.check("engined stops on SIGTERM", engine.stop());
    tally.check("nothing is left of it", holds(|| invariants("diff", &cold, None)));
    if !tally.failures().is_empty() {
        println!("xtask: what engined printed meanwhile:\n{}", tail(&log, 60));
    }
    Ok(tally)
}

/// `invariants.py` on the state kept in `file`; with the engine's pid it looks at the engine's own processes too.
fn invariants(verb: &str, file: &Path, pid: Option<u32>) -> Command {
    let mut command = build::python(build::root().join("corpus/invariants.py"));
    command.arg(verb).arg(file);
    if let Some(pid) = pid {
        command.args(["--pid", &pid.to_string()]);
    }
    command
}

fn over_http(engine: &Engine, load: Load, names: &[String]) -> Command {
    // More at once than cores wait for each other, and their answers are allowed to come that much later.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let scale = load.jobs.div_ceil(u32::try_from(cores).unwrap_or(u32::MAX)).max(1);
    let mut command = build::python(build::root().join("corpus/over_http.py"));
    for (option, value) in [("--jobs", load.jobs), ("--times", load.times), ("--scale", scale)] {
        command.args([option, &value.to_string()]);
    }
    command.arg(engine.base()).args(names);
    command
}

/// Every program that this engine has a language for.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in ["corpus/benign", "corpus/hostile"] {
        let folder = build::root().join(folder);
        let entries = fs::read_dir(&folder)
            .or_problem(format!("{} cannot be read", folder.display()), "git checkout -- corpus")?;
        for entry in entries {
            let path = entry.or_problem("the corpus cannot be listed", "git checkout -- corpus")?.path();
            if let (Some(name), Some(ending)) = (path.file_name(), path.extension())
                && ENDINGS.iter().any(|e| ending == *e)
            {
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn snapshot(mut command: Command) -> Result<()> {
    let status = command.status().or_problem("/usr/bin/python3 did not start", "cargo xtask setup")?;
    status
        .success()
        .then_some(())
        .ok_or(status)
        .or_problem("invariants.py snap failed", "run it as root and read its message")
}

/// Compares until nothing is wrong. A violation counts when each comparison has it: what is left of a run stays left.
fn holds(command: impl Fn() -> Command) -> std::result::Result<(), String> {
    let mut stubborn: Option<Vec<String>> = None;
    for _ in 0..TRIES {
        let output = command().stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(|e| e.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let earlier = stubborn.take();
        let still =
            |line: &&str| earlier.as_ref().is_none_or(|e| e.iter().any(|old| violation(old) == violation(line)));
        stubborn = Some(text.lines().filter(still).map(str::to_owned).collect());
        if stubborn.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
    }
    Err(stubborn.unwrap_or_default().join("; "))
}

/// What two comparisons of one violation have in common: a process is itself, a sum may have gone on growing.
fn violation(line: &str) -> &str {
    if line.starts_with("noproc: new process") {
        return line;
    }
    line.find(|c: char| c.is_ascii_digit()).map_or(line, |at| &line[..at])
}

/// The last `count` lines of `text`.
fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
