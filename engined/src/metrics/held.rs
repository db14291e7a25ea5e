//! Gauges of what is held: by this process, by jaild and by the sandboxes. Whatever leaks, one of them grows.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jail::inventory::{Held, Inventory};
use prometheus::IntGauge;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

/// Looking at every descriptor of this process takes the longer the more callers are connected.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// All of them. None is registered: a number that can't be told is left out, not zero.
#[derive(Debug)]
pub struct HeldGauges {
    of_jaild: [(Held, IntGauge); Held::ALL.len()],
    own: Mutex<Own>,
}

/// Those of this process, and what they were at the last look.
#[derive(Debug)]
struct Own {
    /// Those that every client of Prometheus has: `process_*`.
    process: ProcessCollector,
    memfds: IntGauge,
    last: Option<(Instant, Vec<MetricFamily>)>,
}

impl Own {
    fn collect(&mut self) -> Vec<MetricFamily> {
        if let Some((at, families)) = &self.last
            && at.elapsed() < LOOK_EVERY
        {
            return families.clone();
        }
        let mut families = self.process.collect();
        if let Some(bytes) = memfd_bytes(Path::new("/proc/self/fd")) {
            self.memfds.set(signed(bytes));
            families.extend(self.memfds.collect());
        }
        self.last = Some((Instant::now(), families.clone()));
        families
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Name and meaning of each number of jaild's.
fn named(what: Held) -> (&'static str, &'static str) {
    match what {
        Held::Processes => (
            "engined_sandbox_processes",
            "Processes and threads in the sandboxes, those kept ready included. Source: pids.current of the slots' cgroups.",
        ),
        Held::Cgroups => (
            "engined_sandbox_cgroups",
            "Control groups below those delegated to jaild. Source: the folders, on cgroup v1 in each of four hierarchies.",
        ),
        Held::DyingCgroups => (
            "engined_sandbox_dying_cgroups",
            "Control groups that were removed and to which memory is still charged. Source: cgroup.stat; cgroup v1 has none.",
        ),
        Held::Namespaces => (
            "engined_sandbox_namespaces",
            "Namespaces of all kinds that processes of the sandboxes are in and jaild is not. Source: /proc/PID/ns.",
        ),
        Held::Mounts => (
            "engined_sandbox_mounts",
            "Mounts in the namespaces out of which sandboxes are cloned, summed. Source: /proc/PID/mountinfo.",
        ),
        Held::HostMounts => (
            "engined_host_mounts",
            "Mounts in the namespace of jaild, which is the host's. Source: /proc/self/mountinfo.",
        ),
        Held::Descriptors => ("engined_jaild_open_fds", "Open file descriptors of jaild. Source: /proc/self/fd."),
        Held::Resident => (
            "engined_jaild_resident_memory_bytes",
            "Resident memory of jaild, in bytes. Source: VmRSS of /proc/self/status.",
        ),
        Held::Slab => (
            "engined_sandbox_slab_bytes",
            "Kernel objects charged to the sandboxes, in bytes. Source: on cgroup v2 slab of memory.stat, on v1 \
             memory.kmem.usage_in_bytes, which has kernel stacks and page tables in it as well.",
        ),
        Held::Work => (
            "engined_sandbox_work_bytes",
            "Files on tmpfs and in memory that are charged to the sandboxes, in bytes. Source: shmem of memory.stat.",
        ),
    }
}

impl HeldGauges {
    /// All gauges.
    ///
    /// # Errors
    /// That of a gauge with a name that is none.
    pub fn new() -> prometheus::Result<Self> {
        let help = "Bytes in this process's memory files, which hold programs on their way. Source: /proc/self/fd.";
        let memfds = IntGauge::new("engined_memfd_bytes", help)?;
        let mut of_jaild = Vec::new();
        for what in Held::ALL {
            let (name, help) = named(what);
            of_jaild.push((what, IntGauge::new(name, help)?));
        }
        let of_jaild = of_jaild.try_into().map_err(|_| prometheus::Error::Msg("a gauge for each number".to_owned()))?;
        let process = ProcessCollector::for_self();
        Ok(HeldGauges { of_jaild, own: Mutex::new(Own { process, memfds, last: None }) })
    }

    /// What can be told: of jaild as given, of this process as it was at most half a second ago.
    pub fn collect(&self, inventory: Option<&Inventory>) -> Vec<MetricFamily> {
        let mut families = Vec::new();
        for (what, gauge) in &self.of_jaild {
            if let Some(number) = inventory.and_then(|inventory| inventory.of(*what)) {
                gauge.set(signed(number));
                families.extend(gauge.collect());
            }
        }
        families.extend(self.own.lock().unwrap_or_else(PoisonError::into_inner).collect());
        families
    }
}

/// What the memory files among these descriptors hold, each file once. `None` when they can't be listed.
fn memfd_bytes(descriptors: &Path) -> Option<u64> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(descriptors).ok()? {
        let path = entry.ok()?.path();
        // One that is closed meanwhile is none.
        if fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().starts_with("/memfd:"))
            && let Ok(file) = fs::metadata(&path)
        {
            files.insert(file.ino(), file.blocks() * 512);
        }
    }
    Some(files.into_values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn what_jaild_cannot_tell_is_left_out() {
        let gauges = HeldGauges::new().unwrap();
        let names = |inventory: Option<&Inventory>| -> Vec<(String, f64)> {
            let families = gauges.collect(inventory);
            let ours = families.iter().filter(|family| family.name().starts_with("engined_"));
            ours.map(|f| (f.name().to_owned(), f.get_metric()[0].get_gauge().get_value())).collect()
        };
        let inventory = Inventory::default().with(Held::Cgroups, Some(7)).with(Held::Work, Some(4096));
        let told = names(Some(&inventory));
        assert_eq!(told[0], ("engined_sandbox_cgroups".to_owned(), 7.0));
        assert_eq!(told[1], ("engined_sandbox_work_bytes".to_owned(), 4096.0));
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(names(None).len(), 1);
    }

    #[test]
    fn own_descriptors_are_looked_at_now_and_then() {
        let gauges = HeldGauges::new().unwrap();
        let looked = || gauges.own.lock().unwrap().last.as_ref().unwrap().0;
        let families = gauges.collect(None);
        let first = looked();
        let again = gauges.collect(None);
        assert_eq!(families.len(), again.len());
        assert!(looked() == first || first.elapsed() >= LOOK_EVERY, "a second look at once");
        gauges.own.lock().unwrap().last.as_mut().unwrap().0 = first.checked_sub(LOOK_EVERY).unwrap();
        gauges.collect(None);
        assert!(looked() >= first, "no look when it was time");
    }

    #[test]
    fn memory_files_are_counted_once_while_they_are_open() {
        let before = memfd_bytes(Path::new("/proc/self/fd")).unwrap();
        let mut file = fs::File::from(jail::records::empty_memfd().unwrap());
        file.write_all(&vec![1; 64 << 20]).unwrap();
        let twice = file.try_clone().unwrap();
        let held = memfd_bytes(Path::new("/proc/self/fd")).unwrap();
        // Other tests of this process have some, too, but none of this size.
        assert!((48 << 20..80 << 20).contains(&held.saturating_sub(before)), "{before} -> {held}");
        drop((file, twice));
        assert!(memfd_bytes(Path::new("/proc/self/fd")).unwrap() < before + (48 << 20));
    }
}
