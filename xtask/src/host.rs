//! The test host: puts both programs, the units and the corpus on a disk and runs a job in the Debian 12 guest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{self, Programs};
use crate::engine::Scratch;
use crate::problem::{Context, Problem, Result};
use crate::tally::Tally;

/// The kernels that the guest's image has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kernel {
    /// Landlock ABI 6, resettable memory.peak.
    #[value(name = "6.12")]
    Newer,
    /// Landlock ABI 2.
    #[value(name = "6.1")]
    Older,
}

impl Kernel {
    /// As `run.sh --kernel` takes it.
    pub fn version(self) -> &'static str {
        match self {
            Kernel::Newer => "6.12",
            Kernel::Older => "6.1",
        }
    }
}

/// A job of `xtask/testhost/jobs`.
#[derive(Clone, Copy, Debug)]
enum Job {
    /// The systemd units, installed as `systemd/README.md` says.
    Units,
    /// `engined up` as the ordinary user `tester`.
    Rootless,
}

impl Job {
    fn folder(self) -> &'static str {
        match self {
            Job::Units => "units",
            Job::Rootless => "rootless",
        }
    }
}

/// How much of the corpus runs in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// A program of each language and one of each attack: minutes.
    Short,
    /// Every honest and hostile program, and some of what each language means: an hour of emulation or more.
    Whole,
}

impl Depth {
    /// What the guest may take, its boot included.
    fn seconds(self) -> u32 {
        match self {
            Depth::Short => 1_800,
            Depth::Whole => 4 * 3_600,
        }
    }

    /// As the jobs read it.
    fn settings(self) -> &'static str {
        match self {
            Depth::Short => "PROVE=no\n",
            Depth::Whole => "PROVE=yes\n",
        }
    }
}

/// Installs the units in the guest and tests through them.
pub fn run(programs: &Programs, kernel: Kernel, depth: Depth) -> Result<Tally> {
    job(programs, kernel, Job::Units, depth)
}

/// Starts everything as an ordinary user of the guest and tests that.
pub fn rootless(programs: &Programs, kernel: Kernel, depth: Depth) -> Result<Tally> {
    job(programs, kernel, Job::Rootless, depth)
}

fn job(programs: &Programs, kernel: Kernel, job: Job, depth: Depth) -> Result<Tally> {
    if !nix::unistd::geteuid().is_root() {
        return Err(Problem::new(
            "the test host's image is built by root (mmdebstrap)",
            "run this as root, or `cargo xtask test --no-host`",
        ));
    }
    println!("xtask: test host, kernel {}, job {}", kernel.version(), job.folder());
    let top = build::root();
    let scratch = Scratch::new("testhost")?;
    let disk = scratch.path();
    // The guest gets what a release would hold, laid out as the repository is.
    place(&programs.engined, &disk.join("target/release/engined"))?;
    place(&programs.jaild, &disk.join("target/release/jaild"))?;
    for folder in ["systemd", "corpus", "languages/manifests"] {
        place(&top.join(folder), &disk.join(folder))?;
    }
    let jobs = top.join("xtask/testhost/jobs");
    place(&jobs.join("common.sh"), &disk.join("common.sh"))?;
    place(&jobs.join(job.folder()), &disk.to_owned())?;
    let settings = disk.join("settings.sh");
    fs::write(&settings, depth.settings()).or_problem(settings.display().to_string(), "free some disk")?;
    let mut command = Command::new(top.join("xtask/testhost/run.sh"));
    command.args(["--kernel", kernel.version(), "--timeout", &depth.seconds().to_string()]).arg(disk);
    build::counted(&format!("test host {} {}", kernel.version(), job.folder()), command)
}

/// A few rounds of the bench in the guest, as root under systemd: for what only a host with systemd has.
pub fn bench(programs: &Programs) -> Result<Tally> {
    let scratch = Scratch::new("testhost")?;
    let disk = scratch.path();
    let ourselves = std::env::current_exe().or_problem("xtask does not find itself", "run it by its path")?;
    for (program, name) in [(&programs.engined, "engined"), (&programs.jaild, "jaild"), (&ourselves, "xtask")] {
        place(program, &disk.join(name))?;
    }
    let job = build::root().join("xtask/testhost/jobs/bench/run-in-guest.sh");
    place(&job, &disk.join("run-in-guest.sh"))?;
    let mut command = Command::new(build::root().join("xtask/testhost/run.sh"));
    command.args(["--timeout", "1800"]).arg(disk);
    build::counted("bench in the test host", command)
}

/// Copies a file or a folder, with modes.
pub(crate) fn place(from: &Path, to: &PathBuf) -> Result<()> {
    let told = || format!("{} cannot be copied to {}", from.display(), to.display());
    if from.is_dir() {
        for entry in fs::read_dir(from).or_problem(told(), "git status")? {
            let entry = entry.or_problem(told(), "git status")?;
            place(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).or_problem(told(), "free some disk, or set TMPDIR")?;
    }
    fs::copy(from, to).map(|_| ()).or_problem(told(), "build first, and free some disk")
}
