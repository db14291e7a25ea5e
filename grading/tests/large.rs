//! However much comes, and of whatever shape, next to nothing of it is held.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

use std::alloc::System;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cap::Cap;
use grading::compare::{MOST_HELD, Rule, Tolerance};
use grading::{AtMost, Difference, Memory, Opinion};

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const SIZE: usize = 64 << 20;
/// A buffer of what is expected, a piece of the output, and change.
const MOST: usize = 512 << 10;

/// A pattern over and over, so many bytes of it, then something else.
#[derive(Clone)]
struct Text {
    block: Vec<u8>,
    left: usize,
    end: &'static [u8],
}

impl Text {
    fn new(pattern: &[u8], size: usize, end: &'static [u8]) -> Text {
        let block = pattern.repeat((64 << 10) / pattern.len());
        Text { left: size / block.len() * block.len(), block, end }
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.end.read(buffer);
        }
        let at = (self.block.len() - self.left % self.block.len()) % self.block.len();
        let n = (self.block.len() - at).min(buffer.len());
        buffer[..n].copy_from_slice(&self.block[at..at + n]);
        self.left -= n;
        Ok(n)
    }
}

/// Compares two texts, and says how much was held meanwhile.
fn compared(rule: Rule, expected: &Text, mut output: Text) -> (Opinion, usize) {
    let mut compare = rule.against(Box::new(expected.clone()), Box::new(AtMost(MOST_HELD)));
    let before = HEAP.allocated();
    let mut piece = vec![0; 64 << 10];
    let mut most = 0;
    loop {
        let n = output.read(&mut piece).unwrap();
        if n == 0 {
            let opinion = compare.finish().unwrap();
            return (opinion, most.max(HEAP.allocated().saturating_sub(before)));
        }
        compare.feed(&piece[..n]).unwrap();
        most = most.max(HEAP.allocated().saturating_sub(before));
    }
}

/// Tells what was asked for.
struct Counted(Arc<AtomicU64>);

impl Memory for Counted {
    fn hold(&mut self, bytes: u64) -> bool {
        self.0.store(bytes, Ordering::Relaxed);
        true
    }
}

/// The table of distinct lines is never larger than what was asked for.
fn a_table_of_lines_is_counted() {
    let text: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    let asked = Arc::new(AtomicU64::new(0));
    // Looked at after each piece of what is expected.
    let before = HEAP.allocated();
    let looks = Looks { text: io::Cursor::new(text), before, asked: Arc::clone(&asked), most: Arc::default() };
    let most = Arc::clone(&looks.most);
    let mut compare = Rule::UnorderedLines.against(Box::new(looks), Box::new(Counted(Arc::clone(&asked))));
    compare.feed(b"7\n").unwrap();
    let [most, asked] = [most, asked].map(|number| number.load(Ordering::Relaxed));
    assert!(most > 5_000_000 && asked > 5_000_000, "{most} {asked}");
    drop(compare);
}

struct Looks {
    text: io::Cursor<Vec<u8>>,
    before: usize,
    asked: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

impl Read for Looks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let held = u64::try_from(HEAP.allocated().saturating_sub(self.before)).unwrap();
        self.most.fetch_max(held, Ordering::Relaxed);
        let asked = self.asked.load(Ordering::Relaxed);
        assert!(held <= asked + u64::try_from(MOST).unwrap(), "{held} are held, and {asked} were asked for");
        self.text.read(buffer)
    }
}

/// One test, so that nobody else allocates meanwhile.
#[test]
fn no_text_is_held() {
    a_table_of_lines_is_counted();
    let float = Rule::Float(Tolerance::new(None, None));
    let all = [Rule::Exact, Rule::Lines, Rule::Tokens, float, Rule::UnorderedLines];
    // Where the texts are the same to the byte; where they are not, each byte is looked at, so there is less of it.
    for (pattern, other, size, rules) in [
        (&b"x"[..], &b"x"[..], SIZE, &all[..]),
        (b"12345 67.5 abc\n", b"12345 67.5 abc\n", SIZE / 8, &all[..]),
        (b"\n", b"\n", SIZE / 8, &all),
        (b" ", b"\t", SIZE / 8, &all[1..]),
        (b"12 x\n", b"12 x \r\n", SIZE / 8, &all[1..]),
        (b"1.5 ", b"1.50\n", SIZE / 16, &all[3..4]),
    ] {
        for rule in rules {
            let text = |end| Text::new(pattern, size, end);
            let times = text(b"").left / pattern.len() * other.len();
            let mut output = Text::new(other, usize::MAX, b"");
            output.left = times;
            output.block = other.repeat(text(b"").block.len() / pattern.len());
            let (opinion, held) = compared(*rule, &text(b""), output.clone());
            assert_eq!(opinion, Opinion::Right, "{rule:?} {:?}", String::from_utf8_lossy(pattern));
            assert!(held < MOST, "{rule:?} {:?}: {held}", String::from_utf8_lossy(pattern));
            // A difference at the very end is told with little of what stands before it.
            output.end = b"Y";
            let (opinion, held) = compared(*rule, &text(b"X"), output);
            let Opinion::Wrong(Difference { expected, found, .. }) = opinion else { panic!("{rule:?}: right") };
            assert!(expected.iter().chain(&found).all(|text| text.len() < 100), "{rule:?}: {expected:?} {found:?}");
            assert!(held < MOST, "{rule:?}: {held}");
        }
    }
}
