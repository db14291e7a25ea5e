//! Judges `corpus/problems` by a live engine: every submission must get the verdict that its folder is named by.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::build::{self, Programs};
use crate::engine::{Engine, Scratch};
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// What has every core busy for a while, as somebody's program at a console would.
const BUSY: &str = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end:\n    pass\n";
/// Connections that send it, and pause as long as each has taken: a slot of two is busy with them, and batches have the other.
/// More would have all slots, but for every ninth grant.
const CALLERS: usize = 2;

/// How they are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// One problem after another.
    Nothing,
    /// All problems at once.
    Others,
    /// All problems at once, and interactive runs all the time.
    Load,
}

/// Three times in a row, alone and under full load.
pub const THOROUGHLY: [Beside; 6] =
    [Beside::Load, Beside::Load, Beside::Load, Beside::Nothing, Beside::Nothing, Beside::Nothing];

/// Judges every problem, in each of these ways.
///
/// # Errors
/// When there is no engine to be had.
pub fn run(programs: &Programs, ways: &[Beside]) -> Result<Tally> {
    let problems = problems()?;
    let scratch = Scratch::new("problems")?;
    let engine = Engine::start(programs)?;
    let mut tally = Tally::default();
    for (time, way) in ways.iter().enumerate() {
        println!("xtask: {} problems, beside {way:?} ({} of {})", problems.len(), time + 1, ways.len());
        let out = |problem: &Path| scratch.path().join(format!("{time}-{}", name(problem)));
        let begin = |problem: &Path| begin(programs, &engine, problem, &out(problem));
        match way {
            Beside::Nothing => {
                for problem in &problems {
                    judged(&mut tally, problem, begin(problem)?, &out(problem));
                }
            }
            Beside::Others => together(&mut tally, &problems, begin, out)?,
            Beside::Load => {
                let over = AtomicBool::new(false);
                std::thread::scope(|scope| {
                    let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| call(engine.port(), &over))).collect();
                    let done = together(&mut tally, &problems, begin, out);
                    over.store(true, Ordering::Relaxed);
                    for caller in callers {
                        let answered =
                            caller.join().unwrap_or_else(|_| Err(Problem::new("a caller panicked", "see above")));
                        tally.check("interactive runs beside batches", answered.map_err(|problem| problem.to_string()));
                    }
                    done
                })?;
            }
        }
    }
    tally.check("engined stops on SIGTERM", engine.stop());
    Ok(tally)
}

/// The folders, with all tests made that are made by a program.
fn problems() -> Result<Vec<PathBuf>> {
    let root = build::root().join("corpus/problems");
    let entries = fs::read_dir(&root).or_problem(root.display().to_string(), "git status corpus")?;
    let mut problems: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("submissions").is_dir())
        .collect();
    problems.sort();
    for problem in &problems {
        let maker = problem.join("tests/generate.py");
        if maker.exists() {
            let status = Command::new("/usr/bin/python3").arg(&maker).status();
            let made = status.or_problem("python3 did not start", "cargo xtask setup")?.success();
            if !made {
                return Err(Problem::new(format!("{} failed", maker.display()), "run it by hand"));
            }
        }
    }
    Ok(problems)
}

fn name(problem: &Path) -> String {
    problem.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn begin(programs: &Programs, engine: &Engine, problem: &Path, out: &Path) -> Result<Child> {
    fs::create_dir_all(out).or_problem(out.display().to_string(), "free some disk")?;
    let log = File::create(out.join("log")).or_problem("no log can be written", "free some disk")?;
    let errors = log.try_clone().or_problem("no log can be written", "ulimit -n 1024")?;
    let mut command = Command::new(&programs.engined);
    command.arg("batch").arg(problem).args(["--labels", "--again", "--server", &engine.base(), "--out"]).arg(out);
    let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
    child.or_problem("engined batch did not start", "cargo build --release")
}

fn together(
    tally: &mut Tally,
    problems: &[PathBuf],
    begin: impl Fn(&Path) -> Result<Child>,
    out: impl Fn(&Path) -> PathBuf,
) -> Result<()> {
    let children: Vec<Child> = problems.iter().map(|problem| begin(problem)).collect::<Result<_>>()?;
    for (problem, child) in problems.iter().zip(children) {
        judged(tally, problem, child, &out(problem));
    }
    Ok(())
}

/// One check for each submission is what it says itself; what differs is told.
fn judged(tally: &mut Tally, problem: &Path, mut child: Child, out: &Path) {
    let ended = child.wait();
    let mut log = String::new();
    let read = File::open(out.join("log")).and_then(|mut file| file.read_to_string(&mut log));
    let outcome = match (ended, read) {
        (Ok(status), Ok(_)) if status.success() => Ok(()),
        (Ok(status), Ok(_)) => {
            let table = log.lines().filter(|line| !line.starts_with("engined: ") || !line.contains(" results"));
            Err(format!("engined batch ended with {status}:\n{}", table.collect::<Vec<_>>().join("\n")))
        }
        (Err(cause), _) | (_, Err(cause)) => Err(cause.to_string()),
    };
    if let (Ok(()), Some(line)) = (&outcome, log.lines().rfind(|line| line.contains("as labelled"))) {
        println!("xtask: {}: {line}", name(problem));
    }
    tally.check(&format!("problem {}", name(problem)), outcome);
}

fn call(port: u16, over: &AtomicBool) -> Result<()> {
    let mut client = Client::connect(port)?;
    while !over.load(Ordering::Relaxed) {
        let (_, took) = client.execute(&json!({"language": "python", "source": BUSY}))?;
        std::thread::sleep(took);
    }
    Ok(())
}
