//! The globs of a bundle: which files they match, and which folders can hold such files.
//!
//! `*`, `?` and `[…]` match bytes within one name, dots at its beginning too, `**` any folders, `{a,b}` either, `\` takes
//! the meaning of the next byte away. A glob without any of these is the path of one file.

use fast_glob::{glob_match, validate};

use crate::records::relative_components;

/// The most globs, exceptions and links, of each.
const MOST: usize = 16;
/// The longest name of a file, see pathname(7).
const MOST_NAME: usize = 255;
/// The longest glob.
const GLOB_BYTES: usize = 1024;

/// What is to be brought back.
#[derive(Default)]
pub(super) struct Globs {
    wildcards: Vec<Glob>,
    named: Vec<Vec<u8>>,
    excepted: Vec<Vec<u8>>,
    links: Vec<Vec<u8>>,
}

struct Glob {
    text: Vec<u8>,
    /// The folders that it names before its first wildcard, each with its slash.
    folders: Vec<u8>,
    /// How many names a path has at most that it matches.
    depth: usize,
}

impl Globs {
    /// `false` for one that is none, or one too many.
    #[must_use]
    pub(super) fn add(&mut self, text: &[u8]) -> bool {
        if text.len() > GLOB_BYTES || text.starts_with(b"!") || self.wildcards.len() + self.named.len() == MOST {
            return false;
        }
        // A name that no file can have is looked for like a wildcard, and not found.
        let possible = text.split(|byte| *byte == b'/').all(|name| name.len() <= MOST_NAME);
        let wild = match text.iter().position(|byte| b"*?[{\\".contains(byte)) {
            Some(wild) => wild,
            None if !possible => text.len(),
            None => {
                self.named.push(text.to_vec());
                return relative_components(text).is_some();
            }
        };
        let folders = text[..wild].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        // What stands in braces may have slashes of its own.
        let deep = text.contains(&b'{') || text.windows(2).any(|two| two == b"**");
        let depth = if deep { usize::MAX } else { text.split(|byte| *byte == b'/').count() };
        self.wildcards.push(Glob { text: text.to_vec(), folders: text[..folders].to_vec(), depth });
        validate(text).is_ok()
    }

    /// `false` for what is no path, or one too many.
    #[must_use]
    pub(super) fn except(&mut self, path: &[u8]) -> bool {
        self.excepted.push(path.to_vec());
        self.excepted.len() <= MOST && relative_components(path).is_some()
    }

    /// The bundle makes this link. `false` for one too many.
    #[must_use]
    pub(super) fn link(&mut self, path: &[u8]) -> bool {
        self.links.push(path.to_vec());
        self.links.len() <= MOST
    }

    pub(super) fn knows_link(&self, path: &[u8]) -> bool {
        self.links.iter().any(|link| link == path)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wildcards.is_empty() && self.named.is_empty()
    }

    /// Those that are the path of one file.
    pub(super) fn named(&self) -> &[Vec<u8>] {
        &self.named
    }

    pub(super) fn has_wildcards(&self) -> bool {
        !self.wildcards.is_empty()
    }

    /// Whether the path is an exception, or below one.
    pub(super) fn excepts(&self, path: &[u8]) -> bool {
        let covers = |rest: &[u8]| rest.is_empty() || rest.starts_with(b"/");
        self.excepted.iter().any(|excepted| path.strip_prefix(excepted.as_slice()).is_some_and(covers))
    }

    /// Whether a wildcard matches this path, and it is neither an exception nor named besides.
    pub(super) fn matches(&self, path: &[u8]) -> bool {
        self.wildcards.iter().any(|glob| glob_match(&glob.text, path))
            && !self.excepts(path)
            && !self.named.iter().any(|named| named == path)
    }

    /// Whether a wildcard may match something in this folder, whose path has `depth` names.
    pub(super) fn may_match_in(&self, folder: &[u8], depth: usize) -> bool {
        let inside = [folder, b"/"].concat();
        let on_the_way = |glob: &Glob| glob.folders.starts_with(&inside) || inside.starts_with(&glob.folders);
        self.wildcards.iter().any(|glob| depth < glob.depth && on_the_way(glob)) && !self.excepts(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(texts: &[&str]) -> Globs {
        let mut globs = Globs::default();
        for text in texts {
            assert!(globs.add(text.as_bytes()), "{text}");
        }
        globs
    }

    #[test]
    fn wildcards_match_as_said() {
        let table = [
            ("*", "a", true),
            ("*", ".hidden", true),
            ("*", "--option", true),
            ("*", "a/b", false),
            ("*.png", "x.png", true),
            ("*.png", "a/x.png", false),
            ("**", "a/b/c", true),
            ("**", "a", true),
            ("**/*.png", "x.png", true),
            ("**/*.png", "a/b/x.png", true),
            ("out/**", "out/a/b", true),
            ("out/**", "outer/a", false),
            ("out/*/x", "out/a/x", true),
            ("out/*/x", "out/a/b/x", false),
            ("?", "a", true),
            ("[a-c]", "b", true),
            ("[!a-c]", "b", false),
            ("{a,b}/*.c", "b/x.c", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("*\n*", "a\nb", true),
        ];
        for (glob, path, matched) in table {
            assert_eq!(globs(&[glob]).matches(path.as_bytes()), matched, "{glob} {path:?}");
        }
        assert!(globs(&["*"]).matches(b"\xff\xfe"), "names are bytes");
        assert!(globs(&["\u{fc}*"]).matches("\u{fc}x".as_bytes()));
    }

    #[test]
    fn only_folders_on_the_way_are_entered() {
        let table = [
            ("*.png", "a", 1, false),
            ("*/x", "a", 1, true),
            ("*/x", "a/b", 2, false),
            ("**", "a/b/c", 3, true),
            ("out/*.png", "out", 1, true),
            ("out/*.png", "other", 1, false),
            ("out/*.png", "ou", 2, false),
            ("out/*.png", "out/deep", 2, false),
            ("out/a/**", "out", 1, true),
            ("out/a/**", "out/a", 2, true),
            ("out/a/**", "out/a/b", 3, true),
            ("out/a/**", "out/ab", 2, false),
            ("out/a*/**", "out/ab", 2, true),
            ("{a/b,c}/x", "a", 1, true),
        ];
        for (glob, folder, depth, enters) in table {
            assert_eq!(globs(&[glob]).may_match_in(folder.as_bytes(), depth), enters, "{glob} {folder}");
        }
    }

    #[test]
    fn exceptions_and_named_files_are_left_out() {
        let mut some = globs(&["**", "plain/file"]);
        assert!(some.except(b"classes"));
        assert!(!some.matches(b"classes") && !some.matches(b"classes/A.class") && some.matches(b"classes.txt"));
        assert!(!some.may_match_in(b"classes", 1) && some.may_match_in(b"classes2", 1));
        assert!(!some.matches(b"plain/file") && some.named() == [b"plain/file"]);
        assert!(some.excepts(b"classes/a") && !some.excepts(b"class"));
    }

    #[test]
    fn a_name_that_no_file_can_have_is_looked_for_in_vain() {
        // Found by fuzzing: it was no path for `named`, and the whole bundle was refused for it.
        for text in ["x".repeat(MOST_NAME + 1), format!("out/{}", "x".repeat(MOST_NAME + 1))] {
            let globs = globs(&[&text]);
            assert!(globs.named().is_empty() && !globs.matches(b"x"), "{text}");
        }
        assert_eq!(globs(&["x".repeat(MOST_NAME).as_str()]).named().len(), 1);
    }

    #[test]
    fn what_is_no_glob_is_refused() {
        for text in ["", "/a", "a//b", "../a", "!a", "[a", "{a", "a\\", &"a/".repeat(600)] {
            assert!(!Globs::default().add(text.as_bytes()), "{text}");
        }
        let mut full = Globs::default();
        assert!((0..MOST).all(|n| full.add(format!("{n}*").as_bytes())) && !full.add(b"*"));
    }
}
