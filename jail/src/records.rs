//! The stream of records that carries arguments, environment and files into a sandbox and files out of it.
//!
//! A *bundle* (written by the engine into a memfd, sealed, unpacked by the sandbox itself) holds the arguments, the
//! environment, what to collect and the files. A *collection* (written by init into a pipe after the program, read by
//! the engine as hostile, see [`collection`]; or sealed and unpacked by the next sandbox) holds files and the names that
//! were passed over.
//!
//! A record is a header of 24 bytes (kind, flags, length of the name, 4 zero bytes, length of the data; little-endian),
//! the name, the data. The last record is `End`. Every reader treats every length as a lie until it fits the stream.
//! jaild itself never looks inside.

use std::borrow::Cow;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

pub mod collection;

/// The length of a record's header.
pub const HEADER_BYTES: usize = 24;
/// The longest name or argument. One argument of `execve` may be 128 KiB long.
pub const NAME_BYTES: u32 = 128 << 10;
/// The longest path of a file.
pub const PATH_BYTES: usize = 4096;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Bundle: one argument, the first is the absolute path of the program. In the name.
    Arg = 1,
    /// Bundle: one `NAME=value` of the environment. In the name.
    Env = 2,
    /// Bundle: a path to collect after the program, in the name. Of a folder, every file below it.
    Collect = 3,
    /// A file: its relative path in the name, its bytes in the data.
    File = 4,
    /// Collection: a path that was not collected in the name, the reason in the data.
    Skipped = 5,
    /// Nothing follows.
    End = 6,
    /// Bundle: what it matches is collected after the program. A glob in the name, see `collect/globs.rs`.
    Glob = 7,
    /// Bundle: a relative path in the name. That file, or everything below that folder, is matched by no `Glob`.
    Except = 8,
    /// Bundle: [`Caps::encode`] in the data. Must be there where a `Glob` is.
    Caps = 9,
    /// Bundle: a symbolic link to make. Its relative path in the name, what it points to in the data. A file of that path
    /// that the bundle had before is left as it is, so links come after files. At most 16 where a `Glob` is.
    Link = 10,
    /// Collection: a file longer than what is kept of it. Its path in the name; the data are its whole length (64 bits,
    /// little-endian), then its head.
    Head = 11,
    /// Collection: beside the `Skipped` ones so many (64 bits, little-endian) matches were passed over. Last before `End`.
    More = 12,
}

impl Kind {
    const ALL: [Kind; 12] = [
        Kind::Arg,
        Kind::Env,
        Kind::Collect,
        Kind::File,
        Kind::Skipped,
        Kind::End,
        Kind::Glob,
        Kind::Except,
        Kind::Caps,
        Kind::Link,
        Kind::Head,
        Kind::More,
    ];

    fn from_wire(kind: u32) -> Option<Self> {
        Kind::ALL.into_iter().find(|k| *k as u32 == kind)
    }
}

/// How much the globs of a bundle may bring back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The most files.
    pub files: u64,
    /// What is kept of one file.
    pub file_bytes: u64,
    /// What is kept of all files together.
    pub total_bytes: u64,
}

impl Caps {
    /// The data of the record.
    #[must_use]
    pub fn encode(&self) -> [u8; 24] {
        let mut data = [0; 24];
        for (place, word) in data.chunks_exact_mut(8).zip([self.files, self.file_bytes, self.total_bytes]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        data
    }

    /// `None` for data of another length.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<Self> {
        let (words, []) = data.as_chunks::<8>() else { return None };
        let &[files, file_bytes, total_bytes] = words else { return None };
        let [files, file_bytes, total_bytes] = [files, file_bytes, total_bytes].map(u64::from_le_bytes);
        Some(Caps { files, file_bytes, total_bytes })
    }
}

/// One record, its data still in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// The file may be executed.
    pub executable: bool,
    /// Argument, environment entry or path.
    pub name: Vec<u8>,
    /// Where in the stream the data begin.
    pub offset: u64,
    /// How many bytes of data there are.
    pub length: u64,
}

/// A stream that is no longer is read in one go, and what a memfd is given is collected to so much before it is written.
const AT_ONCE: usize = 8 << 10;
/// What a short program and its command take.
const USUAL: usize = 1 << 10;

/// Writes records into a memfd or a pipe.
#[derive(Debug)]
pub struct RecordWriter {
    file: File,
    /// What is yet to be written; always empty for a pipe, whose reader waits.
    pending: Vec<u8>,
    collects: bool,
}

impl RecordWriter {
    /// An empty stream that can be sealed.
    ///
    /// # Errors
    /// That of `memfd_create`.
    pub fn new() -> io::Result<Self> {
        Ok(RecordWriter::of(empty_memfd()?))
    }

    /// An empty stream in `memfd`, which is empty and can be sealed.
    #[must_use]
    pub fn of(memfd: OwnedFd) -> Self {
        RecordWriter { file: File::from(memfd), pending: Vec::with_capacity(USUAL), collects: true }
    }

    /// Writes into `fd`, which was made elsewhere.
    #[must_use]
    pub fn over(fd: OwnedFd) -> Self {
        RecordWriter { file: File::from(fd), pending: Vec::new(), collects: false }
    }

    /// Adds a record whose data are at hand.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is too long, else that of `write`.
    pub fn put(&mut self, kind: Kind, executable: bool, name: &[u8], data: &[u8]) -> io::Result<()> {
        self.begin(kind, executable, name, data.len() as u64)?;
        self.data(data)
    }

    /// Adds the header of a record; exactly `length` bytes of [`RecordWriter::data`] must follow.
    ///
    /// # Errors
    /// As for [`RecordWriter::put`].
    pub fn begin(&mut self, kind: Kind, executable: bool, name: &[u8], length: u64) -> io::Result<()> {
        let name_length = u32::try_from(name.len())
            .ok()
            .filter(|n| *n <= NAME_BYTES)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a name in a record is at most 128 KiB long"))?;
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&(kind as u32).to_le_bytes());
        header[4..8].copy_from_slice(&u32::from(executable).to_le_bytes());
        header[8..12].copy_from_slice(&name_length.to_le_bytes());
        header[16..24].copy_from_slice(&length.to_le_bytes());
        if !self.collects {
            return self.data(&[&header, name].concat());
        }
        self.data(&header)?;
        self.data(name)
    }

    /// Adds data to the record begun last.
    ///
    /// # Errors
    /// That of `write`.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.collects {
            return self.file.write_all(bytes);
        }
        if self.pending.len() + bytes.len() > AT_ONCE {
            self.file.write_all(&self.pending)?;
            self.pending.clear();
        }
        if bytes.len() > AT_ONCE {
            return self.file.write_all(bytes);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the stream; it stays writable by whoever holds it.
    ///
    /// # Errors
    /// That of `write`.
    pub fn end(mut self) -> io::Result<OwnedFd> {
        self.put(Kind::End, false, b"", b"")?;
        self.file.write_all(&self.pending)?;
        Ok(self.file.into())
    }

    /// Ends the stream and seals it for good.
    ///
    /// # Errors
    /// That of `write` or of [`seal`].
    pub fn seal(self) -> io::Result<OwnedFd> {
        let fd = self.end()?;
        seal(fd.as_fd())?;
        Ok(fd)
    }
}

/// A new memfd that can be sealed and is closed on exec.
///
/// # Errors
/// That of `memfd_create`.
pub fn empty_memfd() -> io::Result<OwnedFd> {
    Ok(memfd_create(c"records", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?)
}

const SEALS: SealFlag =
    SealFlag::F_SEAL_WRITE.union(SealFlag::F_SEAL_GROW).union(SealFlag::F_SEAL_SHRINK).union(SealFlag::F_SEAL_SEAL);

/// Makes a memfd unchangeable. Fails while somebody has it mapped for writing.
///
/// # Errors
/// That of `fcntl(F_ADD_SEALS)`: `EBUSY` with a writable mapping, `EINVAL` when `fd` is no memfd.
pub fn seal(fd: BorrowedFd<'_>) -> io::Result<()> {
    fcntl(fd, FcntlArg::F_ADD_SEALS(SEALS))?;
    Ok(())
}

/// Whether `fd` is a memfd that nobody can change any more.
#[must_use]
pub fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    fcntl(fd, FcntlArg::F_GET_SEALS).is_ok_and(|set| SealFlag::from_bits_retain(set).contains(SEALS))
}

/// Where records are read from.
#[derive(Debug)]
enum Source<'a> {
    File(&'a File),
    Bytes(Cow<'a, [u8]>),
}

impl Source<'_> {
    fn read_exact_at(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Source::File(file) => file.read_exact_at(into, at),
            Source::Bytes(bytes) => {
                let from = usize::try_from(at).ok().and_then(|at| bytes.get(at..)?.get(..into.len()));
                into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

/// Reads records, at positions of its own: a duplicate of the descriptor elsewhere disturbs nothing.
#[derive(Debug)]
pub struct RecordReader<'a> {
    source: Source<'a>,
    at: u64,
    size: u64,
    ended: bool,
}

impl<'a> RecordReader<'a> {
    /// Reads `file` from its beginning.
    ///
    /// # Errors
    /// That of `fstat`.
    pub fn new(file: &'a File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut source = Source::File(file);
        if let Some(length) = usize::try_from(size).ok().filter(|length| *length <= AT_ONCE) {
            let mut bytes = vec![0; length];
            source.read_exact_at(&mut bytes, 0)?;
            source = Source::Bytes(bytes.into());
        }
        Ok(RecordReader { source, at: 0, size, ended: false })
    }

    /// Reads a stream that is at hand.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        RecordReader { source: Source::Bytes(bytes.into()), at: 0, size: bytes.len() as u64, ended: false }
    }

    /// The next record, `None` after the last.
    ///
    /// # Errors
    /// `InvalidData` for a stream that no [`RecordWriter`] wrote or that was cut short, else that of `read`.
    pub fn next_record(&mut self) -> io::Result<Option<Record>> {
        if self.ended {
            return Ok(None);
        }
        let mut header = [0_u8; HEADER_BYTES];
        self.source.read_exact_at(&mut header, self.at)?;
        let word = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let kind = Kind::from_wire(word(0)).ok_or_else(|| invalid("unknown kind of record"))?;
        let (flags, name_length, zero) = (word(4), word(8), word(12));
        let length = u64::from(word(16)) | u64::from(word(20)) << 32;
        if flags > 1 || zero != 0 || name_length > NAME_BYTES {
            return Err(invalid("a record's header is out of its range"));
        }
        let name_at = self.at + HEADER_BYTES as u64;
        let offset = name_at + u64::from(name_length);
        let next = offset.checked_add(length).filter(|n| *n <= self.size);
        let Some(next) = next else {
            return Err(invalid("a record is longer than its stream"));
        };
        let mut name = vec![0; name_length as usize];
        self.source.read_exact_at(&mut name, name_at)?;
        self.at = next;
        if kind == Kind::End {
            self.ended = true;
            return if flags == 0 && length == 0 && name.is_empty() && next == self.size {
                Ok(None)
            } else {
                Err(invalid("the last record has something in it, or after it"))
            };
        }
        Ok(Some(Record { kind, executable: flags == 1, name, offset, length }))
    }

    /// The data of `record`, whole.
    ///
    /// # Errors
    /// That of `read`.
    pub fn data(&self, record: &Record) -> io::Result<Vec<u8>> {
        let length = usize::try_from(record.length).map_err(|_| invalid("a record is longer than memory"))?;
        let mut data = vec![0; length];
        self.source.read_exact_at(&mut data, record.offset)?;
        Ok(data)
    }
}

/// The components of a relative path, `None` unless each is a plain name: no `.`, `..`, empty one, NUL, leading slash.
#[must_use]
pub fn relative_components(path: &[u8]) -> Option<Vec<CString>> {
    if path.is_empty() || path.len() > PATH_BYTES {
        return None;
    }
    path.split(|b| *b == b'/')
        .map(|component| match component {
            b"" | b"." | b".." => None,
            name if name.len() > 255 => None,
            name => CString::new(name).ok(),
        })
        .collect()
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut w = RecordWriter::new().unwrap();
        w.put(Kind::Arg, false, b"/usr/bin/true", b"").unwrap();
        w.put(Kind::File, true, b"a/b", b"bytes").unwrap();
        let file = File::from(w.seal().unwrap());
        assert!(is_sealed(file.as_fd()));
        let mut r = RecordReader::new(&file).unwrap();
        assert_eq!(r.next_record().unwrap().unwrap().name, b"/usr/bin/true");
        let record = r.next_record().unwrap().unwrap();
        assert!(record.executable);
        assert_eq!(r.data(&record).unwrap(), b"bytes");
        assert_eq!(r.next_record().unwrap(), None);
    }

    #[test]
    fn a_lie_is_an_error() {
        let all = |file: &File| {
            let mut reader = RecordReader::new(file)?;
            while reader.next_record()?.is_some() {}
            io::Result::Ok(())
        };
        for (at, byte) in [(0, 13), (0, 0), (4, 2), (8, 0xff), (12, 1), (16, 0xff), (23, 0xff)] {
            let mut w = RecordWriter::new().unwrap();
            w.put(Kind::File, false, b"a", b"data").unwrap();
            let file = File::from(w.end().unwrap());
            all(&file).unwrap();
            file.write_all_at(&[byte], at).unwrap();
            assert!(all(&file).is_err(), "byte {at} = {byte}");
        }
        // An `End` that may be executed: found by fuzzing, as no writer says that.
        let mut end = vec![0; HEADER_BYTES];
        end[..4].copy_from_slice(&(Kind::End as u32).to_le_bytes());
        end[4] = 1;
        assert!(RecordReader::of(&end).next_record().is_err());
        assert!(all(&File::from(empty_memfd().unwrap())).is_err());
    }

    #[test]
    fn caps_survive_the_way() {
        let caps = Caps { files: 1, file_bytes: u64::MAX, total_bytes: 3 };
        assert_eq!(Caps::decode(&caps.encode()), Some(caps));
        assert_eq!((Caps::decode(&[0; 23]), Caps::decode(&[0; 32]), Caps::decode(b"")), (None, None, None));
    }

    #[test]
    fn paths_are_checked_by_component() {
        for good in ["a", "a/b", "..a", "a..", "...", "é/ü"] {
            assert!(relative_components(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\0b"] {
            assert!(relative_components(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(relative_components(&[b'a'; 256]).is_none());
    }
}
