//! An engine whose processes stop where a test wants it, and what an engine owes after a fault.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use jail::stop::{ENVIRONMENT, Page};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

pub use crate::common::PATIENCE;
use crate::common::live::{Up, descendants};
use crate::common::opt::Opt;
use crate::common::{Reply, Scratch};
use crate::traces::{Traces, place};

/// From the fault to a hello that is right, on a host where a hello takes no longer than [`HELLO`].
const BACK: Duration = Duration::from_secs(2);
const HELLO: Duration = Duration::from_millis(50);
/// How much longer that may be where it is measured once: a busy host holds up whom it likes.
const ONCE: u32 = 10;
/// So many looks in a row find the same of an engine that is at rest.
const STILL: usize = 4;

/// States of a socket in /proc/net/tcp: the one that listens, and those whose connection is not closed from here.
const LISTEN: &str = "0A";
const OPEN: [&str; 2] = ["01", "08"];

/// The other languages of the built-in manifests, replaced by some that are not installed: each look at them costs time.
const ABSENT: [&str; 4] = ["c", "cpp", "java", "javascript"];

pub struct Rig {
    pub up: Up,
    pub page: Page,
    armed: usize,
    rest: Traces,
    pub opt: Opt,
    _file: Scratch,
}

/// How long the engine may take to be back on a host where a hello takes so long.
pub fn allowed(hello: Duration) -> Duration {
    BACK.mul_f64((hello.as_secs_f64() / HELLO.as_secs_f64()).max(1.0))
}

pub fn end(pid: u32) {
    match kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL) {
        // Another victim has taken it along; that it is gone is looked at by whoever asked.
        Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
        Err(error) => panic!("{pid}: {error}"),
    }
}

impl Rig {
    /// An engine with Python alone, at rest. Without a stock: a sandbox that is made for no run would come to the points,
    /// too.
    pub fn start() -> Rig {
        Rig::by(&[], Opt::new())
    }

    /// The same, started by another program, with more manifests.
    pub fn by(starter: &[&str], opt: Opt) -> Rig {
        Rig::with(starter, opt, 0)
    }

    /// With so many sandboxes that wait.
    pub fn stocked(armed: usize) -> Rig {
        Rig::with(&[], Opt::new(), armed)
    }

    fn with(starter: &[&str], opt: Opt, armed: usize) -> Rig {
        for language in ABSENT {
            opt.manifest(
                language,
                &format!(
                    "id = \"{language}\"\nname = \"{language}\"\nmain_file = \"main\"\nentry = \"allowed\"\n\
                     [[toolchain]]\nid = \"none\"\nprogram = \"/usr/bin/engined-no-{language}\"\npackage = \"none\"\n\
                     probe = {{ args = [\"-V\"], prefix = \"x\" }}\n[run]\nargs = [\"{{program}}\", \"{{entry}}\", \"{{args}}\"]\n"
                ),
            );
        }
        let file = Scratch::new();
        fs::set_permissions(&file.0, fs::Permissions::from_mode(0o755)).unwrap();
        let path = file.0.join("stops");
        File::create(&path).unwrap().set_len(16).unwrap();
        // jaild and the serving engine have users of their own.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let page = Page::open(&path).unwrap();
        let stock = if armed == 0 { "off".to_owned() } else { armed.to_string() };
        let up = Up::by(starter, |command| {
            command.arg("--languages").arg(opt.manifests()).args(["--stock", &stock]).env(ENVIRONMENT, &path);
        });
        let mut rig = Rig { up, page, armed, rest: Traces::default(), opt, _file: file };
        rig.until("the first look", || rig.looks() > 0);
        // What was looked at is offered a moment later.
        rig.until("a first hello", || rig.hello());
        // At rest when nothing changes any more.
        rig.settle();
        rig
    }

    /// What is there now is what is there at rest.
    pub fn settle(&mut self) {
        self.until("rest", || {
            let now = Traces::of(&self.up);
            let mut looks = (0..STILL).map(|_| {
                std::thread::sleep(Duration::from_millis(50));
                Traces::of(&self.up)
            });
            looks.all(|look| look == now) && self.inits().len() == self.armed && self.callers() == 0
        });
        self.rest = Traces::of(&self.up);
    }

    /// Connections of which the engine has an end, or shall accept it: on a busy host it may be long after the caller has
    /// left that it closes its own.
    fn callers(&self) -> usize {
        let port = self.up.address.rsplit(':').next().unwrap().parse::<u16>().unwrap();
        let local = format!(":{port:04X}");
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let theirs = table.lines().filter(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // Local address, state and inode, which is 0 when the socket is closed or not accepted yet.
            match (words.get(1), words.get(3), words.get(9)) {
                (Some(address), Some(state), Some(inode)) if address.ends_with(&local) => {
                    *state != LISTEN && (OPEN.contains(state) || *inode != "0")
                }
                _ => false,
            }
        });
        theirs.count()
    }

    /// How often the engine has looked at its languages.
    pub fn looks(&self) -> usize {
        self.up.log().matches("every language looked at").count()
    }

    pub fn call(&self, request: &Value) -> Option<Reply> {
        self.up.call("POST", "/v1/executions", request)
    }

    pub fn hello(&self) -> bool {
        let reply = self.call(&json!({"language": "python", "source": "print('hello')"}));
        let Some(reply) = reply.filter(|reply| reply.status == 200) else { return false };
        let result = reply.json();
        if result["verdict"] == "ok" {
            assert_eq!(result["run"]["stdout"]["text"], "hello\n", "{result}");
        }
        result["verdict"] == "ok"
    }

    /// Host pids of processes below jaild that are in so many pid namespaces, with such a pid in the innermost.
    fn inside(&self, wanted: (usize, u32)) -> Vec<u32> {
        let all = descendants(self.up.child.id());
        all.into_iter().map(|(pid, ..)| pid).filter(|pid| place(*pid) == Some(self.deeper(wanted))).collect()
    }

    /// The test may be in a pid namespace itself.
    fn deeper(&self, (depth, pid): (usize, u32)) -> (usize, u32) {
        (depth + place(std::process::id()).map_or(1, |(depth, _)| depth), pid)
    }

    pub fn spawners(&self) -> Vec<u32> {
        self.inside((1, 1))
    }

    pub fn inits(&self) -> Vec<u32> {
        self.inside((2, 1))
    }

    pub fn payloads(&self) -> Vec<u32> {
        self.inside((2, 2))
    }

    pub fn program(&self, name: &str) -> u32 {
        u32::try_from(self.up.child(name)).unwrap()
    }

    /// As [`Rig::recovered`], where the fault can't be made again.
    pub fn recovers(&self, what: &str, since: Instant, gone: &[u32]) {
        let (back, most) = self.recovered(what, since, gone);
        let most = most * ONCE;
        assert!(back <= most, "{what}: back after {back:?}, more than {most:?}\n{}", self.log());
    }

    /// Makes a fault, which recovers within the given time: again, where the host has held it up.
    pub fn again(&self, what: &str, mut fault: impl FnMut() -> (Duration, Duration)) {
        let mut times = Vec::new();
        while times.len() < 5 {
            let (back, most) = fault();
            if back <= most {
                return;
            }
            times.push((back, most));
        }
        panic!("{what}: back, and at most: {times:?}\n{}", self.log());
    }

    /// The next hello is right, and then nothing is left of the fault, nor of those who were there at it. How long it was
    /// until the hello, and how long it may be on this host.
    pub fn recovered(&self, what: &str, since: Instant, gone: &[u32]) -> (Duration, Duration) {
        self.until(&format!("{what}: a hello"), || self.hello());
        let back = since.elapsed();
        let again = Instant::now();
        assert!(self.hello(), "{what}: the second hello");
        let most = allowed(again.elapsed());
        for pid in gone {
            self.until(&format!("{what}: the end of {pid}"), || !Path::new(&format!("/proc/{pid}")).exists());
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Traces::of(&self.up);
            if now == self.rest {
                break (back, most);
            }
            assert!(
                Instant::now() < deadline,
                "{what}: left behind\nbefore {:#?}\nafter {now:#?}\n{}",
                self.rest,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last that both programs said.
    pub fn log(&self) -> String {
        let log = self.up.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Waits until it holds.
    pub fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "waited in vain: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn stop(self) {
        self.up.stop();
    }
}
