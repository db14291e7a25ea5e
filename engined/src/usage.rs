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
use std::sync::{Arc, mpsc};
use std::time::Duration;

use api_spec::UsageRow;
use jiff::Timestamp;
use tokio::sync::oneshot;

use crate::config::audit as settings;
use crate::metrics::AuditMetrics;
use desk::{Desk, Handed, Question};
use ledger::Ledger;
use store::{Store, Unusable};

pub mod count;
pub mod desk;
mod ledger;
pub mod store;

/// Who asks waits so long.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Those who count today's CPU time at the start may wait for old lines to be counted.
const START_PATIENCE: Duration = Duration::from_secs(60);
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

/// The counters, for all who add to them or ask.
#[derive(Debug)]
pub struct Books {
    desk: Arc<Desk>,
    counted: Arc<AtomicU64>,
    durable: bool,
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

impl Opened {
    /// Whether no other engine has it.
    ///
    /// # Errors
    /// What to do.
    pub fn alone(&self) -> Result<(), &Unusable> {
        match &self.store {
            Err(why @ Unusable::Locked { .. }) => Err(why),
            _ => Ok(()),
        }
    }
}

/// Where lines went before, when that is another folder than now: what is in them may still have to be counted. To be asked
/// while every file can be read.
#[must_use]
pub fn earlier(audit: &settings::Audit, usage: &settings::Usage) -> Option<PathBuf> {
    let before = Store::log(&usage.place().filter(|path| path.exists())?)?;
    let folder = before.parent()?.to_owned();
    let known = settings::folders(audit, usage).contains(&folder);
    (!known && folder.parent().is_some() && folder.is_dir()).then_some(folder)
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
        let Opened { path, store, counted, log: before } = opened;
        let desk = Arc::new(Desk::default());
        let counted = Arc::new(AtomicU64::new(counted));
        let books = Books { desk: Arc::clone(&desk), counted: Arc::clone(&counted), durable: path.is_some() };
        let logs = (before.unwrap_or_else(|| log.clone()), log);
        let ledger = Ledger::new(path, store, (backlog, upto), logs, counted, metrics);
        std::thread::Builder::new().name("usage".to_owned()).spawn(move || ledger.run(&desk))?;
        Ok(Arc::new(books))
    }

    /// Adds what comes of the lines up to a number, and says so to whoever waits for it.
    ///
    /// # Errors
    /// It comes back where the thread has ended.
    pub fn count(&self, handed: Handed) -> Result<(), Handed> {
        self.desk.hand(handed)
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

    /// The thread has ended.
    #[cfg(test)]
    pub fn end(&self) {
        self.desk.leave();
    }

    /// Asks.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn query(&self, query: Query) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.desk.ask(Question::Rows(query, reply))?;
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => {
                Err("the counters of usage have ended: report this as a bug, and restart the engine".to_owned())
            }
            Err(_) => Err("the database is busy; ask again".to_owned()),
        }
    }

    /// CPU time of today, by tenant: of runs and compiles. What a start needs to go on with daily quotas; it waits until
    /// the lines that an earlier engine has left are counted.
    #[must_use]
    pub fn cpu_today(&self) -> BTreeMap<String, u64> {
        let (reply, answer) = mpsc::channel();
        let asked = self.desk.ask(Question::Cpu(reply)).map_err(str::to_owned);
        let told = asked.and_then(|()| answer.recv_timeout(START_PATIENCE).map_err(|error| error.to_string()));
        told.unwrap_or_else(|error| {
            tracing::error!(%error, "today's CPU time is not known: daily quotas begin anew");
            BTreeMap::new()
        })
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.desk.close();
    }
}

#[cfg(test)]
pub(crate) mod tests;
