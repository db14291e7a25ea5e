//! What the engine costs against the bare toolchain, measured as fairly as we can.
//!
//! Bare is the very toolchain that the engine uses, by its absolute path, with default flags and a clean environment,
//! spawned by this small program (vfork, exec, wait): see [`bare`]. Each pair of a row is one bare and one ours, in
//! turn; what counts is the median of each. Sources of compiled programs are unique, so nothing can be cached.

mod bare;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::engine::{Engine, Scratch};
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;
use crate::{memory, setup, toolchains};
use bare::{Bare, HELLOS, Hello, unique};

const NOOP_C: &str = "int main(void) { return 0; }\n";
/// The pause before a measurement in the rows about idleness, for bare and ours alike.
const IDLE: Duration = Duration::from_secs(1);
/// Rows with a pause, and those of slow compilers, take long, so they have fewer pairs.
const SHARE: u32 = 4;
/// The pairs of a slow row, where fewer are not asked for.
const SLOW_LEAST: u32 = 20;
const MEMORY_LIMIT_KB: u64 = 40 << 10;

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    name: String,
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
    /// How busy the machine was when it began, as `/proc/loadavg` has it.
    pub load: String,
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
            "\nMemory at rest (PSS, all processes of the engine): {} kB, promised ≤ {MEMORY_LIMIT_KB} kB.\n\
             Load of the machine before it: {}.\n",
            self.pss_kb, self.load
        )
    }

    fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|r| json!({"name": r.name, "bare_us": r.bare_us, "ours_us": r.ours_us, "ratio": r.ratio(), "limit": r.limit, "pairs": r.pairs}))
            .collect();
        json!({"rows": rows, "pss_kb": self.pss_kb, "pss_limit_kb": MEMORY_LIMIT_KB, "load": self.load})
    }

    /// Each promise as a check.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for row in &self.rows {
            tally.check(&row.name, row.holds());
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
    let load = fs::read_to_string("/proc/loadavg").or_problem("/proc/loadavg", "mount -t proc proc /proc")?;
    let load = load.split(' ').take(3).collect::<Vec<_>>().join(" ");
    let engine = Engine::start(programs)?;
    std::thread::sleep(IDLE);
    let pss_kb = memory::pss_of_tree(engine.pid())?;
    let mut client = Client::connect(engine.port())?;
    let installed = toolchains::installed()?;
    let mut rows = Vec::new();
    for hello in &HELLOS {
        match toolchains::newest(&installed, hello.language, hello.version) {
            Some(toolchain) => rows.push(hello_row(hello, toolchain, &bare, &mut client, rounds)?),
            None if hello.optional => println!("xtask: skipped: {}: not installed here", hello.name),
            None => return Err(Problem::new(format!("{}: not installed here", hello.name), "cargo xtask setup")),
        }
    }
    let compiler = toolchains::newest(&installed, "c", None);
    let compiler = compiler.ok_or_else(|| Problem::new("no C compiler is installed here", "cargo xtask setup"))?;
    bare.prepare_noop(compiler, NOOP_C)?;
    let name = "C no-op, run step, back to back".to_owned();
    rows.push(pairs(name, 6.0, rounds, Duration::ZERO, |_| bare.noop(), |n| noop(&mut client, n))?);
    let name = "C no-op, run step, after 1 s of idleness".to_owned();
    let ours = |n| noop(&mut client, n + u64::from(rounds) * 2);
    rows.push(pairs(name, 6.0, (rounds / SHARE).max(5), IDLE, |_| bare.noop(), ours)?);
    engine.stop().or_problem("engined did not stop", "read its log")?;
    Ok(Figures { rows, pss_kb, load })
}

/// From the source to the answer through HTTP, against the bare toolchain from the same source to the program's end.
fn hello_row(
    hello: &Hello,
    toolchain: &toolchains::Installed,
    bare: &Bare,
    client: &mut Client,
    rounds: u32,
) -> Result<Row> {
    let rounds = if hello.slow { (rounds / SHARE).max(SLOW_LEAST.min(rounds)) } else { rounds };
    let ours = |n| {
        let mut request = json!({"language": hello.language, "source": hello.text(n)});
        if let Some(version) = hello.version {
            request["version"] = version.into();
        }
        let (answer, took) = client.execute(&request)?;
        let version = answer["language"]["version"].as_str().unwrap_or_default();
        if version != toolchain.version.to_string() {
            let what = format!("{}: the engine ran version {version}, bare is {}", hello.name, toolchain.version);
            return Err(Problem::new(what, "mend xtask/src/toolchains.rs"));
        }
        Ok(bare::micros(took))
    };
    let name = match hello.version {
        Some(_) => format!("{} ({})", hello.name, toolchain.version),
        None => hello.name.to_owned(),
    };
    pairs(name, hello.limit, rounds, Duration::ZERO, |n| bare.hello(hello, toolchain, n), ours)
}

/// What the engine says that setting up and running a program took which does nothing.
fn noop(client: &mut Client, n: u64) -> Result<u64> {
    let (answer, _) = client.execute(&json!({"language": "c", "source": unique(NOOP_C, n)}))?;
    let part = |name: &str| answer["timings"][name].as_u64();
    part("setup_us").zip(part("run_us")).map(|(setup, run)| setup + run).ok_or_else(|| {
        Problem::new(format!("the answer lacks setup_us or run_us: {answer}"), "read api-spec/README.md")
    })
}

fn pairs(
    name: String,
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
    let row = Row { name, bare_us: median(bares), ours_us: median(all_ours), limit, pairs };
    println!("xtask: {}: {:.2} times bare, {} pairs", row.name, row.ratio(), row.pairs);
    Ok(row)
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_kept_or_told() {
        let row = |ours_us| Row { name: "x".to_owned(), bare_us: 100, ours_us, limit: 2.0, pairs: 1 };
        assert!(row(200).holds().is_ok());
        assert_eq!(row(250).holds(), Err("2.50 times bare, promised 2".to_owned()));
        assert_eq!(median(vec![5, 1, 3]), 3);
    }
}
