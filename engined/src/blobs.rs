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
//! threads.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use api_spec::Sha256;
use store::{Answer, Question, Store};
use tokio::sync::{Semaphore, watch};

use crate::capture::PIECE;
use crate::clock;
use crate::job::Stdin;
use crate::metrics::BlobMetrics;
use folder::Folder;

pub use many::Many;
pub use upload::{Placed, Refused, Upload};

mod folder;
mod many;
mod upload;

/// What each blob counts at the least, and in steps of: a file takes that of the disk.
const BLOCK: u64 = 4 << 10;
/// The time of a file that its tenant has deleted.
const GIVEN_UP: i64 = 0;
/// A use is noted when the last one is so long ago, in seconds: days are what counts.
const NOTED_EVERY: i64 = 3600;
/// So long a deletion waits for its tenant's blobs to be counted. Then it goes with what expires.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for what has expired.
const LOOK_EVERY: Duration = Duration::from_secs(600);

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
}

/// What became of a blob that its tenant has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It has none such.
    Unknown,
    /// It is gone.
    Gone,
    /// Nobody finds it any more; it goes with the last batch that refers to it.
    Later,
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

    /// Does something with a tenant's account. Nobody else does anything with it meanwhile.
    fn with<T>(&self, tenant: &str, work: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get_mut(tenant) {
            return work(account);
        }
        work(accounts.entry(tenant.to_owned()).or_insert_with(|| Account::new(self.limits.uploads.div_ceil(2))))
    }

    /// Looks a blob up, as somebody who is about to use it: that is noted, and it stays as long as the pin is held. `None`:
    /// the tenant has no such blob.
    ///
    /// # Errors
    /// That of the file system.
    pub fn pin(self: &Arc<Self>, tenant: &str, hash: Sha256) -> io::Result<Option<Pin>> {
        self.with(tenant, |account| {
            if account.fresh.contains(&hash) {
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
            *account.pins.entry(hash).or_default() += 1;
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

    /// Deletes a blob for its tenant. Does not wait on the calling thread.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn remove(self: &Arc<Self>, tenant: &str, hash: Sha256) -> io::Result<Removed> {
        self.counted(tenant, PATIENCE).await;
        let (blobs, name) = (Arc::clone(self), tenant.to_owned());
        let given_up = move || {
            blobs.with(&name, |account| {
                let known = blobs.folder.look(&name, &hash)?.filter(|found| found.used != GIVEN_UP);
                if known.is_none() || account.fresh.contains(&hash) {
                    return Ok(None);
                }
                blobs.folder.note(&name, &hash, GIVEN_UP)?;
                Ok(Some(account.pins.contains_key(&hash)))
            })
        };
        match off_thread(given_up).await? {
            None => return Ok(Removed::Unknown),
            // Whoever looks at it may have a batch refer to it after we have asked.
            Some(true) => return Ok(Removed::Later),
            Some(false) => {}
        }
        let referred = match self.referred_to(tenant).await {
            Ok(referred) => referred,
            Err(error) => {
                tracing::warn!(%error, "whether a deleted blob is needed can't be found out: it stays for now");
                return Ok(Removed::Later);
            }
        };
        if referred.contains(&hash) {
            return Ok(Removed::Later);
        }
        let (blobs, name) = (Arc::clone(self), tenant.to_owned());
        let gone = off_thread(move || blobs.take_away(&name, &hash, GIVEN_UP)).await?;
        Ok(if gone { Removed::Gone } else { Removed::Later })
    }

    /// What kept batches of a tenant refer to.
    async fn referred_to(&self, tenant: &str) -> Result<HashSet<Sha256>, String> {
        let store = match self.references.get() {
            None => return Ok(HashSet::new()),
            Some(References(store)) => store.as_ref().map_err(Clone::clone)?,
        };
        match store.read(Question::Blobs { tenant: tenant.to_owned() }).await {
            Ok(Answer::Blobs(hashes)) => Ok(hashes.into_iter().map(Sha256).collect()),
            Ok(_) => Err("the store has answered another question".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Removes the file of a blob that nobody looks at and that was used last at `used`.
    fn take_away(&self, tenant: &str, hash: &Sha256, used: i64) -> io::Result<bool> {
        let taken = self.with(tenant, |account| {
            if !account.counted || account.pins.contains_key(hash) || account.fresh.contains(hash) {
                return Ok(None);
            }
            let Some(found) = self.folder.look(tenant, hash)?.filter(|found| found.used == used) else {
                return Ok(None);
            };
            // The bytes of a large file take their time to be freed, and everybody waits for this lock.
            let aside = self.folder.put_aside(tenant, hash, self.number())?;
            account.used = account.used.saturating_sub(charged(found.bytes));
            self.metrics.bytes.sub(signed(charged(found.bytes)));
            self.metrics.blobs.dec();
            Ok::<_, io::Error>(Some(aside))
        })?;
        let Some(aside) = taken else { return Ok(false) };
        std::fs::remove_file(aside)?;
        Ok(true)
    }

    fn number(&self) -> u64 {
        self.uploads.fetch_add(1, Ordering::Relaxed)
    }

    /// Removes what nobody has used for long and no kept batch refers to: how many. Does not wait on the calling thread.
    ///
    /// # Errors
    /// Why some could not be removed, or not be asked for. The others are.
    pub async fn expire(self: &Arc<Self>, now: i64) -> Result<u64, String> {
        let tenants: Vec<String> = self.accounts().keys().cloned().collect();
        let (mut gone, mut troubles) = (0, Vec::new());
        for tenant in tenants {
            match self.expire_of(&tenant, now).await {
                Ok(removed) => gone += removed,
                Err(trouble) => troubles.push(trouble),
            }
        }
        if troubles.is_empty() { Ok(gone) } else { Err(troubles.join("; ")) }
    }

    async fn expire_of(self: &Arc<Self>, tenant: &str, now: i64) -> Result<u64, String> {
        let (blobs, name) = (Arc::clone(self), tenant.to_owned());
        let before = now.saturating_sub(self.limits.keep);
        let old = move || {
            let mut old = blobs.folder.older(&name, before)?;
            // Whoever looks at one may have a batch refer to it after we have asked, and let go before we remove it.
            blobs.with(&name, |account| old.retain(|(hash, _)| !account.pins.contains_key(hash)));
            Ok(old)
        };
        let old = off_thread(old).await.map_err(|error| error.to_string())?;
        if old.is_empty() {
            return Ok(0);
        }
        let referred = self.referred_to(tenant).await?;
        let (blobs, name) = (Arc::clone(self), tenant.to_owned());
        let remove = move || {
            let mut old = old.into_iter().filter(|(hash, _)| !referred.contains(hash));
            old.try_fold(0, |gone, (hash, used)| Ok(gone + u64::from(blobs.take_away(&name, &hash, used)?)))
        };
        off_thread(remove).await.map_err(|error| error.to_string())
    }

    /// Counts what is there, and looks from time to time for what has expired. Never returns.
    pub async fn keep(self: Arc<Self>) {
        loop {
            let blobs = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || blobs.count()).await {
                tracing::error!(%error, "blobs were not counted");
            }
            tokio::time::sleep(LOOK_EVERY).await;
            match self.expire(now()).await {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "blobs that nobody has used for long are removed"),
                Err(error) => tracing::warn!(%error, "expired blobs stay for now"),
            }
        }
    }
}

impl Account {
    /// That of a tenant which has nothing.
    fn new(uploads: usize) -> Self {
        let places = Arc::new(Semaphore::new(uploads));
        Account { used: 0, counted: true, pins: HashMap::new(), fresh: HashSet::new(), places }
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Seconds; never what stands for something else.
fn now() -> i64 {
    clock::seconds().max(GIVEN_UP + 1)
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// An upload that is counted.
#[derive(Debug)]
pub struct OnItsWay(prometheus::IntGauge);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A blob that somebody is about to use: it stays until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it holds nothing"]
pub struct Pin {
    blobs: Arc<Blobs>,
    tenant: String,
    hash: Sha256,
    /// How long it is.
    pub bytes: u64,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.blobs.with(&self.tenant, |account| {
            if let Some(pins) = account.pins.get_mut(&self.hash) {
                *pins -= 1;
                if *pins == 0 {
                    account.pins.remove(&self.hash);
                }
            }
        });
    }
}

/// An open blob. It can be read to its end even when it is removed meanwhile.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The file, to be read with `read_at`.
    pub file: Arc<File>,
    /// How long it is.
    pub bytes: u64,
}

impl Blob {
    /// To be fed to a program: a short one is read now, and a long one as it is fed.
    ///
    /// # Errors
    /// That of the file system.
    pub fn stdin(self) -> io::Result<Stdin> {
        match usize::try_from(self.bytes) {
            Ok(bytes) if bytes <= PIECE => self.piece(0, bytes).map(Stdin::Bytes),
            _ => Ok(Stdin::File(self.file)),
        }
    }

    /// `length` bytes of it, from the byte `at`.
    ///
    /// # Errors
    /// That of the file system, or it is shorter.
    pub fn piece(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; length];
        self.file.read_exact_at(&mut piece, at)?;
        Ok(piece)
    }

    /// Reads it from its beginning, beside all others who do. Not buffered.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { file: Arc::clone(&self.file), at: 0 }
    }
}

/// Reads a blob, beside others.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
