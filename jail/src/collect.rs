//! Brings files out of a sandbox: in init, once every other process of the sandbox is dead.
//!
//! The tree below `/box` is the program's work and may be anything. So each path is opened beneath `/box`, component
//! by component, without following a link and without blocking on a FIFO; what is not a regular file with one name is
//! passed over, with the reason. Everything is bounded: files, bytes of each and of all, folders in folders, names looked
//! at, names held in memory, records, and time. Init stops by itself at [`WITHIN`]; the broker ends it when it hangs.
//!
//! The order is that of the bundle for paths, then bytewise by name in each folder for what globs match.

use std::ffi::CStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstatat};

use crate::records::collection::{MOST_IN_FOLDER, MOST_SKIPPED};
use crate::records::{Caps, Kind, RecordReader, RecordWriter, relative_components};
use crate::spec::Collected;
use globs::Globs;
use walk::Want;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod globs;
mod walk;

/// After this nothing more is looked at.
const WITHIN: Duration = Duration::from_secs(5);
/// How many paths may be asked for.
const MOST_PATHS: usize = 1024;
/// How many folders may be inside each other.
const MOST_DEPTH: usize = 128;
/// How many names are looked at.
const MOST_LOOKS: u32 = 200_000;

const THROUGH: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_RDONLY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const READ: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_NOCTTY).union(OFlag::O_CLOEXEC);

/// Collects what `bundle` asks for into `stream`, at most `most` bytes of content.
pub(crate) fn collect(stream: OwnedFd, bundle: OwnedFd, most: u64) -> Collected {
    match collect_into(RecordWriter::over(stream), &File::from(bundle), most) {
        Ok(true) => Collected::Complete,
        // The reader at the other end finds less than all, or a stream without its last record.
        Ok(false) | Err(_) => Collected::Cut,
    }
}

/// What a bundle asks for.
#[derive(Default)]
struct Wishes {
    paths: Vec<Vec<u8>>,
    globs: Globs,
    caps: Option<Caps>,
}

impl Wishes {
    fn read(bundle: &File) -> io::Result<Self> {
        let mut wishes = Wishes::default();
        let mut reader = RecordReader::new(bundle)?;
        while let Some(record) = reader.next_record()? {
            let fits = match record.kind {
                Kind::Collect => {
                    wishes.paths.push(record.name);
                    wishes.paths.len() <= MOST_PATHS
                }
                Kind::Glob => wishes.globs.add(&record.name),
                Kind::Link => wishes.globs.link(&record.name),
                Kind::Except => wishes.globs.except(&record.name),
                Kind::Caps if record.length == 24 => {
                    wishes.caps = Caps::decode(&reader.data(&record)?);
                    wishes.caps.is_some()
                }
                Kind::Caps => false,
                _ => true,
            };
            if !fits {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        Ok(wishes)
    }
}

/// Whether everything was looked at.
fn collect_into(out: RecordWriter, bundle: &File, most: u64) -> io::Result<bool> {
    let wishes = Wishes::read(bundle)?;
    let whole_files = Room { files: MOST_IN_FOLDER as u64, file_bytes: u64::MAX, bytes: most, heads: false };
    let mut collector = Collector {
        out,
        room: whole_files,
        skipped: 0,
        more: 0,
        looks: MOST_LOOKS,
        until: Instant::now() + WITHIN,
        cut: false,
    };
    for path in &wishes.paths {
        match resolve(path) {
            Ok((folder, name)) => match open_file(&folder, &name) {
                Err(PassedOver::Folder) => collector.folder(&folder, &name, path)?,
                found => collector.take(path, found)?,
            },
            Err(why) => collector.pass_over(path, why.text())?,
        }
    }
    if !wishes.globs.is_empty() {
        let caps = wishes.caps.ok_or(io::ErrorKind::InvalidInput)?;
        let bytes = caps.total_bytes.min(collector.room.bytes);
        collector.room = Room { files: caps.files, file_bytes: caps.file_bytes, bytes, heads: true };
        collector.globs(&wishes.globs)?;
    }
    collector.end()
}

/// What may still be brought back.
struct Room {
    files: u64,
    file_bytes: u64,
    bytes: u64,
    /// The head of a file that is too large is better than nothing of it.
    heads: bool,
}

struct Collector {
    out: RecordWriter,
    room: Room,
    skipped: usize,
    more: u64,
    looks: u32,
    until: Instant,
    /// Something was not looked at.
    cut: bool,
}

impl Collector {
    /// Files that are named, then those that wildcards match.
    fn globs(&mut self, globs: &Globs) -> io::Result<()> {
        for path in globs.named() {
            if globs.excepts(path) {
                self.pass_over(path, "it is what the compiler made")?;
                continue;
            }
            let found = resolve(path).and_then(|(folder, name)| open_file(&folder, &name));
            match found {
                Err(PassedOver::Folder) => {
                    let why = [b"a folder; ask for ".as_slice(), path, b"/**"].concat();
                    self.pass_over(path, &String::from_utf8_lossy(&why))?;
                }
                found => self.take(path, found)?,
            }
        }
        if globs.has_wildcards() {
            let root = openat(AT_FDCWD, c"/box", THROUGH, Mode::empty())?;
            self.walk(&root, &mut Vec::new(), 0, &Want::Matching(globs), walk::NAMES_BYTES)?;
        }
        Ok(())
    }

    /// Every file below a folder.
    fn folder(&mut self, parent: &OwnedFd, name: &CStr, path: &[u8]) -> io::Result<()> {
        match openat(parent, name, THROUGH, Mode::empty()) {
            Ok(folder) => {
                let depth = path.split(|byte| *byte == b'/').count();
                self.walk(&folder, &mut path.to_vec(), depth, &Want::All, walk::NAMES_BYTES)
            }
            Err(_) => self.pass_over(path, PassedOver::Unreadable.text()),
        }
    }

    /// Writes a file that was opened, or why there is none.
    fn take(&mut self, path: &[u8], found: Result<(File, Metadata), PassedOver>) -> io::Result<()> {
        let (file, meta) = match found {
            Ok(found) => found,
            Err(why) => return self.pass_over(path, why.text()),
        };
        if self.room.files == 0 {
            return self.pass_over(path, "more files than may be brought back");
        }
        let (length, most) = (meta.len(), self.room.file_bytes.min(self.room.bytes));
        let executable = meta.mode() & 0o111 != 0;
        let kept = length.min(most);
        if kept == length {
            self.out.begin(Kind::File, executable, path, length)?;
        } else if !self.room.heads {
            return self.pass_over(path, "too large");
        } else if kept == 0 {
            return self.pass_over(path, "no room left");
        } else {
            self.out.begin(Kind::Head, executable, path, kept + 8)?;
            self.out.data(&length.to_le_bytes())?;
        }
        self.room.files -= 1;
        self.room.bytes -= kept;
        copy(&mut self.out, file, kept)
    }

    fn pass_over(&mut self, path: &[u8], why: &str) -> io::Result<()> {
        if self.skipped == MOST_SKIPPED {
            self.more += 1;
            return Ok(());
        }
        self.skipped += 1;
        // A reason may name a path; nobody needs all of it twice.
        let why = why.as_bytes();
        self.out.put(Kind::Skipped, false, path, why.get(..200).unwrap_or(why))
    }

    fn end(mut self) -> io::Result<bool> {
        if self.more > 0 {
            self.out.put(Kind::More, false, b"", &self.more.to_le_bytes())?;
        }
        self.out.end()?;
        Ok(!self.cut)
    }
}

/// Why a path was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PassedOver {
    NoPath,
    NotFound,
    Folder,
    Link,
    NotRegular,
    HardLink,
    Unreadable,
}

impl PassedOver {
    fn text(self) -> &'static str {
        match self {
            PassedOver::NoPath => "not a plain relative path",
            PassedOver::NotFound => "not found",
            PassedOver::Folder => "a folder",
            PassedOver::Link => "a symbolic link",
            PassedOver::NotRegular => "not a regular file",
            PassedOver::HardLink => "more than one hard link",
            PassedOver::Unreadable => "unreadable",
        }
    }

    fn of(e: nix::Error) -> Self {
        match e {
            nix::Error::ENOENT => PassedOver::NotFound,
            nix::Error::ELOOP => PassedOver::Link,
            nix::Error::ENXIO => PassedOver::NotRegular,
            _ => PassedOver::Unreadable,
        }
    }
}

/// The folder of a path beneath `/box`, opened, and the name in it.
fn resolve(path: &[u8]) -> Result<(OwnedFd, std::ffi::CString), PassedOver> {
    let mut components = relative_components(path).ok_or(PassedOver::NoPath)?;
    let name = components.pop().ok_or(PassedOver::NoPath)?;
    let mut at = openat(AT_FDCWD, c"/box", THROUGH, Mode::empty()).map_err(PassedOver::of)?;
    for folder in components {
        at = openat(&at, folder.as_c_str(), THROUGH, Mode::empty()).map_err(|e| match e {
            // A link, or a file in the place of a folder: then there is nothing below it.
            nix::Error::ENOTDIR => match look(&at, &folder) {
                Err(PassedOver::Link) => PassedOver::Link,
                _ => PassedOver::NotFound,
            },
            e => PassedOver::of(e),
        })?;
    }
    Ok((at, name))
}

/// Whether there is a regular file with one name, without opening it.
fn look(folder: &OwnedFd, name: &CStr) -> Result<(), PassedOver> {
    let stat = fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).map_err(PassedOver::of)?;
    match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFREG if stat.st_nlink == 1 => Ok(()),
        SFlag::S_IFREG => Err(PassedOver::HardLink),
        SFlag::S_IFDIR => Err(PassedOver::Folder),
        SFlag::S_IFLNK => Err(PassedOver::Link),
        _ => Err(PassedOver::NotRegular),
    }
}

fn open_file(folder: &OwnedFd, name: &CStr) -> Result<(File, Metadata), PassedOver> {
    // Looked at first: to open a device can do something.
    look(folder, name)?;
    let file = File::from(openat(folder.as_fd(), name, READ, Mode::empty()).map_err(PassedOver::of)?);
    let meta = file.metadata().map_err(|_| PassedOver::Unreadable)?;
    if meta.is_file() && meta.nlink() == 1 { Ok((file, meta)) } else { Err(PassedOver::NotRegular) }
}

/// Exactly as many bytes as the header says: nobody is left who could change the file meanwhile.
fn copy(out: &mut RecordWriter, mut file: File, mut left: u64) -> io::Result<()> {
    let mut buffer = [0; 64 << 10];
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let got = file.read(&mut buffer[..want])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out.data(&buffer[..got])?;
        left -= got as u64;
    }
    Ok(())
}
