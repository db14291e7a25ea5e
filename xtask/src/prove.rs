//! `cargo xtask prove`: everything again and harder, and a dated report of what was seen on which machine.

use std::fs;
use std::process::Command;

use crate::build::{self, Programs};
use crate::corpus::{self, Load};
use crate::host::{self, Kernel};
use crate::problem::{Context, Result};
use crate::tally::Tally;
use crate::{bench, python_client, setup, tests};

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
    part("corpus, three times, one at a time", corpus::run(&programs, Load { times: 3, jobs: 1 }));
    part("corpus, three times, eight at a time", corpus::run(&programs, Load { times: 3, jobs: 8 }));
    part(&format!("lies on the link, {LIES} times"), lies());
    for kernel in [Kernel::Newer, Kernel::Older] {
        let version = kernel.version();
        part(&format!("test host, kernel {version}, systemd units"), host::run(&programs, kernel));
        part(&format!("test host, kernel {version}, rootless"), host::rootless(&programs, kernel));
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
        ("gcc", said("/usr/bin/gcc", &["-dumpfullversion"])),
        ("python", said("/usr/bin/python3", &["--version"])),
        ("engined", said(&programs.engined.display().to_string(), &["--version"])),
    ];
    for (name, value) in facts {
        text += &format!("- {name}: {value}\n");
    }
    text += "\n| part | passed | failed |\n| --- | ---: | ---: |\n";
    for part in parts {
        text += &format!("| {} | {} | {} |\n", part.name, part.tally.passed(), part.tally.failures().len());
    }
    let failures: Vec<&String> = parts.iter().flat_map(|part| part.tally.failures()).collect();
    if !failures.is_empty() {
        text += "\n## What failed\n\n";
        for failure in failures {
            text += &format!("- {}\n", failure.replace('\n', " "));
        }
    }
    text + &format!("\n## Against the bare toolchain\n\nMedians of interleaved pairs on this machine.\n\n{table}")
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
