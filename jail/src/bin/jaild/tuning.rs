//! What is made of toolchains ahead of time: where it is kept, and what of it may be shown to programs.
//!
//! A file that a compiler maps is as good as the compiler. So the store is root's (rootless: its user's), each folder in
//! it was sealed by whoever made it ([`make`]) before it got its name, and what does not look as it was sealed is not
//! shown: steps then run untuned. That never stops a start.

pub mod halt;
pub mod make;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use languages::{Catalogue, Definition, Looks, Toolchain, tuning};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::slot::log;

/// The list of what is in a folder, in that folder.
const SEAL: &str = "sealed";
/// No more of it is read ahead: a small host has other uses for its memory.
const WARM_BYTES: u64 = 256 << 20;

/// Where tuned files are.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    /// Who beside root may own it, as this process sees it.
    owner: u32,
}

impl Store {
    /// The store in this folder, which need not be there.
    pub fn at(folder: &Path, owner: u32) -> Self {
        Store { folder: folder.to_owned(), owner }
    }

    /// What the installed toolchains of a catalogue have in it: the host's folder and where programs see it.
    pub fn shown(&self, catalogue: &Catalogue) -> Vec<(PathBuf, PathBuf)> {
        let mut shown = BTreeSet::new();
        for (name, key) in keys(catalogue) {
            match self.sealed(&key) {
                Ok(true) => drop(shown.insert((self.folder.join(&key), tuning::inside(&key)))),
                Ok(false) => {}
                Err(why) => log(&format!("{name} is not tuned: {why}")),
            }
        }
        shown.into_iter().collect()
    }

    /// Whether the folder of a key is there, as it was sealed.
    ///
    /// # Errors
    /// It is there and not as it was sealed: what is wrong, and what to do.
    fn sealed(&self, key: &str) -> Result<bool, String> {
        let folder = self.folder.join(key);
        match fs::symlink_metadata(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(format!("{}: {e}", folder.display())),
            Ok(_) => {}
        }
        if let Some(mistake) = languages::untrusted(&folder, self.owner) {
            return Err(mistake.to_string());
        }
        let remedy = format!("; jaild --tune yes makes it anew, or remove {}", folder.display());
        let found = self.contents(&folder).map_err(|why| why + &remedy)?;
        let wanted =
            fs::read_to_string(folder.join(SEAL)).map_err(|e| format!("its seal can't be read: {e}{remedy}"))?;
        if seal_text(&found) == wanted {
            return Ok(true);
        }
        Err(format!("it does not look as it was sealed{remedy}"))
    }

    /// Every file of a folder but the seal, by its path in it, with its stamp.
    fn contents(&self, folder: &Path) -> Result<BTreeMap<String, String>, String> {
        let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
        while let Some(next) = folders.pop() {
            let told = |e: io::Error| format!("{}: {e}", next.display());
            for entry in fs::read_dir(&next).map_err(told)? {
                let path = entry.map_err(told)?.path();
                let meta = fs::symlink_metadata(&path).map_err(told)?;
                let shown = path.display();
                if !meta.is_dir() && (!meta.is_file() || meta.nlink() != 1 || meta.mode() & 0o6000 != 0) {
                    return Err(format!("{shown} is no plain file of its own"));
                }
                if meta.uid() != 0 && meta.uid() != self.owner {
                    return Err(format!("{shown} belongs to uid {}", meta.uid()));
                }
                if meta.mode() & 0o022 != 0 {
                    return Err(format!("{shown} has mode {:o}: group or others can change it", meta.mode() & 0o7777));
                }
                if meta.is_dir() {
                    folders.push(path);
                } else if path != folder.join(SEAL) {
                    let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                    found.insert(name, stamp(&meta));
                }
            }
        }
        Ok(found)
    }

    /// Has the kernel read them, so that no run is charged for it: pages belong to whoever reads them first.
    pub fn warm(&self, catalogue: &Catalogue) {
        let mut left = WARM_BYTES;
        for (folder, _) in self.shown(catalogue) {
            for name in self.contents(&folder).unwrap_or_default().keys() {
                let path = folder.join(name);
                let Ok(file) = File::open(&path) else { continue };
                let bytes = file.metadata().map_or(0, |meta| meta.len());
                let Some(rest) = left.checked_sub(bytes) else { continue };
                left = rest;
                if let Err(e) = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_WILLNEED) {
                    log(&format!("{} is not read ahead: {e}", path.display()));
                }
            }
        }
    }
}

/// The time of the last change to the file is in it, which nobody can set.
fn stamp(meta: &fs::Metadata) -> String {
    let (written, changed) = ((meta.mtime(), meta.mtime_nsec()), (meta.ctime(), meta.ctime_nsec()));
    format!("{} {written:?} {changed:?}", meta.size())
}

fn seal_text(found: &BTreeMap<String, String>) -> String {
    found.iter().map(|(name, stamp)| format!("{name} {stamp}\n")).collect()
}

/// What there is a recipe for: language and toolchain, for people, and the key. One key for all names of a toolchain.
fn keys(catalogue: &Catalogue) -> Vec<(String, String)> {
    let mut looks = Looks::default();
    let all = recipes(catalogue).into_iter().filter_map(|(language, toolchain, recipe)| {
        let name = format!("{}/{}", language.id, toolchain.id);
        match language.tuning_key(toolchain, recipe, &mut looks) {
            Ok(key) => Some((name, key)),
            Err(e) => {
                log(&format!("{name} is not tuned: {e}"));
                None
            }
        }
    });
    let mut seen = BTreeSet::new();
    all.filter(|(_, key)| seen.insert(key.clone())).collect()
}

/// Every installed toolchain that has a recipe.
fn recipes(catalogue: &Catalogue) -> Vec<(&Definition, &Toolchain, &tuning::Tuning)> {
    let of = |language| {
        let language: &Definition = language;
        let installed = language.toolchains.iter().filter(|toolchain| language.installed(toolchain));
        installed.filter_map(move |toolchain| Some((language, toolchain, language.tuning(toolchain)?)))
    };
    catalogue.languages().iter().flat_map(of).collect()
}
