//! What is expected, a buffer at a time.

use std::io::{self, ErrorKind, Read};

use crate::Expected;

/// How much is held of it.
pub(super) const BUFFER: usize = 64 << 10;

/// Reads what is expected.
pub(super) struct Source {
    from: Expected,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    over: bool,
}

impl Source {
    pub(super) fn new(from: Expected) -> Self {
        Source { from, buffer: Vec::new(), at: 0, end: 0, over: false }
    }

    /// What comes next, as much as is in the buffer. Empty only at the end.
    pub(super) fn rest(&mut self) -> io::Result<&[u8]> {
        if self.at == self.end && !self.over {
            self.fill()?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.resize(BUFFER, 0);
        (self.at, self.end) = (0, 0);
        loop {
            match self.from.read(&mut self.buffer) {
                Ok(n) => {
                    self.end = n;
                    self.over = n == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// So much of [`Self::rest`] is done.
    pub(super) fn take(&mut self, n: usize) {
        self.at = (self.at + n).min(self.end);
    }

    /// Passes over what is `like` that, shows it to `see`, and says what comes then. `None` at the end.
    pub(super) fn skip(&mut self, like: fn(u8) -> bool, mut see: impl FnMut(&[u8])) -> io::Result<Option<u8>> {
        loop {
            let rest = self.rest()?;
            if rest.is_empty() {
                return Ok(None);
            }
            let n = rest.iter().position(|byte| !like(*byte)).unwrap_or(rest.len());
            see(&rest[..n]);
            let next = rest.get(n).copied();
            self.take(n);
            if next.is_some() {
                return Ok(next);
            }
        }
    }
}
