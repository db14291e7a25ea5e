//! Which engine `selftest` and `batch` use: the one that is named, the installed one, or one that is started for it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api_spec::VersionResponse;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::oneshot;

use crate::client::{Address, Client, Silence};
use crate::config::{Config, Host, UNIX};
use crate::process::clean;

/// An engine of ours looks at every toolchain before it is ready, and a slow host takes minutes for it.
const READY: Duration = Duration::from_secs(400);
/// It drains for 40 s at most.
const ENDS: Duration = Duration::from_secs(60);
/// Between two looks whether it lives.
const LOOK: Duration = Duration::from_millis(500);
/// What is kept of its messages.
const LOG_LINES: usize = 40;
/// A hostile program looks for it in what it can see of the engine's environment.
const CANARY: (&str, &str) = ("ENGINED_CANARY", "leak-7391");

/// How the engine was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By `--server` or `ENGINED_URL`.
    Named,
    /// By the configuration: the installed one.
    Installed,
    /// Started for this command alone, and taken away after it.
    Embedded,
}

/// What of the command line chooses it.
#[derive(Clone, Debug)]
pub struct Wish {
    /// `--server`.
    pub server: Option<String>,
    /// `--embedded`.
    pub embedded: bool,
    /// `--config`.
    pub config: std::path::PathBuf,
    /// `--token-file`.
    pub token_file: Option<std::path::PathBuf>,
}

/// Where the engine is, before it was asked anything.
pub struct Target {
    /// How it was chosen.
    pub how: How,
    /// Its address.
    pub address: Option<Address>,
    /// What people should know about the choice.
    pub note: Option<String>,
}

/// Chooses. The configuration's address is tried first, unless another is named.
///
/// # Errors
/// Why none can be had, and what to do.
pub fn choose(wish: &Wish) -> Result<Target, String> {
    let named = wish.server.clone().or_else(|| std::env::var("ENGINED_URL").ok().filter(|url| !url.is_empty()));
    if wish.embedded {
        return Ok(Target { how: How::Embedded, address: None, note: None });
    }
    if let Some(url) = named {
        return Ok(Target { how: How::Named, address: Some(Address::parse(&url)?), note: None });
    }
    let address = configured(&wish.config)?;
    let reached = match &address {
        Address::Unix(path) => std::os::unix::net::UnixStream::connect(path).map(drop),
        Address::Tcp(host) => std::net::TcpStream::connect(host).map(drop),
    };
    match reached {
        Ok(()) => Ok(Target { how: How::Installed, address: Some(address), note: None }),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(format!(
            "the installed engine at {address} can't be reached: {error}; run this as root or as a user whom a tenant \
             of {} lets in, or take one of your own with --embedded",
            wish.config.display()
        )),
        Err(error) => {
            let note = format!("no engine serves at {address} ({error})");
            Ok(Target { how: How::Embedded, address: None, note: Some(note) })
        }
    }
}

/// Where the installed engine listens: its Unix socket, if it has one.
fn configured(config: &Path) -> Result<Address, String> {
    let usual = Address::Unix(UNIX.into());
    if !config.exists() {
        return Ok(usual);
    }
    // Whoever may not read it can be let in by the socket all the same.
    if std::fs::read(config).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return Ok(usual);
    }
    let (config, _) = Config::load(config, &Host::this()).map_err(|mistakes| {
        let mistakes: Vec<String> = mistakes.iter().map(|mistake| format!("{}: {mistake}", config.display())).collect();
        format!(
            "{}\nengined: correct that (engined config check), or name the engine with --server",
            mistakes.join("\n")
        )
    })?;
    match (config.listen.unix, config.listen.tcp) {
        (Some((path, _)), _) => Ok(Address::Unix(path)),
        (None, Some(mut tcp)) => {
            if tcp.ip().is_unspecified() {
                tcp.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Ok(Address::Tcp(tcp.to_string()))
        }
        (None, None) => Ok(usual),
    }
}

/// The token, from its file or the environment.
///
/// # Errors
/// The file can't be read or holds none.
pub fn token(wish: &Wish) -> Result<Option<String>, String> {
    let Some(file) = &wish.token_file else {
        return Ok(std::env::var("ENGINED_TOKEN").ok().filter(|token| !token.is_empty()));
    };
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("--token-file {shown} can't be read: {error}"))?;
    // `engined token new` writes it with a sentence before and a line for the configuration after it.
    let token = text.lines().map(str::trim).find(|line| line.starts_with("engined_")).map(str::to_owned);
    let token =
        token.or_else(|| Some(text.trim().to_owned()).filter(|t| !t.is_empty() && !t.contains(char::is_whitespace)));
    token.map(Some).ok_or_else(|| format!("--token-file {shown} holds no token; write what `engined token new` prints"))
}

/// Whether it serves and knows us, and its version.
///
/// # Errors
/// Why it can't be tested, and what to do.
pub async fn greet(client: &Client) -> Result<String, String> {
    let unreached = |silence: Silence| {
        format!(
            "{}: {silence}; start it (systemctl start jaild engined), or take one of your own with --embedded",
            client.address
        )
    };
    let ready = client.get("/readyz").await.map_err(unreached)?;
    if ready.status != 200 {
        let remedy = "`engined doctor` says what it lacks";
        return Err(format!("the engine at {} is not ready ({}); {remedy}", client.address, ready.told()));
    }
    let version = client.get("/v1/version").await.map_err(unreached)?;
    match version.status {
        200 => serde_json::from_slice::<VersionResponse>(&version.body)
            .map(|version| version.engine)
            .map_err(|error| format!("what answers at {} is no engine: {error}", client.address)),
        401 | 403 => {
            let remedy = match client.address {
                Address::Unix(_) => "run this as a user whom a tenant of its configuration lets in",
                Address::Tcp(_) => "set ENGINED_TOKEN, or name a file that holds the token with --token-file",
            };
            Err(format!("the engine at {} does not know us ({}); {remedy}", client.address, version.told()))
        }
        _ => Err(format!("what answers at {} is no engine: {}", client.address, version.told())),
    }
}

#[derive(Default)]
struct Said {
    last: VecDeque<String>,
    restarts: Vec<String>,
}

/// How an engine of our own is started.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Options of `up`, beside its address and its parent.
    pub options: Vec<OsString>,
    /// Added to its environment.
    pub env: Vec<(&'static str, &'static str)>,
}

impl Start {
    /// To be attacked: each compiler each time, and there is something to look for.
    #[must_use]
    pub fn attacked() -> Start {
        Start { options: vec!["--cache".into(), "off".into()], env: vec![CANARY] }
    }
}

/// An engine of our own: `engined up` on a free port. It ends with us.
pub struct Up {
    child: Child,
    log: Arc<Mutex<Said>>,
    ready: Option<oneshot::Receiver<String>>,
}

impl Up {
    /// Starts it. Called from the main thread: the child ends when the thread does that started it.
    ///
    /// # Errors
    /// That of starting a program.
    pub fn start(how: &Start) -> Result<Up, String> {
        let told = |error: io::Error| format!("engined up did not start: {error}");
        let mut command: Command = clean(&std::env::current_exe().map_err(told)?);
        command.args(["up", "--listen", "127.0.0.1:0", "--parent", &std::process::id().to_string()]);
        command.args(&how.options).envs(how.env.iter().copied());
        // A group of its own: a Ctrl-C is for us, and we end it.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(told)?;
        let log: Arc<Mutex<Said>> = Arc::default();
        if let Some(stderr) = child.stderr.take() {
            let log = Arc::clone(&log);
            std::thread::spawn(move || keep(stderr, &log));
        }
        let (sender, ready) = oneshot::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut sender = Some(sender);
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(address) = line.strip_prefix("ready ")
                        && let Some(sender) = sender.take()
                        && sender.send(address.to_owned()).is_err()
                    {
                        return;
                    }
                }
            });
        }
        Ok(Up { child, log, ready: Some(ready) })
    }

    /// Where it serves, as soon as it does.
    ///
    /// # Errors
    /// What it said instead.
    pub async fn address(&mut self) -> Result<Address, String> {
        let Some(ready) = self.ready.take() else { return Err("it was asked before".to_owned()) };
        match tokio::time::timeout(READY, ready).await {
            Ok(Ok(address)) => Address::parse(&address),
            Ok(Err(_)) => Err(format!("an engine of our own did not start:\n{}", self.said())),
            Err(_) => Err(format!("an engine of our own was not ready within {} s:\n{}", READY.as_secs(), self.said())),
        }
    }

    /// Waits until it has ended by itself, and says what it said last.
    pub async fn ended(&mut self) -> String {
        while matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(LOOK).await;
        }
        format!("the engine of our own has ended:\n{}", self.said())
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        i32::try_from(self.child.id()).ok()
    }

    /// How its supervisor had to start a part of it anew.
    #[must_use]
    pub fn restarts(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).restarts.clone()
    }

    /// The last of what it said.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        said.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Keeps the last of what is read.
fn keep(from: impl Read, said: &Mutex<Said>) {
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if line.contains("started anew") {
            said.restarts.push(line.clone());
        }
        said.last.push_back(line);
        if said.last.len() > LOG_LINES {
            said.last.pop_front();
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Some(pid) = self.pid()
            && matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = kill(Pid::from_raw(pid), Signal::SIGTERM)
        {
            complain!("engined: the engine of our own can't be ended: {error}");
        }
        let deadline = Instant::now() + ENDS;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                complain!("engined: the engine of our own does not end; killed");
                self.child.kill().unwrap_or_default();
                self.child.wait().map(drop).unwrap_or_default();
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
