//! A live engine: `engined up` on a free port with a state folder of its own, until it is stopped and has left nothing.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::build::Programs;
use crate::problem::{Context, Problem, Result};

/// Its folder of what it keeps, in its scratch.
const STATE: &str = "state";
/// From start to `ready`: it proves every layer and runs a hello in each version of each language before that.
const START: Duration = Duration::from_secs(180);
/// From SIGTERM to the end: runs in flight are drained.
const STOP: Duration = Duration::from_secs(150);

/// Becomes `engined up`; gives only the reason why that failed.
pub fn become_up(programs: &Programs, args: &[String]) -> Problem {
    let cause = up_command(programs).args(args).exec();
    Problem::new(format!("{} did not start: {cause}", programs.engined.display()), "cargo build --release")
}

/// `engined up`. An ordinary user under systemd gets a cgroup that is delegated to them, as rootless running needs.
fn up_command(programs: &Programs) -> Command {
    let user_systemd =
        std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|dir| Path::new(&dir).join("systemd/private").exists());
    let mut command = if !nix::unistd::geteuid().is_root() && user_systemd {
        let mut scope = Command::new("systemd-run");
        scope.args(["--user", "--scope", "--quiet", "--property=Delegate=yes", "--"]).arg(&programs.engined);
        scope
    } else {
        Command::new(&programs.engined)
    };
    command.arg("up");
    command
}

/// A folder under the system's temporary folder that goes when its owner does.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty one; `name` tells whose it is.
    pub fn new(name: &str) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("engined-xtask-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).or_problem(format!("{} cannot be made", path.display()), "set TMPDIR")?;
        Ok(Scratch(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(cause) = fs::remove_dir_all(&self.0) {
            eprintln!("xtask: {} is left behind: {cause}", self.0.display());
        }
    }
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    port: u16,
    scratch: Scratch,
    stopped: bool,
}

impl Engine {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// When it ends or is not ready in time; its log is told.
    pub fn start(programs: &Programs) -> Result<Self> {
        Self::start_with(programs, None, &[])
    }

    /// The same, with the manifests of a folder and more options.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn start_with(programs: &Programs, languages: Option<&Path>, options: &[&str]) -> Result<Self> {
        let scratch = Scratch::new("engine")?;
        let port = free_port()?;
        let log = File::create(scratch.path().join("log")).or_problem("no log can be written", "free some disk")?;
        let errors = log.try_clone().or_problem("no log can be written", "ulimit -n 1024")?;
        let mut command = up_command(programs);
        if let Some(folder) = languages {
            command.arg("--languages").arg(folder);
        }
        let child = command
            .args(options)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--state"])
            .arg(scratch.path().join(STATE))
            // A program of the corpus looks for this word: nothing of our environment may reach a payload.
            .env("ENGINED_CANARY", "leak-7391")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .or_problem(format!("{} did not start", programs.engined.display()), "cargo build --release")?;
        let mut engine = Engine { child, port, scratch, stopped: false };
        let deadline = Instant::now() + START;
        loop {
            if engine.log().lines().any(|line| line.starts_with("ready http://")) {
                return Ok(engine);
            }
            let ended = engine.child.try_wait().or_problem("engined was lost", "run it again")?;
            if ended.is_some() || Instant::now() > deadline {
                let how = ended.map_or_else(|| format!("is not ready after {START:?}"), |s| format!("ended: {s}"));
                return Err(Problem::new(
                    format!("engined up {how}; it said:\n{}", engine.log()),
                    "target/release/engined doctor",
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where callers find it.
    pub fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its TCP port on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it keeps: artifacts, records.
    pub fn state(&self) -> PathBuf {
        self.scratch.path().join(STATE)
    }

    /// The supervisor, parent of both programs.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    pub fn log(&self) -> String {
        fs::read(self.scratch.path().join("log")).map_or_else(
            |cause| format!("(its log cannot be read: {cause})"),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// SIGTERM, then the end: exit code 0, in time, and nobody listens on its port any more.
    pub fn stop(mut self) -> std::result::Result<(), String> {
        let status = self.terminate().ok_or_else(|| format!("still there {STOP:?} after SIGTERM; killed"))?;
        if !status.success() {
            return Err(format!("ended with {status} after SIGTERM; it said:\n{}", self.log()));
        }
        if TcpListener::bind(("127.0.0.1", self.port)).is_err() {
            return Err(format!("port {} is still taken after its end", self.port));
        }
        Ok(())
    }

    /// `None` when it had to be killed.
    fn terminate(&mut self) -> Option<ExitStatus> {
        self.stopped = true;
        let pid = Pid::from_raw(i32::try_from(self.child.id()).ok()?);
        kill(pid, Signal::SIGTERM).ok()?;
        let deadline = Instant::now() + STOP;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.kill().ok()?;
        self.child.wait().ok()?;
        None
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.stopped && self.terminate().is_none() {
            eprintln!("xtask: engined (pid {}) did not end by SIGTERM and was killed", self.child.id());
        }
    }
}

/// A port of the loopback that nobody has at the moment, and that the kernel gives nobody by itself: tests beside us have
/// ten thousand connections, and each of their ports is taken for a listener. Theirs are above ours.
pub fn free_port() -> Result<u16> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Another xtask at the same time begins elsewhere.
    let begin = std::process::id().wrapping_mul(16);
    let mut ports = (0..COUNT).map(|_| FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT);
    let free =
        ports.find_map(|port| u16::try_from(port).ok().filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()));
    free.ok_or_else(|| Problem::new("no free port on 127.0.0.1", "ip link set lo up"))
}
