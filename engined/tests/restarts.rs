//! One engine after the other on sockets that somebody else holds, as systemd does it: nobody is refused, and nobody's
//! request is lost. What the service manager is told meanwhile, and how what does not end is answered.

#![allow(clippy::unwrap_used, reason = "tests: a panic is a failed test")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::{Fake, PATIENCE, Reply, Scratch, TOKEN, live, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A fake jaild, and two sockets that outlive every engine.
struct Held {
    scratch: Scratch,
    fake: Fake,
    tcp: TcpListener,
    unix: UnixListener,
}

impl Held {
    fn new(more: &str) -> Held {
        let scratch = Scratch::new();
        let jaild = scratch.0.join("jaild.sock");
        let fake = Fake::start(&jaild, 2, &[]);
        let unix = UnixListener::bind(scratch.0.join("engined.sock")).unwrap();
        for socket in ["jaild.sock", "engined.sock"] {
            std::fs::set_permissions(scratch.0.join(socket), PermissionsExt::from_mode(0o777)).unwrap();
        }
        let hash: String = engined::tenants::hash(TOKEN.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "[engine]\njaild_socket = {jaild:?}\n{more}\n[cache]\nenabled = false\n\n[tenants.t]\nadmin = true\ntokens = [\"{hash}\"]\nallowed_users = [\"root\"]\n"
        );
        std::fs::write(scratch.0.join("engined.toml"), text).unwrap();
        Held { scratch, fake, tcp: TcpListener::bind("127.0.0.1:0").unwrap(), unix }
    }

    /// Starts an engine that is passed both sockets, as systemd does.
    fn start(&self, environment: &[(&str, &str)]) -> Engine {
        let log = std::fs::File::options().create(true).append(true).open(self.scratch.0.join("log")).unwrap();
        let user = if nix::unistd::geteuid().is_root() { " --user engined" } else { "" };
        // The pid stays the same when a shell becomes a program.
        let words = format!(
            "LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=tcp:unix exec \"$0\" serve{user} --config \"$1\" \
             3<&0 4<&1 </dev/null >/dev/null"
        );
        let (tcp, unix) = (self.tcp.try_clone().unwrap(), self.unix.try_clone().unwrap());
        let child = Command::new("/bin/sh")
            .args(["-c", &words, live::ENGINED])
            .arg(self.scratch.0.join("engined.toml"))
            .envs(environment.iter().copied())
            .stdin(OwnedFd::from(tcp))
            .stdout(OwnedFd::from(unix))
            .stderr(log)
            .spawn()
            .unwrap();
        Engine(child)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.scratch.0.join("log")).unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.tcp.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn get(&self, path: &str) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request("GET", path, "").as_bytes()).unwrap();
        Reply::read(&mut stream).unwrap()
    }

    fn unix(&self) -> PathBuf {
        self.scratch.0.join("engined.sock")
    }
}

/// root starts the engine as another user.
fn possible() -> bool {
    if !nix::unistd::geteuid().is_root() || engined::privileges::account("engined").is_ok() {
        return true;
    }
    eprintln!("SKIPPED: no account engined: run cargo xtask up as root once");
    assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden");
    false
}

struct Engine(Child);

impl Engine {
    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }

    fn ended(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(&mut self) -> bool {
        self.signal(Signal::SIGTERM);
        self.ended()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.0.kill().unwrap_or_default();
            self.0.wait().map(drop).unwrap_or_default();
        }
    }
}

fn request(method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn python(source: &str) -> String {
    request("POST", "/v1/executions", &serde_json::json!({"language": "python", "source": source}).to_string())
}

/// What became of the requests of a client.
#[derive(Default)]
struct Books {
    done: AtomicUsize,
    /// Told to come again.
    again: AtomicUsize,
    /// A connection that was closed before an answer began.
    closed: AtomicUsize,
}

/// Sends one request after the other as an ordinary client does: on the same connection as long as it is open, again where
/// it was told to come again or the connection was closed before an answer began. Anything else is a failure.
fn client(held: &Held, books: &Books, requests: usize) {
    let mut open: Option<TcpStream> = None;
    for number in 0..requests {
        let words = python(&format!("sleep 3\nsay {number}"));
        loop {
            // Never refused: the socket is there all the time.
            let mut stream = open.take().unwrap_or_else(|| held.connect());
            let Some(reply) = stream.write_all(words.as_bytes()).ok().and_then(|()| Reply::read(&mut stream)) else {
                books.closed.fetch_add(1, Ordering::SeqCst);
                continue;
            };
            open = Some(stream).filter(|_| reply.header("connection") != Some("close"));
            match reply.status {
                200 => {
                    assert_eq!(reply.json()["run"]["stdout"]["text"], format!("{number}\n"), "{}", reply.text());
                    books.done.fetch_add(1, Ordering::SeqCst);
                    break;
                }
                503 => {
                    assert!(reply.header("retry-after").is_some());
                    books.again.fetch_add(1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                }
                _ => panic!("{reply:?}"),
            }
        }
    }
}

#[test]
fn restarts_under_load_lose_nobody() {
    if !possible() {
        return;
    }
    const CLIENTS: usize = 5;
    const EACH: usize = 200;
    const RESTARTS: usize = 3;
    let held = Held::new("");
    let books = Books::default();
    let mut engine = held.start(&[]);
    let done = || books.done.load(Ordering::SeqCst);
    let restarts = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| client(&held, &books, EACH))).collect();
        let mut restarts = 0;
        while restarts < RESTARTS {
            // Each engine serves a part of them, and then goes in the middle of others.
            wait_for(|| done() >= CLIENTS * EACH * (restarts + 1) / (RESTARTS + 2));
            assert!(engine.stop(), "{}", held.log());
            engine = held.start(&[]);
            restarts += 1;
        }
        clients.into_iter().for_each(|client| client.join().unwrap());
        restarts
    });
    assert_eq!(done(), CLIENTS * EACH);
    eprintln!(
        "{} requests through {restarts} restarts: {} told to come again, {} closed before an answer began, none lost",
        done(),
        books.again.load(Ordering::SeqCst),
        books.closed.load(Ordering::SeqCst)
    );
    // The Unix socket is somebody else's as well: it is served, and there when nobody serves.
    let mut stream = UnixStream::connect(held.unix()).unwrap();
    stream.write_all(request("GET", "/healthz", "").as_bytes()).unwrap();
    assert_eq!(Reply::read(&mut stream).unwrap().status, 200);
    assert!(engine.stop());
    assert!(held.unix().exists());
    UnixStream::connect(held.unix()).unwrap();
}

#[test]
fn what_does_not_end_by_the_deadline_is_told_to_come_again() {
    if !possible() {
        return;
    }
    let held = Held::new("slots = 1\ndrain_ms = 500\n[audit]\ntarget = \"file\"\nfile = \"LINES/audit.jsonl\"\n");
    let audit = held.scratch.0.join("lines");
    std::fs::create_dir(&audit).unwrap();
    std::fs::set_permissions(&audit, PermissionsExt::from_mode(0o777)).unwrap();
    let config = held.scratch.0.join("engined.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("LINES", audit.to_str().unwrap());
    std::fs::write(&config, text).unwrap();
    let mut engine = held.start(&[]);
    // One that runs, one that waits, one that is followed, one whose body is still on its way, one that says nothing.
    wait_for(|| held.get("/readyz").status == 200);
    let ask = |words: &str| {
        let mut stream = held.connect();
        stream.write_all(words.as_bytes()).unwrap();
        stream
    };
    let runs = ask(&python("lingers 700"));
    wait_for(|| held.fake.seen.running.load(Ordering::SeqCst) == 1);
    let waits = ask(&python("say x"));
    let unattended = python("say y").replace("/v1/executions", "/v1/executions?wait=false");
    let accepted = Reply::read(&mut ask(&unattended)).unwrap();
    assert_eq!(accepted.status, 202);
    let follows = ask(&request("GET", &format!("{}?wait_ms=60000", accepted.header("location").unwrap()), ""));
    let whole = python("say z");
    let partial = ask(&whole[..whole.len() - 5]);
    let (silent, late) = (held.connect(), held.connect());
    // Those who are in by then are those who are answered.
    wait_for(|| {
        let told = held.get("/metrics").text();
        let waiting = "engined_queue_depth{priority=\"interactive\"} 2\n";
        told.contains("engined_connections 7\n") && told.contains(waiting)
    });
    engine.signal(Signal::SIGTERM);
    let [runs, waits, follows, partial] = [runs, waits, follows, partial].map(|mut stream| {
        let answer = Reply::read(&mut stream).expect("an answer, no reset");
        assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
        answer
    });
    for answer in [runs, waits, partial] {
        answer.problem(503, "draining");
    }
    // It hears of the end: the next engine would not know of it.
    assert_eq!((follows.status, &follows.json()["verdict"]), (200, &"engine_error".into()), "{}", follows.text());
    assert!(engine.ended(), "{}", held.log());
    // Each execution has its line before the last, also what took its time to end.
    let lines = std::fs::read_to_string(audit.join("audit.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["act"], "stop", "{lines:?}");
    let of = |key: &str, value: serde_json::Value| lines.iter().filter(|line| line[key] == value).count();
    assert_eq!((of("cut", true.into()), of("problem", "draining".into())), (1, 1), "{lines:?}");
    assert_eq!(of("act", "execution".into()), 2, "{lines:?}");
    // The end of a connection without a request is no reset either.
    for mut idle in [silent, late] {
        assert_eq!(std::io::Read::read(&mut idle, &mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_run_that_is_over_in_jaild_is_not_over_yet() {
    if !possible() {
        return;
    }
    let held = Held::new("");
    let mut engine = held.start(&[]);
    wait_for(|| held.get("/readyz").status == 200);
    let mut runs = held.connect();
    runs.write_all(python("late 700").as_bytes()).unwrap();
    // Its slot goes back with the report, while its streams are still read.
    wait_for(|| {
        held.fake.seen.played.lock().unwrap().iter().any(|(words, _, end)| words == "late 700" && end.is_some())
    });
    engine.signal(Signal::SIGTERM);
    let answer = Reply::read(&mut runs).expect("an answer, no reset");
    assert_eq!((answer.status, &answer.json()["run"]["stdout"]["text"]), (200, &"late\n".into()), "{}", answer.text());
    assert!(engine.ended(), "{}", held.log());
}

#[test]
fn the_service_manager_is_told() {
    if !possible() {
        return;
    }
    let held = Held::new("");
    let path = held.scratch.0.join("notify.sock");
    let by_path = UnixDatagram::bind(&path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    let name = format!("engined-test-{}", std::process::id());
    let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    // landlock of a kernel >= 6.12 hides abstract sockets, so this one must have been connected to before.
    for (socket, address) in [(by_path, path.to_str().unwrap().to_owned()), (by_name, format!("@{name}"))] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let hear = |wanted: &str| {
            let mut message = [0; 4096];
            loop {
                let length = socket.recv(&mut message).unwrap_or_else(|error| panic!("{wanted}: {error}"));
                let text = String::from_utf8(message[..length].to_vec()).unwrap();
                if text.lines().any(|line| line.starts_with(wanted)) {
                    return text;
                }
            }
        };
        let mut engine = held.start(&[("NOTIFY_SOCKET", &address), ("WATCHDOG_USEC", "1500000")]);
        hear("READY=1");
        while !hear("STATUS=").contains("2 of 2 slots free, 0 waiting") {}
        hear("WATCHDOG=1");
        hear("WATCHDOG=1");
        engine.signal(Signal::SIGHUP);
        let reloading = hear("RELOADING=1");
        assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
        hear("READY=1");
        // Once is enough: it takes twenty seconds.
        if address.starts_with('/') {
            // A broker that is silent is told, and no reason to kill us.
            held.fake.seen.silent.store(true, Ordering::SeqCst);
            hear("STATUS=not ready: broker");
            held.get("/readyz").problem(503, "not_ready");
            for _ in 0..4 {
                hear("WATCHDOG=1");
            }
            held.fake.seen.silent.store(false, Ordering::SeqCst);
            // Ready, or degraded: the fake does not play every language of this host.
            while !hear("STATUS=").contains("2 of 2 slots free") {}
        }
        engine.signal(Signal::SIGTERM);
        hear("STOPPING=1");
        assert!(engine.ended(), "{}", held.log());
    }
}

/// What is told to a service manager that listens at `path`, until `last` is.
fn told(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).unwrap_or_else(|error| panic!("{last}: {error} after {all:?}"));
        all.extend(std::str::from_utf8(&message[..length]).unwrap().lines().map(str::to_owned));
        if all.last().is_some_and(|line| line.contains(last)) {
            return all;
        }
    }
}

#[test]
fn a_reload_before_the_engine_was_ready_does_not_make_it_so() {
    if !possible() {
        return;
    }
    let held = Held::new("");
    let path = held.scratch.0.join("notify.sock");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    // No language is looked at until the end.
    held.fake.seen.held.store(true, Ordering::SeqCst);
    let mut engine = held.start(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    told(&socket, "STATUS=not ready");
    engine.signal(Signal::SIGHUP);
    wait_for(|| held.log().contains("configuration read again"));
    held.fake.seen.held.store(false, Ordering::SeqCst);
    // Told at once when it is true.
    let all = told(&socket, "slots free");
    assert_eq!(all.iter().filter(|line| *line == "READY=1").count(), 1, "{all:?}");
    assert!(!all.iter().any(|line| line == "RELOADING=1"), "{all:?}");
    assert!(engine.stop(), "{}", held.log());
}

#[test]
fn a_socket_that_is_no_place_for_callers_stops_the_start() {
    if !possible() {
        return;
    }
    let held = Held::new("");
    let user = if nix::unistd::geteuid().is_root() { " --user engined" } else { "" };
    let words = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" serve{user} --config \"$1\" 3</dev/null");
    let mut child = Command::new("/bin/sh")
        .args(["-c", &words, live::ENGINED])
        .arg(held.scratch.0.join("engined.toml"))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let first = BufReader::new(child.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(first.contains("descriptor 3: is no socket") && first.contains("ListenStream="), "{first}");
}

/// The supervisor of `engined up` holds the address as systemd does.
#[test]
fn an_engine_that_crashes_under_its_supervisor_refuses_nobody() {
    if !live::live() {
        return;
    }
    let up = live::Up::start();
    let before = up.child("engined");
    kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
    // Sent while nobody serves, and answered by the next engine.
    let mut stream = TcpStream::connect(&up.address).expect("not refused");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    // The one that was killed may have taken it from the queue just before its end.
    let answer = Reply::read(&mut stream).or_else(|| up.call("GET", "/healthz", &serde_json::Value::Null));
    assert_eq!(answer.unwrap().status, 200);
    assert_ne!(up.child("engined"), before);
    up.comes_back(PATIENCE);
    up.stop();
}
