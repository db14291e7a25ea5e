//! Where entries lie: a folder for each tenant, in it a file for each entry. All names are hashes and numbers.
//!
//! A file is written under another name and renamed when it is whole, so that whatever is killed meanwhile leaves nothing
//! that could be taken for an entry. Nothing is synced: an entry that a power cut has spoilt is known by its hash. The
//! number in a name says when the entry was used last, in uses and not in time, so that no clock can disturb the order.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Instant;

use nix::libc::{ELOOP, O_NOFOLLOW, O_NONBLOCK};
use nix::unistd::geteuid;

use super::entry::{self, Content, Replay};
use super::index::{FAILURE_LASTS, Held, Owner};
use super::{Key, key};

const UNFINISHED: &str = "new-";

/// The folder. While it is held, no other engine takes it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    owners: RwLock<Vec<String>>,
    made: AtomicU64,
    _lock: File,
}

/// What was found in the folder.
#[derive(Debug, Default)]
pub struct Found {
    /// Entries, in no order.
    pub entries: Vec<(Key, Held)>,
    /// What is left to say of files that could not be looked at or taken away.
    pub troubles: Vec<String>,
}

fn name(key: &Key, program: bool, used: u64) -> String {
    format!("{key}-{used:016x}.{}", if program { "program" } else { "errors" })
}

fn parse(name: &str) -> Option<(Key, bool, u64)> {
    let (key, rest) = name.split_once('-')?;
    let (used, kind) = rest.split_once('.')?;
    let program = match kind {
        "program" => true,
        "errors" => false,
        _ => return None,
    };
    let used = u64::from_str_radix(used, 16).ok().filter(|_| used.len() == 16)?;
    // Left for the clock to go on from.
    (used < u64::MAX / 2).then_some((Key::parse(key)?, program, used))
}

/// Makes a folder that nobody else may look into, where there is none.
///
/// # Errors
/// That of `mkdir`, or what lies there is no such folder: others could put programs there that our callers then run.
pub fn make(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    let (found, user) = (fs::symlink_metadata(path)?, geteuid().as_raw());
    let odd = if !found.is_dir() {
        "it is no folder, or a symbolic link to one".to_owned()
    } else if found.uid() != user {
        format!("it belongs to user {} and not to the engine's, {user}", found.uid())
    } else if found.mode() & 0o077 != 0 {
        format!("others may enter it: its mode is {:o}, 700 is needed", found.mode() & 0o7777)
    } else {
        return Ok(());
    };
    Err(io::Error::other(format!("{}: {odd}", path.display())))
}

impl Folder {
    /// Takes the folder for these tenants, and takes away what is no entry of theirs but was made here.
    ///
    /// # Errors
    /// It can't be made, read or written, or another engine has it.
    pub fn open(path: &Path, tenants: &[&str]) -> io::Result<(Folder, Found)> {
        make(path)?;
        // The folder itself, which may be on a file system that is made read-only one day.
        let lock = File::open(path)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another engine has it; give each its own"),
            fs::TryLockError::Error(error) => error,
        })?;
        let owners: Vec<String> = tenants.iter().map(|tenant| key::folder(tenant)).collect();
        let folder = Folder { path: path.to_owned(), owners: RwLock::default(), made: AtomicU64::new(0), _lock: lock };
        let mut found = Found::default();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if Key::parse(&name).is_none() || !entry.file_type()?.is_dir() {
                continue;
            }
            let owner = owners.iter().position(|own| *own == name);
            if let Err(error) = folder.scan(&entry.path(), owner, &mut found) {
                found.troubles.push(format!("{}: {error}", entry.path().display()));
            }
        }
        // Also those that lay there: nobody else has a way in.
        folder.grow(owners)?;
        Ok((folder, found))
    }

    /// Has a folder for each of these, of whom the first may have theirs already. There are never fewer.
    ///
    /// # Errors
    /// One can't be made. Its owner is known all the same, and what would lie there is not kept.
    fn grow(&self, owners: Vec<String>) -> io::Result<()> {
        let known = self.owners.read().unwrap_or_else(PoisonError::into_inner).len();
        let made = owners.iter().skip(known).try_for_each(|owner| make(&self.path.join(owner)));
        *self.owners.write().unwrap_or_else(PoisonError::into_inner) = owners;
        made
    }

    /// Takes these tenants, of whom the first are known.
    ///
    /// # Errors
    /// A folder can't be made for one: nothing is kept for it.
    pub fn take(&self, tenants: &[&str]) -> io::Result<()> {
        self.grow(tenants.iter().map(|tenant| key::folder(tenant)).collect())
    }

    fn of(&self, owner: Owner) -> PathBuf {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        self.path.join(&owners[owner])
    }

    /// Looks through the folder of a tenant, or takes away all of a tenant that is none any more.
    fn scan(&self, path: &Path, owner: Option<Owner>, found: &mut Found) -> io::Result<()> {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let known = parse(&name);
            // How long a failure has lain there nobody knows: those of an earlier process go.
            if let (Some((key, true, used)), Some(owner)) = (known, owner) {
                let metadata = entry.metadata()?;
                if metadata.is_file() {
                    let bytes = metadata.len();
                    let (program, written) = (true, used);
                    found.entries.push((key, Held { owner, used, bytes, program, written, until: None, seen: false }));
                    continue;
                }
            }
            if (known.is_some() || name.starts_with(UNFINISHED))
                && let Err(error) = fs::remove_file(entry.path())
            {
                found.troubles.push(format!("{}: {error}", entry.path().display()));
            }
        }
        if owner.is_none() { fs::remove_dir(path) } else { Ok(()) }
    }

    fn file(&self, key: &Key, held: &Held) -> PathBuf {
        self.of(held.owner).join(name(key, held.program, held.written))
    }

    /// Writes an entry, and says how long its file is. `None`: it is none that can be kept.
    ///
    /// # Errors
    /// That of making, writing or renaming a file. There is none then.
    pub fn write(
        &self,
        key: &Key,
        owner: Owner,
        used: u64,
        replay: &Replay,
        program: Option<&File>,
    ) -> io::Result<Option<Held>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.of(owner).join(format!("{UNFINISHED}{number}"));
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let written = entry::write(&file, key, replay, program).and_then(|written| {
            jail::stop_point!("engined.keeping");
            let Some(()) = written else { return Ok(None) };
            let bytes = file.metadata()?.len();
            let until = if program.is_some() { None } else { Instant::now().checked_add(FAILURE_LASTS) };
            let held = Held { owner, used, bytes, program: program.is_some(), written: used, until, seen: true };
            fs::rename(&unfinished, self.file(key, &held))?;
            Ok(Some(held))
        });
        if !matches!(written, Ok(Some(_)))
            && let Err(error) = fs::remove_file(&unfinished)
        {
            tracing::debug!(%error, "an unfinished entry stays until the next start");
        }
        written
    }

    /// Reads an entry. Whatever else lies in its place is damage.
    ///
    /// # Errors
    /// That of opening or reading the file; `NotFound` when it is gone.
    pub fn read(&self, key: &Key, held: &Held) -> io::Result<Content> {
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(self.file(key, held)) {
            Err(error) if error.raw_os_error() == Some(ELOOP) => return Ok(Content::Damaged("it is a symbolic link")),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Content::Damaged("it is no file"));
        }
        if metadata.len() != held.bytes {
            return Ok(Content::Damaged("it has another length"));
        }
        entry::read(&file, held.bytes, key)
    }

    /// Has the name of a file say when it was used last.
    ///
    /// # Errors
    /// That of `rename`.
    pub fn rename(&self, key: &Key, held: &Held) -> io::Result<()> {
        fs::rename(self.file(key, held), self.file(key, &Held { written: held.used, ..*held }))
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// That of `unlink`.
    pub fn remove(&self, key: &Key, held: &Held) -> io::Result<()> {
        match fs::remove_file(self.file(key, held)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

#[cfg(test)]
mod tests;
