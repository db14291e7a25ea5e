//! Control groups: what limits a run's memory, processes and CPU, kills it whole and tells what it used.
//!
//! Both interfaces are served, by descriptor alone: [`Base::create`] finds or makes the folders while jaild is still
//! root and hands them to its user; after that nothing is looked up by a path from `/`, because jaild's spawners live
//! in a tree without `/sys`.
//!
//! *v2*: `base/broker` holds jaild, `base/slot-K/init` the inits of slot K, and every run has a leaf of its own,
//! `base/slot-K/run-N`, made for it, entered by `CLONE_INTO_CGROUP` and removed after it. What the leaf counts is the
//! run's usage. `memory.oom.group` makes the kernel kill the run whole.
//!
//! *v1*: a process can enter a group only by a write that waits for every CPU (7 ms after idleness), so each slot has
//! one group per controller and its spawner sits in it; init and payload are born there. Between runs the counters are
//! reset or remembered, and limits are set above what spawner and init use already. A slot whose group does not come
//! back to rest is thrown away by the broker. The kernel kills one process at a time; an eventfd tells the broker, which
//! kills the rest.
//!
//! Runs that are pinned to CPUs are kept there by the cpuset controller where it is to be had (`cpuset.rs`): on v2 in the
//! run's leaf, on v1 in a fifth group of the slot.
//!
//! Every limit is read in every run: read back after it was written, or found to be there already. Sources:
//! `Documentation/admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst` of the kernel.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::{Mode, mkdirat};

use crate::cores::Cpus;
use crate::error::{At, JailError, Step};
use crate::link::CgroupVersion;
use crate::spec::{Bytes, Layer, Layers, Limits, Micros, PeakSource};

pub mod census;
mod control;
mod cpuset;
mod removal;
mod v1;
mod v2;

use control::Group;
use removal::{sweep, try_remove, try_sweep, within_two_seconds};

/// The folders under which everything of this jaild lives, by descriptor.
#[derive(Debug)]
pub enum Base {
    /// One folder per controller.
    V1(v1::Base),
    /// One folder.
    V2(v2::Base),
}

/// The groups of one slot.
#[derive(Debug)]
pub enum SlotGroup {
    /// The groups that spawner, inits and payloads of this slot share.
    V1(v1::Slot),
    /// The folder that holds init's leaf and each run's.
    V2(v2::Slot),
}

/// The group of one run.
#[derive(Debug)]
pub enum RunGroup {
    /// The slot's groups, with what they counted before.
    V1(v1::Run),
    /// A leaf of its own.
    V2(v2::Run),
}

/// What a run's group counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// User and system time.
    pub cpu: Micros,
    /// User time.
    pub user: Micros,
    /// System time.
    pub system: Micros,
    /// Highest charge.
    pub memory_peak: Bytes,
    /// Where it comes from.
    pub memory_peak_source: PeakSource,
    /// Most tasks at once.
    pub processes_peak: u32,
    /// A fork was refused.
    pub processes_hit: bool,
    /// Time spent waiting for the quota.
    pub throttled: Micros,
    /// Processes killed for memory.
    pub oom_kills: u32,
}

/// How much of the cores a slot is to have while others want them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits.
    Waited,
    /// A sandbox is made for the stock.
    Stock,
}

/// Where [`Base::create`] puts the folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Into the group that jaild was started in: the service manager delegated it.
    Own,
    /// A group of this name, beside or below where jaild was started.
    Named(String),
}

impl Base {
    /// Finds out which interface limits memory here, makes the folders and gives them to `owner` (uid and gid). `pinned`:
    /// runs are to be kept to CPUs, by the cpuset controller if it is to be had.
    ///
    /// # Errors
    /// When a controller is missing or the folders can't be made: with what to do about it.
    pub fn create(place: &Place, owner: Option<(u32, u32)>, pinned: bool) -> Result<Self, JailError> {
        let memberships = std::fs::read_to_string("/proc/self/cgroup").on(Step::Cgroup, "/proc/self/cgroup")?;
        if is_unified() {
            v2::Base::create(place, owner, &memberships, pinned).map(Base::V2)
        } else {
            v1::Base::create(place, owner, &memberships, pinned).map(Base::V1)
        }
    }

    /// Removes the folders that [`Base::create`] made under a name, and whatever is left in them. As root, once jaild
    /// has ended.
    ///
    /// # Errors
    /// When a folder can't be removed.
    pub fn remove(place: &Place) -> Result<(), JailError> {
        let memberships = std::fs::read_to_string("/proc/self/cgroup").on(Step::Cgroup, "/proc/self/cgroup")?;
        for path in v1::paths(place, &memberships)?.into_iter().chain(v2::path(place, &memberships)) {
            let (Some(parent), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
                continue;
            };
            let Ok(folder) = File::open(&path) else { continue };
            sweep(folder.as_fd())?;
            let parent = File::open(parent).on(Step::Cgroup, parent.display().to_string())?;
            within_two_seconds("broker", || try_remove(folder.as_fd(), "broker"))?;
            within_two_seconds(name, || try_remove(parent.as_fd(), name))?;
        }
        Ok(())
    }

    /// The descriptors to hand over an `execve`, in the order that [`Base::adopt`] takes.
    #[must_use]
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        match self {
            Base::V1(base) => base.all().collect(),
            Base::V2(base) => vec![base.folder.as_fd()],
        }
    }

    /// Takes the descriptors of [`Base::descriptors`] up again.
    ///
    /// # Errors
    /// When there are neither one (v2) nor four or five (v1) of them.
    pub fn adopt(mut descriptors: Vec<OwnedFd>) -> Result<Self, JailError> {
        if descriptors.len() == 1 {
            return Ok(Base::V2(v2::Base { folder: descriptors.remove(0) }));
        }
        let cpuset = if descriptors.len() == 5 { descriptors.pop() } else { None };
        let folders = descriptors.try_into().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        Ok(Base::V1(v1::Base { folders: folders.on(Step::Cgroup, "inherited folders")?, cpuset }))
    }

    /// Which interface it is.
    #[must_use]
    pub fn version(&self) -> CgroupVersion {
        match self {
            Base::V1(_) => CgroupVersion::V1,
            Base::V2(_) => CgroupVersion::V2,
        }
    }

    /// Whether the cpuset controller keeps pinned runs to their CPUs; else their affinity and the filter do.
    #[must_use]
    pub fn has_cpuset(&self) -> bool {
        match self {
            Base::V1(base) => base.cpuset.is_some(),
            Base::V2(base) => base.has_cpuset(),
        }
    }

    /// Kills and removes whatever an earlier jaild left in these folders.
    ///
    /// # Errors
    /// When something can't be removed within two seconds.
    pub fn sweep(&self) -> Result<(), JailError> {
        match self {
            Base::V1(base) => base.all().try_for_each(sweep),
            Base::V2(base) => sweep(base.folder.as_fd()),
        }
    }

    /// Makes the groups of slot `number`.
    ///
    /// # Errors
    /// When a folder can't be made or a controller not be switched on.
    pub fn slot(&self, number: u32) -> Result<SlotGroup, JailError> {
        match self {
            Base::V1(base) => base.slot(number).map(SlotGroup::V1),
            Base::V2(base) => base.slot(number).map(SlotGroup::V2),
        }
    }
}

/// Whether `/sys/fs/cgroup` is the unified hierarchy itself.
fn is_unified() -> bool {
    nix::sys::statfs::statfs("/sys/fs/cgroup")
        .is_ok_and(|s| s.filesystem_type() == nix::sys::statfs::CGROUP2_SUPER_MAGIC)
}

impl SlotGroup {
    /// The leaf that inits of this slot are cloned into; `None` on v1, where they are born in the spawner's.
    #[must_use]
    pub fn init_leaf(&self) -> Option<BorrowedFd<'_>> {
        match self {
            SlotGroup::V1(_) => None,
            SlotGroup::V2(slot) => Some(slot.init.as_fd()),
        }
    }

    /// Moves the calling process in, on v1. Once, when a spawner starts.
    ///
    /// # Errors
    /// When one of the groups refuses it.
    pub fn enter(&self) -> Result<(), JailError> {
        match self {
            SlotGroup::V1(slot) => slot.enter(),
            SlotGroup::V2(_) => Ok(()),
        }
    }

    /// Sets the slot's share of busy cores. Nothing is written where it has it already.
    ///
    /// # Errors
    /// When the kernel refuses the write.
    pub fn urge(&self, urgency: Urgency) -> Result<(), JailError> {
        match self {
            SlotGroup::V1(slot) => slot.urge(urgency),
            SlotGroup::V2(slot) => slot.urge(urgency),
        }
    }

    /// The group of run `number`, which the user `init_uid` may fork into.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn run(&self, number: u64, init_uid: u32) -> Result<RunGroup, JailError> {
        match self {
            SlotGroup::V1(slot) => slot.run().map(RunGroup::V1),
            SlotGroup::V2(slot) => slot.run(number, init_uid).map(RunGroup::V2),
        }
    }

    /// Tries to remove the slot's groups once its spawner is gone. `false`: somebody is still inside.
    ///
    /// # Errors
    /// When a folder can't be removed for another reason.
    pub fn try_remove(&self) -> Result<bool, JailError> {
        match self {
            SlotGroup::V1(slot) => slot.try_remove(),
            SlotGroup::V2(slot) => slot.try_remove(),
        }
    }

    /// Removes the slot's groups once its spawner is gone.
    ///
    /// # Errors
    /// When a process is still inside after two seconds.
    pub fn remove(self) -> Result<(), JailError> {
        within_two_seconds("slot", || self.try_remove())
    }
}

impl RunGroup {
    /// The leaf that the payload is cloned into; `None` on v1.
    #[must_use]
    pub fn leaf(&self) -> Option<BorrowedFd<'_>> {
        match self {
            RunGroup::V1(_) => None,
            RunGroup::V2(run) => Some(run.leaf.as_fd()),
        }
    }

    /// Sets the limits of the `layers` in force, reads each back, and begins to count. The payload is there by then and
    /// waits.
    ///
    /// # Errors
    /// When a limit does not hold what was written.
    pub fn limit(&mut self, limits: &Limits, layers: Layers) -> Result<(), JailError> {
        match self {
            RunGroup::V1(run) => run.limit(limits, layers),
            RunGroup::V2(run) => run.limit(limits, layers),
        }
    }

    /// Keeps everything in the group to these CPUs. Beside [`RunGroup::limit`]: the payload is there and waits.
    ///
    /// # Errors
    /// When the kernel refuses, or holds something else.
    pub fn place(&mut self, cpus: &Cpus) -> Result<(), JailError> {
        match self {
            RunGroup::V1(run) => run.place(cpus),
            RunGroup::V2(run) => cpuset::place(run.leaf.as_fd(), run.leaf.as_fd(), cpus),
        }
    }

    /// Becomes readable when the kernel kills for memory, on v1. On v2 the whole run is dead then, which init tells.
    #[must_use]
    pub fn oom_event(&self) -> Option<BorrowedFd<'_>> {
        match self {
            RunGroup::V1(run) => Some(run.oom.as_fd()),
            RunGroup::V2(_) => None,
        }
    }

    /// Whether the kernel has killed for memory in this run; takes the event.
    #[must_use]
    pub fn oom_happened(&self) -> bool {
        match self {
            RunGroup::V1(run) => run.oom_happened(),
            RunGroup::V2(run) => run.counted().is_ok_and(|counted| counted.oom_kills > 0),
        }
    }

    /// CPU time so far.
    ///
    /// # Errors
    /// When the counter can't be read.
    pub fn cpu(&self) -> Result<Micros, JailError> {
        match self {
            RunGroup::V1(run) => run.cpu(),
            RunGroup::V2(run) => run.cpu(),
        }
    }

    /// Takes a sample of what the kernel keeps no high-water mark of.
    pub fn sample(&mut self) {
        match self {
            RunGroup::V1(run) => run.sample(),
            RunGroup::V2(run) => run.sample(),
        }
    }

    /// Kills everything inside at once, on v2. On v1 init does it (`kill(-1)`), unhindered by the CPU quota, which
    /// this call lifts.
    ///
    /// # Errors
    /// When the kernel refuses the write.
    pub fn kill(&self) -> Result<(), JailError> {
        match self {
            RunGroup::V1(run) => run.lift_quota(),
            RunGroup::V2(run) => run.leaf.put("cgroup.kill", "1"),
        }
    }

    /// Lets init collect: on v1 a run at its limits would leave it neither room for a buffer nor time. After counting.
    ///
    /// # Errors
    /// When the kernel refuses a write.
    pub fn make_room(&self) -> Result<(), JailError> {
        if let RunGroup::V1(run) = self { run.make_room() } else { Ok(()) }
    }

    /// What was used, after the last process has ended.
    ///
    /// # Errors
    /// When a counter can't be read.
    pub fn counted(&self) -> Result<Counted, JailError> {
        match self {
            RunGroup::V1(run) => run.counted(),
            RunGroup::V2(run) => run.counted(),
        }
    }

    /// Tries to end the group's use: removes the leaf, or on v1 looks whether the slot is back at rest. `false` means
    /// not yet; a slot that stays so must be thrown away.
    ///
    /// # Errors
    /// When the group can't be looked at or removed.
    pub fn try_finish(&self) -> Result<bool, JailError> {
        match self {
            RunGroup::V1(run) => run.try_finish(),
            RunGroup::V2(run) => try_remove(run.slot.as_fd(), &run.name),
        }
    }
}

/// The period of the CPU quota. 100 ms is the kernel's default: a run shorter than that is never held up.
const PERIOD_US: u64 = 100_000;

/// Opens a folder for use as an anchor.
fn open_folder(at: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, JailError> {
    openat(at, name, OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW, Mode::empty())
        .on(Step::Cgroup, name)
}

/// Makes a folder, or finds it there, and opens it.
fn make_folder(at: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, JailError> {
    match mkdirat(at, name, Mode::from_bits_truncate(0o755)) {
        Ok(()) | Err(nix::Error::EEXIST) => open_folder(at, name),
        Err(e) => Err(e).on(Step::Cgroup, name),
    }
}

fn open_file(folder: BorrowedFd<'_>, name: &str, how: OFlag) -> Result<File, JailError> {
    Ok(openat(folder, name, how | OFlag::O_CLOEXEC, Mode::empty()).on(Step::Cgroup, name)?.into())
}

/// Reads a control file whole.
fn get(folder: BorrowedFd<'_>, name: &str) -> Result<String, JailError> {
    let mut text = String::with_capacity(256);
    open_file(folder, name, OFlag::O_RDONLY)?.read_to_string(&mut text).on(Step::Cgroup, name)?;
    Ok(text)
}

/// Writes a control file in one call, as the kernel wants it.
fn put(folder: BorrowedFd<'_>, name: &str, value: &str) -> Result<(), JailError> {
    open_file(folder, name, OFlag::O_WRONLY)?.write_all(value.as_bytes()).on(Step::Cgroup, format!("{name} = {value}"))
}

/// Writes a limit and reads it back; `held` is what the file must say then.
fn limit(folder: BorrowedFd<'_>, name: &str, value: &str, held: &str) -> Result<(), JailError> {
    put(folder, name, value)?;
    let got = get(folder, name)?;
    if got.trim() == held {
        return Ok(());
    }
    let why = io::Error::other(format!("wrote {value}, but it holds {}", got.trim()));
    Err(why).on(Step::Cgroup, name)
}

fn number(folder: BorrowedFd<'_>, name: &str) -> Result<u64, JailError> {
    let text = get(folder, name)?;
    text.trim().parse().map_err(io::Error::other).on(Step::Cgroup, format!("{name} holds {:?}", text.trim()))
}

/// The value of `key` in a file of `key value` lines, 0 when the kernel has no such line.
fn keyed(text: &str, key: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

/// A limit on memory counts whole pages.
fn whole_pages(bytes: u64) -> u64 {
    bytes & !4095
}

/// The quota in microseconds of a period.
fn quota_us(limits: &Limits) -> u64 {
    u64::from(limits.cpus_milli) * PERIOD_US / 1000
}

/// The line of `/proc/self/cgroup` for a controller (`""` for v2), as a path.
fn membership<'a>(memberships: &'a str, controller: &str) -> Option<&'a str> {
    memberships.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        controllers.split(',').any(|c| c == controller).then_some(path)
    })
}

/// Makes `path`, and hands the folder and the files that its owner must write to `owner`.
fn hand_over(path: &Path, owner: Option<(u32, u32)>, files: &[&str]) -> Result<(), JailError> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(e).on(Step::Cgroup, path.display().to_string());
        }
        _ => {}
    }
    give(path, owner, files)
}

/// Hands an existing folder over.
fn give(path: &Path, owner: Option<(u32, u32)>, files: &[&str]) -> Result<(), JailError> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let own = |path: PathBuf| {
        std::os::unix::fs::chown(&path, Some(uid), Some(gid)).on(Step::Cgroup, path.display().to_string())
    };
    own(path.to_owned())?;
    files.iter().map(|file| path.join(file)).filter(|path| path.exists()).try_for_each(own)
}

#[cfg(test)]
mod tests;
