//! A jaild that runs nothing: it speaks the link and plays a program by the words in its source, one per line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jail::inventory::Inventory;
use jail::link::{CgroupVersion, MAX_DESCRIPTORS, MESSAGE_BYTES, Order, Refusal, Report, Request, Welcome};
use jail::records::{self, Kind, RecordReader, RecordWriter};
use jail::spec::{
    Attempts, Bytes, Collected, Ended, Layer, Layers, Limits, Micros, Millis, Outcome, PeakSource, StopReason, Usage,
    WatchedCall,
};
use jail::sys;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};

/// What the tests look at.
#[derive(Default)]
pub struct Seen {
    /// Runs under way: what is told of them elsewhere is there by then.
    pub running: AtomicUsize,
    /// The most runs at once.
    pub most: AtomicUsize,
    /// The same of what the engine asks on its own account.
    pub aside: AtomicUsize,
    /// The most of that at once.
    pub most_aside: AtomicUsize,
    /// All of that, also what is over.
    pub asides: AtomicUsize,
    /// Why runs were stopped.
    pub stopped: Mutex<Vec<StopReason>>,
    /// The profiles of what callers have had ordered.
    pub profiles: Mutex<Vec<String>>,
    /// The programs that callers had run, with the time of each, in the order in which they began.
    pub played: Mutex<Vec<(String, Instant, Option<Instant>)>>,
    /// Orders refused because all slots were taken: the engine must never be that far ahead.
    pub no_room: AtomicUsize,
    /// How often it was asked what it holds.
    pub inventories: AtomicUsize,
    /// It leaves that unanswered.
    pub silent: AtomicBool,
    /// What the engine asks on its own account waits until this is false.
    pub held: AtomicBool,
    /// The words `gate`, and `#gate` of a compiler, wait until this is true.
    pub open: AtomicBool,
    /// Whoever connects is sent away.
    pub away: AtomicBool,
    /// Programs of this language fail, a hello as well.
    pub broken: Mutex<Option<String>>,
}

pub struct Fake {
    pub seen: Arc<Seen>,
    link: Arc<Mutex<Option<UnixStream>>>,
}

const LIMITS: Limits = Limits {
    cpu_time: Millis(600_000),
    wall_time: Millis(600_000),
    memory: Bytes(4 << 30),
    processes: 4096,
    cpus_milli: 8000,
    file: Bytes(4 << 30),
    disk: Bytes(4 << 30),
    open_files: 65_536,
    stack: Bytes(4 << 30),
};

impl Fake {
    /// Listens at `path` with so many slots and all layers but `missing`.
    pub fn start(path: &Path, slots: u32, missing: &[Layer]) -> Fake {
        let listener = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &UnixAddr::new(path).unwrap()).unwrap();
        listen(&listener, Backlog::new(4).unwrap()).unwrap();
        // The calls of the standard library don't ask what kind of Unix socket it is.
        let listener = UnixListener::from(listener);
        let fake = Fake { seen: Arc::default(), link: Arc::default() };
        let (seen, link) = (Arc::clone(&fake.seen), Arc::clone(&fake.link));
        let obtained = Layers::all().without(missing.iter().copied().collect());
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                if seen.away.load(Ordering::SeqCst) {
                    continue;
                }
                *link.lock().unwrap() = Some(socket.try_clone().unwrap());
                serve(socket, slots, obtained, &seen);
            }
        });
        fake
    }

    /// Closes the link, as a jaild that is killed does.
    pub fn crash(&self) {
        if let Some(link) = self.link.lock().unwrap().take() {
            link.shutdown(std::net::Shutdown::Both).unwrap();
        }
    }
}

/// A link that is there: when it closes, all of its runs are over.
struct Open(Arc<Mutex<bool>>, Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *open = false;
        self.1.running.store(0, Ordering::SeqCst);
        self.1.aside.store(0, Ordering::SeqCst);
    }
}

type Stops = Arc<Mutex<BTreeMap<u64, Option<StopReason>>>>;

fn serve(socket: UnixStream, slots: u32, obtained: Layers, seen: &Arc<Seen>) {
    let say = |report: Report| sys::send_with_descriptors(socket.as_fd(), &report.encode(), &[]).is_ok();
    let wanted = Layers::all();
    let cgroup = CgroupVersion::V2;
    say(Report::Welcome(Welcome { wanted, obtained, cgroup, landlock_abi: 7, slots, ceiling: LIMITS, pinned_cpus: 0 }));
    let stops: Stops = Arc::default();
    let open = Open(Arc::new(Mutex::new(true)), Arc::clone(seen));
    // Orders of callers that have a slot.
    let taken = Arc::new(AtomicUsize::new(0));
    loop {
        let mut message = [0; MESSAGE_BYTES + 1];
        let Ok((length, fds)) = sys::recv_with_descriptors(socket.as_fd(), &mut message, MAX_DESCRIPTORS) else {
            break;
        };
        if length == 0 {
            break;
        }
        match Request::decode(&message[..length]).unwrap() {
            // It holds nothing.
            Request::Inventory => {
                seen.inventories.fetch_add(1, Ordering::SeqCst);
                if seen.silent.load(Ordering::SeqCst) {
                    continue;
                }
                say(Report::Inventory(Inventory::default()));
            }
            Request::Stop { id, why } => {
                seen.stopped.lock().unwrap().push(why);
                stops.lock().unwrap().insert(id.0, Some(why));
            }
            Request::Order(order) => {
                assert_eq!(fds.len(), order.descriptors());
                // What the engine asks on its own account has room of its own.
                let aside = order.aside;
                let (now, most) = if aside { (&seen.aside, &seen.most_aside) } else { (&*taken, &seen.most) };
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(running, Ordering::SeqCst);
                if !aside && running > slots as usize {
                    seen.no_room.fetch_add(1, Ordering::SeqCst);
                    now.fetch_sub(1, Ordering::SeqCst);
                    say(Report::Refused { id: order.id, why: Refusal::NoRoom });
                    continue;
                }
                let (stops, seen, socket) = (Arc::clone(&stops), Arc::clone(seen), socket.try_clone().unwrap());
                let (open, taken) = (Arc::clone(&open.0), Arc::clone(&taken));
                std::thread::spawn(move || {
                    while aside && seen.held.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    let id = order.id;
                    let report = play(order, fds, &stops, &seen, || {
                        let still = open.lock().unwrap_or_else(PoisonError::into_inner);
                        seen.running.fetch_add(usize::from(*still && !aside), Ordering::SeqCst);
                    });
                    // As in jaild: the slot is free before the engine hears of it. Those of an older link were free
                    // when it closed.
                    let still = open.lock().unwrap_or_else(PoisonError::into_inner);
                    if *still {
                        let now: &[&AtomicUsize] = if aside { &[&seen.aside] } else { &[&seen.running, &taken] };
                        for now in now {
                            now.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                    drop(still);
                    drop(sys::send_with_descriptors(socket.as_fd(), &report.encode(), &[]));
                    stops.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
                });
            }
        }
    }
}

struct Script {
    args: Vec<String>,
    env: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
    globs: Vec<String>,
}

fn read(bundle: &OwnedFd, into: &mut Script) {
    assert!(records::is_sealed(bundle.as_fd()));
    let file = File::from(bundle.try_clone().unwrap());
    let mut reader = RecordReader::new(&file).unwrap();
    while let Some(record) = reader.next_record().unwrap() {
        let name = String::from_utf8(record.name.clone()).unwrap();
        match record.kind {
            Kind::Arg => into.args.push(name),
            Kind::Env => into.env.push(name),
            Kind::File => drop(into.files.insert(name, reader.data(&record).unwrap())),
            Kind::Glob => into.globs.push(name),
            _ => {}
        }
    }
}

/// `begins` is called when everything is told of it but its end.
fn play(order: Order, fds: Vec<OwnedFd>, stops: &Stops, seen: &Seen, begins: impl FnOnce()) -> Report {
    let mut fds = fds.into_iter();
    let mut script = Script { args: Vec::new(), env: Vec::new(), files: BTreeMap::new(), globs: Vec::new() };
    read(&fds.next().unwrap(), &mut script);
    let [stdin, stdout, stderr] = [fds.next(), fds.next(), fds.next()].map(|fd| File::from(fd.unwrap()));
    if order.has_artifact {
        read(&fds.next().unwrap(), &mut script);
    }
    let collection = order.collects.then(|| fds.next().unwrap());
    let profile = order.profile.as_str().to_owned();
    let source = |name: &str| String::from_utf8_lossy(script.files.get(name).map_or(b"", |v| v)).into_owned();
    let words = match script.args.get(1).map(String::as_str) {
        Some("-V") => "say Python 3.11.2".to_owned(),
        Some("-dumpfullversion") => "say 12.2.0".to_owned(),
        _ if profile.ends_with("/compile") => "compile".to_owned(),
        _ if profile.starts_with("c/") => source("a.out"),
        Some(entry) => source(entry),
        None => String::new(),
    };
    let words = words.replace("print('hello')", "say hello");
    let words = if words.contains("puts(\"hello\")") { "say hello".to_owned() } else { words };
    let broken = seen.broken.lock().unwrap().as_ref().is_some_and(|id| profile.starts_with(&format!("{id}/")));
    let words = if broken && profile.ends_with("/run") { "exit 1".to_owned() } else { words };
    // Now and then the engine looks again at the languages that are not played here: nobody knows when that is.
    if order.aside {
        seen.asides.fetch_add(1, Ordering::SeqCst);
    } else {
        seen.profiles.lock().unwrap().push(profile);
    }
    let played = (words != "compile" && !order.aside).then(|| {
        let mut played = seen.played.lock().unwrap();
        played.push((words.clone(), Instant::now(), None));
        played.len() - 1
    });
    begins();
    let collection = collection.map(RecordWriter::over);
    let mut actor = Actor {
        order: &order,
        stdin,
        stdout,
        stderr,
        collection,
        stops,
        open: &seen.open,
        usage: usage(),
        attempts: Attempts::default(),
        stop: None,
    };
    let outcome = match words.as_str() {
        "compile" => actor.compile(&script),
        words => actor.run(words, &script),
    };
    if let Some(nth) = played {
        seen.played.lock().unwrap_or_else(PoisonError::into_inner)[nth].2 = Some(Instant::now());
    }
    let collected = match actor.collection.take() {
        Some(writer) => writer.end().map_or(Collected::Cut, |_| Collected::Complete),
        None if order.collects => Collected::Cut,
        None => Collected::None,
    };
    if let Outcome::Failed { step: 255, .. } = outcome {
        return Report::Refused { id: order.id, why: Refusal::Broken };
    }
    let Actor { usage, attempts, stop, .. } = actor;
    Report::Ended(Ended {
        id: order.id,
        outcome,
        stop,
        filter_killed: outcome == Outcome::Signalled(31),
        attempts,
        usage,
        setup: Micros(500),
        collected,
        layers: Layers::all(),
    })
}

struct Actor<'a> {
    order: &'a Order,
    stdin: File,
    stdout: File,
    stderr: File,
    collection: Option<RecordWriter>,
    stops: &'a Stops,
    open: &'a AtomicBool,
    usage: Usage,
    attempts: Attempts,
    stop: Option<StopReason>,
}

impl Actor<'_> {
    /// The program is its source, unless that has an error.
    fn compile(&mut self, script: &Script) -> Outcome {
        let text: String = script.files.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "#warn" => writeln!(self.stderr, "{rest}").unwrap_or_default(),
                "#socket" => {
                    let socket = WatchedCall::all().find(|call| call.name() == "socket").unwrap();
                    self.attempts.count(socket);
                }
                "#sleep" => {
                    let until = Instant::now() + Duration::from_millis(rest.parse().unwrap());
                    while Instant::now() < until {
                        if self.stopped() {
                            return Outcome::Signalled(9);
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                "#gate" if self.passes() => {}
                "#gate" => return Outcome::Signalled(9),
                "#lingers" => {
                    while !self.stopped() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    std::thread::sleep(Duration::from_millis(rest.parse().unwrap()));
                    return Outcome::Signalled(9);
                }
                "#limit" => {
                    self.stop = Some(StopReason::CpuTime);
                    return Outcome::Signalled(9);
                }
                "#cut" => self.collection = None,
                "#large" => self.collect(Kind::File, b"a.out", &vec![b'\n'; rest.parse().unwrap()]),
                _ => {}
            }
        }
        if text.contains("#large") {
            return Outcome::Exited(0);
        }
        if text.contains("#error") {
            self.stderr.write_all(b"main.c:1:2: error: #error\n").unwrap();
            return Outcome::Exited(1);
        }
        if text.contains("#folder") {
            self.collect(Kind::File, b"a.out/part", b"");
            self.collect(Kind::Skipped, b"a.out/link", b"a symbolic link");
        } else if !text.contains("#nothing") {
            self.collect(Kind::File, b"a.out", text.as_bytes());
        }
        Outcome::Exited(0)
    }

    /// Waits until the gate is open. `false`: it was stopped before.
    fn passes(&mut self) -> bool {
        while !self.open.load(Ordering::SeqCst) {
            if self.stopped() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    fn collect(&mut self, kind: Kind, name: &[u8], data: &[u8]) {
        if let Some(writer) = &mut self.collection {
            writer.put(kind, true, name, data).unwrap();
        }
    }

    fn stopped(&mut self) -> bool {
        if let Some(Some(why)) = self.stops.lock().unwrap().get(&self.order.id.0) {
            self.stop = Some(*why);
        }
        self.stop.is_some()
    }

    fn run(&mut self, words: &str, script: &Script) -> Outcome {
        const KILLED: Outcome = Outcome::Signalled(9);
        for line in words.lines() {
            let mut line = line;
            // `when ARG …`: where it is called with that argument.
            if let Some((arg, rest)) = line.strip_prefix("when ").and_then(|rest| rest.split_once(' ')) {
                line = if script.args.iter().any(|given| given == arg) { rest } else { "" };
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let number = || rest.parse::<u64>().unwrap();
            match word {
                "say" => writeln!(self.stdout, "{rest}").unwrap_or_default(),
                "warn" => writeln!(self.stderr, "{rest}").unwrap_or_default(),
                "raw" => self.stdout.write_all(&[0xff, 0xfe, b'x']).unwrap(),
                "args" => writeln!(self.stdout, "{:?}", &script.args).unwrap(),
                "env" => writeln!(self.stdout, "{}", script.env.join(" ")).unwrap(),
                "files" => writeln!(self.stdout, "{:?}", script.files.keys().collect::<Vec<_>>()).unwrap(),
                // What the collector of jaild would do at the end; `cut` ends it early.
                "globs" => writeln!(self.stdout, "{:?}", &script.globs).unwrap(),
                "file" => {
                    let (name, data) = rest.split_once(' ').unwrap_or((rest, ""));
                    self.collect(Kind::File, name.as_bytes(), data.as_bytes());
                }
                "odd" => self.collect(Kind::File, &[0xff, b'x'], &[0xfe]),
                "head" => self.collect(Kind::Head, rest.as_bytes(), &[&9_u64.to_le_bytes()[..], b"abc"].concat()),
                "skip" => self.collect(Kind::Skipped, rest.as_bytes(), b"not a regular file"),
                "more" => self.collect(Kind::More, b"", &number().to_le_bytes()),
                "cut" => self.collection = None,
                "cat" => {
                    let mut all = Vec::new();
                    self.stdin.read_to_end(&mut all).unwrap();
                    self.stdout.write_all(&all).unwrap();
                }
                "flood" => {
                    let chunk = [b'y'; 4096];
                    for _ in 0..number() / 4096 {
                        if self.stopped() || self.stdout.write_all(&chunk).is_err() {
                            return KILLED;
                        }
                    }
                }
                "sleep" => {
                    let until = Instant::now() + Duration::from_millis(number());
                    while Instant::now() < until {
                        if self.stopped() {
                            return KILLED;
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                }
                "gate" if self.passes() => {}
                "gate" => return KILLED,
                // Waits until there is such a file.
                "until" => {
                    while !Path::new(rest).exists() {
                        if self.stopped() {
                            return KILLED;
                        }
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                // Is over at once, and its last words come so much later.
                "late" => {
                    let (mut stdout, pause) = (self.stdout.try_clone().unwrap(), Duration::from_millis(number()));
                    std::thread::spawn(move || {
                        std::thread::sleep(pause);
                        writeln!(stdout, "late").unwrap_or_default();
                    });
                }
                // Takes so long to end once it was told to.
                "lingers" => {
                    while !self.stopped() {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    std::thread::sleep(Duration::from_millis(number()));
                    return KILLED;
                }
                "socket" => self.attempts.count(WatchedCall::SOCKET),
                "forks" => self.usage.processes_hit = true,
                "cpu" => self.usage.cpu = Micros(number() * 1000),
                "exit" => return Outcome::Exited(u8::try_from(number()).unwrap()),
                "signal" => return Outcome::Signalled(u8::try_from(number()).unwrap()),
                "limit" => {
                    self.stop = Some(match rest {
                        "cpu" => StopReason::CpuTime,
                        "wall" => StopReason::WallTime,
                        _ => StopReason::Memory,
                    });
                    self.usage.oom_kills = u32::from(rest == "memory");
                    return KILLED;
                }
                "broken" => return Outcome::Failed { step: 255, errno: 0, index: 0 },
                "fail" => return Outcome::Failed { step: 3, errno: 12, index: 0 },
                _ => {}
            }
        }
        Outcome::Exited(0)
    }
}

fn usage() -> Usage {
    Usage {
        cpu: Micros(1000),
        user: Micros(600),
        system: Micros(400),
        wall: Micros(1500),
        memory_peak: Bytes(1 << 20),
        memory_peak_source: PeakSource::Kernel,
        processes_peak: 1,
        throttled: Micros(0),
        involuntary_switches: 0,
        oom_kills: 0,
        processes_hit: false,
        disk_hit: false,
    }
}
