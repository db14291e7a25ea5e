//! Who runs next: a bounded queue in front of a fixed number of slots and a budget of sandbox memory.
//!
//! Interactive work goes before batch work, but every [`INTERACTIVE_IN_A_ROW`] grants one batch run gets its turn.
//! Within a priority the tenants share by weight (stride scheduling: each grant moves the tenant's pass on by the
//! inverse of its weight, the lowest pass is served). A run that is at the head waits until its memory fits; nobody
//! smaller overtakes it, so that large runs don't starve. The permit is the [`Slot`]; dropping it gives everything back.
//!
//! Who waits for something else first, a compile that another run does, *holds* its place: it counts in every bound as
//! those who wait do, takes no slot and is in nobody's way, and when it is released its turn is that of its arrival.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use slot::{Place, Slot, Ticket};

mod slot;

/// So many interactive runs may overtake a waiting batch run.
pub const INTERACTIVE_IN_A_ROW: u32 = 8;
const STRIDE: u64 = 1 << 20;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// What a run asks of the queue.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// On whose account.
    pub tenant: TenantIndex,
    /// How urgent.
    pub priority: Priority,
    /// The largest memory limit of its steps.
    pub memory: u64,
}

/// Why a run did not get a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// The queue is as long as it may be.
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The tenant has as many waiting as its plan allows.
    TenantFull {
        /// How many wait for the tenant.
        waiting: u32,
    },
    /// No slot came free within the time that a run may wait.
    WaitedTooLong,
    /// There is no sandbox to be had at the moment.
    NotReady,
    /// The engine is on its way down.
    Draining,
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

struct Waiter {
    ticket: u64,
    memory: u64,
    grant: oneshot::Sender<Slot>,
}

struct Account {
    share: Share,
    running: u32,
    pass: [u64; 2],
    /// In the order of their tickets, as those held are.
    waiting: [VecDeque<Waiter>; 2],
    held: [VecDeque<Waiter>; 2],
}

impl Account {
    fn new(share: &Share) -> Self {
        Account {
            share: *share,
            running: 0,
            pass: [0; 2],
            waiting: <[VecDeque<Waiter>; 2]>::default(),
            held: <[VecDeque<Waiter>; 2]>::default(),
        }
    }

    fn queued(&self) -> usize {
        self.lanes().map(VecDeque::len).sum()
    }

    fn lanes(&self) -> impl Iterator<Item = &VecDeque<Waiter>> {
        self.waiting.iter().chain(&self.held)
    }

    fn stride(&self) -> u64 {
        STRIDE / u64::from(self.share.weight.max(1))
    }
}

/// Puts a waiter where its ticket belongs.
fn insert(lane: &mut VecDeque<Waiter>, waiter: Waiter) {
    let at = lane.partition_point(|other| other.ticket < waiter.ticket);
    lane.insert(at, waiter);
}

struct State {
    open: bool,
    draining: bool,
    slots: usize,
    running: usize,
    memory: u64,
    accounts: Vec<Account>,
    clock: [u64; 2],
    interactive_in_a_row: u32,
    tickets: u64,
    /// Moving average of how long a slot is held.
    held: Duration,
}

/// The queue. It knows nothing of HTTP, languages or the link.
pub struct Queue {
    state: Mutex<State>,
    length: usize,
    memory: u64,
}

impl Queue {
    /// A queue of at most `length` waiting runs in front of `memory` bytes for running sandboxes. Slots are set later.
    #[must_use]
    pub fn new(length: usize, memory: u64, shares: &[Share]) -> Arc<Self> {
        let state = State {
            open: false,
            draining: false,
            slots: 0,
            running: 0,
            memory: 0,
            accounts: shares.iter().map(Account::new).collect(),
            clock: [0; 2],
            interactive_in_a_row: 0,
            tickets: 0,
            held: Duration::from_millis(100),
        };
        Arc::new(Queue { state: Mutex::new(state), length, memory })
    }

    /// The state is consistent after each statement that could panic, so a poisoned lock is no reason to stop serving.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the queue with so many slots.
    pub fn open(self: &Arc<Self>, slots: usize) {
        let granted = {
            let mut state = self.lock();
            state.open = true;
            state.slots = slots;
            self.grant(&mut state)
        };
        hand_out(granted);
    }

    /// No sandbox is to be had for now: those who wait go on waiting, new ones are sent away.
    pub fn pause(&self) {
        self.lock().open = false;
    }

    /// Nobody is let in any more; those who wait still get their turn.
    pub fn drain(&self) {
        self.lock().draining = true;
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let state = self.lock();
        let in_lane = |account: &Account, lane: usize| account.waiting[lane].len() + account.held[lane].len();
        let waiting = [0, 1].map(|lane| state.accounts.iter().map(|account| in_lane(account, lane)).sum());
        Gauges { waiting, running: state.running, slots: state.slots, memory: state.memory }
    }

    /// When it makes sense to come again: about the time until the whole queue is through, 1 to 60 s.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        let state = self.lock();
        let waiting: usize = state.accounts.iter().map(Account::queued).sum();
        let rounds = u32::try_from(waiting / state.slots.max(1) + 1).unwrap_or(u32::MAX);
        state.held.saturating_mul(rounds).clamp(Duration::from_secs(1), Duration::from_secs(60))
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
        let mut state = self.lock();
        if state.draining {
            return Err(Shed::Draining);
        }
        self.fits(wish.memory)?;
        if !state.open {
            return Err(Shed::NotReady);
        }
        let TenantIndex(index) = wish.tenant;
        let waiting: usize = state.accounts.iter().map(Account::queued).sum();
        let lane = wish.priority as usize;
        let clock = state.clock[lane];
        let account = &state.accounts[index];
        let may_run = account.running < account.share.running;
        let own = u32::try_from(account.queued()).unwrap_or(u32::MAX);
        // Where nobody waits for a slot, the run is granted below without having waited: the bounds are for those who must.
        let nobody = state.accounts.iter().all(|account| account.waiting.iter().all(VecDeque::is_empty));
        let room = state.running < state.slots && state.memory + wish.memory <= self.memory;
        let at_once = !held && nobody && may_run && room;
        let account = &mut state.accounts[index];
        if !at_once && own >= account.share.queued {
            return Err(Shed::TenantFull { waiting: own });
        }
        if !at_once && waiting >= self.length {
            return Err(Shed::Full { waiting });
        }
        if account.waiting[lane].is_empty() {
            // Who was away has not saved up turns.
            account.pass[lane] = account.pass[lane].max(clock);
        }
        let (grant, granted) = oneshot::channel();
        state.tickets += 1;
        let number = state.tickets;
        let account = &mut state.accounts[index];
        let lanes = if held { &mut account.held } else { &mut account.waiting };
        lanes[lane].push_back(Waiter { ticket: number, memory: wish.memory, grant });
        let ready = self.grant(&mut state);
        drop(state);
        hand_out(ready);
        Ok(Ticket { queue: Arc::clone(self), place: Place(number), wish, held, granted })
    }

    /// Gives slots to those whose turn it is, as far as they go. The caller hands them out once the lock is free.
    fn grant(self: &Arc<Self>, state: &mut State) -> Vec<(oneshot::Sender<Slot>, Slot)> {
        let mut granted = Vec::new();
        while state.open && state.running < state.slots {
            let batch_turn = state.interactive_in_a_row >= INTERACTIVE_IN_A_ROW;
            let lanes = if batch_turn { [1, 0] } else { [0, 1] };
            let Some((lane, index)) = lanes.into_iter().find_map(|lane| state.next(lane).map(|index| (lane, index)))
            else {
                break;
            };
            let account = &mut state.accounts[index];
            let memory = state.memory;
            let fits = |waiter: &Waiter| memory + waiter.memory <= self.memory;
            let Some(waiter) =
                account.waiting[lane].front().is_some_and(fits).then(|| account.waiting[lane].pop_front())
            else {
                break;
            };
            let Some(waiter) = waiter else { break };
            state.clock[lane] = account.pass[lane];
            account.pass[lane] += account.stride();
            account.running += 1;
            state.running += 1;
            state.memory += waiter.memory;
            let batch_waits = state.accounts.iter().any(|account| !account.waiting[1].is_empty());
            state.interactive_in_a_row = if lane == 0 && batch_waits { state.interactive_in_a_row + 1 } else { 0 };
            let slot = Slot {
                queue: Arc::clone(self),
                tenant: index,
                lane,
                place: Place(waiter.ticket),
                memory: waiter.memory,
                since: Instant::now(),
                over: false,
            };
            granted.push((waiter.grant, slot));
        }
        granted
    }

    /// What the tenants may have from now on; those at the end of a longer list are new. What runs goes on.
    pub fn reshare(self: &Arc<Self>, shares: &[Share]) {
        let granted = {
            let mut state = self.lock();
            for (account, share) in state.accounts.iter_mut().zip(shares) {
                account.share = *share;
            }
            let known = state.accounts.len();
            state.accounts.extend(shares.iter().skip(known).map(Account::new));
            self.grant(&mut state)
        };
        hand_out(granted);
    }

    fn give_back(self: &Arc<Self>, slot: &Slot) {
        let granted = {
            let mut state = self.lock();
            state.running -= 1;
            state.memory -= slot.memory;
            state.accounts[slot.tenant].running -= 1;
            state.held = (state.held * 7 + slot.since.elapsed()) / 8;
            self.grant(&mut state)
        };
        hand_out(granted);
    }

    /// Takes back a slot that was granted too early. Its owner has not used up a turn.
    fn take_back(self: &Arc<Self>, slot: &mut Slot, memory: u64, held: bool) -> oneshot::Receiver<Slot> {
        let (grant, receiver) = oneshot::channel();
        slot.over = true;
        let granted = {
            let mut state = self.lock();
            state.running -= 1;
            state.memory -= slot.memory;
            let account = &mut state.accounts[slot.tenant];
            account.running -= 1;
            account.pass[slot.lane] = account.pass[slot.lane].saturating_sub(account.stride());
            let Place(ticket) = slot.place;
            let lanes = if held { &mut account.held } else { &mut account.waiting };
            insert(&mut lanes[slot.lane], Waiter { ticket, memory, grant });
            self.grant(&mut state)
        };
        hand_out(granted);
        receiver
    }

    /// Lets somebody who holds a place wait for a slot with so much memory.
    fn release(self: &Arc<Self>, wish: &Wish, Place(number): Place) {
        let (TenantIndex(index), lane) = (wish.tenant, wish.priority as usize);
        let granted = {
            let mut state = self.lock();
            let clock = state.clock[lane];
            let account = &mut state.accounts[index];
            if account.waiting[lane].is_empty() {
                // Who was away has not saved up turns.
                account.pass[lane] = account.pass[lane].max(clock);
            }
            let at = account.held[lane].binary_search_by_key(&number, |waiter| waiter.ticket);
            if let Some(waiter) = at.ok().and_then(|at| account.held[lane].remove(at)) {
                insert(&mut account.waiting[lane], Waiter { memory: wish.memory, ..waiter });
            }
            self.grant(&mut state)
        };
        hand_out(granted);
    }

    fn forget(self: &Arc<Self>, Place(number): Place) {
        let granted = {
            let mut state = self.lock();
            for account in &mut state.accounts {
                for lane in account.waiting.iter_mut().chain(&mut account.held) {
                    if let Ok(at) = lane.binary_search_by_key(&number, |waiter| waiter.ticket) {
                        drop(lane.remove(at));
                    }
                }
            }
            // If it was at the head and did not fit, those behind it waited for it alone.
            self.grant(&mut state)
        };
        hand_out(granted);
    }

    /// How many came before this place and still wait.
    #[must_use]
    pub fn ahead(&self, Place(number): Place) -> usize {
        let state = self.lock();
        // Every lane is in the order of its tickets.
        let before = |lane: &VecDeque<Waiter>| lane.partition_point(|waiter| waiter.ticket < number);
        state.accounts.iter().flat_map(Account::lanes).map(before).sum()
    }
}

impl State {
    /// The tenant whose turn it is in this lane, among those that wait and may run one more.
    fn next(&self, lane: usize) -> Option<usize> {
        let eligible = |account: &Account| !account.waiting[lane].is_empty() && account.running < account.share.running;
        let turn = |(_, account): &(usize, &Account)| (account.pass[lane], account.waiting[lane][0].ticket);
        self.accounts
            .iter()
            .enumerate()
            .filter(|(_, account)| eligible(account))
            .min_by_key(turn)
            .map(|(index, _)| index)
    }
}

/// A slot whose waiter has left in the meantime comes back as an error here and is dropped: the next one gets it.
fn hand_out(granted: Vec<(oneshot::Sender<Slot>, Slot)>) {
    for (waiter, slot) in granted {
        drop(waiter.send(slot));
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
