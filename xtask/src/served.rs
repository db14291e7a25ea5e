//! A live engine as production has it: jaild and `engined serve`, started by somebody else than each other.
//!
//! It has a Unix socket for root and a TCP address for two tenants with a token each, one of which may do little; or
//! whatever tenants a [`Wish`] names. systemd's part is ours: a state folder, a TCP socket that outlives a restart.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
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
const PATIENCE: Duration = Duration::from_secs(150);
const ACCOUNT: &str = "engined";
const CONFIG: &str = "engined.toml";
const STATE: &str = "state";

/// What is unusual about an engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wish<'a> {
    /// jaild's configuration.
    pub jaild_config: Option<&'a str>,
    /// More lines of `[listen]` in engined's.
    pub listen: &'a str,
    /// Instead of becoming its user itself, engined is started by these words.
    pub before: &'a [&'a str],
    /// What follows `[listen]` and `[engine]` in engined's: tenants above all.
    pub sections: &'a str,
}

/// Both programs, running.
#[derive(Debug)]
pub struct Served {
    /// In the order of their start.
    children: Vec<(&'static str, Child)>,
    jaild: PathBuf,
    scratch: Scratch,
    /// What only root may write.
    _roots: Scratch,
    engined: PathBuf,
    listen: String,
    before: Vec<String>,
    /// Bound once: who calls while nobody serves waits in the kernel's queue.
    listener: TcpListener,
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
        Self::usual(programs, &Wish { listen: &format!("metrics = \"127.0.0.1:{metrics}\"\n"), ..Wish::default() })
    }

    /// The same, with this configuration of jaild.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn start_with(programs: &Programs, jaild_config: Option<&str>) -> Result<Self> {
        Self::usual(programs, &Wish { jaild_config, ..Wish::default() })
    }

    /// For two tenants with what is usual.
    fn usual(programs: &Programs, wish: &Wish<'_>) -> Result<Self> {
        let (token, line) = new_token(programs)?;
        let (small_token, small_line) = new_token(programs)?;
        let sections = format!(
            "[tenants.usual]\nadmin = true\nallowed_users = [\"root\"]\n{line}\n\
             [tenants.small]\nplan = \"small\"\n{small_line}\n[plans.small]\nrunning = 1\nqueued = 1\n"
        );
        let mut served = Self::start_by(programs, &Wish { sections: &sections, ..*wish })?;
        (served.token, served.small_token) = (token, small_token);
        Ok(served)
    }

    /// The same, as it is wished.
    ///
    /// # Errors
    /// As [`Served::start`].
    pub fn start_by(programs: &Programs, wish: &Wish<'_>) -> Result<Self> {
        let scratch = Scratch::new("served")?;
        let account = User::from_name(ACCOUNT).ok().flatten();
        let account = account.ok_or_else(|| Problem::new("there is no user engined", "cargo xtask setup"))?;
        fs::create_dir(scratch.path().join(STATE)).or_problem("no state folder can be made", "free some disk")?;
        for folder in [scratch.path().to_owned(), scratch.path().join(STATE)] {
            let told = || (folder.display().to_string(), "run this as root");
            chown(&folder, Some(account.uid.as_raw()), None).or_problem(told().0, told().1)?;
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).or_problem("no port can be had", "ss -ltn")?;
        let address = listener.local_addr().or_problem("no port can be had", "ss -ltn")?.to_string();
        let mut jaild = Command::new(&programs.jaild);
        jaild.arg("--socket").arg(scratch.path().join("jaild.sock")).args(["--client-user", ACCOUNT]);
        // In a folder of root's: in the other one engined could change it.
        let roots = Scratch::new("jaild")?;
        if let Some(text) = wish.jaild_config {
            let file = roots.path().join("jaild.toml");
            fs::write(&file, text).or_problem(file.display().to_string(), "free some disk")?;
            jaild.arg("--config").arg(file);
        }
        let mut served = Served {
            children: Vec::new(),
            jaild: programs.jaild.clone(),
            engined: programs.engined.clone(),
            scratch,
            _roots: roots,
            listener,
            address,
            token: String::new(),
            small_token: String::new(),
            listen: wish.listen.to_owned(),
            before: wish.before.iter().map(|word| (*word).to_owned()).collect(),
            stopped: false,
        };
        served.configure(wish.sections)?;
        served.launch("jaild", jaild)?;
        served.serve()?;
        served.ready(1)?;
        Ok(served)
    }

    /// Writes the configuration anew; SIGHUP has it read.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn configure(&self, sections: &str) -> Result<()> {
        let folder = self.scratch.path();
        let config = format!(
            "[listen]\nunix = {:?}\ntcp = {:?}\n{}[engine]\njaild_socket = {:?}\n{sections}",
            folder.join("engined.sock"),
            self.address,
            self.listen,
            folder.join("jaild.sock"),
        );
        // Whole or not at all: it may be read at any time.
        let (file, new) = (folder.join(CONFIG), folder.join("new.toml"));
        let written = fs::write(&new, config).and_then(|()| fs::rename(&new, &file));
        written.or_problem(file.display().to_string(), "free some disk")
    }

    /// Sends a signal to engined.
    ///
    /// # Errors
    /// When it is not there.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.children.last().and_then(|(_, child)| i32::try_from(child.id()).ok());
        let pid = pid.ok_or_else(|| Problem::new("engined was never started", "read its log"))?;
        kill(Pid::from_raw(pid), signal).or_problem("engined is not there", "read its log")
    }

    /// Ends engined as systemd does, and starts it again. Returns when the new one is ready.
    ///
    /// # Errors
    /// When one of both does not do so in time.
    pub fn restart(&mut self) -> Result<()> {
        let before = self.log().lines().filter(|line| line.starts_with("ready ")).count();
        let (name, mut child) =
            self.children.pop().ok_or_else(|| Problem::new("engined was never started", "read its log"))?;
        terminate(name, &mut child).or_problem("engined did not end", "read its log")?;
        self.serve()?;
        self.ready(before + 1)
    }

    /// The socket comes as systemd passes it: by sd_listen_fds(3), from descriptor 3 on. Only the process itself knows its
    /// id for `LISTEN_PID`, hence the shell, which becomes engined.
    fn serve(&mut self) -> Result<()> {
        let socket = self.listener.try_clone().or_problem("no descriptor is left", "ulimit -n 1024")?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "LISTEN_PID=$$ exec \"$@\" 3<&0 0</dev/null", "sh"]);
        command.args(&self.before).arg(&self.engined).args(["serve", "--notify", "--config"]);
        command.arg(self.scratch.path().join(CONFIG));
        if self.before.is_empty() {
            command.args(["--user", ACCOUNT]);
        }
        command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "tcp").env("STATE_DIRECTORY", self.state());
        self.spawn("engined", command.stdin(OwnedFd::from(socket)))
    }

    fn launch(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        self.spawn(name, command.stdin(Stdio::null()))
    }

    fn spawn(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        let log = || File::options().create(true).append(true).open(self.scratch.path().join("log"));
        let out = log().or_problem("no log can be written", "free some disk")?;
        let errors = log().or_problem("no log can be written", "free some disk")?;
        let child = command.stdout(out).stderr(errors).spawn();
        self.children.push((name, child.or_problem(format!("{name} did not start"), "cargo build --release")?));
        Ok(())
    }

    /// Waits until it was said so often.
    fn ready(&mut self, times: usize) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            let log = self.log();
            if log.lines().filter(|line| line.starts_with("ready ")).count() >= times {
                return Ok(());
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

    /// What engined keeps, as root sees it.
    pub fn state(&self) -> PathBuf {
        self.scratch.path().join(STATE)
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

    /// The same, and what both have left can still be looked at.
    pub fn end(&mut self) -> std::result::Result<(), String> {
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
pub fn new_token(programs: &Programs) -> Result<(String, String)> {
    let output = Command::new(&programs.engined).args(["token", "new"]).stdin(Stdio::null()).output();
    let output = output.or_problem("engined did not start", "cargo build --release")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).map(str::to_owned);
    let both = line("engined_").zip(line("tokens"));
    both.ok_or_else(|| Problem::new(format!("engined token new said:\n{text}"), "read its message above"))
}
