//! schemathesis makes requests out of `openapi.yaml`, right ones and wrong ones, and looks whether a running engine
//! answers as the document says: no 5xx, no undocumented status, header or body, nothing wrong that is taken and nothing
//! right that is refused. What it is asked, and which checks are off for what reason, stands in `xtask/schemathesis/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::build::{self, Programs};
use crate::engine::Engine;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// How long it goes on.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// For every change: less than a minute, the same requests each time.
    Short,
    /// For a proof: that, then ten minutes of other requests each time.
    Long,
}

/// So many requests are made up for each operation, besides those that cover the document word by word.
const EXAMPLES: &str = "50";
const SECONDS: &str = "600";

impl Length {
    /// Each run's options. The seed is printed with it, and gives the same requests again. With a time instead of a
    /// number of requests the document is not covered word by word, so the long form begins with the short one.
    fn runs(self) -> Vec<Vec<String>> {
        let words = |words: [&str; 4]| words.map(str::to_owned).to_vec();
        let short = words(["--seed", "7", "--max-examples", EXAMPLES]);
        match self {
            Length::Short => vec![short],
            Length::Long => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(7, |since| since.as_secs()).to_string();
                vec![short, words(["--seed", &now, "--max-time", SECONDS])]
            }
        }
    }
}

/// Installs it, starts an engine and lets it ask. Where it cannot be installed this is skipped aloud, and under `CI` an error.
pub fn run(programs: &Programs, length: Length) -> Result<Tally> {
    let program = match installed() {
        Ok(program) => program,
        Err(problem) if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => return Err(problem),
        Err(problem) => {
            println!("xtask: skipped: schemathesis: {problem}");
            return Ok(Tally::default());
        }
    };
    let engine = Engine::start(programs)?;
    let mut tally = Tally::default();
    for options in length.runs() {
        tally.add(ask(&program, &engine.base(), &options)?);
    }
    let log = engine.log();
    // Time, level, words: nothing that a caller sent stands before these.
    let of_error = |line: &&str| line.split_whitespace().nth(1) == Some("ERROR") || line.contains("' panicked at ");
    let errors: Vec<&str> = log.lines().filter(of_error).collect();
    let none = if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) };
    tally.check("schemathesis: the engine met no error of its own", none);
    tally.check("schemathesis: engined stops on SIGTERM", engine.stop());
    Ok(tally)
}

fn source() -> PathBuf {
    build::root().join("xtask/schemathesis")
}

/// Runs it against the engine at `base` and counts what its report says.
fn ask(program: &Path, base: &str, options: &[String]) -> Result<Tally> {
    let folder = build::target()?.join("schemathesis/run");
    fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "make the target folder writable")?;
    let report = folder.join("report.json");
    if report.exists() {
        fs::remove_file(&report).or_problem(report.display().to_string(), "make the target folder writable")?;
    }
    println!("xtask: schemathesis {}", options.join(" "));
    let status = Command::new(program)
        .arg("--config-file")
        .arg(source().join("schemathesis.toml"))
        .arg("run")
        .arg(build::root().join("api-spec/openapi.yaml"))
        .args(["--url", base, "--no-color", "--output-sanitize", "false"])
        .args(["--exclude-path", "/v1/drain"])
        .args(options)
        .args(["--report", "json", "--report-json-path"])
        .arg(&report)
        // It keeps things in the folder where it runs.
        .current_dir(&folder)
        .env("PYTHONPATH", source())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .status()
        .or_problem(format!("{} did not start", program.display()), "remove it, and run this again")?;
    let text = fs::read(&report).or_problem(
        format!("schemathesis ended with {status} and left no report"),
        "read its message above; a mistake in xtask/schemathesis looks like this",
    )?;
    let report = serde_json::from_slice(&text).or_problem("the report of schemathesis is no JSON", "run it again")?;
    let mut tally = count(&report);
    if !status.success() && tally.failures().is_empty() {
        tally.fail(format!("schemathesis: {status}, and its report names no failure"));
    }
    Ok(tally)
}

/// Each operation that was tried counts as one, each different failure as one, and that programs have run at all.
/// Operations that are left out: after a drain every other answer would be that the engine drains.
const EXCLUDED: u64 = 1;

fn count(report: &Value) -> Tally {
    let mut tally = Tally::default();
    let number = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    for (kind, list) in [("failure", &report["failures"]), ("error", &report["errors"])] {
        for found in list.as_array().into_iter().flatten() {
            tally.fail(format!("schemathesis: {kind}: {found}"));
        }
    }
    let (tested, total) = (number("/operations/tested"), number("/operations/total"));
    let whole = report["complete"] == true && total > EXCLUDED && tested == total - EXCLUDED;
    for operation in 0..tested.saturating_sub(u64::try_from(tally.failures().len()).unwrap_or(u64::MAX)) {
        tally.check(&format!("schemathesis: operation {operation}"), Ok(()));
    }
    let incomplete = format!("{tested} of {total} operations were tried, stopped by {}", report["stop_reason"]);
    tally.check("schemathesis: every operation was tried", if whole { Ok(()) } else { Err(incomplete) });
    let taken = |operation: &str| -> u64 {
        let phases = report["valid_rates"][operation].as_object().into_iter().flatten();
        phases.filter_map(|(_, rate)| rate["accepted"].as_u64()).sum()
    };
    let accepted = taken("POST /v1/executions");
    println!(
        "xtask: schemathesis: {} requests, {accepted} of them ran or checked a program",
        number("/test_cases/generated")
    );
    let some = if accepted >= 10 { Ok(()) } else { Err(format!("only {accepted}: the others were refused")) };
    tally.check("schemathesis: programs were taken", some);
    for operation in ["POST /v1/batches", "PUT /v1/blobs/{sha256}"] {
        let some = if taken(operation) > 0 { Ok(()) } else { Err("all of them were refused".to_owned()) };
        tally.check(&format!("schemathesis: {operation} took something"), some);
    }
    tally
}

/// The program, in an environment that has the versions of `requirements.txt`.
fn installed() -> Result<PathBuf> {
    let folder = build::target()?.join("schemathesis");
    let requirements = source().join("requirements.txt");
    let wanted = fs::read(&requirements).or_problem(requirements.display().to_string(), "git checkout -- xtask")?;
    let (program, done) = (folder.join("bin/schemathesis"), folder.join("installed.txt"));
    if fs::read(&done).ok().as_ref() == Some(&wanted) && program.exists() {
        return Ok(program);
    }
    println!("xtask: schemathesis, into {}", folder.display());
    command(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--requirement"];
    command(Command::new(folder.join("bin/python")).args(pip).arg(requirements))?;
    fs::write(&done, wanted).or_problem(done.display().to_string(), "make the target folder writable")?;
    Ok(program)
}

fn command(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let status =
        command.stdin(Stdio::null()).status().or_problem(format!("`{line}` did not start"), "cargo xtask setup")?;
    if status.success() {
        return Ok(());
    }
    let remedy = "read its message above; without a network, point pip to a folder of wheels with PIP_FIND_LINKS";
    Err(Problem::new(format!("`{line}` failed ({status})"), remedy))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> Value {
        json!({"complete": true, "stop_reason": "completed", "operations": {"total": 4, "tested": 3},
            "test_cases": {"generated": 90}, "failures": [], "errors": [],
            "valid_rates": {"POST /v1/executions": {"coverage": {"accepted": 15}, "fuzzing": {"accepted": 5}},
                "POST /v1/batches": {"fuzzing": {"accepted": 1}}, "PUT /v1/blobs/{sha256}": {"fuzzing": {"accepted": 1}}}})
    }

    #[test]
    fn operations_and_failures_are_counted() {
        let tally = count(&report());
        assert_eq!((tally.passed(), tally.failures().len()), (7, 0));
        let mut bad = report();
        bad["failures"] = json!([{"code": "ST108", "title": "Response violates schema"}]);
        let tally = count(&bad);
        assert_eq!((tally.passed(), tally.failures().len()), (6, 1));
        assert!(tally.failures()[0].contains("ST108"), "{:?}", tally.failures());
    }

    #[test]
    fn a_report_of_nothing_is_a_failure() {
        for (pointer, value) in [
            ("/complete", json!(false)),
            ("/operations/tested", json!(2)),
            ("/valid_rates/POST ~1v1~1executions", json!({})),
            ("/valid_rates/POST ~1v1~1batches", json!({})),
            ("/errors", json!(["Network Error"])),
        ] {
            let mut bad = report();
            *bad.pointer_mut(pointer).unwrap() = value;
            assert_eq!(count(&bad).failures().len(), 1, "{pointer}");
        }
        assert_eq!(count(&json!({})).failures().len(), 4);
    }
}
