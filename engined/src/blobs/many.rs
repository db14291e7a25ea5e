//! Many blobs at once, as a batch brings them. To bring one to the disk takes some 15 ms, which for hundreds in a row would
//! be seconds; those that are brought there at the same time share what takes the time.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use api_spec::Sha256;
use sha2::Digest;

use super::folder::sync;
use super::{Blobs, Pin, Refused, Upload};

/// Files that are open at once.
const AT_ONCE: usize = 64;
/// Threads that wait for the disk.
const WAITING: usize = 4;

/// Blobs of one tenant that are kept and looked up together. Dropped, it leaves nothing that was not there, but for what was
/// brought to the disk already.
#[derive(Debug)]
#[must_use = "nothing is kept before it is settled"]
pub struct Many {
    blobs: Arc<Blobs>,
    tenant: String,
    quota: u64,
    written: Vec<(Sha256, Upload)>,
    pins: HashMap<Sha256, Pin>,
}

impl Blobs {
    /// Begins to keep and look up blobs of a tenant, which has `quota` bytes for all of its blobs. Does not wait for anything.
    pub fn many(self: &Arc<Self>, tenant: &str, quota: u64) -> Many {
        let (written, pins) = (Vec::new(), HashMap::new());
        Many { blobs: Arc::clone(self), tenant: tenant.to_owned(), quota, written, pins }
    }
}

impl Many {
    /// Keeps bytes that are at hand. They are there when it is settled.
    ///
    /// # Errors
    /// There is no room, or the disk failed.
    pub fn keep(&mut self, bytes: &[u8]) -> Result<Sha256, Refused> {
        let hash = Sha256(sha2::Sha256::digest(bytes).into());
        if self.look_up(hash)?.is_some() {
            return Ok(hash);
        }
        let mut upload = self.blobs.receive(&self.tenant, self.quota, (Some(bytes.len() as u64), None), None)?;
        upload.write(bytes)?;
        self.written.push((hash, upload));
        if self.written.len() >= AT_ONCE {
            self.bring()?;
        }
        Ok(hash)
    }

    /// Looks a blob up that was kept now or before: how long it is. `None`: the tenant has no such blob.
    ///
    /// # Errors
    /// That of the file system.
    pub fn look_up(&mut self, hash: Sha256) -> io::Result<Option<u64>> {
        if let Some(pin) = self.pins.get(&hash) {
            return Ok(Some(pin.bytes));
        }
        if let Some((_, upload)) = self.written.iter().find(|(written, _)| *written == hash) {
            return Ok(Some(upload.bytes()));
        }
        let pin = self.blobs.pin(&self.tenant, hash)?;
        Ok(pin.map(|pin| {
            let bytes = pin.bytes;
            self.pins.insert(hash, pin);
            bytes
        }))
    }

    /// Brings all of them to the disk: from now on they are there, and stay as long as the pins are held.
    ///
    /// # Errors
    /// There is no room, or the disk failed.
    pub fn settle(mut self) -> Result<Vec<Pin>, Refused> {
        self.bring()?;
        Ok(self.pins.into_values().collect())
    }

    fn bring(&mut self) -> Result<(), Refused> {
        let written = std::mem::take(&mut self.written);
        beside(&written, |(_, upload)| upload.sync())?;
        let mut named = Vec::new();
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        for (hash, mut upload) in written {
            upload.name(hash)?;
            folders.extend(self.blobs.folder.of_blob(&self.tenant, &hash));
            named.push(hash);
        }
        let folders: Vec<PathBuf> = folders.into_iter().collect();
        beside(&folders, |folder| sync(folder).map_err(Refused::from))?;
        self.blobs.with(&self.tenant, |account| account.fresh.retain(|hash| !named.contains(hash)));
        for hash in named {
            if self.look_up(hash)?.is_none() {
                // Its tenant has deleted it at this very moment.
                return Err(io::Error::other(format!("{hash} was deleted while it came")).into());
            }
        }
        Ok(())
    }
}

/// Does something with each, several at a time.
fn beside<T: Sync>(all: &[T], work: impl Fn(&T) -> Result<(), Refused> + Sync) -> Result<(), Refused> {
    let part = all.len().div_ceil(WAITING).max(1);
    std::thread::scope(|scope| {
        let parts = all.chunks(part).map(|part| scope.spawn(|| part.iter().try_for_each(&work)));
        let parts: Vec<_> = parts.collect();
        let ended = parts.into_iter().map(|part| {
            part.join().unwrap_or_else(|_| Err(io::Error::other("a thread that waits for the disk panicked").into()))
        });
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}
