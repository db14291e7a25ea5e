//! Where in the output we are, and what stands right before.

use super::snippet::Before;
use super::{count, is_blank};

/// A place in the output, and the line that it is in as far as it was the same.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
    /// How many bytes before it are blanks, up to the start of the line.
    pub(super) blanks: u64,
    pub(super) before: Before,
}

impl Place {
    pub(super) fn start() -> Self {
        Place { line: 1, column: 1, blanks: 0, before: Before::default() }
    }

    /// Past these bytes.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let line = match memchr::memrchr(b'\n', bytes) {
            Some(last) => {
                self.newlines(count(memchr::memchr_iter(b'\n', &bytes[..=last]).count()));
                &bytes[last + 1..]
            }
            None => bytes,
        };
        self.column += count(line.len());
        match line.iter().rposition(|byte| !is_blank(*byte)) {
            Some(last) => self.blanks = count(line.len() - 1 - last),
            None => self.blanks += count(line.len()),
        }
        self.before.push(line);
    }

    /// Past so many newlines, to the start of a line.
    pub(super) fn newlines(&mut self, n: u64) {
        if n > 0 {
            self.line += n;
            self.column = 1;
            self.blanks = 0;
            self.before = Before::default();
        }
    }
}
