//! The first start: from root, or from an ordinary user, into the outer user namespace.
//!
//! What needs the host's root is done here, once, and in this order: the control groups are made and handed to jaild's
//! user; the socket is bound and handed to the engine's; hard limits are raised. Then a helper is forked that stays
//! outside; this process (which keeps its pid for the service manager) leaves its groups and unshares a user
//! namespace; the helper writes its id maps and ends; this process takes the namespace's uid 0, which outside is
//! jaild's own, and executes itself again.
//!
//! Unsharing after the change of uid would not do: a namespace that an ordinary uid has made gives every process of
//! that uid on the host all capabilities in it. Nor would it do not to execute again: the memory of the process would
//! stay the host root's, it could not be dumped, and nobody could write the id maps of its children.

use std::convert::Infallible;
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jail::cgroup::Base;
use jail::error::{At, JailError, Step};
use jail::privileges::{self, RANGE_IDS, Range};
use jail::records;
use jail::sys;
use languages::Catalogue;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::unistd::{Uid, geteuid};

use crate::account::Account;
use crate::config::{Config, Options};
use crate::slot::log;
use crate::tuning::halt::Halt;
use crate::tuning::{Store, make};

/// What ids that a namespace does not map look like in it, see user_namespaces(7).
const OVERFLOW_UID: u32 = 65_534;

/// Never returns but with an error.
pub fn enter(options: &Options) -> Result<(), JailError> {
    let place = options.place(geteuid().is_root());
    if options.leave {
        // One that is just ending holds the lock until it has.
        let lock = (0..50).find_map(|_| {
            let lock = only_one(&options.socket);
            if lock.is_err() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            lock.ok()
        });
        return match lock {
            Some(_held) => Base::remove(&place),
            None => only_one(&options.socket).map(drop),
        };
    }
    let (account, rootless) = account(options)?;
    let client = if rootless { account.uid } else { Account::named(&options.client_user)?.uid };
    let uids = Range::of(Path::new("/etc/subuid"), &account.name, account.uid)?;
    let gids = Range::of(Path::new("/etc/subgid"), &account.name, account.uid)?;
    trust_files(options, if rootless { account.uid } else { 0 })?;
    let off = tuning_is_foreign(options, if rootless { account.uid } else { 0 });
    if !off {
        warm(options, if rootless { account.uid } else { 0 });
    }
    let lock = only_one(&options.socket)?;
    let owner = (!rootless).then_some((account.uid, account.gid));
    // What is wrong in the file is told by the second start, with every other mistake.
    let pinned = Config::load(options.config.as_deref()).is_ok_and(|config| config.cores.is_some());
    #[cfg(feature = "test-hooks")]
    let pinned = pinned && !options.test_no_cpuset;
    let groups = Base::create(&place, owner, pinned)?;
    let listener = listen_at(&options.socket, if rootless { None } else { Some(client) })?;
    raise_limits()?;
    // Keyrings need not be there; if they are, jaild and all below it have an empty one.
    match sys::leave_session_keyring() {
        Err(e) if e.raw_os_error() != Some(libc::ENOSYS) => return Err(e).on(Step::Outer, "session keyring"),
        _ => {}
    }
    outer_namespace(&account, rootless, uids, gids)?;
    let ids = uids.count.min(gids.count).min(RANGE_IDS);
    let client_inside = if rootless { 0 } else { OVERFLOW_UID };
    let mut said = options.raw.clone();
    if off {
        said.extend(["--tuning".to_owned(), "off".to_owned()]);
    }
    again(&said, client_inside, ids, [listener.as_fd(), lock.as_fd()], &groups)
}

/// Whether somebody else could put files into the folder of tuned ones. Asked here, where uids are the host's: inside the
/// outer namespace root and every stranger look alike.
fn tuning_is_foreign(options: &Options, uid: u32) -> bool {
    let folder = Config::load(options.config.as_deref()).ok().and_then(|config| options.tuning(&config));
    let Some(folder) = folder else { return false };
    // One that is not there yet is made in the nearest that is.
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(&folder);
    let foreign = languages::untrusted(there, uid);
    if let Some(mistake) = &foreign {
        log(&format!("no tuned files are used: {mistake}"));
    }
    foreign.is_some()
}

/// Makes of toolchains what can be made ahead of time, and ends. Where root starts it, it makes that as jaild's user.
/// `false`: it was told to end before it was through.
pub fn tune(options: &Options) -> Result<bool, JailError> {
    let halt = Halt::on_signals(options.bound)?;
    let (account, rootless) = account(options)?;
    trust_files(options, if rootless { account.uid } else { 0 })?;
    let Some((folder, catalogue)) = tuning_of(options)? else {
        log("nothing is tuned: it is switched off");
        return Ok(true);
    };
    let done = make::tune(
        &folder,
        &catalogue,
        options.tune.as_deref().filter(|only| *only != "yes"),
        (!rootless).then_some((account.uid, account.gid)),
        &halt,
    )?;
    if !done {
        log("told to end before everything was tuned; the next --tune goes on with the rest");
    }
    Ok(done)
}

/// Where tuned files are kept, unless they shall not be used, and what they are made of.
fn tuning_of(options: &Options) -> Result<Option<(PathBuf, Catalogue)>, JailError> {
    let told = |mistakes: Vec<String>| std::io::Error::other(mistakes.join("; "));
    let config = Config::load(options.config.as_deref()).map_err(told).on(Step::Settings, "")?;
    let Some(folder) = options.tuning(&config) else { return Ok(None) };
    let catalogue = Catalogue::load(options.manifests().as_deref());
    let catalogue = catalogue.map_err(|mistakes| told(mistakes.iter().map(ToString::to_string).collect()));
    Ok(Some((folder, catalogue.on(Step::Settings, "")?)))
}

/// Has the tuned files read before anybody is charged for it.
fn warm(options: &Options, owner: u32) {
    // What is wrong with the settings is told by the second start, with every other mistake.
    if let Ok(Some((folder, catalogue))) = tuning_of(options) {
        Store::at(&folder, owner).warm(&catalogue);
    }
}

/// Holds the file beside the socket: a second jaild with the same socket would take it away and sweep the first's groups.
/// The lock lives as long as the process, and is given up by whatever way that ends.
fn only_one(socket: &Path) -> Result<OwnedFd, JailError> {
    let mut path = socket.as_os_str().to_owned();
    path.push(".lock");
    let shown = path.to_string_lossy().into_owned();
    if let Some(folder) = socket.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(folder).on(Step::Outer, folder.display().to_string())?;
    }
    let file = File::options().write(true).create(true).truncate(false).open(&path).on(Step::Outer, shown.as_str())?;
    match file.try_lock() {
        Ok(()) => Ok(file.into()),
        Err(TryLockError::WouldBlock) => {
            let why = "another jaild serves this socket: stop it, or name another with --socket";
            Err(std::io::Error::other(why)).on(Step::Outer, shown)
        }
        Err(TryLockError::Error(e)) => Err(e).on(Step::Outer, shown),
    }
}

/// Whatever decides what strangers' programs may see must be such that nobody but root (rootless: its user) changes it.
fn trust_files(options: &Options, uid: u32) -> Result<(), JailError> {
    let refuse = |mistakes: Vec<String>| Err(std::io::Error::other(mistakes.join("; "))).on(Step::Settings, "");
    let of_config = options.config.iter().filter_map(|path| languages::untrusted(path, uid));
    let mut mistakes: Vec<String> = of_config.map(|mistake| mistake.to_string()).collect();
    if let Err(found) = Catalogue::load_trusted(options.manifests().as_deref(), uid) {
        mistakes.extend(found.iter().map(ToString::to_string));
    }
    if mistakes.is_empty() { Ok(()) } else { refuse(mistakes) }
}

/// Who jaild is on the host, and whether it is that already: *rootless*.
fn account(options: &Options) -> Result<(Account, bool), JailError> {
    let me = geteuid();
    if me.is_root() { Ok((Account::named(&options.user)?, false)) } else { Ok((Account::of_uid(me.as_raw())?, true)) }
}

/// Binds the socket, which only `owner` may connect to (modes of a socket are checked by `connect(2)`).
fn listen_at(path: &Path, owner: Option<u32>) -> Result<OwnedFd, JailError> {
    let shown = path.display().to_string();
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e).on(Step::Outer, shown),
        _ => {}
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).on(Step::Outer, shown.as_str())?;
    bind(listener.as_raw_fd(), &UnixAddr::new(path).on(Step::Outer, shown.as_str())?)
        .on(Step::Outer, shown.as_str())?;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).on(Step::Outer, shown.as_str())?;
    std::os::unix::fs::chown(path, owner, None).on(Step::Outer, shown.as_str())?;
    listen(&listener, Backlog::new(16).on(Step::Outer, "backlog")?).on(Step::Outer, shown.as_str())?;
    Ok(listener)
}

/// A payload's hard limits can't be above jaild's.
fn raise_limits() -> Result<(), JailError> {
    for resource in [Resource::RLIMIT_NOFILE, Resource::RLIMIT_STACK, Resource::RLIMIT_FSIZE, Resource::RLIMIT_CPU] {
        let (_, hard) = getrlimit(resource).on(Step::Rlimit, format!("{resource:?}"))?;
        setrlimit(resource, hard, hard).on(Step::Rlimit, format!("{resource:?}"))?;
    }
    Ok(())
}

/// Unshares the user namespace and takes its root. A helper outside writes the maps meanwhile.
fn outer_namespace(account: &Account, rootless: bool, uids: Range, gids: Range) -> Result<(), JailError> {
    let (wait, mut go) = std::io::pipe().at(Step::Outer)?;
    let (mut answer, done) = std::io::pipe().at(Step::Outer)?;
    let me = std::process::id();
    let _helper = sys::clone_child(0, None, || -> Infallible {
        let result = help(account, rootless, me, uids, gids, wait);
        let text = result.err().map_or_else(String::new, |e| e.to_string());
        // The other end reports; without it this process has nobody to tell.
        drop(File::from(OwnedFd::from(done)).write_all(text.as_bytes()));
        sys::exit_now(0)
    })
    .on(Step::Outer, "helper")?;
    if !rootless {
        privileges::leave_groups()?;
    }
    unshare(CloneFlags::CLONE_NEWUSER).on(Step::Outer, "user namespace")?;
    go.write_all(b"g").at(Step::Outer)?;
    let mut trouble = String::new();
    answer.read_to_string(&mut trouble).at(Step::Outer)?;
    if !trouble.is_empty() {
        return Err(std::io::Error::other(trouble)).on(Step::IdMap, "helper");
    }
    sys::reap_any(true).on(Step::Outer, "helper")?;
    privileges::take_ids(0)?;
    // An ordinary user can leave its groups only here, where it is root.
    privileges::leave_groups()?;
    privileges::no_new_privs()
}

fn help(
    account: &Account,
    rootless: bool,
    pid: u32,
    uids: Range,
    gids: Range,
    mut wait: impl Read,
) -> Result<(), JailError> {
    wait.read_exact(&mut [0]).on(Step::Outer, "jaild is gone")?;
    if !rootless {
        for (file, map) in [("gid_map", gids.outer_map(account.gid)), ("uid_map", uids.outer_map(account.uid))] {
            let path = format!("/proc/{pid}/{file}");
            std::fs::write(&path, map).on(Step::IdMap, path)?;
        }
        return Ok(());
    }
    // Only these two, which are set-user-ID, may map the range for an ordinary user.
    for (program, range, own) in [("newgidmap", gids, account.gid), ("newuidmap", uids, account.uid)] {
        let count = range.count.min(RANGE_IDS).to_string();
        let arguments =
            [pid.to_string(), "0".into(), own.to_string(), "1".into(), "1".into(), range.first.to_string(), count];
        let status = Command::new(program).args(arguments).status();
        let failed = |s: std::process::ExitStatus| std::io::Error::other(format!("{s}"));
        status
            .and_then(|s| if s.success() { Ok(()) } else { Err(failed(s)) })
            .on(Step::IdMap, format!("{program}, of the package uidmap"))?;
    }
    Ok(())
}

/// Executes this program again, with the descriptors that it needs and a clean environment.
fn again(words: &[String], client: u32, ids: u32, own: [BorrowedFd<'_>; 2], groups: &Base) -> Result<(), JailError> {
    // Whoever is on the host can read this command line, so it says nothing: the options travel in a file. What a payload
    // reads in /proc/1/cmdline is that of a spawner, which is executed anew.
    let said = options_file(words)?;
    let kept: Vec<BorrowedFd<'_>> = std::iter::once(said.as_fd()).chain(own).chain(groups.descriptors()).collect();
    for fd in &kept {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).on(Step::Outer, "descriptor")?;
    }
    let numbers: Vec<String> = kept.iter().map(|fd| fd.as_raw_fd().to_string()).collect();
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0("jaild")
        .args(["--inner", &numbers.join(","), "--client-uid", &client.to_string(), "--ids", &ids.to_string()])
        .env_clear();
    #[cfg(feature = "test-hooks")]
    command.envs(std::env::vars_os().filter(|(name, _)| name == jail::stop::ENVIRONMENT));
    let error = command.exec();
    debug_assert!(Uid::effective().is_root(), "of the outer namespace");
    Err(error).on(Step::Outer, "execute jaild again")
}

/// The command line of the first start, for the second.
fn options_file(words: &[String]) -> Result<OwnedFd, JailError> {
    let mut file = File::from(records::empty_memfd().on(Step::Outer, "options")?);
    file.write_all(words.join("\0").as_bytes()).on(Step::Outer, "options")?;
    file.rewind().on(Step::Outer, "options")?;
    Ok(file.into())
}
