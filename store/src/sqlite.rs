//! The store of one machine: SQLite in a folder of its own.
//!
//! One thread writes ([`writer`]), two read; each has its own connection. Callers wait for them without holding a thread.
//! Everything is in one file in WAL mode with `synchronous=FULL`: a transaction is on the disk before it is answered.
mod backup;
mod error;
mod expire;
mod files;
mod hands;
mod lease;
mod put;
mod read;
mod record;
mod schema;
mod writer;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot, watch};

pub use backup::{backup, needed_blobs, restore};
pub use error::Unusable;
use hands::Hands;
pub use writer::OnCommit;
use writer::{Desk, Job, News, Task};

use crate::{
    Answer, Expired, Leased, NewBatch, Placed, Promise, Question, Record, Recorded, Renewal, Store, StoreError,
    UnixMillis, Wish,
};

/// Commands that may wait for the thread that writes; who comes then waits for a place.
const WAITING: usize = 1_024;
/// Threads that read.
const READERS: usize = 2;

/// How a store is to be.
#[derive(Clone)]
pub struct Options {
    /// Where it is. It is made if it isn't there.
    pub folder: PathBuf,
    /// The most that its file may have.
    pub bytes: u64,
    /// How long a batch is kept once it is over.
    pub keep: Duration,
    /// The most batches that are kept of one tenant.
    pub tenant_batches: u64,
    /// The most bytes that batches of one tenant have, whatever [`NewBatch::tenant_bytes`] says.
    pub tenant_bytes: u64,
    /// The least room that is kept for each result that is waited for.
    pub result_bytes: u64,
    /// Told of each transaction.
    pub on_commit: Option<OnCommit>,
    /// Whether a transaction is on the disk before it is answered. Only a test of power cuts turns it off, to see that it would
    /// notice.
    pub durable: bool,
}

impl Options {
    /// The usual ones: 4 GiB, 30 days, 100,000 batches of a tenant, and no bound of its own for a tenant's bytes.
    pub fn new(folder: impl Into<PathBuf>) -> Options {
        Options {
            folder: folder.into(),
            bytes: 4 << 30,
            keep: Duration::from_secs(30 * 24 * 3_600),
            tenant_batches: 100_000,
            tenant_bytes: 4 << 30,
            result_bytes: 1_024,
            on_commit: None,
            durable: true,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("folder", &self.folder)
            .field("bytes", &self.bytes)
            .field("keep", &self.keep)
            .field("tenant_batches", &self.tenant_batches)
            .field("tenant_bytes", &self.tenant_bytes)
            .field("result_bytes", &self.result_bytes)
            .field("durable", &self.durable)
            .finish_non_exhaustive()
    }
}

/// The bounds of [`Options`], as the thread that writes needs them.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    bytes: u64,
    keep_millis: u64,
    tenant_batches: u64,
    tenant_bytes: u64,
    result_bytes: u64,
}

/// What the store has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that are on the disk.
    pub commits: u64,
    /// Commands in them.
    pub commands: u64,
    /// How long they took, all together.
    pub took: Duration,
}

/// What the threads and the callers have in common.
pub(crate) struct Shared {
    work: watch::Sender<u64>,
    watched: Mutex<HashMap<String, watch::Sender<u64>>>,
    on_commit: Option<OnCommit>,
    commits: AtomicU64,
    commands: AtomicU64,
    nanoseconds: AtomicU64,
    ending: AtomicBool,
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the threads are to end.
    pub(crate) fn ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Tells what is durable now.
    fn tell(&self, news: &News) {
        if news.work > 0 {
            self.work.send_modify(|count| *count += news.work);
        }
        if news.batches.is_empty() {
            return;
        }
        let mut watched = self.watched();
        for (batch, last) in &news.batches {
            if let Some(sender) = watched.get(batch) {
                if sender.receiver_count() == 0 {
                    watched.remove(batch);
                } else {
                    sender.send_modify(|known| *known = (*known).max(*last));
                }
            }
        }
    }

    fn committed(&self, commands: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(at_most(commands), Ordering::Relaxed);
        self.nanoseconds.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if let Some(told) = &self.on_commit {
            told(took);
        }
    }
}

/// What one of the threads that read is to do.
type Reading = Box<dyn FnOnce(&mut Connection) + Send>;

/// A store in a folder.
pub struct SqliteStore {
    writer: mpsc::Sender<Box<dyn Job>>,
    readers: mpsc::Sender<Reading>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
    bytes: u64,
}

impl SqliteStore {
    /// Opens it, or makes it. One engine at a time has it.
    pub fn open(options: Options) -> Result<Arc<SqliteStore>, Unusable> {
        let folder = &options.folder;
        let lock = files::lock(folder)?;
        let file = files::file(folder)?;
        let mut db = files::connect(&file, options.durable)?;
        schema::prepare(&mut db, &file)?;
        let most = hard_limit(&db, &options).map_err(|error| Unusable::of(&file, &error))?;
        files::bound(&db, &file, most)?;
        files::sync_folder(folder)?;
        let shared = Arc::new(Shared {
            work: watch::Sender::new(0),
            watched: Mutex::new(HashMap::new()),
            on_commit: options.on_commit.clone(),
            commits: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        });
        let limits = Limits {
            bytes: options.bytes,
            keep_millis: u64::try_from(options.keep.as_millis()).unwrap_or(u64::MAX >> 1),
            tenant_batches: options.tenant_batches,
            tenant_bytes: options.tenant_bytes,
            result_bytes: options.result_bytes,
        };
        let failed = |source| Unusable::Folder { path: folder.clone(), source };
        let (writer, queue) = mpsc::channel(WAITING);
        let (readers, questions) = mpsc::channel(WAITING);
        let questions = Arc::new(Mutex::new(questions));
        let mut connections = Vec::new();
        for _ in 0..READERS {
            connections.push(files::connect_to_read(&file)?);
        }
        let mut reading = Vec::new();
        for db in connections {
            let (questions, shared) = (questions.clone(), shared.clone());
            let work = move || read_until_the_end(db, &questions, &shared);
            reading.push(std::thread::Builder::new().name("store-read".into()).spawn(work).map_err(failed)?);
        }
        let mut desk = Desk { db, hands: Hands::default(), news: News::default(), limits };
        let told = shared.clone();
        let work = move || {
            writer::serve(&mut desk, queue, &told);
            join(reading);
            // The last connection that is closed brings the log into the file. Two that are closed at once both take the
            // other for the last, and the log would stay.
            drop(desk);
            // Nobody else may have the store before the last word is written.
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("store-write".into()).spawn(work).map_err(failed)?;
        let (folder, bytes) = (options.folder, options.bytes);
        Ok(Arc::new(SqliteStore { writer, readers, shared, thread: Some(thread), folder, bytes }))
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        Stats {
            commits: self.shared.commits.load(Ordering::Relaxed),
            commands: self.shared.commands.load(Ordering::Relaxed),
            took: Duration::from_nanos(self.shared.nanoseconds.load(Ordering::Relaxed)),
        }
    }

    /// Copies it to another folder while it serves, as [`backup()`] does.
    pub fn backup(&self, to: &Path) -> Promise<()> {
        let (reply, answer) = oneshot::channel();
        let (folder, to) = (self.folder.clone(), to.to_owned());
        let work = move || {
            let done = backup(&folder, &to).map_err(|error| StoreError::Failed(error.to_string()));
            drop(reply.send(done));
        };
        // A thread of its own, because it may take long.
        let begun = std::thread::Builder::new().name("store-backup".into()).spawn(work);
        Box::pin(async move {
            begun.map_err(|error| StoreError::Failed(format!("no thread for a copy: {error}")))?;
            answer.await.unwrap_or_else(|_| Err(StoreError::Failed("the copy was given up".into())))
        })
    }

    /// Hands a command to the thread that writes, at once if there is room in its queue.
    fn ask<T, F>(&self, run: F) -> Promise<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    {
        let (job, answer) = Task::boxed(run);
        into_promise(&self.writer, job, answer)
    }
}

/// The most that the file may ever have: the cap, and where it was made smaller than what was accepted needs, that.
fn hard_limit(db: &Connection, options: &Options) -> rusqlite::Result<u64> {
    // Added up anew, which finds damage before anything builds on it.
    let sql = "SELECT COALESCE(SUM((results - done) * result_bytes), 0) FROM batch WHERE state < 2";
    let reserved: i64 = db.query_row(sql, [], |row| row.get(0))?;
    let accepted = put::used(db)?.saturating_add(whole(reserved));
    Ok(options.bytes.max(accepted.saturating_add(accepted / 8)))
}

/// Sends it now or, where there is no room, once there is some; then waits for the answer.
fn into_promise<M, T>(to: &mpsc::Sender<M>, message: M, answer: oneshot::Receiver<Result<T, StoreError>>) -> Promise<T>
where
    M: Send + 'static,
    T: Send + 'static,
{
    let later = match to.try_send(message) {
        Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => None,
        Err(mpsc::error::TrySendError::Full(message)) => Some((to.clone(), message)),
    };
    let gone = || StoreError::Failed("it is being closed".into());
    Box::pin(async move {
        if let Some((to, message)) = later {
            to.send(message).await.map_err(|_| gone())?;
            drop(to);
        }
        answer.await.unwrap_or_else(|_| Err(gone()))
    })
}

/// Waits until these have ended.
fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        if thread.join().is_err() {
            tracing::error!("a thread of the store has panicked");
        }
    }
}

fn read_until_the_end(mut db: Connection, questions: &Mutex<mpsc::Receiver<Reading>>, shared: &Shared) {
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match next {
            Some(reading) => reading(&mut db),
            None => return,
        }
        if shared.ending() {
            return;
        }
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // The threads look at this after each command. The empty ones wake those that wait; one that finds no room for an
        // empty one has something to do.
        self.shared.ending.store(true, Ordering::Release);
        let (nothing, _) = Task::boxed(|_| Ok(()));
        drop(self.writer.try_send(nothing));
        for _ in 0..READERS {
            drop(self.readers.try_send(Box::new(|_| ())));
        }
        join(self.thread.take());
    }
}

impl Store for SqliteStore {
    fn put(&self, batch: NewBatch) -> Promise<Placed> {
        self.ask(move |desk| put::put(desk, &batch))
    }

    fn lease(&self, wish: Wish) -> Promise<Leased> {
        self.ask(move |desk| lease::lease(desk, &wish))
    }

    fn renew(&self, renewal: Renewal) -> Promise<()> {
        self.ask(move |desk| lease::renew(desk, &renewal))
    }

    fn record(&self, records: Vec<Record>) -> Promise<Vec<Recorded>> {
        self.ask(move |desk| record::record(desk, &records))
    }

    fn read(&self, question: Question) -> Promise<Answer> {
        let (reply, answer) = oneshot::channel();
        let most = self.bytes;
        let reading: Reading = Box::new(move |db| drop(reply.send(read::answer(db, &question, most))));
        into_promise(&self.readers, reading, answer)
    }

    fn expire(&self, now: UnixMillis) -> Promise<Expired> {
        let writer = self.writer.clone();
        Box::pin(async move {
            let mut all = Expired::default();
            loop {
                let (job, answer) = Task::boxed(move |desk| expire::step(desk, now));
                let (expired, more) = into_promise(&writer, job, answer).await?;
                all.batches += expired.batches;
                all.keys += expired.keys;
                if !more {
                    return Ok(all);
                }
            }
        })
    }

    fn watch(&self, batch: &str) -> watch::Receiver<u64> {
        let mut watched = self.shared.watched();
        if let Some(sender) = watched.get(batch) {
            return sender.subscribe();
        }
        watched.retain(|_, sender| sender.receiver_count() > 0);
        let sender = watch::Sender::new(0);
        let receiver = sender.subscribe();
        watched.insert(batch.to_owned(), sender);
        receiver
    }

    fn work(&self) -> watch::Receiver<u64> {
        self.shared.work.subscribe()
    }
}

/// A number of a column, all of which are not negative.
pub(crate) fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number for a column.
pub(crate) fn number(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Failed(format!("{number} is more than it can count")))
}

/// A length as a number that no machine's lengths exceed.
pub(crate) fn at_most(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
