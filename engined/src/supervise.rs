//! `engined up`: a small parent that starts jaild and the serving engine, starts either anew when it ends, and takes
//! everything away at the end. It serves nobody, and has neither threads nor tokio.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;

use crate::listeners;
use crate::privileges;
use crate::process::{Event, Kid, Signals};
use crate::state::{self, State};

/// From the start of a child to its first word.
pub(crate) const START: Duration = Duration::from_secs(60);
/// From the engine's first word until it has looked at every toolchain: each compiles and runs a hello.
const LOOK: Duration = Duration::from_secs(300);
/// From then on somebody may wonder what takes so long.
const SLOW: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Who has lived so long may be started anew at once.
const SOUND: Duration = Duration::from_secs(if cfg!(feature = "test-hooks") { 0 } else { 10 });
/// The most that the store of batches may have: the usual folder of the state is in memory.
const STORE_BYTES: u64 = 1 << 30;
/// The engine drains for 30 s at most.
const ENGINE_ENDS: Duration = Duration::from_secs(40);
pub(crate) const JAILD_ENDS: Duration = Duration::from_secs(15);

/// What is wrong with the start, told to whoever started us.
pub(crate) type Trouble = String;

/// What `up` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder for sockets.
    pub state: Option<PathBuf>,
    /// The operator's manifests.
    pub languages: Option<PathBuf>,
    /// What becomes of compiled programs.
    pub cache: Kept,
    /// Where batches and their data are kept, where they are to stay.
    pub batches: Option<PathBuf>,
    /// Where tuned files are kept, or `off`, where that shall not be as usual.
    pub tuning: Option<String>,
    /// How large a stock jaild is to keep, or `off`, where that shall not be as usual.
    pub stock: Option<String>,
    /// With whom to end: whoever wants an engine for a while.
    pub parent: Option<i32>,
}

/// Where compiled programs are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// In the folder for sockets, and no longer than that.
    #[default]
    Meanwhile,
    /// In a folder that stays.
    In(PathBuf),
    /// Nowhere.
    Off,
}

impl std::str::FromStr for Kept {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Kept, Self::Err> {
        Ok(if text == "off" { Kept::Off } else { Kept::In(PathBuf::from(text)) })
    }
}

impl Kept {
    /// The section of the configuration, with the folder made for whoever serves.
    fn section(&self, state: &State) -> io::Result<String> {
        // The usual folder of the state is in memory.
        let (folder, bytes) = match self {
            Kept::Off => return Ok("[cache]\nenabled = false\n".to_owned()),
            Kept::Meanwhile => (state.file(state::ARTIFACTS), "bytes = 268435456\n"),
            Kept::In(folder) => (std::path::absolute(folder)?, ""),
        };
        state::folder_for_serving(&folder)?;
        Ok(format!("[cache]\nfolder = {folder:?}\n{bytes}"))
    }
}

/// `engined up`.
#[must_use]
pub fn up(options: &Options) -> ExitCode {
    match supervise(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            complain!("engined: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(options: &Options) -> Result<(), Trouble> {
    let told = |error: io::Error| error.to_string();
    if let Some(parent) = options.parent {
        privileges::end_with(parent).map_err(|error| error.to_string())?;
    }
    let languages = options.languages.as_deref().map(std::path::absolute).transpose().map_err(told)?;
    let tuning = tuning(options.tuning.as_deref()).map_err(told)?;
    let batches = options.batches.as_deref().map(std::path::absolute).transpose().map_err(told)?;
    let given = Given { languages, tuning, stock: options.stock.clone(), batches };
    let signals = Signals::block().map_err(told)?;
    let state = State::make(options.state.as_deref()).map_err(told)?;
    let mut jaild = Ward::new("jaild");
    let mut engine = Ward::new("engined");

    if !tune(&signals, &state, &given)? {
        return Ok(());
    }
    jaild.start(jaild_of(&state, &given).map_err(told)?).map_err(told)?;
    // A SIGHUP until then: whoever starts may have read its files already.
    let mut late = false;
    if first_line(&signals, &mut [&mut jaild], "jaild ready", START, &mut late)?.is_none() {
        return Ok(());
    }
    let cache = options.cache.section(&state).map_err(told)?;
    // Ours, so that while an engine is started anew callers wait for it and are not refused.
    let callers = listeners::listen_on(options.listen)
        .map_err(|error| format!("--listen {}: {error}; {}", options.listen, listeners::TAKEN))?;
    configure(&state, options.listen, &given, &cache).map_err(told)?;
    passing(&callers, || engine.start(serve(&state, &callers)?)).map_err(told)?;
    let both = &mut [&mut engine, &mut jaild];
    let Some(address) = first_line(&signals, both, "listening ", START, &mut late)? else {
        return stop(&signals, engine, jaild);
    };
    // Whoever is started anew must be found where the first one was.
    let address: SocketAddr = address.parse().map_err(|_| format!("engined listens on {address:?}"))?;
    configure(&state, address, &given, &cache).map_err(told)?;
    say!("engined {}: development, without tokens: every local user can run programs", env!("CARGO_PKG_VERSION"));
    let Some(offered) = first_line(&signals, &mut [&mut engine, &mut jaild], "ready ", LOOK, &mut late)? else {
        return stop(&signals, engine, jaild);
    };
    if late {
        reload(&jaild, &engine);
    }
    say!("languages: {offered}");
    say!("ready http://{address}");
    say!(
        "curl -s http://{address}/v1/executions -H 'Content-Type: application/json' -d '{{\"language\":\"python\",\"source\":\"print(6*7)\"}}'"
    );
    loop {
        let patience = jaild.patience().min(engine.patience());
        let mut kids: Vec<&mut Kid> =
            [&mut jaild, &mut engine].into_iter().filter_map(|ward| ward.kid.as_mut()).collect();
        let events = signals.wait(&mut kids, patience).map_err(told)?;
        if events.contains(&Event::End) {
            // From here on the engine alone says who comes in.
            drop(callers);
            return stop(&signals, engine, jaild);
        }
        if events.contains(&Event::Reload) {
            reload(&jaild, &engine);
        }
        jaild.keep(|| jaild_of(&state, &given)).map_err(told)?;
        passing(&callers, || engine.keep(|| serve(&state, &callers))).map_err(told)?;
    }
}

/// What both programs are told alike.
struct Given {
    batches: Option<PathBuf>,
    languages: Option<PathBuf>,
    /// A folder, or `off`.
    tuning: String,
    /// A number, or `off`.
    stock: Option<String>,
}

/// Where tuned files are kept.
fn tuning(asked: Option<&str>) -> io::Result<String> {
    let path = match asked {
        Some("off") => None,
        Some(path) => Some(std::path::absolute(path)?),
        None => state::tuning(),
    };
    Ok(path.map_or_else(|| "off".to_owned(), |path| path.to_string_lossy().into_owned()))
}

fn jaild_of(state: &State, given: &Given) -> io::Result<Command> {
    let mut command = state.jaild(given.languages.as_deref())?;
    command.args(["--tuning", &given.tuning]);
    if let Some(stock) = &given.stock {
        command.args(["--stock", stock]);
    }
    Ok(command)
}

/// Has jaild make of toolchains what is not there yet. `false`: we shall end instead. That nothing could be made is told
/// and no obstacle.
fn tune(signals: &Signals, state: &State, given: &Given) -> Result<bool, Trouble> {
    let told = |error: io::Error| error.to_string();
    if given.tuning == "off" {
        return Ok(true);
    }
    let mut command = jaild_of(state, given).map_err(told)?;
    command.args(["--tune", "yes"]);
    let mut kid = Kid::start("jaild --tune", command).map_err(told)?;
    let slow = Instant::now() + SLOW;
    let mut said = false;
    loop {
        let events = signals.wait(&mut [&mut kid], Duration::from_millis(200)).map_err(told)?;
        if events.contains(&Event::End) {
            kid.stop(signals, JAILD_ENDS).map_err(told)?;
            return Ok(false);
        }
        match kid.ended().map_err(told)? {
            Some(status) if status.success() => return Ok(true),
            Some(status) => {
                complain!("engined: jaild --tune ended with {status}: toolchains that are not tuned are slower");
                return Ok(true);
            }
            None if !said && Instant::now() > slow => {
                complain!("engined: tuning toolchains, once on this machine, into {}; a minute or two", given.tuning);
                said = true;
            }
            None => {}
        }
    }
}

/// Both read the same files. jaild tells the engine when it has them, whoever was first.
fn reload(jaild: &Ward, engine: &Ward) {
    [jaild, engine].into_iter().filter_map(|ward| ward.kid.as_ref()).for_each(|kid| kid.signal(Signal::SIGHUP));
}

/// The engine first, so that it can drain; jaild then has nothing left to do.
fn stop(signals: &Signals, engine: Ward, jaild: Ward) -> Result<(), Trouble> {
    let mut troubles = Vec::new();
    for (ward, patience) in [(engine, ENGINE_ENDS), (jaild, JAILD_ENDS)] {
        let name = ward.name;
        let Some(mut kid) = ward.kid else { continue };
        match kid.stop(signals, patience) {
            Ok(status) if status.success() => {}
            Ok(status) => troubles.push(format!("{name} ended with {status}")),
            Err(error) => troubles.push(format!("{name} is lost: {error}")),
        }
    }
    if troubles.is_empty() { Ok(()) } else { Err(troubles.join("; ")) }
}

/// Waits for a line of the first ward that begins with `word`, and gives the rest of it. `None`: we shall end instead.
/// `reload` is set when files shall be read again, which is for later.
pub(crate) fn first_line(
    signals: &Signals,
    wards: &mut [&mut Ward],
    word: &str,
    patience: Duration,
    reload: &mut bool,
) -> Result<Option<String>, Trouble> {
    let name = wards[0].name;
    let deadline = Instant::now() + patience;
    loop {
        let mut kids: Vec<&mut Kid> = wards.iter_mut().filter_map(|ward| ward.kid.as_mut()).collect();
        for event in signals.wait(&mut kids, Duration::from_millis(500)).map_err(|error| error.to_string())? {
            match event {
                Event::End => return Ok(None),
                Event::Line(from, line) if from == name => {
                    if let Some(rest) = line.strip_prefix(word) {
                        return Ok(Some(rest.to_owned()));
                    }
                }
                Event::Reload => *reload = true,
                Event::Line(..) => {}
            }
        }
        for ward in wards.iter_mut() {
            if let Some(kid) = &mut ward.kid
                && let Some(status) = kid.ended().map_err(|error| error.to_string())?
            {
                return Err(format!(
                    "{} ended with {status}: see above; `engined doctor` says what this host lacks",
                    kid.name
                ));
            }
        }
        if Instant::now() > deadline {
            return Err(format!("{name} did not say {word:?} within {patience:?}: see above"));
        }
    }
}

/// The configuration of the serving engine.
fn configure(state: &State, listen: SocketAddr, given: &Given, cache: &str) -> io::Result<()> {
    let manifests = given.languages.as_ref().map(|path| format!("languages = {path:?}\n")).unwrap_or_default();
    // Gone with the folder. The usual folder of the state is in memory.
    let records = state.file(state::RECORDS);
    state::folder_for_serving(&records)?;
    let (kept, bound) = match &given.batches {
        Some(folder) => (folder, String::new()),
        None => (&records, format!("store_bytes = {STORE_BYTES}\n")),
    };
    state::folder_for_serving(kept)?;
    let (blobs, batches) = (kept.join("blobs"), kept.join("batches"));
    let (audit, usage) = (records.join("audit.jsonl"), records.join("usage.sqlite"));
    let records =
        format!("[audit]\nfile = {audit:?}\nrotate_bytes = 16777216\nkeep = 1\n\n[usage]\nfile = {usage:?}\n");
    let text = format!(
        "[listen]\ntcp = \"{listen}\"\ndevelopment = true\n\n[engine]\njaild_socket = {:?}\n{manifests}tuning = {:?}\n\n{cache}\n{records}\n[blobs]\nfolder = {blobs:?}\n\n[batches]\nfolder = {batches:?}\n{bound}",
        state.link(),
        given.tuning
    );
    state.write("engined.toml", &text).map(drop)
}

fn serve(state: &State, callers: &TcpListener) -> io::Result<Command> {
    let mut command = state.ourselves();
    command.arg("serve").arg("--config").arg(state.file("engined.toml")).arg("--notify").args(state::identity());
    command.arg("--listener").arg(callers.as_raw_fd().to_string());
    Ok(command)
}

/// Lets a child that is started by `start` have the socket under the number that it has here. There is one thread, so no
/// other child gets it by the way.
fn passing(callers: &TcpListener, start: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let on_exec = |flags| fcntl(callers, FcntlArg::F_SETFD(flags));
    on_exec(FdFlag::empty())?;
    let started = start();
    on_exec(FdFlag::FD_CLOEXEC)?;
    started
}

/// A child that is started anew, later each time that it ends soon.
pub(crate) struct Ward {
    name: &'static str,
    pub(crate) kid: Option<Kid>,
    started: Instant,
    pause: Duration,
    due: Option<Instant>,
}

impl Ward {
    pub(crate) fn new(name: &'static str) -> Self {
        Ward { name, kid: None, started: Instant::now(), pause: FIRST_PAUSE, due: None }
    }

    pub(crate) fn start(&mut self, command: Command) -> io::Result<()> {
        self.started = Instant::now();
        self.due = None;
        self.kid = Some(Kid::start(self.name, command)?);
        Ok(())
    }

    /// How long nothing has to be done for it.
    fn patience(&self) -> Duration {
        self.due.map_or(Duration::from_secs(60), |due| due.saturating_duration_since(Instant::now()))
    }

    /// Notes its end, and starts it anew when the time has come.
    fn keep(&mut self, command: impl Fn() -> io::Result<Command>) -> io::Result<()> {
        if let Some(kid) = &mut self.kid
            && let Some(status) = kid.ended()?
        {
            if self.started.elapsed() > SOUND {
                self.pause = FIRST_PAUSE;
            }
            complain!("engined: {} ended with {status}; started anew in {:?}", self.name, self.pause);
            self.kid = None;
            self.due = Some(Instant::now() + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        if self.due.is_some_and(|due| due <= Instant::now())
            && let Err(error) = command().and_then(|command| self.start(command))
        {
            complain!("engined: {error}; tried again in {:?}", self.pause);
            self.due = Some(Instant::now() + self.pause);
        }
        Ok(())
    }
}
