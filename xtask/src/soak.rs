//! `cargo xtask soak`: thousands of mixed runs through a live engine, and whether anything grows.
//!
//! The runs come in batches. After each the engine is left alone for a moment; then everything that could leak is counted,
//! by the engine's own gauges and on the host beside it ([`sample`]). At the end each series must be flat ([`trend`]),
//! the gauges must have told what the host tells, every answer must have been of a family that its program allows
//! ([`mix`]), and none of them an error of the engine.

pub mod mix;
mod report;
pub mod sample;
mod trend;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::build::{self, Programs};
use crate::corpus::tail;
use crate::engine::Engine;
use crate::http::Client;
use crate::problem::{Context, Problem, Result};
use crate::setup;
use crate::tally::Tally;
use mix::{Call, Manner, Mix, Program};
use sample::{SERIES, Sample, Sampler, V2_ONLY};
use trend::Trend;

/// So many samples are taken, or fewer where the runs are few.
const SAMPLES: u32 = 60;
/// The smallest batch.
const BATCH: u32 = 20;
/// More complaints than this are counted, not told.
const TOLD: usize = 20;

/// How long and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// Runs.
    pub runs: u32,
    /// It ends earlier after this time.
    pub time: Option<Duration>,
    /// Runs in flight. 0 is twice the cores.
    pub jobs: usize,
    /// What is drawn.
    pub seed: u64,
    /// Whether `reports/soak-DATE.md` is written.
    pub report: bool,
}

impl Soak {
    /// The short form, for CI.
    pub const SHORT: Soak = Soak { runs: 180, time: None, jobs: 0, seed: 4, report: false };
    /// The full form.
    pub const FULL: Soak = Soak { runs: 10_000, time: None, jobs: 0, seed: 4, report: true };
}

/// What came of the runs.
#[derive(Debug, Default)]
struct Answers {
    /// By verdict or by what else happened.
    counts: BTreeMap<String, u32>,
    complaints: Vec<String>,
    /// What compilers and programs used, in microseconds.
    cpu_us: u64,
}

/// Everything that a report tells.
#[derive(Debug)]
struct Outcome {
    soak: Soak,
    runs: u32,
    took: Duration,
    answers: Answers,
    samples: Vec<Sample>,
    slow: Vec<String>,
    remade: usize,
}

/// The command: sets up and builds first, unless the programs are in a folder already.
pub fn alone(soak: Soak, built: Option<&Path>) -> Result<Tally> {
    setup::ensure()?;
    let programs = match built {
        Some(folder) => Programs { engined: folder.join("engined"), jaild: folder.join("jaild") },
        None => build::release()?,
    };
    run(&programs, soak)
}

/// Starts an engine, sends the runs through it, stops it, and judges.
pub fn run(programs: &Programs, soak: Soak) -> Result<Tally> {
    let mix = Mix::new(soak.seed)?;
    let engine = Engine::start(programs)?;
    let mut tally = Tally::default();
    let outcome = soak_in(&engine, soak, mix, &mut tally)
        .inspect_err(|_| println!("xtask: what engined printed:\n{}", tail(&engine.log(), 60)))?;
    let log = engine.log();
    tally.check("soak: engined stops on SIGTERM", engine.stop());
    judge(&outcome, &mut tally);
    println!("{}", report::table(&outcome));
    if !tally.failures().is_empty() {
        println!("xtask: what engined printed meanwhile:\n{}", tail(&log, 60));
    }
    if soak.report {
        report::write(&outcome, programs, &tally)?;
    }
    Ok(tally)
}

fn soak_in(engine: &Engine, soak: Soak, mix: Mix, tally: &mut Tally) -> Result<Outcome> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let soak = Soak { jobs: if soak.jobs == 0 { cores * 2 } else { soak.jobs }, ..soak };
    println!("xtask: soak: {} runs, {} at a time, seed {}", soak.runs, soak.jobs, soak.seed);
    let mut sampler = Sampler::new(engine.port(), engine.pid())?;
    let work = Work { port: engine.port(), mix: Mutex::new(mix), answers: Mutex::default() };
    let begun = Instant::now();
    let mut samples = vec![sampler.sample(0, 0.0)?];
    let batch = (soak.runs / SAMPLES).max(BATCH);
    let mut done = 0;
    while done < soak.runs && soak.time.is_none_or(|time| begun.elapsed() < time) {
        let count = batch.min(soak.runs - done);
        work.batch(count, soak.jobs);
        done += count;
        let sample = sampler.sample(done, begun.elapsed().as_secs_f64())?;
        println!("{}", report::progress(&sample, soak.runs));
        samples.push(sample);
    }
    let took = begun.elapsed();
    let last = sampler.metrics()?;
    for name in ["engined_link_losses_total", "engined_panics_total", "engined_problems_total{code=\"internal\"}"] {
        let outcome = match last.get(name) {
            Some(0.0) => Ok(()),
            other => Err(format!("{other:?} at the end")),
        };
        tally.check(&format!("soak: {name}"), outcome);
    }
    let remade = engine.log().lines().filter(|line| line.contains("is made anew")).count();
    let answers = work.answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mix = work.mix.into_inner().unwrap_or_else(PoisonError::into_inner);
    let slow = mix.slow().into_iter().map(str::to_owned).collect();
    Ok(Outcome { soak, runs: done, took, answers, samples, slow, remade })
}

/// Counts what held and what did not.
fn judge(outcome: &Outcome, tally: &mut Tally) {
    let Answers { counts, complaints, cpu_us } = &outcome.answers;
    let right = outcome.runs.saturating_sub(u32::try_from(complaints.len()).unwrap_or(u32::MAX));
    println!("xtask: soak: {right} of {} answers were right: {counts:?}", outcome.runs);
    println!("xtask: soak: {} s, of which {} s of CPU time in sandboxes", outcome.took.as_secs(), cpu_us / 1_000_000);
    for complaint in complaints.iter().take(TOLD) {
        tally.fail(format!("soak: {complaint}"));
    }
    if complaints.len() > TOLD {
        tally.fail(format!("soak: and {} more", complaints.len() - TOLD));
    }
    tally.check(
        "soak: answers",
        if complaints.is_empty() { Ok(()) } else { Err(format!("{} were wrong", complaints.len())) },
    );
    for series in SERIES.into_iter().filter(|series| outcome.watches(series.name)) {
        let name = series.name;
        tally.check(
            &format!("soak: {name} is flat"),
            match outcome.trend(name) {
                None => Err("there are too few samples of it".to_owned()),
                Some(trend) if trend.is_flat(series.bound) => Ok(()),
                Some(trend) => Err(format!("it may grow by {}, and did: {trend:?}", series.bound)),
            },
        );
        if let Some(apart) = series.apart {
            let most = outcome.apart(name);
            let told = most.filter(|most| *most <= apart).map(|_| ());
            tally.check(
                &format!("soak: {name} is what the host says"),
                told.ok_or_else(|| format!("they are {most:?} apart, {apart} is allowed")),
            );
        }
    }
}

impl Outcome {
    /// Whether this host has the series at all.
    fn watches(&self, name: &str) -> bool {
        name != V2_ONLY || self.samples.iter().any(|sample| sample.gauges.contains_key(name))
    }

    fn trend(&self, name: &str) -> Option<Trend> {
        let points = self.samples.iter().filter_map(|s| Some((f64::from(s.runs), *s.gauges.get(name)?)));
        trend::of(&points.collect::<Vec<_>>())
    }

    /// The largest difference between a gauge and the host; `None` when one of them was never told.
    fn apart(&self, name: &str) -> Option<f64> {
        let apart = |s: &Sample| Some((s.gauges.get(name)? - s.host.get(name)?).abs());
        self.samples.iter().map(apart).try_fold(0.0, |most: f64, apart| Some(most.max(apart?)))
    }
}

/// What the senders share.
struct Work {
    port: u16,
    mix: Mutex<Mix>,
    answers: Mutex<Answers>,
}

impl Work {
    fn batch(&self, count: u32, jobs: usize) {
        let taken = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    let mut connection = None;
                    while taken.fetch_add(1, Ordering::Relaxed) < count {
                        self.one(&mut connection);
                    }
                });
            }
        });
    }

    /// One run, on a connection that is kept as long as it is good.
    fn one(&self, connection: &mut Option<Client>) {
        let (call, program) = {
            let mut mix = self.mix.lock().unwrap_or_else(PoisonError::into_inner);
            let call = mix.draw();
            (call, mix.program(&call).clone())
        };
        let sent = self.send(&call, &program, connection);
        let mut cpu_us = 0;
        let (what, complaint) = match sent {
            Ok(Answer::Left) => ("nobody waited".to_owned(), None),
            Ok(Answer::Refused) => ("refused".to_owned(), None),
            Ok(Answer::Over(answer)) => {
                let micros = |name: &str| answer["timings"][name].as_u64().unwrap_or(0);
                let took = micros("total_us").saturating_sub(micros("queue_us"));
                let used = |step: &str| answer[step]["usage"]["cpu_time_us"].as_u64().unwrap_or(0);
                cpu_us = used("compile") + used("run");
                self.mix.lock().unwrap_or_else(PoisonError::into_inner).took(&call, cpu_us, took);
                let verdict = answer["verdict"].as_str().unwrap_or("no verdict").to_owned();
                (verdict, program.complaint(&answer, call.manner == Manner::Cancels))
            }
            Err(problem) => ("no answer".to_owned(), Some(problem.to_string())),
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.counts.entry(what).or_default() += 1;
        answers.cpu_us += cpu_us;
        answers.complaints.extend(complaint.map(|why| format!("{} ({:?}): {why}", program.name, call.manner)));
    }

    fn send(&self, call: &Call, program: &Program, connection: &mut Option<Client>) -> Result<Answer> {
        let body = program.body(call);
        let pause = Duration::from_millis(call.patience_ms);
        // Whatever goes wrong, the next run has a new one.
        let mut client = connection.take().map_or_else(|| Client::connect(self.port), Ok)?;
        let answer = match call.manner {
            Manner::HangsUp => {
                client.send("POST", "/v1/executions", &body)?;
                std::thread::sleep(pause);
                return Ok(Answer::Left);
            }
            Manner::Stutters => {
                let half = (0..body.len() / 2).rev().find_map(|at| body.get(..at)).unwrap_or_default();
                let problem = value(client.ask("POST", "/v1/executions", half)?, 400)?;
                if problem["code"] != "malformed_json" {
                    let what = format!("half a request is answered {}", problem["code"]);
                    return Err(Problem::new(what, "read api-spec/src/parse.rs"));
                }
                return Ok(Answer::Refused);
            }
            Manner::Waits => value(client.ask("POST", "/v1/executions", &body)?, 200)?,
            Manner::Polls | Manner::Cancels => {
                let queued = value(client.ask("POST", "/v1/executions?wait=false", &body)?, 202)?;
                let path = format!("/v1/executions/{}", queued["id"].as_str().unwrap_or_default());
                if call.manner == Manner::Cancels {
                    std::thread::sleep(pause);
                    let (status, _) = client.ask("DELETE", &path, "")?;
                    if ![200, 202].contains(&status) {
                        return Err(Problem::new(format!("DELETE answered {status}"), "read the engine's log"));
                    }
                }
                let answer = value(client.ask("GET", &format!("{path}?wait_ms=60000"), "")?, 200)?;
                let again = value(client.ask("DELETE", &path, "")?, 200)?;
                if again["verdict"] != answer["verdict"] {
                    let what = format!("GET said {}, DELETE {}", answer["verdict"], again["verdict"]);
                    return Err(Problem::new(what, "read engined/src/kept.rs"));
                }
                answer
            }
        };
        *connection = Some(client);
        Ok(Answer::Over(answer))
    }
}

/// What a call came to.
enum Answer {
    /// Nobody waited for it.
    Left,
    /// It was no request.
    Refused,
    /// A result.
    Over(Value),
}

fn value((status, body): (u16, Vec<u8>), wanted: u16) -> Result<Value> {
    if status != wanted {
        let body = String::from_utf8_lossy(&body);
        return Err(Problem::new(format!("HTTP {status} instead of {wanted}: {body:.300}"), "read the engine's log"));
    }
    serde_json::from_slice(&body).or_problem("the answer is no JSON", "read the engine's log")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 samples in which the host and every gauge say the same constant but for `change`.
    fn outcome(change: impl Fn(&mut Sample)) -> Outcome {
        let sample = |n: u32| {
            let mut sample = Sample { runs: n * 250, ..Sample::default() };
            for series in SERIES {
                sample.gauges.insert(series.name.to_owned(), 40.0);
                sample.host.insert(series.name, 40.0);
            }
            change(&mut sample);
            sample
        };
        Outcome {
            soak: Soak::FULL,
            runs: 10_000,
            took: Duration::from_secs(1),
            answers: Answers::default(),
            samples: (0..=40).map(sample).collect(),
            slow: Vec::new(),
            remade: 0,
        }
    }

    fn failures(outcome: &Outcome) -> Vec<String> {
        let mut tally = Tally::default();
        judge(outcome, &mut tally);
        tally.failures().to_vec()
    }

    #[test]
    fn a_flat_engine_passes_and_a_host_without_v2_too() {
        assert_eq!(failures(&outcome(|_| ())), Vec::<String>::new());
        let v1 = outcome(|sample| sample.gauges.retain(|name, _| name != V2_ONLY));
        assert_eq!(failures(&v1), Vec::<String>::new());
        assert!(!report::table(&v1).contains(V2_ONLY) && report::table(&v1).contains("flat"));
    }

    #[test]
    fn every_series_that_leaks_is_named() {
        for series in SERIES {
            let leak = |sample: &mut Sample| {
                let more = f64::from(sample.runs) / 10_000.0 * (series.bound + 1.0) * 2.0;
                let both = [sample.gauges.get_mut(series.name), sample.host.get_mut(series.name)];
                both.into_iter().flatten().for_each(|number| *number += more);
            };
            let outcome = outcome(leak);
            let told = failures(&outcome);
            assert!(told.len() == 1 && told[0].contains(series.name), "{told:?}");
            assert!(report::table(&outcome).contains("**grows**"));
        }
    }

    #[test]
    fn a_gauge_that_is_absent_or_says_something_else_than_the_host_fails() {
        let gone = failures(&outcome(|sample| sample.gauges.retain(|name, _| name != "engined_sandbox_cgroups")));
        assert!(gone.len() == 2 && gone[0].contains("too few samples"), "{gone:?}");
        let lies = |sample: &mut Sample| {
            if sample.runs == 5_000 {
                sample.host.insert("engined_sandbox_cgroups", 41.0);
            }
        };
        let lies = failures(&outcome(lies));
        assert!(lies.len() == 1 && lies[0].contains("is what the host says"), "{lies:?}");
    }

    #[test]
    fn wrong_answers_fail() {
        let mut outcome = outcome(|_| ());
        outcome.answers.complaints = vec!["a.py (Waits): verdict engine_error".to_owned(); 30];
        // As many as are told, the rest in one line, and the sum.
        assert_eq!(failures(&outcome).len(), TOLD + 2);
    }
}
