//! A blob on its way: written and hashed piece by piece, and given its name when it is whole and on the disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api_spec::Sha256;
use nix::libc::{EDQUOT, EFBIG, ENOSPC};
use sha2::Digest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Blobs, GIVEN_UP, charged, now, signed};

/// After so many bytes it is looked how much is still free.
const LOOK_AGAIN: u64 = 8 << 20;

/// Why a blob was not taken. Nothing is left of it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is larger than any may be.
    #[error("it has more than {most} bytes")]
    TooLarge {
        /// The cap.
        most: u64,
    },
    /// The tenant has no room for it.
    #[error("it needs {wanted} bytes, and the tenant's blobs have {used} of {quota}")]
    Quota {
        /// What it counts, as far as it has come.
        wanted: u64,
        /// What the others count.
        used: u64,
        /// What all of them may.
        quota: u64,
    },
    /// What the tenant has was not counted yet since the start.
    #[error("the tenant's blobs are being counted")]
    Counting,
    /// The disk has no room.
    #[error("{0}")]
    Full(String),
    /// It is another than was announced.
    #[error("it is {found}, not {announced}")]
    Other {
        /// What came.
        found: Sha256,
        /// What should have come.
        announced: Sha256,
    },
    /// So many of this tenant are on their way: its part of all places.
    #[error("{0} of the tenant are on their way")]
    Part(usize),
    /// So many are on their way: all places.
    #[error("{0} are on their way")]
    Busy(usize),
    /// The disk failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

/// What became of a blob that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is there now.
    New,
    /// It was there.
    Before,
}

/// A blob on its way. Dropped, it leaves nothing behind.
#[derive(Debug)]
#[must_use = "dropped, it leaves nothing behind"]
pub struct Upload {
    room: Room,
    quota: u64,
    place: Option<(File, PathBuf)>,
    hash: sha2::Sha256,
    bytes: u64,
    looked: u64,
    _places: Option<[OwnedSemaphorePermit; 2]>,
}

/// Bytes of a tenant's quota, until they are a blob's or given back.
#[derive(Debug)]
struct Room {
    blobs: Arc<Blobs>,
    tenant: String,
    taken: u64,
}

impl Room {
    /// Takes what a blob of `bytes` counts, and keeps what it has if that is more.
    fn reach(&mut self, bytes: u64, quota: u64) -> Result<(), Refused> {
        let wanted = charged(bytes);
        let more = wanted.saturating_sub(self.taken);
        if more > 0 {
            self.blobs.with(&self.tenant, |account| {
                let used = account.used - self.taken;
                if used.saturating_add(wanted) > quota {
                    return Err(Refused::Quota { wanted, used, quota });
                }
                account.used += more;
                Ok(())
            })?;
            self.taken = wanted;
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Room {
        let taken = std::mem::take(&mut self.taken);
        Room { blobs: Arc::clone(&self.blobs), tenant: self.tenant.clone(), taken }
    }

    fn give_back(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if taken > 0 {
            self.blobs.with(&self.tenant, |account| account.used = account.used.saturating_sub(taken));
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Blobs {
    /// Takes a place for an upload of a tenant, waiting at most so long for one, and for its blobs to be counted. Does
    /// not wait on the calling thread.
    ///
    /// # Errors
    /// [`Refused::Part`] or [`Refused::Busy`].
    pub async fn place(&self, tenant: &str, patience: Duration) -> Result<[OwnedSemaphorePermit; 2], Refused> {
        self.counted(tenant, patience).await;
        let own = self.with(tenant, |account| Arc::clone(&account.places));
        let take = async |places: &Arc<Semaphore>| {
            let taken = tokio::time::timeout(patience, Arc::clone(places).acquire_owned()).await;
            taken.ok().and_then(Result::ok)
        };
        let own = take(&own).await.ok_or(Refused::Part(self.limits.uploads.div_ceil(2)))?;
        let all = take(&self.places).await.ok_or(Refused::Busy(self.limits.uploads))?;
        Ok([own, all])
    }

    /// Begins to take a blob of a tenant, which has `quota` bytes for all of its blobs. What is announced of its length and
    /// its hash is checked at once, and what is there already is not written again.
    ///
    /// # Errors
    /// There is no room, or the disk failed.
    pub fn receive(
        self: &Arc<Self>,
        tenant: &str,
        quota: u64,
        announced: (Option<u64>, Option<Sha256>),
        places: Option<[OwnedSemaphorePermit; 2]>,
    ) -> Result<Upload, Refused> {
        let (length, hash) = announced;
        if length.is_some_and(|length| length > self.limits.most) {
            return Err(Refused::TooLarge { most: self.limits.most });
        }
        let mut room = Room { blobs: Arc::clone(self), tenant: tenant.to_owned(), taken: 0 };
        let there = hash.map(|hash| self.pin(tenant, hash)).transpose()?.flatten().is_some();
        let place = if there {
            None
        } else {
            if !self.with(tenant, |account| account.counted) {
                return Err(Refused::Counting);
            }
            room.reach(length.unwrap_or_default(), quota)?;
            self.has_room(length.unwrap_or_default())?;
            let number = self.number();
            Some((self.folder.begin(number).map_err(full)?, self.folder.unfinished(number)))
        };
        Ok(Upload { room, quota, place, hash: sha2::Sha256::default(), bytes: 0, looked: 0, _places: places })
    }

    fn has_room(&self, more: u64) -> Result<(), Refused> {
        let (free, least) = (self.folder.free()?, self.limits.free);
        if free.saturating_sub(more) >= least {
            return Ok(());
        }
        Err(Refused::Full(format!(
            "the disk has {free} bytes free: {more} more would leave less than health.disk_free_bytes, {least}"
        )))
    }
}

fn full(error: io::Error) -> Refused {
    match error.raw_os_error() {
        Some(ENOSPC | EDQUOT | EFBIG) => Refused::Full(format!("the disk took no more: {error}")),
        _ => Refused::Failed(error),
    }
}

impl Upload {
    /// How much has come.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next piece.
    ///
    /// # Errors
    /// There is no room, or the disk failed.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Refused> {
        let blobs = Arc::clone(&self.room.blobs);
        let bytes = self.bytes.saturating_add(piece.len() as u64);
        if bytes > blobs.limits.most {
            return Err(Refused::TooLarge { most: blobs.limits.most });
        }
        self.hash.update(piece);
        if let Some((file, _)) = &mut self.place {
            self.room.reach(bytes, self.quota)?;
            if bytes - self.looked >= LOOK_AGAIN {
                blobs.has_room(0)?;
                self.looked = bytes;
            }
            file.write_all(piece).map_err(full)?;
        }
        self.bytes = bytes;
        Ok(())
    }

    /// It is whole. When this returns it has its name, and keeps it whatever happens.
    ///
    /// # Errors
    /// It is another than was announced, or the disk failed.
    pub fn finish(mut self, announced: Sha256) -> Result<Placed, Refused> {
        let whole = self.place.is_some();
        self.sync()?;
        let placed = self.name(announced)?;
        if whole {
            let (blobs, tenant) = (&self.room.blobs, &self.room.tenant);
            // Also of what was there: whoever has put it there may not have come so far.
            blobs.folder.settle(tenant, &announced)?;
            blobs.with(tenant, |account| account.fresh.remove(&announced));
        }
        Ok(placed)
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// That of the disk.
    pub(super) fn sync(&self) -> Result<(), Refused> {
        self.place.as_ref().map_or(Ok(()), |(file, _)| file.sync_all().map_err(full))
    }

    /// Gives what is on the disk its name. Nobody finds it by that before the folder is on the disk as well, and it is no
    /// longer `fresh`.
    ///
    /// # Errors
    /// It is another than was announced, or the disk failed.
    pub(super) fn name(&mut self, announced: Sha256) -> Result<Placed, Refused> {
        let found = Sha256(std::mem::take(&mut self.hash).finalize().into());
        if found != announced {
            return Err(Refused::Other { found, announced });
        }
        let Some((_, path)) = &self.place else { return Ok(Placed::Before) };
        let (blobs, tenant) = (&self.room.blobs, &self.room.tenant);
        let (counts, taken) = (charged(self.bytes), self.room.taken);
        let (placed, named) = blobs.with_names(tenant, || {
            if let Some(there) = blobs.folder.look(tenant, &found)? {
                // Somebody else was faster; or its tenant had deleted it, and wants it back.
                blobs.folder.note(tenant, &found, now())?;
                return Ok((if there.used == GIVEN_UP { Placed::New } else { Placed::Before }, false));
            }
            blobs.with(tenant, |account| account.fresh.insert(found));
            if let Err(error) = blobs.folder.place(path, tenant, &found) {
                blobs.with(tenant, |account| account.fresh.remove(&found));
                return Err(full(error));
            }
            // From here on its bytes are the blob's.
            blobs.metrics.bytes.add(signed(counts));
            blobs.metrics.blobs.inc();
            blobs.with(tenant, |account| account.used = account.used.saturating_sub(taken).saturating_add(counts));
            Ok((Placed::New, true))
        })?;
        if named {
            self.room.taken = 0;
            self.place = None;
        }
        Ok(placed)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some((file, path)) = self.place.take() else { return };
        drop(file);
        let mut room = self.room.hand_over();
        let mut remove = move || {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(%error, "an unfinished blob stays until the next start");
            }
            room.give_back();
        };
        // A large file takes its time to be freed, and this may be a thread of the runtime: the caller has hung up.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}
