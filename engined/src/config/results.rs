//! The part of the configuration about results that are kept until they are fetched: `[results]`.

use std::time::Duration;

use toml::Table;

use super::reader::Reader;
use super::{KIB, MIB, count};

/// Results that are kept until they are fetched.
#[derive(Clone, Copy, Debug)]
pub struct Results {
    /// How long, from their end.
    pub keep: Duration,
    /// Bytes of one tenant.
    pub bytes_per_tenant: u64,
    /// Results, and executions under way, of one tenant.
    pub per_tenant: usize,
}

/// Reads the section.
pub(super) fn read(reader: &mut Reader, root: &mut Table, most: u64) -> Results {
    let doc = "Results of wait=false: kept until they are too old or make room. The oldest go first.";
    let mut s = reader.section(root, "results", doc);
    let keep = s.number("keep_seconds", 900, 1..=86_400, "How long a result is kept, from its end.");
    let doc =
        "Bytes of results that a tenant may keep whose plan does not say it, at most half of engine_memory_bytes.";
    let bytes_per_tenant = s.number("bytes_per_tenant", most.min(64 * MIB), KIB..=most, doc);
    let doc = "Results that a tenant may keep, those under way included; more under way get 429 quota_exceeded.";
    let per_tenant = count(s.number("per_tenant", 10_000, 1..=1_000_000, doc));
    s.end(&[]);
    Results { keep: Duration::from_secs(keep), bytes_per_tenant, per_tenant }
}
