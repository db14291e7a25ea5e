//! Becoming an ordinary user for good, at the very start, while there is one thread. Each result is checked: whoever
//! serves strangers must never be root.

use std::fmt;

use caps::CapSet;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Pid, Uid, getegid, geteuid, getgroups, getppid, setgroups, setresgid, setresuid};

use crate::accounts::Accounts;

/// A step that did not work, and what to do.
#[derive(Debug)]
pub struct Failed {
    step: &'static str,
    why: String,
    remedy: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.step, self.why, self.remedy)
    }
}

impl std::error::Error for Failed {}

fn failed(step: &'static str) -> impl Fn(&dyn fmt::Display) -> Failed {
    move |why| Failed { step, why: why.to_string(), remedy: "start it as root, or as that user without --user".into() }
}

/// The account that serves, by name.
///
/// # Errors
/// There is none; the text has the command that makes it.
pub fn account(name: &str) -> Result<(u32, u32), Failed> {
    Accounts::of_host().login(name).ok_or_else(|| Failed {
        step: "account",
        why: format!("there is no user {name}"),
        remedy: format!(
            "run `cargo xtask up` as root, which makes it, or: useradd --system --no-create-home --shell /usr/sbin/nologin {name}"
        ),
    })
}

/// From root to the user of this name: no groups, no capability in any set, no way to gain one.
///
/// # Errors
/// The first step that the kernel refused.
pub fn become_user(name: &str) -> Result<(), Failed> {
    let (uid, gid) = account(name)?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&[]).map_err(|e| failed("setgroups")(&e))?;
    // While we still may: the bounding set needs CAP_SETPCAP.
    caps::clear(None, CapSet::Bounding).map_err(|e| failed("bounding set")(&e))?;
    setresgid(gid, gid, gid).map_err(|e| failed("setresgid")(&e))?;
    setresuid(uid, uid, uid).map_err(|e| failed("setresuid")(&e))?;
    for set in [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        caps::clear(None, set).map_err(|e| failed("capabilities")(&e))?;
    }
    let groups = getgroups().map_err(|e| failed("getgroups")(&e))?;
    let left: usize = [CapSet::Bounding, CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted]
        .into_iter()
        .map(|set| caps::read(None, set).map_or(usize::MAX, |set| set.len()))
        .fold(0, usize::saturating_add);
    if geteuid() != uid || getegid() != gid || groups.iter().any(|group| *group != gid) || left > 0 {
        return Err(failed("check")(&"the kernel kept some of root's rights"));
    }
    Ok(())
}

/// No program that this process might execute gains rights.
///
/// # Errors
/// That of `prctl`.
pub fn no_new_privileges() -> Result<(), Failed> {
    prctl::set_no_new_privs().map_err(|e| failed("no_new_privs")(&e))
}

/// Ends this process when `parent` does. Only after the last change of user: that forgets it.
///
/// # Errors
/// That of `prctl`, or the parent has gone already.
pub fn end_with(parent: i32) -> Result<(), Failed> {
    prctl::set_pdeathsig(Signal::SIGTERM).map_err(|e| failed("pdeathsig")(&e))?;
    if getppid() == Pid::from_raw(parent) {
        return Ok(());
    }
    Err(failed("pdeathsig")(&"the supervisor has gone already"))
}
