//! A jaild of the test's own, and an engine's end of the link that says whatever a test wants.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "each test file uses a part of it; tests unwrap")]

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jail::link::{Client, Order, ProfileName, Report, Request, Welcome};
use jail::records::{Caps, Kind, RecordWriter};
use jail::spec::{Bytes, Ended, Limits, Millis, RunId, StopReason};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Nothing that is waited for takes longer, however busy the machine is. Whoever waits goes on at once when it is there.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// Waits until it holds.
pub fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Everybody below a process.
pub fn descendants(pid: i32) -> Vec<i32> {
    let below = children(pid);
    below.iter().copied().chain(below.iter().flat_map(|child| descendants(*child))).collect()
}

/// The children of a process.
pub fn children(pid: i32) -> Vec<i32> {
    let all = std::fs::read_dir("/proc").unwrap();
    let all = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    all.filter(|child| field(*child, "PPid") == Some(pid.to_string())).collect()
}

/// A line of a process's `/proc/PID/status`.
pub fn field(pid: i32, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// Whether this test can run: it needs root and jaild's account. A skip is told, and is a failure where
/// `ENGINED_FORBID_SKIP` is set, as in CI.
pub fn can_run() -> bool {
    let able = nix::unistd::geteuid().is_root() && nix::unistd::User::from_name("jaild").is_ok_and(|u| u.is_some());
    if !able {
        assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none(), "this test must not be skipped here");
        eprintln!("SKIPPED: needs root and the account jaild (cargo xtask test makes it)");
    }
    able
}

/// A jaild with a socket and a control group of its own. Ended, and looked after, on drop.
pub struct Jaild {
    pub child: Child,
    pub folder: PathBuf,
    pub socket: PathBuf,
    pub cgroup: String,
}

/// The jaild to test: `JAILD` in the test host, where the built tests are run on their own.
fn program() -> PathBuf {
    std::env::var_os("JAILD").or(option_env!("CARGO_BIN_EXE_jaild").map(Into::into)).expect("set JAILD").into()
}

/// What a jaild with the socket and the groups of another says.
pub fn second(first: &Jaild) -> std::process::Output {
    let socket = first.socket.to_str().unwrap();
    let arguments = ["--socket", socket, "--client-user", "root", "--cgroup", &first.cgroup];
    Command::new(program()).args(arguments).output().unwrap()
}

/// What a jaild says that does not start, with these arguments.
pub fn refused(arguments: &[&str]) -> String {
    let name = format!("jailtest-{}-refused", std::process::id());
    let folder = std::env::temp_dir().join(&name);
    std::fs::create_dir(&folder).unwrap();
    let socket = folder.join("jaild.sock");
    let socket = ["--socket", socket.to_str().unwrap(), "--cgroup", &name];
    let output = Command::new(program()).args(socket).args(["--client-user", "root"]).args(arguments).output().unwrap();
    let left = Command::new(program()).args(socket).args(["--leave", "yes"]).status().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!output.status.success() && left.success());
    String::from_utf8(output.stderr).unwrap()
}

/// What a spawner says that no broker has started, with this as what it is told.
pub fn spawner_by_hand(told: impl Into<Stdio>) -> std::process::Output {
    Command::new(program()).arg("--spawner").stdin(Stdio::null()).stdout(told).output().unwrap()
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Jaild {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_and_log(arguments, Stdio::inherit())
    }

    pub fn start_and_log(arguments: &[&str], log: impl Into<Stdio>) -> Self {
        let name = format!("jailtest-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir(&folder).unwrap();
        let socket = folder.join("jaild.sock");
        Self::start_logging(folder, socket, name, arguments, log)
    }

    pub fn start_in(folder: PathBuf, socket: PathBuf, cgroup: String, arguments: &[&str]) -> Self {
        Self::start_logging(folder, socket, cgroup, arguments, Stdio::inherit())
    }

    pub fn start_logging(
        folder: PathBuf,
        socket: PathBuf,
        cgroup: String,
        arguments: &[&str],
        log: impl Into<Stdio>,
    ) -> Self {
        let mut child = Command::new(program())
            .args(["--socket", socket.to_str().unwrap(), "--client-user", "root", "--cgroup", &cgroup])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("jaild ready"), "jaild said {line:?}, {:?}", child.wait());
        Jaild { child, folder, socket, cgroup }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn link(&self) -> Link {
        Link::connect(&self.socket)
    }

    /// Ends it by SIGTERM and checks that it goes by itself.
    pub fn end(mut self) {
        self.terminate();
    }

    fn terminate(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), nix::sys::signal::SIGTERM).unwrap();
            let status = self.child.wait().unwrap();
            if !std::thread::panicking() {
                assert!(status.success(), "jaild ended with {status}");
                assert_eq!(groups(&self.cgroup), Vec::<PathBuf>::new(), "groups left behind");
            }
        }
    }
}

impl Drop for Jaild {
    fn drop(&mut self) {
        self.terminate();
        let socket = self.socket.to_str().unwrap();
        let arguments = ["--socket", socket, "--cgroup", &self.cgroup, "--leave", "yes"];
        let status = Command::new(program()).args(arguments).status().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
        if !std::thread::panicking() {
            assert!(status.success() && group_folders(&self.cgroup).is_empty(), "groups left behind");
        }
    }
}

/// The slots of a jaild that still exist, wherever control groups are mounted.
pub fn groups(name: &str) -> Vec<PathBuf> {
    group_folders(name)
        .into_iter()
        .flat_map(|base| std::fs::read_dir(base).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("slot-"))
        .collect()
}

fn group_folders(name: &str) -> Vec<PathBuf> {
    fn look(folder: &Path, name: &str, depth: u32, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_str() == Some(name) {
                found.push(entry.path());
            } else if depth > 0 {
                look(&entry.path(), name, depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), name, 4, &mut found);
    found
}

/// What a run is to be. The defaults run for a long time with plenty of everything.
pub struct Wish<'a> {
    pub profile: &'a str,
    pub argv: Vec<&'a str>,
    pub env: Vec<&'a str>,
    pub files: Vec<(&'a str, bool, Vec<u8>)>,
    pub links: Vec<(&'a str, &'a str)>,
    pub collect: Vec<&'a str>,
    pub globs: Vec<&'a str>,
    pub except: Vec<&'a str>,
    pub caps: Caps,
    pub artifact: Option<OwnedFd>,
    pub stdin: Vec<u8>,
    pub aside: bool,
    pub limits: Limits,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Wish {
            profile: "python/cpython/run",
            argv: vec!["/usr/bin/true"],
            env: vec!["PATH=/usr/bin:/bin", "HOME=/box", "LANG=C.UTF-8"],
            files: Vec::new(),
            links: Vec::new(),
            collect: Vec::new(),
            globs: Vec::new(),
            except: Vec::new(),
            caps: CAPS,
            artifact: None,
            stdin: Vec::new(),
            aside: false,
            limits: limits(),
        }
    }
}

/// The engine's own.
pub const CAPS: Caps = Caps { files: 64, file_bytes: 8 << 20, total_bytes: 16 << 20 };

pub fn limits() -> Limits {
    Limits {
        cpu_time: Millis(10_000),
        wall_time: Millis(20_000),
        memory: Bytes(256 << 20),
        processes: 64,
        cpus_milli: 1000,
        file: Bytes(64 << 20),
        disk: Bytes(128 << 20),
        open_files: 256,
        stack: Bytes(256 << 20),
    }
}

/// A run with the test's ends of its pipes.
pub struct Run {
    pub id: RunId,
    stdout: std::thread::JoinHandle<Vec<u8>>,
    stderr: std::thread::JoinHandle<Vec<u8>>,
    /// What init collects, read as it comes.
    pub collection: Option<std::thread::JoinHandle<Vec<u8>>>,
}

/// What came of it.
pub struct Done {
    pub ended: Ended,
    pub stdout: String,
    pub stderr: String,
    pub collection: Vec<u8>,
}

pub struct Link {
    pub client: Client,
    pub welcome: Welcome,
    next: u64,
    early: Vec<Ended>,
}

impl Link {
    pub fn connect(socket: &Path) -> Self {
        Self::try_connect(socket, PATIENCE).expect("no welcome")
    }

    pub fn try_connect(socket: &Path, patience: Duration) -> Option<Self> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Ok(client) = Client::connect(socket)
                && let Some(Report::Welcome(welcome)) = recv_until(&client, deadline)
            {
                return Some(Link { client, welcome, next: 0, early: Vec::new() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    pub fn recv(&self) -> Option<Report> {
        recv_until(&self.client, Instant::now() + PATIENCE)
    }

    pub fn python(&mut self, source: &str) -> Done {
        self.python_with(source, limits())
    }

    pub fn python_with(&mut self, source: &str, limits: Limits) -> Done {
        self.run(Wish {
            argv: vec!["/usr/bin/python3", "main.py"],
            files: vec![("main.py", false, source.as_bytes().to_vec())],
            limits,
            ..Wish::default()
        })
    }

    pub fn run(&mut self, wish: Wish<'_>) -> Done {
        let run = self.begin(wish);
        self.finish(run)
    }

    pub fn begin(&mut self, wish: Wish<'_>) -> Run {
        self.begin_into(wish, None)
    }

    /// With a pipe for the collection that the test looks after.
    pub fn begin_into(&mut self, wish: Wish<'_>, fill: Option<PipeWriter>) -> Run {
        self.next += 1;
        let id = RunId(self.next);
        let (stdin, mut feed) = std::io::pipe().unwrap();
        let (out, stdout) = std::io::pipe().unwrap();
        let (err, stderr) = std::io::pipe().unwrap();
        for pipe in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            // As the engine does: the program's uid opens them by name.
            nix::sys::stat::fchmod(pipe, nix::sys::stat::Mode::from_bits_truncate(0o606)).unwrap();
        }
        let collects = !wish.collect.is_empty() || !wish.globs.is_empty();
        let (collection, fill) = if collects && fill.is_none() {
            std::io::pipe().map(|(collection, fill)| (Some(collection), Some(fill))).unwrap()
        } else {
            (None, fill)
        };
        let bundle = bundle(&wish);
        let order = Order {
            id,
            profile: ProfileName::new(wish.profile).unwrap(),
            limits: wish.limits,
            has_artifact: wish.artifact.is_some(),
            collects,
            aside: wish.aside,
        };
        let mut fds: Vec<BorrowedFd<'_>> = vec![bundle.as_fd(), stdin.as_fd(), stdout.as_fd(), stderr.as_fd()];
        fds.extend(wish.artifact.as_ref().map(AsFd::as_fd));
        fds.extend(fill.as_ref().map(AsFd::as_fd));
        self.client.send(&Request::Order(order), &fds).unwrap();
        drop((stdin, stdout, stderr, fill));
        std::thread::spawn(move || feed.write_all(&wish.stdin));
        let read = |mut from: PipeReader| {
            std::thread::spawn(move || {
                let mut all = Vec::new();
                from.read_to_end(&mut all).unwrap();
                all
            })
        };
        Run { id, stdout: read(out), stderr: read(err), collection: collection.map(read) }
    }

    pub fn stop(&self, id: RunId, why: StopReason) {
        self.client.send(&Request::Stop { id, why }, &[]).unwrap();
    }

    pub fn finish(&mut self, run: Run) -> Done {
        let ended = loop {
            if let Some(at) = self.early.iter().position(|ended| ended.id == run.id) {
                break self.early.remove(at);
            }
            match self.recv() {
                Some(Report::Ended(ended)) => self.early.push(ended),
                other => panic!("instead of an end: {other:?}"),
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done {
            ended,
            stdout: text(run.stdout.join().unwrap()),
            stderr: text(run.stderr.join().unwrap()),
            collection: run.collection.map(|reader| reader.join().unwrap()).unwrap_or_default(),
        }
    }
}

fn recv_until(client: &Client, deadline: Instant) -> Option<Report> {
    loop {
        match client.recv() {
            Ok(report) => return report,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(e) => panic!("{e}"),
        }
        let left = deadline.checked_duration_since(Instant::now())?;
        let mut wait = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
        poll(&mut wait, PollTimeout::try_from(left).unwrap()).unwrap();
    }
}

/// The sealed bundle of a wish.
pub fn bundle(wish: &Wish<'_>) -> OwnedFd {
    let mut w = RecordWriter::new().unwrap();
    let lists = [
        (Kind::Arg, &wish.argv),
        (Kind::Env, &wish.env),
        (Kind::Collect, &wish.collect),
        (Kind::Glob, &wish.globs),
        (Kind::Except, &wish.except),
    ];
    w.put(Kind::Caps, false, b"", &wish.caps.encode()).unwrap();
    for (kind, names) in lists {
        for name in names {
            w.put(kind, false, name.as_bytes(), b"").unwrap();
        }
    }
    for (path, executable, data) in &wish.files {
        w.put(Kind::File, *executable, path.as_bytes(), data).unwrap();
    }
    for (path, target) in &wish.links {
        w.put(Kind::Link, false, path.as_bytes(), target.as_bytes()).unwrap();
    }
    w.seal().unwrap()
}
