//! Word by word, with and without numbers.
//!
//! As long as both texts are the same to the byte nothing has to be understood. Where they part the two words that stand
//! there are looked at. Of a word no more is kept than a number may have, and what is shown of it.

use std::io;

use super::numbers::{LONGEST, Tolerance, number};
use super::snippet::{After, Before};
use super::source::Source;
use super::{common, count, difference, is_space};
use crate::{Compare, Difference, Expected, Opinion};

pub(super) struct Words {
    expected: Source,
    tolerance: Option<Tolerance>,
    line: u64,
    column: u64,
    /// The word that we are in, as far as it is the same in both.
    word: Word,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// So far the same.
    Same,
    /// The texts part within a word, `expected` and `found` are its two forms.
    Parted,
    /// Past a word that is right, or before the first.
    Between,
    /// It differs.
    Differs,
}

/// A word, or the space between two.
#[derive(Default)]
struct Word {
    /// Not the space.
    inside: bool,
    /// Where it starts.
    line: u64,
    column: u64,
    /// Its start, for the number that it may be.
    head: Vec<u8>,
    before: Before,
    /// How it goes on where the texts part. `None`: there is none expected.
    expected: Option<Form>,
    found: Form,
}

/// How a word goes on.
#[derive(Default)]
struct Form {
    rest: Vec<u8>,
    shown: After,
}

impl Form {
    /// More bytes of the word. What is more than a number may have doesn't matter.
    fn push(&mut self, bytes: &[u8]) {
        let room = (LONGEST + 1).saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.shown.push(bytes);
    }
}

impl Word {
    fn begin(&mut self, line: u64, column: u64) {
        self.inside = true;
        (self.line, self.column) = (line, column);
        self.head.clear();
        self.before.clear();
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = (LONGEST + 1).saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.before.push(bytes);
    }

    fn part(&mut self) {
        self.found.rest.clear();
        self.found.shown.clear();
    }

    /// Whether both forms are numbers that are close enough.
    fn is_close(&mut self, tolerance: Tolerance) -> bool {
        let start = self.head.len();
        let mut value = |rest: &[u8]| {
            self.head.truncate(start);
            self.head.extend_from_slice(rest);
            number(&self.head)
        };
        let expected = self.expected.as_ref().and_then(|form| value(&form.rest));
        expected.zip(value(&self.found.rest)).is_some_and(|(expected, found)| tolerance.allows(expected, found))
    }

    fn differs(&self, found: bool) -> Difference {
        let expected = self.expected.as_ref().map(|form| form.shown.shown(&self.before));
        let found = found.then(|| self.found.shown.shown(&self.before));
        difference((self.line, self.column), expected, found, "word")
    }
}

impl Words {
    pub(super) fn new(expected: Expected, tolerance: Option<Tolerance>) -> Self {
        let expected = Source::new(expected);
        Words { expected, tolerance, line: 1, column: 1, word: Word::default(), state: State::Between }
    }

    /// Past bytes of the output.
    fn advance(&mut self, bytes: &[u8]) {
        if let Some(last) = memchr::memrchr(b'\n', bytes) {
            self.line += count(memchr::memchr_iter(b'\n', bytes).count());
            self.column = count(bytes.len() - last);
        } else {
            self.column += count(bytes.len());
        }
    }

    /// The texts are the same here: how far?
    fn same(&mut self, output: &[u8]) -> io::Result<usize> {
        let expected = self.expected.rest()?;
        let n = common(output, expected);
        let ended = expected.is_empty() || (n < expected.len() && is_space(expected[n]));
        let parted = expected.is_empty() || n < output.len().min(expected.len());
        self.expected.take(n);
        let (space, word) = match output[..n].iter().rposition(|byte| is_space(*byte)) {
            Some(last) => output[..n].split_at(last + 1),
            None => (&[][..], &output[..n]),
        };
        self.advance(space);
        self.word.inside &= space.is_empty();
        if !word.is_empty() {
            if !self.word.inside {
                self.word.begin(self.line, self.column);
            }
            self.word.push(word);
            self.advance(word);
        }
        if parted {
            let over = is_space(output[n]) && ended;
            if self.word.inside && !over {
                self.word.part();
                self.expected_word()?;
                self.state = State::Parted;
            } else {
                self.state = State::Between;
            }
        }
        Ok(n)
    }

    /// Reads the rest of the expected word. There is one, at least its start.
    fn expected_word(&mut self) -> io::Result<()> {
        let mut form = self.word.expected.take().unwrap_or_default();
        form.rest.clear();
        form.shown.clear();
        self.expected.skip(|byte| !is_space(byte), |bytes| form.push(bytes))?;
        form.shown.end();
        self.word.expected = Some(form);
        Ok(())
    }

    /// The output goes on with the word at which the texts part, or with what comes after it.
    fn parted(&mut self, output: &[u8]) -> usize {
        let n = output.iter().position(|byte| is_space(*byte));
        let rest = &output[..n.unwrap_or(output.len())];
        self.word.found.push(rest);
        self.column += count(rest.len());
        if n.is_some() {
            self.word_ends();
        } else if self.word.found.shown.full() && (self.tolerance.is_none() || self.word.found.rest.len() > LONGEST) {
            self.state = State::Differs;
        }
        rest.len()
    }

    /// The output's word is whole.
    fn word_ends(&mut self) {
        self.word.found.shown.end();
        let close = self.tolerance.is_some_and(|tolerance| self.word.is_close(tolerance));
        self.word.inside = false;
        self.state = if close { State::Between } else { State::Differs };
    }

    /// Past the space on both sides, as far as it goes.
    fn between(&mut self, output: &[u8]) -> io::Result<usize> {
        let n = output.iter().position(|byte| !is_space(*byte));
        let space = &output[..n.unwrap_or(output.len())];
        self.advance(space);
        if n.is_some() {
            self.word.begin(self.line, self.column);
            self.state = State::Same;
            if self.expected.skip(is_space, |_| ())?.is_none() {
                self.word.part();
                self.word.expected = None;
                self.state = State::Differs;
            }
        }
        Ok(space.len())
    }
}

impl Compare for Words {
    fn feed(&mut self, mut output: &[u8]) -> io::Result<()> {
        while !output.is_empty() {
            let n = match self.state {
                State::Same => self.same(output)?,
                State::Parted => self.parted(output),
                State::Between => self.between(output)?,
                State::Differs => {
                    self.word.found.shown.push_until(is_space, output);
                    return Ok(());
                }
            };
            output = &output[n..];
        }
        Ok(())
    }

    fn decided(&self) -> bool {
        self.state == State::Differs && self.word.found.shown.full()
    }

    fn finish(mut self: Box<Self>) -> io::Result<Opinion> {
        if self.state == State::Same && self.word.inside && self.expected.rest()?.first().is_some_and(|b| !is_space(*b))
        {
            self.word.part();
            self.expected_word()?;
            self.state = State::Parted;
        }
        if self.state == State::Parted {
            self.word_ends();
        }
        if self.state == State::Differs {
            return Ok(Opinion::Wrong(self.word.differs(true)));
        }
        if self.expected.skip(is_space, |_| ())?.is_none() {
            return Ok(Opinion::Right);
        }
        self.word.begin(self.line, self.column);
        self.expected_word()?;
        Ok(Opinion::Wrong(self.word.differs(false)))
    }
}
