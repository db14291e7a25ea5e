//! The part of the configuration about what counts as good service: `[slo]`. It changes what the counters say, never what
//! the engine does. How much of it must be good stands in the rules of Prometheus (systemd/prometheus).

use std::time::Duration;

use toml::Table;

use super::reader::Reader;
use crate::queue::Priority;

/// What counts as good service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slo {
    /// The longest good start of an interactive run.
    pub interactive_start: Duration,
    /// The longest good start of a batch run.
    pub batch_start: Duration,
}

impl Slo {
    /// What a good start takes at most: waiting for a slot and setting the sandbox up, together.
    #[must_use]
    pub fn start(&self, priority: Priority) -> Duration {
        match priority {
            Priority::Interactive => self.interactive_start,
            Priority::Batch => self.batch_start,
        }
    }
}

pub(super) fn read(reader: &mut Reader, root: &mut Table) -> Slo {
    let doc = "What counts as good service in engined_slo_requests_total; the engine does nothing else for it.";
    let mut s = reader.section(root, "slo", doc);
    let doc = "Waiting for a slot and setting the sandbox up, together, at most: of an interactive run.";
    let interactive_start = s.millis("interactive_start_ms", 500, doc);
    let batch_start = s.millis("batch_start_ms", 60_000, "The same of a batch run.");
    s.end(&[]);
    Slo { interactive_start, batch_start }
}
