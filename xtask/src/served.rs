//! A live engine as production has it: jaild and `engined serve`, started by somebody else than each other.
//!
//! It has a Unix socket for root and a TCP address for two tenants with a token each, one of which may do little.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use crate::build::Programs;
use crate::engine::Scratch;
use crate::problem::{Context, Problem, Result};

/// From start to ready: it runs a hello in each version of each language before that, in the test host by emulation.
const START: Duration = Duration::from_secs(180);
/// From SIGTERM to the end.
const PATIENCE: Duration = Duration::from_secs(60);
const ACCOUNT: &str = "engined";

/// Both programs, running.
#[derive(Debug)]
pub struct Served {
    /// In the order of their start.
    children: Vec<(&'static str, Child)>,
    jaild: PathBuf,
    scratch: Scratch,
    /// What only root may write.
    _roots: Scratch,
    /// Its TCP address, as in `127.0.0.1:7070`.
    pub address: String,
    /// The token of a tenant that may do what is usual.
    pub token: String,
    /// The token of a tenant that may run one program and have one waiting.
    pub small_token: String,
    stopped: bool,
}

impl Served {
    /// Starts both and waits until they are ready. Only root can: jaild takes a user and cgroups of its own.
    ///
    /// # Errors
    /// When one of them ends or they are not ready in time; their log is told.
    pub fn start(programs: &Programs) -> Result<Self> {
        Self::start_with(programs, None)
    }

    /// The same, with a listener for `/metrics` on this port.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn measured(programs: &Programs, metrics: u16) -> Result<Self> {
        Self::begin(programs, None, &format!("metrics = \"127.0.0.1:{metrics}\"\n"))
    }

    /// The same, with this configuration of jaild.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn start_with(programs: &Programs, jaild_config: Option<&str>) -> Result<Self> {
        Self::begin(programs, jaild_config, "")
    }

    fn begin(programs: &Programs, jaild_config: Option<&str>, listen: &str) -> Result<Self> {
        let scratch = Scratch::new("served")?;
        let folder = scratch.path();
        let account = User::from_name(ACCOUNT).ok().flatten();
        let account = account.ok_or_else(|| Problem::new("there is no user engined", "cargo xtask setup"))?;
        chown(folder, Some(account.uid.as_raw()), None).or_problem(folder.display().to_string(), "run this as root")?;
        let (token, line) = new_token(programs)?;
        let (small_token, small_line) = new_token(programs)?;
        let config = format!(
            "[listen]\nunix = {:?}\ntcp = \"127.0.0.1:0\"\n{listen}[engine]\njaild_socket = {:?}\n\
             [tenants.usual]\nallowed_users = [\"root\"]\n{line}\n\
             [tenants.small]\nplan = \"small\"\n{small_line}\n[plans.small]\nrunning = 1\nqueued = 1\n",
            folder.join("engined.sock"),
            folder.join("jaild.sock"),
        );
        let file = folder.join("engined.toml");
        fs::write(&file, config).or_problem(file.display().to_string(), "free some disk")?;
        let socket = folder.join("jaild.sock");
        let mut jaild = Command::new(&programs.jaild);
        jaild.arg("--socket").arg(socket).args(["--client-user", ACCOUNT]);
        // In a folder of root's: in the other one engined could change it.
        let roots = Scratch::new("jaild")?;
        if let Some(text) = jaild_config {
            let file = roots.path().join("jaild.toml");
            fs::write(&file, text).or_problem(file.display().to_string(), "free some disk")?;
            jaild.arg("--config").arg(file);
        }
        let mut engined = Command::new(&programs.engined);
        engined.args(["serve", "--notify", "--user", ACCOUNT, "--config"]).arg(file);
        let (address, jaild_path) = (String::new(), programs.jaild.clone());
        let children = Vec::new();
        let mut served =
            Served { children, jaild: jaild_path, scratch, _roots: roots, address, token, small_token, stopped: false };
        served.launch("jaild", jaild)?;
        served.launch("engined", engined)?;
        served.address = served.ready()?;
        Ok(served)
    }

    fn launch(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        let log = || File::options().create(true).append(true).open(self.scratch.path().join("log"));
        let out = log().or_problem("no log can be written", "free some disk")?;
        let errors = log().or_problem("no log can be written", "free some disk")?;
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn();
        self.children.push((name, child.or_problem(format!("{name} did not start"), "cargo build --release")?));
        Ok(())
    }

    /// Waits for the line that says so, and gives the address of the one before.
    fn ready(&mut self) -> Result<String> {
        let deadline = Instant::now() + START;
        loop {
            let log = self.log();
            let said = |word: &str| log.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
            if let (Some(address), Some(_)) = (said("listening "), said("ready ")) {
                return Ok(address);
            }
            let ended = self.children.iter_mut().any(|(_, child)| !matches!(child.try_wait(), Ok(None)));
            if ended || Instant::now() > deadline {
                let how = if ended { "one of them ended" } else { "they are not ready in time" };
                let what = format!("jaild and engined serve: {how}; they said:\n{log}");
                return Err(Problem::new(what, "target/release/engined doctor"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Both processes.
    pub fn pids(&self) -> Vec<u32> {
        self.children.iter().map(|(_, child)| child.id()).collect()
    }

    /// The port of its TCP address.
    ///
    /// # Errors
    /// When it has none.
    pub fn port(&self) -> Result<u16> {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        port.ok_or_else(|| Problem::new(format!("{} has no port", self.address), "run it again"))
    }

    /// The Unix socket for root.
    pub fn unix(&self) -> PathBuf {
        self.scratch.path().join("engined.sock")
    }

    /// All that both have printed so far.
    pub fn log(&self) -> String {
        let file = self.scratch.path().join("log");
        fs::read(file)
            .map_or_else(|cause| format!("(no log: {cause})"), |log| String::from_utf8_lossy(&log).into_owned())
    }

    /// SIGTERM to both, engined first, so that it can drain; jaild's cgroups are taken away behind it.
    pub fn stop(mut self) -> std::result::Result<(), String> {
        self.end()
    }

    fn end(&mut self) -> std::result::Result<(), String> {
        self.stopped = true;
        let mut outcome = Ok(());
        for (name, child) in self.children.iter_mut().rev() {
            outcome = outcome.and(terminate(name, child));
        }
        let mut leave = Command::new(&self.jaild);
        leave.arg("--socket").arg(self.scratch.path().join("jaild.sock")).args(["--leave", "yes"]).stdin(Stdio::null());
        match leave.status() {
            Ok(status) if status.success() => outcome,
            Ok(status) => outcome.and(Err(format!("jaild --leave yes: {status}"))),
            Err(cause) => outcome.and(Err(format!("jaild --leave yes did not start: {cause}"))),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.stopped
            && let Err(why) = self.end()
        {
            eprintln!("xtask: {why}");
        }
    }
}

fn terminate(name: &str, child: &mut Child) -> std::result::Result<(), String> {
    let pid = i32::try_from(child.id()).map_err(|cause| format!("{name}: {cause}"))?;
    kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|cause| format!("{name}: {cause}"))?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("{name} ended with {status} after SIGTERM")),
            Err(cause) => return Err(format!("{name} was lost: {cause}")),
        }
    }
    child.kill().and_then(|()| child.wait()).map_err(|cause| format!("{name} can't be killed: {cause}"))?;
    Err(format!("{name} was still there {PATIENCE:?} after SIGTERM, and was killed"))
}

/// A token and the line with its hash, from `engined token new`.
fn new_token(programs: &Programs) -> Result<(String, String)> {
    let output = Command::new(&programs.engined).args(["token", "new"]).stdin(Stdio::null()).output();
    let output = output.or_problem("engined did not start", "cargo build --release")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    let both = line("engined_").zip(line("tokens"));
    both.ok_or_else(|| Problem::new(format!("engined token new said:\n{text}"), "read its message above"))
}
