//! Landlock: a second, independent answer to "what may this program do to files", should the read-only mounts fail.
//!
//! Everything may be read and executed; only the work directories, and the devices, may be written. Signals and
//! abstract sockets reach no process outside the sandbox, where the kernel knows these scopes (ABI 6, Linux 6.12).
//!
//! The ruleset is made by init once per sandbox, before the payload is known, because a rule names an inode and the
//! work directories are new with every sandbox (the walk from a file upwards skips the directory that a mount covers,
//! so a rule on the tree's own `/box` would never be found). Source: `Documentation/userspace-api/landlock.rst`.
//!
//! A service ([`service`]) has rules of its own: it may execute nothing, and see no more than it is given by path.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use crate::error::{At, JailError, Step};
use crate::sys;

/// Where a payload may write.
pub const WRITABLE: [&str; 4] = ["/box", "/home/sandbox", "/tmp", "/dev/shm"];

/// The ABI of the running kernel.
///
/// # Errors
/// `ENOSYS` or `EOPNOTSUPP` when landlock is not built in or not switched on.
pub fn kernel_abi() -> io::Result<u32> {
    sys::landlock_abi()
}

/// The newest ABI that both this program and the kernel know.
fn abi() -> Result<ABI, JailError> {
    Ok(match kernel_abi().at(Step::Landlock)? {
        0 => return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)).at(Step::Landlock),
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        _ => ABI::V6,
    })
}

/// A ruleset for the sandbox whose work directories are mounted now.
///
/// # Errors
/// When the kernel does not take each and every rule.
pub fn ruleset() -> Result<RulesetCreated, JailError> {
    let abi = abi()?;
    let make = || -> Result<RulesetCreated, Box<dyn std::error::Error + Send + Sync>> {
        let mut wanted = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        wanted = wanted.handle_access(AccessFs::from_all(abi))?;
        // The crate takes an empty set of scopes for a mistake; before ABI 6 there are none.
        if abi >= ABI::V6 {
            wanted = wanted.scope(Scope::from_all(abi))?;
        }
        let mut rules = wanted
            .create()?
            .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::from_read(abi)))?
            .add_rule(PathBeneath::new(PathFd::new("/dev")?, device_access(abi)))?;
        for path in WRITABLE {
            rules = rules.add_rule(PathBeneath::new(PathFd::new(path)?, AccessFs::from_all(abi)))?;
        }
        Ok(rules)
    };
    make().map_err(io::Error::other).at(Step::Landlock)
}

fn device_access(abi: ABI) -> BitFlags<AccessFs> {
    (AccessFs::WriteFile | AccessFs::IoctlDev | AccessFs::Truncate) & AccessFs::from_all(abi)
}

/// What a service may do to files; everything else is refused, executing first of all.
#[derive(Clone, Debug, Default)]
pub struct ServicePaths {
    /// Files below may be read by name.
    pub read: Vec<PathBuf>,
    /// Folders below may be listed, too.
    pub list: Vec<PathBuf>,
    /// Files and folders below may be made, changed and removed.
    pub write: Vec<PathBuf>,
    /// Names below may be removed: sockets.
    pub remove: Vec<PathBuf>,
}

/// The ruleset of a service, and descriptors to be kept open as long as it shall hold. From ABI 4 on it may bind and
/// connect no TCP socket; from ABI 6 on it reaches no abstract socket and signals nobody outside. Sockets with a path are
/// not governed by any of these, only their folders' modes are.
///
/// A rule names an inode. That of a folder in `/proc` is made anew when nobody holds it, and the rule would be void.
///
/// # Errors
/// When a path is not there, or the kernel does not take each and every rule.
pub fn service(paths: &ServicePaths) -> Result<(RulesetCreated, Vec<OwnedFd>), JailError> {
    let abi = abi()?;
    let read = BitFlags::from(AccessFs::ReadFile);
    let list = read | AccessFs::ReadDir;
    let remove = BitFlags::from(AccessFs::RemoveFile);
    let change = AccessFs::WriteFile | AccessFs::Truncate | AccessFs::MakeReg | AccessFs::MakeDir;
    let write = list | remove | change | AccessFs::RemoveDir | AccessFs::Refer;
    let make = || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let mut wanted = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        wanted = wanted.handle_access(AccessFs::from_all(abi))?;
        // The crate takes an empty set for a mistake.
        if abi >= ABI::V4 {
            wanted = wanted.handle_access(AccessNet::from_all(abi))?;
        }
        if abi >= ABI::V6 {
            wanted = wanted.scope(Scope::from_all(abi))?;
        }
        let mut rules = wanted.create()?;
        let mut held = Vec::new();
        for (paths, access) in
            [(&paths.read, read), (&paths.list, list), (&paths.write, write), (&paths.remove, remove)]
        {
            for path in paths {
                let folder = PathFd::new(path)?;
                rules = rules.add_rule(PathBeneath::new(&folder, access & AccessFs::from_all(abi)))?;
                if path.starts_with("/proc") {
                    held.push(folder.as_fd().try_clone_to_owned()?);
                }
            }
        }
        Ok((rules, held))
    };
    make().map_err(io::Error::other).at(Step::Landlock)
}

/// Puts this process and its children under `rules`, for good. `no_new_privs` must be set.
///
/// # Errors
/// When the kernel enforces less than all of it.
pub fn enforce(rules: RulesetCreated) -> Result<(), JailError> {
    let status = rules.restrict_self().map_err(io::Error::other).at(Step::Landlock)?;
    if status.ruleset == RulesetStatus::FullyEnforced {
        return Ok(());
    }
    Err(io::Error::other(format!("{:?}", status.ruleset))).at(Step::Landlock)
}
