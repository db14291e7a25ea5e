//! The thread that counts.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::count::{Counted, Counts};
use super::desk::{Desk, Handed, Question, Work};
use super::store::{Store, Unusable};
use super::{Answer, Query, unbroken};
use crate::audit::inbox::Flush;
use crate::audit::log::lines_after;
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
    /// Not brought to the disk yet.
    unsynced: Option<File>,
    flush: Option<Flush>,
    counted: Arc<AtomicU64>,
    metrics: AuditMetrics,
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
        log: PathBuf,
        counted: Arc<AtomicU64>,
        metrics: AuditMetrics,
    ) -> Self {
        let (pending, unsynced, flush) = Default::default();
        let seq = backlog.1;
        Ledger { path, store, backlog: Some(backlog), pending, seq, log, unsynced, flush, counted, metrics }
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

    fn reply(&self, question: Question) {
        match question {
            Question::Rows(query, reply) => drop(reply.send(self.answer(&query))),
            Question::Cpu(reply) => {
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
        // Whatever the database says: lines first.
        if let Some(file) = &self.unsynced {
            file.sync_data().map_err(|error| format!("audit lines are not brought to the disk: {error}"))?;
            self.unsynced = None;
        }
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
