//! The CPUs of a run: the cpuset controller where it is ours to use, else the affinity of its processes.
//!
//! A cpuset is the kernel's own fence: whatever a process in it asks for by `sched_setaffinity` is cut to what is inside.
//! v2: `cpuset.cpus` of the run's leaf, when the controller was delegated (systemd's `Delegate=yes` does). v1: a group of
//! the slot in that hierarchy, where spawner and init are as well, so it is widened again when the run is over.
//!
//! Without the controller (an ordinary user's session has none) the payload's affinity is set while it waits for its
//! command, alone and with one thread; all that it starts inherits it. There the filter is the only fence: it answers
//! `sched_setaffinity` without taking it (`seccomp.rs`). Both ways cost some microseconds, because nobody inside runs.

use nix::unistd::Pid;

use super::*;

/// The slot's group in the hierarchy of v1.
#[derive(Debug)]
pub(super) struct Slot {
    base: OwnedFd,
    pub(super) folder: OwnedFd,
    /// All that there are.
    widest: String,
}

/// Whether a list of controllers, as the kernel writes it, has cpuset.
pub(super) fn is_among(list: &str) -> bool {
    list.split_ascii_whitespace().any(|name| name == "cpuset")
}

/// v1: makes the folder with all CPUs and memory nodes of the one above it, which a new cpuset lacks. `None`: it is not
/// ours to make, so we do without.
pub(super) fn make_base(path: &Path, owner: Option<(u32, u32)>) -> Option<OwnedFd> {
    hand_over(path, owner, &["cgroup.procs", "tasks"]).ok()?;
    let above: OwnedFd = File::open(path.parent()?).ok()?.into();
    let folder: OwnedFd = File::open(path).ok()?.into();
    inherit(above.as_fd(), folder.as_fd()).ok()?;
    Some(folder)
}

/// Gives a group of v1 what the one above it has.
fn inherit(above: BorrowedFd<'_>, folder: BorrowedFd<'_>) -> Result<(), JailError> {
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let all = get(above, name)?;
        limit(folder, name, all.trim(), all.trim())?;
    }
    Ok(())
}

impl Slot {
    pub(super) fn make(base: BorrowedFd<'_>, name: &str) -> Result<Self, JailError> {
        let folder = make_folder(base, name)?;
        inherit(base, folder.as_fd())?;
        let widest = get(base, "cpuset.cpus")?.trim().to_owned();
        Ok(Slot { base: base.try_clone_to_owned().at(Step::Cgroup)?, folder, widest })
    }

    pub(super) fn base(&self) -> BorrowedFd<'_> {
        self.base.as_fd()
    }

    /// The last run is over: spawner and next init go where there is room.
    pub(super) fn release(&self) -> Result<(), JailError> {
        limit(self.folder.as_fd(), "cpuset.cpus", &self.widest, &self.widest)
    }
}

/// Keeps all that is in `group` to `cpus`. `members` lists the processes, should `group` have no cpuset.
pub(super) fn place(group: BorrowedFd<'_>, members: BorrowedFd<'_>, cpus: &Cpus) -> Result<(), JailError> {
    let list = cpus.to_string();
    match limit(group, "cpuset.cpus", &list, &list) {
        Err(e) if e.source.kind() == io::ErrorKind::NotFound => keep(members, cpus),
        other => other.and_then(|()| in_effect(group, &list)),
    }
}

/// What a cpuset holds and what is in effect differ when a CPU went offline or was taken by the group above.
fn in_effect(group: BorrowedFd<'_>, list: &str) -> Result<(), JailError> {
    let effective = get(group, "cpuset.cpus.effective").or_else(|_| get(group, "cpuset.effective_cpus"))?;
    if effective.trim() == list {
        return Ok(());
    }
    Err(io::Error::other(format!("{} are in effect", effective.trim()))).on(Step::Cpus, list)
}

/// v1 without cpusets: the spawner stays, so it gets back what jaild has.
pub(super) fn release(members: BorrowedFd<'_>) -> Result<(), JailError> {
    keep(members, &Cpus::of(Pid::from_raw(0))?)
}

fn keep(members: BorrowedFd<'_>, cpus: &Cpus) -> Result<(), JailError> {
    for pid in get(members, "cgroup.procs")?.lines() {
        // 0 would be this very process: one of another pid namespace has no business here.
        let pid = pid.parse().ok().filter(|pid| *pid > 0).ok_or_else(|| io::Error::other("no process of ours"));
        cpus.keep(Pid::from_raw(pid.on(Step::Cpus, "cgroup.procs")?))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_told_apart() {
        assert!(is_among("cpuset cpu io memory pids\n"));
        assert!(!is_among("cpu io memory\n") && !is_among("cpusets"));
    }
}
