//! CPU time of what is run, whoever of its processes spends it.
//!
//! What a parent has waited for tells too little: sandboxes leave processes to others, and jaild's spawners let the kernel
//! reap. So it is read off control groups, which count to the nanosecond and forget nobody: the one that jaild keeps for
//! all sandboxes; and for what this process spawns itself one that is made for it, which only cgroup v1 allows for a
//! single thread. Elsewhere children that were waited for must do.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::memory;
use crate::problem::{Context, Result};

/// How jaild's control group begins.
const GROUP: &str = "engined-";
/// Where cgroup v1 counts, by the names that hosts give to it.
const V1: [&str; 2] = ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup/cpu,cpuacct"];
const V2: &str = "/sys/fs/cgroup";
/// Nothing is spent for so long: what was started has ended. At most the second is waited.
const STILL: (Duration, Duration) = (Duration::from_millis(30), Duration::from_secs(150));

/// Microseconds that an engine has used since it was started: its own processes and every sandbox. `None` where its control
/// group can't be found.
///
/// # Errors
/// When /proc cannot be read.
pub fn of_engine(tops: &[u32]) -> Result<Option<u64>> {
    let mut group = None;
    let mut own = 0;
    let trees: Result<Vec<Vec<u32>>> = tops.iter().map(|&top| memory::tree(top)).collect();
    for pid in trees?.into_iter().flatten() {
        match group_of(pid) {
            Some(path) => group = Some(path),
            None => own += memory::cpu_of(pid).unwrap_or(0),
        }
    }
    Ok(group.and_then(|path| usage(&path)).map(|sandboxes| sandboxes + own))
}

/// jaild's control group, if that process is in it or below.
fn group_of(pid: u32) -> Option<PathBuf> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let folder = match (v1(), controllers) {
            (Some(folder), names) if names.split(',').any(|name| name == "cpuacct") => folder,
            (None, "") => Path::new(V2),
            _ => return None,
        };
        let until = path.split('/').position(|part| part.starts_with(GROUP))?;
        Some(folder.join(path.split('/').take(until + 1).skip(1).collect::<PathBuf>()))
    })
}

/// The control group that this process makes for what it measures, below the top of each hierarchy of cgroup v1.
pub fn own_group() -> String {
    format!("xtask-bench-{}", std::process::id())
}

/// Whether control groups are those of version 1 here.
pub fn is_v1() -> bool {
    v1().is_some()
}

/// Takes away what sandboxes have left of that group.
pub fn sweep() {
    let Ok(hierarchies) = fs::read_dir(V2) else { return };
    for hierarchy in hierarchies.flatten() {
        let group = hierarchy.path().join(own_group());
        let below = fs::read_dir(&group).into_iter().flatten().flatten().map(|entry| entry.path());
        let groups: Vec<PathBuf> = below.filter(|path| path.is_dir()).chain([group]).collect();
        for path in groups.iter().filter(|path| path.is_dir()) {
            if let Err(cause) = fs::remove_dir(path) {
                eprintln!("xtask: {} is left behind: {cause}", path.display());
            }
        }
    }
}

fn v1() -> Option<&'static Path> {
    V1.into_iter().map(Path::new).find(|folder| folder.join("cpuacct.usage").exists())
}

fn usage(group: &Path) -> Option<u64> {
    if let Ok(text) = fs::read_to_string(group.join("cpuacct.usage")) {
        return text.trim().parse::<u64>().ok().map(|ns| ns / 1000);
    }
    let text = fs::read_to_string(group.join("cpu.stat")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()
}

/// Microseconds that `work` on this thread takes with all that it starts.
///
/// # Errors
/// Those of `work`, or when the thread can't go back to where it was.
pub fn of_spawns(work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let Some(own) = v1().and_then(|folder| Own::enter(folder).ok()) else {
        let before = children_us();
        work()?;
        return Ok(children_us().saturating_sub(before));
    };
    let outcome = work();
    let spent = own.leave()?;
    outcome.map(|()| spent)
}

/// A control group of cgroup v1 for this thread and what it starts.
struct Own {
    path: PathBuf,
    before: PathBuf,
}

impl Own {
    fn enter(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string("/proc/thread-self/cgroup")?;
        let line =
            text.lines().find(|line| line.split(':').nth(1).is_some_and(|n| n.split(',').any(|n| n == "cpuacct")));
        let here = line.and_then(|line| line.splitn(3, ':').nth(2)).ok_or(io::ErrorKind::NotFound)?;
        let path = folder.join(own_group());
        match fs::create_dir(&path) {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(cause),
            _ => {}
        }
        fs::write(path.join("cpuacct.usage"), "0")?;
        // 0 is the thread that writes it.
        fs::write(path.join("tasks"), "0")?;
        Ok(Own { path, before: folder.join(here.trim_start_matches('/')) })
    }

    /// Goes back, waits until what was started has ended, and gives what all of it used.
    fn leave(self) -> Result<u64> {
        fs::write(self.before.join("tasks"), "0")
            .or_problem("this thread stays in its control group", "run it again")?;
        let (deadline, mut since, mut last) = (Instant::now() + STILL.1, Instant::now(), usage(&self.path));
        while since.elapsed() < STILL.0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
            let now = usage(&self.path);
            if now != last {
                (since, last) = (Instant::now(), now);
            }
        }
        // The scheduler may have kept one of them waiting all the while: the account is whole once nobody is in it.
        let lives = || fs::read_to_string(self.path.join("tasks")).is_ok_and(|tasks| !tasks.is_empty());
        while lives() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        last = usage(&self.path).or(last);
        while fs::remove_dir(&self.path).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(last.unwrap_or(0))
    }
}

/// CPU time of all children of this process that were waited for, and of those that they waited for.
fn children_us() -> u64 {
    of_process(UsageWho::RUSAGE_CHILDREN)
}

/// CPU time of this process itself.
pub fn own_us() -> u64 {
    of_process(UsageWho::RUSAGE_SELF)
}

fn of_process(who: UsageWho) -> u64 {
    let Ok(usage) = getrusage(who) else { return 0 };
    let us = |time: nix::sys::time::TimeVal| u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0);
    us(usage.user_time()) + us(usage.system_time())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::spawn::Spawn;

    #[test]
    fn what_is_left_to_others_counts() {
        // The shell that works is nobody's child when it is done.
        let orphan = "(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done) & exit 0";
        let lost = |script| Spawn::new(Path::new("/bin/sh"), &["-c", script], Path::new("/"));
        let nothing = of_spawns(|| lost("exit 0").run().map(drop)).unwrap();
        assert!(nothing > 0);
        if v1().is_some() && nix::unistd::geteuid().is_root() {
            let worked = of_spawns(|| lost(orphan).run().map(drop)).unwrap();
            assert!(worked > 5 * nothing, "{worked} and {nothing}");
        }
    }

    #[test]
    fn we_have_no_group_of_jaild() {
        assert_eq!(group_of(std::process::id()), None);
        assert_eq!(of_engine(&[std::process::id()]).unwrap(), None);
    }
}
