//! Executions that nobody waits for: those under way, then their results, until they are too old or make room.
//!
//! A tenant sees its own alone; to all others they are not there. What a tenant may keep is bounded in bytes and in
//! number, and all tenants together in bytes: the oldest results go first, those of the tenant that keeps the most. Of
//! what is gone the last [`GRAVES`] are remembered, so that `result_expired` can be told from `not_found`. Nothing here
//! survives the engine.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::budget::Reservation;
use crate::config::Results;
use crate::control::Control;
use crate::queue::TenantIndex;

/// So many results that are gone are remembered.
pub const GRAVES: usize = 1 << 16;
/// What a result counts beside its bytes.
const BOOKKEEPING: u64 = 512;

/// The name of an execution.
type Id = Arc<str>;

/// A finished result as it is answered, and the memory that it holds.
#[derive(Debug)]
pub struct Kept {
    /// Its JSON.
    pub body: Bytes,
    _memory: Reservation,
}

/// Why there is nothing to be had under an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It was never given, or to another tenant.
    Never,
    /// The result was there.
    Gone(Gone),
}

/// Why a result is no longer kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// It was too old.
    Old(Duration),
    /// It made room for newer ones.
    Crowded,
    /// It alone was more than may be kept.
    TooLarge,
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gone::Old(keep) => write!(f, "it finished more than {} s ago (results.keep_seconds)", keep.as_secs()),
            Gone::Crowded => f.write_str("it made room for newer ones (kept_bytes of the plan, results.per_tenant)"),
            Gone::TooLarge => f.write_str("it alone was larger than what may be kept (kept_bytes of the plan)"),
        }
    }
}

/// The tenant has as many executions under way that nobody waits for as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many.
    pub pending: usize,
}

enum Entry {
    Pending { tenant: TenantIndex, control: Arc<Control>, done: watch::Sender<Option<Arc<Kept>>> },
    Finished { tenant: TenantIndex, result: Arc<Kept> },
}

impl Entry {
    fn tenant(&self) -> TenantIndex {
        match self {
            Entry::Pending { tenant, .. } | Entry::Finished { tenant, .. } => *tenant,
        }
    }
}

struct Old {
    id: Id,
    bytes: u64,
    due: Instant,
}

/// What one tenant has here, the oldest result first.
#[derive(Default)]
struct Account {
    pending: usize,
    /// The most that may be kept.
    most: u64,
    bytes: u64,
    finished: VecDeque<Old>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Id, Entry>,
    accounts: Vec<Account>,
    /// Of all accounts.
    bytes: u64,
    graves: VecDeque<Id>,
    gone: HashMap<Id, (TenantIndex, Gone)>,
}

/// All of them.
pub struct Store {
    state: Mutex<State>,
    settings: Results,
    /// All tenants together.
    bytes: u64,
    /// Told when there is something to expire again.
    first: Notify,
}

impl Store {
    /// Of so many tenants, in at most `bytes`.
    #[must_use]
    pub fn new(settings: Results, tenants: usize, bytes: u64) -> Arc<Self> {
        let store = Store { state: Mutex::default(), settings, bytes, first: Notify::new() };
        store.reshare(&vec![settings.bytes_per_tenant; tenants]);
        Arc::new(store)
    }

    /// From now on each tenant may keep so many bytes; those at the end of a longer list are new. What is above goes.
    pub fn reshare(&self, bytes: &[u64]) {
        let mut state = self.lock();
        if state.accounts.len() < bytes.len() {
            state.accounts.resize_with(bytes.len(), Account::default);
        }
        for (index, most) in bytes.iter().enumerate() {
            state.accounts[index].most = *most;
            state.crowd(TenantIndex(index));
        }
    }

    /// The state is consistent after each statement that could panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a place for an execution that is under way.
    ///
    /// # Errors
    /// [`Full`].
    pub fn open(self: &Arc<Self>, tenant: TenantIndex, id: &str, control: &Arc<Control>) -> Result<Opened, Full> {
        let most = self.settings.per_tenant;
        let mut state = self.lock();
        let account = &mut state.accounts[tenant.0];
        if account.pending >= most {
            return Err(Full { pending: account.pending });
        }
        account.pending += 1;
        while state.accounts[tenant.0].pending + state.accounts[tenant.0].finished.len() > most {
            state.drop_oldest(tenant, Gone::Crowded);
        }
        let id = Id::from(id);
        let control = Arc::clone(control);
        state.entries.insert(Id::clone(&id), Entry::Pending { tenant, control, done: watch::Sender::new(None) });
        Ok(Opened { store: Arc::clone(self), tenant, id, open: true })
    }

    /// What there is under an id.
    ///
    /// # Errors
    /// [`Missing`]; that of another tenant is the same as none.
    pub fn find(&self, tenant: TenantIndex, id: &str) -> Result<Found, Missing> {
        let state = self.lock();
        match state.entries.get(id).filter(|entry| entry.tenant() == tenant) {
            Some(Entry::Pending { control, done, .. }) => {
                Ok(Found::Pending(Pending { control: Arc::clone(control), done: done.subscribe() }))
            }
            Some(Entry::Finished { result, .. }) => Ok(Found::Finished(Arc::clone(result))),
            None => Err(match state.gone.get(id) {
                Some((owner, why)) if *owner == tenant => Missing::Gone(*why),
                _ => Missing::Never,
            }),
        }
    }

    /// How many are under way.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.lock().accounts.iter().map(|account| account.pending).sum()
    }

    /// How many follow an execution that is under way.
    #[must_use]
    pub fn followers(&self) -> usize {
        let state = self.lock();
        let follow = |entry: &Entry| match entry {
            Entry::Pending { done, .. } => done.receiver_count(),
            Entry::Finished { .. } => 0,
        };
        state.entries.values().map(follow).sum()
    }

    /// Drops results when they are too old. Never returns.
    pub async fn expire(self: Arc<Self>) {
        loop {
            match self.drop_due(Instant::now()) {
                Some(due) => tokio::time::sleep_until(due).await,
                None => self.first.notified().await,
            }
        }
    }

    /// Drops what is due, and says when the next is.
    fn drop_due(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        let mut next = None;
        for index in 0..state.accounts.len() {
            // All are kept equally long, so the first of an account is always the next.
            while let Some(due) = state.accounts[index].finished.front().map(|old| old.due) {
                if due > now {
                    next = Some(next.map_or(due, |next: Instant| next.min(due)));
                    break;
                }
                state.drop_oldest(TenantIndex(index), Gone::Old(self.settings.keep));
            }
        }
        next
    }

    fn finish(&self, tenant: TenantIndex, id: &Id, body: Bytes, mut memory: Reservation) {
        let bytes = body.len() as u64 + BOOKKEEPING;
        memory.settle(bytes);
        // What is kept has bounds of its own, here.
        let result = Arc::new(Kept { body, _memory: memory.of_the_whole() });
        let mut state = self.lock();
        state.accounts[tenant.0].pending -= 1;
        let Some(Entry::Pending { done, .. }) = state.entries.remove(id) else { return };
        if bytes > state.accounts[tenant.0].most.min(self.bytes) {
            state.bury(Id::clone(id), tenant, Gone::TooLarge);
        } else {
            let due = Instant::now() + self.settings.keep;
            state.keep(tenant, Old { id: Id::clone(id), bytes, due }, Arc::clone(&result));
            state.crowd(tenant);
            while let Some(largest) = state.largest_above(self.bytes) {
                state.drop_oldest(largest, Gone::Crowded);
            }
        }
        drop(state);
        self.first.notify_one();
        // Those who wait get it whether it is kept or not.
        done.send_replace(Some(result));
    }
}

impl State {
    fn keep(&mut self, tenant: TenantIndex, old: Old, result: Arc<Kept>) {
        self.entries.insert(Id::clone(&old.id), Entry::Finished { tenant, result });
        let account = &mut self.accounts[tenant.0];
        account.bytes += old.bytes;
        self.bytes += old.bytes;
        account.finished.push_back(old);
    }

    /// Drops the oldest results of a tenant until the rest is what it may keep.
    fn crowd(&mut self, tenant: TenantIndex) {
        while self.accounts[tenant.0].bytes > self.accounts[tenant.0].most {
            self.drop_oldest(tenant, Gone::Crowded);
        }
    }

    fn drop_oldest(&mut self, tenant: TenantIndex, why: Gone) {
        let account = &mut self.accounts[tenant.0];
        let Some(old) = account.finished.pop_front() else { return };
        account.bytes -= old.bytes;
        self.bytes -= old.bytes;
        self.entries.remove(&old.id);
        self.bury(old.id, tenant, why);
    }

    fn bury(&mut self, id: Id, tenant: TenantIndex, why: Gone) {
        if self.graves.len() >= GRAVES
            && let Some(forgotten) = self.graves.pop_front()
        {
            self.gone.remove(&forgotten);
        }
        self.graves.push_back(Id::clone(&id));
        self.gone.insert(id, (tenant, why));
    }

    /// The tenant that keeps the most, if all together keep more than `most`.
    fn largest_above(&self, most: u64) -> Option<TenantIndex> {
        if self.bytes <= most {
            return None;
        }
        let accounts = self.accounts.iter().map(|account| account.bytes).enumerate();
        accounts.max_by_key(|(_, bytes)| *bytes).map(|(index, _)| TenantIndex(index))
    }
}

/// What there is under an id.
#[derive(Debug)]
pub enum Found {
    /// It is under way.
    Pending(Pending),
    /// It is over.
    Finished(Arc<Kept>),
}

/// An execution that is followed.
#[derive(Debug)]
pub struct Pending {
    /// How far it is, and the way to stop it.
    pub control: Arc<Control>,
    done: watch::Receiver<Option<Arc<Kept>>>,
}

impl Pending {
    /// Returns when it is over. `None` when the engine met an error of its own and has no result.
    pub async fn finished(&mut self) -> Option<Arc<Kept>> {
        self.done.wait_for(Option::is_some).await.ok()?.clone()
    }
}

/// The place of an execution that is under way. It is gone when it is dropped before [`Opened::finish`].
#[must_use = "dropping it forgets the execution"]
pub struct Opened {
    store: Arc<Store>,
    tenant: TenantIndex,
    id: Id,
    open: bool,
}

impl Opened {
    /// It is over. `memory` is what its result has held so far.
    pub fn finish(mut self, body: Bytes, memory: Reservation) {
        self.open = false;
        self.store.finish(self.tenant, &self.id, body, memory);
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.open {
            let mut state = self.store.lock();
            state.accounts[self.tenant.0].pending -= 1;
            state.entries.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
