//! What tenants have used, by day and language: counters in SQLite that are the sums over the audit lines, to the unit.
//!
//! The writer of the audit appends a line first and hands its numbers over after that. They are added to the database
//! together with the number of the last line that they come of, in one transaction, and at the next start the lines after
//! that number are counted. So it does not matter where the engine is killed: a line that is there is counted once, and
//! one that is not there is not counted. Lines are brought to the disk (`[audit] sync`) before the counters are, so that a
//! power failure takes counters rather than lines, and those are counted again.
//!
//! Where lines are kept nowhere, or by journald alone, they go through a spool beside the database, with no more in them
//! than is counted in the first case.
//!
//! A database that is damaged is moved aside, and the counters are made anew of the lines that are left. One of a later
//! engined is left alone: the engine serves, `/v1/usage` says what is the matter, `engined_usage_up` is 0, and audit
//! files are not removed before their lines are counted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_spec::UsageRow;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::audit::log::lines_after;
use crate::audit::record::today;
use crate::metrics::AuditMetrics;
use count::{Counted, Counts};
use store::{Store, Unusable};

pub mod count;
pub mod store;

/// Between two attempts to get at a database that can't be written.
const RETRY: Duration = Duration::from_secs(2);
/// Who asks waits so long.
pub const PATIENCE: Duration = Duration::from_secs(2);
const BUSY: &str = "the database is busy; ask again";
/// So many may wait for an answer at once.
const ASKING: usize = 16;
/// Those who count today's CPU time at the start may wait for old lines to be counted.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// Lines that are counted in one transaction.
const PIECE: u64 = 50_000;

/// What a query gets: the rows, and the day from which on all is counted.
pub type Answer = Result<(Vec<UsageRow>, Option<String>), String>;

/// A question about days, both ends included.
#[derive(Clone, Debug)]
pub struct Query {
    /// The first.
    pub from: String,
    /// The last.
    pub to: String,
    /// Of this tenant alone.
    pub tenant: Option<String>,
}

enum Message {
    Count { counts: Counts, seq: u64, log: Option<(PathBuf, File)>, done: Vec<oneshot::Sender<()>> },
    Query(Query, oneshot::Sender<Answer>, Option<OwnedSemaphorePermit>),
    Cpu(mpsc::Sender<BTreeMap<String, u64>>),
}

/// The counters, for all who add to them or ask.
#[derive(Debug)]
pub struct Books {
    sender: Mutex<Sender<Message>>,
    counted: Arc<AtomicU64>,
    durable: bool,
    asking: Arc<Semaphore>,
}

/// The database before anything is counted.
#[derive(Debug)]
pub struct Opened {
    path: Option<PathBuf>,
    store: Result<Store, Unusable>,
    /// The number of the last line that is counted.
    pub counted: u64,
    /// The file that it was in.
    pub log: Option<PathBuf>,
}

/// Opens the database at `path`, or one in memory.
#[must_use]
pub fn open(path: Option<PathBuf>) -> Opened {
    let store = unbroken(path.as_deref());
    let counted = store.as_ref().ok().and_then(|store| store.counted().ok().flatten());
    let (counted, log) = counted.map_or((0, None), |(seq, log)| (seq, Some(log)));
    Opened { path, store, counted, log }
}

/// A damaged database makes room for a new one.
fn unbroken(path: Option<&Path>) -> Result<Store, Unusable> {
    let store = Store::open(path);
    let (Err(Unusable::Damaged { why, .. }), Some(path)) = (&store, path) else { return store };
    let aside = |path: &Path, suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let kept = aside(path, &format!(".damaged-{}", Timestamp::now().as_second()));
    tracing::error!(
        %why, path = %path.display(), kept = %kept.display(),
        "the database of usage is damaged: it is moved aside, and usage is counted anew from the audit lines that are left"
    );
    fs::rename(path, &kept).map_err(|error| Unusable::Moving { path: path.to_owned(), why: error })?;
    for part in ["-wal", "-shm"] {
        match fs::rename(aside(path, part), aside(&kept, part)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Unusable::Moving { path: path.to_owned(), why: error });
            }
            _ => {}
        }
    }
    Store::open(Some(path))
}

impl Books {
    /// Starts the thread that counts. `backlog`: files that may have lines which are not counted, up to the number `upto`,
    /// all of them in `log` or put aside from it.
    ///
    /// # Errors
    /// That of starting a thread.
    pub fn start(
        opened: Opened,
        backlog: Vec<File>,
        upto: u64,
        log: PathBuf,
        metrics: AuditMetrics,
    ) -> std::io::Result<Arc<Books>> {
        let Opened { path, store, counted, log: _ } = opened;
        let (sender, messages) = mpsc::channel();
        let counted = Arc::new(AtomicU64::new(counted));
        let books = Books {
            sender: Mutex::new(sender),
            counted: Arc::clone(&counted),
            durable: path.is_some(),
            asking: Arc::new(Semaphore::new(ASKING)),
        };
        let mut ledger = Ledger {
            path,
            store,
            backlog: Some((backlog, upto)),
            pending: Counts::default(),
            seq: upto,
            log,
            counted,
            metrics,
        };
        std::thread::Builder::new().name("usage".to_owned()).spawn(move || ledger.run(&messages))?;
        Ok(Arc::new(books))
    }

    fn send(&self, message: Message) {
        let sent = self.sender.lock().unwrap_or_else(PoisonError::into_inner).send(message);
        if sent.is_err() {
            tracing::error!("the counters of usage have ended: report this as a bug");
        }
    }

    /// Adds what comes of the lines up to `seq`, and says so to whoever waits for it. `log`: where these lines are, to be
    /// brought to the disk before.
    pub fn count(&self, counts: Counts, seq: u64, log: Option<(PathBuf, File)>, done: Vec<oneshot::Sender<()>>) {
        self.send(Message::Count { counts, seq, log, done });
    }

    /// The number of the last line that is counted.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.counted.load(Ordering::Relaxed)
    }

    /// Whether the counters outlive the engine.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.durable
    }

    /// Asks for a caller: of those so many wait at once, and not in the way of what the engine asks itself.
    ///
    /// # Errors
    /// As [`Books::query`].
    pub async fn query_of_caller(&self, query: Query) -> Answer {
        // Held until it was answered, also where nobody waits for that any more.
        let place = Arc::clone(&self.asking).try_acquire_owned();
        self.ask(query, Some(place.map_err(|_| BUSY.to_owned())?)).await
    }

    /// Asks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn query(&self, query: Query) -> Answer {
        self.ask(query, None).await
    }

    async fn ask(&self, query: Query, place: Option<OwnedSemaphorePermit>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Query(query, reply, place));
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the counters of usage have ended; restart the engine".to_owned()),
            Err(_) => Err(BUSY.to_owned()),
        }
    }

    /// CPU time of today, by tenant: of runs and compiles. What a start needs to go on with daily quotas; it waits until
    /// the lines that an earlier engine has left are counted.
    #[must_use]
    pub fn cpu_today(&self) -> BTreeMap<String, u64> {
        let (reply, answer) = mpsc::channel();
        self.send(Message::Cpu(reply));
        answer.recv_timeout(START_PATIENCE).unwrap_or_else(|error| {
            tracing::error!(%error, "today's CPU time is not known: daily quotas begin anew");
            BTreeMap::new()
        })
    }
}

/// The thread's own.
struct Ledger {
    path: Option<PathBuf>,
    store: Result<Store, Unusable>,
    backlog: Option<(Vec<File>, u64)>,
    /// Not in the database yet.
    pending: Counts,
    /// The last line of those.
    seq: u64,
    log: PathBuf,
    counted: Arc<AtomicU64>,
    metrics: AuditMetrics,
}

impl Ledger {
    fn run(&mut self, messages: &Receiver<Message>) {
        let mut ailing = false;
        loop {
            let sound = match self.settle() {
                Ok(()) => {
                    if std::mem::take(&mut ailing) {
                        tracing::info!("usage is counted again");
                    }
                    true
                }
                Err(why) => {
                    if !std::mem::replace(&mut ailing, true) {
                        tracing::error!(%why, "usage can't be counted; tried again until it can");
                    }
                    false
                }
            };
            let behind = self.seq.saturating_sub(self.counted.load(Ordering::Relaxed));
            self.metrics.usage(sound, behind);
            let message = if sound {
                messages.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                messages.recv_timeout(RETRY)
            };
            match message {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Count { counts, seq, log, done } => {
                self.pending.absorb(counts);
                self.seq = self.seq.max(seq);
                if let Some((path, file)) = log {
                    self.log = path;
                    if self.metrics.syncs
                        && let Err(error) = file.sync_data()
                    {
                        tracing::warn!(%error, "audit lines are not brought to the disk");
                    }
                }
                if let Err(why) = self.settle() {
                    tracing::debug!(%why, "not counted yet");
                }
                for done in done {
                    // Who has hung up needs no answer.
                    done.send(()).unwrap_or_default();
                }
            }
            // Nobody waits for it any more.
            Message::Query(_, reply, _) if reply.is_closed() => {}
            Message::Query(query, reply, place) => {
                drop(reply.send(self.answer(&query)));
                drop(place);
            }
            Message::Cpu(reply) => {
                let store = self.store.as_ref().ok();
                let rows = store.and_then(|store| store.cpu_time_us(&today()).ok()).unwrap_or_default();
                drop(reply.send(rows.into_iter().collect()));
            }
        }
    }

    fn answer(&self, query: &Query) -> Answer {
        let store = self.store.as_ref().map_err(ToString::to_string)?;
        let told = |error: rusqlite::Error| format!("the database of usage can't be read: {error}");
        let rows = store.rows(&query.from, &query.to, query.tenant.as_deref()).map_err(told)?;
        Ok((rows, store.since().map_err(told)?))
    }

    /// Brings everything into the database that is not in it.
    fn settle(&mut self) -> Result<(), String> {
        if let Err(why) = &self.store {
            let text = why.to_string();
            // One of a later engine is not looked at again: who has moved it away starts us anew.
            if matches!(why, Unusable::Newer { .. }) {
                return Err(text);
            }
            self.store = unbroken(self.path.as_deref());
        }
        let store = self.store.as_mut().map_err(|why| why.to_string())?;
        let told = |error: rusqlite::Error| error.to_string();
        if let Some((files, upto)) = &self.backlog {
            let after = store.counted().map_err(told)?.map_or(0, |(seq, _)| seq);
            self.counted.store(after, Ordering::Relaxed);
            let upto = *upto;
            recount(store, files, after, upto, &self.log)?;
            self.counted.store(after.max(upto), Ordering::Relaxed);
            self.backlog = None;
        }
        if !self.pending.is_empty() || self.seq > self.counted.load(Ordering::Relaxed) {
            store.add(&self.pending, self.seq, &self.log, &today()).map_err(told)?;
            self.pending = Counts::default();
            self.counted.store(self.seq, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Counts the lines after one number up to another, each once.
fn recount(store: &mut Store, files: &[File], after: u64, upto: u64, log: &Path) -> Result<(), String> {
    let (mut counts, mut last, mut committed, mut strange) = (Counts::default(), after, after, 0_u64);
    for file in files {
        let mut failed = None;
        let read = lines_after(file, last, |seq, line| {
            if seq > upto {
                return false;
            }
            last = seq;
            match std::str::from_utf8(line).map(serde_json::from_str::<Counted<'_>>) {
                Ok(Ok(line)) => counts.line(&line),
                _ => strange += 1,
            }
            if seq - committed >= PIECE {
                match store.add(&std::mem::take(&mut counts), seq, log, &today()) {
                    Ok(()) => committed = seq,
                    Err(error) => failed = Some(error.to_string()),
                }
            }
            failed.is_none()
        });
        if let Some(why) = failed {
            return Err(why);
        }
        read.map_err(|error| format!("audit lines can't be read: {error}"))?;
    }
    if strange > 0 {
        tracing::warn!(strange, "audit lines that are none of ours are not counted");
    }
    if last > after {
        tracing::info!(lines = last - after, "lines counted that an earlier engine has left");
    }
    if last > committed {
        store.add(&counts, last, log, &today()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
