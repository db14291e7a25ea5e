//! `cargo xtask prove`: everything again and harder, and a dated report of what was seen on which machine.

use std::fs;
use std::process::Command;

use crate::build::{self, Programs};
use crate::corpus::{self, FOLDERS, LANGUAGES, Load};
use crate::host::{self, Depth, Kernel};
use crate::problem::{Context, Result};
use crate::tally::Tally;
use crate::{bench, python_client, setup, tests, toolchains};

/// Repetitions of the tests that lie to the link: a race needs more than one try.
const LIES: u32 = 10;
const ROUNDS: u32 = 200;

/// One part of the proof.
struct Part {
    name: String,
    tally: Tally,
}

/// Runs all parts and writes `reports/DATE.md`.
pub fn run() -> Result<Tally> {
    setup::ensure()?;
    setup::ensure_pip()?;
    let programs = build::release()?;
    let mut parts = Vec::new();
    let mut part = |name: &str, outcome: Result<Tally>| {
        // One part that cannot run must not hide what the others say.
        let tally = outcome.unwrap_or_else(|problem| {
            let mut tally = Tally::default();
            tally.fail(format!("{name}: {problem}"));
            tally
        });
        println!("xtask: {name}: {} passed, {} failed", tally.passed(), tally.failures().len());
        parts.push(Part { name: name.to_owned(), tally });
    };
    part("tests of the workspace", tests::workspace());
    part("Python client", python_client::run(&programs));
    for (jobs, told) in [(1, "one"), (8, "eight")] {
        let load = Load { folders: &FOLDERS, times: 3, jobs };
        part(&format!("corpus, three times, {told} at a time"), corpus::run(&programs, &[load]));
    }
    part(&format!("lies on the link, {LIES} times"), lies());
    for kernel in [Kernel::Newer, Kernel::Older] {
        let version = kernel.version();
        part(&format!("test host, kernel {version}, systemd units"), host::run(&programs, kernel, Depth::Whole));
        part(&format!("test host, kernel {version}, rootless"), host::rootless(&programs, kernel, Depth::Whole));
    }
    let figures = bench::measure(&programs, ROUNDS);
    let table = figures.as_ref().map_or_else(ToString::to_string, bench::Figures::table);
    part("speed and memory", figures.map(|f| f.tally()));
    let mut total = Tally::default();
    let report = report(&programs, &parts, &table);
    for part in parts {
        total.add(part.tally);
    }
    write(&report)?;
    Ok(total)
}

/// Clients of the link that lie, again and again.
fn lies() -> Result<Tally> {
    let mut tally = Tally::default();
    for _ in 0..LIES {
        tally.add(build::test("lies on the link", &["--package", "jail", "--test", "lies"])?);
    }
    Ok(tally)
}

fn report(programs: &Programs, parts: &[Part], table: &str) -> String {
    let mut text = format!("# Proof of {}\n\n", said("date", &["+%Y-%m-%d %H:%M UTC", "-u"]));
    let facts = [
        ("commit", said("git", &["-C", &build::root().display().to_string(), "describe", "--always", "--dirty"])),
        ("kernel", said("uname", &["-srm"])),
        ("processors", processors()),
        ("cgroup", said("stat", &["-fc", "%T", "/sys/fs/cgroup"])),
        ("engined", said(&programs.engined.display().to_string(), &["--version"])),
    ];
    for (name, value) in facts {
        text += &format!("- {name}: {value}\n");
    }
    match toolchains::installed() {
        Ok(all) => {
            toolchains::told(&all).iter().for_each(|(name, versions)| text += &format!("- {name}: {versions}\n"))
        }
        Err(problem) => text += &format!("- toolchains: {problem}\n"),
    }
    text += "\n| part | passed | failed |\n| --- | ---: | ---: |\n";
    for part in parts {
        text += &format!("| {} | {} | {} |\n", part.name, part.tally.passed(), part.tally.failures().len());
    }
    let failures: Vec<&String> = parts.iter().flat_map(|part| part.tally.failures()).collect();
    if !failures.is_empty() {
        text += "\n## What failed\n\n";
        for failure in &failures {
            text += &format!("- {}\n", failure.replace('\n', " "));
        }
    }
    text += &languages(&failures);
    text + &format!("\n## Against the bare toolchain\n\nMedians of interleaved pairs on this machine.\n\n{table}")
}

/// The programs of each language, and how many failures in all parts together were of them.
fn languages(failures: &[&String]) -> String {
    let mut text =
        format!("\n| programs | {} | failures |\n| --- | ---: | ---: | ---: | ---: |\n", FOLDERS.join(" | "));
    let census: Vec<Vec<usize>> = FOLDERS.iter().map(|folder| corpus::census(folder).unwrap_or_default()).collect();
    for (n, (ending, name)) in LANGUAGES.iter().enumerate() {
        let counts = census.iter().map(|folder| folder.get(n).map_or_else(|| "?".to_owned(), usize::to_string));
        // A failure of a program begins with its name.
        let program = |text: &&&String| {
            text.split(' ').next().and_then(|w| w.rsplit_once('.')).is_some_and(|(_, e)| e == *ending)
        };
        let failed = failures.iter().filter(program).count();
        text += &format!("| {name} | {} | {failed} |\n", counts.collect::<Vec<_>>().join(" | "));
    }
    text
}

fn write(report: &str) -> Result<()> {
    let folder = build::root().join("reports");
    let file = folder.join(format!("{}.md", said("date", &["-u", "+%Y-%m-%dT%H%M"])));
    fs::create_dir_all(&folder).or_problem(folder.display().to_string(), "make it writable")?;
    fs::write(&file, report).or_problem(file.display().to_string(), "free some disk")?;
    println!("{report}\nxtask: written to {}", file.display());
    Ok(())
}

fn processors() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .map_or("unknown", |l| l.trim_start_matches([' ', '\t', ':']));
    let count = info.lines().filter(|l| l.starts_with("processor")).count();
    format!("{count} of {model}")
}

/// What a command prints, or that it could not be asked: a report goes on without one fact.
fn said(program: &str, args: &[&str]) -> String {
    match Command::new(program).args(args).output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}
