//! NumPy for the corpus, as an operator would give it to strangers' programs: a venv that only root can change, and a
//! manifest that lays it over the usual Python.
//!
//! Debian's `python3-numpy` would do it more simply, for every Python of this machine; other tests show that a plain
//! one has no packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::{Context, Problem, Result};
use crate::setup;

const VENV: &str = "/opt/engined-xtask/python-numpy";
const PYTHON: &str = "/usr/bin/python3";
/// The toolchain of [`PYTHON`] in the manifest of Python.
const TOOLCHAIN: &str = "cpython";

/// Writes a manifest to `folder` that gives NumPy to Python, after making the venv where it is missing. False: it can't
/// be had here, and that was said. Under `CI` this is an error.
pub fn offer(folder: &Path) -> Result<bool> {
    match venv() {
        Ok(packages) => {
            let manifest = format!(
                "add_to = \"python\"\n\n[[environment]]\ntoolchain = \"{TOOLCHAIN}\"\npath = \"{VENV}\"\n\
                 needs = [\"{}\"]\nreason = \"the corpus has a program that imports NumPy\"\n",
                packages.join("numpy").display()
            );
            let file = folder.join("python-numpy.toml");
            fs::write(&file, manifest).or_problem(file.display().to_string(), "free some disk")?;
            Ok(true)
        }
        Err(problem) if std::env::var_os("CI").is_some_and(|value| !value.is_empty()) => Err(problem),
        Err(problem) => {
            println!("xtask: skipped: NumPy, numpy_import.py runs without it: {problem}");
            Ok(false)
        }
    }
}

/// The folder with the venv's packages, relative to the venv.
fn venv() -> Result<PathBuf> {
    if let Some(packages) = packages() {
        return Ok(packages);
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(
            format!("there is no NumPy in {VENV}, and only root can put it there"),
            "run `cargo xtask test` once as root",
        ));
    }
    setup::ensure_pip()?;
    println!("xtask: NumPy into {VENV}");
    command(PYTHON, &["-m", "venv", "--clear", VENV])?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "numpy"];
    command(&format!("{VENV}/bin/python3"), &pip)?;
    // A program in the sandbox is another user than whoever made this.
    command("/usr/bin/chmod", &["-R", "u=rwX,go=rX", VENV])?;
    packages().ok_or_else(|| Problem::new(format!("{VENV} lacks NumPy after pip had installed it"), "remove it"))
}

/// Asks the venv itself: it may be of another Python, or half made.
fn packages() -> Option<PathBuf> {
    let ask = "import numpy, sysconfig; print(sysconfig.get_path('purelib'))";
    let told =
        Command::new(format!("{VENV}/bin/python3")).args(["-I", "-c", ask]).stderr(Stdio::null()).output().ok()?;
    let path = String::from_utf8(told.stdout).ok().filter(|_| told.status.success())?;
    Path::new(path.trim()).strip_prefix(VENV).ok().map(Path::to_path_buf)
}

fn command(program: &str, args: &[&str]) -> Result<()> {
    let line = format!("{program} {}", args.join(" "));
    let status = Command::new(program).args(args).stdin(Stdio::null()).status();
    let status = status.or_problem(format!("`{line}` did not start"), "cargo xtask setup")?;
    if status.success() {
        return Ok(());
    }
    let remedy = "read its message above; without a network, point pip to a folder of wheels with PIP_FIND_LINKS";
    Err(Problem::new(format!("`{line}` failed ({status})"), remedy))
}
