//! Line by line.
//!
//! As long as both texts are the same to the byte nothing has to be understood. Where they part it is looked whether both
//! lines end there but for blanks; of these no more is kept than how many there were.

use std::io;

use super::place::Place;
use super::snippet::{After, Before};
use super::source::Source;
use super::{common, count, difference, is_blank};
use crate::{Compare, Expected, Opinion};

pub(super) struct Lines {
    expected: Source,
    place: Place,
    state: State,
}

enum State {
    /// So far the same.
    Same,
    /// They part at `place`; the output has written nothing but blanks since.
    Parted { expected: Rest, found: After },
    /// Nothing more is expected. The output's line, and what is blank of it.
    Over { line: u64, found: After },
    /// It differs.
    Differs { at: (u64, u64), expected: Option<Vec<u8>>, before: Before, found: After },
}

/// How the expected line goes on where the texts part.
struct Rest {
    shown: After,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Text,
    Newline,
    End,
}

fn is_newline(byte: u8) -> bool {
    byte == b'\n'
}

fn is_empty(byte: u8) -> bool {
    is_blank(byte) || is_newline(byte)
}

impl Lines {
    pub(super) fn new(expected: Expected) -> Self {
        Lines { expected: Source::new(expected), place: Place::start(), state: State::Same }
    }

    /// Reads over blanks of the expected line, and looks at what comes then.
    fn rest_of_line(&mut self) -> io::Result<Rest> {
        let mut shown = After::default();
        let next = match self.expected.skip(is_blank, |blanks| shown.push(blanks))? {
            None => Next::End,
            Some(b'\n') => Next::Newline,
            Some(_) => Next::Text,
        };
        if next == Next::Text {
            self.show_line(&mut shown)?;
        }
        shown.end();
        Ok(Rest { shown, next })
    }

    /// Reads what is shown of the expected line.
    fn show_line(&mut self, shown: &mut After) -> io::Result<()> {
        while !shown.full() {
            let rest = self.expected.rest()?;
            if rest.is_empty() {
                shown.end();
            }
            shown.push_until(is_newline, rest);
            let n = rest.len();
            self.expected.take(n);
        }
        Ok(())
    }

    /// The line of the output ends here (`found_text` is false), or has more text.
    fn differs(&mut self, expected: Rest, found: After, found_text: bool) {
        // Both have text: it differs at its first byte. Else one of them is shorter, without the blanks at its end.
        let both = found_text && expected.next == Next::Text;
        let column = if both { self.place.column } else { self.place.column - self.place.blanks };
        let there_is_one = column > 1 || expected.next != Next::End;
        let shown = there_is_one.then(|| expected.shown.shown(&self.place.before));
        let before = self.place.before.clone();
        self.state = State::Differs { at: (self.place.line, column), expected: shown, before, found };
    }

    /// Both texts were the same to this place, and are not from here on.
    fn part(&mut self, output: &[u8]) -> io::Result<usize> {
        let State::Parted { expected, mut found } = std::mem::replace(&mut self.state, State::Same) else {
            return Ok(0);
        };
        let blanks = output.iter().position(|byte| !is_blank(*byte));
        found.push(&output[..blanks.unwrap_or(output.len())]);
        match (blanks.map(|n| (n, output[n])), expected.next) {
            (None, _) => {
                self.state = State::Parted { expected, found };
                Ok(output.len())
            }
            (Some((n, b'\n')), Next::Newline) => {
                self.expected.take(1);
                self.place.newlines(1);
                Ok(n + 1)
            }
            (Some((n, b'\n')), Next::End) => {
                self.state = State::Over { line: self.place.line + 1, found: After::default() };
                Ok(n + 1)
            }
            (Some((n, b'\n')), Next::Text) => {
                found.end();
                self.differs(expected, found, false);
                Ok(n)
            }
            (Some((n, _)), _) => {
                self.differs(expected, found, true);
                Ok(n)
            }
        }
    }

    /// Nothing more may come but what is empty.
    fn over(&mut self, output: &[u8]) -> usize {
        let State::Over { line, found } = &mut self.state else { return 0 };
        let n = output.iter().position(|byte| !is_empty(*byte));
        let empty = &output[..n.unwrap_or(output.len())];
        if let Some(last) = memchr::memrchr(b'\n', empty) {
            *line += count(memchr::memchr_iter(b'\n', empty).count());
            found.clear();
            found.push(&empty[last + 1..]);
        } else {
            found.push(empty);
        }
        if n.is_some() {
            let (at, found) = ((*line, 1), std::mem::take(found));
            self.state = State::Differs { at, expected: None, before: Before::default(), found };
        }
        n.unwrap_or(output.len())
    }

    /// The output is over, and its last line is as expected: is anything left?
    fn left(&mut self, next: Next) -> io::Result<Opinion> {
        if next == Next::End {
            return Ok(Opinion::Right);
        }
        let (mut line, mut shown) = (self.place.line, After::default());
        let next = self.expected.skip(is_empty, |empty| match memchr::memrchr(b'\n', empty) {
            Some(last) => {
                line += count(memchr::memchr_iter(b'\n', empty).count());
                shown.clear();
                shown.push(&empty[last + 1..]);
            }
            None => shown.push(empty),
        })?;
        if next.is_none() {
            return Ok(Opinion::Right);
        }
        self.show_line(&mut shown)?;
        let expected = shown.shown(&Before::default());
        Ok(Opinion::Wrong(difference((line, 1), Some(expected), None, "line")))
    }
}

impl Compare for Lines {
    fn feed(&mut self, mut output: &[u8]) -> io::Result<()> {
        while !output.is_empty() {
            let n = match &mut self.state {
                State::Same => {
                    let expected = self.expected.rest()?;
                    let n = common(output, expected);
                    let parted = expected.is_empty() || n < output.len().min(expected.len());
                    self.place.advance(&output[..n]);
                    self.expected.take(n);
                    if parted {
                        let expected = self.rest_of_line()?;
                        self.state = State::Parted { expected, found: After::default() };
                    }
                    n
                }
                State::Parted { .. } => self.part(output)?,
                State::Over { .. } => self.over(output),
                State::Differs { found, .. } => {
                    if !found.full() {
                        found.push_until(is_newline, output);
                    }
                    return Ok(());
                }
            };
            output = &output[n..];
        }
        Ok(())
    }

    fn decided(&self) -> bool {
        matches!(&self.state, State::Differs { found, .. } if found.full())
    }

    fn finish(mut self: Box<Self>) -> io::Result<Opinion> {
        let (rest, mut found) = match std::mem::replace(&mut self.state, State::Same) {
            State::Same => (self.rest_of_line()?, After::default()),
            State::Parted { expected, found } => (expected, found),
            State::Over { .. } => return Ok(Opinion::Right),
            State::Differs { at, expected, before, found } => {
                return Ok(Opinion::Wrong(difference(at, expected, Some(found.shown(&before)), "line")));
            }
        };
        if rest.next != Next::Text {
            return self.left(rest.next);
        }
        found.end();
        self.differs(rest, found, false);
        let State::Differs { at, expected, before, found } = self.state else { return Ok(Opinion::Right) };
        let found = (at.1 > 1).then(|| found.shown(&before));
        Ok(Opinion::Wrong(difference(at, expected, found, "line")))
    }
}
