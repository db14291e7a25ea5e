//! `engined store backup` and `engined store restore`: batches with the blobs that they need, in a folder of their own.
//!
//! A backup is taken while the engine serves. First the store is copied, which is of one moment; then the blobs that the copy
//! needs, each verified on the way: blobs never change, and those that a kept batch needs are not removed. A restore takes them
//! the other way round, so that there is never a batch without its data.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use store::Hash;

/// Where both are below a state folder and in a backup.
const BATCHES: &str = "batches";
const BLOBS: &str = "blobs";

/// Where an engine keeps them.
#[derive(Clone, Debug)]
pub struct Places {
    /// The folder of the store.
    pub batches: PathBuf,
    /// That of blobs.
    pub blobs: PathBuf,
}

impl Places {
    /// The usual ones below a folder.
    #[must_use]
    pub fn below(folder: &Path) -> Places {
        Places { batches: folder.join(BATCHES), blobs: folder.join(BLOBS) }
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Blobs that were not there before.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies what an engine keeps into a folder, while it serves.
///
/// # Errors
/// What could not be read or written, or is not what it should be.
pub fn backup(from: &Places, to: &Path) -> Result<Copied, String> {
    owner(&from.batches)?;
    let to = Places::below(to);
    store::backup(&from.batches, &to.batches).map_err(|error| error.to_string())?;
    copy_blobs(&to.batches, &from.blobs, &to.blobs)
}

/// Gives an engine that does not run what a backup has. It must have no batches yet; blobs that it has stay.
///
/// # Errors
/// What could not be read or written, or is not what it should be.
pub fn restore(from: &Path, to: &Places) -> Result<Copied, String> {
    owner(&to.batches)?;
    let from = Places::below(from);
    make(&to.blobs)?;
    let lock = lock(&to.blobs)?;
    let copied = copy_blobs(&from.batches, &from.blobs, &to.blobs)?;
    store::restore(&from.batches, &to.batches).map_err(|error| error.to_string())?;
    drop(lock);
    Ok(copied)
}

/// Files that another user than the engine's made would lock it out.
fn owner(folder: &Path) -> Result<(), String> {
    let there = folder.ancestors().find_map(|path| fs::metadata(path).ok());
    let uid = there.map_or(0, |there| there.uid());
    if Uid::effective().as_raw() == uid {
        return Ok(());
    }
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| format!("#{uid}"), |user| user.name);
    Err(format!(
        "{} belongs to {user}, and what this makes there must as well; run it as that user: runuser -u {user} -- engined \
         store …, with a folder for the backup that belongs to {user}",
        folder.display()
    ))
}

/// Holds the folder of blobs, so that no engine does.
fn lock(blobs: &Path) -> Result<File, String> {
    let path = blobs.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|error| told(&path, &error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(format!("{} is in use; stop engined first", blobs.display())),
        Err(TryLockError::Error(error)) => Err(told(&path, &error)),
    }
}

fn told(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn make(folder: &Path) -> Result<(), String> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| told(folder, &error))
}

/// Copies the blobs that a store needs and that are not there yet.
fn copy_blobs(batches: &Path, from: &Path, to: &Path) -> Result<Copied, String> {
    let needed = store::needed_blobs(batches).map_err(|error| error.to_string())?;
    let mut copied = Copied::default();
    let mut folders = BTreeSet::new();
    for (tenant, hash) in needed {
        let (from, to) = (Blob::of(from, &tenant, &hash), Blob::of(to, &tenant, &hash));
        if to.path.try_exists().map_err(|error| told(&to.path, &error))? {
            continue;
        }
        make(&to.folder)?;
        name(&to.tenant, &tenant)?;
        copied.bytes += copy(&from.path, &to, &hash)?;
        copied.blobs += 1;
        folders.extend(to.folder.ancestors().take(3).map(Path::to_owned));
    }
    // Names are durable once their folders are.
    for folder in folders {
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| told(&folder, &error))?;
    }
    Ok(copied)
}

/// Where a blob is, as `blobs::folder` says.
struct Blob {
    /// What is not whole yet.
    unfinished: PathBuf,
    /// The folder of its tenant.
    tenant: PathBuf,
    folder: PathBuf,
    path: PathBuf,
}

impl Blob {
    fn of(root: &Path, tenant: &str, hash: &Hash) -> Blob {
        let hex = hex(hash);
        let tenant = root.join(self::hex(&Sha256::digest(tenant).into()));
        let folder = tenant.join(&hex[..2]);
        Blob { unfinished: root.join("unfinished"), path: folder.join(hex), tenant, folder }
    }
}

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Says in a tenant's folder whose it is.
fn name(folder: &Path, tenant: &str) -> Result<(), String> {
    let path = folder.join("tenant");
    let mut file = match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(told(&path, &error)),
    };
    file.write_all(tenant.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| told(&path, &error))
}

/// Copies one, and gives it its name once it is whole, on the disk and what its hash says.
fn copy(from: &Path, to: &Blob, hash: &Hash) -> Result<u64, String> {
    let mut source = File::open(from).map_err(|error| {
        format!(
            "a blob that a batch needs can't be read: {}; if its batch was forgotten meanwhile, begin anew in another folder",
            told(from, &error)
        )
    })?;
    make(&to.unfinished)?;
    let partial = to.unfinished.join("copy");
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(&partial, &error)),
        _ => {}
    }
    let wrong = |error: io::Error| told(&partial, &error);
    let mut target = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial).map_err(wrong)?;
    let (mut bytes, mut digest, mut piece) = (0, Sha256::new(), vec![0; 1 << 18]);
    loop {
        let length = source.read(&mut piece).map_err(|error| told(from, &error))?;
        if length == 0 {
            break;
        }
        digest.update(&piece[..length]);
        target.write_all(&piece[..length]).map_err(wrong)?;
        bytes += u64::try_from(length).unwrap_or(u64::MAX);
    }
    if digest.finalize()[..] != hash[..] {
        fs::remove_file(&partial).map_err(wrong)?;
        return Err(format!("{} is damaged: it does not have the hash that is its name", from.display()));
    }
    // The time of the file says when it was used last.
    let used = source.metadata().and_then(|data| data.modified()).map_err(|error| told(from, &error))?;
    target.set_times(FileTimes::new().set_modified(used)).and_then(|()| target.sync_all()).map_err(wrong)?;
    fs::rename(&partial, &to.path).map_err(|error| told(&to.path, &error))?;
    Ok(bytes)
}
