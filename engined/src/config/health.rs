//! The part of the configuration about the engine's look at itself: `[health]`.

use std::time::Duration;

use toml::Table;

use super::reader::Reader;
use super::{GIB, MIB};

/// How often the engine looks at itself, and when it complains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Between two runs of a hello in each language.
    pub probe_every: Duration,
    /// Where fewer bytes are free, `/readyz` says so.
    pub disk_free: u64,
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader, root: &mut Table) -> Health {
    let mut s = reader.section(root, "health", "What /readyz stands on.");
    let doc = "Seconds between two runs of a hello in each language, beside the runs of callers.";
    let probe_every = Duration::from_secs(s.number("probe_every_seconds", 300, 1..=86_400, doc));
    let doc = "Where the folders of state and cache have fewer free bytes, /readyz says degraded.";
    let disk_free = s.number("disk_free_bytes", 64 * MIB, 1..=1024 * GIB, doc);
    s.end(&[]);
    Health { probe_every, disk_free }
}
