//! An engine as a process of its own, and what lies around it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::common::live::ENGINED;
use crate::common::{Fake, PATIENCE, Reply, Scratch, wait_for};

pub const TENANTS: [&str; 2] = ["blue", "green"];

/// What lies around an engine, also when none runs.
pub struct Place {
    pub folder: Scratch,
    pub fake: Fake,
}

impl Place {
    pub fn new(settings: &str) -> Place {
        let folder = Scratch::new();
        let path = |name: &str| folder.0.join(name);
        fs::create_dir(path("state")).unwrap();
        if let Some((uid, gid)) = account() {
            for name in ["", "state"] {
                chown(path(name), Some(uid), Some(gid)).unwrap();
            }
        }
        let tenants = TENANTS.map(|name| {
            let hash = engined::tenants::hash(name.as_bytes()).map(|byte| format!("{byte:02x}")).concat();
            format!("[tenants.{name}]\ntokens = [\"sha256:{hash}\"]\n")
        });
        let cache = if settings.contains("[cache]") { "" } else { "[cache]\nenabled = false\n" };
        let operator = engined::tenants::hash(b"operator").map(|byte| format!("{byte:02x}")).concat();
        let operator = format!("[tenants.operator]\nadmin = true\ntokens = [\"{operator}\"]\n");
        let config = format!(
            "[listen]\ntcp = \"127.0.0.1:0\"\n{cache}[engine]\njaild_socket = {:?}\n{}{operator}{settings}",
            path("jaild.sock"),
            tenants.concat()
        );
        fs::write(path("engined.toml"), config).unwrap();
        let fake = Fake::start(&path("jaild.sock"), 4, &[]);
        fs::set_permissions(path("jaild.sock"), fs::Permissions::from_mode(0o666)).unwrap();
        Place { folder, fake }
    }

    /// A folder that the engine may write in.
    pub fn folder_for_all(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
        if let Some((uid, gid)) = account() {
            chown(self.path(name), Some(uid), Some(gid)).unwrap();
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    pub fn start(&self) -> Engine {
        self.started_by(&[])
    }

    /// `wrapper` goes before the command line.
    pub fn started_by(&self, wrapper: &[&str]) -> Engine {
        let words: Vec<&str> = wrapper.iter().copied().chain([ENGINED, "serve", "--notify", "--config"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.path("engined.toml"));
        if account().is_some() {
            command.args(["--user", "engined"]);
        }
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut child = command
            .env("STATE_DIRECTORY", self.path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (say, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.for_each(|line| say.send(line).unwrap_or_default()));
        let mut engine = Engine { child, address: String::new() };
        while let Ok(line) = said.recv_timeout(PATIENCE) {
            if let Some(address) = line.strip_prefix("listening ") {
                engine.address = address.to_owned();
            }
            if line.starts_with("ready ") {
                return engine;
            }
        }
        panic!("not ready\n{}", self.log());
    }

    /// Every line, of all files.
    pub fn lines(&self, folder: &Path) -> Vec<Value> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("audit.jsonl"));
        let text = files.iter().map(|path| fs::read_to_string(path).unwrap());
        let lines = text.flat_map(|text| {
            assert!(text.is_empty() || text.ends_with('\n'), "a torn line");
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
        });
        let mut lines: Vec<Value> = lines.collect();
        lines.sort_by_key(|line| line["seq"].as_u64());
        let numbers: Vec<u64> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>(), "no number twice, and none left out");
        lines
    }
}

/// The user that serves, where the test can become it.
pub fn account() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("engined:"));
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let line = line.expect("no account engined: run cargo xtask up as root once");
    let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
    Some((ids.next().unwrap(), ids.next().unwrap()))
}

/// `None`: the engine was killed meanwhile.
pub fn call(address: &str, method: &str, path: &str, headers: &str, body: &str) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).ok()?;
    read(&mut stream)
}

pub fn run(address: &str, token: &str, language: &str, words: &str) -> Option<Reply> {
    let body = json!({"language": language, "source": words}).to_string();
    call(address, "POST", "/v1/executions", &format!("Authorization: Bearer {token}\r\n"), &body)
}

pub struct Engine {
    pub child: Child,
    pub address: String,
}

impl Engine {
    pub fn run(&self, words: &str) -> Value {
        let reply = run(&self.address, TENANTS[0], "python", words).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    pub fn get(&self, path: &str, token: &str) -> Reply {
        call(&self.address, "GET", path, &format!("Authorization: Bearer {token}\r\n"), "").unwrap()
    }

    pub fn usage(&self, token: &str) -> Value {
        let path = "/v1/usage?from=2000-01-01&to=9999-12-31";
        let mut reply = self.get(path, token);
        // The counters are asked for two seconds: a busy disk may take longer, and the caller is to come again.
        wait_for(|| {
            if reply.status == 503 {
                reply = self.get(path, token);
            }
            reply.status != 503
        });
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.conforms("GET", path);
        reply.json()
    }

    pub fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics", "operator").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).parse().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// SIGTERM, and a good end.
    pub fn stop(mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// As [`Reply::read`]; an answer that is cut off is none.
fn read(stream: &mut TcpStream) -> Option<Reply> {
    let reply = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Reply::read(stream))).ok().flatten()?;
    let length = reply.header("content-length").and_then(|length| length.parse::<usize>().ok());
    length.is_none_or(|length| length == reply.body.len()).then_some(reply)
}
