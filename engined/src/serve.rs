//! `engined serve`: reads the configuration, binds, serves until SIGTERM, drains.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use languages::Catalogue;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::SigSet;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::audit::inbox::Flushed;
use crate::audit::{self, Act};
use crate::cache;
use crate::config::{Config, Host};
use crate::confinement::{self, Confinement};
use crate::engine::Engine;
use crate::http::answer::VERSION;
use crate::http::{Bound, Doors, Server};
use crate::listeners::{self, Door};
use crate::manager::Manager;
use crate::privileges;
use crate::refusals;
use crate::reload::{self, Reloader};
use crate::{logging, offers::Offers, usage};

/// What the last answers may take after the last run.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// What the last audit lines may take after those.
const LAST_LINES: Duration = Duration::from_secs(5);
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
    /// The supervisor's socket, which stands for `listen.tcp`.
    pub listener: Option<i32>,
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
    let (mut config, catalogue, host, printed) = load(&options.config)?;
    logging::start(&config.log);
    reload::tell_of_doubts(&config);
    let connections = descriptors(config.http.connections).map_err(|error| vec![format!("descriptors: {error}")])?;
    let doors = listeners::open(&mut config, options.listener)?;
    let manager = Arc::new(Manager::of_environment());
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
            // Or landlock would open it, follow a link, and let us write wherever that leads.
            config.cache.refused = true;
            tracing::warn!(%error, remedy = cache::REMEDY, "compiled programs are not kept");
        }
    }
    if let Some(place) = config.blobs.place() {
        let told = |error| vec![format!("blobs.folder: {error}; make it, for the engine's user alone")];
        cache::folder::make(&place).map_err(told)?;
    }
    if let Some(place) = config.batches.place() {
        let told = |error| vec![format!("batches.folder: {error}; make it, for the engine's user alone")];
        cache::folder::make(&place).map_err(told)?;
    }
    // From here on there is no other file, address or program for us; every thread to come inherits that.
    confinement::alone()?;
    let mut paths = confinement::paths(&config, &catalogue, &confinement::state_folders());
    paths.read.extend(reload::readable(&options.config));
    paths.list.extend(usage::earlier(&config.audit, &config.usage));
    let confinement = Confinement::put_on(&paths, &config.engine.waived)?;
    let runtime = runtime.enable_all().build();
    let runtime = runtime.map_err(|error| vec![format!("threads: {error}; raise the limit of tasks")])?;
    let engine = Engine::new(config, catalogue, &host.accounts).map_err(|error| vec![error])?;
    engine.confined(confinement);
    #[cfg(feature = "test-hooks")]
    confinement::hooks::listen();
    let path = std::path::absolute(&options.config).unwrap_or_else(|_| options.config.clone());
    let wanted = Arc::new(Notify::new());
    let reloader = Reloader::new(path, host, &printed);
    runtime.spawn(reloader.keep(Arc::clone(&engine), Arc::clone(&manager), Arc::clone(&wanted)));
    let served = runtime.block_on(run(&engine, doors, connections, manager, options.notify, &wanted));
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
    let (mut catalogue, mut wrong) = (None, Vec::new());
    let read = Config::load_with(path, &host, |config| match Catalogue::load(config.engine.manifests().as_deref()) {
        Ok(read) => reload::unknown_languages(config, catalogue.insert(read)),
        Err(mistakes) => {
            wrong = mistakes.iter().map(ToString::to_string).collect();
            Vec::new()
        }
    });
    match (read.map_err(text), catalogue) {
        (Ok((config, printed)), Some(catalogue)) => Ok((config, catalogue, host, printed)),
        (Ok(_), None) => Err(wrong),
        (Err(mistakes), _) => Err(mistakes.into_iter().chain(wrong).collect()),
    }
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

async fn run(
    engine: &Arc<Engine>,
    doors: Vec<Door>,
    connections: usize,
    manager: Arc<Manager>,
    notify: bool,
    reload: &Notify,
) -> Result<(), Vec<String>> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| vec![error.to_string()])?;
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| vec![error.to_string()])?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| vec![error.to_string()])?;
    let server = Server::new(Arc::clone(engine), connections);
    if engine.config.listen.development {
        tracing::warn!("development: every local user can run programs, there is no token");
    }
    for Door { bound, held } in doors {
        let address = match &bound {
            Bound::Tcp(tcp) => tcp.local_addr().ok(),
            Bound::Unix(_) | Bound::Metrics(_) => None,
        };
        if let Some(address) = address.filter(|_| notify) {
            say!("listening {address}");
        }
        let listener = bound.open().map_err(|error| vec![format!("listener: {error}")])?;
        tokio::spawn(Arc::clone(&server).accept_until(listener, if held { Doors::HeldShut } else { Doors::Shut }));
    }
    let pid = std::process::id();
    audit::administrative(engine, Act::Start { engine: VERSION, pid });
    tokio::spawn(Arc::clone(engine).keep());
    tokio::spawn(Arc::clone(&manager).keep(Arc::clone(engine)));
    if notify {
        tokio::spawn(tell_when_ready(Arc::clone(engine)));
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {
                tracing::info!("SIGHUP: configuration and manifests are read again");
                reload.notify_one();
            }
        }
    }
    manager.stopping();
    // Whoever comes from now on to a socket that somebody holds is for the next engine; at our own they are told.
    server.shut(Doors::HeldShut);
    if engine.drain() {
        audit::administrative(engine, Act::Drain { by: "signal", asked: None });
    }
    engine.drained().await;
    // Nothing runs any more, and each has its line: what is left are requests that have not come whole.
    engine.drain.cut();
    server.end(LAST_ANSWERS).await;
    refusals::tell_left_out(&engine.tenants());
    audit::administrative(engine, Act::Stop { pid });
    match engine.audit.flush(LAST_LINES).await {
        Flushed::Whole => {}
        Flushed::Uncounted => tracing::warn!("usage lacks the last audit lines; they are counted at the next start"),
        Flushed::Late => tracing::error!("the last audit lines may be lost: they could not be written in time"),
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
