//! `cargo xtask mixed`: three tenants call at once while the configuration is read anew and engined is restarted; at the
//! end the books must be equal: what the callers were answered, the audit lines, and `/v1/usage`.
//!
//! Every attempt has a request id of its own, so each audit line is led back to the attempt that it tells of. What may
//! stand there beyond what was answered is what its caller did not wait for; an attempt that was refused, or broke off
//! before its answer, may not stand there at all: it is made again, and would have been run twice.

mod books;
mod record;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::build::{self, Programs};
use crate::corpus::tail;
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::served::{Served, Wish};
use crate::setup;
use crate::soak::mix::{Call, Dice, Manner, Mix, Program};
use crate::tally::Tally;
use books::{Answered, Audit, Books, Usage};
use settings::Settings;

/// An attempt that is refused so often was refused for good.
const ATTEMPTS: u32 = 2_000;
/// The longest pause before the next attempt, whatever the answer asked for: the books are the matter here.
const PAUSE: Duration = Duration::from_secs(1);
/// The books are equal so long after the last answer: what nobody waits for ends until then, and is counted.
const SETTLES_WITHIN: Duration = Duration::from_secs(30);
/// More complaints than this are counted, not told.
const TOLD: usize = 20;

/// How long, and how often what happens.
#[derive(Clone, Copy, Debug)]
pub struct Mixed {
    /// How long is called.
    pub time: Duration,
    /// Between two calls of a connection, on average. Zero: as soon as it is answered.
    pub pause: Duration,
    /// Between two SIGHUPs.
    pub reload: Duration,
    /// Between two restarts.
    pub restart: Duration,
    /// What is drawn.
    pub seed: u64,
}

impl Mixed {
    /// The short form, for CI.
    pub const SHORT: Mixed = Mixed {
        time: Duration::from_secs(14),
        pause: Duration::ZERO,
        reload: Duration::from_secs(2),
        restart: Duration::from_secs(5),
        seed: 6,
    };
    /// The full form.
    pub const FULL: Mixed = Mixed {
        time: Duration::from_secs(3600),
        pause: Duration::ZERO,
        reload: Duration::from_secs(20),
        restart: Duration::from_secs(120),
        seed: 6,
    };
}

/// What happened beside the calls.
#[derive(Debug, Default)]
struct Upsets {
    reloads: u32,
    refused_reloads: u32,
    restarts: u32,
}

/// The command: sets up and builds first, unless the programs are in a folder already.
pub fn alone(mixed: Mixed, built: Option<&Path>, samples: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    let programs = match built {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => build::release()?,
    };
    run(&programs, mixed, samples)
}

/// Starts an engine for the three, lets them call, and compares the books.
pub fn run(programs: &Programs, mixed: Mixed, samples: Option<&Path>) -> Result<Tally> {
    let settings = Settings::new(programs)?;
    let served = Served::start_by(programs, &Wish { sections: &settings.sections(0), ..Wish::default() })?;
    let mut tally = Tally::default();
    let mut served = Some(served);
    let outcome = compare(&mut served, mixed, &settings, samples, &mut tally);
    if let (Some(served), true) = (&served, outcome.is_err() || !tally.failures().is_empty()) {
        println!("xtask: mixed: what both printed at last:\n{}", tail(&served.log(), 60));
    }
    let stopped = served.map_or(Ok(()), Served::stop);
    outcome?;
    tally.check("mixed: both stop on SIGTERM", stopped);
    Ok(tally)
}

fn compare(
    served: &mut Option<Served>,
    mixed: Mixed,
    settings: &Settings,
    samples: Option<&Path>,
    tally: &mut Tally,
) -> Result<()> {
    let engine = served.as_mut().ok_or_else(|| Problem::new("no engine", "start one"))?;
    let port = engine.port()?;
    println!(
        "xtask: mixed: {} s, {} connections of {} tenants",
        mixed.time.as_secs(),
        settings.connections(),
        settings.tenants.len()
    );
    let callers = Callers {
        port,
        books: Mutex::default(),
        complaints: Mutex::default(),
        over: AtomicBool::new(false),
        attempts: AtomicU64::new(0),
        broken: AtomicU64::new(0),
        shed: Mutex::default(),
        pause: mixed.pause,
    };
    let mut mixes = Vec::new();
    for number in 0..settings.connections() {
        mixes.push(Mix::new(mixed.seed + number as u64)?);
    }
    let recorder = samples.map(|file| record::Recorder::new(file, port, settings.admin_token())).transpose()?;
    let begun = Instant::now();
    let upset = std::thread::scope(|scope| {
        for (number, mix) in mixes.into_iter().enumerate() {
            let tenant = settings.tenant_of(number);
            let callers = &callers;
            scope.spawn(move || callers.call(tenant, mix, number as u64));
        }
        if let Some(recorder) = recorder {
            let over = &callers.over;
            scope.spawn(move || recorder.until(over));
        }
        let upset = upsets(engine, mixed, settings, begun);
        callers.over.store(true, Ordering::Relaxed);
        upset
    })?;
    let books = callers.books.into_inner().unwrap_or_else(PoisonError::into_inner);
    let shed = callers.shed.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "xtask: mixed: {} s, {} attempts, {} answered, {} left, {} accepted and not fetched, {} broken off; refused: {shed:?}; {upset:?}",
        begun.elapsed().as_secs(),
        callers.attempts.load(Ordering::Relaxed),
        books.answered(),
        books.left(),
        books.accepted(),
        callers.broken.load(Ordering::Relaxed),
    );
    let complaints = callers.complaints.into_inner().unwrap_or_else(PoisonError::into_inner);
    for complaint in complaints.iter().take(TOLD) {
        tally.fail(format!("mixed: {complaint}"));
    }
    let right = if complaints.is_empty() { Ok(()) } else { Err(format!("{} were wrong", complaints.len())) };
    tally.check("mixed: answers", right);
    let (lines, usage) = settled(|| books::audit(&engine.state()), || books::usage(port, settings.admin_token()))?;
    books.compare(&lines, &usage, tally);
    Ok(())
}

/// The audit and the usage, as soon as they agree: what nobody waits for may end between the two, and a busy disk takes its
/// time to count. Those that do not agree in time are told as they are.
fn settled(audit: impl Fn() -> Result<Audit>, usage: impl Fn() -> Result<Usage>) -> Result<(Audit, Usage)> {
    let until = Instant::now() + SETTLES_WITHIN;
    loop {
        let (usage, over) = (usage(), Instant::now() > until);
        let lines = audit()?;
        match usage {
            Ok(usage) if over || lines.agrees(&usage) => return Ok((lines, usage)),
            Err(problem) if over => return Err(problem),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Reads the configuration anew, now and then a broken one, and restarts engined, until the time is over.
fn upsets(engine: &mut Served, mixed: Mixed, settings: &Settings, begun: Instant) -> Result<Upsets> {
    let mut upsets = Upsets::default();
    let (mut reload, mut restart) = (begun + mixed.reload, begun + mixed.restart);
    loop {
        let next = reload.min(restart).min(begun + mixed.time);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        if begun.elapsed() >= mixed.time {
            // What the next start would read must be good.
            engine.configure(&settings.sections(0))?;
            return Ok(upsets);
        }
        if Instant::now() >= restart {
            engine.configure(&settings.sections(0))?;
            engine.restart()?;
            upsets.restarts += 1;
            restart = Instant::now() + mixed.restart;
        } else {
            upsets.reloads += 1;
            if upsets.reloads % 4 == 3 {
                upsets.refused_reloads += 1;
                engine.configure(&settings.broken())?;
            } else {
                engine.configure(&settings.sections(upsets.reloads))?;
            }
            engine.signal(Signal::SIGHUP)?;
            reload = Instant::now() + mixed.reload;
        }
    }
}

/// What all connections share.
struct Callers {
    port: u16,
    books: Mutex<Books>,
    complaints: Mutex<Vec<String>>,
    over: AtomicBool,
    attempts: AtomicU64,
    broken: AtomicU64,
    /// Refusals by code.
    shed: Mutex<BTreeMap<String, u64>>,
    pause: Duration,
}

/// What an attempt came to.
enum Attempt {
    /// A result.
    Over(Value),
    /// Nobody waited for it.
    Left,
    /// It was accepted under this id, and its result was not fetched.
    Accepted(String),
    /// Refused for now.
    Shed,
    /// It was no request.
    Refused,
}

impl Callers {
    /// One connection's calls, until the time is over.
    fn call(&self, tenant: &settings::Tenant, mut mix: Mix, seed: u64) {
        let mut dice = Dice::new(seed);
        let mut connection = None;
        while !self.over.load(Ordering::Relaxed) {
            let call = mix.draw();
            let program = mix.program(&call).clone();
            let body = dressed(&program, &call, tenant, &mut dice);
            match self.insist(tenant, &call, &body, &mut connection) {
                Ok(Some(result)) => {
                    let micros = |name: &str| result["timings"][name].as_u64().unwrap_or(0);
                    let used = |step: &str| result[step]["usage"]["cpu_time_us"].as_u64().unwrap_or(0);
                    let took = micros("total_us").saturating_sub(micros("queue_us"));
                    mix.took(&call, used("compile") + used("run"), took);
                    self.complain(program.complaint(&result, call.manner == Manner::Cancels), &program, &call);
                }
                Ok(None) => {}
                Err(problem) => self.complain(Some(problem.to_string()), &program, &call),
            }
            let most = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
            std::thread::sleep(Duration::from_millis(dice.below(most.max(1))));
        }
    }

    fn complain(&self, complaint: Option<String>, program: &Program, call: &Call) {
        let mut complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        complaints.extend(complaint.map(|why| format!("{} ({:?}): {why}", program.name, call.manner)));
    }

    /// Makes a call until it is taken.
    fn insist(
        &self,
        tenant: &settings::Tenant,
        call: &Call,
        body: &str,
        connection: &mut Option<Client>,
    ) -> Result<Option<Value>> {
        for _ in 0..ATTEMPTS {
            let number = self.attempts.fetch_add(1, Ordering::Relaxed);
            let id = format!("mixed-{}-{number}", tenant.name);
            let mut client = match connection.take().filter(|client| !client.is_closed()) {
                Some(client) => client,
                None => Client::connect(self.port)?.with_token(&tenant.token),
            };
            client.call_it(&id);
            match self.attempt(&mut client, call, body) {
                Ok(Attempt::Over(result)) => {
                    let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
                    books.answer(id, Answered::read(tenant.name, &result)?);
                    *connection = Some(client);
                    return Ok(Some(result));
                }
                Ok(Attempt::Left) => {
                    self.books.lock().unwrap_or_else(PoisonError::into_inner).leave(id, tenant.name);
                    return Ok(None);
                }
                Ok(Attempt::Accepted(execution)) => {
                    self.books.lock().unwrap_or_else(PoisonError::into_inner).accept(id, tenant.name, &execution);
                    return Ok(None);
                }
                Ok(Attempt::Refused) => return Ok(None),
                Ok(Attempt::Shed) => {
                    std::thread::sleep(client.retry_after().unwrap_or(PAUSE).min(PAUSE));
                    *connection = Some(client);
                }
                // The connection ended before there was an answer: as RFC 9112, 9.3.1, has it, it is tried on a new one.
                Err(Broken::Off) => {
                    self.broken.fetch_add(1, Ordering::Relaxed);
                }
                Err(Broken::Wrong(problem)) => return Err(problem),
            }
        }
        Err(Problem::new(format!("refused {ATTEMPTS} times"), "read the engine's log"))
    }

    fn attempt(&self, client: &mut Client, call: &Call, body: &str) -> std::result::Result<Attempt, Broken> {
        let pause = Duration::from_millis(call.patience_ms);
        match call.manner {
            Manner::HangsUp => {
                client.send("POST", "/v1/executions", body).map_err(|_| Broken::Off)?;
                std::thread::sleep(pause);
                Ok(Attempt::Left)
            }
            Manner::Stutters => {
                let half = (0..body.len() / 2).rev().find_map(|at| body.get(..at)).unwrap_or_default();
                let (status, _) = client.ask("POST", "/v1/executions", half).map_err(|_| Broken::Off)?;
                if status == 400 { Ok(Attempt::Refused) } else { self.shed(status, &Value::Null) }
            }
            Manner::Waits => self.answer(client.ask("POST", "/v1/executions", body)),
            Manner::Polls | Manner::Cancels => {
                let (status, answer) =
                    client.ask("POST", "/v1/executions?wait=false", body).map_err(|_| Broken::Off)?;
                let queued: Value = serde_json::from_slice(&answer).unwrap_or_default();
                if status != 202 {
                    return self.shed(status, &queued);
                }
                let id = queued["id"].as_str().unwrap_or_default().to_owned();
                let path = format!("/v1/executions/{id}");
                if call.manner == Manner::Cancels {
                    std::thread::sleep(pause);
                    if client.ask("DELETE", &path, "").is_err() {
                        return Ok(Attempt::Accepted(id));
                    }
                }
                // It was taken. Its result does not outlive a restart (api.md), its audit line does.
                match client.ask("GET", &format!("{path}?wait_ms=60000"), "") {
                    Ok((200, answer)) => self.answer(Ok((200, answer))),
                    _ => Ok(Attempt::Accepted(id)),
                }
            }
        }
    }

    fn answer(&self, asked: Result<(u16, Vec<u8>)>) -> std::result::Result<Attempt, Broken> {
        let (status, body) = asked.map_err(|_| Broken::Off)?;
        let value: Value =
            serde_json::from_slice(&body).or_problem("no JSON", "read its log").map_err(Broken::Wrong)?;
        if status == 200 { Ok(Attempt::Over(value)) } else { self.shed(status, &value) }
    }

    fn shed(&self, status: u16, problem: &Value) -> std::result::Result<Attempt, Broken> {
        if ![429, 503].contains(&status) {
            let what = format!("HTTP {status}: {problem:.300}");
            return Err(Broken::Wrong(Problem::new(what, "read the engine's log")));
        }
        let code = problem["code"].as_str().unwrap_or("none").to_owned();
        *self.shed.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
        Ok(Attempt::Shed)
    }
}

/// Why an attempt has no answer.
enum Broken {
    /// The connection ended.
    Off,
    /// The answer is not what it should be.
    Wrong(Problem),
}

/// The program's request with who asks for whom, and how urgently.
fn dressed(program: &Program, call: &Call, tenant: &settings::Tenant, dice: &mut Dice) -> String {
    let body = program.body(call);
    let Ok(mut request) = serde_json::from_str::<Value>(&body) else { return body };
    request["labels"] =
        json!({"user": format!("u{}", dice.below(30)), "note": "line \u{2028} break \"quoted\" \\u000a"});
    request["priority"] = json!(tenant.priority);
    request.to_string()
}
