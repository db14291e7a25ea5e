//! Test binaries of cargo, run by ourselves: by whoever has time for the next. What fails in CI has a second try, alone;
//! that is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::build;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// So many tests of one run may have a second try: a busy machine holds up one or two of thousands, a mistake more.
const SECOND_TRIES: usize = 2;
/// What has none, by crate and by name: a wall that holds when it is tried again is none.
const WALLS: [&str; 5] = ["jail", "pairs", "remains", "pinned", "confinement"];
/// So much of what a failure says is told again at the end.
const DETAIL_LINES: usize = 120;

/// What follows from a test that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is tried again, and is unsteady if it passes.
    TryAgain,
    /// It has failed.
    Fail,
}

/// One of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Binary {
    /// Its crate's, where cargo would start it.
    folder: PathBuf,
    /// Of the library, program or file that it is made of.
    name: String,
    path: PathBuf,
}

/// Those that are still to be run.
#[derive(Debug)]
pub struct Binaries {
    next: Mutex<VecDeque<Binary>>,
    tries: Mutex<usize>,
}

impl Binaries {
    /// Builds what `cargo test` with the same `args` would run, but for the documentation's examples.
    pub fn build(args: &[&str], on_failure: OnFailure) -> Result<Self> {
        let mut cargo = build::cargo();
        cargo
            .args(["test", "--quiet", "--locked", "--no-run", "--message-format", "json-render-diagnostics"])
            .args(args);
        let built = cargo.stderr(Stdio::inherit()).output();
        let built = built.or_problem("cargo did not start", "install Rust: https://rustup.rs")?;
        if !built.status.success() {
            return Err(Problem::new("the tests were not built", "read the compiler's message above"));
        }
        let lines = String::from_utf8_lossy(&built.stdout);
        let mut next: Vec<Binary> = lines.lines().filter_map(Binary::of).collect();
        // Cargo names them as they are ready.
        next.sort_unstable();
        if next.is_empty() {
            return Err(Problem::new("cargo has built no tests", "look at the arguments in xtask/src/tests.rs"));
        }
        let tries = if on_failure == OnFailure::TryAgain { SECOND_TRIES } else { 0 };
        Ok(Binaries { next: Mutex::new(next.into()), tries: Mutex::new(tries) })
    }

    /// Runs the next until there is none. Several may do so at the same time.
    pub fn work(&self) -> Result<Tally> {
        let mut tally = Tally::default();
        while let Some(binary) = self.next() {
            let (mut said, failures) = binary.run(&[])?;
            // One that has crashed names none.
            for failure in failures {
                if binary.is_wall() || !self.may_try() {
                    continue;
                }
                println!("xtask: {failure} again, alone");
                let (again, failed) = binary.run(&["--exact", &failure])?;
                if failed.is_empty() && again.passed() == 1 {
                    said.steadied(&failure);
                }
            }
            tally.add(said);
        }
        Ok(tally)
    }

    fn next(&self) -> Option<Binary> {
        lock(&self.next).pop_front()
    }

    fn may_try(&self) -> bool {
        let mut left = lock(&self.tries);
        let may = *left > 0;
        *left = left.saturating_sub(1);
        may
    }
}

impl Binary {
    /// What one line of cargo's says of a test binary.
    fn of(line: &str) -> Option<Self> {
        let said: Value = serde_json::from_str(line).ok()?;
        let is_test = said["reason"] == "compiler-artifact" && said["profile"]["test"] == true;
        let path = said["executable"].as_str().filter(|_| is_test)?.into();
        let manifest = PathBuf::from(said["manifest_path"].as_str()?);
        Some(Binary { folder: manifest.parent()?.to_owned(), name: said["target"]["name"].as_str()?.to_owned(), path })
    }

    fn is_wall(&self) -> bool {
        let of = self.folder.file_name().and_then(|name| name.to_str());
        WALLS.iter().any(|wall| self.name == *wall || of == Some(*wall))
    }

    /// Shows what it says as it comes, counts it, and names the tests that failed.
    fn run(&self, args: &[&str]) -> Result<(Tally, Vec<String>)> {
        println!("     Running {} {} ({})", self.name, args.join(" "), self.path.display());
        let mut tally = Tally::default();
        let (mut detail, mut telling) = (Vec::new(), false);
        let status = self.say(args, |line| {
            println!("{line}");
            tally.read_line(line);
            // What failed says why between two lines of this kind.
            if line == "failures:" {
                telling = detail.is_empty();
            }
            if telling && detail.len() < DETAIL_LINES {
                detail.push(line.to_owned());
            }
        })?;
        let failures = tally.failures().to_vec();
        if !status.success() && failures.is_empty() {
            tally.fail(format!("{}: {status} without a failed test", self.path.display()));
        }
        if !detail.is_empty() {
            tally.tell_again(format!("{}:\n{}", self.name, detail.join("\n")));
        }
        Ok((tally, failures))
    }

    /// Calls `line` with each line of what it writes.
    fn say(&self, args: &[&str], mut line: impl FnMut(&str)) -> Result<ExitStatus> {
        let name = self.path.display().to_string();
        let (from, to) = std::io::pipe().or_problem("no pipe", "allow more descriptors")?;
        let too = to.try_clone().or_problem("no pipe", "allow more descriptors")?;
        let mut command = Command::new(&self.path);
        command.args(args).current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        // A test that lacks a privilege or a facility skips aloud elsewhere; here it must not.
        if nix::unistd::geteuid().is_root() {
            command.env("ENGINED_FORBID_SKIP", "1");
        }
        command.stdin(Stdio::null()).stdout(to).stderr(too);
        let mut child = command.spawn().or_problem(format!("{name} did not start"), "build it again")?;
        // It has our ends of the pipe.
        drop(command);
        for said in BufReader::new(from).split(b'\n') {
            line(&String::from_utf8_lossy(&said.or_problem(format!("{name}: its output broke off"), "run it again")?));
        }
        child.wait().or_problem(format!("{name} was lost"), "run it again")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Scratch;
    use std::fs;

    /// A binary that fails as often as its folder has files `fail…`, and takes one away each time.
    const SCRIPT: &str = "#!/bin/sh
case $* in *--exact*) name=$2;; *) name='a b';; esac
for test in $name; do
    if rm fail-$test-$(ls | grep -c fail-$test-) 2>/dev/null; then
        echo \"test $test ... FAILED\"; failed=1; passed=0
    else
        echo \"test $test ... ok\"
    fi
    one=$((one + 1))
done
test -n \"$failed\" || { echo \"test result: ok. $one passed; 0 failed; 0 ignored\"; exit 0; }
printf 'failures:\\n\\n---- why ----\\nso it is\\n\\nfailures:\\n    name\\n'
echo \"test result: FAILED. $((one - failed)) passed; $failed failed; 0 ignored\" >&2
exit 101
";

    fn work(folder: &str, failures: &[&str], tries: usize) -> Tally {
        let scratch = Scratch::new("binaries").unwrap();
        let folder = scratch.path().join(folder);
        fs::create_dir(&folder).unwrap();
        for failure in failures {
            fs::write(folder.join(failure), "").unwrap();
        }
        let (text, path) = (folder.join("text"), folder.join("binary"));
        fs::write(&text, SCRIPT).unwrap();
        // By a process of its own: who is forked beside this test has its descriptors until it executes, and nobody
        // executes what somebody may write.
        assert!(Command::new("install").args(["-m", "755"]).args([&text, &path]).status().unwrap().success());
        let binary = Binary { name: "binary".to_owned(), path, folder };
        Binaries { next: Mutex::new([binary].into()), tries: Mutex::new(tries) }.work().unwrap()
    }

    #[test]
    fn what_passes_at_the_second_try_is_told() {
        let tally = work("second", &["fail-a-1"], 2);
        assert_eq!((tally.passed(), tally.failures()), (2, &[][..]));
        assert_eq!(tally.unsteady(), ["a"]);
        assert!(tally.again()[0].contains("so it is"), "{:?}", tally.again());
    }

    #[test]
    fn what_fails_twice_has_failed() {
        let tally = work("twice", &["fail-a-1", "fail-a-2"], 2);
        assert_eq!((tally.passed(), tally.failures(), tally.unsteady().len()), (1, &["a".to_owned()][..], 0));
    }

    #[test]
    fn no_more_than_so_many_are_tried_again_and_no_wall() {
        let tally = work("many", &["fail-a-1", "fail-b-1"], 1);
        assert_eq!((tally.failures(), tally.unsteady()), (&["b".to_owned()][..], &["a".to_owned()][..]));
        let tally = work("jail", &["fail-a-1"], 2);
        assert_eq!((tally.failures(), tally.unsteady().len()), (&["a".to_owned()][..], 0));
    }

    #[test]
    fn cargo_names_the_binary_and_its_folder() {
        let line = r#"{"reason":"compiler-artifact","manifest_path":"/x/engined/Cargo.toml","target":{"name":"live"},"profile":{"test":true},"executable":"/x/target/live-1"}"#;
        let binary = Binary { name: "live".into(), path: "/x/target/live-1".into(), folder: "/x/engined".into() };
        assert_eq!(Binary::of(line), Some(binary));
        assert_eq!(Binary::of(&line.replace("true", "false")), None);
        assert_eq!(Binary::of(&line.replace("\"/x/target/live-1\"", "null")), None);
        assert_eq!(Binary::of("  Compiling"), None);
    }
}
