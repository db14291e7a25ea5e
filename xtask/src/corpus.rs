//! Sends the programs of `corpus/` to a live engine and compares the host before and after.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::engine::{Engine, Scratch};
use crate::http::Client;
use crate::numpy;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// The folders of programs below `corpus/`: honest ones, attacks, and what each language means.
pub const FOLDERS: [&str; 3] = ["benign", "hostile", "semantics"];
/// The languages of the corpus, as file endings and by name.
pub const LANGUAGES: [(&str, &str); 5] =
    [("py", "Python"), ("js", "JavaScript"), ("c", "C"), ("cpp", "C++"), ("java", "Java")];
/// A process that somebody else on this machine started is gone, or another one, by then.
const TRIES: u32 = 3;

/// The folder of attacks.
const HOSTILE: &[&str] = &["hostile"];

/// How many of the attacks that cost their neighbours most are told.
const WORST: usize = 5;

/// Which programs, how often and how many at once.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Some of [`FOLDERS`].
    pub folders: &'static [&'static str],
    /// Repetitions of each program.
    pub times: u32,
    /// Programs in flight.
    pub jobs: u32,
    /// One in so many of the programs, by their names.
    pub one_in: usize,
}

/// Starts an engine, sends every load through it, stops it, and looks at what is left after each.
pub fn run(programs: &Programs, loads: &[Load]) -> Result<Tally> {
    run_with(programs, loads, &[])
}

/// What makes runs faster and must not make them less safe, each switched off.
pub const WITHOUT: [(&str, [&str; 2]); 3] =
    [("stock", ["--stock", "off"]), ("tuning", ["--tuning", "off"]), ("cache", ["--cache", "off"])];

/// The same through an engine with more options.
pub fn run_with(programs: &Programs, loads: &[Load], options: &[&str]) -> Result<Tally> {
    through(programs, options, |engine| {
        let mut tally = Tally::default();
        for load in loads {
            tally.add(send(engine, *load)?);
        }
        Ok(tally)
    })
}

/// Runs each attack next to honest programs, which must stay right and at most twice as slow as alone. With it comes
/// a table of the attacks that cost their neighbours most.
pub fn beside(programs: &Programs) -> Result<(Tally, String)> {
    let scratch = Scratch::new("beside")?;
    let file = scratch.path().join("beside.json");
    let tally = through(programs, &[], |engine| {
        println!("xtask: corpus, beside an honest program: {}", counts(HOSTILE)?);
        let mut command = over_http(engine, Load { folders: HOSTILE, times: 1, jobs: 1, one_in: 1 }, &[]);
        command.arg("--beside").arg("--json").arg(&file);
        build::counted("corpus, beside an honest program", command)
    })?;
    let text = fs::read_to_string(&file).or_problem(file.display().to_string(), "see what over_http.py printed")?;
    let seen: Vec<Value> = serde_json::from_str(&text).or_problem(file.display().to_string(), "run it again")?;
    Ok((tally, neighbours(seen)))
}

/// The attacks beside which an honest program was slowest.
fn neighbours(mut seen: Vec<Value>) -> String {
    let ratio = |program: &Value| program["ratio"].as_f64().unwrap_or(0.0);
    seen.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)));
    let mut table = "| attack | times slower |\n| --- | ---: |\n".to_owned();
    for program in seen.iter().take(WORST) {
        table += &format!("| {} | {:.2} |\n", program["name"].as_str().unwrap_or("?"), ratio(program));
    }
    table
}

/// What `work` tells of a live engine, and what is left of it on the host.
fn through(programs: &Programs, options: &[&str], work: impl FnOnce(&Engine) -> Result<Tally>) -> Result<Tally> {
    let scratch = Scratch::new("corpus")?;
    let (cold, idle) = (scratch.path().join("cold"), scratch.path().join("idle"));
    let manifests = scratch.path().join("languages");
    fs::create_dir(&manifests).or_problem(manifests.display().to_string(), "free some disk")?;
    let numpy = numpy::offer(&manifests)?;
    snapshot(invariants("snap", &cold, None))?;
    let engine = Engine::start_with(programs, Some(&manifests), options)?;
    // The slots of a cgroup v1 host and the page cache are there after the first runs: growth after that counts.
    let warm = Load { folders: &["benign"], times: 1, jobs: 2, one_in: 1 };
    let warm_up = ["argv_args.py", "fork_wait.c"].map(str::to_owned);
    let mut tally = build::counted("corpus warm-up", over_http(&engine, warm, &warm_up))?;
    if numpy {
        // The program of the corpus passes without NumPy too, so that it can be run anywhere.
        tally.check("NumPy from its environment", has_numpy(&engine).map_err(|problem| problem.to_string()));
    }
    std::thread::sleep(Duration::from_secs(1));
    snapshot(invariants("snap", &idle, Some(&engine)))?;
    tally.add(work(&engine)?);
    tally.check("the host after the corpus", holds(|| invariants("diff", &idle, Some(&engine))));
    let log = engine.log();
    tally.check("engined stops on SIGTERM", engine.stop());
    tally.check("nothing is left of it", holds(|| invariants("diff", &cold, None)));
    if !tally.failures().is_empty() {
        println!("xtask: what engined printed meanwhile:\n{}", tail(&log, 60));
    }
    Ok(tally)
}

/// One load, with what it was in numbers.
fn send(engine: &Engine, load: Load) -> Result<Tally> {
    let Load { folders, times, jobs, one_in } = load;
    println!("xtask: corpus, {times} time(s), {jobs} at a time, one in {one_in} of {}", counts(folders)?);
    let begun = Instant::now();
    let names = if one_in > 1 { names(folders)?.into_iter().step_by(one_in).collect() } else { Vec::new() };
    let tally = build::counted("corpus", over_http(engine, load, &names))?;
    println!("xtask: corpus, {}: {} s", folders.join(" and "), begun.elapsed().as_secs());
    Ok(tally)
}

fn has_numpy(engine: &Engine) -> Result<()> {
    let source = "import numpy\nprint(numpy.__version__)\n";
    let limits = json!({"cpu_time_ms": 30_000, "wall_time_ms": 60_000});
    let request = json!({"language": "python", "source": source, "limits": limits});
    let (answer, _) = Client::connect(engine.port())?.execute(&request)?;
    println!("xtask: NumPy {}", answer["run"]["stdout"]["text"].as_str().unwrap_or_default().trim());
    Ok(())
}

/// `invariants.py` on the state kept in `file`; with an engine it looks at the engine's own processes too, and leaves
/// out what the engine keeps on purpose.
fn invariants(verb: &str, file: &Path, engine: Option<&Engine>) -> Command {
    let mut command = build::python(build::root().join("corpus/invariants.py"));
    command.arg(verb).arg(file);
    if let Some(engine) = engine {
        command.args(["--pid", &engine.pid().to_string(), "--kept"]).arg(engine.state());
    }
    command
}

/// `over_http.py` with the programs of `names`, or all of the load's folders when that is empty.
fn over_http(engine: &Engine, load: Load, names: &[String]) -> Command {
    // More at once than cores wait for each other, and their answers are allowed to come that much later.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let scale = load.jobs.div_ceil(u32::try_from(cores).unwrap_or(u32::MAX)).max(1);
    let mut command = build::python(build::root().join("corpus/over_http.py"));
    for (option, value) in [("--jobs", load.jobs), ("--times", load.times), ("--scale", scale)] {
        command.args([option, &value.to_string()]);
    }
    for folder in load.folders {
        command.arg("--dir").arg(build::root().join("corpus").join(folder));
    }
    command.arg(engine.base()).args(names);
    command
}

/// The programs of these folders, in the order of their names.
fn names(folders: &[&str]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for folder in folders {
        let folder = build::root().join("corpus").join(folder);
        for entry in fs::read_dir(&folder).or_problem(folder.display().to_string(), "git checkout -- corpus")? {
            let entry = entry.or_problem(folder.display().to_string(), "git checkout -- corpus")?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// How many programs each language has in a folder, in the order of [`LANGUAGES`].
pub fn census(folder: &str) -> Result<Vec<usize>> {
    let folder = build::root().join("corpus").join(folder);
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for entry in fs::read_dir(&folder).or_problem(unreadable(), "git checkout -- corpus")? {
        let path = entry.or_problem(unreadable(), "git checkout -- corpus")?.path();
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        *found.entry(ending).or_default() += 1;
    }
    let known = |ending: &String| LANGUAGES.iter().any(|(known, _)| known == ending);
    if let Some(stranger) = found.keys().find(|ending| !known(ending)) {
        let what = format!("{} holds a program that ends with {stranger:?}, which no language has", folder.display());
        return Err(Problem::new(what, "remove it, or name its language in xtask/src/corpus.rs"));
    }
    Ok(LANGUAGES.iter().map(|(ending, _)| found.get(*ending).copied().unwrap_or(0)).collect())
}

/// `65 benign and 120 hostile: 50 Python, 8 JavaScript, …`.
fn counts(folders: &[&str]) -> Result<String> {
    let mut sums = [0; LANGUAGES.len()];
    let mut told = Vec::new();
    for folder in folders {
        let found = census(folder)?;
        told.push(format!("{} {folder}", found.iter().sum::<usize>()));
        sums.iter_mut().zip(found).for_each(|(sum, more)| *sum += more);
    }
    let each: Vec<String> = sums.iter().zip(LANGUAGES).map(|(sum, (_, name))| format!("{sum} {name}")).collect();
    Ok(format!("{}: {}", told.join(" and "), each.join(", ")))
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
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attack_that_costs_most_comes_first() {
        let seen = json!([{"name": "a.c", "ratio": 1.04}, {"name": "b.py", "ratio": 1.5}]);
        let table = neighbours(seen.as_array().unwrap().clone());
        assert_eq!(table, "| attack | times slower |\n| --- | ---: |\n| b.py | 1.50 |\n| a.c | 1.04 |\n");
    }

    #[test]
    fn what_holds_an_attack_has_a_name() {
        let parts = ["output_cap", "meter", "collector", "init", "verdict", "api"];
        for entry in fs::read_dir(build::root().join("corpus/hostile")).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            let named = text.lines().find_map(|line| line.split_once(" @layer ")).map(|(_, named)| named);
            let named = named.unwrap_or_else(|| panic!("{} has no @layer", path.display()));
            for name in named.split(", ").map(|name| name.replace(' ', "_")) {
                assert!(
                    jail::spec::Layer::from_name(&name).is_some() || parts.contains(&name.as_str()),
                    "{}: {name:?} is no layer",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn the_corpus_has_what_the_issues_promise() {
        let sums = FOLDERS.map(|folder| census(folder).unwrap());
        let [honest, attacks] = [&sums[0], &sums[1]].map(|sum| sum.iter().sum::<usize>());
        assert!(honest >= 65 && attacks >= 120, "{sums:?}");
        // At least 25 programs tell what each language means.
        assert!(sums[2].iter().all(|count| *count >= 25), "{sums:?}");
        assert!(counts(&FOLDERS).unwrap().starts_with(&format!("{honest} benign and {attacks} hostile and ")));
    }
}
