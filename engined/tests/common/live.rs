//! The real programs for tests: whether they can be run here, `engined up`, and both programs by themselves.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{PATIENCE, Reply, Scratch, wait_for};

pub const ENGINED: &str = env!("CARGO_BIN_EXE_engined");

/// Whether the real thing can be run here.
pub fn live() -> bool {
    let account =
        |name: &str| fs::read_to_string("/etc/passwd").unwrap().lines().any(|l| l.starts_with(&format!("{name}:")));
    let why = if !nix::unistd::geteuid().is_root() {
        "not root"
    } else if !account("engined") || !account("jaild") {
        "no accounts: run cargo xtask up as root once"
    } else if !Path::new(ENGINED).with_file_name("jaild").exists() {
        "no jaild beside engined: cargo build -p jail --bins"
    } else {
        return true;
    };
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden: {why}");
    false
}

/// `engined up` on a free port, with its standard error in a file.
pub struct Up {
    pub child: Child,
    pub address: String,
    pub state: PathBuf,
    scratch: Scratch,
}

impl Up {
    pub fn start() -> Up {
        Up::with(None)
    }

    /// With an operator's manifests.
    pub fn with(manifests: Option<&Path>) -> Up {
        Up::by(&[], |command| {
            command.args(manifests.iter().flat_map(|folder| [Path::new("--languages"), folder]));
        })
    }

    /// Started by another program, and with more settings.
    pub fn by(starter: &[&str], settings: impl FnOnce(&mut Command)) -> Up {
        let scratch = Scratch::new();
        let state = scratch.0.join("state");
        let log = fs::File::create(scratch.0.join("log")).unwrap();
        let mut words = starter.iter().copied().chain([ENGINED]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(["up", "--listen", "127.0.0.1:0", "--state"])
            .arg(&state)
            .env("CANARY", "leak-1234")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        settings(&mut command);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.find_map(|line| line.unwrap().strip_prefix("ready http://").map(str::to_owned));
        let log = fs::read_to_string(scratch.0.join("log")).unwrap();
        let address = ready.unwrap_or_else(|| panic!("not ready:\n{log}"));
        let curl = lines.next().unwrap().unwrap();
        assert!(curl.starts_with("curl "), "{curl}");
        // Its later lines must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Up { child, address, state, scratch }
    }

    pub fn call(&self, method: &str, path: &str, body: &Value) -> Option<Reply> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let reply = Reply::read(&mut stream)?;
        let kind = reply.header("content-type").unwrap_or_default();
        api_spec::conformance::check(method, path, reply.status, kind, &reply.body).unwrap();
        Some(reply)
    }

    pub fn python(&self, source: &str) -> Value {
        self.run(&json!({"language": "python", "source": source}))
    }

    /// The result of a request that is taken.
    pub fn run(&self, request: &Value) -> Value {
        let reply = self.call("POST", "/v1/executions", request).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Version, toolchain and digest of all that is offered of a language, the default first.
    pub fn offered(&self, language: &str) -> Vec<[String; 3]> {
        let all = self.call("GET", "/v1/languages", &Value::Null).unwrap().json();
        let found = all["languages"].as_array().unwrap().iter().find(|offer| offer["id"] == language);
        let versions = found.map(|offer| offer["versions"].as_array().unwrap().clone()).unwrap_or_default();
        let word = |version: &Value, name: &str| version[name].as_str().unwrap().to_owned();
        versions.iter().map(|v| ["version", "toolchain", "toolchain_digest"].map(|name| word(v, name))).collect()
    }

    /// Has both programs read the manifests again, and waits until it holds.
    pub fn reload(&self, until: impl Fn(&Up) -> bool) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGHUP).unwrap();
        self.until(until);
    }

    /// Waits for what takes the engine a look at every language.
    pub fn until(&self, holds: impl Fn(&Up) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "waited in vain:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A hello is right again within so long.
    pub fn comes_back(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let request = json!({"language": "python", "source": "print('hello')"});
        loop {
            let reply = self.call("POST", "/v1/executions", &request).filter(|reply| reply.status == 200);
            if reply.is_some_and(|reply| reply.json()["run"]["stdout"]["text"] == "hello\n") {
                return;
            }
            assert!(Instant::now() < deadline, "not back:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.scratch.0.join("log")).unwrap()
    }

    /// The pid of the supervisor's child that was started by this name: jaild has executed itself again since.
    pub fn child(&self, name: &str) -> i32 {
        let children = descendants(self.child.id());
        let started_as = |pid: u32| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            Path::new(line.split('\0').next().unwrap_or_default()).file_name().is_some_and(|file| file == name)
        };
        let own = children.iter().find(|(pid, parent, _)| *parent == self.child.id() && started_as(*pid));
        i32::try_from(own.unwrap_or_else(|| panic!("no {name} in {children:?}")).0).unwrap()
    }

    /// SIGTERM, exit code 0, and nothing left.
    pub fn stop(mut self) {
        let everybody: Vec<_> = descendants(self.child.id()).iter().map(|(pid, ..)| (*pid, began(*pid))).collect();
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "still there:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(status.success(), "{status}\n{}", self.log());
        assert!(!self.state.exists(), "the state folder is left");
        // Their pids may be others' by now.
        wait_for(|| everybody.iter().all(|(pid, at)| at.is_none() || began(*pid) != *at));
        assert_eq!(control_groups(&self.state.join("jaild.sock")), Vec::<PathBuf>::new());
        // Another test may have been given the port meanwhile, for as long as it takes.
        wait_for(|| TcpStream::connect(&self.address).is_err());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            // A test has failed: let the supervisor clean up.
            kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM).unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// When a process or thread began, in ticks; `None`: there is none.
pub fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Pid, parent and name of everybody below `root`.
pub fn descendants(root: u32) -> Vec<(u32, u32, String)> {
    let stat = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (before, after) = (stat.find('(')?, stat.rfind(')')?);
        let parent = stat[after + 2..].split(' ').nth(1)?.parse().ok()?;
        Some((pid, parent, stat[before + 1..after].to_owned()))
    };
    let all: Vec<_> = fs::read_dir("/proc").unwrap().flatten().filter_map(stat).collect();
    let mut found: Vec<(u32, u32, String)> = Vec::new();
    let mut wanted = vec![root];
    while let Some(parent) = wanted.pop() {
        for process in all.iter().filter(|(_, of, _)| *of == parent) {
            wanted.push(process.0);
            found.push(process.clone());
        }
    }
    found
}

/// The control groups of the jaild with this socket: it names them after a hash (FNV-1a) of the path.
pub fn control_groups(socket: &Path) -> Vec<PathBuf> {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = socket.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    let name = format!("engined-{hash:016x}");
    let mut found = Vec::new();
    let mut wanted = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((folder, depth)) = wanted.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_str() == Some(&name) {
                    found.push(entry.path());
                } else if depth < 2 {
                    wanted.push((entry.path(), depth + 1));
                }
            }
        }
    }
    found
}

/// A jaild and a serving engined as systemd starts them, without a supervisor.
pub struct Served {
    children: Vec<Child>,
    pub folder: Scratch,
}

impl Served {
    pub fn start(config: &str) -> Served {
        let folder = Scratch::new();
        let line =
            fs::read_to_string("/etc/passwd").unwrap().lines().find(|l| l.starts_with("engined:")).unwrap().to_owned();
        let uid = line.split(':').nth(2).unwrap().parse().unwrap();
        std::os::unix::fs::chown(&folder.0, Some(uid), None).unwrap();
        let link = folder.0.join("jaild.sock");
        let jaild = Command::new(Path::new(ENGINED).with_file_name("jaild"))
            .arg("--socket")
            .arg(&link)
            .args(["--client-user", "engined"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let file = folder.0.join("engined.toml");
        let config = config.replace("FOLDER", folder.0.to_str().unwrap());
        fs::write(&file, format!("{config}\n[engine]\njaild_socket = {link:?}\nqueue_length = 1\nslots = 1\n"))
            .unwrap();
        let engined = Command::new(ENGINED)
            .args(["serve", "--user", "engined", "--config"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        Served { children: vec![engined, jaild], folder }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        for child in &mut self.children {
            kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
            child.wait().unwrap();
        }
        let jaild = Path::new(ENGINED).with_file_name("jaild");
        Command::new(jaild)
            .arg("--socket")
            .arg(self.folder.0.join("jaild.sock"))
            .args(["--leave", "yes"])
            .status()
            .unwrap();
    }
}
