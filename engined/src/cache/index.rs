//! What is kept, in the order of its last use: who goes when there is no room. Files are made and removed elsewhere.
//!
//! All tenants share the room. When it is short, the entry that was not used for longest goes, of the tenant that keeps
//! the most: nobody can push out what a smaller one keeps, nor learn from what of its own has gone that another works.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::Key;

/// What a tenant keeps: its place in the list of tenants.
pub type Owner = usize;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Whose it is.
    pub owner: Owner,
    /// When it was used last: larger is later.
    pub used: u64,
    /// The length of its file.
    pub bytes: u64,
    /// It has a program; otherwise it is the compiler's word that there is none.
    pub program: bool,
    /// The number in its file's name, which follows `used` from time to time.
    pub written: u64,
    /// When it is no longer believed: what made a compile fail may have passed.
    pub until: Option<Instant>,
    /// This process has read or written the file, so that it is likely to be in memory.
    pub seen: bool,
}

/// How long the compiler's word that there is no program is believed. It may have had a reason that passes.
pub const FAILURE_LASTS: Duration = Duration::from_secs(15 * 60);

impl Held {
    /// It is still believed.
    fn stands(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// What an entry takes of the room: whole pages on disk, one more for its inode and its name.
const PAGE: u64 = 4096;
/// A program of some thousand lines.
const ORDINARY: u64 = 256 << 10;
/// However small they are, each takes memory here as well.
const MOST_ENTRIES: usize = 32_768;

/// The most that one entry may have: a 64th of all the room, or what an ordinary program takes where that is more.
fn share(room: u64) -> u64 {
    (room / 64).max(ORDINARY).min(room / 4)
}

fn room(bytes: u64) -> u64 {
    bytes.next_multiple_of(PAGE) + PAGE
}

#[derive(Debug, Default)]
struct Account {
    room: u64,
    order: BTreeMap<u64, Key>,
}

/// All entries.
#[derive(Debug)]
pub struct Index {
    most: u64,
    most_entries: usize,
    entries: HashMap<Key, Held>,
    accounts: Vec<Account>,
    room: u64,
    /// Of files that are being written.
    promised: u64,
    clock: u64,
}

impl Index {
    /// Of so many tenants, with room for so many bytes.
    #[must_use]
    pub fn new(most: u64, owners: usize) -> Self {
        let accounts = std::iter::repeat_with(Account::default).take(owners).collect();
        Index { most, most_entries: MOST_ENTRIES, entries: HashMap::new(), accounts, room: 0, promised: 0, clock: 0 }
    }

    /// From now on there are so many tenants. There are never fewer.
    pub fn grow(&mut self, owners: usize) {
        let more = owners.saturating_sub(self.accounts.len());
        self.accounts.extend(std::iter::repeat_with(Account::default).take(more));
    }

    /// How much room is taken, by how many entries.
    #[must_use]
    pub fn totals(&self) -> (u64, usize) {
        (self.room, self.entries.len())
    }

    /// The entry, without using it, if it still stands.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<Held> {
        self.lying(key).filter(Held::stands)
    }

    /// The entry, also one that is no longer believed and waits to be replaced or to go.
    #[must_use]
    pub fn lying(&self, key: &Key) -> Option<Held> {
        self.entries.get(key).copied()
    }

    /// The number of a use that is now, also for the name of a file that is to be written.
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Uses an entry that still stands, which comes back as it was: it is the last to go now.
    pub fn touch(&mut self, key: &Key) -> Option<Held> {
        let now = self.tick();
        let held = self.entries.get_mut(key).filter(|held| held.stands())?;
        let order = &mut self.accounts[held.owner].order;
        order.remove(&held.used);
        held.used = now;
        order.insert(now, *key);
        let before = *held;
        held.seen = true;
        Some(before)
    }

    /// Notes that the name of its file says when it was used.
    pub fn named(&mut self, key: &Key, written: u64) {
        if let Some(held) = self.entries.get_mut(key) {
            held.written = written;
        }
    }

    /// Promises room for a file of so many bytes, and says what has to go for it. `None`: it is more than an
    /// entry may have. Then [`Index::keep`] it, or [`Index::waive`] the promise.
    pub fn promise(&mut self, bytes: u64) -> Option<Vec<(Key, Held)>> {
        let wanted = room(bytes);
        if wanted > share(self.most) {
            return None;
        }
        self.promised += wanted;
        Some(self.shrink())
    }

    /// The file was not written.
    pub fn waive(&mut self, bytes: u64) {
        self.promised -= room(bytes);
    }

    /// The file is there, promised as of `promised` bytes. What was kept under the same key comes back.
    pub fn keep(&mut self, key: Key, held: Held, promised: u64) -> Option<Held> {
        self.waive(promised);
        let before = self.remove(&key);
        self.insert(key, held);
        before
    }

    fn insert(&mut self, key: Key, held: Held) {
        self.room += room(held.bytes);
        let account = &mut self.accounts[held.owner];
        account.room += room(held.bytes);
        account.order.insert(held.used, key);
        self.entries.insert(key, held);
    }

    /// Takes up a file that was found. Two of one key: the one that was used last stays, the other comes back. Then what
    /// is too much goes by [`Index::shrink`].
    pub fn found(&mut self, key: Key, held: Held) -> Option<(Key, Held)> {
        self.clock = self.clock.max(held.used);
        match self.lying(&key) {
            Some(other) if other.used >= held.used => return Some((key, held)),
            // Two entries with one number would be one in the order.
            _ if self.accounts[held.owner].order.contains_key(&held.used) => return Some((key, held)),
            _ => {}
        }
        let before = self.remove(&key);
        self.insert(key, held);
        before.map(|before| (key, before))
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: &Key) -> Option<Held> {
        let held = self.entries.remove(key)?;
        let account = &mut self.accounts[held.owner];
        account.order.remove(&held.used);
        account.room -= room(held.bytes);
        self.room -= room(held.bytes);
        Some(held)
    }

    /// Takes out what is too much.
    pub fn shrink(&mut self) -> Vec<(Key, Held)> {
        let mut gone = Vec::new();
        while self.room + self.promised > self.most || self.entries.len() >= self.most_entries {
            // By what is short: whoever keeps a few large ones has not filled the list.
            let listed = self.entries.len() >= self.most_entries;
            let size = |account: &&Account| if listed { account.order.len() as u64 } else { account.room };
            let largest = self.accounts.iter().max_by_key(size);
            let Some(key) = largest.and_then(|account| account.order.first_key_value()).map(|(_, key)| *key) else {
                break;
            };
            gone.extend(self.remove(&key).map(|held| (key, held)));
        }
        gone
    }
}

#[cfg(test)]
mod tests;
