//! How engined confines itself: the serving process is asked to break out, in pairs. With a layer the attempt fails,
//! without it the same attempt works. Only in builds with `test-hooks`.

#![allow(clippy::unwrap_used, reason = "a panic is a failed test")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::live::ENGINED;
use common::{Fake, Reply, Scratch, TOKEN, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const ALL: [&str; 5] =
    ["engine_capabilities", "engine_no_new_privs", "engine_no_dump", "engine_landlock", "engine_seccomp"];
/// Of a version that is nowhere.
const MANIFEST: &str = "add_to = \"python\"\n[[toolchain]]\nid = \"cpython-3.99\"\nprogram = \"/usr/bin/python3.99\"\n\
     package = \"python3.99\"\nprobe = { args = [\"-V\"], prefix = \"Python \" }\n";
const LANDLOCK: &str = "engine_landlock";
const SECCOMP: &str = "engine_seccomp";

/// The user that serves, where the test can become it.
fn account() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd.lines().find(|line| line.starts_with("engined:"));
    let why = match line {
        _ if !nix::unistd::geteuid().is_root() => "not root",
        None => "no account engined: run cargo xtask up as root once",
        Some(line) => {
            let mut ids = line.split(':').skip(2).map(|id| id.parse().unwrap());
            return Some((ids.next().unwrap(), ids.next().unwrap()));
        }
    };
    eprintln!("SKIPPED: {why}");
    assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden: {why}");
    None
}

/// What came of an attempt.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Done,
    Refused(String),
    /// The process was killed by the filter.
    Killed,
    /// The process became another program.
    Gone,
}

/// A serving engine that can be asked, and what lies around it.
struct Serving {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
    folder: Scratch,
    fake: Fake,
}

impl Serving {
    /// Without these layers.
    fn without(layers: &[&str]) -> Serving {
        Serving::start(layers, "", &[]).unwrap_or_else(|log| panic!("{log}"))
    }

    /// `wrapper` goes before the command line, which then becomes nobody else.
    fn start(without: &[&str], engine: &str, wrapper: &[&str]) -> Result<Serving, String> {
        let (uid, gid) = account().unwrap();
        let folder = Scratch::new();
        let path = |name: &str| folder.0.join(name);
        let hash: String = engined::tenants::hash(TOKEN.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        for name in ["api", "etc", "manifests", "state"] {
            fs::create_dir(path(name)).unwrap();
        }
        fs::write(path("secret"), "not yours").unwrap();
        fs::write(path("manifests/mine.toml"), MANIFEST).unwrap();
        for name in ["", "secret", "api", "etc", "manifests", "state", "manifests/mine.toml"] {
            chown(path(name), Some(uid), Some(gid)).unwrap();
        }
        let config = format!(
            "[listen]\ntcp = \"127.0.0.1:0\"\nunix = {:?}\n[tenants.t]\nadmin = true\ntokens = [\"sha256:{hash}\"]\n[engine]\n\
             jaild_socket = {:?}\nlanguages = {:?}\n{engine}",
            path("api/engined.sock"),
            path("jaild.sock"),
            path("manifests"),
        );
        fs::write(path("etc/engined.toml"), config).unwrap();
        let fake = Fake::start(&path("jaild.sock"), 2, &[]);
        fs::set_permissions(path("jaild.sock"), fs::Permissions::from_mode(0o666)).unwrap();
        let words: Vec<&str> = wrapper.iter().copied().chain([ENGINED, "serve", "--notify", "--config"]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(path("etc/engined.toml"));
        if wrapper.is_empty() {
            command.args(["--user", "engined"]);
        }
        let mut child = command
            .env("ENGINED_TEST_ASKS", "1")
            .env("ENGINED_TEST_WITHOUT", without.join(","))
            .env("STATE_DIRECTORY", path("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let questions = child.stdin.take().unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let Some(address) = line_of(&mut answers, "listening ") else {
            child.wait().unwrap();
            return Err(fs::read_to_string(path("log")).unwrap());
        };
        Ok(Serving { child, questions, answers, address: address.parse().unwrap(), folder, fake })
    }

    fn path(&self, name: &str) -> String {
        self.folder.0.join(name).to_str().unwrap().to_owned()
    }

    fn ask(&mut self, name: &str, argument: &str) -> Came {
        writeln!(self.questions, "{name} {argument}").unwrap();
        match line_of(&mut self.answers, &format!("{name}: ")).as_deref() {
            Some("done") => Came::Done,
            Some(why) => Came::Refused(why.to_owned()),
            None if self.child.wait().unwrap().signal() == Some(Signal::SIGSYS as i32) => Came::Killed,
            None => Came::Gone,
        }
    }

    fn get(&self, path: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n").unwrap();
        let reply = Reply::read(&mut stream).unwrap();
        reply.conforms("GET", path);
        reply
    }

    fn status(&self, field: &str) -> String {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{field}:"))).unwrap();
        line.split_once(':').unwrap().1.trim().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// The rest of the next line that begins with `start`; `None` at the end.
fn line_of(lines: &mut impl BufRead, start: &str) -> Option<String> {
    lines.lines().map_while(Result::ok).find_map(|line| line.strip_prefix(start).map(str::to_owned))
}

/// A process of the same user, in our hands.
struct Neighbour(Child);

impl Neighbour {
    fn start() -> Neighbour {
        let (uid, gid) = account().unwrap();
        Neighbour(Command::new("/bin/sleep").arg("300").uid(uid).gid(gid).spawn().unwrap())
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The attempts, each with its argument and the layers of which each alone stops it.
fn attempts(serving: &Serving, neighbour: &Neighbour, port: u16) -> Vec<(&'static str, String, Vec<&'static str>)> {
    let path = |name| serving.path(name);
    let pid = neighbour.0.id().to_string();
    let both = || vec![LANDLOCK, SECCOMP];
    // Where the kernel has them.
    let abi = jail::landlock::kernel_abi().unwrap();
    let tcp = |also: &[&'static str]| if abi >= 4 { [&[LANDLOCK], also].concat() } else { also.to_vec() };
    let scope = |also: &[&'static str]| if abi >= 6 { [&[LANDLOCK], also].concat() } else { also.to_vec() };
    vec![
        ("read", path("secret"), vec![LANDLOCK]),
        ("list", "/".to_owned(), vec![LANDLOCK]),
        ("write", path("new"), vec![LANDLOCK]),
        ("write", path("manifests/mine.toml"), vec![LANDLOCK]),
        ("remove", path("manifests/mine.toml"), vec![LANDLOCK]),
        ("chmod", path("secret"), vec![SECCOMP]),
        ("bind-unix", path("state/new.sock"), both()),
        ("bind-tcp", "127.0.0.1:0".to_owned(), tcp(&[SECCOMP])),
        ("tcp", format!("127.0.0.1:{port}"), tcp(&[SECCOMP])),
        ("redirect", port.to_string(), tcp(&[])),
        ("abstract", format!("engined-test-{pid}"), scope(&[])),
        ("netlink", String::new(), vec![SECCOMP]),
        ("map-executable", String::new(), vec![SECCOMP]),
        ("unshare", String::new(), vec![SECCOMP]),
        ("outlive", String::new(), vec![SECCOMP]),
        ("dumpable", String::new(), vec![SECCOMP]),
        ("kill", pid.clone(), scope(&[SECCOMP])),
        ("ptrace", pid, both()),
        ("spawn", String::new(), both()),
        ("exec", String::new(), both()),
    ]
}

/// Whether an attempt of that name ends the process that makes it, where the filter meets it.
fn is_deadly(name: &str) -> bool {
    ["ptrace", "spawn", "exec"].contains(&name)
}

/// Makes every attempt on an engine without `layers`, a new one whenever it has ended, and hands over what came.
fn each_without(layers: &[&str], mut look: impl FnMut(&str, &[&str], Came)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = Serving::without(layers);
    for index in 0.. {
        if serving.child.try_wait().unwrap().is_some() {
            serving = Serving::without(layers);
        }
        let neighbour = Neighbour::start();
        let Some((name, argument, stopped)) = attempts(&serving, &neighbour, port).into_iter().nth(index) else {
            return;
        };
        let name_of = std::os::unix::net::SocketAddr::from_abstract_name(format!("engined-test-{}", neighbour.0.id()));
        let _abstract = UnixListener::bind_addr(&name_of.unwrap()).unwrap();
        // A caller's connection, which an attempt may turn elsewhere.
        let _caller = TcpStream::connect(serving.address).unwrap();
        wait_for(|| has_caller(&serving));
        let came = serving.ask(name, &argument);
        look(name, &stopped, came);
    }
}

/// Whether the engine has taken a caller's connection.
fn has_caller(serving: &Serving) -> bool {
    let port = format!(":{:04X}", serving.address.port());
    let folder = fs::read_dir(format!("/proc/{}/fd", serving.child.id())).unwrap();
    let leads: Vec<PathBuf> = folder.flatten().filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
    fs::read_to_string("/proc/net/tcp").unwrap().lines().any(|line| {
        let row: Vec<&str> = line.split_whitespace().collect();
        let inode = PathBuf::from(format!("socket:[{}]", row[9]));
        row[1].ends_with(&port) && row[3] == "01" && leads.contains(&inode)
    })
}

#[test]
fn a_confined_engine_breaks_out_nowhere() {
    if account().is_none() {
        return;
    }
    each_without(&[], |name, stopped, came| match came {
        // SECURITY.md says what this kernel has no layer for.
        Came::Done => assert!(stopped.is_empty(), "{name}"),
        Came::Killed => assert!(is_deadly(name), "{name} is deadly"),
        Came::Refused(why) => {
            assert!(!is_deadly(name), "{name}: {why}");
            assert!(
                why.contains("os error 1)") || why.contains("os error 13)") || why.contains("EPERM"),
                "{name}: {why}"
            );
        }
        other => panic!("{name}: {other:?}"),
    });
}

#[test]
fn without_the_layers_that_stop_it_each_attempt_works() {
    if account().is_none() {
        return;
    }
    each_without(&[LANDLOCK, SECCOMP], |name, _, came| match name {
        "exec" => assert_eq!(came, Came::Gone),
        _ => assert_eq!(came, Came::Done, "{name}"),
    });
}

#[test]
fn each_layer_stops_by_itself_what_is_its_own() {
    if account().is_none() {
        return;
    }
    for (alone, other) in [(LANDLOCK, SECCOMP), (SECCOMP, LANDLOCK)] {
        each_without(&[other], |name, stopped, came| {
            let held = !matches!(came, Came::Done | Came::Gone);
            assert_eq!(held, stopped.contains(&alone), "{name} with {alone} alone: {came:?}");
        });
    }
}

#[test]
fn capabilities_that_it_was_given_are_gone() {
    if account().is_none() {
        return;
    }
    let wrapper = [
        "setpriv",
        "--reuid=engined",
        "--regid=engined",
        "--clear-groups",
        "--inh-caps=+net_raw",
        "--ambient-caps=+net_raw",
    ];
    let sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"];
    let mut given = Serving::start(&["engine_capabilities", SECCOMP], "", &wrapper).unwrap();
    assert_eq!(given.ask("packet", ""), Came::Done);
    let mut emptied = Serving::start(&[SECCOMP], "", &wrapper).unwrap();
    assert!(matches!(emptied.ask("packet", ""), Came::Refused(_)));
    let full = Serving::without(&[]);
    for serving in [&emptied, &full] {
        assert!(sets.iter().all(|set| serving.status(set) == "0000000000000000"));
    }
    assert_eq!(full.status("CapBnd"), "0000000000000000", "root may empty the bounding set as well");
}

/// Its memory is not for others of its own user.
#[test]
fn its_memory_is_nobodys_to_read() {
    let Some((uid, gid)) = account() else { return };
    let looked_at = |serving: &Serving| {
        let maps = format!("/proc/{}/maps", serving.child.id());
        Command::new("/bin/cat").arg(maps).uid(uid).gid(gid).output().unwrap().status.success()
    };
    assert!(!looked_at(&Serving::without(&[])));
    let mut loose = Serving::without(&["engine_no_dump", SECCOMP]);
    assert_eq!(loose.ask("dumpable", ""), Came::Done);
    assert!(looked_at(&loose));
}

#[test]
fn what_no_layer_can_be_tried_by_is_refused_all_the_same() {
    if account().is_none() {
        return;
    }
    let mut serving = Serving::without(&[]);
    for name in ["setuid", "capability", "packet"] {
        assert!(matches!(serving.ask(name, ""), Came::Refused(_)), "{name}");
    }
    // io_uring_setup, keyctl, perf_event_open, userfaultfd, chroot, capset, kill of itself, bind, listen.
    for number in [425, 250, 298, 323, 161, 126, 62, 49, 50] {
        let came = serving.ask("call", &number.to_string());
        assert!(matches!(&came, Came::Refused(why) if why.contains("os error 1)")), "system call {number}: {came:?}");
    }
    assert!(matches!(serving.ask("call", "435"), Came::Refused(why) if why.contains("os error 38)")), "clone3");
    // bpf, process_vm_readv, mount, setns, open_by_handle_at, init_module, fork, vfork, execveat.
    for number in [321, 310, 165, 308, 304, 175, 57, 58, 322] {
        let mut serving = Serving::without(&[]);
        assert_eq!(serving.ask("call", &number.to_string()), Came::Killed, "system call {number}");
    }
    assert_eq!(serving.status("NoNewPrivs"), "1");
    assert_eq!(serving.status("Seccomp"), "2");
}

#[test]
fn what_it_needs_it_has() {
    if account().is_none() {
        return;
    }
    let mut serving = Serving::without(&[]);
    let _other = UnixListener::bind(serving.path("other.sock")).unwrap();
    fs::set_permissions(serving.path("other.sock"), fs::Permissions::from_mode(0o666)).unwrap();
    for (name, argument) in [
        ("list", serving.path("manifests")),
        ("read", serving.path("manifests/mine.toml")),
        ("read", serving.path("etc/engined.toml")),
        ("read", "/usr/bin/env".to_owned()),
        ("read", "/proc/self/status".to_owned()),
        ("list", "/proc/self/fd".to_owned()),
        ("write", serving.path("state/store")),
        ("read", serving.path("state/store")),
        ("remove", serving.path("state/store")),
        // Landlock does not govern sockets with a path before ABI 9: their modes do.
        ("unix", serving.path("other.sock")),
    ] {
        assert_eq!(serving.ask(name, &argument), Came::Done, "{name} {argument}");
    }
    wait_for(|| serving.get("/readyz").status == 200);
    // The link is made anew, and manifests are read anew.
    serving.fake.crash();
    let log = serving.path("log");
    wait_for(|| fs::read_to_string(&log).unwrap().matches("link up").count() == 2);
    wait_for(|| serving.get("/readyz").status == 200);
    fs::write(serving.path("manifests/lua.toml"), "nonsense = 1\n").unwrap();
    serving.signal(Signal::SIGHUP);
    wait_for(|| fs::read_to_string(&log).unwrap().contains("nonsense"));
    serving.signal(Signal::SIGTERM);
    assert!(serving.child.wait().unwrap().success());
    assert!(!Path::new(&serving.path("api/engined.sock")).exists(), "its socket is left");
}

#[test]
fn a_folder_for_compiled_programs_that_is_refused_can_not_be_written() {
    let Some((uid, gid)) = account() else { return };
    let around = Scratch::new();
    let path = |name: &str| around.0.join(name);
    fs::create_dir(path("theirs")).unwrap();
    fs::write(path("file"), "").unwrap();
    std::os::unix::fs::symlink(path("theirs"), path("link")).unwrap();
    // Modes would let it.
    for name in ["", "theirs", "file"] {
        chown(path(name), Some(uid), Some(gid)).unwrap();
    }
    fs::set_permissions(path("theirs"), fs::Permissions::from_mode(0o700)).unwrap();
    let start = |name| Serving::start(&[], &format!("[cache]\nfolder = {:?}\n", path(name)), &[]).unwrap();
    let new = path("theirs/new").to_str().unwrap().to_owned();
    assert_eq!(start("theirs").ask("write", &new), Came::Done, "one that is not refused");
    fs::set_permissions(path("theirs"), fs::Permissions::from_mode(0o777)).unwrap();
    for name in ["theirs", "link", "file"] {
        let mut serving = start(name);
        for file in [new.as_str(), path("file").to_str().unwrap()] {
            let came = serving.ask("write", file);
            assert!(matches!(&came, Came::Refused(why) if why.contains("os error 13)")), "{name}: {file}: {came:?}");
        }
        assert_eq!(serving.ask("write", &serving.path("state/store")), Came::Done);
        wait_for(|| serving.get("/readyz").status == 200);
        let metrics = serving.get("/metrics").text();
        assert!(metrics.contains("engined_cache_failures_total 1"), "{name}: {metrics}");
        let log = fs::read_to_string(serving.path("log")).unwrap();
        assert_eq!(log.matches("compiled programs are not kept").count(), 1, "{name}: {log}");
    }
}

#[test]
fn a_layer_that_is_missing_stops_the_start_unless_it_is_waived() {
    if account().is_none() {
        return;
    }
    for layer in ALL {
        // The wrapper sets the variable and changes nothing else.
        let lacks = format!("ENGINED_TEST_LACKS={layer}");
        let wrapper = ["setpriv", "--reuid=engined", "--regid=engined", "--clear-groups", "env", &lacks];
        let log = Serving::start(&[], "", &wrapper).err().unwrap();
        assert!(log.contains(&format!("the layer {layer} can't be had")), "{log}");
        assert!(log.contains(&format!("waive_layers = [\"{layer}\"]")), "{log}");
        let waived = Serving::start(&[], &format!("waive_layers = [\"{layer}\"]\n"), &wrapper).unwrap();
        // On a busy machine it may think again that jaild does not answer.
        let mut ready = waived.get("/readyz");
        wait_for(|| {
            if ready.status != 200 {
                ready = waived.get("/readyz");
            }
            ready.status == 200
        });
        assert_eq!(ready.json()["missing_layers"], serde_json::json!([layer]));
        let isolation = waived.get("/v1/isolation").json();
        let states = isolation["engine_layers"].as_array().unwrap();
        let named = |state: &&Value| state["layer"] == layer;
        let state = states.iter().find(named).unwrap();
        assert_eq!((&state["wanted"], &state["obtained"]), (&Value::Bool(false), &Value::Bool(false)));
        assert!(state["remedy"].is_string());
        assert!(states.iter().filter(|state| !named(state)).all(|state| state["obtained"] == true));
        let mut metrics = String::new();
        waived.get("/metrics").body.as_slice().read_to_string(&mut metrics).unwrap();
        assert!(metrics.contains(&format!("engined_isolation_layer{{layer=\"{layer}\"}} 0")), "{metrics}");
    }
}
