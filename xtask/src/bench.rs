//! What the engine costs against the bare toolchain, measured as fairly as we can.
//!
//! Bare is the very toolchain binary that the engine uses, by its absolute path, with a clean environment, spawned by
//! this small program (vfork, exec, wait). Each pair of a row is one bare and one ours, in turn; what counts is the
//! median of each. Sources of compiled programs are unique, so nothing can be cached.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::engine::{Engine, Scratch};
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;
use crate::{memory, setup};

const PYTHON: &str = "/usr/bin/python3";
const GCC: &str = "/usr/bin/gcc";
const HELLO_C: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";
const NOOP_C: &str = "int main(void) { return 0; }\n";
/// The pause before a measurement in the rows about idleness, for bare and ours alike.
const IDLE: Duration = Duration::from_secs(1);
/// Rows with a pause take long, so they have fewer pairs.
const IDLE_SHARE: u32 = 4;
const MEMORY_LIMIT_KB: u64 = 40 << 10;

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    name: &'static str,
    bare_us: u64,
    ours_us: u64,
    /// The most times bare that ours may take.
    limit: f64,
    pairs: usize,
}

impl Row {
    fn ratio(&self) -> f64 {
        // Medians of some microseconds to seconds: exact as f64.
        let exact = |us: u64| f64::from(u32::try_from(us).unwrap_or(u32::MAX));
        exact(self.ours_us) / exact(self.bare_us.max(1))
    }

    fn holds(&self) -> std::result::Result<(), String> {
        let ratio = self.ratio();
        if ratio <= self.limit { Ok(()) } else { Err(format!("{ratio:.2} times bare, promised {}", self.limit)) }
    }
}

/// All that one measurement gives.
#[derive(Debug)]
pub struct Figures {
    /// Times against bare.
    pub rows: Vec<Row>,
    /// PSS of all processes of the engine at rest.
    pub pss_kb: u64,
}

impl Figures {
    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut text = "| row | bare, µs | ours, µs | times bare | promised | pairs |\n".to_owned();
        text += "| --- | ---: | ---: | ---: | ---: | ---: |\n";
        for r in &self.rows {
            let ratio = r.ratio();
            let Row { name, bare_us, ours_us, limit, pairs, .. } = r;
            text += &format!("| {name} | {bare_us} | {ours_us} | {ratio:.2} | ≤ {limit} | {pairs} |\n");
        }
        text + &format!(
            "\nMemory at rest (PSS, all processes of the engine): {} kB, promised ≤ {MEMORY_LIMIT_KB} kB\n",
            self.pss_kb
        )
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|r| json!({"name": r.name, "bare_us": r.bare_us, "ours_us": r.ours_us, "ratio": r.ratio(), "limit": r.limit, "pairs": r.pairs}))
            .collect();
        json!({"rows": rows, "pss_kb": self.pss_kb, "pss_limit_kb": MEMORY_LIMIT_KB})
    }

    /// Each promise as a check.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for row in &self.rows {
            tally.check(row.name, row.holds());
        }
        let light = self.pss_kb <= MEMORY_LIMIT_KB;
        tally.check("memory at rest", light.then_some(()).ok_or_else(|| format!("{} kB", self.pss_kb)));
        tally
    }
}

/// `cargo xtask bench`.
pub fn run(rounds: u32, file: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    let figures = measure(&build::release()?, rounds)?;
    println!("{}\n{}", figures.table(), figures.json());
    if let Some(file) = file {
        fs::write(file, format!("{:#}\n", figures.json()))
            .or_problem(file.display().to_string(), "name another file")?;
    }
    Ok(figures.tally())
}

/// Measures every row on an engine of its own.
pub fn measure(programs: &Programs, rounds: u32) -> Result<Figures> {
    let scratch = Scratch::new("bench")?;
    let bare = Bare { folder: scratch.path() };
    let engine = Engine::start(programs)?;
    std::thread::sleep(IDLE);
    let pss_kb = memory::pss_of_tree(engine.pid())?;
    let mut client = Client::connect(engine.port())?;
    let idle_rounds = (rounds / IDLE_SHARE).max(5);
    let noop = |client: &mut Client, n: u64| -> Result<u64> {
        let (answer, _) = client.execute(&json!({"language": "c", "source": unique(NOOP_C, n)}))?;
        let part = |name: &str| answer["timings"][name].as_u64();
        part("setup_us").zip(part("run_us")).map(|(setup, run)| setup + run).ok_or_else(|| {
            Problem::new(format!("the answer lacks setup_us or run_us: {answer}"), "read api-spec/README.md")
        })
    };
    let rows = vec![
        pairs(
            "Python hello, source to answer",
            2.0,
            rounds,
            Duration::ZERO,
            |_| bare.python(),
            |_| {
                let (_, took) = client.execute(&json!({"language": "python", "source": "print('hello')\n"}))?;
                Ok(micros(took))
            },
        )?,
        pairs(
            "C hello, compile and run",
            1.6,
            rounds,
            Duration::ZERO,
            |n| bare.compile_and_run(n),
            |n| {
                let (_, took) = client.execute(&json!({"language": "c", "source": unique(HELLO_C, n)}))?;
                Ok(micros(took))
            },
        )?,
        pairs(
            "C no-op, run step, back to back",
            6.0,
            rounds,
            Duration::ZERO,
            |_| bare.noop(),
            |n| noop(&mut client, n),
        )?,
        pairs(
            "C no-op, run step, after 1 s of idleness",
            6.0,
            idle_rounds,
            IDLE,
            |_| bare.noop(),
            |n| noop(&mut client, n + u64::from(rounds)),
        )?,
    ];
    engine.stop().or_problem("engined did not stop", "read its log")?;
    Ok(Figures { rows, pss_kb })
}

fn pairs(
    name: &'static str,
    limit: f64,
    rounds: u32,
    pause: Duration,
    mut bare: impl FnMut(u64) -> Result<u64>,
    mut ours: impl FnMut(u64) -> Result<u64>,
) -> Result<Row> {
    let (mut bares, mut all_ours) = (Vec::new(), Vec::new());
    // The first pairs fill caches and are not counted.
    for n in 0..u64::from(rounds) + 3 {
        std::thread::sleep(pause);
        let one = bare(n)?;
        std::thread::sleep(pause);
        let other = ours(n)?;
        if n >= 3 {
            bares.push(one);
            all_ours.push(other);
        }
    }
    let pairs = bares.len();
    Ok(Row { name, bare_us: median(bares), ours_us: median(all_ours), limit, pairs })
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// The same program under another text. The number of this process keeps two measurements apart.
fn unique(source: &str, n: u64) -> String {
    format!("// {} {n}\n{source}", std::process::id())
}

/// The toolchains without us.
struct Bare<'a> {
    folder: &'a Path,
}

impl Bare<'_> {
    fn python(&self) -> Result<u64> {
        self.write("main.py", "print('hello')\n")?;
        self.spawn(PYTHON, &["main.py"])
    }

    fn compile_and_run(&self, n: u64) -> Result<u64> {
        self.write("main.c", &unique(HELLO_C, n))?;
        Ok(self.spawn(GCC, &["-O2", "-o", "hello", "main.c"])? + self.spawn("./hello", &[])?)
    }

    fn noop(&self) -> Result<u64> {
        if !self.folder.join("noop").exists() {
            self.write("noop.c", NOOP_C)?;
            self.spawn(GCC, &["-O2", "-o", "noop", "noop.c"])?;
        }
        self.spawn("./noop", &[])
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.folder.join(name), text).or_problem("the source cannot be written", "free some disk")
    }

    fn spawn(&self, program: &str, args: &[&str]) -> Result<u64> {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let start = Instant::now();
        let status = command.status().or_problem(format!("{program} did not start"), "cargo xtask setup")?;
        let took = micros(start.elapsed());
        if status.success() {
            Ok(took)
        } else {
            Err(Problem::new(format!("{program} failed: {status}"), "run it by hand"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_or_told() {
        let row = |ours_us| Row { name: "x", bare_us: 100, ours_us, limit: 2.0, pairs: 1 };
        assert!(row(200).holds().is_ok());
        assert_eq!(row(250).holds(), Err("2.50 times bare, promised 2".to_owned()));
        assert_eq!(median(vec![5, 1, 3]), 3);
        assert_ne!(unique(NOOP_C, 1), unique(NOOP_C, 2));
    }
}
