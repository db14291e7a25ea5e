//! A place in the queue, the right to it, and the permit that it ends in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::Instant;

use super::account::Virtual;
use super::{Priority, Queue, Shed, TenantIndex, Wish};

/// A place in the queue, to ask about. It stays the same when others leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub(super) ticket: u64,
    pub(super) tenant: usize,
    pub(super) lane: usize,
}

/// The right to a place in the queue. Dropping it leaves the queue.
#[must_use = "dropping it leaves the queue"]
pub struct Ticket {
    pub(super) queue: Arc<Queue>,
    pub(super) place: Place,
    pub(super) wish: Wish,
    pub(super) held: bool,
    pub(super) granted: oneshot::Receiver<Slot>,
    /// It is in the queue no more.
    pub(super) left: bool,
}

impl Ticket {
    /// Whether it [holds](super) its place and gets no slot.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// From now on it waits for a slot with so much memory, which must [fit](Queue::fits).
    pub fn release(&mut self, memory: u64) {
        if self.held {
            self.held = false;
            self.wish.memory = memory;
            self.queue.release(memory, self.place);
        }
    }

    /// The place, to ask about.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// About how many [start before it](Queue::ahead).
    #[must_use]
    pub fn position(&self) -> usize {
        self.queue.ahead(self.place)
    }

    /// Waits for the slot, at most `patience`.
    ///
    /// # Errors
    /// [`Shed::WaitedTooLong`], [`Shed::OwnRunning`] or [`Shed::OwnMemory`], [`Shed::NotReady`] when the sandboxes went away
    /// meanwhile, or [`Shed::Closed`].
    pub async fn slot(mut self, patience: Duration) -> Result<Slot, Shed> {
        match self.granted.try_recv() {
            Ok(slot) => {
                self.left = true;
                return Ok(slot);
            }
            Err(TryRecvError::Closed) => return Err(self.dropped()),
            Err(TryRecvError::Empty) => {}
        }
        let Place { tenant, lane, .. } = self.place;
        let blocked = |queue: &Queue| queue.lock().accounts[tenant].lanes[lane].blocked(Instant::now());
        let (began, before) = (Instant::now(), blocked(&self.queue));
        match tokio::time::timeout(patience, &mut self.granted).await {
            Ok(Ok(slot)) => {
                self.left = true;
                Ok(slot)
            }
            Ok(Err(_)) => Err(self.dropped()),
            Err(_) => {
                let after = blocked(&self.queue);
                let [running, memory] = [0, 1].map(|how: usize| after[how].saturating_sub(before[how]));
                let state = self.queue.lock();
                let own = (running + memory) * 2 > began.elapsed();
                Err(match state.open {
                    false => Shed::NotReady,
                    true if own && running >= memory => {
                        Shed::OwnRunning { running: state.accounts[tenant].share.running }
                    }
                    true if own => Shed::OwnMemory { budget: self.queue.memory },
                    true => Shed::WaitedTooLong,
                })
            }
        }
    }
}

impl Ticket {
    /// Returns when the account is closed, with what to say then. For who [holds](super) its place and waits for something
    /// else; not to be asked again.
    pub async fn closed(&mut self) -> Shed {
        match (&mut self.granted).await {
            // Nobody who holds a place is granted a slot.
            Ok(slot) => drop(slot),
            Err(_) => return self.dropped(),
        }
        std::future::pending().await
    }

    /// Why there will be no slot.
    fn dropped(&self) -> Shed {
        if self.queue.lock().accounts[self.place.tenant].closed { Shed::Closed } else { Shed::NotReady }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.left {
            self.queue.forget(self.place);
        }
    }
}

/// The right to run one job: a sandbox slot, its memory, and one of the tenant's running runs.
#[must_use = "dropping it gives the slot to the next"]
pub struct Slot {
    pub(super) queue: Arc<Queue>,
    pub(super) place: Place,
    /// So many slots had been granted with it.
    pub(super) number: u64,
    pub(super) memory: u64,
    /// When it joined the queue.
    pub(super) came: Instant,
    /// For so long its tenant's own runs were in its way then.
    pub(super) own: Duration,
    /// Nobody waits for its beginning.
    pub(super) patient: bool,
    pub(super) since: Instant,
    /// What it is expected to cost its tenant.
    pub(super) pledge: Virtual,
    /// It went back already.
    pub(super) over: bool,
}

impl Slot {
    /// On whose account it is.
    #[must_use]
    pub fn tenant(&self) -> TenantIndex {
        TenantIndex(self.place.tenant)
    }

    /// The memory that was asked for.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// For how long of the time that it was waited for the tenant's own runs were in the way: `running` of its plan, or their
    /// memory.
    #[must_use]
    pub fn own_wait(&self) -> Duration {
        self.own
    }

    /// Gives the slot back unused for the place that it came from, to wait there for one with so much memory, which must
    /// [fit](Queue::fits), or to [hold](super) it.
    pub fn back(mut self, memory: u64, held: bool) -> Ticket {
        let (queue, place) = (Arc::clone(&self.queue), self.place);
        let priority =
            if place.lane == Priority::Interactive as usize { Priority::Interactive } else { Priority::Batch };
        let wish = Wish { tenant: TenantIndex(place.tenant), priority, memory, patient: self.patient };
        let granted = queue.take_back(&mut self, memory, held);
        Ticket { queue, place, wish, held, granted, left: false }
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("tenant", &self.place.tenant).field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.over {
            let queue = Arc::clone(&self.queue);
            queue.give_back(self);
        }
    }
}
