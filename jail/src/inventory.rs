//! What a jaild holds at a moment, counted: what must come back to the same numbers whenever no run is under way.
//!
//! The broker counts when the engine asks and at most a few times a second, never on the way of a run. A number whose
//! source this kernel lacks, or that can't be read, is absent; nothing depends on it.

use std::collections::BTreeSet;
use std::fs;

use crate::cgroup::Base;
use crate::cgroup::census::Census;

/// One thing that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Held {
    /// Processes and threads in the slots: spawners, inits, programs, and the dead that nobody has reaped.
    Processes,
    /// Groups below the folders that were delegated to jaild, in all hierarchies.
    Cgroups,
    /// Groups that were removed and that the kernel has not let go of. v2 alone tells.
    DyingCgroups,
    /// Namespaces that the slots' processes are in and jaild is not.
    Namespaces,
    /// Mounts in the spawners' namespaces, together.
    Mounts,
    /// Mounts in jaild's own namespace, which is the host's.
    HostMounts,
    /// Open descriptors of jaild.
    Descriptors,
    /// Resident memory of jaild, in bytes.
    Resident,
    /// Kernel objects charged to the slots, in bytes.
    Slab,
    /// Files on tmpfs and in memfds charged to the slots, in bytes.
    Work,
}

impl Held {
    /// Everything that is counted, in the order of the link's message.
    pub const ALL: [Held; 10] = [
        Held::Processes,
        Held::Cgroups,
        Held::DyingCgroups,
        Held::Namespaces,
        Held::Mounts,
        Held::HostMounts,
        Held::Descriptors,
        Held::Resident,
        Held::Slab,
        Held::Work,
    ];
}

/// What jaild tells of its stock of armed sandboxes. All but the first only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockCount {
    /// Sandboxes that wait, armed.
    pub armed: u64,
    /// Orders that were given one of these.
    pub taken: u64,
    /// Orders that waited for theirs to be made, or for one that was being made.
    pub made_on_the_spot: u64,
    /// Sandboxes that were armed for the stock.
    pub refills: u64,
    /// What that took, in microseconds, all together.
    pub refill_us: u64,
    /// How often making one had to wait for the kernel to take network namespaces down.
    pub held_back: u64,
}

/// A number for each of [`Held::ALL`], where it could be had; and the stock, which is no leak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    pub(crate) held: [Option<u64>; Held::ALL.len()],
    /// The stock of armed sandboxes.
    pub stock: StockCount,
}

/// So many processes of one group are looked at for their namespaces: a spawner, an init and a program, which all its
/// children share. A group full of processes must not hold the broker up.
const LOOKED_AT: usize = 8;

impl Inventory {
    /// How much there is of something.
    #[must_use]
    pub fn of(&self, what: Held) -> Option<u64> {
        self.held[what as usize]
    }

    /// The same with another number.
    #[must_use]
    pub fn with(mut self, what: Held, number: Option<u64>) -> Self {
        self.held[what as usize] = number;
        self
    }

    /// Counts. `spawners` are their pids.
    #[must_use]
    pub fn take(base: &Base, spawners: &[i32], stock: StockCount) -> Self {
        let census = base.census().unwrap_or_default();
        Inventory { stock, ..Inventory::default() }
            .with(Held::Processes, census.tasks.map(|tasks| tasks + census.spawners_apart(spawners)))
            .with(Held::Cgroups, census.groups)
            .with(Held::DyingCgroups, census.dying)
            .with(Held::Namespaces, namespaces(&census, spawners))
            .with(Held::Mounts, spawners.iter().map(|pid| lines(&format!("/proc/{pid}/mountinfo"))).sum())
            .with(Held::HostMounts, lines("/proc/self/mountinfo"))
            // Less the one that reads the folder.
            .with(Held::Descriptors, entries("/proc/self/fd").map(|count| count.saturating_sub(1)))
            .with(Held::Resident, resident())
            .with(Held::Slab, census.slab)
            .with(Held::Work, census.work)
    }
}

fn lines(path: &str) -> Option<u64> {
    let text = fs::read(path).ok()?;
    u64::try_from(text.iter().filter(|byte| **byte == b'\n').count()).ok()
}

fn entries(path: &str) -> Option<u64> {
    u64::try_from(fs::read_dir(path).ok()?.count()).ok()
}

/// The line of `/proc/self/status`, in kB there: `statm` counts pages, whose size would have to be asked for.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Names such as `net:[4026531840]`, each once.
fn namespaces_of(pid: &str, into: &mut BTreeSet<String>) -> Option<()> {
    // It may have ended since it was listed; what is left of its namespaces then is not ours to see.
    for entry in fs::read_dir(format!("/proc/{pid}/ns")).ok()? {
        let link = fs::read_link(entry.ok()?.path()).ok()?;
        into.insert(link.to_string_lossy().into_owned());
    }
    Some(())
}

fn namespaces(census: &Census, spawners: &[i32]) -> Option<u64> {
    let (mut own, mut all) = (BTreeSet::new(), BTreeSet::new());
    namespaces_of("self", &mut own)?;
    let members = census.members.iter().flat_map(|group| group.iter().take(LOOKED_AT));
    for pid in members.chain(spawners) {
        namespaces_of(&pid.to_string(), &mut all);
    }
    u64::try_from(all.difference(&own).count()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_its_own_place() {
        let all = Held::ALL.iter().zip(1..).fold(Inventory::default(), |i, (what, n)| i.with(*what, Some(n)));
        for (what, n) in Held::ALL.iter().zip(1..) {
            assert_eq!(all.of(*what), Some(n), "{what:?}");
        }
    }

    #[test]
    fn descriptors_and_memory_move() {
        let (before, memory) = (entries("/proc/self/fd").unwrap(), resident().unwrap());
        let open: Vec<fs::File> = (0..200).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let touched = vec![1_u8; 64 << 20];
        // Other tests of this process open and close some meanwhile.
        assert!(entries("/proc/self/fd").unwrap() >= before + 150);
        assert!(resident().unwrap() >= memory + (32 << 20) && touched[1 << 20] == 1);
        drop(open);
        assert!(entries("/proc/self/fd").unwrap() < before + 150);
    }

    #[test]
    fn namespaces_of_this_process_are_named() {
        let mut own = BTreeSet::new();
        namespaces_of("self", &mut own).unwrap();
        assert!(own.iter().any(|name| name.starts_with("mnt:[")) && own.len() >= 7, "{own:?}");
        assert_eq!(namespaces_of("0", &mut own), None);
    }
}
