//! Where blobs lie: `<SHA-256 of the tenant's name>/<first two digits>/<64 digits>`, and in each tenant's folder a file with
//! its name. What is not whole yet lies in `unfinished`, and so does what is about to be removed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api_spec::Sha256;
use nix::fcntl::{AT_FDCWD, Flock, FlockArg};
use nix::libc::O_NOFOLLOW;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use sha2::Digest;

use super::{Blob, charged};
use crate::cache::folder::make;

const UNFINISHED: &str = "unfinished";
const LOCK: &str = "lock";
const NAME: &str = "tenant";

/// The folder. While it is held, no other engine takes it.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
    /// What a test does before each use of the disk.
    #[cfg(test)]
    pub(super) before: super::tests::Before,
}

/// What a tenant has there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holds {
    /// What its blobs count.
    pub(super) bytes: u64,
    /// How many they are.
    pub(super) blobs: u64,
}

/// A blob as its file says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// How long it is.
    pub(super) bytes: u64,
    /// When it was used last.
    pub(super) used: i64,
}

impl Folder {
    /// Takes the folder, and removes what is not whole: whose blobs are there. They are not looked at.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<String>)> {
        make(path)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path.join(LOCK))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
            nix::errno::Errno::EWOULDBLOCK => io::Error::other("another engine has them"),
            errno => errno.into(),
        })?;
        let folder = Folder {
            path: path.to_owned(),
            _lock: lock,
            #[cfg(test)]
            before: Default::default(),
        };
        let unfinished = path.join(UNFINISHED);
        make(&unfinished)?;
        for left in fs::read_dir(&unfinished)? {
            fs::remove_file(left?.path())?;
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == LOCK || name == UNFINISHED {
                continue;
            }
            // One that has no name was about to be made.
            match fs::read_to_string(entry.path().join(NAME)) {
                Ok(tenant) if folder.of(&tenant) == entry.path() => found.push(tenant),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(_) => tracing::warn!(folder = %entry.path().display(), "is no folder of blobs; left alone"),
                Err(error) => return Err(error),
            }
        }
        Ok((folder, found))
    }

    /// Counts what a tenant has: a look at each of its files.
    pub(super) fn count(&self, tenant: &str) -> io::Result<Holds> {
        let mut holds = Holds::default();
        self.each(tenant, |_, blob| {
            holds.bytes = holds.bytes.saturating_add(charged(blob.bytes));
            holds.blobs += 1;
        })?;
        Ok(holds)
    }

    /// The disk is used. Who comes here may wait without end.
    fn disk(&self) {
        #[cfg(test)]
        self.before.call();
    }

    fn of(&self, tenant: &str) -> PathBuf {
        self.disk();
        self.path.join(Sha256(sha2::Sha256::digest(tenant).into()).hex())
    }

    fn file(&self, tenant: &str, hash: &Sha256) -> PathBuf {
        let hex = hash.hex();
        self.of(tenant).join(&hex[..2]).join(hex)
    }

    /// The folders that have to be on the disk for a blob to have its name for good: each of them may be new.
    pub(super) fn of_blob(&self, tenant: &str, hash: &Sha256) -> [PathBuf; 2] {
        let own = self.of(tenant);
        [own.join(&hash.hex()[..2]), own]
    }

    /// Where something lies for the time being.
    pub(super) fn unfinished(&self, number: u64) -> PathBuf {
        self.disk();
        self.path.join(UNFINISHED).join(number.to_string())
    }

    /// A new file there.
    pub(super) fn begin(&self, number: u64) -> io::Result<File> {
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(self.unfinished(number))
    }

    /// What the file system still has room for.
    pub(super) fn free(&self) -> io::Result<u64> {
        self.disk();
        let found = nix::sys::statvfs::statvfs(&self.path)?;
        Ok(found.blocks_available().saturating_mul(found.fragment_size()))
    }

    /// What a blob's file says. `None`: there is none.
    pub(super) fn look(&self, tenant: &str, hash: &Sha256) -> io::Result<Option<Found>> {
        found(fs::symlink_metadata(self.file(tenant, hash)))
    }

    /// Has a blob's file say when it was used last.
    pub(super) fn note(&self, tenant: &str, hash: &Sha256, used: i64) -> io::Result<()> {
        let time = TimeSpec::new(used, 0);
        Ok(utimensat(AT_FDCWD, &self.file(tenant, hash), &time, &time, UtimensatFlags::NoFollowSymlink)?)
    }

    pub(super) fn open_blob(&self, tenant: &str, hash: &Sha256) -> io::Result<Blob> {
        let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(self.file(tenant, hash))?;
        let bytes = file.metadata()?.len();
        Ok(Blob { file: Arc::new(file), bytes })
    }

    /// Gives a file that is whole and on the disk its name.
    pub(super) fn place(&self, unfinished: &Path, tenant: &str, hash: &Sha256) -> io::Result<()> {
        self.folders(tenant, hash)?;
        fs::rename(unfinished, self.file(tenant, hash))
    }

    /// Has its name survive a power cut.
    pub(super) fn settle(&self, tenant: &str, hash: &Sha256) -> io::Result<()> {
        self.of_blob(tenant, hash).iter().try_for_each(|folder| sync(folder))
    }

    /// Makes the folders of a blob, the tenant's with a name that survives a power cut.
    fn folders(&self, tenant: &str, hash: &Sha256) -> io::Result<()> {
        let own = self.of(tenant);
        let make = |path: &Path| match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            made => made.map(|()| true),
        };
        // The name comes first: without it nothing in the folder is found at the next start.
        if make(&own)? || !own.join(NAME).exists() {
            let new = self.path.join(UNFINISHED).join(format!("{NAME}-{}", hash.hex()));
            fs::write(&new, tenant)?;
            File::open(&new)?.sync_all()?;
            fs::rename(&new, own.join(NAME))?;
            sync(&own)?;
            sync(&self.path)?;
        }
        make(&own.join(&hash.hex()[..2])).map(drop)
    }

    /// Takes a blob's name away: where its file lies now.
    pub(super) fn put_aside(&self, tenant: &str, hash: &Sha256, number: u64) -> io::Result<PathBuf> {
        let aside = self.unfinished(number);
        fs::rename(self.file(tenant, hash), &aside)?;
        Ok(aside)
    }

    /// All that were used last before a second, and when.
    pub(super) fn older(&self, tenant: &str, before: i64) -> io::Result<Vec<(Sha256, i64)>> {
        let mut old = Vec::new();
        self.each(tenant, |hash, found| {
            if found.used < before {
                old.push((hash, found.used));
            }
        })?;
        Ok(old)
    }

    fn each(&self, tenant: &str, mut of: impl FnMut(Sha256, Found)) -> io::Result<()> {
        let folders = match fs::read_dir(self.of(tenant)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            folders => folders?,
        };
        for folder in folders {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for entry in fs::read_dir(folder.path())? {
                let entry = entry?;
                let Some(hash) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
                // By its folder: the whole path has the hash of the tenant's name in it, which costs more than the look.
                if let Some(found) = found(entry.metadata())? {
                    of(hash, found);
                }
            }
        }
        Ok(())
    }
}

/// What is there in a blob's place. What was removed meanwhile is none.
fn found(looked: io::Result<fs::Metadata>) -> io::Result<Option<Found>> {
    match looked {
        Ok(file) if file.is_file() => Ok(Some(Found { bytes: file.len(), used: file.mtime() })),
        Ok(_) => Err(io::Error::other("what lies in a blob's place is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
