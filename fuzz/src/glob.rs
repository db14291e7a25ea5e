//! Globs, as init matches them against what a program has left, and a matcher that is slow and plain.

use arbitrary::{Arbitrary, Unstructured};
use jail::fuzzing::Glob;

/// Any text against any path; then a glob that is made of known parts against the plain matcher.
pub fn glob(data: &[u8]) {
    let split = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(split);
    free(text, rest.get(1..).unwrap_or_default());
    let mut u = Unstructured::new(data);
    if let (Ok(pattern), Ok(path)) = (Pattern::arbitrary(&mut u), path(&mut u)) {
        compared(&pattern, &path);
    }
}

fn free(text: &[u8], path: &[u8]) {
    let Some(glob) = Glob::new(text) else { return };
    let matched = glob.matches(path);
    if matched && jail::records::relative_components(path).is_some() {
        found(&glob, text, path);
    }
}

/// The walk finds what matches: it enters every folder on the way.
fn found(glob: &Glob, text: &[u8], path: &[u8]) {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for (depth, slash) in slashes.enumerate() {
        let folder = &path[..slash];
        assert!(
            !glob.walks() || glob.enters(folder, depth + 1),
            "{:?} matches {:?}, but the walk does not enter {:?}",
            String::from_utf8_lossy(text),
            String::from_utf8_lossy(path),
            String::from_utf8_lossy(folder)
        );
    }
}

fn compared(pattern: &Pattern, path: &[u8]) {
    if !pattern.is_plain() {
        return;
    }
    let text = pattern.text();
    let Some(glob) = Glob::new(&text) else { return };
    let (theirs, ours) = (glob.matches(path), pattern.matches(path));
    let shown = (String::from_utf8_lossy(&text).into_owned(), String::from_utf8_lossy(path).into_owned());
    assert_eq!(theirs, ours, "{shown:?}: init says {theirs}");
    if ours {
        found(&glob, &text, path);
    }
}

/// The names that a path is made of.
fn path(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let mut path = Vec::new();
    for _ in 0..=u.int_in_range(0..=4)? {
        if !path.is_empty() {
            path.push(b'/');
        }
        for _ in 0..=u.int_in_range(0..=3)? {
            path.push(*u.choose(LETTERS)?);
        }
    }
    Ok(path)
}

const LETTERS: &[u8] = b"ab.c-\xff*";

/// A glob by its parts: names between slashes.
#[derive(Debug, Arbitrary)]
struct Pattern(Vec<Name>);

#[derive(Debug, Arbitrary)]
enum Name {
    /// `**`: any folders, none too.
    Any,
    Parts(Part, Vec<Part>),
    /// `{…,…}` with more parts after it.
    Either(Vec<Part>, Vec<Part>, Vec<Part>),
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Part {
    Letter(u8),
    Escaped(u8),
    One,
    Many,
    /// `[…]` and `[!…]`.
    Class {
        negated: bool,
        first: u8,
        last: u8,
    },
}

fn letter(n: u8) -> u8 {
    LETTERS[usize::from(n) % (LETTERS.len() - 1)]
}

impl Part {
    fn write(self, text: &mut Vec<u8>) {
        match self {
            Part::Letter(n) => text.push(letter(n)),
            Part::Escaped(n) => text.extend([b'\\', if n % 2 == 0 { b'*' } else { b'.' }]),
            Part::One => text.push(b'?'),
            Part::Many => text.push(b'*'),
            Part::Class { negated, first, last } => {
                let (first, last) = class(first, last);
                text.push(b'[');
                text.extend(negated.then_some(b'!'));
                text.extend([first, b'-', last, b']']);
            }
        }
    }
}

/// Letters alone: what `-`, `.` and `]` mean inside brackets is a matter of taste.
fn class(first: u8, last: u8) -> (u8, u8) {
    (b'a' + first % 3, b'a' + last % 3)
}

impl Pattern {
    fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for name in &self.0 {
            if !text.is_empty() {
                text.push(b'/');
            }
            match name {
                Name::Any => text.extend(b"**"),
                Name::Parts(first, more) => {
                    [*first].iter().chain(more).for_each(|part| part.write(&mut text));
                }
                Name::Either(one, other, more) => {
                    text.push(b'{');
                    one.iter().for_each(|part| part.write(&mut text));
                    text.push(b',');
                    other.iter().for_each(|part| part.write(&mut text));
                    text.push(b'}');
                    more.iter().for_each(|part| part.write(&mut text));
                }
            }
        }
        text
    }

    /// Small enough for the plain matcher, and without two stars in a row, which mean folders, within a name.
    fn is_plain(&self) -> bool {
        let plain =
            |parts: &[Part]| parts.len() < 8 && !parts.windows(2).any(|two| matches!(two, [Part::Many, Part::Many]));
        (1..6).contains(&self.0.len())
            && self.0.iter().all(|name| match name {
                Name::Any => true,
                Name::Parts(first, more) => plain(&[&[*first], more.as_slice()].concat()),
                Name::Either(one, other, more) => {
                    [one, other].iter().all(|choice| plain(&[choice.as_slice(), more].concat()))
                }
            })
    }

    /// Every choice of every name, one after the other.
    fn matches(&self, path: &[u8]) -> bool {
        let path: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        names(&self.0, &path)
    }
}

fn names(pattern: &[Name], path: &[&[u8]]) -> bool {
    let Some((first, more)) = pattern.split_first() else { return path.is_empty() };
    match first {
        // At the end it stands for what is below, never for the folder itself.
        Name::Any => (usize::from(more.is_empty())..=path.len()).any(|taken| names(more, &path[taken..])),
        Name::Parts(part, parts) => {
            let all: Vec<Part> = [*part].into_iter().chain(parts.iter().copied()).collect();
            path.split_first().is_some_and(|(name, rest)| parts_match(&all, name) && names(more, rest))
        }
        Name::Either(one, other, after) => [one, other].into_iter().any(|choice| {
            let all: Vec<Part> = choice.iter().chain(after).copied().collect();
            path.split_first().is_some_and(|(name, rest)| parts_match(&all, name) && names(more, rest))
        }),
    }
}

fn parts_match(parts: &[Part], name: &[u8]) -> bool {
    let Some((first, more)) = parts.split_first() else { return name.is_empty() };
    if let Part::Many = first {
        return (0..=name.len()).any(|taken| parts_match(more, &name[taken..]));
    }
    let Some((byte, rest)) = name.split_first() else { return false };
    let fits = match *first {
        Part::Letter(n) => *byte == letter(n),
        Part::Escaped(n) => *byte == if n % 2 == 0 { b'*' } else { b'.' },
        Part::One | Part::Many => true,
        Part::Class { negated, first, last } => {
            let (first, last) = class(first, last);
            (first..=last).contains(byte) != negated
        }
    };
    fits && parts_match(more, rest)
}
