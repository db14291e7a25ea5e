//! The one thread that writes. Whatever waits for it goes into one transaction, because it is the wait for the disk that
//! costs; each command has a savepoint of its own, so that one that fails takes no other with it. Nobody is answered before
//! the transaction is on the disk.
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::hands::Hands;
use crate::StoreError;

/// The most commands in one transaction: a bound for what is lost time when it has to be done again.
const GROUP: usize = 256;

/// What a command works on.
pub(crate) struct Desk {
    pub(crate) db: Connection,
    pub(crate) hands: Hands,
    pub(crate) news: News,
    pub(crate) limits: super::Limits,
}

/// What is to be told once it is durable.
#[derive(Default)]
pub(crate) struct News {
    /// Batches and the number of their last result.
    pub(crate) batches: Vec<(String, u64)>,
    /// How often there was something new to lease.
    pub(crate) work: u64,
}

/// A command that waits.
pub(crate) trait Job: Send {
    /// Does it, and says whether what it has written may stay.
    fn run(&mut self, desk: &mut Desk) -> bool;
    /// Nothing of it stays, because of this; what it has said itself goes before.
    fn fail(&mut self, error: StoreError);
    /// Answers.
    fn reply(self: Box<Self>);
}

/// A command as a function. It may be run again after a transaction was lost.
pub(crate) struct Task<T, F> {
    run: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Task<T, F>
where
    T: Send + 'static,
    F: FnMut(&mut Desk) -> Result<T, StoreError> + Send + 'static,
{
    pub(crate) fn boxed(run: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Box::new(Task { run, outcome: None, reply }), answer)
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Desk) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, desk: &mut Desk) -> bool {
        let outcome = (self.run)(desk);
        let stays = outcome.is_ok();
        self.outcome = Some(outcome);
        stays
    }

    fn fail(&mut self, error: StoreError) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(error));
        }
    }

    fn reply(self: Box<Self>) {
        let outcome = self.outcome.unwrap_or_else(|| Err(StoreError::Failed("the command was not run".into())));
        // Who asked may have gone: what was done is done all the same.
        drop(self.reply.send(outcome));
    }
}

/// Works until nobody can send any more.
pub(crate) fn serve(desk: &mut Desk, mut queue: mpsc::Receiver<Box<dyn Job>>, shared: &Shared) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = queue.try_recv()
        {
            group.push(next);
        }
        if together(desk, &mut group, shared).is_err() {
            shorten_log(desk);
            // One of them has cost all of them the transaction (a full disk does that): now each has its own.
            for job in &mut group {
                if let Err(error) = together(desk, std::slice::from_mut(job), shared) {
                    job.fail(error);
                }
            }
        }
        for job in group {
            job.reply();
        }
        if shared.ending() {
            // What waits already is done; nothing more comes.
            queue.close();
        }
    }
}

/// Brings into the file what is in the log, and gives the log's room back: on a full disk that may be what is missing.
fn shorten_log(desk: &Desk) {
    let shortened = || {
        // Who reads at the moment is not waited for: then it is shortened another time.
        desk.db.busy_timeout(Duration::ZERO)?;
        desk.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        desk.db.busy_timeout(super::files::BUSY)
    };
    if let Err(error) = shortened() {
        tracing::warn!(%error, "the store's log can't be shortened");
    }
}

/// Runs these in one transaction. When it fails, nothing of them stays.
fn together(desk: &mut Desk, group: &mut [Box<dyn Job>], shared: &Shared) -> Result<(), StoreError> {
    let begun = Instant::now();
    desk.news = News::default();
    desk.hands.keep();
    match attempt(desk, group) {
        Ok(()) => {
            desk.hands.keep();
            shared.tell(&desk.news);
            shared.committed(group.len(), begun.elapsed());
            Ok(())
        }
        Err(error) => {
            desk.hands.back_to(0);
            if !desk.db.is_autocommit() {
                desk.db.execute_batch("ROLLBACK")?;
            }
            Err(error)
        }
    }
}

fn attempt(desk: &mut Desk, group: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    if !desk.db.is_autocommit() {
        // An earlier one could not even be taken back.
        desk.db.execute_batch("ROLLBACK")?;
    }
    desk.db.execute_batch("BEGIN IMMEDIATE")?;
    for job in group {
        let (hands, batches, work) = (desk.hands.mark(), desk.news.batches.len(), desk.news.work);
        desk.db.execute_batch("SAVEPOINT command")?;
        let stays = job.run(desk);
        if desk.db.is_autocommit() {
            return Err(StoreError::Full("the transaction was lost".into()));
        }
        if !stays {
            desk.db.execute_batch("ROLLBACK TO command")?;
            desk.hands.back_to(hands);
            desk.news.batches.truncate(batches);
            desk.news.work = work;
        }
        desk.db.execute_batch("RELEASE command")?;
    }
    desk.db.execute_batch("COMMIT")?;
    Ok(())
}

/// Told of each transaction: how long it took until it was durable.
pub type OnCommit = std::sync::Arc<dyn Fn(Duration) + Send + Sync>;
