//! Outputs against what is expected, and what checkers leave.

use std::collections::BTreeMap;
use std::io::{self, Read};

use grading::compare::{MOST_HELD, Rule, Tolerance, number, whole};
use grading::protocol::{CheckerOpinion, End, Protocol, Said};
use grading::{AtMost, Difference, Opinion};

/// A byte for the size of the pieces, then what is expected, a zero, and the output.
pub fn compare(data: &[u8]) {
    let Some((size, texts)) = data.split_first() else { return };
    let split = texts.iter().position(|byte| *byte == 0).unwrap_or(texts.len());
    let (expected, output) = (&texts[..split], texts.get(split + 1..).unwrap_or_default());
    let size = usize::from(*size).max(1);
    let tolerance = Tolerance::new(None, None);
    for rule in [Rule::Exact, Rule::Lines, Rule::Tokens, Rule::Float(tolerance), Rule::UnorderedLines] {
        let in_pieces = streamed(rule, expected, output, size);
        let at_once = whole(rule, Box::new(io::Cursor::new(expected.to_vec())), output);
        let at_once = at_once.unwrap_or_else(|error| panic!("{rule:?}: {error}"));
        assert_eq!(in_pieces, at_once, "{rule:?} in pieces of {size}");
        assert_eq!(in_pieces == Opinion::Right, plain(rule, expected, output), "{rule:?}: {in_pieces:?}");
        if let Opinion::Wrong(difference) = in_pieces {
            told(&difference);
        }
    }
}

fn told(difference: &Difference) {
    let texts = [&difference.expected, &difference.found];
    assert!(texts.into_iter().flatten().all(|text| text.len() <= 86), "{difference:?}");
    assert!(difference.line >= 1 && difference.column >= 1 && !difference.message.is_empty(), "{difference:?}");
}

struct Pieces(io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

fn streamed(rule: Rule, expected: &[u8], output: &[u8], size: usize) -> Opinion {
    let mut compare =
        rule.against(Box::new(Pieces(io::Cursor::new(expected.to_vec()), size)), Box::new(AtMost(MOST_HELD)));
    for piece in output.chunks(size) {
        compare.feed(piece).unwrap_or_else(|error| panic!("{error}"));
    }
    compare.finish().unwrap_or_else(|error| panic!("{error}"))
}

fn plain(rule: Rule, expected: &[u8], output: &[u8]) -> bool {
    match rule {
        Rule::Exact => expected == output,
        Rule::Lines => lines(expected) == lines(output),
        Rule::Tokens => words(expected) == words(output),
        Rule::Float(tolerance) => {
            let (expected, output) = (words(expected), words(output));
            let close = |a: &[u8], b: &[u8]| number(a).zip(number(b)).is_some_and(|(a, b)| tolerance.allows(a, b));
            expected.len() == output.len() && expected.iter().zip(output).all(|(a, b)| *a == b || close(a, b))
        }
        Rule::UnorderedLines => {
            let sorted = |text| {
                let mut lines: Vec<&[u8]> = lines(text).into_iter().filter(|line| !line.is_empty()).collect();
                lines.sort_unstable();
                lines
            };
            sorted(expected) == sorted(output)
        }
    }
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    let trimmed = |line: &'_ [u8]| line.iter().rposition(|byte| !b" \t\r".contains(byte)).map_or(0, |last| last + 1);
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').map(|line| &line[..trimmed(line)]).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    text.split(|byte| b" \t\n\x0b\x0c\r".contains(byte)).filter(|word| !word.is_empty()).collect()
}

/// A byte for the protocol, the exit code, the points of the test, then a file, a zero, and standard error.
pub fn opinion(data: &[u8]) {
    let [which, code, points, rest @ ..] = data else { return };
    let split = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let (file, stderr) = (rest[..split].to_vec(), rest.get(split + 1..).unwrap_or_default());
    let name = if which & 2 == 0 { "score.txt" } else { "score_multiplier.txt" };
    let files = BTreeMap::from([(name.to_owned(), file.clone()), ("judgemessage.txt".to_owned(), file)]);
    let protocol = if which & 1 == 0 { Protocol::Kattis } else { Protocol::Testlib };
    let said = Said { stderr, files: &files };
    match protocol.opinion(End::Exited(*code), &said, f64::from(*points)) {
        CheckerOpinion::Accepted => {}
        CheckerOpinion::Wrong { share } => assert!((0.0..1.0).contains(&share), "{share}"),
        CheckerOpinion::Failed(why) => assert!(why.starts_with("the checker"), "{why}"),
    }
    assert!(protocol.message(&said).is_none_or(|message| !message.is_empty() && message.len() <= 4096));
}
