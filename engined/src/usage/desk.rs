//! What waits for the thread that counts: one sum of what was written, and a few questions. So a database that takes
//! nothing for an hour costs the engine no more than one that does.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::count::Counts;
use super::{Answer, Query};
use crate::audit::inbox::Flush;

/// Questions that may wait. Nobody waits long.
const MOST: usize = 64;

/// What comes of the lines up to a number.
#[derive(Debug, Default)]
pub struct Handed {
    /// Their sums.
    pub counts: Counts,
    /// The number.
    pub seq: u64,
    /// Where the last of them are, to be brought to the disk before.
    pub log: Option<(PathBuf, File)>,
    /// Whether somebody waits for it.
    pub flush: Option<Flush>,
}

impl Handed {
    fn extend(&mut self, more: Handed) {
        let Handed { counts, seq, log, flush } = more;
        self.counts.absorb(counts);
        self.seq = self.seq.max(seq);
        // The writer has brought a file to the disk before it begins another.
        self.log = log.or(self.log.take());
        self.flush = flush.or(self.flush.take());
    }
}

/// What somebody wants to know.
#[derive(Debug)]
pub enum Question {
    /// Rows.
    Rows(Query, oneshot::Sender<Answer>),
    /// CPU time of today, by tenant.
    Cpu(mpsc::Sender<BTreeMap<String, u64>>),
}

impl Question {
    fn is_given_up(&self) -> bool {
        matches!(self, Question::Rows(_, reply) if reply.is_closed())
    }
}

/// All that waits.
#[derive(Debug, Default)]
pub struct Work {
    /// To be counted.
    pub handed: Option<Handed>,
    /// To be answered after that.
    pub questions: VecDeque<Question>,
    /// Nothing comes any more.
    pub closed: bool,
}

#[derive(Debug, Default)]
struct State {
    work: Work,
    left: bool,
}

/// Where it waits.
#[derive(Debug, Default)]
pub struct Desk {
    state: Mutex<State>,
    come: Condvar,
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands sums over.
    ///
    /// # Errors
    /// They come back where nobody counts any more.
    pub fn hand(&self, handed: Handed) -> Result<(), Handed> {
        let mut state = self.lock();
        if state.left {
            return Err(handed);
        }
        state.work.handed.get_or_insert_default().extend(handed);
        drop(state);
        self.come.notify_one();
        Ok(())
    }

    /// Asks.
    ///
    /// # Errors
    /// Why there will be no answer.
    pub fn ask(&self, question: Question) -> Result<(), &'static str> {
        let mut state = self.lock();
        if state.left {
            return Err("the counters of usage have ended: report this as a bug, and restart the engine");
        }
        state.work.questions.retain(|question| !question.is_given_up());
        if state.work.questions.len() >= MOST {
            return Err("the database is busy; ask again");
        }
        state.work.questions.push_back(question);
        drop(state);
        self.come.notify_one();
        Ok(())
    }

    /// Waits until there is something, at most so long, and takes all of it.
    pub fn take(&self, patience: Option<Duration>) -> Work {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.lock();
        while state.work.handed.is_none() && state.work.questions.is_empty() && !state.work.closed {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => break,
                Some(left) => self.come.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.come.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        let closed = state.work.closed;
        let mut work = std::mem::replace(&mut state.work, Work { closed, ..Work::default() });
        work.questions.retain(|question| !question.is_given_up());
        work
    }

    /// Nothing comes any more.
    pub fn close(&self) {
        self.lock().work.closed = true;
        self.come.notify_one();
    }

    /// Nobody takes anything any more. What waits is dropped: its lines are counted at the next start.
    pub fn leave(&self) {
        let mut state = self.lock();
        state.left = true;
        let waiting = std::mem::take(&mut state.work);
        drop(state);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> (Question, oneshot::Receiver<Answer>) {
        let (reply, answer) = oneshot::channel();
        let query = Query { from: String::new(), to: String::new(), tenant: None };
        (Question::Rows(query, reply), answer)
    }

    #[test]
    fn a_thread_that_is_stuck_lets_nothing_pile_up() {
        let desk = Desk::default();
        let file = || Some((PathBuf::from("/dev/null"), File::open("/dev/null").unwrap()));
        for seq in 1..=1000 {
            desk.hand(Handed { seq, log: file(), ..Handed::default() }).unwrap();
            // Its asker has gone at once.
            desk.ask(question().0).unwrap();
        }
        let held: Vec<_> = (0..MOST).map(|_| question()).map(|(asked, answer)| (desk.ask(asked), answer)).collect();
        assert!(held.iter().all(|(asked, _)| asked.is_ok()));
        assert!(desk.ask(question().0).unwrap_err().contains("busy"));
        let work = desk.take(None);
        assert_eq!((work.handed.unwrap().seq, work.questions.len()), (1000, MOST));
        desk.leave();
        assert!(desk.ask(question().0).unwrap_err().contains("have ended"));
        assert!(desk.hand(Handed { seq: 7, ..Handed::default() }).is_err_and(|handed| handed.seq == 7));
    }
}
