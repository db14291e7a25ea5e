//! The control files of one group: kept open, because each is read or written several times a run, and to look a name up
//! and open it costs more than what is done with it.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use super::*;

/// A group by descriptor, shared by whoever holds a clone. It can't be sent to another thread, and need not be.
#[derive(Clone, Debug)]
pub(super) struct Group(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: OwnedFd,
    files: RefCell<Vec<(&'static str, Rc<File>)>>,
}

/// What fits is read in one call; `memory.stat`, the longest, has some 1,500 bytes.
const READ_BYTES: usize = 4096;

impl Group {
    /// Opens those `names` that this kernel has; others are opened when they are first asked for.
    pub(super) fn new(folder: OwnedFd, names: &[&'static str]) -> Result<Self, JailError> {
        let group = Group(Rc::new(Inner { folder, files: RefCell::default() }));
        for name in names {
            match group.file(name) {
                Err(e) if e.source.kind() == io::ErrorKind::NotFound => {}
                other => drop(other?),
            }
        }
        Ok(group)
    }

    /// The file itself.
    pub(super) fn file(&self, name: &'static str) -> Result<Rc<File>, JailError> {
        let mut files = self.0.files.borrow_mut();
        if let Some((_, file)) = files.iter().find(|(open, _)| *open == name) {
            return Ok(Rc::clone(file));
        }
        let folder = self.0.folder.as_fd();
        // Some can only be read, some only be written.
        let open = open_file(folder, name, OFlag::O_RDWR)
            .or_else(|_| open_file(folder, name, OFlag::O_RDONLY))
            .or_else(|_| open_file(folder, name, OFlag::O_WRONLY));
        let file = Rc::new(open?);
        files.push((name, Rc::clone(&file)));
        Ok(file)
    }

    /// Reads a control file whole: at offset 0 the kernel makes its text anew, see seq_file.rst.
    pub(super) fn read<T>(&self, name: &'static str, take: impl FnOnce(&str) -> T) -> Result<T, JailError> {
        let file = self.file(name)?;
        let mut buffer = [0; READ_BYTES];
        let length = file.read_at(&mut buffer, 0).on(Step::Cgroup, name)?;
        if length < READ_BYTES {
            return Ok(take(&String::from_utf8_lossy(&buffer[..length])));
        }
        let mut text = buffer.to_vec();
        loop {
            match file.read_at(&mut buffer, text.len() as u64).on(Step::Cgroup, name)? {
                0 => return Ok(take(&String::from_utf8_lossy(&text))),
                more => text.extend_from_slice(&buffer[..more]),
            }
        }
    }

    /// A file that holds one number.
    pub(super) fn number(&self, name: &'static str) -> Result<u64, JailError> {
        self.read(name, |text| text.trim().parse().map_err(|_| text.trim().to_owned()))?
            .map_err(|text| io::Error::other(format!("holds {text:?}, no number")))
            .on(Step::Cgroup, name)
    }

    /// The value of `key` in a file of `key value` lines, 0 when the kernel has no such line.
    pub(super) fn keyed(&self, name: &'static str, key: &str) -> Result<u64, JailError> {
        self.read(name, |text| keyed(text, key))
    }

    /// Writes a control file in one call, as the kernel wants it.
    pub(super) fn put(&self, name: &'static str, value: &str) -> Result<(), JailError> {
        let length = self.file(name)?.write_at(value.as_bytes(), 0).on(Step::Cgroup, name)?;
        if length == value.len() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::WriteZero)).on(Step::Cgroup, name)
        }
    }

    /// Lets another user write a control file.
    pub(super) fn give(&self, name: &'static str, uid: u32) -> Result<(), JailError> {
        std::os::unix::fs::fchown(self.file(name)?, Some(uid), None).on(Step::Cgroup, name)
    }

    /// Whether a limit is there, by reading it.
    pub(super) fn holds(&self, name: &'static str, value: &str) -> Result<bool, JailError> {
        self.read(name, |text| text.trim() == value)
    }

    /// Has a limit hold `value`: read always, and written, which costs more, and read back where it differs.
    pub(super) fn hold(&self, name: &'static str, value: &str) -> Result<(), JailError> {
        if self.holds(name, value)? { Ok(()) } else { self.limit(name, value) }
    }

    /// Writes a limit and reads it back; it must hold `value` then.
    pub(super) fn limit(&self, name: &'static str, value: &str) -> Result<(), JailError> {
        self.put(name, value).map_err(|e| JailError { subject: format!("{name} = {value}"), ..e })?;
        match self.read(name, |text| (text.trim() != value).then(|| text.trim().to_owned()))? {
            None => Ok(()),
            Some(got) => Err(io::Error::other(format!("wrote {value}, but it holds {got}"))).on(Step::Cgroup, name),
        }
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.folder.as_fd()
    }
}
