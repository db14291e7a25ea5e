//! `engined selftest`: runs the honest and the hostile programs of the corpus against this very host and installation,
//! and says what was tried, what held, which layer held it, and what to do where one is missing.
//!
//! It is a caller like any other: it asks over the API, and believes the kernel rather than the engine where it can
//! look itself (`host`). Exit code 0: all held; 1: something did not; 2: nothing could be tried.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use api_spec::{IsolationResponse, LanguagesResponse};
use tokio::sync::mpsc;

use crate::client::{Client, Silence};
use case::{Bench, Tried};
use corpus::{Kind, Program};
use host::{Findings, Unseen, Watch};
use progress::Progress;
use report::{Conclusion, Facts, Fared, Outcome, Report, Tested};
use target::{How, Start, Target, Up, Wish};

pub mod case;
pub mod check;
pub mod corpus;
pub mod host;
pub mod progress;
pub mod report;
pub mod target;

/// An answer may take so long on a host of the usual speed, a place in the queue included.
const PATIENCE: f64 = 180.0;
/// A supervisor starts an engine anew within this, or it is gone.
const BACK: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(250);

/// What `selftest` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which engine.
    pub wish: Wish,
    /// Names, mechanisms or languages.
    pub only: Vec<String>,
    /// One of each mechanism and language.
    pub quick: bool,
    /// Programs in flight at once.
    pub jobs: Option<usize>,
    /// Repetitions of each.
    pub times: u32,
    /// Multiplies time limits and allowed return times.
    pub scale: f64,
    /// JSON instead of a table.
    pub json: bool,
    /// Only say what would run.
    pub list: bool,
}

/// `engined selftest`.
#[must_use]
pub fn selftest(options: &Options) -> ExitCode {
    let done = if options.list { list(options).map(|()| Conclusion::Held) } else { run(options) };
    let conclusion = done.unwrap_or_else(|trouble| {
        if options.json {
            let told = serde_json::json!({"result": Conclusion::NotTried, "sentence": trouble});
            say!("{told:#}");
        }
        complain!("engined: {trouble}");
        Conclusion::NotTried
    });
    ExitCode::from(conclusion.code())
}

/// The programs that are wanted.
///
/// # Errors
/// A word of `--only` fits none.
fn selected(options: &Options) -> Result<Vec<Program>, String> {
    let mut programs = Program::all()?;
    for word in &options.only {
        if !programs.iter().any(|program| fits(program, word)) {
            let mechanisms: Vec<&str> = corpus::MECHANISMS.iter().map(|(id, _)| *id).collect();
            let languages: BTreeSet<&str> = programs.iter().map(|program| program.language.as_str()).collect();
            let languages: Vec<&str> = languages.into_iter().collect();
            return Err(format!(
                "--only {word} is no program (engined selftest --list has them), no mechanism ({}) and no language ({})",
                mechanisms.join(", "),
                languages.join(", ")
            ));
        }
    }
    programs.retain(|program| options.only.is_empty() || options.only.iter().any(|word| fits(program, word)));
    programs.sort_by_key(|program| corpus::title(program.mechanism()).0);
    Ok(programs)
}

fn fits(program: &Program, word: &str) -> bool {
    [program.name.as_str(), program.mechanism(), program.language.as_str()].contains(&word)
}

/// One of each mechanism, and one honest one of each language: of those that can be run, the one that is marked `@quick`,
/// else the first.
fn quick(mut programs: Vec<Program>, offered: impl Fn(&str) -> bool) -> Vec<Program> {
    programs.sort_by_key(|program| (corpus::title(program.mechanism()).0, program.word("quick").is_none()));
    let mut seen = BTreeSet::new();
    let first = |program: &Program| {
        let honest = program.kind == Kind::Benign;
        let key = if honest { program.language.clone() } else { program.mechanism().to_owned() };
        (honest || offered(&program.language)) && seen.insert((program.kind, key))
    };
    programs.into_iter().filter(first).collect()
}

fn list(options: &Options) -> Result<(), String> {
    let mut programs = selected(options)?;
    if options.quick {
        programs = quick(programs, |_| true);
    }
    if options.json {
        let rows: Vec<Outcome> = programs.iter().map(|program| outcome(program, &[], None)).collect();
        let told = |row: &Outcome| {
            let Outcome { name, kind, mechanism, language, tries, layers, .. } = row;
            serde_json::json!({"name": name, "kind": kind, "mechanism": mechanism, "language": language,
                               "tries": tries, "layers": layers})
        };
        say!("{:#}", serde_json::Value::Array(rows.iter().map(told).collect()));
        return Ok(());
    }
    let width = programs.iter().map(|program| program.name.len()).max().unwrap_or(0);
    for program in &programs {
        let title = corpus::title(program.mechanism()).1;
        say!(
            "{:<width$}  {title:<21}  {}",
            program.name,
            program.word("tries").or(program.word("what")).unwrap_or(title)
        );
    }
    say!("{} programs", programs.len());
    Ok(())
}

fn run(options: &Options) -> Result<Conclusion, String> {
    let programs = selected(options)?;
    let target = target::choose(&options.wish)?;
    let token = target::token(&options.wish)?;
    if let Some(note) = &target.note {
        complain!("engined: {note}: one is started for this test");
    }
    // From the main thread, before there is another.
    let up = if target.how == How::Embedded { Some(Up::start(&Start::attacked())?) } else { None };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("threads: {error}"))?;
    let report = runtime.block_on(async {
        let interrupted = crate::run::interrupted().map_err(|error| format!("signals: {error}"))?;
        tokio::select! {
            report = test(options, programs, target, token, up) => report,
            () = interrupted => Err("interrupted: not everything was tried".to_owned()),
        }
    })?;
    if options.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?);
    } else {
        say!("{}", report.text().trim_end());
    }
    Ok(report.result)
}

async fn test(
    options: &Options,
    programs: Vec<Program>,
    target: Target,
    token: Option<String>,
    mut up: Option<Up>,
) -> Result<Report, String> {
    let address = match (target.address, &mut up) {
        (Some(address), _) => address,
        (None, Some(up)) => up.address().await?,
        (None, None) => return Err("there is no engine to test".to_owned()),
    };
    let patience = Duration::from_secs_f64(PATIENCE * options.scale);
    let client = Client { address, token, patience };
    let version = target::greet(&client).await?;
    let languages: LanguagesResponse = ask(&client, "/v1/languages").await?;
    let isolation: IsolationResponse = ask(&client, "/v1/isolation").await?;
    let engine = Tested {
        address: client.address.to_string(),
        chosen: target.how,
        version,
        cgroup: isolation.cgroup,
        landlock_abi: isolation.landlock_abi,
    };
    let offered: Vec<String> = languages.languages.iter().map(|language| language.id.clone()).collect();
    let hello = Bench::hello_of(&offered);
    let hello = hello.ok_or("the engine offers no language that is tested here; `engined doctor` says why")?;
    let programs = if options.quick { quick(programs, |id| offered.iter().any(|o| o == id)) } else { programs };
    let bench = Arc::new(Bench { client, scale: options.scale, programs: Program::all()?, back: BACK, hello });
    let jobs = match options.jobs {
        Some(jobs) => jobs,
        None => slots(&bench.client).await.unwrap_or(1),
    };
    if !options.json {
        let kind = match target.how {
            How::Named => "the engine",
            How::Installed => "the installed engine",
            How::Embedded => "an engine of its own",
        };
        let scale = if options.scale > 1.0 { format!(", time limits times {}", options.scale) } else { String::new() };
        let times = if options.times > 1 { format!(", {} times each", options.times) } else { String::new() };
        say!(
            "Testing {kind} at {} (engined {}): {} programs, {jobs} at a time{times}{scale}",
            engine.address,
            engine.version,
            programs.len()
        );
    }
    // What an engine makes for its first runs and keeps is no trace of an attack.
    let warm = std::iter::repeat_with(|| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move { bench.greet().await })
    });
    for first in warm.take(jobs).collect::<Vec<_>>() {
        let first = first.await.map_err(|error| error.to_string())?;
        if let Some(complaint) = first.complaints.first() {
            return Err(format!(
                "the engine at {} runs nothing ({complaint}); `engined doctor` says why",
                engine.address
            ));
        }
    }
    let here = bench.client.address.is_here();
    let pid = match &up {
        Some(up) => up.pid(),
        None => bench.client.peer().await,
    };
    let watch = here.then(|| Watch::begin(up.is_some(), pid));
    let load = Load { programs, times: options.times, jobs, offered, unavailable: languages };
    let Done { outcomes, mut without, unreached } = load.run(bench).await;
    let mut host = match watch {
        Some(watch) => watch.end().await,
        None => elsewhere(),
    };
    host.found.extend(up.iter().flat_map(Up::restarts));
    // A run that lacked a layer which the engine says to have: the run is right.
    let mut layers = [isolation.layers, isolation.engine_layers].concat();
    for layer in &mut layers {
        if without.remove(&layer.layer) && layer.obtained {
            layer.obtained = false;
            layer.remedy = Some("a run was without it: see the log of jaild, and `engined doctor`".to_owned());
        }
    }
    Ok(Report::new(Facts { engine, layers, host, programs: outcomes, unreached }))
}

fn elsewhere() -> Findings {
    let why = "the engine runs on another host; run `engined selftest` there".to_owned();
    Findings { not_looked_at: vec![Unseen { what: "the host", why }], ..Findings::default() }
}

async fn ask<T: serde::de::DeserializeOwned>(client: &Client, path: &str) -> Result<T, String> {
    let reply = client.get(path).await.map_err(|silence| format!("{}{path}: {silence}", client.address))?;
    if reply.status != 200 {
        return Err(format!("{}{path}: {}", client.address, reply.told()));
    }
    serde_json::from_slice(&reply.body)
        .map_err(|error| format!("{}{path} is not what it should be: {error}", client.address))
}

/// How many runs the engine does at once.
async fn slots(client: &Client) -> Option<usize> {
    let reply = client.get("/metrics").await.ok().filter(|reply| reply.status == 200)?;
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    text.lines().find_map(|line| line.strip_prefix("engined_slots ")?.trim().parse().ok()).filter(|slots| *slots > 0)
}

/// What is to be run.
struct Load {
    programs: Vec<Program>,
    times: u32,
    jobs: usize,
    offered: Vec<String>,
    unavailable: LanguagesResponse,
}

/// What came of it.
struct Done {
    outcomes: Vec<Outcome>,
    without: BTreeSet<String>,
    unreached: Option<(usize, String)>,
}

impl Load {
    async fn run(self, bench: Arc<Bench>) -> Done {
        let can = |program: &Program| self.offered.contains(&program.language);
        let wanted: Vec<usize> = (0..self.programs.len()).filter(|at| can(&self.programs[*at])).collect();
        let work: Arc<Vec<usize>> = Arc::new((0..self.times).flat_map(|_| wanted.iter().copied()).collect());
        let programs = Arc::new(self.programs);
        let (next, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (sender, mut results) = mpsc::channel(16);
        for _ in 0..self.jobs.max(1) {
            let (bench, work, programs) = (Arc::clone(&bench), Arc::clone(&work), Arc::clone(&programs));
            let (next, gone, sender) = (Arc::clone(&next), Arc::clone(&gone), sender.clone());
            tokio::spawn(async move {
                while let Some(at) = work.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let tried = bench.case(&programs[at]).await;
                    let silent = tried.silence.as_ref().is_some_and(|silence| !matches!(silence, Silence::Late(_)));
                    // Before the next is sent to an engine that may be coming back.
                    let lost = silent && !back(&bench).await;
                    if lost {
                        gone.store(true, Ordering::Relaxed);
                    }
                    if sender.send((at, tried)).await.is_err() || gone.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let progress = Progress::start(work.len());
        let mut tries: Vec<Vec<Tried>> = programs.iter().map(|_| Vec::new()).collect();
        let (mut reached, mut without) = (0, BTreeSet::new());
        while let Some((at, tried)) = results.recv().await {
            reached += 1;
            without.extend(tried.without.iter().cloned());
            progress.done(&programs[at].name, &tried);
            tries[at].push(tried);
        }
        progress.end();
        let left = work.len().saturating_sub(reached);
        let why = || "the engine went away and did not come back".to_owned();
        let unreached = (left > 0).then(|| (left, why()));
        let unavailable = |program: &Program| {
            let told = self.unavailable.unavailable.iter().find(|language| language.id == program.language);
            told.map_or_else(|| "not offered by this engine".to_owned(), |language| language.reason.clone())
        };
        let outcomes = programs.iter().zip(&tries).map(|(program, tries)| {
            let offered = self.offered.contains(&program.language);
            let missing = (!offered).then(|| format!("{}: {}", program.language, unavailable(program)));
            outcome(program, tries, missing)
        });
        Done { outcomes: outcomes.collect(), without, unreached }
    }
}

/// Waits for an engine that is started anew.
async fn back(bench: &Bench) -> bool {
    let until = Instant::now() + bench.back;
    loop {
        if bench.client.get("/readyz").await.is_ok_and(|reply| reply.status == 200) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// All tries of a program together. `missing` when its language is not there.
fn outcome(program: &Program, tries: &[Tried], missing: Option<String>) -> Outcome {
    let complaints: Vec<String> = tries.iter().flat_map(|tried| tried.complaints.iter().cloned()).collect();
    let reason = missing.or_else(|| tries.iter().find_map(|tried| tried.skipped.clone()));
    let result = match (&reason, tries.is_empty(), complaints.is_empty()) {
        // What is known and not mended has its reason in the header.
        (_, _, false) if program.word("waived").is_some() && !tries.iter().any(Tried::broke) => Fared::Apart,
        (_, _, false) => Fared::Failed,
        (Some(_), ..) | (None, true, true) => Fared::Skipped,
        (None, false, true) => Fared::Held,
    };
    let reason = match result {
        Fared::Skipped => reason.or_else(|| Some("it was not reached".to_owned())),
        Fared::Held | Fared::Failed | Fared::Apart => None,
    };
    let took: Duration = tries.iter().map(|tried| tried.took).sum();
    Outcome {
        name: program.name.clone(),
        kind: program.kind,
        mechanism: program.mechanism().to_owned(),
        language: program.language.clone(),
        tries: program.word("tries").or(program.word("what")).unwrap_or("an honest program").to_owned(),
        result,
        times: u32::try_from(tries.len()).unwrap_or(u32::MAX),
        layers: program.held_by(),
        complaints,
        reason,
        verdicts: tries.iter().flat_map(|tried| tried.verdicts.iter().map(ToString::to_string)).collect(),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests;
