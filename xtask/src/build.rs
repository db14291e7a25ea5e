//! Runs cargo: builds both programs, runs test binaries and counts what they say.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// Where the two programs are, side by side: `engined` finds `jaild` beside itself.
#[derive(Debug)]
pub struct Programs {
    /// The daemon and command line.
    pub engined: PathBuf,
    /// The broker.
    pub jaild: PathBuf,
}

impl Programs {
    /// Those of a folder.
    pub fn of(folder: &Path) -> Self {
        Programs { engined: folder.join("engined"), jaild: folder.join("jaild") }
    }
}

/// The top folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).stdin(Stdio::null());
    cargo
}

/// What `cargo metadata` says of this workspace, from Cargo.lock alone.
pub fn metadata(args: &[&str]) -> Result<serde_json::Value> {
    let output = cargo().args(["metadata", "--format-version", "1", "--locked"]).args(args).output();
    let output = output.or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Problem::new(format!("cargo metadata failed: {text}"), "mend Cargo.toml or Cargo.lock"));
    }
    serde_json::from_slice(&output.stdout).or_problem("cargo metadata answered no JSON", "update Rust")
}

/// The folder that cargo builds into.
pub fn target() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    metadata["target_directory"].as_str().map(PathBuf::from).ok_or_else(|| {
        Problem::new("cargo metadata names no target directory", "update Rust to the version in Cargo.toml or newer")
    })
}

/// Builds both programs as they ship.
pub fn release() -> Result<Programs> {
    let status = cargo()
        .args(["build", "--release", "--locked", "--package", "engined", "--package", "jail", "--bins"])
        .status()
        .or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
    if !status.success() {
        return Err(Problem::new("the release build failed", "read the compiler's message above"));
    }
    Ok(Programs::of(&target()?.join("release")))
}

/// Builds both programs with stop points, for tests of engined alone: its tests start the jaild beside it.
pub fn hooked(features: &[&str]) -> Result<()> {
    let status = cargo()
        .args(["build", "--locked", "--bins"])
        .args(features)
        .status()
        .or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new("the build with test-hooks failed", "read the compiler's message above"))
}

/// Builds what works on a store until it is ended, with the features that the tests of the workspace have it with.
pub fn torture() -> Result<PathBuf> {
    let status = cargo()
        .args(["build", "--quiet", "--locked", "--workspace", "--example", "store_torture"])
        .status()
        .or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
    if status.success() {
        return Ok(target()?.join("debug/examples/store_torture"));
    }
    Err(Problem::new("store_torture was not built", "read the compiler's message above"))
}

/// Runs `cargo test` with `args`, shows its output as it comes and counts it.
pub fn test(name: &str, args: &[&str]) -> Result<Tally> {
    counted(name, test_command(args))
}

/// The same with a setting in the environment.
pub fn test_with(name: &str, args: &[&str], (key, value): (&str, &str)) -> Result<Tally> {
    let mut command = test_command(args);
    command.env(key, value);
    counted(name, command)
}

fn test_command(args: &[&str]) -> Command {
    println!("xtask: cargo test {}", args.join(" "));
    let mut command = cargo();
    // A test that lacks a privilege or a facility skips aloud elsewhere; here it must not.
    command.args(["test", "--locked", "--no-fail-fast"]).args(args);
    if nix::unistd::geteuid().is_root() {
        command.env("ENGINED_FORBID_SKIP", "1");
    }
    command
}

/// Runs a command whose standard output [`Tally::read_line`] understands; failing without naming a failure is one.
pub fn counted(name: &str, mut command: Command) -> Result<Tally> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .or_problem(format!("{program} did not start"), "run `cargo xtask setup`")?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.or_problem(format!("{name}: its output broke off"), "run it again")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            tally.read_line(&line);
        }
    }
    let status = child.wait().or_problem(format!("{name} was lost"), "run it again")?;
    if !status.success() && tally.failures().is_empty() {
        tally.fail(format!("{name}: {status} without a failed test: it did not build, crashed or was stopped"));
    }
    Ok(tally)
}

/// Debian's interpreter, never the first `python3` of some PATH.
pub fn python(script: impl AsRef<OsStr>) -> Command {
    let mut python = Command::new("/usr/bin/python3");
    python.arg("-B").arg(script).stdin(Stdio::null());
    python
}
