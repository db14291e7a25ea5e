//! Comparing an output with what is expected, as it comes.
//!
//! Whatever comes, no more is held than a buffer of what is expected (64 KiB) and some hundred bytes; `unordered_lines` holds
//! a number per distinct line besides, up to a cap and as far as there is [`Memory`] for it. So a line or a word of 500 MB
//! costs nothing.
//!
//! # What is the same
//! A *blank* is a space, a tab or a carriage return.
//! * [`Rule::Exact`]: byte for byte.
//! * [`Rule::Lines`]: line by line. Blanks at the end of a line don't count, nor do lines at the end of the text in which
//!   there is nothing else; so a missing newline at the end doesn't either. Blanks at the start of a line and within it do,
//!   and so do empty lines before others. (DOMjudge's and others' "ignore trailing white space".)
//! * [`Rule::Tokens`]: word by word. Words are parted by any number of spaces, tabs, newlines, carriage returns, vertical
//!   tabs and form feeds, as C's `isspace` has it; how many and which doesn't count. This is the default validator of the
//!   Kattis problem package format with its `case_sensitive`; without that it ignores case, which nothing here does.
//! * [`Rule::Float`]: word by word. A word that is the same in both is right. Else it is right when both are numbers and
//!   close: `|found - expected| <= absolute` or `|found - expected| <= relative * |expected|`, either is enough, as in the
//!   Kattis format's `float_tolerance` and testlib's `doubleCompare`. Of two of which one is given the other doesn't count;
//!   without any, which the API does not allow, both are 1e-9. What is a number: [`number`].
//! * [`Rule::UnorderedLines`]: the lines of `Lines` as often as expected, in any order. As order doesn't count, it can't be
//!   told which empty lines are at the end: none of them counts.

use std::io;

use crate::{AtMost, Compare, Difference, Expected, Memory, Opinion};

mod exact;
mod lines;
mod numbers;
mod place;
mod snippet;
mod source;
mod unordered;
mod words;

#[cfg(test)]
mod tests;

pub use numbers::{Tolerance, number};
pub use unordered::MOST_HELD;

/// By which rule an output is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Byte for byte.
    Exact,
    /// Line by line, without blanks at their ends and empty lines at the end.
    Lines,
    /// Word by word.
    Tokens,
    /// Word by word, numbers within an error.
    Float(Tolerance),
    /// As `Lines`, in any order.
    UnorderedLines,
}

impl Rule {
    /// What compares by this rule. What it holds is counted by `memory`; without room it still says right or wrong, but no
    /// longer where.
    #[must_use]
    pub fn against(self, expected: Expected, memory: Box<dyn Memory>) -> Box<dyn Compare> {
        match self {
            Rule::Exact => Box::new(exact::Exact::new(expected)),
            Rule::Lines => Box::new(lines::Lines::new(expected)),
            Rule::Tokens => Box::new(words::Words::new(expected, None)),
            Rule::Float(tolerance) => Box::new(words::Words::new(expected, Some(tolerance))),
            Rule::UnorderedLines => Box::new(unordered::UnorderedLines::new(expected, memory)),
        }
    }
}

/// Compares an output that is there as a whole.
///
/// # Errors
/// That of reading what is expected.
pub fn whole(rule: Rule, expected: Expected, output: &[u8]) -> io::Result<Opinion> {
    let mut compare = rule.against(expected, Box::new(AtMost(MOST_HELD)));
    compare.feed(output)?;
    compare.finish()
}

/// Space, tab, carriage return: what may stand at the end of a line.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// What parts words: C's `isspace`.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// How far two slices are the same.
fn common(one: &[u8], other: &[u8]) -> usize {
    const STRIDE: usize = 256;
    let most = one.len().min(other.len());
    let (one, other) = (&one[..most], &other[..most]);
    let strides = one.chunks(STRIDE).zip(other.chunks(STRIDE)).take_while(|(a, b)| a == b).count();
    let from = (strides * STRIDE).min(most);
    from + one[from..].iter().zip(&other[from..]).take_while(|(a, b)| a == b).count()
}

/// The number of something that is in memory.
fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Says where, and what stands there.
fn difference((line, column): (u64, u64), expected: Option<Vec<u8>>, found: Option<Vec<u8>>, unit: &str) -> Difference {
    let what = match (&expected, &found) {
        (_, None) => "the output ends, more was expected".to_owned(),
        (None, _) => "nothing more was expected".to_owned(),
        _ => format!("the {unit} differs from the expected one"),
    };
    let message = format!("line {line}, column {column}: {what}");
    Difference { line, column, expected, found, message }
}
