//! Looks through folders, by descriptor, in bytewise order of the names, with bounded memory.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use nix::dir::{Dir, Type};
use nix::fcntl::openat;
use nix::sys::stat::Mode;

use super::globs::Globs;
use super::{Collector, MOST_DEPTH, PassedOver, THROUGH, look, open_file};
use crate::records::PATH_BYTES;

/// How much memory the names may take that wait for their turn, of all folders on the way together.
pub(super) const NAMES_BYTES: usize = 8 << 20;
/// What a name takes beside its bytes.
const NAME_COST: usize = 96;

/// Which files are wanted.
pub(super) enum Want<'a> {
    /// Every one.
    All,
    /// Those that a wildcard matches.
    Matching(&'a Globs),
}

impl Want<'_> {
    fn takes(&self, path: &[u8]) -> bool {
        match self {
            Want::All => true,
            Want::Matching(globs) => globs.matches(path),
        }
    }

    /// A link that the bundle has made: nothing that the program should hear of.
    fn knows_link(&self, path: &[u8]) -> bool {
        matches!(self, Want::Matching(globs) if globs.knows_link(path))
    }

    fn enters(&self, folder: &[u8], depth: usize) -> bool {
        match self {
            Want::All => true,
            Want::Matching(globs) => globs.may_match_in(folder, depth),
        }
    }
}

/// The names of one folder that matter, the smallest of them where they are too many.
#[derive(Default)]
struct Names {
    /// By name, whether it is a folder.
    kept: BTreeMap<CString, bool>,
    bytes: usize,
    /// The smallest name that was dropped. From there on nothing is kept, whatever the order in which names come.
    horizon: Option<CString>,
    dropped: u64,
    too_long: bool,
}

impl Names {
    fn add(&mut self, name: &CStr, is_folder: bool, most: usize) {
        if self.horizon.as_deref().is_some_and(|horizon| name >= horizon) {
            self.dropped += 1;
            return;
        }
        self.bytes += name.count_bytes() + NAME_COST;
        self.kept.insert(name.to_owned(), is_folder);
        while self.bytes > most {
            let Some((name, _)) = self.kept.pop_last() else { return };
            self.bytes -= name.count_bytes() + NAME_COST;
            self.dropped += 1;
            self.horizon = Some(name);
        }
    }
}

impl Collector {
    /// Takes what is wanted in `folder` and below. `path` leads there and is as it was when this returns; it has `depth`
    /// names.
    pub(super) fn walk(
        &mut self,
        folder: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
        want: &Want<'_>,
        names_bytes: usize,
    ) -> io::Result<()> {
        // Half for this folder, half of the rest for the next below it, and so on.
        let names = match self.list(folder, path, depth, want, names_bytes / 2) {
            Ok(names) => names,
            Err(_) if path.is_empty() => return Err(io::ErrorKind::PermissionDenied.into()),
            Err(_) => return self.pass_over(path, PassedOver::Unreadable.text()),
        };
        self.more += names.dropped;
        if names.too_long {
            self.pass_over(path, "what is in it has too long a path")?;
        }
        let left = names_bytes - names.bytes;
        for (name, is_folder) in names.kept {
            if self.is_late() {
                return Ok(());
            }
            let length = path.len();
            append(path, &name);
            if is_folder {
                match openat(folder, name.as_c_str(), THROUGH, Mode::empty()) {
                    Ok(_) if depth + 1 >= MOST_DEPTH => self.pass_over(path, "too many folders in each other")?,
                    Ok(below) => self.walk(&below, path, depth + 1, want, left)?,
                    Err(_) => self.pass_over(path, PassedOver::Unreadable.text())?,
                }
            } else {
                self.take_at(folder, &name, path, want)?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    /// A file, or what has one's place. Once nothing of it can be told any more it is not even looked at.
    fn take_at(&mut self, folder: &OwnedFd, name: &CStr, path: &[u8], want: &Want<'_>) -> io::Result<()> {
        if self.room.files == 0 && self.skipped == crate::records::collection::MOST_SKIPPED {
            self.more += 1;
            return Ok(());
        }
        match open_file(folder, name) {
            Err(PassedOver::Link) if want.knows_link(path) => Ok(()),
            found => self.take(path, found),
        }
    }

    /// The names in `folder` that matter.
    fn list(
        &mut self,
        folder: &OwnedFd,
        path: &mut Vec<u8>,
        depth: usize,
        want: &Want<'_>,
        most: usize,
    ) -> io::Result<Names> {
        let mut names = Names::default();
        let mut dir = Dir::from_fd(openat(folder, c".", THROUGH, Mode::empty())?)?;
        for entry in dir.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if self.looks == 0 || self.is_late() {
                // What was found so far is taken all the same, unless it is late.
                self.cut = true;
                break;
            }
            self.looks -= 1;
            let is_folder = match entry.file_type() {
                Some(kind) => kind == Type::Directory,
                None => look(folder, name) == Err(PassedOver::Folder),
            };
            let length = path.len();
            append(path, name);
            let matters = if is_folder { want.enters(path, depth + 1) } else { want.takes(path) };
            let fits = path.len() <= PATH_BYTES;
            path.truncate(length);
            if matters && fits {
                names.add(name, is_folder, most);
            }
            names.too_long |= matters && !fits;
        }
        Ok(names)
    }

    fn is_late(&mut self) -> bool {
        let late = Instant::now() >= self.until;
        self.cut |= late;
        late
    }
}

fn append(path: &mut Vec<u8>, name: &CStr) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.to_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_are_kept_in_whatever_order_they_come() {
        let mut all: Vec<CString> = (0..200).map(|n| CString::new("x".repeat(1 + n * 37 % 91)).unwrap()).collect();
        all.extend((0..200).map(|n| CString::new(format!("{}", n * 7919 % 1000)).unwrap()));
        all.sort();
        all.dedup();
        let keep = |order: Vec<&CString>| {
            let mut names = Names::default();
            for name in order {
                names.add(name, false, 5000);
            }
            assert!(names.bytes <= 5000 && names.kept.len() as u64 + names.dropped == all.len() as u64);
            names.kept.into_keys().collect::<Vec<_>>()
        };
        let forward = keep(all.iter().collect());
        assert_eq!(forward, all[..forward.len()]);
        assert_eq!(keep(all.iter().rev().collect()), forward);
        let (odd, even): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(at, _)| at % 3 == 1);
        assert_eq!(keep(odd.into_iter().chain(even).map(|(_, name)| name).collect()), forward);
    }
}
