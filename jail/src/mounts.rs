//! The tree that payloads see, and what each run mounts into it.
//!
//! The tree is built once per spawner, on a tmpfs, then pivoted into and the host's tree let go of. A run's mount
//! namespace is a copy of it, which its user namespace can neither unmount nor make writable: the kernel locks mounts
//! that come from a more privileged namespace (mount_namespaces(7)). On top of the copy init mounts a `/proc` of the
//! run's own pid namespace and one tmpfs that holds everything writable.
//!
//! The spawner's own `/proc`, of its own pid namespace and never the host's, stays below: the kernel lets a user
//! namespace mount proc only where one is already visible. It must not be read-only, else a run's could not be
//! writable, which [`crate::stage`] needs once.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use crate::error::{At, JailError, Step};
use crate::privileges::PAYLOAD_ID;
use crate::sys::{self, MountAttributes};

/// What the tree holds besides `/usr` and what every program needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreePlan {
    /// Root-owned directories outside `/usr`, each shown at its own path, its parents empty.
    pub toolchains: Vec<PathBuf>,
    /// What was made of toolchains ahead of time: folders of the host, and where they are shown.
    pub tuned: Vec<(PathBuf, PathBuf)>,
    /// Files and folders of `/etc`, relative to it.
    pub etc: Vec<String>,
    /// Files with set-user-ID or set-group-ID bits, covered by an empty one. See [`SetuidSearch`].
    pub setuid: Vec<PathBuf>,
}

/// Looks for every file below a folder with a set-user-ID or set-group-ID bit, some entries at a time: `/usr` has
/// hundreds of thousands, and whoever looks may have sandboxes to watch meanwhile.
#[derive(Debug)]
pub struct SetuidSearch {
    folders: Vec<PathBuf>,
    open: Option<(PathBuf, fs::ReadDir)>,
    found: Vec<PathBuf>,
}

impl SetuidSearch {
    /// A search that has not begun.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        SetuidSearch { folders: vec![root.to_owned()], open: None, found: Vec::new() }
    }

    /// Looks at up to so many entries. What was found, sorted, once there are no more.
    ///
    /// # Errors
    /// When a folder can't be read.
    pub fn advance(&mut self, entries: usize) -> Result<Option<Vec<PathBuf>>, JailError> {
        for _ in 0..entries {
            let Some((folder, open)) = &mut self.open else {
                let Some(folder) = self.folders.pop() else {
                    self.found.sort();
                    return Ok(Some(std::mem::take(&mut self.found)));
                };
                match fs::read_dir(&folder) {
                    Ok(open) => self.open = Some((folder, open)),
                    // A folder that jaild's own user can't read, or that has gone, holds nothing that a payload could reach.
                    Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => {}
                    Err(e) => return Err(e).on(Step::Tree, folder.display().to_string()),
                }
                continue;
            };
            let Some(entry) = open.next() else {
                self.open = None;
                continue;
            };
            let entry = entry.on(Step::Tree, folder.display().to_string())?;
            let kind = entry.file_type().on(Step::Tree, entry.path().display().to_string())?;
            if kind.is_dir() {
                self.folders.push(entry.path());
            } else if kind.is_file() && entry.metadata().is_ok_and(|meta| meta.mode() & 0o6000 != 0) {
                self.found.push(entry.path());
            }
        }
        Ok(None)
    }

    /// Looks at all of them.
    ///
    /// # Errors
    /// As [`SetuidSearch::advance`].
    pub fn finish(mut self) -> Result<Vec<PathBuf>, JailError> {
        loop {
            if let Some(found) = self.advance(usize::MAX)? {
                return Ok(found);
            }
        }
    }
}

/// Host folders that link into `/usr` on merged systems and are folders of their own on others.
const TOP: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// Parts of `/usr` that belong to the host's administrator or hold sources.
const COVERED: [&str; 2] = ["usr/local", "usr/src"];
/// Devices that programs use and that give nothing away.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];
/// What of the host's `/etc` every tree has, where the host has it. Nothing here is secret or about users.
const ETC: [&str; 6] = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "services", "protocols"];
/// Where the run's one tmpfs is mounted; only init may look inside.
const SCRATCH: &str = "/run";
/// The parts of the scratch that payloads write to: folder in it, where it is bound, its mode.
const PARTS: [(&str, &str, u32); 4] =
    [("box", "/box", 0o755), ("home", "/home/sandbox", 0o755), ("tmp", "/tmp", 0o1777), ("shm", "/dev/shm", 0o1777)];

/// Builds the tree in a mount namespace of this process's own and makes it the root.
///
/// # Errors
/// [`Step::Tree`], naming the path.
pub fn build_and_enter(plan: &TreePlan) -> Result<(), JailError> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).on(Step::Tree, "make / private")?;
    let limits = Some("size=16m,nr_inodes=16k,mode=755");
    // /tmp exists everywhere; only this namespace sees the mount.
    mount(Some("tree"), "/tmp", Some("tmpfs"), MsFlags::MS_NOSUID, limits).on(Step::Tree, "tmpfs")?;
    chdir("/tmp").on(Step::Tree, "tmpfs")?;
    for (name, mode) in
        [("empty", 0o555), ("box", 0o755), ("home/sandbox", 0o755), ("tmp", 0o755), ("run", 0o755), ("proc", 0o555)]
    {
        folder(Path::new(name), mode)?;
    }
    file(Path::new("nothing"), "", 0o000)?;
    system_folders(plan)?;
    etc(plan)?;
    devices()?;
    // Everything so far, and nothing later: read-only, no set-user-ID bits.
    sys::mount_setattr(c".", true, MountAttributes::READ_ONLY.and(MountAttributes::NO_SUID))
        .on(Step::Tree, "read-only")?;
    sys::mount_setattr(c"usr", true, MountAttributes::NO_DEV).on(Step::Tree, "usr without devices")?;
    mount_proc("proc").on(Step::Tree, "proc")?;
    // Both halves of the swap in one place, see pivot_root(2), "pivot_root(".", ".")".
    pivot_root(".", ".").on(Step::Tree, "pivot_root")?;
    umount2(".", MntFlags::MNT_DETACH).on(Step::Tree, "let go of the host's tree")?;
    chdir("/").on(Step::Tree, "/")
}

fn mount_proc(target: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), target, Some("proc"), flags, None::<&str>)
}

/// `/usr`, the links into it, toolchains elsewhere, and covers over what is not for payloads.
fn system_folders(plan: &TreePlan) -> Result<(), JailError> {
    bind(Path::new("/usr"))?;
    for name in TOP {
        let host = Path::new("/").join(name);
        match fs::symlink_metadata(&host) {
            Ok(meta) if meta.is_symlink() => {
                let target = fs::read_link(&host).on(Step::Tree, host.display().to_string())?;
                symlink(target, name).on(Step::Tree, name)?;
            }
            Ok(_) => bind(&host)?,
            Err(_) => {}
        }
    }
    // One that was removed since the plan was made is missed by its own programs alone.
    for toolchain in plan.toolchains.iter().filter(|path| path.exists()) {
        bind(toolchain)?;
    }
    for (host, inside) in plan.tuned.iter().filter(|(host, _)| host.exists()) {
        bind_at(host, inside)?;
        sys::mount_setattr(&c_path(&relative(inside))?, true, MountAttributes::NO_DEV)
            .on(Step::Tree, inside.display().to_string())?;
    }
    for covered in COVERED.iter().map(Path::new).filter(|path| path.is_dir()) {
        cover(Path::new("empty"), covered)?;
    }
    for path in plan.setuid.iter().map(|path| relative(path)).filter(|path| path.exists()) {
        cover(Path::new("nothing"), &path)?;
    }
    Ok(())
}

/// A synthetic `/etc`: one user, one host, no resolver; links and caches that toolchains need, copied or bound.
fn etc(plan: &TreePlan) -> Result<(), JailError> {
    folder(Path::new("etc"), 0o755)?;
    let id = PAYLOAD_ID;
    for (name, content) in [
        (
            "etc/passwd",
            format!("root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:{id}:{id}:sandbox:/home/sandbox:/bin/sh\n"),
        ),
        ("etc/group", format!("root:x:0:\nsandbox:x:{id}:\n")),
        ("etc/hosts", "127.0.0.1 localhost sandbox\n".to_owned()),
        ("etc/hostname", "sandbox\n".to_owned()),
        ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n".to_owned()),
    ] {
        file(Path::new(name), &content, 0o644)?;
    }
    // UTC, as everywhere on servers; a caller sets TZ for another.
    if Path::new("/usr/share/zoneinfo/UTC").exists() {
        symlink("/usr/share/zoneinfo/UTC", "etc/localtime").on(Step::Tree, "etc/localtime")?;
    }
    for name in ETC.iter().copied().chain(plan.etc.iter().map(String::as_str)) {
        let (host, here) = (Path::new("/etc").join(name), Path::new("etc").join(name));
        if host.exists() && fs::symlink_metadata(&here).is_err() {
            bind(&host)?;
        }
    }
    Ok(())
}

fn devices() -> Result<(), JailError> {
    folder(Path::new("dev"), 0o755)?;
    folder(Path::new("dev/shm"), 0o755)?;
    for name in DEVICES {
        bind(&Path::new("/dev").join(name))?;
    }
    for (name, target) in DEVICE_LINKS {
        symlink(target, Path::new("dev").join(name)).on(Step::Tree, name)?;
    }
    Ok(())
}

/// Where a host path goes in the tree that is being built here.
fn relative(host: &Path) -> PathBuf {
    host.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Shows a file or folder of the host at its own path, with all that is mounted below it: those mounts are locked, so
/// they can't be left out.
fn bind(host: &Path) -> Result<(), JailError> {
    bind_at(host, host)
}

/// The same at another path.
fn bind_at(host: &Path, inside: &Path) -> Result<(), JailError> {
    let here = relative(inside);
    let is_folder = fs::metadata(host).on(Step::Tree, host.display().to_string())?.is_dir();
    if let Some(parent) = here.parent() {
        folder(parent, 0o755)?;
    }
    if is_folder {
        folder(&here, 0o755)?;
    } else {
        file(&here, "", 0o644)?;
    }
    mount(Some(host), &here, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .on(Step::Tree, format!("bind {}", host.display()))
}

fn c_path(path: &Path) -> Result<CString, JailError> {
    CString::new(path.as_os_str().as_encoded_bytes())
        .map_err(io::Error::other)
        .on(Step::Tree, path.display().to_string())
}

fn cover(with: &Path, what: &Path) -> Result<(), JailError> {
    mount(Some(with), what, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .on(Step::Tree, format!("cover {}", what.display()))
}

fn folder(path: &Path, mode: u32) -> Result<(), JailError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).on(Step::Tree, path.display().to_string())
}

fn file(path: &Path, content: &str, mode: u32) -> Result<(), JailError> {
    use std::io::Write;
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(content.as_bytes()))
        .on(Step::Tree, path.display().to_string())
}

/// Mounts what belongs to one run: `/proc` and the scratch with its parts. In init, as root of the run's namespace.
///
/// # Errors
/// [`Step::RunMounts`], naming the path.
pub fn mount_run(quota: Quota) -> Result<(), JailError> {
    mount_proc("/proc").on(Step::RunMounts, "/proc")?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let options = format!("{},mode=700", quota.options());
    mount(Some("scratch"), SCRATCH, Some("tmpfs"), flags, Some(options.as_str())).on(Step::RunMounts, SCRATCH)?;
    for (name, target, mode) in PARTS {
        let part = format!("{SCRATCH}/{name}");
        fs::DirBuilder::new().mode(mode).create(&part).on(Step::RunMounts, part.as_str())?;
        // The umask must not take the sticky directories' bits away.
        fs::set_permissions(&part, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .on(Step::RunMounts, part.as_str())?;
        std::os::unix::fs::chown(&part, Some(1), Some(1)).on(Step::RunMounts, part.as_str())?;
        mount(Some(part.as_str()), target, None::<&str>, MsFlags::MS_BIND, None::<&str>).on(Step::RunMounts, target)?;
    }
    Ok(())
}

/// How much the scratch may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of content.
    pub bytes: u64,
}

impl Quota {
    /// Inodes go with bytes, one for 4 KiB, between 1,024 and 65,536: each costs the kernel about 1 KiB.
    fn inodes(self) -> u64 {
        (self.bytes / 4096).clamp(1024, 65_536)
    }

    fn options(self) -> String {
        format!("size={},nr_inodes={}", self.bytes, self.inodes())
    }

    /// Gives the scratch this quota, whatever it had.
    ///
    /// # Errors
    /// [`Step::Quota`].
    pub fn apply(self) -> Result<(), JailError> {
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(None::<&str>, SCRATCH, None::<&str>, flags, Some(self.options().as_str())).at(Step::Quota)
    }
}

/// Whether the scratch has no room left, for bytes or for names.
#[must_use]
pub fn scratch_is_full() -> bool {
    nix::sys::statvfs::statvfs(SCRATCH).is_ok_and(|s| s.blocks_available() == 0 || s.files_available() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_root_and_nothing_else() {
        assert_eq!(relative(Path::new("/opt/jdk")), Path::new("opt/jdk"));
        assert_eq!(relative(Path::new("/../etc")), Path::new("etc"));
    }

    #[test]
    fn files_with_special_bits_are_found_in_steps_as_at_once() {
        use std::os::unix::fs::PermissionsExt;
        let root = std::env::temp_dir().join(format!("jail-setuid-{}", std::process::id()));
        for (name, mode) in [("a/b/setuid", 0o4755), ("a/plain", 0o755), ("setgid", 0o2755), ("z", 0o1755)] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        fs::create_dir_all(root.join("empty/inner")).unwrap();
        symlink(root.join("setgid"), root.join("link")).unwrap();
        let wanted = [root.join("a/b/setuid"), root.join("setgid")];
        assert_eq!(SetuidSearch::below(&root).finish().unwrap(), wanted);
        let mut search = SetuidSearch::below(&root);
        let mut steps = 0;
        let found = loop {
            steps += 1;
            if let Some(found) = search.advance(1).unwrap() {
                break found;
            }
        };
        assert_eq!(found, wanted);
        assert!(steps > 10, "{steps}");
        assert_eq!(SetuidSearch::below(&root.join("nosuch")).finish().unwrap(), Vec::<PathBuf>::new());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_quota_counts_names_too() {
        assert_eq!(Quota { bytes: 4096 }.options(), "size=4096,nr_inodes=1024");
        assert_eq!(Quota { bytes: 1 << 40 }.inodes(), 65_536);
    }
}
