//! Starts a command and waits for it, as bare and as every peer are measured.
//!
//! std starts a program by `posix_spawn`, which is a vfork and an exec: nothing of this process is copied.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::problem::{Context, Problem, Result};

/// A command with a clean environment.
#[derive(Clone, Debug)]
pub struct Spawn {
    /// Its absolute path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Where it starts.
    pub folder: PathBuf,
}

impl Spawn {
    /// `program` with these arguments in `folder`.
    pub fn new(program: &Path, arguments: &[&str], folder: &Path) -> Self {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Spawn { program: program.to_owned(), arguments, folder: folder.to_owned() }
    }

    /// From the call that starts it to the one that reaps it, in microseconds.
    ///
    /// # Errors
    /// When it does not start or fails.
    pub fn run(&self) -> Result<u64> {
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status();
        let took = micros(start.elapsed());
        let told = self.program.display();
        let status = status.or_problem(format!("{told} did not start"), "cargo xtask setup")?;
        if status.success() {
            Ok(took)
        } else {
            Err(Problem::new(format!("{told} failed: {status}"), "run it by hand"))
        }
    }

    /// Once, without a clock; what it said belongs to the failure.
    ///
    /// # Errors
    /// When it does not start or fails.
    pub fn attempt(&self) -> std::result::Result<(), String> {
        let output = self.command().stdin(Stdio::null()).output().map_err(|cause| cause.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(nothing)").to_owned();
        Err(format!("{}, saying: {line}", output.status))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.folder).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        command
    }
}

/// Where a host with both versions of cgroups has the second.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// Whether this host has both versions of cgroups, which some peers refuse to run on.
pub fn is_hybrid() -> bool {
    Path::new(UNIFIED).is_dir()
}

/// Hides the second version from this thread and all that it starts, in a mount namespace of its own.
///
/// # Errors
/// When the namespace can't be had: only root can.
pub fn hide_unified() -> Result<()> {
    let remedy = "run this as root";
    unshare(CloneFlags::CLONE_NEWNS).or_problem("no mount namespace", remedy)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).or_problem("/ stays shared", remedy)?;
    umount2(UNIFIED, MntFlags::MNT_DETACH).or_problem(UNIFIED, remedy)
}

/// In whole microseconds.
pub fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_what_was_said() {
        let spawn = |script| Spawn::new(Path::new("/bin/sh"), &["-c", script], Path::new("/"));
        assert!(spawn("exit 0").run().is_ok_and(|took| took > 0));
        assert!(spawn("exit 3").run().is_err());
        assert_eq!(spawn("echo no room >&2; exit 3").attempt(), Err("exit status: 3, saying: no room".to_owned()));
        assert_eq!(
            spawn("test \"$(env | cut -d= -f1 | sort | head -2 | tr '\\n' ' ')\" = 'LANG PATH '").attempt(),
            Ok(())
        );
    }
}
