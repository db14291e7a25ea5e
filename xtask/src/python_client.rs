//! Tests the Python client, `api-spec/python`, against a live engine, in an environment below cargo's target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::build::{self, Programs};
use crate::engine::Engine;
use crate::problem::{Context, Problem, Result};
use crate::served::Served;
use crate::tally::Tally;

/// Installs the client as people do, and runs its tests; as root on both sockets and with tokens, else in development.
pub fn run(programs: &Programs) -> Result<Tally> {
    let python = installed()?;
    let mut tests = Command::new(python);
    tests
        .args(["-B", "-m", "pytest", "-q"])
        .current_dir(source())
        .env_remove("ENGINED_URL")
        .env_remove("ENGINED_TOKEN");
    if !nix::unistd::geteuid().is_root() {
        let engine = Engine::start(programs)?;
        tests.env("ENGINED_TEST_URL", engine.base());
        let mut tally = build::counted("Python client", tests)?;
        tally.check("engined stops on SIGTERM", engine.stop());
        return Ok(tally);
    }
    let served = Served::start(programs)?;
    tests
        .env("ENGINED_FORBID_SKIP", "1")
        .env("ENGINED_TEST_URL", format!("http://{}", served.address))
        .env("ENGINED_TEST_TOKEN", &served.token)
        .env("ENGINED_TEST_SMALL_TOKEN", &served.small_token)
        .env("ENGINED_TEST_UNIX", served.unix());
    let mut tally = build::counted("Python client", tests)?;
    if !tally.failures().is_empty() {
        println!("xtask: what jaild and engined printed meanwhile:\n{}", served.log());
    }
    tally.check("engined and jaild stop on SIGTERM", served.stop());
    Ok(tally)
}

fn source() -> PathBuf {
    build::root().join("api-spec/python")
}

/// The interpreter of an environment that has the client of this checkout and what its tests need.
fn installed() -> Result<PathBuf> {
    let folder = build::target()?.join("python-client");
    let python = folder.join("bin/python");
    let project = source().join("pyproject.toml");
    let wanted = fs::read(&project).or_problem(project.display().to_string(), "git checkout -- api-spec/python")?;
    let done = folder.join("installed.toml");
    if fs::read(&done).ok().as_ref() != Some(&wanted) {
        println!("xtask: Python packages for the client's tests, into {}", folder.display());
        command(Path::new("/usr/bin/python3"), &["-m", "venv", "--clear"], &folder)?;
        command(&python, &PIP, Path::new("./[test]"))?;
        fs::write(&done, wanted).or_problem(done.display().to_string(), "make the target folder writable")?;
    }
    // The code may have changed without its pyproject.toml. This much needs no network.
    let again = [&PIP[..], &["--no-deps", "--no-build-isolation", "--force-reinstall"]].concat();
    command(&python, &again, Path::new("."))?;
    Ok(python)
}

const PIP: [&str; 6] = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"];

fn command(program: &Path, args: &[&str], last: &Path) -> Result<()> {
    let line = format!("{} {} {}", program.display(), args.join(" "), last.display());
    let status = Command::new(program).args(args).arg(last).current_dir(source()).stdin(Stdio::null()).status();
    let status = status.or_problem(format!("`{line}` did not start"), "cargo xtask setup")?;
    if status.success() {
        return Ok(());
    }
    let remedy = "read its message above; without a network, point pip to a folder of wheels with PIP_FIND_LINKS";
    Err(Problem::new(format!("`{line}` failed ({status})"), remedy))
}
