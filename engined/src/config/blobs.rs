//! The part of the configuration about data that is sent once and used by many runs: `[blobs]`.

use std::path::PathBuf;

use toml::Table;

use super::reader::Reader;
use super::{GIB, KIB, absolute, count};

const DAY: i64 = 86_400;

/// Data that is sent once.
#[derive(Clone, Debug)]
pub struct Blobs {
    /// Where it lies, if that was said.
    pub folder: Option<PathBuf>,
    /// The largest.
    pub most: u64,
    /// Uploads at once.
    pub uploads: usize,
    /// How long what nobody uses is kept, in seconds.
    pub keep: i64,
}

impl Blobs {
    /// The folder: the one that was named, else one in what systemd has made for us. `None` where there is neither.
    #[must_use]
    pub fn place(&self) -> Option<PathBuf> {
        let usual = || crate::confinement::state_folders().first().map(|state| state.join("blobs"));
        self.folder.clone().or_else(usual)
    }
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader, root: &mut Table) -> Blobs {
    let mut s = reader.section(root, "blobs", "Test data that is sent once, by its SHA-256: PUT /v1/blobs/{sha256}.");
    let doc = "The folder for it, for the engine's user alone. By default `blobs` in $STATE_DIRECTORY; without one nothing is taken.";
    let folder = s.parsed("folder", None, doc, absolute);
    let doc = "Days that a blob is kept which no kept batch refers to, from its last use.";
    let days = s.number("keep_days", 30, 1..=36_500, doc);
    let doc = "The largest. How much a tenant may have of them together says its plan.";
    let most = s.number("blob_most_bytes", 2 * GIB, KIB..=1 << 44, doc);
    let doc = "Uploads at once, of one tenant at most half as many; more wait, then get 429 or 503.";
    let uploads = count(s.number("uploads", 16, 1..=4096, doc));
    s.end(&[]);
    Blobs { folder, most, uploads, keep: i64::try_from(days).map_or(i64::MAX, |days| days.saturating_mul(DAY)) }
}
