//! `engined serve`: reads the configuration, binds, serves until SIGTERM, drains.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use languages::Catalogue;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use nix::sys::socket::{Backlog, listen};
use tokio::signal::unix::{SignalKind, signal};

use crate::audit::{self, Act};
use crate::cache;
use crate::config::{Config, Host};
use crate::confinement::{self, Confinement};
use crate::engine::Engine;
use crate::http::answer::VERSION;
use crate::http::{Bound, Server};
use crate::privileges;
use crate::{logging, offers::Offers};

/// What the last answers may take after the last run.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// What the last audit lines may take after those.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Connections that wait to be accepted; the kernel allows as many by default.
const BACKLOG: i32 = 4096;
/// Descriptors that are no connections: files, pipes and memfds of runs, listeners.
const OTHER_DESCRIPTORS: u64 = 256;

/// What `serve` is told beside its configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub config: PathBuf,
    /// Whom to become.
    pub user: Option<String>,
    /// With whom to end.
    pub parent: Option<i32>,
    /// Say on standard output where we listen and when we are ready.
    pub notify: bool,
}

/// `engined serve`.
#[must_use]
pub fn serve(options: &Options) -> ExitCode {
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(mistakes) => {
            for mistake in mistakes {
                complain!("engined: {mistake}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Becomes who shall serve. Nothing has been read yet, and there is one thread.
///
/// # Errors
/// What to do about it.
pub fn confine(user: Option<&str>, parent: Option<i32>) -> Result<(), Vec<String>> {
    let told = |error: privileges::Failed| vec![error.to_string()];
    // The supervisor waits for its signals in another way, and its children inherit what it has blocked.
    SigSet::all().thread_unblock().map_err(|error| vec![format!("signals: {error}")])?;
    if let Some(user) = user {
        privileges::become_user(user).map_err(told)?;
    }
    privileges::no_new_privileges().map_err(told)?;
    if let Some(parent) = parent {
        privileges::end_with(parent).map_err(told)?;
    }
    Ok(())
}

fn start(options: &Options) -> Result<(), Vec<String>> {
    confine(options.user.as_deref(), options.parent)?;
    if nix::unistd::geteuid().is_root() {
        return Err(vec!["root must not serve strangers; use systemd/engined.service, or --user engined".to_owned()]);
    }
    let (config, catalogue, host, _) = load(&options.config)?;
    logging::start(&config.log);
    let connections = descriptors(config.http.connections).map_err(|error| vec![format!("descriptors: {error}")])?;
    let (listeners, troubles) = bind(&config);
    if !troubles.is_empty() {
        return Err(troubles);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        // Asked while the quota of our control group can still be read.
        runtime.worker_threads(std::thread::available_parallelism().map_or(1, usize::from));
    }
    if config.cache.enabled {
        // While the program can be read, and folders can be made.
        cache::key::build();
        let made = config.cache.place().map(|place| cache::folder::make(&place)).transpose();
        if let Err(error) = made {
            tracing::warn!(%error, "the folder of the artifact cache can't be made");
        }
    }
    // From here on there is no other file, address or program for us; every thread to come inherits that.
    confinement::alone()?;
    let paths = confinement::paths(&config, &catalogue, &confinement::state_folders());
    let confinement = Confinement::put_on(&paths, &config.engine.waived)?;
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| vec![format!("threads: {error}; raise the limit of tasks")])?;
    let engine = Engine::new(config, catalogue, &host.accounts).map_err(|error| vec![error])?;
    engine.confined(confinement);
    #[cfg(feature = "test-hooks")]
    confinement::hooks::listen();
    let served = runtime.block_on(run(&engine, listeners, connections, options.notify));
    // Runs that outlived the deadline end with us: the link closes, and jaild kills them.
    runtime.shutdown_background();
    served
}

/// Configuration and manifests, and the configuration as it is in force.
///
/// # Errors
/// Every mistake in both.
pub fn load(path: &Path) -> Result<(Config, Catalogue, Host, String), Vec<String>> {
    let host = Host::this();
    let text = |mistakes: Vec<crate::config::Mistake>| {
        mistakes.iter().map(|m| format!("{}: {m}", path.display())).collect::<Vec<_>>()
    };
    let (config, printed) = Config::load(path, &host).map_err(text)?;
    let catalogue = Catalogue::load(config.engine.manifests().as_deref());
    let catalogue = catalogue.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok((config, catalogue, host, printed))
}

/// Takes as many descriptors as we may have, and fits the cap on connections to them.
fn descriptors(wanted: usize) -> io::Result<usize> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let most = usize::try_from(hard.saturating_sub(OTHER_DESCRIPTORS).max(16)).unwrap_or(usize::MAX);
    if wanted > most {
        tracing::warn!(wanted, most, "fewer connections than configured: raise the limit of open files (LimitNOFILE)");
    }
    Ok(wanted.min(most))
}

async fn run(engine: &Arc<Engine>, listeners: Vec<Bound>, connections: usize, notify: bool) -> Result<(), Vec<String>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| vec![error.to_string()])?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| vec![error.to_string()])?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| vec![error.to_string()])?;
    let server = Server::new(Arc::clone(engine), connections);
    if engine.config.listen.development {
        tracing::warn!("development: every local user can run programs, there is no token");
    }
    for listener in listeners {
        let address = match &listener {
            Bound::Tcp(tcp) => tcp.local_addr().ok(),
            Bound::Unix(_) | Bound::Metrics(_) => None,
        };
        if let Some(address) = address.filter(|_| notify) {
            say!("listening {address}");
        }
        let listener = listener.open().map_err(|error| vec![format!("listener: {error}")])?;
        tokio::spawn(Arc::clone(&server).accept(listener));
    }
    let pid = std::process::id();
    audit::administrative(engine, Act::Start { engine: VERSION, pid });
    tokio::spawn(Arc::clone(engine).keep());
    if notify {
        tokio::spawn(tell_when_ready(Arc::clone(engine)));
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: manifests are read again; a change of the configuration needs a restart");
                engine.reload();
            }
        }
    }
    tracing::info!("draining");
    audit::administrative(engine, Act::Drain { by: "signal".to_owned() });
    engine.drain();
    let deadline = Instant::now() + engine.config.engine.drain;
    loop {
        let gauges = engine.queue.gauges();
        if gauges.running == 0 && gauges.waiting == [0, 0] && engine.kept.pending() == 0 {
            break;
        }
        if Instant::now() > deadline {
            tracing::warn!(running = gauges.running, waiting = ?gauges.waiting, "ended before all runs were over");
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.end(LAST_ANSWERS).await;
    audit::administrative(engine, Act::Stop { pid });
    if !engine.audit.flush(LAST_LINES).await {
        tracing::error!("the last audit lines may be lost: they could not be written in time");
    }
    if let Some(cache) = engine.cache.clone()
        && let Err(error) = tokio::task::spawn_blocking(move || cache.settle()).await
    {
        tracing::error!(%error, "the order of the artifact cache is not kept");
    }
    if let Some((path, _)) = &engine.config.listen.unix {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                tracing::info!(path = %path.display(), "the socket stays, as its folder holds more; the next start replaces it");
            }
            removed => removed.map_err(|error| vec![format!("{}: {error}", path.display())])?,
        }
    }
    Ok(())
}

fn bind(config: &Config) -> (Vec<Bound>, Vec<String>) {
    let (mut listeners, mut troubles) = (Vec::new(), Vec::new());
    let asked = &config.listen;
    if let Some((path, mode)) = &asked.unix {
        match Bound::unix(path, *mode) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let remedy =
                    "stop who listens there, or give its folder to the user that serves (systemd/engined.service does)";
                troubles.push(format!("listen.unix = {path:?}: {error}; {remedy}"));
            }
        }
    }
    let addresses =
        [("tcp", asked.tcp, Bound::Tcp as fn(TcpListener) -> Bound), ("metrics", asked.metrics, Bound::Metrics)];
    for (field, address, kind) in addresses {
        let Some(address) = address else { continue };
        match listen_on(address) {
            Ok(listener) => listeners.push(kind(listener)),
            Err(error) => {
                let remedy = "stop who listens there (ss -ltnp), or choose another port";
                troubles.push(format!("listen.{field} = \"{address}\": {error}; {remedy}"));
            }
        }
    }
    (listeners, troubles)
}

/// With room for a crowd that comes at once: who finds none tries again a second later.
fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listen(&listener, Backlog::new(BACKLOG)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn tell_when_ready(engine: Arc<Engine>) {
    let mut changes = engine.changes();
    while engine.settled().is_err() {
        if changes.changed().await.is_err() {
            return;
        }
    }
    say!("ready {}", summary(&engine.standing().offers));
}

fn summary(offers: &Offers) -> String {
    let versions = |offer: &crate::offers::Offer| {
        let versions: Vec<String> = offer.installed.iter().map(|installed| installed.version.to_string()).collect();
        format!("{} {}", offer.definition.id, versions.join(" "))
    };
    offers.languages.iter().map(versions).collect::<Vec<_>>().join(", ")
}
