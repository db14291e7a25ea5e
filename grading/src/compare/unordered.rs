//! The same lines, in any order.
//!
//! What is expected is read first, as a whole. Of each distinct line a keyed hash of 128 bits is kept and how often it comes.
//! The key is drawn for each comparison, so nobody can write lines that are taken for others. Above [`CAP`] distinct lines a
//! number per line would be too much, and so it is where there is no memory for the table: then the sums of the hashes decide
//! (a multiset hash: AdHash, Bellare and Micciancio 1997), and it can't be told where the difference is. So the opinion never
//! depends on how much memory there is, only what is told of it.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::is_blank;
use super::snippet::{After, Before};
use super::source::{BUFFER, Source};
use crate::{Compare, Difference, Expected, Memory, Opinion};

/// So many distinct lines are told apart: 24 bytes each, in a table that is at most half empty.
const CAP: usize = 1 << 20;
/// The most that [`Memory`] is asked for: the last table and the one before it, whose lines are moved.
pub const MOST_HELD: u64 = held(CAP) + held(CAP / 2);
/// The first table.
const FIRST: usize = 64;

pub(super) struct UnorderedLines {
    source: Source,
    expected: Multiset,
    cap: usize,
    /// What is expected was read.
    read: bool,
    lines: Lines,
    sum: Sum,
    wrong: Option<Wrong>,
}

/// A line of the output of which there are more than expected.
struct Wrong {
    line: u64,
    found: Vec<u8>,
    known: bool,
}

/// The lines that are expected and have not come yet.
struct Multiset {
    /// By hash: how often, and where it was first.
    lines: HashMap<[u64; 2], Waiting>,
    /// There are more than can be told apart: only the sum counts.
    too_many: Option<TooMany>,
    sum: Sum,
    /// The start of what is expected, to show what is missing.
    head: Vec<u8>,
    memory: Box<dyn Memory>,
}

/// Why lines are no longer told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TooMany {
    /// There are more than so many.
    Lines(usize),
    /// There is no memory for more.
    Memory,
}

/// What a table for so many lines takes: it is a power of two of which an eighth is free, and has a byte more for each.
const fn held(lines: usize) -> u64 {
    const EACH: usize = size_of::<([u64; 2], Waiting)>() + 1;
    let places = (lines + lines.div_ceil(7)).next_power_of_two();
    (places * EACH) as u64
}

#[derive(Clone, Copy)]
struct Waiting {
    times: u32,
    /// The number of its line, as far as this type goes.
    line: u32,
}

/// Of all lines, in any order.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    lines: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, hash: [u64; 2]) {
        self.lines += 1;
        self.hashes = self.hashes.wrapping_add((u128::from(hash[0]) << 64) | u128::from(hash[1]));
    }
}

/// Makes hashes of the lines of a text that comes in pieces.
struct Lines {
    key: SipHasher13,
    line: u64,
    /// Of the line that we are in: all of it, and without the blanks at its end.
    all: SipHasher13,
    trimmed: SipHasher13,
    /// Whether there is anything but blanks in it.
    any: bool,
    shown: After,
}

impl Lines {
    fn new(key: SipHasher13) -> Self {
        Lines { key, line: 1, all: key, trimmed: key, any: false, shown: After::default() }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.shown.push(bytes);
        match bytes.iter().rposition(|byte| !is_blank(*byte)) {
            Some(last) => {
                self.all.write(&bytes[..=last]);
                self.trimmed = self.all;
                self.all.write(&bytes[last + 1..]);
                self.any = true;
            }
            None => self.all.write(bytes),
        }
    }

    /// The line ends. `None` for one in which there is nothing.
    fn end(&mut self) -> Option<[u64; 2]> {
        let hash = self.any.then(|| {
            let hash = self.trimmed.finish128();
            [hash.h1, hash.h2]
        });
        (self.all, self.trimmed, self.any) = (self.key, self.key, false);
        hash
    }

    fn next(&mut self) {
        self.line += 1;
        self.shown.clear();
    }
}

impl Multiset {
    fn new(memory: Box<dyn Memory>) -> Self {
        Multiset { lines: HashMap::new(), too_many: None, sum: Sum::default(), head: Vec::new(), memory }
    }

    fn add(&mut self, hash: [u64; 2], line: u64, cap: usize) {
        self.sum.add(hash);
        if self.too_many.is_some() {
            return;
        }
        if let Err(why) = self.tell_apart(hash, line, cap) {
            self.too_many = Some(why);
            self.lines = HashMap::new();
            self.memory.hold(0);
        }
    }

    fn tell_apart(&mut self, hash: [u64; 2], line: u64, cap: usize) -> Result<(), TooMany> {
        if let Some(waiting) = self.lines.get_mut(&hash) {
            waiting.times = waiting.times.checked_add(1).ok_or(TooMany::Lines(cap))?;
            return Ok(());
        }
        if self.lines.len() >= cap {
            return Err(TooMany::Lines(cap));
        }
        self.room()?;
        self.lines.insert(hash, Waiting { times: 1, line: u32::try_from(line).unwrap_or(u32::MAX) });
        Ok(())
    }

    /// Makes room for one more.
    fn room(&mut self) -> Result<(), TooMany> {
        let before = self.lines.capacity();
        if self.lines.len() < before {
            return Ok(());
        }
        let more = before.max(FIRST);
        if !self.memory.hold(held(before) + held(before + more)) || self.lines.try_reserve(more).is_err() {
            return Err(TooMany::Memory);
        }
        // Of two tables one is left.
        self.memory.hold(held(self.lines.capacity()));
        Ok(())
    }

    /// The first of the lines that have not come.
    fn missing(&self) -> Option<Waiting> {
        self.lines.values().filter(|waiting| waiting.times > 0).min_by_key(|waiting| waiting.line).copied()
    }

    /// A line of what is expected, where it is still known.
    fn shown(&self, line: u32) -> Option<Vec<u8>> {
        let before = usize::try_from(line).ok()?.checked_sub(1)?;
        let mut lines = self.head.split(|byte| *byte == b'\n').skip(before);
        let text = lines.next()?;
        // The last one may go on behind what is kept.
        if lines.next().is_none() && self.head.len() == BUFFER {
            return None;
        }
        Some(shown(text))
    }
}

fn shown(line: &[u8]) -> Vec<u8> {
    let mut after = After::default();
    after.push(line);
    after.shown(&Before::default())
}

impl UnorderedLines {
    pub(super) fn new(expected: Expected, memory: Box<dyn Memory>) -> Self {
        Self::with_cap(expected, memory, CAP)
    }

    pub(super) fn with_cap(expected: Expected, memory: Box<dyn Memory>, cap: usize) -> Self {
        // The only source of randomness in std: keys that differ by process and by call.
        let random = RandomState::new();
        let key = SipHasher13::new_with_keys(random.hash_one(0), random.hash_one(1));
        UnorderedLines {
            source: Source::new(expected),
            expected: Multiset::new(memory),
            cap,
            read: false,
            lines: Lines::new(key),
            sum: Sum::default(),
            wrong: None,
        }
    }

    fn read_expected(&mut self) -> io::Result<()> {
        if self.read {
            return Ok(());
        }
        let mut lines = Lines::new(self.lines.key);
        loop {
            let rest = self.source.rest()?;
            let newline = memchr::memchr(b'\n', rest);
            let over = rest.is_empty();
            let n = newline.map_or(rest.len(), |at| at + 1);
            lines.push(&rest[..newline.unwrap_or(n)]);
            let room = BUFFER - self.expected.head.len();
            self.expected.head.extend_from_slice(&rest[..n.min(room)]);
            self.source.take(n);
            if newline.is_some() || over {
                if let Some(hash) = lines.end() {
                    self.expected.add(hash, lines.line, self.cap);
                }
                lines.next();
            }
            if over {
                self.read = true;
                return Ok(());
            }
        }
    }

    fn line_ends(&mut self) {
        if let Some(hash) = self.lines.end() {
            self.sum.add(hash);
            if self.expected.too_many.is_none() {
                self.came(hash);
            }
        }
        self.lines.next();
    }

    fn came(&mut self, hash: [u64; 2]) {
        let known = match self.expected.lines.get_mut(&hash) {
            Some(waiting) if waiting.times > 0 => {
                waiting.times -= 1;
                return;
            }
            other => other.is_some(),
        };
        let found = self.lines.shown.shown(&Before::default());
        self.wrong = Some(Wrong { line: self.lines.line, found, known });
    }
}

impl Compare for UnorderedLines {
    fn feed(&mut self, mut output: &[u8]) -> io::Result<()> {
        self.read_expected()?;
        while !output.is_empty() && self.wrong.is_none() {
            let newline = memchr::memchr(b'\n', output);
            self.lines.push(&output[..newline.unwrap_or(output.len())]);
            if newline.is_some() {
                self.line_ends();
            }
            output = &output[newline.map_or(output.len(), |at| at + 1)..];
        }
        Ok(())
    }

    fn decided(&self) -> bool {
        self.wrong.is_some()
    }

    fn finish(mut self: Box<Self>) -> io::Result<Opinion> {
        self.read_expected()?;
        // What is missing should stand behind the last line.
        let behind = self.lines.line + u64::from(self.lines.any);
        if self.wrong.is_none() {
            self.line_ends();
        }
        if let Some(Wrong { line, found, known }) = self.wrong {
            let why = if known { "comes more often than expected" } else { "is not expected anywhere" };
            let message = format!("line {line}: this line {why}");
            return Ok(Opinion::Wrong(Difference { line, column: 1, expected: None, found: Some(found), message }));
        }
        if self.sum == self.expected.sum {
            return Ok(Opinion::Right);
        }
        if let Some(missing) = self.expected.missing() {
            let message = format!("line {} of what is expected is missing in the output", missing.line);
            let expected = self.expected.shown(missing.line);
            return Ok(Opinion::Wrong(Difference { line: behind, column: 1, expected, found: None, message }));
        }
        let why = match self.expected.too_many {
            Some(TooMany::Memory) => "there was no memory to tell which".to_owned(),
            _ => format!("above {} distinct lines it can't be told which", self.cap),
        };
        let message = format!("the output does not have the same lines as expected; {why}");
        Ok(Opinion::Wrong(Difference { line: 0, column: 0, expected: None, found: None, message }))
    }
}
