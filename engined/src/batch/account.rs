//! On whose account a batch's work is done, and how it waits for what is not there yet: memory, a turn in the queue, a permit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::audit::Caller;
use crate::budget::{Budget, Reservation};
use crate::control::Control;
use crate::engine::Engine;
use crate::queue::{self, Priority, Slot, TenantIndex};

/// Who finds no room tries again, first after so long,
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// and never later than this.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A turn in the queue comes when it comes.
pub(super) const PATIENCE: Duration = Duration::from_secs(365 * 86_400);

/// On whose account something is done, and for which batch.
#[derive(Clone, Debug)]
pub struct Account {
    /// Who pays.
    pub tenant: TenantIndex,
    /// Who has sent the batch.
    pub caller: Caller,
    /// The caller's words.
    pub labels: BTreeMap<String, String>,
    /// The batch.
    pub batch: Arc<str>,
    /// Whether the batch is cancelled.
    pub cancelled: watch::Receiver<bool>,
}

/// Why something was not done. It counts as never begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The engine is on its way down.
    Draining,
    /// The batch is cancelled.
    Cancelled,
    /// Nobody may call on the tenant's account any more.
    Closed,
    /// The tenant has used up its CPU time of today, and has more of it after so long.
    Spent(Duration),
}

impl Account {
    /// Waits until the batch is cancelled.
    pub(super) async fn cancelled(&self) {
        if self.cancelled.clone().wait_for(|cancelled| *cancelled).await.is_err() {
            // Whoever could say so is gone.
            std::future::pending().await
        }
    }

    /// What `work` comes to, unless it is not wanted any more. Nothing of it is under way in a sandbox yet.
    ///
    /// # Errors
    /// It is not wanted.
    pub async fn unless_missed<T>(&self, engine: &Engine, work: impl Future<Output = T>) -> Result<T, Missed> {
        tokio::select! {
            // A slot that another run of the batch has given back, because it was cancelled, is no reason to begin: it
            // goes back, too.
            biased;
            () = self.cancelled() => Err(Missed::Cancelled),
            () = engine.closed(self.tenant) => Err(Missed::Closed),
            done = engine.drain.unless_begun(work) => done.map_err(|_| Missed::Draining),
        }
    }

    /// Waits until nothing more is wanted, and says why.
    pub async fn unwanted(&self, engine: &Engine) -> Missed {
        match self.unless_missed(engine, std::future::pending::<()>()).await {
            Ok(()) => Missed::Draining,
            Err(missed) => missed,
        }
    }

    /// Waits for a while.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn pause(&self, engine: &Engine, pause: Duration) -> Result<(), Missed> {
        self.unless_missed(engine, tokio::time::sleep(pause)).await
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn permit(&self, engine: &Engine, of: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Missed> {
        // It is never closed.
        self.unless_missed(engine, of.acquire_owned()).await?.map_err(|_| Missed::Draining)
    }

    /// Why something could not be leased: the batch is cancelled; or else it has its result, which was on its way to the
    /// store when it was taken up, and it is found there the next time.
    #[must_use]
    pub fn not_leased(&self) -> Missed {
        if *self.cancelled.borrow() { Missed::Cancelled } else { Missed::Draining }
    }

    pub(super) fn spent(&self, engine: &Engine) -> Result<(), Missed> {
        let seconds = engine.tenants().plan(self.tenant).cpu_seconds_per_day;
        engine.cpu_days.check(self.tenant, seconds).map_err(|spent| Missed::Spent(spent.until))
    }

    /// Takes memory of the engine's, as soon as there is some.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn memory(&self, engine: &Engine, bytes: u64) -> Result<Reservation, Missed> {
        let share = Arc::clone(engine.tenants().memory_of_batches(self.tenant));
        self.memory_of(engine, &share, bytes).await
    }

    /// The same of another budget. Who wants more than there is gets all of it.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn memory_of(&self, engine: &Engine, of: &Arc<Budget>, bytes: u64) -> Result<Reservation, Missed> {
        let reserve = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match of.reserve(bytes.min(of.limit())) {
                    Ok(reservation) => return reservation,
                    Err(exhausted) => tracing::debug!(%exhausted, "a batch waits for memory"),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        self.unless_missed(engine, reserve).await
    }

    /// A slot with so much memory, when it is the tenant's turn.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn turn(&self, engine: &Engine, memory: u64) -> Result<(Slot, Arc<Control>), Missed> {
        self.spent(engine)?;
        let wish = queue::Wish { tenant: self.tenant, priority: Priority::Batch, memory, patient: true };
        let turn = async {
            let mut pause = FIRST_PAUSE;
            loop {
                if let Ok(ticket) = engine.queue.enqueue(wish) {
                    let control = Arc::new(Control::new(ticket.place(), engine.drain.under_way()));
                    if let Ok(slot) = ticket.slot(PATIENCE).await {
                        if engine.link.welcome().borrow().is_some() {
                            return (slot, control);
                        }
                        // The sandboxes have just gone, which has set the slot free: begun now it would be lost as well.
                        drop(slot);
                        // The link outlives everybody who asks.
                        let _up = engine.link.welcome().wait_for(Option::is_some).await.is_ok();
                    }
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        let turn = self.unless_missed(engine, turn).await?;
        self.spent(engine)?;
        Ok(turn)
    }
}
