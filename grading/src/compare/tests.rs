//! Every comparison against a plain one of whole texts, and what it says of differences.

use std::collections::BTreeMap;
use std::io::{self, Read};

use proptest::prelude::*;

use super::*;

/// A text that comes in pieces of these sizes, over and over.
struct Pieces {
    text: Vec<u8>,
    at: usize,
    sizes: Vec<usize>,
    next: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.next % self.sizes.len()];
        self.next += 1;
        let n = size.min(buffer.len()).min(self.text.len() - self.at);
        buffer[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// Feeds the output in such pieces too. Once it is decided the rest does not come.
fn streamed(rule: Rule, expected: &[u8], output: &[u8], sizes: &[usize], all: bool) -> Opinion {
    let sizes: Vec<usize> = sizes.to_vec();
    let from = Pieces { text: expected.to_vec(), at: 0, sizes: sizes.clone(), next: 1 };
    let mut compare = rule.against(Box::new(from), Box::new(AtMost(MOST_HELD)));
    let (mut at, mut sizes) = (0, sizes.iter().cycle());
    while at < output.len() && (all || !compare.decided()) {
        let n = (*sizes.next().unwrap()).min(output.len() - at);
        compare.feed(&output[at..at + n]).unwrap();
        at += n;
    }
    compare.finish().unwrap()
}

fn opinion(rule: Rule, expected: &[u8], output: &[u8]) -> Opinion {
    streamed(rule, expected, output, &[7, 1, 64 << 10], true)
}

fn wrong(rule: Rule, expected: &str, output: &str) -> (u64, u64, Option<String>, Option<String>) {
    match opinion(rule, expected.as_bytes(), output.as_bytes()) {
        Opinion::Right => panic!("{rule:?}: {expected:?} and {output:?} are the same"),
        Opinion::Wrong(Difference { line, column, expected, found, message }) => {
            assert!(line == 0 || message.contains(&format!("line {line}")) || found.is_none(), "{message}");
            let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
            (line, column, text(expected), text(found))
        }
    }
}

fn right(rule: Rule, expected: &str, output: &str) {
    assert_eq!(opinion(rule, expected.as_bytes(), output.as_bytes()), Opinion::Right, "{expected:?} and {output:?}");
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn exact_means_every_byte() {
    right(Rule::Exact, "", "");
    right(Rule::Exact, "1\n2\n", "1\n2\n");
    assert_eq!(wrong(Rule::Exact, "1\n2\n", "1\n2"), (2, 2, some("2\n"), some("2")));
    assert_eq!(wrong(Rule::Exact, "1\n2", "1\n2\n"), (2, 2, some("2"), some("2\n")));
    assert_eq!(wrong(Rule::Exact, "1\n", "1\n\n"), (2, 1, None, some("\n")));
    assert_eq!(wrong(Rule::Exact, "1\n2\n", "1\n"), (2, 1, some("2\n"), None));
    assert_eq!(wrong(Rule::Exact, "abc def\n", "abc xyz\n"), (1, 5, some("abc def\n"), some("abc xyz\n")));
    assert_eq!(wrong(Rule::Exact, "a\n", "a\r\n"), (1, 2, some("a\n"), some("a\r\n")));
}

#[test]
fn lines_end_where_their_blanks_begin() {
    for output in ["a b\nc\n", "a b\nc", "a b \t\r\nc  ", "a b\r\nc\r\n", "a b\nc\n\n \n\t\n"] {
        right(Rule::Lines, "a b\nc\n", output);
        right(Rule::Lines, output, "a b\nc\n");
    }
    right(Rule::Lines, "", " \n\n");
    right(Rule::Lines, "\n\n", "");
    right(Rule::Lines, "\na", "\t\na");
}

#[test]
fn lines_tell_where_they_differ() {
    assert_eq!(wrong(Rule::Lines, "1\n2\n3\n", "1\n4\n3\n"), (2, 1, some("2"), some("4")));
    assert_eq!(wrong(Rule::Lines, "1\n2\n3\n", "1\n2\n"), (3, 1, some("3"), None));
    assert_eq!(wrong(Rule::Lines, "1\n2\n3\n", "1\n2"), (3, 1, some("3"), None));
    assert_eq!(wrong(Rule::Lines, "1\n2\n", "1\n2\n3\n"), (3, 1, None, some("3")));
    assert_eq!(wrong(Rule::Lines, "1", "1  \n\n  3"), (3, 1, None, some("  3")));
    assert_eq!(wrong(Rule::Lines, "a b", "a"), (1, 2, some("a b"), some("a")));
    assert_eq!(wrong(Rule::Lines, "a", "a  b"), (1, 2, some("a"), some("a  b")));
    assert_eq!(wrong(Rule::Lines, "a x", "a  x"), (1, 3, some("a x"), some("a  x")));
    assert_eq!(wrong(Rule::Lines, "a\n\nb", "a\nb"), (2, 1, some(""), some("b")));
    assert_eq!(wrong(Rule::Lines, "a\tb", "a b"), (1, 2, some("a\tb"), some("a b")));
    assert_eq!(wrong(Rule::Lines, "x", ""), (1, 1, some("x"), None));
    assert_eq!(wrong(Rule::Lines, "", "\n x"), (2, 1, None, some(" x")));
}

#[test]
fn words_are_what_stands_between_spaces() {
    for output in ["a b c", " a\tb\n\nc\n", "a\x0bb\x0cc\r\n"] {
        right(Rule::Tokens, "a b c\n", output);
        right(Rule::Tokens, output, "a b c\n");
    }
    right(Rule::Tokens, "", " \n");
    right(Rule::Tokens, "\n", "");
    assert_eq!(wrong(Rule::Tokens, "a b", "a  c"), (1, 4, some("b"), some("c")));
    assert_eq!(wrong(Rule::Tokens, "a bc\n", "a\nbcd\n"), (2, 1, some("bc"), some("bcd")));
    assert_eq!(wrong(Rule::Tokens, "a bcd\n", "a\nbc"), (2, 1, some("bcd"), some("bc")));
    assert_eq!(wrong(Rule::Tokens, "a", "a\n  b c"), (2, 3, None, some("b")));
    assert_eq!(wrong(Rule::Tokens, "a b", "a\n"), (2, 1, some("b"), None));
    assert_eq!(wrong(Rule::Tokens, "Yes", "yes"), (1, 1, some("Yes"), some("yes")));
    assert_eq!(wrong(Rule::Tokens, "ab", "a b"), (1, 1, some("ab"), some("a")));
}

#[test]
fn numbers_may_be_near() {
    let float = Rule::Float(Tolerance::new(Some(0.01), None));
    right(float, "1 2.5 x nan -inf 1e400\n", "1.009 2.49\nx NaN -Infinity 1e400");
    right(float, "1.0", "1");
    right(float, "1", "1.0");
    right(float, "10", "10.00");
    right(float, "0.0314", "3.14000000e-2");
    assert_eq!(wrong(float, "1 2.5", "1 2.6"), (1, 3, some("2.5"), some("2.6")));
    assert_eq!(wrong(float, "1.0 x", "1.00 y"), (1, 6, some("x"), some("y")));
    assert_eq!(wrong(float, "1", "0x1"), (1, 1, some("1"), some("0x1")));
    assert_eq!(wrong(float, "1000", "1_000"), (1, 1, some("1000"), some("1_000")));
    assert_eq!(wrong(float, "inf", "1e400"), (1, 1, some("inf"), some("1e400")));
    assert_eq!(wrong(float, "nan", "0"), (1, 1, some("nan"), some("0")));
    assert_eq!(wrong(float, "x1", "x1.0"), (1, 1, some("x1"), some("x1.0")));
    assert_eq!(wrong(float, "1 2", "1.0"), (1, 4, some("2"), None));
    assert_eq!(wrong(float, "1", "1.0 2"), (1, 5, None, some("2")));
    let long = format!("1.{}", "0".repeat(600));
    right(float, &long, &long);
    wrong(float, "1.0", &long);
    wrong(float, &long, "1.0");
}

#[test]
fn unordered_lines_may_come_in_any_order() {
    let rule = Rule::UnorderedLines;
    right(rule, "a\nb\nb\n", "b \na\n\nb");
    right(rule, "", "\n \n");
    assert_eq!(wrong(rule, "a\nb\n", "b\nc\na\n"), (2, 1, None, some("c")));
    assert_eq!(wrong(rule, "a\nb\n", "b\nb\n"), (2, 1, None, some("b")));
    assert_eq!(wrong(rule, "a\nb\nc\n", "c\na\n"), (3, 1, some("b"), None));
    assert_eq!(wrong(rule, "a\nb\nc", "c\na"), (3, 1, some("b"), None));
    assert_eq!(wrong(rule, "a\n", ""), (1, 1, some("a"), None));
    assert_eq!(wrong(rule, "a\n", "\n\n"), (3, 1, some("a"), None));
}

#[test]
fn too_many_distinct_lines_are_summed_up() {
    let text = |order: &[u32]| order.iter().map(|n| format!("line {n}\n")).collect::<String>();
    let compare = |output: &str| {
        let expected = io::Cursor::new(text(&[1, 2, 3, 4, 5, 5]).into_bytes());
        let mut compare: Box<dyn Compare> =
            Box::new(unordered::UnorderedLines::with_cap(Box::new(expected), Box::new(AtMost(MOST_HELD)), 3));
        compare.feed(output.as_bytes()).unwrap();
        compare.finish().unwrap()
    };
    assert_eq!(compare(&text(&[5, 4, 3, 2, 1, 5])), Opinion::Right);
    for other in [&[5, 4, 3, 2, 1, 1][..], &[5, 4, 3, 2, 1], &[5, 4, 3, 2, 1, 5, 5], &[]] {
        let Opinion::Wrong(difference) = compare(&text(other)) else { panic!("{other:?} is right") };
        assert_eq!((difference.line, difference.expected, difference.found), (0, None, None));
    }
}

#[test]
fn without_memory_for_all_lines_the_opinion_is_the_same() {
    let text = |lines: std::ops::Range<u32>| lines.map(|n| format!("line {n}\n")).collect::<String>();
    let compare = |output: &str, most: u64| {
        let expected = Box::new(io::Cursor::new(text(0..1_000).into_bytes()));
        let mut compare = Rule::UnorderedLines.against(expected, Box::new(AtMost(most)));
        compare.feed(output.as_bytes()).unwrap();
        compare.finish().unwrap()
    };
    let moved = text(500..1_000) + &text(0..500);
    for most in [0, 1_000, 10_000, 60_000, MOST_HELD] {
        assert_eq!(compare(&moved, most), Opinion::Right, "{most}");
        for other in [text(0..999), text(0..1_001), text(0..999) + "line 1\n"] {
            let Opinion::Wrong(difference) = compare(&other, most) else { panic!("{most}: right") };
            let told = difference.line > 0;
            assert_eq!(told, most > 75_000, "{most}: two tables, of 1,024 and 2,048 places, are needed to tell it");
            assert!(told || difference.message.ends_with("there was no memory to tell which"), "{difference:?}");
        }
    }
}

#[test]
fn long_lines_and_words_are_cut_around_the_difference() {
    let (start, end) = ("ż".repeat(1000), "x".repeat(1000));
    for rule in [Rule::Exact, Rule::Lines, Rule::Tokens] {
        let (_, column, expected, found) = wrong(rule, &format!("{start}1{end}"), &format!("{start}2{end}"));
        assert_eq!(column, if rule == Rule::Tokens { 1 } else { 2001 });
        let around = |middle| some(&format!("…{}{middle}{}…", "ż".repeat(20), "x".repeat(39)));
        assert_eq!((expected, found), (around("1"), around("2")), "{rule:?}");
    }
}

#[test]
fn what_cannot_be_read_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    for rule in rules() {
        assert!(rule.against(Box::new(Broken), Box::new(AtMost(MOST_HELD))).feed(b"x").is_err(), "{rule:?}");
        assert!(rule.against(Box::new(Broken), Box::new(AtMost(MOST_HELD))).finish().is_err(), "{rule:?}");
    }
}

#[test]
fn it_is_decided_as_soon_as_the_place_is_known() {
    for rule in rules() {
        let mut compare = rule.against(Box::new(io::Cursor::new(b"1\n2\n3\n".to_vec())), Box::new(AtMost(MOST_HELD)));
        compare.feed(b"1\n").unwrap();
        assert!(!compare.decided(), "{rule:?}");
        compare.feed(b"7\n").unwrap();
        assert!(compare.decided(), "{rule:?}");
        compare.feed(b"3\n").unwrap();
        let Opinion::Wrong(difference) = compare.finish().unwrap() else { panic!("{rule:?}") };
        assert_eq!(difference.line, 2, "{rule:?}");
    }
}

fn rules() -> [Rule; 5] {
    let float = Rule::Float(Tolerance::new(None, None));
    [Rule::Exact, Rule::Lines, Rule::Tokens, float, Rule::UnorderedLines]
}

/// The lines of a text, without blanks at their ends and empty ones at the end of all.
fn plain_lines(text: &[u8]) -> Vec<&[u8]> {
    let trimmed = |line: &'_ [u8]| line.iter().rposition(|byte| !b" \t\r".contains(byte)).map_or(0, |last| last + 1);
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(|line| &line[..trimmed(line)]).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn plain_words(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| b" \t\n\x0b\x0c\r".contains(byte)).filter(|word| !word.is_empty()).collect()
}

/// What a comparison of whole texts says, without a place.
fn plain(rule: Rule, expected: &[u8], output: &[u8]) -> bool {
    match rule {
        Rule::Exact => expected == output,
        Rule::Lines => plain_lines(expected) == plain_lines(output),
        Rule::Tokens => plain_words(expected) == plain_words(output),
        Rule::Float(tolerance) => {
            let (expected, output) = (plain_words(expected), plain_words(output));
            expected.len() == output.len()
                && expected
                    .iter()
                    .zip(output)
                    .all(|(a, b)| *a == b || number(a).zip(number(b)).is_some_and(|(a, b)| tolerance.allows(a, b)))
        }
        Rule::UnorderedLines => {
            let counted = |text| {
                let mut lines = BTreeMap::new();
                for line in plain_lines(text).into_iter().filter(|line| !line.is_empty()) {
                    *lines.entry(line).or_insert(0) += 1;
                }
                lines
            };
            counted(expected) == counted(output)
        }
    }
}

/// Where a comparison of whole texts finds the first difference.
fn plain_place(rule: Rule, expected: &[u8], output: &[u8]) -> Option<(u64, u64)> {
    let place = |at: usize| {
        let line = output[..at].iter().filter(|byte| **byte == b'\n').count();
        let start = output[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        Some((count(line + 1), count(at - start + 1)))
    };
    match rule {
        Rule::Exact => place(common(expected, output)),
        Rule::Lines => {
            let (expected, output) = (plain_lines(expected), plain_lines(output));
            let at = expected.iter().zip(&output).position(|(a, b)| a != b);
            match at {
                Some(at) => Some((count(at + 1), count(common(expected[at], output[at]) + 1))),
                None => {
                    // Of lines that are left over the first that is not empty.
                    let from = expected.len().min(output.len());
                    let mut left = if expected.len() > from { &expected } else { &output }[from..].iter();
                    left.position(|line| !line.is_empty()).map(|at| (count(from + at + 1), 1))
                }
            }
        }
        Rule::Tokens | Rule::Float(_) => {
            let (theirs, ours) = (plain_words(expected), plain_words(output));
            let at = (0..ours.len()).find(|at| theirs.get(*at).is_none_or(|word| !plain(rule, word, ours[*at])));
            match at {
                Some(at) => place(ours[at].as_ptr() as usize - output.as_ptr() as usize),
                None => place(output.len()),
            }
        }
        Rule::UnorderedLines => None,
    }
}

/// Text of which much is the same: lines and words of few letters, numbers, all kinds of space.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(
        &[
            "a",
            "b",
            "1",
            "1.0",
            "2",
            ".",
            "e1",
            "nan",
            " ",
            "  ",
            "\t",
            "\r",
            "\n",
            "\n",
            "\n\n",
            "\x0b",
            "ż",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ][..],
    );
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Two texts, often alike.
fn pair() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let edited = (text(), text(), any::<prop::sample::Index>(), 0..6_usize).prop_map(|(one, middle, at, gone)| {
        let at = at.index(one.len() + 1);
        let other = [&one[..at], &middle[..middle.len().min(3)], &one[(at + gone).min(one.len())..]].concat();
        (one, other)
    });
    prop_oneof![(text(), text()), edited]
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![1..4_usize, 1..200_usize], 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn streaming_says_what_a_plain_comparison_says((expected, output) in pair(), sizes in sizes()) {
        for rule in rules() {
            let opinion = streamed(rule, &expected, &output, &sizes, true);
            prop_assert_eq!(opinion == Opinion::Right, plain(rule, &expected, &output), "{:?}: {:?}", rule, opinion);
            // However it comes, and even where the rest does not.
            prop_assert_eq!(&opinion, &whole(rule, Box::new(io::Cursor::new(expected.clone())), &output).unwrap());
            prop_assert_eq!(&opinion, &streamed(rule, &expected, &output, &sizes, false));
            if let Opinion::Wrong(told) = opinion {
                if let Some(place) = plain_place(rule, &expected, &output) {
                    prop_assert_eq!((told.line, told.column), place, "{:?}: {:?}", rule, told);
                }
                prop_assert!([told.expected, told.found].iter().flatten().all(|text| text.len() <= 86));
            }
        }
    }
}
