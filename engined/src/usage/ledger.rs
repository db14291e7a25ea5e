//! The thread that counts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api_spec::UsageRow;

use super::count::{Counted, Counts};
use super::desk::{Desk, Handed, Question, Work};
use super::store::{self, Store, Unusable};
use super::{Answer, Query, unbroken};
use crate::audit::inbox::Flush;
use crate::audit::log::{self, lines_after};
use crate::audit::record::today;
use crate::metrics::AuditMetrics;

/// Between two attempts to get at a database that can't be written.
const RETRY: Duration = Duration::from_secs(2);
/// Lines that are counted in one transaction.
const PIECE: u64 = 50_000;

/// The thread's own.
pub struct Ledger {
    path: Option<PathBuf>,
    store: Result<Store, Unusable>,
    backlog: Option<(Vec<File>, u64)>,
    /// Not in the database yet.
    pending: Counts,
    /// The last line of those.
    seq: u64,
    log: PathBuf,
    /// Where they were before.
    before: PathBuf,
    /// Not brought to the disk yet.
    unsynced: Option<File>,
    flush: Option<Flush>,
    counted: Arc<AtomicU64>,
    metrics: AuditMetrics,
}

/// Why something can't be counted, or told.
enum Trouble {
    /// The database is damaged.
    Damaged(rusqlite::Error),
    /// Anything else.
    Other(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        if store::is_damage(&error) { Trouble::Damaged(error) } else { Trouble::Other(error.to_string()) }
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Damaged(why) => format!("the database of usage is damaged: {why}"),
            Trouble::Other(why) => why,
        }
    }
}

/// Says that nobody counts any more, whatever the end of the thread was.
struct Leaving<'a>(&'a Desk);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Ledger {
    /// Over the database at `path`. `backlog`: files with lines up to a number that may not be counted.
    pub fn new(
        path: Option<PathBuf>,
        store: Result<Store, Unusable>,
        backlog: (Vec<File>, u64),
        (before, log): (PathBuf, PathBuf),
        counted: Arc<AtomicU64>,
        metrics: AuditMetrics,
    ) -> Self {
        let (pending, unsynced, flush) = Default::default();
        let seq = backlog.1;
        Ledger { path, store, backlog: Some(backlog), pending, seq, log, before, unsynced, flush, counted, metrics }
    }

    /// Counts and answers until nothing comes any more.
    pub fn run(mut self, desk: &Desk) {
        let _leaving = Leaving(desk);
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
            // Lines that are not on the disk are not written yet.
            if self.unsynced.is_none()
                && let Some(flush) = self.flush.take()
            {
                flush.over(sound);
            }
            let Work { handed, questions, closed } = desk.take((!sound).then_some(RETRY));
            let idle = handed.is_none() && questions.is_empty();
            if let Some(handed) = handed {
                self.add(handed);
                // Questions are about all that came before them.
                if let Err(why) = self.settle() {
                    tracing::debug!(%why, "not counted yet");
                }
            }
            questions.into_iter().for_each(|question| self.reply(question));
            if closed && idle {
                break;
            }
        }
    }

    fn add(&mut self, handed: Handed) {
        let Handed { counts, seq, log, flush } = handed;
        self.pending.absorb(counts);
        self.seq = self.seq.max(seq);
        self.flush = flush.or(self.flush.take());
        if let Some((path, file)) = log {
            self.log = path;
            self.unsynced = self.metrics.syncs.then_some(file);
        }
    }

    fn reply(&mut self, question: Question) {
        match question {
            Question::Rows(query, reply) => drop(reply.send(self.answer(&query))),
            Question::Cpu(reply) => {
                let store = self.store.as_ref().ok();
                let rows = store.and_then(|store| store.cpu_time_us(&today()).ok()).unwrap_or_default();
                drop(reply.send(rows.into_iter().collect()));
            }
        }
    }

    fn answer(&mut self, query: &Query) -> Answer {
        let told = |trouble: Trouble| format!("the database of usage can't be read: {}", String::from(trouble));
        match self.rows(query) {
            Err(Trouble::Damaged(why)) => {
                self.forsake(why);
                self.settle()?;
                self.rows(query).map_err(told)
            }
            answer => answer.map_err(told),
        }
    }

    fn rows(&self, query: &Query) -> Result<(Vec<UsageRow>, Option<String>), Trouble> {
        let store = self.store.as_ref().map_err(|why| Trouble::Other(why.to_string()))?;
        let rows = store.rows(&query.from, &query.to, query.tenant.as_deref())?;
        Ok((rows, store.since()?))
    }

    /// What is damaged is opened anew, which moves it aside, and all is counted of the lines that are left. Those that are
    /// handed over and not in it are among them.
    fn forsake(&mut self, why: rusqlite::Error) {
        let Some(path) = self.path.clone() else { return };
        self.store = Err(Unusable::Damaged { path, why });
        let (mut files, _) = self.backlog.take().unwrap_or_default();
        files.extend(log::files(&self.log));
        log::in_order(&mut files);
        self.backlog = Some((files, self.seq));
        self.pending = Counts::default();
        // No file may go.
        self.counted.store(0, Ordering::Relaxed);
    }

    /// Brings everything into the database that is not in it.
    fn settle(&mut self) -> Result<(), String> {
        // Whatever the database says: lines first.
        if let Some(file) = &self.unsynced {
            file.sync_data().map_err(|error| format!("audit lines are not brought to the disk: {error}"))?;
            self.unsynced = None;
        }
        match self.enter() {
            Err(Trouble::Damaged(why)) => {
                self.forsake(why);
                self.enter().map_err(String::from)
            }
            entered => entered.map_err(String::from),
        }
    }

    fn enter(&mut self) -> Result<(), Trouble> {
        if let Err(why) = &self.store {
            let text = why.to_string();
            // One of another engine is not looked at again: who has moved it away starts us anew.
            if matches!(why, Unusable::Newer { .. } | Unusable::Locked { .. }) {
                return Err(Trouble::Other(text));
            }
            self.store = unbroken(self.path.as_deref());
        }
        let store = self.store.as_mut().map_err(|why| Trouble::Other(why.to_string()))?;
        if let Some((files, upto)) = &self.backlog {
            let after = store.counted()?.map_or(0, |(seq, _)| seq);
            self.counted.store(after, Ordering::Relaxed);
            let upto = *upto;
            recount(store, files, after, upto, [&self.before, &self.log])?;
            self.counted.store(after.max(upto), Ordering::Relaxed);
            self.backlog = None;
        }
        if !self.pending.is_empty() || self.seq > self.counted.load(Ordering::Relaxed) {
            store.add(&self.pending, self.seq, &self.log, &today())?;
            self.pending = Counts::default();
            self.counted.store(self.seq, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Counts the lines after one number up to another, each once. Until all of them are counted, they are those of `before`.
fn recount(store: &mut Store, files: &[File], after: u64, upto: u64, [before, log]: [&Path; 2]) -> Result<(), Trouble> {
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
                match store.add(&std::mem::take(&mut counts), seq, before, &today()) {
                    Ok(()) => committed = seq,
                    Err(error) => failed = Some(error.into()),
                }
            }
            failed.is_none()
        });
        if let Some(why) = failed {
            return Err(why);
        }
        read.map_err(|error| Trouble::Other(format!("audit lines can't be read: {error}")))?;
    }
    if strange > 0 {
        tracing::warn!(strange, "audit lines that are none of ours are not counted");
    }
    if last > after {
        tracing::info!(lines = last - after, "lines counted that an earlier engine has left");
    }
    if last > committed {
        store.add(&counts, last, log, &today())?;
    }
    Ok(())
}
