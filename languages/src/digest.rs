//! What a toolchain is made of, in one number that changes with it.
//!
//! Reading a compiler's 200 MiB at every start would take longer than starting it. So files stand for their bytes by
//! name, kind, size, inode and the time when they were written: a package manager puts another file in a file's place,
//! even where size and time are those of before. The time of the last change (`ctime`) does not count: whoever makes a
//! hard link to a file, a backup for one, changes it. No owner does, who is nobody in a user namespace, and no device,
//! which has another number after a restart.
//!
//! A cryptographic hash, because the digest is a key: what was made with one toolchain must never be taken for what
//! another one made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::definition::{Definition, Toolchain};

/// Names a set of files, a recipe, or both: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A part of a toolchain that could not be looked at.
#[derive(Debug)]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        write!(f, "{path} can't be looked at: {}; make it readable for everyone, or correct `parts`", self.error)
    }
}

impl std::error::Error for Unreadable {}

/// More than this many files are no toolchain, and somebody waits for the answer.
const MOST_FILES: usize = 400_000;

impl Definition {
    /// All that a toolchain consists of as far as the manifest says: programs, what they need, `parts`, and folders
    /// outside `/usr`.
    #[must_use]
    pub fn whole(&self, toolchain: &Toolchain) -> BTreeSet<PathBuf> {
        let programs = std::iter::once(&toolchain.program).chain(&toolchain.run_program);
        let mounts = toolchain.mounts().map(|mount| &mount.path);
        programs.chain(&toolchain.needs).chain(&self.parts).chain(&toolchain.parts).chain(mounts).cloned().collect()
    }

    /// Changes when any file of the toolchain does, one that is not there among them. Some thousand calls of `stat`.
    ///
    /// # Errors
    /// When something is there that can't be looked at: half a digest would be no digest.
    pub fn toolchain_digest(&self, toolchain: &Toolchain) -> Result<Digest, Unreadable> {
        self.toolchain_digest_by(toolchain, &mut Looks::default())
    }

    /// The same for several toolchains in a row, which have parts in common.
    ///
    /// # Errors
    /// As [`Definition::toolchain_digest`].
    pub fn toolchain_digest_by(&self, toolchain: &Toolchain, looks: &mut Looks) -> Result<Digest, Unreadable> {
        let mut all = Sha256::new();
        for part in self.whole(toolchain) {
            let digest = match looks.0.get(&part) {
                Some(digest) => *digest,
                None => {
                    let mut walk = Walk { hash: Sha256::new(), files: 0 };
                    walk.part(&part)?;
                    let digest = Digest(walk.hash.finalize().into());
                    looks.0.insert(part, digest);
                    digest
                }
            };
            all.update(digest.0);
        }
        Ok(Digest(all.finalize().into()))
    }
}

/// What the parts of toolchains were a moment ago.
#[derive(Debug, Default)]
pub struct Looks(BTreeMap<PathBuf, Digest>);

struct Walk {
    hash: Sha256,
    files: usize,
}

impl Walk {
    /// A path of the manifest: wherever its links lead to counts.
    fn part(&mut self, path: &Path) -> Result<(), Unreadable> {
        let real = match fs::canonicalize(path) {
            Ok(real) => real,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.note(path, "absent");
                return Ok(());
            }
            Err(error) => return Err(Unreadable { path: path.to_owned(), error }),
        };
        // By whatever name it was found: `gcc` and `gcc-12` are often one.
        self.entry(&real)
    }

    fn entry(&mut self, path: &Path) -> Result<(), Unreadable> {
        let unreadable = |error| Unreadable { path: path.to_owned(), error };
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(unreadable(io::Error::other(format!("there are more than {MOST_FILES} files"))));
        }
        let metadata = fs::symlink_metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            self.note(path, "folder");
            let entries = fs::read_dir(path).map_err(unreadable)?;
            let names: io::Result<BTreeSet<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
            return names.map_err(unreadable)?.iter().try_for_each(|name| self.entry(name));
        }
        self.note(path, &stamp(&metadata));
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(unreadable)?;
            self.note(&target, "target");
            // A library of another folder is part of it too; a folder behind a link would be walked for ever.
            match fs::metadata(path) {
                Ok(behind) if behind.is_file() => self.note(path, &stamp(&behind)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => self.note(path, "dangling"),
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(())
    }

    /// Neither text has a NUL in it, so two different lists never give the same bytes.
    fn note(&mut self, path: &Path, what: &str) {
        self.hash.update(path.as_os_str().as_encoded_bytes());
        self.hash.update([0]);
        self.hash.update(what.as_bytes());
        self.hash.update([0]);
    }
}

fn stamp(metadata: &fs::Metadata) -> String {
    let (mode, size, inode) = (metadata.mode(), metadata.size(), metadata.ino());
    format!("{mode:o} {size} {inode} {:?}", (metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The digest of a toolchain of this folder, made anew.
    fn digest(folder: &Path) -> Digest {
        let c = crate::Catalogue::builtin().language("c").unwrap().clone();
        let toolchain =
            Toolchain { program: folder.join("cc"), parts: vec![folder.to_owned()], ..Toolchain::default() };
        Definition { parts: Vec::new(), ..c }.toolchain_digest(&toolchain).unwrap()
    }

    #[test]
    fn it_changes_with_every_file_and_with_nothing_else() {
        let folder = std::env::temp_dir().join(format!("languages-digest-{}", std::process::id()));
        fs::create_dir_all(folder.join("include")).unwrap();
        let header = folder.join("include/stdio.h");
        let mut seen = vec![digest(&folder)];
        let mut changed = |what: &str| {
            let now = digest(&folder);
            assert_eq!(now, digest(&folder), "{what}");
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(folder.join("cc"), "one").unwrap();
        changed("a program came");
        fs::write(&header, "one").unwrap();
        changed("a file came");
        let written = fs::metadata(&header).unwrap().modified().unwrap();
        let upgrade = folder.join("new");
        fs::write(&upgrade, "two").unwrap();
        fs::File::options().write(true).open(&upgrade).unwrap().set_modified(written).unwrap();
        fs::rename(&upgrade, &header).unwrap();
        changed("another file of this size and time");
        symlink("../cc", folder.join("include/link")).unwrap();
        changed("a link came");
        fs::rename(folder.join("include/link"), folder.join("include/other")).unwrap();
        changed("a link is called otherwise");
        fs::write(folder.join("cc"), "three").unwrap();
        changed("what a link leads to");
        fs::remove_file(&header).unwrap();
        changed("a file went");
        let (now, link) = (digest(&folder), folder.with_extension("link"));
        fs::hard_link(folder.join("cc"), &link).unwrap();
        assert_eq!(now, digest(&folder), "a name elsewhere is nothing to it");
        fs::remove_file(&link).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_there_and_can_t_be_looked_at_gives_no_digest() {
        let c = crate::Catalogue::builtin().language("c").unwrap().clone();
        let toolchain = Toolchain { program: PathBuf::from("/dev/null/cc"), ..Toolchain::default() };
        let error = c.toolchain_digest(&toolchain).unwrap_err().to_string();
        assert!(error.starts_with("/dev/null/cc can't be looked at: "), "{error}");
    }

    #[test]
    fn it_reads_as_hexadecimal() {
        let text = Digest::of(b"").to_string();
        assert_eq!(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
