//! What operators see of the artifact cache.

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// What a compile step got from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Something that was kept.
    Hit,
    /// Nothing: it was compiled.
    Miss,
    /// The compile that somebody else had begun.
    Joined,
}

impl Lookup {
    const ALL: [Lookup; 3] = [Lookup::Hit, Lookup::Miss, Lookup::Joined];

    fn name(self) -> &'static str {
        match self {
            Lookup::Hit => "hit",
            Lookup::Miss => "miss",
            Lookup::Joined => "joined",
        }
    }
}

/// All of them.
#[derive(Clone, Debug)]
pub struct CacheMetrics {
    lookups: IntCounterVec,
    /// Entries that made room for others.
    pub evicted: IntCounter,
    /// Compiles that were not kept: their program was too large, or there was too much to write.
    pub skipped: IntCounter,
    /// Entries that were found damaged, and removed.
    pub damaged: IntCounter,
    /// Entries that could not be read, written, renamed or removed.
    pub failures: IntCounter,
    /// What the entries take of the room.
    pub bytes: IntGauge,
    /// How many there are.
    pub entries: IntGauge,
}

impl CacheMetrics {
    /// All at zero.
    ///
    /// # Errors
    /// That of the registry, for a metric named twice.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let help = "Compile steps by what they got from the artifact cache.";
        let lookups = IntCounterVec::new(Opts::new("engined_cache_lookups_total", help), &["outcome"])?;
        registry.register(Box::new(lookups.clone()))?;
        for outcome in Lookup::ALL {
            lookups.with_label_values(&[outcome.name()]).reset();
        }
        Ok(CacheMetrics {
            lookups,
            evicted: counter(
                "engined_cache_evicted_total",
                "Entries of the artifact cache that made room for others.",
            )?,
            skipped: counter(
                "engined_cache_skipped_total",
                "Compiles that the artifact cache did not keep: too large, or too much to write at once.",
            )?,
            damaged: counter(
                "engined_cache_damaged_total",
                "Entries of the artifact cache that were found damaged, removed and built anew.",
            )?,
            failures: counter(
                "engined_cache_failures_total",
                "Entries of the artifact cache that could not be read, written, renamed or removed; see the log.",
            )?,
            bytes: gauge("engined_cache_bytes", "What the artifact cache takes on disk.")?,
            entries: gauge("engined_cache_entries", "Entries of the artifact cache.")?,
        })
    }

    /// A compile step has asked.
    pub fn lookup(&self, outcome: Lookup) {
        self.lookups.with_label_values(&[outcome.name()]).inc();
    }
}
