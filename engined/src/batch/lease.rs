//! The lease of a compile or a run: durable before it begins, so that after a crash it is known what may have caused it.
//!
//! **Only what begins soon.** Whatever is leased when the engine goes down is a suspect afterwards, so it is leased no earlier
//! than it must be: a few, in the whole engine, while they wait for a slot, so that no slot waits for the disk; everything else
//! when it has its slot. Of those few none is kept for a tenant: who waits long with its lease keeps others from leasing ahead,
//! but from nothing else.
//!
//! **Suspects alone.** A suspect has its slot before it asks whether it is the only one; if it is not, the slot goes back. So
//! one that waits, for memory or for its turn, stops no other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use store::{Leased, Unit, Wish};
use tokio::sync::{OnceCell, Semaphore, watch};

use super::account::{Account, Missed};
use super::submission::BEFORE_AGAIN;
use super::work::Worker;
use crate::control::Control;
use crate::queue::Slot;

/// What all leases of an engine have in common.
#[derive(Debug)]
pub struct Leases {
    /// Those that may be leased and have no slot.
    ahead: Semaphore,
    /// Whether a suspect is run: one at a time. Who waits for that to end holds nothing.
    suspect: watch::Sender<bool>,
}

/// Nobody else is suspected as long as it is there.
struct Alone(watch::Sender<bool>);

impl Drop for Alone {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl Leases {
    /// Of which so many may be leased before they have a slot.
    #[must_use]
    pub fn new(ahead: usize) -> Leases {
        Leases { ahead: Semaphore::new(ahead), suspect: watch::Sender::new(false) }
    }

    /// More may be, as there are more slots.
    pub fn more(&self, ahead: usize) {
        self.ahead.add_permits(ahead);
    }
}

/// The lease of one compile or run, for one attempt.
pub struct Lease {
    worker: Arc<Worker>,
    account: Account,
    submission: u32,
    unit: Unit,
    suspect: bool,
    /// Of its tenant's runs few wait in the queue at a time.
    waiting: Arc<Semaphore>,
    /// The number of the attempt, once it is durable.
    attempt: OnceCell<u32>,
    /// Nobody else is suspected, until this is dropped.
    alone: Mutex<Option<Alone>>,
    missed: Mutex<Option<Missed>>,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lease { submission, unit, suspect, attempt, .. } = self;
        write!(f, "Lease({submission}, {unit:?}, suspect: {suspect}, attempt: {attempt:?})")
    }
}

impl Lease {
    /// Of a unit of which nothing is leased yet. `suspect`: it was tried before, and has no result.
    #[must_use]
    pub fn new(
        worker: &Arc<Worker>,
        account: &Account,
        tenant: &str,
        (submission, unit): (u32, Unit),
        suspect: bool,
    ) -> Self {
        Lease {
            worker: Arc::clone(worker),
            account: account.clone(),
            submission,
            unit,
            suspect,
            waiting: worker.waiting(tenant),
            attempt: OnceCell::new(),
            alone: Mutex::default(),
            missed: Mutex::default(),
        }
    }

    /// The number of the attempt, if it was leased.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.attempt.get().copied()
    }

    /// Why it was not leased, if it was not.
    #[must_use]
    pub fn missed(&self) -> Option<Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether nothing else may be suspected of what happens from now on.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.alone.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// A slot with so much memory, with the lease: taken ahead of it, where there is room for that, or else after.
    ///
    /// # Errors
    /// It is not wanted any more. It may have been leased all the same.
    pub async fn begin(&self, memory: u64) -> Result<(Slot, Arc<Control>), Missed> {
        if self.suspect {
            loop {
                self.soon().await?;
                let slot = self.turn(memory).await?;
                if self.only() {
                    self.take().await?;
                    return Ok(slot);
                }
            }
        }
        let mut turn = std::pin::pin!(self.turn(memory));
        let ahead = tokio::select! {
            biased;
            slot = &mut turn => {
                let slot = slot?;
                self.take().await?;
                return Ok(slot);
            }
            ahead = self.worker.leases.ahead.acquire() => ahead,
        };
        // To the end: what was asked of the store is not undone by not waiting for it.
        let (slot, leased) = tokio::join!(turn, self.take());
        drop(ahead);
        leased?;
        slot
    }

    async fn turn(&self, memory: u64) -> Result<(Slot, Arc<Control>), Missed> {
        let _waits = self.account.permit(&self.worker.engine, Arc::clone(&self.waiting)).await?;
        self.account.turn(&self.worker.engine, memory).await
    }

    /// There is a slot for a compile. Leases it; `false`: it is a suspect and not the only one, so that the slot must go back.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn seated(&self) -> Result<bool, Missed> {
        if !self.only() {
            return Ok(false);
        }
        self.take().await?;
        jail::stop_point!("engined.batch.compiling");
        Ok(true)
    }

    /// It waits for something else: others may be suspected meanwhile.
    pub fn rest(&self) {
        drop(self.alone.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Whether it may begin as far as suspects go.
    fn only(&self) -> bool {
        if !self.suspect || self.is_alone() {
            return true;
        }
        let suspect = &self.worker.leases.suspect;
        let free = suspect.send_if_modified(|suspect| !std::mem::replace(suspect, true));
        if free {
            *self.alone.lock().unwrap_or_else(PoisonError::into_inner) = Some(Alone(suspect.clone()));
        }
        free
    }

    /// Waits, where it is a suspect, until it may be the only one.
    ///
    /// # Errors
    /// It is not wanted any more.
    pub async fn soon(&self) -> Result<(), Missed> {
        if self.suspect && !self.is_alone() {
            let mut suspect = self.worker.leases.suspect.subscribe();
            let free = async { suspect.wait_for(|suspect| !suspect).await.is_ok() };
            // Who could say so is ours, and lives as long as we do.
            self.kept(self.account.unless_missed(&self.worker.engine, free).await)?;
        }
        Ok(())
    }

    async fn take(&self) -> Result<u32, Missed> {
        let leased = self.attempt.get_or_try_init(|| self.ask()).await.copied();
        // Its batch may have been cancelled while that was written, and its slot be that of a run which was stopped for it.
        self.kept(if *self.account.cancelled.borrow() { Err(Missed::Cancelled) } else { leased })
    }

    fn kept<T>(&self, came: Result<T, Missed>) -> Result<T, Missed> {
        came.inspect_err(|missed| {
            *self.missed.lock().unwrap_or_else(PoisonError::into_inner) = Some(missed.clone());
        })
    }

    async fn ask(&self) -> Result<u32, Missed> {
        loop {
            let wish = Wish::Units {
                batch: self.account.batch.to_string(),
                submission: self.submission,
                units: vec![self.unit],
            };
            match self.worker.batches.store.lease(wish).await {
                Ok(Leased::Units(units)) if !units.is_empty() => {
                    jail::stop_point!("engined.batch.unit_leased");
                    return units.first().map(|(_, attempt)| *attempt).ok_or(Missed::Draining);
                }
                // The batch is over; or it has its result already, and who takes the submission up again finds it.
                Ok(_) => return Err(self.account.not_leased()),
                Err(error) => tracing::warn!(%error, "nothing of a batch is leased yet"),
            }
            self.account.pause(&self.worker.engine, BEFORE_AGAIN).await?;
        }
    }
}
