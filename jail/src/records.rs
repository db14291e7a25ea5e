//! The stream of records that carries arguments, environment and files into a sandbox and files out of it.
//!
//! It lives in a memfd. A *bundle* (written by the engine, sealed, unpacked by the sandbox itself) holds the arguments,
//! the environment, what to collect and the files. A *collection* (written by init after the program, read by the
//! engine as hostile, or sealed and unpacked by the next sandbox) holds files and the names that were passed over.
//!
//! A record is a header of 24 bytes (kind, flags, length of the name, 4 zero bytes, length of the data; little-endian),
//! the name, the data. The last record is `End`. Both readers treat every length as a lie until it fits the file.
//! jaild itself never looks inside.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

const HEADER_BYTES: usize = 24;
/// The longest name or argument. One argument of `execve` may be 128 KiB long.
pub const NAME_BYTES: u32 = 128 << 10;
/// The longest path of a file in a bundle.
pub const PATH_BYTES: usize = 4096;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// One argument, the first is the absolute path of the program. In the name.
    Arg = 1,
    /// One `NAME=value` of the environment. In the name.
    Env = 2,
    /// A path to collect after the program. In the name.
    Collect = 3,
    /// A file: its relative path in the name, its bytes in the data.
    File = 4,
    /// A path that was not collected in the name, the reason in the data.
    Skipped = 5,
    /// Nothing follows.
    End = 6,
}

impl Kind {
    fn from_wire(kind: u32) -> Option<Self> {
        [Kind::Arg, Kind::Env, Kind::Collect, Kind::File, Kind::Skipped, Kind::End]
            .into_iter()
            .find(|k| *k as u32 == kind)
    }
}

/// One record, its data still in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: Kind,
    /// The file may be executed.
    pub executable: bool,
    /// Argument, environment entry or path.
    pub name: Vec<u8>,
    /// Where in the file the data begin.
    pub offset: u64,
    /// How many bytes of data there are.
    pub length: u64,
}

/// Writes records into a memfd.
#[derive(Debug)]
pub struct RecordWriter {
    file: File,
}

impl RecordWriter {
    /// An empty stream that can be sealed.
    ///
    /// # Errors
    /// That of `memfd_create`.
    pub fn new() -> io::Result<Self> {
        Ok(RecordWriter { file: File::from(empty_memfd()?) })
    }

    /// Goes on at the position of `fd`, a memfd that was made elsewhere.
    #[must_use]
    pub fn over(fd: OwnedFd) -> Self {
        RecordWriter { file: File::from(fd) }
    }

    /// Adds a record whose data are at hand.
    ///
    /// # Errors
    /// `InvalidInput` for a name that is too long, else that of `write`.
    pub fn put(&mut self, kind: Kind, executable: bool, name: &[u8], data: &[u8]) -> io::Result<()> {
        self.begin(kind, executable, name, data.len() as u64)?;
        self.file.write_all(data)
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
        let mut header = Vec::with_capacity(HEADER_BYTES + name.len());
        header.extend_from_slice(&(kind as u32).to_le_bytes());
        header.extend_from_slice(&u32::from(executable).to_le_bytes());
        header.extend_from_slice(&name_length.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&length.to_le_bytes());
        header.extend_from_slice(name);
        self.file.write_all(&header)
    }

    /// Adds data to the record begun last.
    ///
    /// # Errors
    /// That of `write`.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Ends the stream; it stays writable by whoever holds it.
    ///
    /// # Errors
    /// That of `write`.
    pub fn end(mut self) -> io::Result<OwnedFd> {
        self.put(Kind::End, false, b"", b"")?;
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

/// A sealed copy. A memfd's pages stay charged to the control group of whoever wrote them, a sandbox's init; kept for
/// longer than the sandbox, they must be the caller's own.
///
/// # Errors
/// That of reading, writing or sealing.
pub fn sealed_copy(file: &File) -> io::Result<OwnedFd> {
    let mut copy = File::from(empty_memfd()?);
    let mut from = file.try_clone()?;
    from.rewind()?;
    io::copy(&mut from, &mut copy)?;
    seal(copy.as_fd())?;
    Ok(copy.into())
}

/// Whether `fd` is a memfd that nobody can change any more.
#[must_use]
pub fn is_sealed(fd: BorrowedFd<'_>) -> bool {
    seals(fd).is_some_and(|set| set.contains(SEALS))
}

/// Whether `fd` is a memfd that can still be written.
#[must_use]
pub fn is_writable_memfd(fd: BorrowedFd<'_>) -> bool {
    seals(fd).is_some_and(|set| !set.intersects(SEALS))
}

fn seals(fd: BorrowedFd<'_>) -> Option<SealFlag> {
    fcntl(fd, FcntlArg::F_GET_SEALS).ok().map(SealFlag::from_bits_retain)
}

/// Reads records, at positions of its own: a duplicate of the descriptor elsewhere disturbs nothing.
#[derive(Debug)]
pub struct RecordReader<'a> {
    file: &'a File,
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
        Ok(RecordReader { file, at: 0, size: file.metadata()?.len(), ended: false })
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
        self.file.read_exact_at(&mut header, self.at)?;
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
        self.file.read_exact_at(&mut name, name_at)?;
        self.at = next;
        if kind == Kind::End {
            self.ended = true;
            return if length == 0 && name.is_empty() && next == self.size {
                Ok(None)
            } else {
                Err(invalid("bytes after the last record"))
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
        self.file.read_exact_at(&mut data, record.offset)?;
        Ok(data)
    }
}

/// Reads a whole stream and checks it; only files and skipped names may be in it. Gives what it holds.
///
/// # Errors
/// As [`RecordReader::next_record`].
pub fn check_collection(file: &File) -> io::Result<Vec<Record>> {
    let mut reader = RecordReader::new(file)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        let legal = match record.kind {
            Kind::File => relative_components(&record.name).is_some(),
            Kind::Skipped => true,
            _ => false,
        };
        if !legal {
            return Err(invalid("only files can be collected"));
        }
        records.push(record);
    }
    Ok(records)
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
    fn a_copy_is_the_same_and_sealed() {
        let mut w = RecordWriter::new().unwrap();
        w.put(Kind::File, true, b"a", &[7; 100_000]).unwrap();
        let file = File::from(w.end().unwrap());
        let copy = File::from(sealed_copy(&file).unwrap());
        assert!(is_sealed(copy.as_fd()));
        assert_eq!(check_collection(&copy).unwrap(), check_collection(&file).unwrap());
    }

    #[test]
    fn a_lie_is_an_error() {
        for (at, byte) in [(0, 9), (4, 2), (8, 0xff), (12, 1), (16, 0xff), (23, 0xff)] {
            let mut w = RecordWriter::new().unwrap();
            w.put(Kind::File, false, b"a", b"data").unwrap();
            let file = File::from(w.end().unwrap());
            file.write_all_at(&[byte], at).unwrap();
            assert!(check_collection(&file).is_err(), "byte {at} = {byte}");
        }
        let mut w = RecordWriter::new().unwrap();
        w.put(Kind::File, false, b"../a", b"data").unwrap();
        assert!(check_collection(&File::from(w.end().unwrap())).is_err());
        assert!(check_collection(&File::from(empty_memfd().unwrap())).is_err());
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
