//! What the configuration depends on beside its file: this host.

use std::fs;

use super::{GIB, KIB};
use crate::accounts::Accounts;

/// What the configuration depends on beside its file, so that tests can say something else.
#[derive(Clone, Debug)]
pub struct Host {
    /// Users and groups.
    pub accounts: Accounts,
    /// Bytes of memory.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
}

impl Host {
    /// Its processors as shares of cores are counted.
    pub(super) fn cpus_milli(&self) -> u64 {
        u64::from(self.cpus) * 1000
    }

    /// This very host.
    #[must_use]
    pub fn this() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let total = meminfo
            .lines()
            .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.trim().parse().ok());
        Host {
            accounts: Accounts::of_host(),
            memory: total.map_or(GIB, |kib: u64| kib * KIB),
            cpus: processors(&fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default()),
        }
    }
}

/// How many a list like `0-3,6` has. All that are there, whatever this process may use of them: jaild uses its own.
fn processors(list: &str) -> u32 {
    let span = |span: &str| {
        let (first, last) = span.split_once('-').unwrap_or((span, span));
        last.parse::<u32>().ok()?.checked_sub(first.parse().ok()?)?.checked_add(1)
    };
    let all = list.trim().split(',').filter_map(span).sum();
    let usable = || std::thread::available_parallelism().ok().and_then(|usable| u32::try_from(usable.get()).ok());
    if all > 0 { all } else { usable().unwrap_or(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_in_spans() {
        assert_eq!(processors("0-3,6\n"), 5);
        assert_eq!(processors("0"), 1);
        assert!(processors("") >= 1, "as many as may be used");
    }
}
