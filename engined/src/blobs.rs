//! Test data that is sent once, named by its SHA-256, and used by many runs: files of a tenant, under the state folder.
//!
//! A blob is hashed as it comes, is on the disk before it has its name, and never is in memory as a whole. It is not
//! verified again when it is read: whoever can change files of the engine's user can change the engine. A tenant finds its
//! own blobs alone, and has a quota of bytes for them, which what is on its way counts against.
//!
//! **How long one is kept.** As long as a batch that is kept refers to it, as long as an admission looks at it ([`Pin`]), and
//! else until nobody has used it for some days; the time of its file says when it was used last. One that its tenant has
//! deleted is nowhere to be found any more, and goes as soon as nothing refers to it: the time of its file is 1970. Sent again
//! it is back. So the folder says all there is to know, and nothing can be lost beside it.
//!
//! **At the start** no blob is looked at: there may be a million. They are found, read and used at once; how much a tenant has
//! is counted behind the start, and until then nothing of it is added or removed.
//!
//! What is called here waits for the disk, where its documentation does not say otherwise: it belongs off the runtime's
//! threads. **A disk may hang**, and what the runtime asks for must not wait for it: the accounts are locked for counting
//! alone, and nobody who has them locked uses the disk. Whoever goes by what the disk says of a tenant's blobs, or gives or takes
//! a name, has that tenant's *names* for himself, which are taken before the accounts and never with them locked.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use api_spec::Sha256;
use store::Store;
use tokio::sync::{Semaphore, watch};

use crate::clock;
use crate::metrics::BlobMetrics;
use folder::Folder;

pub use blob::{Blob, Pin, Reader};
pub use gone::Removed;
pub use many::Many;
pub use upload::{Placed, Refused, Upload};

mod blob;
mod folder;
mod gone;
mod many;
mod upload;

/// What each blob counts at the least, and in steps of: a file takes that of the disk.
const BLOCK: u64 = 4 << 10;
/// The time of a file that its tenant has deleted.
const GIVEN_UP: i64 = 0;
/// A use is noted when the last one is so long ago, in seconds: days are what counts.
const NOTED_EVERY: i64 = 3600;

/// Bounds of all blobs.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest blob.
    pub most: u64,
    /// Uploads at once. A tenant has at most half of them.
    pub uploads: usize,
    /// How long one is kept that nobody uses, in seconds.
    pub keep: i64,
    /// No upload leaves less than this free on the disk.
    pub free: u64,
}

/// All blobs.
#[derive(Debug)]
pub struct Blobs {
    folder: Folder,
    limits: Limits,
    accounts: Mutex<HashMap<String, Account>>,
    places: Arc<Semaphore>,
    uploads: AtomicU64,
    references: OnceLock<References>,
    /// Told when a tenant's blobs are counted.
    counts: watch::Sender<()>,
    metrics: BlobMetrics,
}

/// Where batches are kept, or why that can't be asked.
struct References(Result<Arc<dyn Store>, String>);

impl std::fmt::Debug for References {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a store")
    }
}

/// What a tenant has.
#[derive(Debug)]
struct Account {
    /// Bytes of its blobs, those on their way included; nothing before they were counted.
    used: u64,
    /// Whether they were counted since the start.
    counted: bool,
    /// Who looks at them, and must find them to the end.
    pins: HashMap<Sha256, u64>,
    /// They have their name, and a power cut could take it away again.
    fresh: HashSet<Sha256>,
    places: Arc<Semaphore>,
    /// Held by whoever uses the names of its blobs on the disk.
    names: Arc<Mutex<()>>,
}

/// What a blob counts.
const fn charged(bytes: u64) -> u64 {
    let blocks = bytes.div_ceil(BLOCK);
    (if blocks == 0 { 1 } else { blocks }).saturating_mul(BLOCK)
}

impl Blobs {
    /// The blobs of a folder, which is there and the engine's alone. What uploads have left that were broken off is removed.
    ///
    /// # Errors
    /// It can't be read, or another engine has it.
    pub fn open(path: &Path, limits: Limits, metrics: BlobMetrics) -> Result<Arc<Self>, String> {
        let (folder, found) = Folder::open(path).map_err(|error| format!("blobs in {}: {error}", path.display()))?;
        let part = limits.uploads.div_ceil(2);
        let mut accounts = HashMap::new();
        for tenant in found {
            accounts.insert(tenant, Account { counted: false, ..Account::new(part) });
        }
        Ok(Arc::new(Blobs {
            folder,
            limits,
            accounts: Mutex::new(accounts),
            places: Arc::new(Semaphore::new(limits.uploads)),
            uploads: AtomicU64::new(0),
            references: OnceLock::new(),
            counts: watch::Sender::new(()),
            metrics,
        }))
    }

    /// Counts what each tenant had at the start, unless that was done. One whose blobs can't be counted is told in the log, and
    /// is tried again by the next call.
    pub fn count(&self) {
        let uncounted = |(tenant, account): (&String, &Account)| (!account.counted).then(|| tenant.clone());
        let tenants: Vec<String> = self.accounts().iter().filter_map(uncounted).collect();
        for tenant in tenants {
            // Without the lock: before they are counted they are only read.
            match self.folder.count(&tenant) {
                Ok(holds) => {
                    self.with(&tenant, |account| (account.used, account.counted) = (holds.bytes, true));
                    self.metrics.bytes.add(signed(holds.bytes));
                    self.metrics.blobs.add(signed(holds.blobs));
                }
                Err(error) => {
                    tracing::error!(tenant, %error, "blobs can't be counted: none of theirs is taken or removed")
                }
            }
            self.counts.send_replace(());
        }
    }

    /// Waits until a tenant's blobs are counted, at most so long. Does not wait on the calling thread.
    pub async fn counted(&self, tenant: &str, patience: Duration) {
        let mut counts = self.counts.subscribe();
        let counted =
            async { while !self.with(tenant, |account| account.counted) && counts.changed().await.is_ok() {} };
        // Who goes on without is refused what needs it.
        tokio::time::timeout(patience, counted).await.unwrap_or_default();
    }

    /// From now on what this store's batches refer to stays. Does not wait for anything.
    pub fn refer_to(&self, store: Arc<dyn Store>) {
        self.references.get_or_init(|| References(Ok(store)));
    }

    /// There are batches, but nobody can say what they refer to: from now on everything stays. Does not wait for anything.
    pub fn refer_to_unknown(&self, why: &str) {
        self.references.get_or_init(|| References(Err(why.to_owned())));
    }

    /// The largest blob that there can be. Does not wait for anything.
    #[must_use]
    pub fn most(&self) -> u64 {
        self.limits.most
    }

    /// Counts an upload until the guard is dropped. Does not wait for anything.
    #[must_use]
    pub fn on_its_way(&self) -> OnItsWay {
        self.metrics.uploads.inc();
        OnItsWay(self.metrics.uploads.clone())
    }

    /// Bytes that count for a tenant. Does not wait for the disk.
    #[must_use]
    pub fn used(&self, tenant: &str) -> u64 {
        self.accounts().get(tenant).map_or(0, |account| account.used)
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with a tenant's account, and nothing with the disk. Nobody else does anything with it meanwhile.
    fn with<T>(&self, tenant: &str, work: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get_mut(tenant) {
            return work(account);
        }
        work(accounts.entry(tenant.to_owned()).or_insert_with(|| Account::new(self.limits.uploads.div_ceil(2))))
    }

    /// Does something with the names of a tenant's blobs, on the disk. Nobody else does anything with these meanwhile; its
    /// account is for all: pins go, and bytes come and go.
    fn with_names<T>(&self, tenant: &str, work: impl FnOnce() -> T) -> T {
        let names = self.with(tenant, |account| Arc::clone(&account.names));
        let _held = names.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Looks a blob up, as somebody who is about to use it: that is noted, and it stays as long as the pin is held. `None`:
    /// the tenant has no such blob.
    ///
    /// # Errors
    /// That of the file system.
    pub fn pin(self: &Arc<Self>, tenant: &str, hash: Sha256) -> io::Result<Option<Pin>> {
        self.with_names(tenant, || {
            if self.with(tenant, |account| account.fresh.contains(&hash)) {
                return Ok(None);
            }
            let Some(found) = self.folder.look(tenant, &hash)? else { return Ok(None) };
            if found.used == GIVEN_UP {
                return Ok(None);
            }
            let now = now();
            if (now - found.used).abs() >= NOTED_EVERY {
                self.folder.note(tenant, &hash, now)?;
            }
            self.with(tenant, |account| *account.pins.entry(hash).or_default() += 1);
            Ok(Some(Pin { blobs: Arc::clone(self), tenant: tenant.to_owned(), hash, bytes: found.bytes }))
        })
    }

    /// The same, opened.
    ///
    /// # Errors
    /// That of the file system.
    pub fn find(self: &Arc<Self>, tenant: &str, hash: Sha256) -> io::Result<Option<Blob>> {
        let pin = self.pin(tenant, hash)?;
        let opened = pin.as_ref().map(|_| self.folder.open_blob(tenant, &hash)).transpose();
        drop(pin);
        opened
    }

    /// Opens a blob for a batch that refers to it, whatever its tenant wants of it now. `None`: it is not there.
    ///
    /// # Errors
    /// That of the file system.
    pub fn referred(&self, tenant: &str, hash: Sha256) -> io::Result<Option<Blob>> {
        match self.folder.open_blob(tenant, &hash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn number(&self) -> u64 {
        self.uploads.fetch_add(1, Ordering::Relaxed)
    }
}

impl Account {
    /// That of a tenant which has nothing.
    fn new(uploads: usize) -> Self {
        let places = Arc::new(Semaphore::new(uploads));
        let (pins, fresh, names) = (HashMap::new(), HashSet::new(), Arc::default());
        Account { used: 0, counted: true, pins, fresh, places, names }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Seconds; never what stands for something else.
fn now() -> i64 {
    clock::seconds().max(GIVEN_UP + 1)
}

/// An upload that is counted.
#[derive(Debug)]
pub struct OnItsWay(prometheus::IntGauge);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
