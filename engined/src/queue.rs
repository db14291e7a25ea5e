//! Who runs next: a bounded queue in front of a fixed number of slots and a budget of sandbox memory.
//!
//! # Between tenants
//! Within a priority the tenants that wait get equal parts of the slots' *time*, by their weights, however many runs they
//! queue and however long these take. This is start-time fair queueing (Goyal, Vin and Cheng, *Start-time Fair Queuing: A
//! Scheduling Algorithm for Integrated Services Packet Switching Networks*, SIGCOMM 1996), which does not need to know how
//! long a run will take, with several slots as in SFQ(D) (Jin, Chase and Kaur, *Interposed Proportional Sharing for a Storage
//! Service Utility*, SIGMETRICS 2004):
//! - Every account counts what its runs have used, slot time by weight. A run that is granted is charged what those of its
//!   tenant took of late, so that many slots that come free at once are shared as well; when it is over, what it really took
//!   takes the place of that. The lowest account is served; of equal ones the one that was served longer ago.
//! - Who comes and had nothing waiting begins with what the lowest of those who wait has *used up*, so that nobody saves up
//!   turns by being away. What is used up never sinks, so nobody who waits already gets ahead of a newcomer again,
//!   whatever their runs were expected to take: the first run of a tenant waits at most until one step in each slot is over.
//! - Who has as many runs under way as it may, or so large ones that its next does not fit beside them into all the memory
//!   that there is, is not owed what it could not take meanwhile.
//! - A run whose memory is more than a slot's part of all the memory there is keeps others from so many slots, and is charged
//!   for as many: its time × max(1, memory × slots / memory of all sandboxes). That is the dominant resource of Ghodsi et al.
//!   (*Dominant Resource Fairness*, NSDI 2011), slots and memory being the two that there are.
//! - Who waits in both priorities has one share, not two: what a run of the one costs is charged in the other as well, where
//!   its tenant waits then; between two turns there no more than [`DEBT_AT_MOST`], so that who goes on with interactive work
//!   has its batch work wait for that of others, but not for ever.
//!
//! Two tenants that wait are apart by at most what is in flight, one run per slot; but where memory is short (below) one may
//! go past another for as long as the head waits, and of several heads each. That is owed to those it passed, without another
//! bound: they, and who comes then, go before it until they have had as much, or have nothing waiting.
//!
//! # Between priorities
//! Interactive work goes before batch work, but every [`INTERACTIVE_IN_A_ROW`] grants one batch run gets its turn. One slot
//! takes no batch work while interactive work has come within [`KEPT_FOR`]: batch has all others. An engine with one slot in
//! all keeps that one as well, but no longer than batch has waited for [`KEPT_AT_MOST`], and the turns above stand, so that
//! somebody who runs something every nine seconds does not shut out batch for ever. A kept slot is no memory that is kept: who
//! is kept from it keeps no memory from others. While that is so, a batch run that waits for memory is left the last slot
//! that batch may have: no other goes past it into that (`head`). While the engine drains nothing is kept.
//!
//! # Places
//! A tenant that queues as much as it can leaves places (`places`) to others.
//!
//! # Memory
//! A run that is at the head waits until its memory fits. Meanwhile those go on, of some that are next, who fit beside it:
//! all that have begun since it waits, and it, into all the memory there is. Nobody else overtakes it (`head`). So a large
//! run begins when the runs that were under way as its turn came are over, if not before, whatever others send, and small
//! ones do not stand still until then. A batch run waits longer where interactive work comes only after other batch work
//! went past it, as one slot is kept then: when batch has waited for [`KEPT_AT_MOST`] no more goes past it into that.
//! - Who can't fit beside the runs that its own tenant has under way waits for these alone: its tenant is passed over like one
//!   that has as many under way as it may. Where the interactive work of that tenant keeps its own batch run from
//!   fitting, it stops after [`INTERACTIVE_IN_A_ROW`] of them; its batch work stops for an interactive run at once.
//! - A batch run whose turn it is lets interactive runs go on for [`KEPT_AT_MOST`] that would not fit beside it. Its turn it
//!   keeps.
//!
//! The permit is the [`Slot`]; dropping it gives everything back. Who waits for something else first, a compile that another
//! run does, *holds* its place: it counts in every bound as those who wait do, takes no slot and is in nobody's way, and when
//! it is released its turn is that of its arrival within its tenant.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use account::{Account, Own, Waiter};
use state::{BATCH, INTERACTIVE, State};

pub use slot::{Place, Slot, Ticket};

mod account;
mod head;
mod places;
mod slot;
mod state;

/// So many interactive runs may overtake a waiting batch run.
pub const INTERACTIVE_IN_A_ROW: u32 = 8;
/// So long after interactive work came one slot takes no batch work.
pub const KEPT_FOR: Duration = Duration::from_secs(10);
/// So long batch may wait for the only slot that there is, or, when it is its turn, for memory, and then nothing is kept from it.
pub const KEPT_AT_MOST: Duration = Duration::from_secs(30);
/// So much slot time that a tenant had in one priority is charged, at most, between two of its turns in the other.
pub const DEBT_AT_MOST: Duration = Duration::from_secs(30);

/// How urgent a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// A person waits for it.
    #[default]
    Interactive,
    /// Nobody waits.
    Batch,
}

impl Priority {
    /// As requests have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Priority::Interactive => "interactive",
            Priority::Batch => "batch",
        }
    }
}

/// A tenant by its place in the list that the queue was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantIndex(pub usize);

/// What a tenant may have at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its part when several tenants wait.
    pub weight: u32,
    /// Runs under way at once.
    pub running: u32,
    /// Runs waiting at once.
    pub queued: u32,
}

impl Share {
    /// Of who was never open.
    const NOTHING: Share = Share { weight: 1, running: 1, queued: 1 };
}

/// What a run asks of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// On whose account.
    pub tenant: TenantIndex,
    /// How urgent.
    pub priority: Priority,
    /// The largest memory limit of its steps.
    pub memory: u64,
    /// Nobody waits for its beginning: it is none of the [oldest](Queue::oldest).
    pub patient: bool,
}

/// Why a run did not get a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The queue is as long as it may be.
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// Most places are taken, and the tenant has its part (`places`) of them.
    PartFull {
        /// How many wait for the tenant.
        waiting: usize,
        /// Its part.
        part: usize,
    },
    /// The tenant has as many waiting as its plan allows.
    TenantFull {
        /// How many wait for the tenant.
        waiting: u32,
    },
    /// No slot came free within the time that a run may wait.
    WaitedTooLong,
    /// The same, and for most of that time the tenant had as many runs under way as its plan allows, which is fewer than there
    /// are slots.
    OwnRunning {
        /// So many it may have under way.
        running: u32,
    },
    /// The same, and for most of that time it did not fit beside the tenant's own runs under way into the memory of all
    /// sandboxes, while others had something to run as well.
    OwnMemory {
        /// What all sandboxes together may have.
        budget: u64,
    },
    /// There is no sandbox to be had at the moment.
    NotReady,
    /// The engine is on its way down.
    Draining,
    /// Nobody may call on the tenant's account any more.
    Closed,
    /// More memory than all sandboxes together may have.
    NeverFits {
        /// What all sandboxes together may have.
        budget: u64,
    },
}

/// Numbers for metrics and for `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// Runs waiting, interactive then batch.
    pub waiting: [usize; 2],
    /// Slots in use.
    pub running: usize,
    /// Slots that there are.
    pub slots: usize,
    /// Bytes of sandbox memory promised to running runs.
    pub memory: u64,
}

/// The queue. It knows nothing of HTTP, languages or the link.
pub struct Queue {
    state: Mutex<State>,
    length: usize,
    memory: u64,
    /// Told when a slot begins to be kept.
    keeps: Notify,
}

impl Queue {
    /// A queue of `length` waiting runs (more or less: `places`) in front of `memory` bytes for running sandboxes. Slots are set later.
    #[must_use]
    pub fn new(length: usize, memory: u64, shares: &[Share]) -> Arc<Self> {
        Arc::new(Queue { state: Mutex::new(State::new(memory, shares)), length, memory, keeps: Notify::new() })
    }

    /// The state is consistent after each statement that could panic, so a poisoned lock is no reason to stop serving.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and gives slots to those whose turn it is then. They hear of it when the lock is free.
    fn change<T>(self: &Arc<Self>, now: Instant, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state);
        let granted = self.grant(&mut state, now);
        drop(state);
        hand_out(granted);
        changed
    }

    /// Opens the queue with so many slots.
    pub fn open(self: &Arc<Self>, slots: usize) {
        let now = Instant::now();
        self.change(now, |state| state.open(slots, now));
    }

    /// No sandbox is to be had for now: those who wait go on waiting, new ones are sent away.
    pub fn pause(&self) {
        self.lock().open = false;
    }

    /// Nobody is let in any more; those who wait still get their turn.
    pub fn drain(self: &Arc<Self>) {
        self.change(Instant::now(), |state| state.draining = true);
    }

    /// Sets what each tenant may have: of those that there are from the next grant on, and what is more in the list becomes
    /// new accounts. Those that are missing in it keep what they have. `None` *closes* an account: whoever waits there is told
    /// [`Shed::Closed`], as is whoever comes, and what is under way ends by itself; a share opens it again. Tells who was
    /// closed, and how many waited there.
    pub fn reshare(self: &Arc<Self>, shares: &[Option<Share>]) -> Vec<(TenantIndex, usize)> {
        let now = Instant::now();
        let mut closed = Vec::new();
        self.change(now, |state| {
            for (index, share) in shares.iter().enumerate() {
                match share {
                    Some(share) => state.share(index, *share, now),
                    None => closed.extend(state.close(index, now).map(|waited| (TenantIndex(index), waited))),
                }
            }
        });
        // Only here do those who waited hear of it, as the lock is free.
        closed.into_iter().map(|(tenant, waited)| (tenant, waited.len())).collect()
    }

    /// Gives batch work the slot that was kept from it when its time is over. Never returns.
    pub async fn tend(self: Arc<Self>) {
        loop {
            let kept = self.lock().kept;
            tokio::select! {
                () = self.keeps.notified() => {}
                () = tokio::time::sleep_until(kept.unwrap_or_else(Instant::now)), if kept.is_some() => {
                    self.change(Instant::now(), |_| ());
                }
            }
        }
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let state = self.lock();
        let waiting = [INTERACTIVE, BATCH].map(|lane| state.courses[lane].waiting + state.courses[lane].held);
        Gauges { waiting, running: state.running, slots: state.slots, memory: state.memory }
    }

    /// What the sandboxes of running runs may have together.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// For how long the one that came first has waited for a slot, interactive then batch, without the time for which its
    /// tenant's own runs were in its way (`running` of its plan, or their memory): those who wait for these now don't count,
    /// nor do those who are [patient](Wish). It costs a look at each tenant.
    #[must_use]
    pub fn oldest(&self) -> [Duration; 2] {
        let now = Instant::now();
        let state = self.lock();
        [INTERACTIVE, BATCH].map(|lane| {
            let longest = |(index, account): (usize, &Account)| match account.in_its_way(
                lane,
                state.price(),
                state.is_alone(index),
            ) {
                Some(Own::Running | Own::Memory) => None,
                Some(Own::All) | None => account.lanes[lane].longest(now),
            };
            state.accounts.iter().enumerate().filter_map(longest).max().unwrap_or_default()
        })
    }

    /// When it makes sense to come again: about the time until the whole queue is through, 1 to 60 s.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let state = self.lock();
        let rounds = u32::try_from(state.queued() / state.slots.max(1) + 1).unwrap_or(u32::MAX);
        state.usual.saturating_mul(rounds).clamp(Duration::from_secs(1), Duration::from_secs(60))
    }

    /// Joins the queue.
    ///
    /// # Errors
    /// [`Shed`] at once when there is no place in it.
    pub fn enqueue(self: &Arc<Self>, wish: Wish) -> Result<Ticket, Shed> {
        self.join(wish, false)
    }

    /// Joins the queue and [holds](self) the place until [`Ticket::release`].
    ///
    /// # Errors
    /// As for [`Queue::enqueue`].
    pub fn hold(self: &Arc<Self>, wish: Wish) -> Result<Ticket, Shed> {
        self.join(wish, true)
    }

    /// Whether a run of so much memory will ever get a slot.
    ///
    /// # Errors
    /// [`Shed::NeverFits`].
    pub fn fits(&self, memory: u64) -> Result<(), Shed> {
        if memory > self.memory { Err(Shed::NeverFits { budget: self.memory }) } else { Ok(()) }
    }

    fn join(self: &Arc<Self>, wish: Wish, held: bool) -> Result<Ticket, Shed> {
        let now = Instant::now();
        let (TenantIndex(tenant), lane) = (wish.tenant, wish.priority as usize);
        let (grant, granted) = oneshot::channel();
        let ticket = self.change(now, |state| {
            if state.draining {
                return Err(Shed::Draining);
            }
            if state.accounts[tenant].closed {
                return Err(Shed::Closed);
            }
            self.fits(wish.memory)?;
            if !state.open {
                return Err(Shed::NotReady);
            }
            // Where nobody waits for a slot, the run is granted below without having waited: the bounds are for those who
            // must.
            let account = &state.accounts[tenant];
            let first = account.lanes[lane].waiting.is_empty() && !account.yields(lane, self.memory);
            let room = first && account.may_run() && state.memory + wish.memory <= self.memory;
            if held || !room || !state.idle(lane, now) {
                state.admit(tenant, self.length)?;
            }
            if lane == INTERACTIVE {
                state.interactive = Some(now);
            }
            state.tickets += 1;
            let ticket = state.tickets;
            let Wish { memory, patient, .. } = wish;
            let own = Duration::ZERO;
            let waiter = Waiter { ticket, memory, since: now, own, own_at: own, patient, grant };
            state.place((tenant, lane), waiter, held, now);
            Ok(ticket)
        })?;
        let place = Place { ticket, tenant, lane };
        Ok(Ticket { queue: Arc::clone(self), place, wish, held, granted, left: false })
    }

    /// Gives slots to those whose turn it is, as far as they go. The caller hands them out once the lock is free.
    fn grant(self: &Arc<Self>, state: &mut State, now: Instant) -> Vec<(oneshot::Sender<Slot>, Slot)> {
        let mut granted = Vec::new();
        let kept = state.kept;
        while let Some((place, pledge, waiter)) = state.grant(now) {
            let Waiter { memory, since: came, own, patient, grant, .. } = waiter;
            let (queue, number) = (Arc::clone(self), state.grants);
            let slot = Slot { queue, place, number, memory, came, own, patient, since: now, pledge, over: false };
            granted.push((grant, slot));
        }
        if state.kept.is_some_and(|until| kept.is_none_or(|kept| until < kept)) {
            self.keeps.notify_one();
        }
        granted
    }

    fn give_back(self: &Arc<Self>, slot: &Slot) {
        let now = Instant::now();
        let used = now.duration_since(slot.since);
        self.change(now, |state| {
            state.usual = (state.usual * 7 + used) / 8;
            state.free(slot, Some(used), now);
        });
    }

    /// Takes back a slot that was granted too early. It costs its owner nothing.
    fn take_back(self: &Arc<Self>, slot: &mut Slot, memory: u64, held: bool) -> oneshot::Receiver<Slot> {
        let (grant, receiver) = oneshot::channel();
        slot.over = true;
        let (now, Place { ticket, tenant, lane }) = (Instant::now(), slot.place);
        self.change(now, |state| {
            state.free(slot, None, now);
            let (since, own, patient) = (slot.came, slot.own, slot.patient);
            let waiter = Waiter { ticket, memory, since, own, own_at: Duration::ZERO, patient, grant };
            state.place((tenant, lane), waiter, held, now);
        });
        receiver
    }

    /// Lets somebody who holds a place wait for a slot with so much memory.
    fn release(self: &Arc<Self>, memory: u64, place: Place) {
        let now = Instant::now();
        self.change(now, |state| state.release(place, memory, now));
    }

    /// Somebody leaves. If it was at the head and did not fit, those behind it waited for it alone.
    fn forget(self: &Arc<Self>, place: Place) {
        let now = Instant::now();
        self.change(now, |state| state.remove(place, now));
    }

    /// About how many runs start before this place, 0 for the next one: those of its tenant that came before, those of others
    /// that their shares let go first, and those of the other priority. It is an estimate, of those who wait now and what
    /// their runs took of late; when others come whose turn is earlier it rises. It costs a look at each tenant whose turn is
    /// earlier.
    #[must_use]
    pub fn ahead(&self, place: Place) -> usize {
        self.lock().ahead(place)
    }
}

/// A slot whose waiter has left in the meantime comes back as an error here and is dropped: the next one gets it.
fn hand_out(granted: Vec<(oneshot::Sender<Slot>, Slot)>) {
    for (waiter, slot) in granted {
        drop(waiter.send(slot));
    }
}

#[cfg(test)]
mod fairness;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod model;
#[cfg(test)]
mod past;
#[cfg(test)]
mod tests;
