//! Where the control groups of our own jaild are, and taking them away at the end.
//!
//! Root names a group that jaild makes, hands to its user, and can't remove itself: its parent is root's. An ordinary
//! user has the group that the service manager delegated (`systemd-run --user --scope --property=Delegate=yes`). On the
//! unified hierarchy a group with processes of its own can't hand controllers down, so we leave it for a leaf, and
//! jaild gets a child beside that.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

const UNIFIED: &str = "/sys/fs/cgroup";
const CONTROLLERS: &str = "+memory +pids +cpu";

/// The control groups of one jaild.
#[derive(Debug)]
pub enum Delegation {
    /// Of this name, at the root of each hierarchy or below our own group.
    Named(String),
    /// The list of processes of a group that was made for jaild.
    Child(PathBuf),
    /// jaild finds out by itself, and says what is missing.
    Inherited,
}

impl Delegation {
    /// What this user has.
    #[must_use]
    pub fn of_us() -> Self {
        if geteuid().is_root() {
            // Several of us may run on one machine.
            return Delegation::Named(format!("engined-up-{}", std::process::id()));
        }
        match child_of_ours() {
            Ok(procs) => Delegation::Child(procs),
            // It may be the older hierarchy, or nothing was delegated: jaild knows the remedy.
            Err(_) => Delegation::Inherited,
        }
    }

    /// What jaild is told.
    #[must_use]
    pub fn arguments(&self) -> [OsString; 2] {
        let place = match self {
            Delegation::Named(name) => name.as_str(),
            Delegation::Child(_) | Delegation::Inherited => "self",
        };
        ["--cgroup".into(), place.into()]
    }

    /// Removes what jaild could not. Every process in it has ended.
    ///
    /// # Errors
    /// That of `rmdir`, for the first group that stays.
    pub fn remove(&self) -> io::Result<()> {
        let Delegation::Named(name) = self else { return Ok(()) };
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let own = fs::read_to_string("/proc/self/cgroup")?;
        places(&mounts, &own, name).iter().filter(|path| path.is_dir()).try_for_each(|path| remove_tree(path))
    }
}

/// Everywhere that a group of this name may be: below each mounted hierarchy, and below our own group there.
fn places(mountinfo: &str, memberships: &str, name: &str) -> Vec<PathBuf> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup").then(|| before.split(' ').nth(4)).flatten()
    });
    let own: Vec<&str> = memberships.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    let below = |mount: &str| {
        let mount = PathBuf::from(mount);
        let of_ours = own.iter().map(|path| mount.join(path.trim_start_matches('/')).join(name)).collect::<Vec<_>>();
        of_ours.into_iter().chain([mount.join(name)]).collect::<Vec<_>>()
    };
    let mut places: Vec<PathBuf> = mounts.flat_map(below).collect();
    places.sort();
    places.dedup();
    places
}

/// Groups have no files that can be removed, only groups.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

fn child_of_ours() -> io::Result<PathBuf> {
    let memberships = fs::read_to_string("/proc/self/cgroup")?;
    let own = memberships.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let own = Path::new(UNIFIED).join(own.trim_start_matches('/'));
    let (leaf, child) = (own.join("supervisor"), own.join("jaild"));
    for group in [&leaf, &child] {
        match fs::create_dir(group) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    fs::write(leaf.join("cgroup.procs"), "0")?;
    fs::write(own.join("cgroup.subtree_control"), CONTROLLERS)?;
    Ok(child.join("cgroup.procs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_looked_for_in_every_hierarchy() {
        let mountinfo = "30 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                         31 25 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                         32 25 0:28 / /tmp rw - tmpfs tmpfs rw\n";
        let found = places(mountinfo, "4:memory:/user.slice\n0::/\n", "x");
        let wanted = ["memory/user.slice/x", "memory/x", "unified/user.slice/x", "unified/x"];
        assert_eq!(found, wanted.map(|path| PathBuf::from(UNIFIED).join(path)));
    }
}
