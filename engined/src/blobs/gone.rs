//! How blobs go: deleted by their tenant, or as nobody has used them for long.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use api_spec::Sha256;
use store::{Answer, Question};

use super::{Account, Blobs, GIVEN_UP, References, charged, now, signed};

/// So long a deletion waits for its tenant's blobs to be counted. Then it goes with what expires.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for what has expired.
const LOOK_EVERY: Duration = Duration::from_secs(600);

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

impl Blobs {
    /// Deletes a blob for its tenant. Does not wait on the calling thread.
    ///
    /// # Errors
    /// That of the file system.
    pub async fn remove(self: &Arc<Self>, tenant: &str, hash: Sha256) -> io::Result<Removed> {
        self.counted(tenant, PATIENCE).await;
        let (blobs, name) = (Arc::clone(self), tenant.to_owned());
        let given_up = move || {
            blobs.with_names(&name, || {
                let known = blobs.folder.look(&name, &hash)?.filter(|found| found.used != GIVEN_UP);
                if known.is_none() || blobs.with(&name, |account| account.fresh.contains(&hash)) {
                    return Ok(None);
                }
                blobs.folder.note(&name, &hash, GIVEN_UP)?;
                Ok(Some(blobs.with(&name, |account| account.pins.contains_key(&hash))))
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
        let taken = self.with_names(tenant, || {
            let stays = |account: &mut Account| {
                !account.counted || account.pins.contains_key(hash) || account.fresh.contains(hash)
            };
            if self.with(tenant, stays) {
                return Ok(None);
            }
            let Some(found) = self.folder.look(tenant, hash)?.filter(|found| found.used == used) else {
                return Ok(None);
            };
            // The bytes of a large file take their time to be freed, and others of the tenant wait for its names.
            let aside = self.folder.put_aside(tenant, hash, self.number())?;
            self.with(tenant, |account| account.used = account.used.saturating_sub(charged(found.bytes)));
            self.metrics.bytes.sub(signed(charged(found.bytes)));
            self.metrics.blobs.dec();
            Ok::<_, io::Error>(Some(aside))
        })?;
        let Some(aside) = taken else { return Ok(false) };
        std::fs::remove_file(aside)?;
        Ok(true)
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

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
