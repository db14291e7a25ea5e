//! The artifact cache: what was compiled once is not compiled again, and what several ask for at once is compiled once.
//!
//! - A [`Key`] names everything that a compile follows from, its tenant first ([`key`]): nothing is shared by tenants.
//! - Kept is what ended by itself, a program or the compiler's word that there is none ([`entry`]): what was killed, ran
//!   into a limit, was cancelled or came out cut short is done again. The word that there is none is believed for a
//!   quarter of an hour and not beyond a restart: it may have had a reason of the machine's, which passes.
//! - Entries are files ([`folder`]), bounded in bytes, the least recently used go first ([`index`]), and outlive the
//!   engine. A file is hashed whenever it is used, while it is copied into a memory file that this one run gets: what is
//!   damaged is removed and built anew, nothing is shared by two runs, and no memory is held for what nobody runs. The
//!   kernel keeps in memory what is used often.
//! - A compile that another request has begun is joined ([`flight`]): it belongs to all who wait for it, and is stopped
//!   when the last of them has left. Whoever waits for it holds its place in the queue and no slot.
//!
//! Trouble with the folder costs time, never an answer: a line in the log, a count, and it is compiled. An engine that is out
//! of descriptors or memory has no trouble with the folder: it fails the one who asked, and what is kept stays.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;

use crate::budget::Budget;
use crate::collection::Artifact;
use crate::control::Control;
use crate::metrics::{CacheMetrics, Lookup};
use entry::{Content, Replay};
use flight::{Flight, Landed, Outcome, Waiter};
use folder::Folder;
use index::{Held, Index, Owner};
use pace::Pace;

pub use key::{Basis, Key, Origin};

pub mod entry;
pub mod flight;
pub mod folder;
pub mod index;
pub mod key;
pub mod pace;

/// A file of so many bytes that was used before is read where we are: others wait no longer for this thread than they
/// would for it to hand the work over.
const AT_ONCE: u64 = 256 << 10;
/// Entries that are written at once. Where there are more, the disk is what lacks, and they are not kept.
const WRITERS: usize = 4;
/// Between two lines in the log about the same.
const QUIET: Duration = Duration::from_secs(10);
/// From a use until it stands in the name of the file.
const NAMED_WITHIN: Duration = Duration::from_secs(1);

/// What there is of a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Its program.
    Program,
    /// The compiler's word that there is none.
    Errors,
    /// It is under way.
    UnderWay,
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct State {
    index: Index,
    pace: Pace,
    flights: HashMap<Key, Arc<Flight>>,
    /// Used since their files were named.
    used: HashSet<Key>,
    naming: bool,
}

/// What to do about a folder that can't be used.
pub const REMEDY: &str =
    "make it a folder of the engine's user alone (chown, chmod 700), or name another as cache.folder";

/// The cache. Without a folder nothing is kept, and compiles are joined all the same.
pub struct Cache {
    state: Mutex<State>,
    folder: Option<Folder>,
    /// One at a time renames and removes.
    names: Mutex<()>,
    writers: Arc<Semaphore>,
    metrics: CacheMetrics,
    told: Mutex<Option<Instant>>,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A lock that a panic has left is as good as it was: every change is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an error says that the engine is out of something, whatever it was about.
fn is_ours(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS))
}

impl Cache {
    /// A cache of so many bytes for these tenants, in a folder if there is one. What lies there already is taken up.
    #[must_use]
    pub fn open(folder: Option<&Path>, bytes: u64, tenants: &[&str], metrics: CacheMetrics) -> Arc<Cache> {
        let mut state = State {
            index: Index::new(bytes, tenants.len()),
            pace: Pace::new(bytes),
            flights: HashMap::new(),
            used: HashSet::new(),
            naming: false,
        };
        let opened = folder.and_then(|path| match Folder::open(path, tenants) {
            Ok(opened) => Some(opened),
            Err(error) => {
                metrics.failures.inc();
                tracing::warn!(path = %path.display(), %error, remedy = REMEDY, "compiled programs are not kept");
                None
            }
        });
        let (folder, found) = opened.unzip();
        let mut gone = Vec::new();
        if let Some(found) = found {
            found.troubles.iter().for_each(|why| tracing::warn!(%why, "not an entry of the cache"));
            gone.extend(found.entries.into_iter().filter_map(|(key, held)| state.index.found(key, held)));
        }
        gone.extend(state.index.shrink());
        let cache = Cache {
            state: Mutex::new(state),
            folder,
            names: Mutex::new(()),
            writers: Arc::new(Semaphore::new(WRITERS)),
            metrics,
            told: Mutex::new(None),
        };
        cache.discard(&gone);
        cache.count();
        let (bytes, entries) = lock(&cache.state).index.totals();
        tracing::info!(entries, bytes, kept = cache.folder.is_some(), "artifact cache");
        Arc::new(cache)
    }

    /// Takes these tenants, of whom the first are known.
    pub fn grow(&self, tenants: &[&str]) {
        if let Some(Err(error)) = self.folder.as_ref().map(|folder| folder.take(tenants)) {
            self.metrics.failures.inc();
            tracing::warn!(%error, "compiled programs of a new tenant are not kept");
        }
        lock(&self.state).index.grow(tenants.len());
    }

    /// What there is of a compile.
    #[must_use]
    pub fn look(&self, key: &Key) -> Look {
        let state = lock(&self.state);
        match state.index.get(key) {
            Some(Held { program: true, .. }) => Look::Program,
            Some(_) => Look::Errors,
            None if state.flights.contains_key(key) => Look::UnderWay,
            None => Look::Nothing,
        }
    }

    /// Joins a compile that is under way.
    #[must_use]
    pub fn join(self: &Arc<Self>, key: &Key) -> Option<Waiter> {
        let state = lock(&self.state);
        let flight = Arc::clone(state.flights.get(key)?);
        let waiter = self.waiter(key, flight);
        self.metrics.lookup(Lookup::Joined);
        Some(waiter)
    }

    fn waiter(self: &Arc<Self>, key: &Key, flight: Arc<Flight>) -> Waiter {
        let landed = Some(flight.landed.subscribe());
        Waiter { cache: Arc::clone(self), key: *key, flight, landed }
    }

    /// Begins a compile, unless there is something of it by now. It is kept for `owner` if it may be and `still`, asked
    /// when it is over, says that it is what the key says. What it uses `account` has used.
    pub fn begin<C, F>(
        self: &Arc<Self>,
        key: &Key,
        (owner, control): (Owner, Control),
        compile: C,
        still: impl FnOnce() -> bool + Send + 'static,
    ) -> Option<Waiter>
    where
        C: FnOnce(Arc<Control>) -> F,
        F: Future<Output = io::Result<Outcome>> + Send + 'static,
    {
        let flight = Flight::new(control);
        let waiter = {
            let mut state = lock(&self.state);
            if state.flights.contains_key(key) || state.index.get(key).is_some() {
                return None;
            }
            state.flights.insert(*key, Arc::clone(&flight));
            self.waiter(key, Arc::clone(&flight))
        };
        self.metrics.lookup(Lookup::Miss);
        let compile = compile(Arc::clone(&flight.control));
        let landing = Landing { cache: Arc::clone(self), key: *key, flight: Arc::clone(&flight) };
        let task = tokio::spawn(async move { landing.land(compile.await, owner, still) }.in_current_span());
        // This waiter is still there, so that nobody has asked for the task yet.
        if flight.task.set(task.abort_handle()).is_err() {
            task.abort();
        }
        Some(waiter)
    }

    /// Takes the flight off the books, if it is still there.
    fn off(state: &mut State, key: &Key, flight: &Arc<Flight>) {
        if state.flights.get(key).is_some_and(|known| Arc::ptr_eq(known, flight)) {
            state.flights.remove(key);
        }
    }

    /// The last who waits stops it: nobody can join it any more. Otherwise nothing happens.
    fn cancel(&self, key: &Key, flight: &Arc<Flight>) -> bool {
        let mut state = lock(&self.state);
        let alone = flight.waiters() == 1;
        if alone {
            Self::off(&mut state, key, flight);
            flight.control.cancel();
        }
        alone
    }

    fn leave(&self, key: &Key, flight: &Arc<Flight>, receiver: Option<watch::Receiver<Option<Landed>>>) {
        let mut state = lock(&self.state);
        drop(receiver);
        if flight.waiters() == 0 && flight.landed.borrow().is_none() {
            Self::off(&mut state, key, flight);
            if let Some(task) = flight.task.get() {
                // Its run is dropped with it, which has jaild end the sandbox.
                task.abort();
            }
        }
    }

    /// What is kept under the key: with a program of the caller's own, which counts in its `memory`. `None` where it has gone
    /// or was damaged; then it is not there any more.
    ///
    /// # Errors
    /// There is no room for the program, or the engine lacks what it takes to read it. It stays.
    pub async fn load(
        self: &Arc<Self>,
        key: &Key,
        memory: &Arc<Budget>,
    ) -> io::Result<Option<(Replay, Option<Artifact>)>> {
        let held = {
            let mut state = lock(&self.state);
            let Some(held) = state.index.touch(key) else { return Ok(None) };
            state.used.insert(*key);
            held
        };
        self.name_soon();
        let memory = memory.reserve(if held.program { held.bytes } else { 0 }).map_err(io::Error::other)?;
        let content = if held.seen && held.bytes <= AT_ONCE {
            self.read(key)
        } else {
            let (cache, key) = (Arc::clone(self), *key);
            let read = tokio::task::spawn_blocking(move || cache.read(&key)).await;
            read.unwrap_or_else(|error| Err(io::Error::other(error)))
        };
        match content {
            Ok(Content::Whole(replay, program)) => {
                self.metrics.lookup(Lookup::Hit);
                let program = program.map(|program| Artifact { file: File::from(program), memory });
                return Ok(Some((*replay, program)));
            }
            Ok(Content::Damaged(why)) => {
                self.metrics.damaged.inc();
                self.tell(|| tracing::warn!(%key, why, "a damaged entry of the artifact cache: it is built anew"));
            }
            Err(error) => self.unread(error)?,
        }
        let (cache, key) = (Arc::clone(self), *key);
        let forgotten = tokio::task::spawn_blocking(move || cache.forget(&key)).await;
        if let Err(error) = forgotten {
            tracing::error!(%error, "an entry of the artifact cache could not be removed");
        }
        Ok(None)
    }

    /// What it means that an entry could not be read: an error where the engine is at its end, and not the entry.
    fn unread(&self, error: io::Error) -> io::Result<()> {
        self.trouble("read", &error);
        if is_ours(&error) { Err(error) } else { Ok(()) }
    }

    fn read(&self, key: &Key) -> io::Result<Content> {
        let folder = self.folder.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let read = || {
            let held = lock(&self.state).index.lying(key).ok_or(io::ErrorKind::NotFound)?;
            folder.read(key, &held)
        };
        match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // It may have got another name since we looked; now nobody gives one.
                let _one = lock(&self.names);
                read()
            }
            read => read,
        }
    }

    fn forget(&self, key: &Key) {
        let _one = lock(&self.names);
        let held = lock(&self.state).index.remove(key);
        self.discard(held.map(|held| (*key, held)).as_slice());
        self.count();
    }

    /// Removes the files of entries that are in the index no more.
    fn discard(&self, gone: &[(Key, Held)]) {
        let Some(folder) = &self.folder else { return };
        for (key, held) in gone {
            if let Err(error) = folder.remove(key, held) {
                self.trouble("removed", &error);
            }
        }
    }

    /// Writes an entry, in a thread that may wait for the disk.
    fn keep(&self, key: &Key, owner: Owner, replay: &Replay, program: Option<&File>) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let program_bytes = program.map_or(Ok(0), |program| program.metadata().map(|file| file.len()))?;
        let bytes = entry::file_bytes(replay, program_bytes);
        let used = {
            let _one = lock(&self.names);
            let (gone, used) = {
                let mut state = lock(&self.state);
                let gone = if state.pace.take(bytes) { state.index.promise(bytes) } else { None };
                let Some(gone) = gone else {
                    self.metrics.skipped.inc();
                    return Ok(());
                };
                (gone, state.index.tick())
            };
            self.metrics.evicted.inc_by(gone.len() as u64);
            self.discard(&gone);
            used
        };
        let written = folder.write(key, owner, used, replay, program);
        let _one = lock(&self.names);
        let (before, more) = {
            let index = &mut lock(&self.state).index;
            match &written {
                Ok(Some(held)) => (index.keep(*key, *held, bytes), index.shrink()),
                _ => {
                    index.waive(bytes);
                    (None, Vec::new())
                }
            }
        };
        self.metrics.evicted.inc_by(more.len() as u64);
        self.discard(before.map(|held| (*key, held)).as_slice());
        self.discard(&more);
        self.count();
        written.map(drop)
    }

    fn count(&self) {
        let (bytes, entries) = lock(&self.state).index.totals();
        self.metrics.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.metrics.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    fn trouble(&self, what: &str, error: &io::Error) {
        self.metrics.failures.inc();
        let remedy = "look at the disk and the folder of the cache (cache.folder)";
        self.tell(|| tracing::warn!(%error, remedy, "an entry of the artifact cache can't be {what}"));
    }

    /// Not more than now and then.
    fn tell(&self, line: impl FnOnce()) {
        let mut told = lock(&self.told);
        if told.is_none_or(|at| at.elapsed() >= QUIET) {
            *told = Some(Instant::now());
            line();
        }
    }

    /// Has the names of the files that were used follow soon.
    fn name_soon(self: &Arc<Self>) {
        if std::mem::replace(&mut lock(&self.state).naming, true) {
            return;
        }
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(NAMED_WITHIN).await;
            let named = tokio::task::spawn_blocking(move || cache.settle()).await;
            if let Err(error) = named {
                tracing::error!(%error, "the order of the artifact cache is not kept");
            }
        });
    }

    /// Has the names of all files say when they were used: whoever opens the folder next finds the order as it is.
    pub fn settle(&self) {
        let used = {
            let mut state = lock(&self.state);
            state.naming = false;
            std::mem::take(&mut state.used)
        };
        for key in used {
            let _one = lock(&self.names);
            let Some(held) = lock(&self.state).index.get(&key) else { continue };
            let Some(folder) = &self.folder else { return };
            match folder.rename(&key, &held) {
                Ok(()) => lock(&self.state).index.named(&key, held.used),
                Err(error) => self.trouble("renamed", &error),
            }
        }
    }
}

/// The end of a compile, which comes also when it is given up or panics.
struct Landing {
    cache: Arc<Cache>,
    key: Key,
    flight: Arc<Flight>,
}

impl Landing {
    fn land(self, made: io::Result<Outcome>, owner: Owner, still: impl FnOnce() -> bool) {
        let landed: Landed = made.map(Arc::new).map_err(Arc::new);
        let replay = landed
            .as_ref()
            .ok()
            .filter(|_| self.cache.folder.is_some())
            .and_then(|outcome| Replay::of(&outcome.end, &outcome.output, outcome.result.as_ref().map(drop)));
        if replay.is_none() {
            // Before anybody is told: who asks then asks anew.
            Cache::off(&mut lock(&self.cache.state), &self.key, &self.flight);
        }
        self.flight.landed.send_replace(Some(landed.clone()));
        let (Ok(outcome), Some(replay)) = (landed, replay.filter(|_| still())) else { return };
        let Ok(permit) = Arc::clone(&self.cache.writers).try_acquire_owned() else {
            self.cache.metrics.skipped.inc();
            return;
        };
        // Until it is written, whoever asks finds the flight.
        let write = move || {
            let _permit = permit;
            let written =
                self.cache.keep(&self.key, owner, &replay, outcome.result.as_ref().ok().map(|made| &made.file));
            let cache = Arc::clone(&self.cache);
            // It is off the books before the failure is counted.
            drop(self);
            if let Err(error) = written {
                cache.trouble("written", &error);
            }
        };
        drop(tokio::task::spawn_blocking(write));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        Cache::off(&mut lock(&self.cache.state), &self.key, &self.flight);
        self.flight.landed.send_if_modified(|landed| {
            let open = landed.is_none();
            if open {
                *landed = Some(flight::lost("the compile was given up"));
            }
            open
        });
        self.flight.over.send_replace(true);
    }
}

#[cfg(test)]
mod tests;
