//! Byte for byte.

use std::io;

use super::place::Place;
use super::snippet::After;
use super::source::Source;
use super::{common, difference};
use crate::{Compare, Difference, Expected, Opinion};

pub(super) struct Exact {
    expected: Source,
    place: Place,
    /// It differs at `place`: what is expected there, and what was found as far as it came.
    differs: Option<(Option<Vec<u8>>, After)>,
}

impl Exact {
    pub(super) fn new(expected: Expected) -> Self {
        Exact { expected: Source::new(expected), place: Place::start(), differs: None }
    }

    /// The rest of the line that is expected, with its newline: here it counts. `None` where there is no such line.
    fn expected_here(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut after = After::default();
        while !after.full() {
            let rest = self.expected.rest()?;
            if rest.is_empty() {
                after.end();
                if self.place.column == 1 {
                    return Ok(None);
                }
            }
            let n = see_line(&mut after, rest);
            self.expected.take(n);
        }
        Ok(Some(after.shown(&self.place.before)))
    }

    fn told(&self, expected: Option<Vec<u8>>, found: Option<Vec<u8>>) -> Difference {
        difference((self.place.line, self.place.column), expected, found, "line")
    }
}

/// Shows a line with its newline.
fn see_line(after: &mut After, bytes: &[u8]) -> usize {
    match memchr::memchr(b'\n', bytes) {
        Some(at) => {
            after.push(&bytes[..=at]);
            after.end();
            at + 1
        }
        None => {
            after.push(bytes);
            bytes.len()
        }
    }
}

impl Compare for Exact {
    fn feed(&mut self, mut output: &[u8]) -> io::Result<()> {
        while !output.is_empty() {
            if let Some((_, found)) = &mut self.differs {
                if !found.full() {
                    see_line(found, output);
                }
                return Ok(());
            }
            let expected = self.expected.rest()?;
            let n = common(output, expected);
            let differs = expected.is_empty() || n < output.len().min(expected.len());
            self.place.advance(&output[..n]);
            self.expected.take(n);
            output = &output[n..];
            if differs {
                self.differs = Some((self.expected_here()?, After::default()));
            }
        }
        Ok(())
    }

    fn decided(&self) -> bool {
        self.differs.as_ref().is_some_and(|(_, found)| found.full())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Opinion> {
        if let Some((expected, found)) = self.differs.take() {
            let found = found.shown(&self.place.before);
            return Ok(Opinion::Wrong(self.told(expected, Some(found))));
        }
        if self.expected.rest()?.is_empty() {
            return Ok(Opinion::Right);
        }
        let expected = self.expected_here()?;
        let found = (self.place.column > 1).then(|| After::default().shown(&self.place.before));
        Ok(Opinion::Wrong(self.told(expected, found)))
    }
}
