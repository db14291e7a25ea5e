//! The part of the configuration about batches: `[batches]`.

use std::path::PathBuf;
use std::time::Duration;

use toml::Table;

use super::reader::Reader;
use super::{GIB, MIB, absolute};
use crate::confinement::state_folders;

const FOLDER: &str = "batches";
const DATABASE: &str = "batches.sqlite";

/// What is kept of batches.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Whether any are taken.
    pub enabled: bool,
    /// Where, if it was said.
    pub folder: Option<PathBuf>,
    /// The most that the store may have.
    pub store_bytes: u64,
    /// How long a batch is kept, from its end.
    pub keep: Duration,
    /// How long an idempotency key is known.
    pub keys: Duration,
}

impl Batches {
    /// The folder of the store: the one that was named, else one in what systemd has made for us. `None` where there is
    /// neither, or batches are switched off.
    #[must_use]
    pub fn place(&self) -> Option<PathBuf> {
        let usual = || state_folders().first().map(|state| state.join(FOLDER));
        self.folder.clone().or_else(usual).filter(|_| self.enabled)
    }

    /// The database in it.
    #[must_use]
    pub fn database(&self) -> Option<PathBuf> {
        self.place().map(|folder| folder.join(DATABASE))
    }

    /// Why none are taken, where that is so, and what to do.
    #[must_use]
    pub fn why_not(&self) -> String {
        if self.enabled {
            "this engine keeps no batches: it has no state folder; write folder in [batches] of engined.toml, or start it with \
             systemd's StateDirectory"
                .to_owned()
        } else {
            "this engine takes no batches: enabled is false in [batches] of engined.toml".to_owned()
        }
    }
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader, root: &mut Table) -> Batches {
    const DAY: u64 = 86_400;
    let mut s =
        reader.section(root, "batches", "Batches: many programs judged by the same tests, kept until they are.");
    let enabled = s.flag("enabled", true, "Whether they are taken, where there is a folder for them.");
    let doc = "The folder of their store, for the engine's user alone, on a disk. By default `batches` in $STATE_DIRECTORY; without one none are taken.";
    let folder = s.parsed("folder", None, doc, absolute);
    let doc = "The most that the store may have on the disk; beyond it new batches get 503 store_full.";
    let store_bytes = s.number("store_bytes", 4 * GIB, 16 * MIB..=1 << 44, doc);
    let doc = "Days for which a batch and its results are kept, from its end.";
    let keep = Duration::from_secs(DAY * s.number("keep_days", 30, 1..=3650, doc));
    let doc = "Hours for which an Idempotency-Key is known.";
    let keys = Duration::from_secs(3600 * s.number("idempotency_hours", 24, 1..=720, doc));
    s.end(&[]);
    Batches { enabled, folder, store_bytes, keep, keys }
}
