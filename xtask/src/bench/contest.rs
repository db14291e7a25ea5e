//! Who takes part in which row: bare, the engine by its ways, and the peers.

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::load::{self, Client as LoadClient, Crowd, Level};
use super::peers::{Peer, Stage};
use super::plan::Plan;
use super::programs::{HELLOS, NOOP, PYTHON, Placed, toolchain};
use super::row::{BARE, Bar, Row};
use super::server::Server;
use super::spawn::{Spawn, micros};
use super::turns::{self, Entrant, Turns};
use crate::http::Client;
use crate::problem::{Problem, Result};
use crate::toolchains::{self, Installed};

/// Nothing ahead of time, nothing kept: everything is done when the request comes.
pub const COLD: &str = "engined, cold";
/// As delivered, with a source that it has never seen.
pub const ARMED: &str = "engined, armed";
/// As delivered, with a source that it has compiled before.
pub const CACHED: &str = "engined, cached";

/// The bars of the rows that are not of one program.
const IDLE_BAR: f64 = 3.5;
const RATE_BAR: f64 = 0.20;
const RATE_CLIENTS: usize = 4;
/// The pause before a measurement in the rows about idleness, for bare and ours alike.
const IDLE: Duration = Duration::from_secs(1);
/// After a run that may have begun to make something anew: until nothing has been done for so long, at most so long.
const QUIET: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(3));

/// A number that no request had before.
fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Everybody, and how long it may take.
#[derive(Debug)]
pub struct Contest<'a> {
    /// How often.
    pub plan: Plan,
    /// Where the programs lie.
    pub top: &'a Path,
    /// Where the peers have theirs.
    pub stage: &'a Stage,
    /// The engine without what makes it fast.
    pub cold: Option<&'a Server>,
    /// The engine.
    pub armed: &'a Server,
    /// Those that work here.
    pub peers: &'a [Peer],
}

/// All rows.
#[derive(Debug, Default)]
pub struct Results {
    /// How long one takes.
    pub rows: Vec<Row>,
    /// How many there are per second.
    pub levels: Vec<Level>,
}

impl Contest<'_> {
    /// Measures every row, the fastest first.
    ///
    /// # Errors
    /// When bare or the engine fails.
    pub fn hold(&self) -> Result<Results> {
        let installed = toolchains::installed()?;
        let mut rows = Vec::new();
        let noop = self.placed(&NOOP, &installed)?.ok_or_else(|| Problem::new("no C compiler", "cargo xtask setup"))?;
        rows.push(self.row(|| self.cached_row("C no-op, compiled before, request to answer", &noop))?);
        if self.plan.extras {
            rows.push(self.step_row(&noop)?);
        }
        rows.push(self.row(|| self.idle_row(&noop))?);
        let mut levels = self.noop_levels(&noop)?;
        for hello in HELLOS.iter().filter(|hello| !(hello.slow && self.plan.fast_only)) {
            let Some(placed) = self.placed(hello, &installed)? else {
                println!("xtask: skipped: {} {}: not installed here", hello.name, hello.version.unwrap_or_default());
                continue;
            };
            rows.push(self.row(|| self.hello_row(&placed))?);
            if hello.cached_bar.is_some() {
                let name = format!("{}, compiled before", placed.told());
                rows.push(self.row(|| self.cached_row(&name, &placed))?);
            }
            if hello.folder == PYTHON.folder && self.plan.extras {
                levels.extend(self.python_levels(&placed)?);
            }
        }
        Ok(Results { rows, levels })
    }

    fn placed(&self, program: &'static super::programs::Program, installed: &[Installed]) -> Result<Option<Placed>> {
        let Some(toolchain) = toolchain(program, installed)? else { return Ok(None) };
        let placed = program.place(toolchain, self.top)?;
        Stage::open(&placed.folder)?;
        Ok(Some(placed))
    }

    /// Measures a row, and where the plan says so once more if it is worse than its bar.
    fn row(&self, measure: impl Fn() -> Result<Row>) -> Result<Row> {
        let first = measure()?;
        if !self.plan.again || first.holds(self.plan.slack).is_none_or(|held| held.is_ok()) {
            return Ok(first);
        }
        let second = measure()?;
        Ok(if second.holds(self.plan.slack).is_some_and(|held| held.is_ok()) { second } else { first })
    }

    /// Both engines, and in each how many-th round they take part.
    fn engines(&self) -> impl Iterator<Item = (&'static str, u32, &Server)> {
        self.cold.map(|cold| (COLD, self.plan.seldom, cold)).into_iter().chain([(ARMED, 1, self.armed)])
    }

    /// `slow`: what is measured takes a good part of a second.
    fn turns(&self, slow: bool) -> Turns {
        let Plan { fast, warm, .. } = self.plan;
        let (warm, rounds, for_cpu) = if slow { (1, self.plan.slow, 3) } else { (warm, fast, fast.div_ceil(4)) };
        Turns { warm, rounds, pause: Duration::ZERO, for_cpu: if self.plan.extras { for_cpu } else { 0 } }
    }

    /// From the source to the answer, against the toolchain from the same source to the program's end.
    fn hello_row(&self, placed: &Placed) -> Result<Row> {
        let told = placed.told();
        let name = if placed.program.is_compiled() {
            format!("{told}, compile and run")
        } else {
            format!("{told}, source to answer")
        };
        let mut entrants = vec![Entrant::bare(|_| placed.compile_and_run(fresh()))];
        let run = move |engine: &Server, client: &mut Client| {
            if placed.program.slow {
                // Others take so long that the engine may have closed this one.
                *client = engine.connect()?;
            }
            let took = ask(client, placed, &placed.program.request(fresh()))?.1;
            engine.settle(QUIET.0, QUIET.1)?;
            Ok(took)
        };
        for (name, every, engine) in self.engines() {
            let mut client = engine.connect()?;
            entrants.push(Entrant::engine(name, every, engine, move |_| run(engine, &mut client)));
        }
        if !placed.program.slow {
            entrants.extend(self.peer_entrants(placed, true)?);
        }
        let bar = placed.program.bar.map(|most| Bar { way: ARMED, most });
        turns::take(name, bar, self.turns(placed.program.slow), entrants)
    }

    /// A source that was compiled before, against running what was compiled.
    fn cached_row(&self, name: &str, placed: &Placed) -> Result<Row> {
        let runner = placed.runner();
        let request = placed.program.request(fresh());
        let misses = Cell::new(0_u32);
        let mut client = self.armed.connect()?;
        ask(&mut client, placed, &request)?;
        let cached = |client: &mut Client| {
            let (answer, took) = ask(client, placed, &request)?;
            misses.set(misses.get() + u32::from(answer["compile"]["cached"] != true));
            Ok(took)
        };
        let mut entrants = vec![Entrant::bare(|_| runner.run())];
        entrants.push(Entrant::engine(CACHED, 1, self.armed, |_| cached(&mut client)));
        if !placed.program.slow {
            entrants.extend(self.peer_entrants(placed, false)?);
        }
        let bar = placed.program.cached_bar.map(|most| Bar { way: CACHED, most });
        let mut row = turns::take(name.to_owned(), bar, self.turns(false), entrants)?;
        not_cached(&mut row, misses.get());
        Ok(row)
    }

    /// What the engine says that making a sandbox and running the program in it took.
    fn step_row(&self, noop: &Placed) -> Result<Row> {
        let runner = noop.runner();
        let mut entrants = vec![Entrant::bare(|_| runner.run())];
        let step = move |client: &mut Client| {
            let (answer, _) = ask(client, noop, &noop.program.request(fresh()))?;
            let part = |name: &str| answer["timings"][name].as_u64();
            part("setup_us").zip(part("run_us")).map(|(setup, run)| setup + run).ok_or_else(|| {
                Problem::new(format!("the answer lacks setup_us or run_us: {answer}"), "read api-spec/README.md")
            })
        };
        for (name, _, engine) in self.engines() {
            let mut client = engine.connect()?;
            entrants.push(Entrant::engine(name, 1, engine, move |_| step(&mut client)));
        }
        // Its CPU time would be the compiler's.
        let turns = Turns { rounds: self.plan.fast / 2, for_cpu: 0, ..self.turns(false) };
        turns::take(
            "C no-op, the run step as the engine tells it (setup_us + run_us)".to_owned(),
            None,
            turns,
            entrants,
        )
    }

    /// The first request after a pause, against the first spawn after one.
    fn idle_row(&self, noop: &Placed) -> Result<Row> {
        let runner = noop.runner();
        let request = noop.program.request(fresh());
        let misses = Cell::new(0_u32);
        let mut client = self.armed.connect()?;
        ask(&mut client, noop, &request)?;
        let mut entrants = vec![Entrant::bare(|_| runner.run())];
        entrants.push(Entrant::engine(CACHED, 1, self.armed, |_| {
            let (answer, took) = ask(&mut client, noop, &request)?;
            misses.set(misses.get() + u32::from(answer["compile"]["cached"] != true));
            Ok(took)
        }));
        let turns = Turns { warm: 1, rounds: self.plan.idle, pause: IDLE, for_cpu: 0 };
        let bar = Some(Bar { way: CACHED, most: IDLE_BAR });
        let mut row = turns::take("C no-op, compiled before, after 1 s of idleness".to_owned(), bar, turns, entrants)?;
        not_cached(&mut row, misses.get());
        Ok(row)
    }

    /// Every peer with the program in its sandbox, after the compiler in another where `from_source` says so.
    fn peer_entrants<'b>(&'b self, placed: &'b Placed, from_source: bool) -> Result<Vec<Entrant<'b>>> {
        let mut entrants = Vec::new();
        for peer in self.peers {
            let compiler = from_source.then(|| placed.compiler()).flatten();
            let commands = self.wrapped(peer, "0", compiler.into_iter().chain([placed.runner()]))?;
            entrants.push(Entrant::peer(&peer.name, self.plan.seldom, move |_| {
                if from_source {
                    placed.write(fresh())?;
                }
                peer.run(&commands)
            }));
        }
        Ok(entrants)
    }

    fn wrapped(&self, peer: &Peer, lane: &str, commands: impl Iterator<Item = Spawn>) -> Result<Vec<Spawn>> {
        commands.enumerate().map(|(n, inner)| peer.wrap(self.stage, &format!("{lane}-{n}"), &inner)).collect()
    }

    /// Runs of the program that does nothing.
    fn noop_levels(&self, noop: &Placed) -> Result<Vec<Level>> {
        let request = noop.program.request(fresh());
        ask(&mut self.armed.connect()?, noop, &request)?;
        let mut crowds = vec![bare_crowd(noop), engine_crowd(CACHED, self.armed, request.to_string(), true)];
        for peer in self.peers {
            let make = move |n: usize| -> Result<LoadClient<'_>> {
                peer.enter()?;
                let commands = self.wrapped(peer, &format!("load{n}"), [noop.runner()].into_iter())?;
                Ok(Box::new(move || commands.iter().map(Spawn::run).sum()))
            };
            crowds.push(Crowd { name: peer.name.clone(), ours: false, make: Box::new(make) });
        }
        let mut levels = Vec::new();
        for &clients in self.plan.clients {
            let mut level = load::level("C no-op, compiled before", clients, self.plan.windows, &crowds)?;
            level.bar = (clients == RATE_CLIENTS).then_some(RATE_BAR);
            levels.push(level);
        }
        Ok(levels)
    }

    fn python_levels(&self, python: &Placed) -> Result<Vec<Level>> {
        let request = python.program.request(0).to_string();
        let mut crowds = vec![bare_crowd(python)];
        if let Some(engine) = self.cold {
            crowds.push(engine_crowd(COLD, engine, request.clone(), false));
        }
        crowds.push(engine_crowd(ARMED, self.armed, request, false));
        let level = |&clients: &usize| load::level("Python hello", clients, self.plan.windows, &crowds);
        self.plan.clients.iter().map(level).collect()
    }
}

/// Asks, and gives the answer with the microseconds from the first byte sent to the last received.
fn ask(client: &mut Client, placed: &Placed, request: &Value) -> Result<(Value, u64)> {
    let (answer, took) = client.execute(request)?;
    placed.check_version(&answer)?;
    Ok((answer, micros(took)))
}

/// A row whose answers did not come from the cache says so, and fails.
fn not_cached(row: &mut Row, misses: u32) {
    if misses > 0
        && let Some(way) = row.ways.iter_mut().find(|way| way.name == CACHED)
    {
        way.note = Some(format!("{misses} answers were compiled anew"));
    }
}

fn bare_crowd<'a>(placed: &Placed) -> Crowd<'a> {
    let runner = placed.runner();
    let make = move |_| -> Result<LoadClient<'a>> {
        let runner = runner.clone();
        Ok(Box::new(move || runner.run()))
    };
    Crowd { name: BARE.to_owned(), ours: true, make: Box::new(make) }
}

fn engine_crowd<'a>(name: &str, engine: &'a Server, body: String, cached: bool) -> Crowd<'a> {
    let make = move |_| -> Result<LoadClient<'a>> {
        let (mut client, body) = (engine.connect()?, body.clone());
        let wanted: &[&[u8]] =
            if cached { &[b"\"verdict\":\"ok\"", b"\"cached\":true"] } else { &[b"\"verdict\":\"ok\""] };
        Ok(Box::new(move || client.timed("POST", "/v1/executions", &body, wanted).map(micros)))
    };
    Crowd { name: name.to_owned(), ours: false, make: Box::new(make) }
}

/// How many requests per second this generator gets answered where next to nothing is done for them: its own ceiling.
///
/// # Errors
/// When the engine fails.
pub fn ceiling(engine: &Server) -> Result<Level> {
    let make = move |_| -> Result<LoadClient<'_>> {
        let mut client = engine.connect()?;
        Ok(Box::new(move || client.timed("GET", "/healthz", "", &[]).map(micros)))
    };
    let crowd = Crowd { name: "engined, /healthz".to_owned(), ours: true, make: Box::new(make) };
    let windows = load::Windows { count: 3, length: Duration::from_millis(300) };
    load::level("what the load generator can do", RATE_CLIENTS, windows, &[crowd])
}
