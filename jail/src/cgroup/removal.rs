//! Groups go: the empty ones by one attempt at a time, what an earlier jaild left with all that is inside.

use nix::unistd::{UnlinkatFlags, unlinkat};

use super::*;

/// Removes an empty group; `false` while it is still busy: the kernel lets go of a dead process a moment after it was
/// reaped.
pub(super) fn try_remove(at: BorrowedFd<'_>, name: &str) -> Result<bool, JailError> {
    match unlinkat(at, name, UnlinkatFlags::RemoveDir) {
        Err(nix::Error::EBUSY) => Ok(false),
        Err(nix::Error::ENOENT) | Ok(()) => Ok(true),
        Err(e) => Err(e).on(Step::Cgroup, name),
    }
}

/// Tries until it is done, for up to two seconds. Never while there are runs.
pub(super) fn within_two_seconds(name: &str, attempt: impl Fn() -> Result<bool, JailError>) -> Result<(), JailError> {
    for _ in 0..2000 {
        if attempt()? {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    Err(nix::Error::EBUSY).on(Step::Cgroup, name)
}

/// Removes the groups below `folder` with all that is inside.
pub(super) fn sweep(folder: BorrowedFd<'_>) -> Result<(), JailError> {
    within_two_seconds("what an earlier jaild left", || try_sweep(folder))
}

/// Kills whatever is in the groups below `folder`, by the list of their members, and tries to remove them, deepest first.
/// Whether all have gone.
pub(super) fn try_sweep(folder: BorrowedFd<'_>) -> Result<bool, JailError> {
    let ours = |name: &String| name.starts_with("slot-") || name.starts_with("run-") || name == "init";
    let mut gone = true;
    for name in census::children(folder)?.into_iter().filter(ours) {
        let child = open_folder(folder, &name)?;
        gone &= try_sweep(child.as_fd())?;
        for pid in get(child.as_fd(), "cgroup.procs")?.lines().filter_map(|line| line.parse().ok()) {
            // 0 is a process that our pid namespace does not show; as an argument of kill it would be our own group.
            if pid == 0 {
                continue;
            }
            // It may have ended since, which is what is wanted.
            match nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL) {
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(e) => return Err(e).on(Step::Cgroup, format!("process {pid} left in {name}")),
            }
        }
        gone &= try_remove(folder, &name)?;
    }
    Ok(gone)
}
