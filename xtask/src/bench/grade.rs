//! What grading costs against bare compiles and runs, and what a long queue costs. Bare and engine take turns in one run.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::build::Programs;
use crate::engine::{Engine, Scratch};
use crate::http::Client;
use crate::memory;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;
use crate::toolchains::{self, Installed};

/// Turns of bare and engine.
const TURNS: usize = 5;
const SUBMISSIONS: usize = 50;
const TESTS: usize = 20;
const PYTHON_TESTS: usize = 1000;
/// 1 KB.
const INPUT: usize = 1024;
/// Submissions and tests of the long queue.
const QUEUED: (usize, usize) = (1000, 100);
const PATIENCE: Duration = Duration::from_secs(600);

/// The bars of issue 7.
const CPP_MOST: f64 = 0.6;
const PYTHON_MOST: f64 = 1.3;
const GROWTH_MOST_KB: u64 = 100_000_000 / 1024;
const SUBMIT_MOST: Duration = Duration::from_millis(50);
const ROW_MOST: f64 = 200.0;

/// `cargo xtask bench grade`.
///
/// # Errors
/// When there is no engine to be had, or no toolchain.
pub fn run(programs: &Programs) -> Result<Tally> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let all = toolchains::installed()?;
    let missing = || Problem::new("no C++ or no Python is installed", "cargo xtask setup");
    let cpp = toolchains::newest(&all, "cpp", None).ok_or_else(missing)?;
    let python = toolchains::newest(&all, "python", None).ok_or_else(missing)?;
    let mut tally = Tally::default();
    let bar = |tally: &mut Tally, what: &str, found: f64, most: f64, unit: &str| {
        println!("{what}: {found:.2}{unit}, at most {most}{unit} wanted");
        let outcome = if found <= most { Ok(()) } else { Err(format!("{found:.2}{unit} instead of {most}{unit}")) };
        tally.check(what, outcome);
    };
    let scratch = Scratch::new("grade")?;
    let engine = on_disk(programs, &scratch.path().join("kept"))?;
    let (bare, ours) = compiled(&engine, cpp)?;
    println!("{SUBMISSIONS} C++ submissions x {TESTS} tests: bare {bare:.2?} on one core, engined {ours:.2?}");
    let what = "C++ batch over bare divided by the cores";
    bar(&mut tally, what, ours.as_secs_f64() / (bare.as_secs_f64() / cores as f64), CPP_MOST, "");
    let (bare, ours) = interpreted(&engine, python)?;
    println!("1 Python submission x {PYTHON_TESTS} tests: bare {bare:.2?} one after another, engined {ours:.2?}");
    bar(&mut tally, "Python batch over bare", ours.as_secs_f64() / bare.as_secs_f64(), PYTHON_MOST, "");
    tally.check("engined stops on SIGTERM", engine.stop());
    let queue = queued(programs)?;
    bar(&mut tally, "memory that a long queue costs", kb(queue.growth_kb), kb(GROWTH_MOST_KB), " MB");
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    bar(&mut tally, "the next submit", ms(queue.submit), ms(SUBMIT_MOST), " ms");
    bar(&mut tally, "the store for each queued result, besides its data", queue.row_bytes, ROW_MOST, " B");
    Ok(tally)
}

fn kb(kb: u64) -> f64 {
    kb as f64 * 1024.0 / 1e6
}

/// 1 KB of numbers, and their sum.
fn test(number: usize) -> (String, String) {
    let mut input = String::new();
    let (mut sum, mut next) = (0, number as u64 * 7919 + 13);
    while input.len() < INPUT - 8 {
        next = next * 1103 % 99_991;
        sum += next;
        input += &format!("{next} ");
    }
    (input + "\n", format!("{sum}\n"))
}

fn cpp_source(number: usize) -> String {
    format!(
        "#include <iostream>\nint main() {{\n    unsigned long long sum = 0, next, own = {number};\n    \
         while (std::cin >> next) sum += next;\n    std::cout << sum + own - {number} << '\\n';\n}}\n"
    )
}

/// Wall times of the same work: half of it bare, one after another on one core, then all of it as a batch, then the other
/// half bare.
fn compiled(engine: &Engine, cpp: &Installed) -> Result<(Duration, Duration)> {
    let scratch = Scratch::new("grade")?;
    let tests: Vec<(String, String)> = (0..TESTS).map(test).collect();
    let bare = |numbers: std::ops::Range<usize>| {
        let began = Instant::now();
        for number in numbers {
            let (source, program) = (scratch.path().join("a.cpp"), scratch.path().join("a.out"));
            write(&source, &cpp_source(number))?;
            let arguments = ["-O2", "-o", &program.to_string_lossy(), &source.to_string_lossy()].map(str::to_owned);
            bare_run(cpp.program(), &arguments, scratch.path(), ("", ""))?;
            for test in &tests {
                bare_run(&program, &[], scratch.path(), (&test.0, &test.1))?;
            }
        }
        Ok(began.elapsed())
    };
    let first = bare(0..SUBMISSIONS / 2)?;
    // No source is compiled twice.
    let program =
        |number: usize| json!({"id": number.to_string(), "language": "cpp", "source": cpp_source(number + 1000)});
    let submissions: Vec<Value> = (0..SUBMISSIONS).map(program).collect();
    let ours = judged(engine, &json!({"submissions": submissions, "tests": of_api(&tests)}))?;
    Ok((first + bare(SUBMISSIONS / 2..SUBMISSIONS)?, ours))
}

/// The same of one Python program and many tests that do next to nothing.
fn interpreted(engine: &Engine, python: &Installed) -> Result<(Duration, Duration)> {
    const SOURCE: &str = "print(sum(map(int, input().split())))\n";
    let scratch = Scratch::new("grade")?;
    let program = scratch.path().join("main.py");
    write(&program, SOURCE)?;
    let (mut bare, mut ours) = (Duration::ZERO, Duration::ZERO);
    for turn in 0..TURNS {
        let share = PYTHON_TESTS / TURNS;
        let tests: Vec<(String, String)> = (turn * share..(turn + 1) * share).map(test).collect();
        let began = Instant::now();
        for test in &tests {
            let arguments = [program.to_string_lossy().into_owned()];
            bare_run(python.program(), &arguments, scratch.path(), (&test.0, &test.1))?;
        }
        bare += began.elapsed();
        let submission = json!({"id": "1", "language": "python", "source": SOURCE});
        ours += judged(engine, &json!({"submissions": [submission], "tests": of_api(&tests)}))?;
    }
    Ok((bare, ours))
}

fn of_api(tests: &[(String, String)]) -> Value {
    let one = |(number, (input, answer)): (usize, &(String, String))| json!({"id": number.to_string(), "stdin": input, "expected": answer});
    tests.iter().enumerate().map(one).collect()
}

/// Runs a command as bare does: a clean environment, and what it writes is looked at.
fn bare_run(program: &Path, arguments: &[String], folder: &Path, (input, answer): (&str, &str)) -> Result<()> {
    let told = program.display();
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().or_problem(format!("{told} did not start"), "cargo xtask setup")?;
    if let Some(mut stdin) = child.stdin.take() {
        // 1 KB fits into the pipe, also of a compiler that does not read it.
        stdin.write_all(input.as_bytes()).or_problem(format!("{told} does not read"), "run it by hand")?;
    }
    let output = child.wait_with_output().or_problem(format!("{told} was lost"), "run it again")?;
    if output.status.success() && output.stdout == answer.as_bytes() {
        return Ok(());
    }
    Err(Problem::new(format!("{told} failed: {}", output.status), "run it by hand"))
}

/// From the first byte of a batch to its last result.
fn judged(engine: &Engine, batch: &Value) -> Result<Duration> {
    let mut client = Client::connect(engine.port())?;
    let body = batch.to_string();
    let began = Instant::now();
    let id = submitted(&mut client, &body)?;
    loop {
        let (status, answer) = client.ask("GET", &format!("/v1/batches/{id}?wait_ms=60000"), "")?;
        let took = began.elapsed();
        let answer: Value = serde_json::from_slice(&answer).or_problem("the answer is no JSON", "read it")?;
        let wrong = |why: &str| Problem::new(format!("{status}: {why}: {answer}"), "target/release/engined doctor");
        if answer["status"] == "finished" {
            let results = answer["submission_results"].as_array().ok_or_else(|| wrong("no submissions"))?;
            let right = results.iter().all(|result| result["verdict"] == "accepted");
            return if right { Ok(took) } else { Err(wrong("not accepted")) };
        }
        if took > PATIENCE {
            return Err(wrong("not judged in time"));
        }
    }
}

fn submitted(client: &mut Client, body: &str) -> Result<String> {
    let (status, answer) = client.ask("POST", "/v1/batches", body)?;
    let answer: Value = serde_json::from_slice(&answer).or_problem("the answer is no JSON", "read it")?;
    let id = answer["id"].as_str().filter(|_| status == 202).map(str::to_owned);
    id.ok_or_else(|| Problem::new(format!("a batch was not accepted: {status}: {answer}"), "read why"))
}

/// What a long queue costs.
struct Queue {
    growth_kb: u64,
    submit: Duration,
    row_bytes: f64,
}

fn queued(programs: &Programs) -> Result<Queue> {
    let scratch = Scratch::new("grade")?;
    let kept = scratch.path().join("kept");
    let engine = on_disk(programs, &kept)?;
    let mut client = Client::connect(engine.port())?;
    let (submissions, tests) = QUEUED;
    // Each takes so long that hardly any of it is done meanwhile.
    let source = |number: usize| format!("import time\ntime.sleep(10)\n# {number}\n");
    let program = |number: usize| json!({"id": number.to_string(), "language": "python", "source": source(number)});
    let few: Vec<(String, String)> = vec![test(0)];
    let small = json!({"submissions": [program(0)], "tests": of_api(&few)}).to_string();
    submitted(&mut client, &small)?;
    let (memory, room) = (memory::pss_of_tree(engine.pid())?, folder_bytes(&kept)?);
    let tests: Vec<(String, String)> = (0..tests).map(test).collect();
    let programs: Vec<Value> = (0..submissions).map(program).collect();
    let data = tests.iter().map(|(input, answer)| input.len() + answer.len()).sum::<usize>()
        + (0..submissions).map(|number| source(number).len()).sum::<usize>();
    submitted(&mut client, &json!({"submissions": programs, "tests": of_api(&tests)}).to_string())?;
    let mut submits = Vec::new();
    for _ in 0..21 {
        let began = Instant::now();
        submitted(&mut client, &small)?;
        submits.push(began.elapsed());
    }
    submits.sort();
    let growth_kb = memory::pss_of_tree(engine.pid())?.saturating_sub(memory);
    let grown = folder_bytes(&kept)?.saturating_sub(room).saturating_sub(data as u64);
    let row_bytes = grown as f64 / (QUEUED.0 * QUEUED.1) as f64;
    engine.stop().or_problem("engined did not stop", "read its log")?;
    Ok(Queue { growth_kb, submit: submits[submits.len() / 2], row_bytes })
}

/// With its store where a sync costs what it costs: the usual state of `engined up` is in memory.
fn on_disk(programs: &Programs, kept: &Path) -> Result<Engine> {
    Engine::start_with(programs, None, &["--batches", &kept.to_string_lossy()])
}

/// All files of the store below the folder that it is kept in.
fn folder_bytes(kept: &Path) -> Result<u64> {
    fn walk(folder: &PathBuf) -> std::io::Result<u64> {
        fs::read_dir(folder)?.try_fold(0, |sum, entry| {
            let entry = entry?;
            let meta = entry.metadata()?;
            Ok(sum + if meta.is_dir() { walk(&entry.path())? } else { meta.len() })
        })
    }
    let folder = kept.join("batches");
    walk(&folder).or_problem(folder.display().to_string(), "look where the store is")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).or_problem(path.display().to_string(), "free some disk")
}
