//! The thread that makes lines of records and writes them. It takes what has come, appends it in one piece, and only then
//! takes more; while that fails it tries again and again, and what finds no room meanwhile is counted ([`super::inbox`]).
//! What is written is handed to the counters of usage, which are the business of another thread: a slow disk under the
//! database holds up no line.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::{Batch, Flush, Inbox};
use super::journal::Journal;
use super::log::Log;
use super::record::{Act, Record, Stamp};
use crate::metrics::AuditMetrics;
use crate::usage::Books;
use crate::usage::count::Counts;
use crate::usage::desk::Handed;

/// What comes within this time is written in one piece.
const LINGER: Duration = Duration::from_millis(10);
/// So often we look by ourselves for more once something has come: whoever is on its way to an answer need not wake us.
const LOOKS: u32 = 10;
/// The counters wait so long for more, or for so many: a commit costs as much as some dozens of lines, and nothing depends
/// on it. Who asks for usage has them handed over at once.
const HAND_OVER: Duration = Duration::from_secs(5);
const HAND_OVER_RECORDS: u64 = 2000;
/// Between two attempts to write.
const RETRY: Duration = Duration::from_millis(500);
/// After the last record, the disk has this long to find room.
const LAST_TRIES: u32 = 4;
/// Lines are appended in pieces of about this size.
const PIECE: usize = 256 << 10;

/// Where lines go.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The file of lines. Where they are kept elsewhere or nowhere, those that are to be counted go through one all the
    /// same, which is put aside and removed as they are counted.
    pub log: Option<Log>,
    /// The file is but a spool.
    pub spool: bool,
    /// journald.
    pub journal: Option<Journal>,
    /// The counters.
    pub books: Option<Arc<Books>>,
}

impl Piece {
    /// Its room stays, as far as it is usual.
    fn clear(&mut self) {
        self.lines.clear();
        self.lines.shrink_to(PIECE);
        self.records = 0;
    }
}

/// The thread's own.
pub struct Writer {
    inbox: Arc<Inbox>,
    sinks: Sinks,
    metrics: AuditMetrics,
    /// The number of the last line.
    seq: u64,
    /// Whether lines have more than what is counted.
    whole: bool,
    /// Whether somebody waits for each line.
    awaited: bool,
    /// Written, and not handed over yet.
    counts: Counts,
    /// Whether anything was written since the last time.
    dirty: bool,
    flush: Option<Flush>,
    handed: Instant,
    /// How many records these are.
    uncounted: u64,
    ailing: bool,
    looks: u32,
    stamp: Stamp,
    /// The next one, with the room of those before it.
    piece: Piece,
}

/// Lines that are not written yet.
#[derive(Default)]
struct Piece {
    lines: Vec<u8>,
    records: u64,
    counts: Counts,
}

impl Writer {
    /// A writer that goes on after the line `seq`. `awaited`: somebody waits for each line.
    #[must_use]
    pub fn new(inbox: Arc<Inbox>, sinks: Sinks, metrics: AuditMetrics, seq: u64, awaited: bool) -> Self {
        let whole = sinks.journal.is_some() || !sinks.spool;
        let (counts, dirty, flush, uncounted, ailing, looks, stamp, piece) = Default::default();
        let handed = Instant::now();
        Writer {
            inbox,
            sinks,
            metrics,
            seq,
            whole,
            awaited,
            counts,
            dirty,
            flush,
            handed,
            uncounted,
            ailing,
            looks,
            stamp,
            piece,
        }
    }

    /// Writes until nothing comes any more.
    pub fn run(mut self) {
        loop {
            let due = self.dirty.then(|| self.handed + HAND_OVER);
            let look = self.sinks.log.as_ref().and_then(Log::next_look);
            let batch = self.gather(due.into_iter().chain(look).min());
            let counted = self.counted();
            if let Some(log) = &mut self.sinks.log {
                log.tidy(counted);
            }
            let over = batch.closed && batch.is_empty();
            self.batch(batch);
            if over {
                break;
            }
        }
        self.hand_over();
    }

    /// What has come, where nobody waits for it in pieces of [`LINGER`]. Nothing when it is `until`.
    fn gather(&mut self, until: Option<Instant>) -> Batch {
        if self.awaited {
            return self.inbox.take(until);
        }
        while self.looks > 0 {
            self.looks -= 1;
            // A flush can wait as well; it is but a moment.
            self.inbox.pause(LINGER);
            let batch = self.inbox.take(Some(Instant::now()));
            if batch.closed || !batch.is_empty() {
                self.looks = LOOKS;
                return batch;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return batch;
            }
        }
        let mut batch = self.inbox.take(until);
        if !batch.closed && !batch.is_empty() {
            self.inbox.pause(LINGER);
            batch.extend(self.inbox.take(Some(Instant::now())));
            self.looks = LOOKS;
        }
        batch
    }

    fn batch(&mut self, batch: Batch) {
        let mut piece = std::mem::take(&mut self.piece);
        for record in batch.records {
            self.add(&record, &mut piece);
            if piece.lines.len() >= PIECE {
                self.write(&mut piece);
            }
        }
        if batch.lost > 0 {
            let unwritten = batch.unwritten.rows();
            self.add(&Record::act(Act::Lost { records: batch.lost, unwritten }), &mut piece);
        }
        self.write(&mut piece);
        self.piece = piece;
        self.inbox.written(batch.upto);
        let late = self.handed.elapsed() >= HAND_OVER || self.uncounted >= HAND_OVER_RECORDS;
        if (self.dirty && late) || batch.flush.is_some() {
            self.flush = batch.flush.or(self.flush.take());
            self.hand_over();
        }
    }

    /// Up to which line nobody needs a file any more.
    fn counted(&self) -> u64 {
        self.sinks.books.as_ref().map_or(u64::MAX, |books| books.counted())
    }

    fn add(&mut self, record: &Record, piece: &mut Piece) {
        match record.write((self.seq + 1, &mut self.stamp), self.whole, &mut piece.lines, &mut piece.counts) {
            Ok(()) => {
                self.seq += 1;
                piece.records += 1;
            }
            Err(error) => {
                self.metrics.lost.inc();
                tracing::error!(%error, "a record that is no line: report this as a bug");
            }
        }
    }

    /// Writes it, however long that takes. Only when the engine ends there is an end to it. It is empty then.
    fn write(&mut self, piece: &mut Piece) {
        if piece.records == 0 {
            return;
        }
        let (mut written, mut sent, mut tries) = (false, 0, 0);
        while let Err(error) = self.attempt(piece, &mut written, &mut sent) {
            self.metrics.failures.inc();
            if !std::mem::replace(&mut self.ailing, true) {
                tracing::error!(%error, "audit lines can't be written; tried again until they can");
            }
            if self.inbox.pause(RETRY) {
                tries += 1;
                if tries > LAST_TRIES {
                    tracing::error!(%error, records = piece.records, "the last audit lines are lost");
                    self.metrics.lost.inc_by(piece.records);
                    break;
                }
                std::thread::sleep(RETRY);
            }
        }
        if std::mem::take(&mut self.ailing) {
            tracing::info!("audit lines are written again");
        }
        if written || self.sinks.log.is_none() {
            self.counts.take(&mut piece.counts);
            self.uncounted += piece.records;
            self.dirty = true;
            self.metrics.written.inc_by(piece.records);
            piece.clear();
        } else {
            *piece = Piece::default();
        }
    }

    fn attempt(&mut self, piece: &Piece, written: &mut bool, sent: &mut usize) -> io::Result<()> {
        let counted = self.counted();
        if let Some(log) = self.sinks.log.as_mut().filter(|_| !*written) {
            log.append(&piece.lines, counted)?;
            *written = true;
        }
        if let Some(journal) = &mut self.sinks.journal {
            for line in piece.lines.split(|byte| *byte == b'\n').skip(*sent).filter(|line| !line.is_empty()) {
                journal.send(line)?;
                *sent += 1;
            }
        }
        Ok(())
    }

    /// To the counters, which bring the lines to the disk first. Where nobody counts, or does any more, that is done here.
    fn hand_over(&mut self) {
        (self.handed, self.uncounted) = (Instant::now(), 0);
        let log = match self.sinks.log.as_mut().map(|log| Ok((log.path().to_owned(), log.to_sync()?))).transpose() {
            Ok(log) => log,
            Err(error) => return self.not_synced(&error),
        };
        let handed = Handed { counts: std::mem::take(&mut self.counts), seq: self.seq, log, flush: self.flush.take() };
        let handed = match &self.sinks.books {
            Some(books) => books.count(handed),
            None => Err(handed),
        };
        if let Err(handed) = handed {
            self.flush = handed.flush;
            let synced = handed.log.filter(|_| self.metrics.syncs).map_or(Ok(()), |(_, file)| file.sync_data());
            if let Err(error) = synced {
                return self.not_synced(&error);
            }
            if let Some(flush) = self.flush.take() {
                flush.over(self.sinks.books.is_none());
            }
        }
        self.dirty = false;
    }

    /// Tried again with the next lines, or a little later.
    fn not_synced(&mut self, error: &io::Error) {
        self.dirty = true;
        self.metrics.failures.inc();
        tracing::warn!(%error, "audit lines are not brought to the disk; tried again");
    }
}

#[cfg(test)]
mod tests;
