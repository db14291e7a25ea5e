//! The file of lines. A line is in it whole or not at all: what a full disk or a crash has left of one is cut off again.
//! At its size the file is put aside (`FILE.1`, the older ones move on), and a new one is begun.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::libc;

use crate::usage::count::seq_of;

/// How far back a line may begin, from the end of a file: with a source it may be long.
const TAIL: u64 = 16 << 20;

/// When a file is put aside, and how long it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// At this size.
    pub bytes: u64,
    /// How many are kept.
    pub keep: usize,
    /// How long.
    pub keep_for: Option<Duration>,
}

/// The file that lines are appended to.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    rotation: Rotation,
    /// What a failed write has left and could not be cut off yet: the length before it.
    torn: Option<u64>,
}

/// What was found in a file that was there.
#[derive(Debug, Default)]
pub struct Found {
    /// The number of the last line, of all files.
    pub last: u64,
    /// Bytes of a line that was not written to its end, and is gone now.
    pub cut: u64,
    /// All files, the oldest first, open for whoever has to count lines in them.
    pub files: Vec<File>,
}

impl Log {
    /// Opens the file for this engine alone, and makes it where it is not there.
    ///
    /// # Errors
    /// It can't be made, is no file of ours, or another engine writes it.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<(Log, Found)> {
        let file = open(path)?;
        let cut = mend(&file)?;
        let files = files(path);
        let found = Found { cut, last: last_of(&files), files };
        Ok((Log { path: path.to_owned(), file, rotation, torn: None }, found))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines, all or none of them. `counted`: up to which line nobody needs the file any more.
    ///
    /// # Errors
    /// That of `write`; then the lines are not there.
    pub fn append(&mut self, lines: &[u8], counted: u64) -> io::Result<()> {
        self.reopen()?;
        if let Some(length) = self.torn {
            self.file.set_len(length)?;
            self.torn = None;
        }
        let mut length = self.file.metadata()?.len();
        if length > 0 && length + lines.len() as u64 > self.rotation.bytes {
            match self.rotate(counted) {
                Ok(()) => length = 0,
                // Better a file that is too long than a line that is not there.
                Err(error) => tracing::error!(%error, path = %self.path.display(), "the audit file is not put aside"),
            }
        }
        self.file.write_all(lines).inspect_err(|_| {
            self.torn = self.file.set_len(length).is_err().then_some(length);
        })
    }

    /// Brings what was written to the disk when the returned file is told so: who does that may take its time.
    ///
    /// # Errors
    /// That of `dup`.
    pub fn to_sync(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Begins a new file where somebody has taken ours away.
    fn reopen(&mut self) -> io::Result<()> {
        let ours = self.file.metadata()?;
        let same = fs::metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
        if !same {
            self.file = open(&self.path)?;
            self.torn = None;
            let cut = mend(&self.file)?;
            tracing::warn!(path = %self.path.display(), cut, "the audit file was taken away; a new one is begun");
        }
        Ok(())
    }

    fn rotate(&mut self, counted: u64) -> io::Result<()> {
        let numbered = |number: usize| numbered(&self.path, number);
        for (at, (number, path)) in aside(&self.path)?.into_iter().enumerate().rev() {
            let aged = self.rotation.keep_for.is_some_and(|most| age(&path).is_some_and(|age| age > most));
            // Those that stay are one more after this.
            let spare = (at + 1 >= self.rotation.keep || aged) && last_seq(&File::open(&path)?)? <= counted;
            if spare {
                fs::remove_file(&path)?;
            } else {
                fs::rename(&path, numbered(number + 1))?;
            }
        }
        fs::rename(&self.path, numbered(1))?;
        self.file = open(&self.path)?;
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    let told = |why: &str| io::Error::other(format!("{}: {why}", path.display()));
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let file =
        options.open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    if !file.metadata()?.is_file() {
        return Err(told("is no plain file; name one, or another path for it"));
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(told("another engined writes it; stop that one, or name another file")),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Cuts off what is no whole line at the end, and says how much that was.
fn mend(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let tail = tail(file)?;
    let end = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let cut = (tail.len() - end) as u64;
    if cut > 0 {
        file.set_len(length - cut)?;
    }
    Ok(cut)
}

/// The number of the last line; 0 where there is none.
fn last_seq(file: &File) -> io::Result<u64> {
    let tail = tail(file)?;
    let mut lines = tail.split(|byte| *byte == b'\n').rev();
    Ok(lines.find_map(seq_of).unwrap_or(0))
}

fn tail(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    // Most lines are short.
    for most in [64 << 10, TAIL] {
        let from = length.saturating_sub(most);
        let mut bytes = vec![0; usize::try_from(length - from).unwrap_or(0)];
        file.read_exact_at(&mut bytes, from)?;
        let whole = |line: &[u8]| seq_of(line).is_some();
        if from == 0 || most == TAIL || bytes.split(|byte| *byte == b'\n').skip(1).any(whole) {
            return Ok(bytes);
        }
    }
    Ok(Vec::new())
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// What was put aside, the newest first.
fn aside(path: &Path) -> io::Result<Vec<(usize, PathBuf)>> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let entry_name = entry.file_name();
        let rest = entry_name.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
        let number = rest.and_then(|rest| std::str::from_utf8(rest.strip_prefix(b".")?).ok()?.parse().ok());
        found.extend(number.map(|number: usize| (number, entry.path())));
    }
    found.sort();
    Ok(found)
}

/// By the clock that has dated the file; where it jumps, a file goes too early or too late.
fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// The file at `path` and all that were put aside from it, the oldest first. What can't be read is told and left out.
#[must_use]
pub fn files(path: &Path) -> Vec<File> {
    let told = |path: &Path, error: &io::Error| {
        let path = path.display();
        tracing::warn!(%error, %path, "an old audit file can't be read: lines in it that are not counted yet stay so");
    };
    let folder = path.parent().is_some_and(Path::is_dir);
    let aside =
        if folder { aside(path).inspect_err(|error| told(path, error)).unwrap_or_default() } else { Vec::new() };
    let paths = aside.into_iter().rev().map(|(_, path)| path).chain([path.to_owned()]).filter(|path| path.exists());
    paths.filter_map(|path| Some(old(&path).inspect_err(|error| told(&path, error)).ok()?.0)).collect()
}

/// One that was put aside, and the number of its last line.
fn old(path: &Path) -> io::Result<(File, u64)> {
    // Whatever has come by such a name must not hold us up.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is no plain file"));
    }
    let last = last_seq(&file)?;
    Ok((file, last))
}

/// The number of the last line of all these.
#[must_use]
pub fn last_of(files: &[File]) -> u64 {
    files.iter().filter_map(|file| last_seq(file).ok()).max().unwrap_or(0)
}

/// As their lines follow each other.
pub fn in_order(files: &mut [File]) {
    files.sort_by_cached_key(|file| last_seq(file).unwrap_or(0));
}

/// Gives every line of `file` whose number is above `after`, as long as `take` wants more.
///
/// # Errors
/// That of reading.
pub fn lines_after(file: &File, after: u64, mut take: impl FnMut(u64, &[u8]) -> bool) -> io::Result<()> {
    if last_seq(file)? <= after {
        return Ok(());
    }
    let mut reader = BufReader::with_capacity(256 << 10, file);
    reader.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
            return Ok(());
        }
        if let Some(seq) = seq_of(&line).filter(|seq| *seq > after)
            && !take(seq, &line)
        {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
