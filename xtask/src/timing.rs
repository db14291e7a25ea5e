//! `cargo xtask timing`: whether a grader can trust the CPU time of a result.
//!
//! A program that computes for about one second runs alone, and again while every slot runs the same; the medians of the
//! two must be within 5 % of each other when runs are pinned. A program that waits for memory is measured beside it and
//! only reported: all cores share the memory, whatever is pinned. So are both programs on an engine that does not pin, and
//! without any engine (`taskset`), which tells what the machine itself does. The measurements take turns, so that whatever
//! else the machine has to do meets all of them.

mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::engine::Scratch;
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::served::Served;
use crate::tally::Tally;
use crate::{prove, setup, toolchains};
use figures::{Figures, Row, Sample};

const SOURCE: &str = include_str!("timing/spend.c");
const PINNED: &str = "pin = \"cores\"\n";
/// Medians are of so many where nothing else is asked for.
pub const ROUNDS: u32 = 30;
/// What each run is to cost by itself, roughly.
const WANTED_US: u64 = 1_000_000;
const KINDS: [Kind; 2] = [Kind::Compute, Kind::Memory];
const REMEDY: &str = "target/release/engined doctor";

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Compute,
    Memory,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Compute => "compute",
            Kind::Memory => "memory",
        }
    }

    /// A first guess at how many steps are a second.
    fn guess(self) -> u64 {
        match self {
            Kind::Compute => 300_000_000,
            Kind::Memory => 5_000_000,
        }
    }
}

/// What runs the programs.
enum Runner {
    /// Nothing but `taskset`, on these CPUs.
    Bare { program: PathBuf, cpus: Vec<String> },
    /// An engine, by so many connections.
    Engine { name: &'static str, served: Box<Served>, clients: Vec<Client> },
}

/// What `cargo xtask timing` is asked for.
#[derive(Debug)]
pub struct Wish<'a> {
    /// How often each is measured.
    pub rounds: u32,
    /// Where the figures go, as JSON.
    pub json: Option<&'a Path>,
    /// Whether `reports/timing-DATE.md` is written.
    pub report: bool,
    /// Where both programs are, instead of a release build.
    pub programs: Option<&'a Path>,
}

/// `cargo xtask timing`.
pub fn run(wish: &Wish<'_>) -> Result<Tally> {
    setup::ensure()?;
    let programs = match wish.programs {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => build::release()?,
    };
    let figures = measure(&programs, wish.rounds)?;
    println!("{}\n{}", figures.table(), figures.json());
    if let Some(file) = wish.json {
        fs::write(file, format!("{:#}\n", figures.json()))
            .or_problem(file.display().to_string(), "name another file")?;
    }
    if wish.report {
        let date = prove::said("date", &["-u", "+%Y-%m-%d"]);
        let file = build::root().join(format!("reports/timing-{date}.md"));
        let head = format!(
            "# CPU time, alone and with all slots busy, {}\n\n{}- command: `cargo xtask timing --rounds {} --report`\n",
            prove::said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            prove::facts(&programs),
            wish.rounds
        );
        fs::write(&file, head + &figures.report()).or_problem(file.display().to_string(), "make reports/ writable")?;
        println!("xtask: written to {}", file.display());
    }
    Ok(figures.tally())
}

/// Measures everything, in turn.
pub fn measure(programs: &Programs, rounds: u32) -> Result<Figures> {
    let scratch = Scratch::new("timing")?;
    let pinned = Served::start_with(programs, Some(PINNED))?;
    let (cpus, pinning) = pinning(&pinned.log())?;
    if cpus.len() < 2 {
        return Err(Problem::new(format!("one core ({pinning}) can't be busy beside itself"), "use a larger machine"));
    }
    let free = Served::start_with(programs, Some(&format!("slots = {}\n", cpus.len())))?;
    let program = bare(scratch.path())?;
    let runners = [
        Runner::Bare { program, cpus: cpus.clone() },
        Runner::engine("pinned", pinned, cpus.len())?,
        Runner::engine("not pinned", free, cpus.len())?,
    ];
    let [steps_compute, steps_memory] = KINDS.map(|kind| calibrate(&runners[0], kind));
    let steps = [steps_compute?, steps_memory?];
    let mut runners = runners;
    let mut rows: Vec<Row> = Vec::new();
    for runner in &runners {
        rows.extend(KINDS.map(|kind| Row::new(runner.name(), kind.word(), kind == Kind::Compute)));
    }
    let (load, stolen) = (figures::load()?, figures::stolen_ticks()?);
    for round in 1..=rounds {
        let mut rows = rows.iter_mut();
        for runner in &mut runners {
            for (kind, steps) in KINDS.into_iter().zip(steps) {
                let Some(row) = rows.next() else { continue };
                row.alone.extend(runner.run(kind, steps, 1)?);
                row.busy.extend(runner.run(kind, steps, cpus.len())?);
            }
        }
        println!("xtask: round {round} of {rounds}");
    }
    let stolen = figures::stolen_ticks()?.saturating_sub(stolen);
    for runner in runners {
        if let Runner::Engine { name, served, .. } = runner {
            served.stop().or_problem(format!("the engine ({name}) did not stop"), "read its log")?;
        }
    }
    Ok(Figures { rows, slots: cpus.len(), pinning, load, stolen })
}

/// What jaild says of its CPUs when it is ready: one per slot, and the whole of it.
fn pinning(log: &str) -> Result<(Vec<String>, String)> {
    let told = log.lines().find_map(|line| line.split_once("runs pinned to CPU ").map(|(_, rest)| rest));
    let told = told.ok_or_else(|| Problem::new(format!("jaild does not say where runs are pinned:\n{log}"), REMEDY))?;
    let sets = told.split(" (").next().unwrap_or_default();
    Ok((sets.split(" | ").map(str::to_owned).collect(), told.to_owned()))
}

/// Compiles the program with the compiler that the engine uses, and its flags.
fn bare(folder: &Path) -> Result<PathBuf> {
    let installed = toolchains::installed()?;
    let compiler = toolchains::newest(&installed, "c", None);
    let compiler = compiler.ok_or_else(|| Problem::new("no C compiler is installed here", "cargo xtask setup"))?;
    let (source, program) = (folder.join("spend.c"), folder.join("spend"));
    fs::write(&source, SOURCE).or_problem(source.display().to_string(), "free some disk")?;
    let status = Command::new(compiler.program()).arg("-O2").arg("-o").arg(&program).arg(&source).status();
    let status = status.or_problem("the C compiler did not start", "cargo xtask setup")?;
    if status.success() { Ok(program) } else { Err(Problem::new("spend.c does not compile", "read the message above")) }
}

/// How many steps are about a second here.
fn calibrate(runner: &Runner, kind: Kind) -> Result<u64> {
    let Runner::Bare { program, cpus } = runner else {
        return Err(Problem::new("only the bare program is calibrated", "mend xtask/src/timing.rs"));
    };
    let mut steps = kind.guess();
    for _ in 0..2 {
        let sample = bare_runs(program, &cpus[..1], kind, steps)?;
        let cost = sample.first().map_or(WANTED_US, |sample| sample.cpu_us.max(1));
        steps = u64::try_from(u128::from(steps) * u128::from(WANTED_US) / u128::from(cost)).unwrap_or(steps);
    }
    Ok(steps)
}

/// One program on each of the CPUs, at once.
fn bare_runs(program: &Path, cpus: &[String], kind: Kind, steps: u64) -> Result<Vec<Sample>> {
    let start = |cpu: &String| {
        let mut command = Command::new("taskset");
        command.args(["-c", cpu]).arg(program).args([kind.word(), &steps.to_string()]);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
    };
    let children: Vec<_> = cpus.iter().map(start).collect();
    let end = |child: std::io::Result<std::process::Child>| {
        let output = child.and_then(std::process::Child::wait_with_output);
        let output = output.or_problem("taskset did not start", "apt-get install util-linux")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [cpu_us, wall_us, switches, _] => Ok(Sample { cpu_us, wall_us, throttled_us: 0, switches }),
            _ => Err(Problem::new(format!("spend said {text:?} ({})", output.status), "mend xtask/src/timing/spend.c")),
        }
    };
    // All are waited for, also when one has failed.
    let ends: Vec<Result<Sample>> = children.into_iter().map(end).collect();
    ends.into_iter().collect()
}

impl Runner {
    fn engine(name: &'static str, served: Served, many: usize) -> Result<Self> {
        let port = served.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.ok_or_else(|| Problem::new(format!("{} has no port", served.address), REMEDY))?;
        let connect = |_| Client::connect(port).map(|client| client.with_token(&served.token));
        let clients = (0..many).map(connect).collect::<Result<Vec<Client>>>()?;
        Ok(Runner::Engine { name, served: Box::new(served), clients })
    }

    fn name(&self) -> &'static str {
        match self {
            Runner::Bare { .. } => "no engine, taskset",
            Runner::Engine { name, .. } => name,
        }
    }

    /// So many at once.
    fn run(&mut self, kind: Kind, steps: u64, many: usize) -> Result<Vec<Sample>> {
        match self {
            Runner::Bare { program, cpus } => bare_runs(program, &cpus[..many], kind, steps),
            Runner::Engine { clients, .. } => {
                let request = json!({
                    "language": "c", "source": SOURCE, "args": [kind.word(), steps.to_string()],
                    "limits": {"cpu_time_ms": 30_000, "wall_time_ms": 60_000, "memory_bytes": 512 << 20, "cpus": 1.0},
                });
                at_once(&mut clients[..many], &request)
            }
        }
    }
}

fn at_once(clients: &mut [Client], request: &Value) -> Result<Vec<Sample>> {
    thread::scope(|scope| {
        let asked: Vec<_> = clients.iter_mut().map(|client| scope.spawn(move || one(client, request))).collect();
        let answers = asked.into_iter().map(|thread| {
            let lost = |_| Problem::new("a client's thread panicked", "run it again");
            thread.join().map_err(lost).and_then(|answer| answer)
        });
        answers.collect()
    })
}

fn one(client: &mut Client, request: &Value) -> Result<Sample> {
    let (answer, _) = client.execute(request)?;
    let usage = &answer["run"]["usage"];
    let number = |name: &str| {
        usage[name].as_u64().ok_or_else(|| Problem::new(format!("the answer lacks {name}: {answer}"), REMEDY))
    };
    Ok(Sample {
        cpu_us: number("cpu_time_us")?,
        wall_us: number("wall_time_us")?,
        throttled_us: number("throttled_us")?,
        switches: number("involuntary_switches")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpus_are_read_from_what_jaild_says() {
        let log = "jaild ready: 2 slots, 8 profiles, runs pinned to CPU 1 | 2-3 (cpuset), the engine's own on 0\n";
        let (cpus, told) = pinning(log).unwrap();
        assert_eq!(cpus, ["1", "2-3"]);
        assert_eq!(told, "1 | 2-3 (cpuset), the engine's own on 0");
        assert!(pinning("jaild ready: 2 slots, 8 profiles\n").is_err());
    }
}
