//! What we tell the service manager (`sd_notify(3)`): ready, alive, in one line what we do, reloading, stopping.
//!
//! Without one (`NOTIFY_SOCKET`) nothing is told. The socket is connected to before the engine is confined: landlock lets
//! nobody find an abstract one afterwards, and lets a socket that is connected be written to.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;

use crate::engine::Engine;

/// Between two looks at whether the line about us has changed.
const LOOK: Duration = Duration::from_secs(2);
/// So long readiness waits for every language. Then we say that we serve, which is true: without a broker `/metrics` and
/// `/readyz` tell why nothing can be run, and to be killed and started anew would help nobody.
const PATIENCE: Duration = Duration::from_secs(if cfg!(feature = "test-hooks") { 5 } else { 120 });

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Manager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    /// It was told that we are ready.
    ready: AtomicBool,
}

impl Manager {
    /// Connects to the one that the environment names.
    #[must_use]
    pub fn of_environment() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Manager::default();
        };
        match connect(&name) {
            Ok(socket) => {
                let watchdog = sd_notify::watchdog_enabled();
                Manager { socket: Some(socket), watchdog, ready: AtomicBool::new(false) }
            }
            Err(error) => {
                tracing::warn!(%error, ?name, "the service manager can't be told anything");
                Manager::default()
            }
        }
    }

    /// Tells it. Whether there is nobody to tell, or it was told.
    pub fn tell(&self, states: &[NotifyState<'_>]) -> bool {
        let Some(socket) = &self.socket else { return true };
        let words: Vec<String> = states.iter().map(ToString::to_string).collect();
        match socket.send(words.join("\n").as_bytes()) {
            Ok(_) => true,
            Err(error) => {
                tracing::warn!(%error, "the service manager was not told");
                false
            }
        }
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Files are read again from now on; [`Manager::reloaded`] ends it. Who was never ready does not reload: it starts.
    pub fn reloading(&self) {
        if !self.ready() {
            return;
        }
        match NotifyState::monotonic_usec_now() {
            Ok(now) => drop(self.tell(&[NotifyState::Reloading, now])),
            Err(error) => tracing::warn!(%error, "no clock"),
        }
    }

    /// Files were read again.
    pub fn reloaded(&self) {
        if self.ready() {
            self.tell(&[NotifyState::Ready]);
        }
    }

    /// We end.
    pub fn stopping(&self) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
    }

    /// Tells when we are ready, that we are alive, and what we do. Never returns.
    pub async fn keep(self: Arc<Self>, engine: Arc<Engine>) {
        if self.socket.is_none() {
            return;
        }
        tokio::join!(self.tell_of(&engine), self.watch());
    }

    async fn tell_of(&self, engine: &Engine) {
        let begun = Instant::now();
        let mut told = String::new();
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changes = engine.changes();
        loop {
            if !self.ready() && (engine.settled().is_ok() || begun.elapsed() > PATIENCE) {
                self.ready.store(self.tell(&[NotifyState::Ready]), Ordering::Release);
            }
            let line = status(engine);
            if line != told && self.tell(&[NotifyState::Status(&line)]) {
                told = line;
            }
            looks.tick().await;
            if !self.ready() {
                // A change that makes us ready is told at once.
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    _ = looks.tick() => {}
                }
            }
        }
    }

    /// Says that we are alive as long as the runtime turns: a task of its own got its turn. A broker that is silent is for
    /// `/readyz` and its alert. To kill us for that would mend nothing there, and lose what we hold for callers here.
    async fn watch(&self) {
        let Some(watchdog) = self.watchdog else { return };
        let mut beats = tokio::time::interval(watchdog / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            match tokio::spawn(std::future::ready(())).await {
                Ok(()) => drop(self.tell(&[NotifyState::Watchdog])),
                Err(error) => tracing::error!(%error, "a task did not get its turn"),
            }
        }
    }
}

fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // Whoever does not listen must not stop us.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What we do, in one line.
#[must_use]
pub fn status(engine: &Engine) -> String {
    let gauges = engine.queue.gauges();
    let waiting: usize = gauges.waiting.iter().sum();
    if engine.drain.begun() {
        return format!("draining: {} running, {waiting} waiting", gauges.running);
    }
    let standing = match engine.settled() {
        Ok(standing) => standing,
        Err(error) => return format!("not ready: {}", error.problem().detail),
    };
    let degraded: Vec<String> = engine.health.degraded().into_iter().map(|degraded| degraded.check).collect();
    let (word, what) = match degraded.as_slice() {
        [] => ("ready", String::new()),
        some => ("degraded", format!(", ill: {}", some.join(" "))),
    };
    let free = gauges.slots.saturating_sub(gauges.running);
    let languages = standing.offers.languages.len();
    format!("{word}: {languages} languages, {free} of {} slots free, {waiting} waiting{what}", gauges.slots)
}
