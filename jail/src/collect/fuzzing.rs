//! For `fuzz/` alone (feature `fuzzing`): ways to the readers that are private, and nothing that acts.

use std::fs::File;
use std::io;

use super::{Globs, Wishes};

/// Reads what a bundle asks init to collect.
///
/// # Errors
/// For a bundle that init would not collect for.
pub fn wishes(bundle: &File) -> io::Result<()> {
    Wishes::read(bundle).map(drop)
}

/// One glob, as init matches it.
#[derive(Default)]
pub struct Glob(Globs);

impl Glob {
    /// `None` when init would not take it.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut globs = Globs::default();
        globs.add(text).then_some(Glob(globs))
    }

    /// Whether that file comes back.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        self.0.matches(path) || self.0.named().iter().any(|named| named == path)
    }

    /// Whether it is looked for with a walk; else the one path is opened.
    #[must_use]
    pub fn walks(&self) -> bool {
        self.0.has_wildcards()
    }

    /// Whether the walk enters the folder of this path, which has `depth` names.
    #[must_use]
    pub fn enters(&self, folder: &[u8], depth: usize) -> bool {
        self.0.may_match_in(folder, depth)
    }
}
