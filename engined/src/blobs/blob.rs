//! A blob as somebody has it who uses it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use api_spec::Sha256;

use super::Blobs;
use crate::capture::PIECE;
use crate::job::Stdin;

/// A blob that somebody is about to use: it stays until this is dropped.
#[derive(Debug)]
#[must_use = "dropped, it holds nothing"]
pub struct Pin {
    pub(super) blobs: Arc<Blobs>,
    pub(super) tenant: String,
    pub(super) hash: Sha256,
    /// How long it is.
    pub bytes: u64,
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.blobs.with(&self.tenant, |account| {
            if let Some(pins) = account.pins.get_mut(&self.hash) {
                *pins -= 1;
                if *pins == 0 {
                    account.pins.remove(&self.hash);
                }
            }
        });
    }
}

/// An open blob. It can be read to its end even when it is removed meanwhile.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The file, to be read with `read_at`.
    pub file: Arc<File>,
    /// How long it is.
    pub bytes: u64,
}

impl Blob {
    /// To be fed to a program: a short one is read now, and a long one as it is fed.
    ///
    /// # Errors
    /// That of the file system.
    pub fn stdin(self) -> io::Result<Stdin> {
        match usize::try_from(self.bytes) {
            Ok(bytes) if bytes <= PIECE => self.piece(0, bytes).map(Stdin::Bytes),
            _ => Ok(Stdin::File(self.file)),
        }
    }

    /// `length` bytes of it, from the byte `at`.
    ///
    /// # Errors
    /// That of the file system, or it is shorter.
    pub fn piece(&self, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut piece = vec![0; length];
        self.file.read_exact_at(&mut piece, at)?;
        Ok(piece)
    }

    /// Reads it from its beginning, beside all others who do. Not buffered.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { file: Arc::clone(&self.file), at: 0 }
    }
}

/// Reads a blob, beside others.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
