//! Who a process is: accounts, id maps, capabilities, resource limits, `no_new_privs`.
//!
//! Three levels of user namespace. The *outer* one holds jaild as its root, an ordinary user of the host outside, and
//! a range of subordinate uids ([`Range`]) that belong to no account. Each run has a namespace of its own in it, whose
//! root is init; init and payload each have a uid of the range that no other run has at the time. The payload lives in
//! a third one in which nothing is mapped but itself.

use std::io;
use std::path::Path;

use caps::{CapSet, Capability};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::error::{At, JailError, Step};
use crate::spec::{Bytes, Limits, Millis};
use crate::sys;

/// The uid and gid that a payload sees as its own.
pub const PAYLOAD_ID: u32 = 1000;
/// How many subordinate ids the outer namespace has at most: below the overflow uid, which everybody else looks like.
pub const RANGE_IDS: u32 = 65_000;

/// A range of subordinate ids from `/etc/subuid` or `/etc/subgid`, see subuid(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first id, on the host.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl Range {
    /// The first line of `file` for `user`, by name or by uid, with at least 1,000 ids.
    ///
    /// # Errors
    /// When there is none, with the command that makes one.
    pub fn of(file: &Path, user: &str, uid: u32) -> Result<Self, JailError> {
        let text = std::fs::read_to_string(file).on(Step::Outer, file.display().to_string())?;
        parse_range(&text, user, uid).ok_or_else(|| JailError {
            step: Step::Outer,
            index: 0,
            subject: format!("{} has no range of 1,000 ids or more for {user}", file.display()),
            source: io::Error::from(io::ErrorKind::NotFound),
        })
    }

    /// The map of the outer namespace: 0 is jaild's own id, 1 and up the range.
    #[must_use]
    pub fn outer_map(self, own: u32) -> String {
        format!("0 {own} 1\n1 {} {}\n", self.first, self.count.min(RANGE_IDS))
    }
}

fn parse_range(text: &str, user: &str, uid: u32) -> Option<Range> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, first, count) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.trim().parse().ok()?);
        let ours = name == user || name.parse() == Ok(uid);
        (ours && count >= 1000).then_some(Range { first, count })
    })
}

/// The ids of one sandbox, as the outer namespace numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxIds {
    /// Init's.
    pub init: u32,
    /// The payload's.
    pub payload: u32,
}

impl SandboxIds {
    /// The pair of run `number` out of `count` ids. The pairs go round the range, so that an id comes back only after
    /// thousands of runs; two runs that live at once never share one as long as there are more pairs than slots.
    #[must_use]
    pub fn of_run(number: u64, count: u32) -> Self {
        let pairs = u64::from(count.min(RANGE_IDS) / 2).max(1);
        let init = u32::try_from(number % pairs).unwrap_or(0) * 2 + 1;
        SandboxIds { init, payload: init + 1 }
    }

    /// The map of a run's namespace: 0 is init, 1 the payload.
    #[must_use]
    pub fn run_map(self) -> String {
        format!("0 {} 1\n1 {} 1\n", self.init, self.payload)
    }
}

/// The map of a payload's namespace: one id, the run's second.
#[must_use]
pub fn payload_map() -> String {
    format!("{PAYLOAD_ID} 1 1\n")
}

/// Denies `setgroups` to the process `pid`, as `/proc` here numbers it, for good; and to whatever user namespace is made
/// below its own, see user_namespaces(7).
///
/// # Errors
/// That of the write.
pub fn deny_groups(pid: i32) -> Result<(), JailError> {
    let path = format!("/proc/{pid}/setgroups");
    std::fs::write(&path, "deny").on(Step::IdMap, path)
}

/// Writes both maps of the process `pid` as `/proc` here numbers it. `setgroups` must be denied by then.
///
/// # Errors
/// That of the write: `EPERM` when this process does not hold the ids, `EACCES` when the process can't be dumped.
pub fn write_maps(pid: i32, map: &str) -> Result<(), JailError> {
    for (file, content) in [("gid_map", map), ("uid_map", map)] {
        let path = format!("/proc/{pid}/{file}");
        std::fs::write(&path, content).on(Step::IdMap, path)?;
    }
    Ok(())
}

/// Becomes `id` of this user namespace, real, effective and saved.
///
/// # Errors
/// `EINVAL` when the id is not mapped, `EPERM` without the capability.
pub fn take_ids(id: u32) -> Result<(), JailError> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    setresgid(gid, gid, gid).on(Step::Ids, format!("gid {id}"))?;
    setresuid(uid, uid, uid).on(Step::Ids, format!("uid {id}"))
}

/// Leaves every supplementary group. Needs the host's root, so it comes first of all.
///
/// # Errors
/// `EPERM` without `CAP_SETGID`.
pub fn leave_groups() -> Result<(), JailError> {
    setgroups(&[]).on(Step::Ids, "groups")
}

/// Gives up, for good, every capability but `kept`, in all five sets.
///
/// # Errors
/// When the kernel refuses a set: then nothing must run.
pub fn keep_only(kept: &[Capability], bounding: bool) -> Result<(), JailError> {
    let bits = kept.iter().fold(0, |bits, capability| bits | capability.bitmask());
    let bounded = if bounding { sys::capabilities::bound_to(bits) } else { Ok(()) };
    bounded.and_then(|()| sys::capabilities::hold_only(bits)).at(Step::Capabilities)
}

/// The opposite of giving capabilities up: the program gets all that this process has.
///
/// # Errors
/// When the kernel refuses a set.
#[cfg(feature = "test-hooks")]
pub fn keep_across_exec() -> Result<(), JailError> {
    let keep = || -> Result<(), caps::errors::CapsError> {
        let held = caps::read(None, CapSet::Permitted)?;
        caps::set(None, CapSet::Inheritable, &held)?;
        caps::set(None, CapSet::Ambient, &held)
    };
    keep().map_err(io::Error::other).at(Step::Capabilities)
}

/// Gains nothing from set-user-ID files or file capabilities any more.
///
/// # Errors
/// That of `prctl(2)`.
pub fn no_new_privs() -> Result<(), JailError> {
    nix::sys::prctl::set_no_new_privs().at(Step::NoNewPrivs)
}

/// What a process on the host's side becomes: an ordinary user without groups, capabilities or a way back.
///
/// `engined` in development and jaild's helper use it; production leaves this to systemd.
///
/// # Errors
/// When any part is refused.
pub fn become_user(uid: u32, gid: u32) -> Result<(), JailError> {
    leave_groups()?;
    for capability in caps::all() {
        // Those that the kernel does not know, or that are gone already, need not be dropped.
        if caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) {
            caps::drop(None, CapSet::Bounding, capability)
                .map_err(io::Error::other)
                .on(Step::Capabilities, capability.to_string())?;
        }
    }
    let (to_uid, to_gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setresgid(to_gid, to_gid, to_gid).on(Step::Ids, format!("gid {gid}"))?;
    setresuid(to_uid, to_uid, to_uid).on(Step::Ids, format!("uid {uid}"))?;
    keep_only(&[], false)?;
    no_new_privs()
}

/// The resource limits of a payload. What the cgroup limits better (processes, memory) is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimits {
    /// CPU time; the process limit is one second above, in case jaild could not end it.
    pub cpu_time: Millis,
    /// `RLIMIT_FSIZE`.
    pub file: Bytes,
    /// `RLIMIT_NOFILE`.
    pub open_files: u32,
    /// `RLIMIT_STACK`.
    pub stack: Bytes,
}

impl Rlimits {
    /// Those of a run.
    #[must_use]
    pub fn of(limits: &Limits) -> Self {
        Rlimits { cpu_time: limits.cpu_time, file: limits.file, open_files: limits.open_files, stack: limits.stack }
    }

    /// Every limit with the value that this process would give it, soft and hard alike.
    #[must_use]
    pub fn table(&self) -> [(Resource, u64); 10] {
        // The host may allow less already.
        let at_most = |resource, most: u64| {
            let hard = getrlimit(resource).map_or(0, |(_, hard)| hard);
            (resource, hard.min(most))
        };
        [
            // 1, not 0: that alone also stops a core that is piped to a program of the host, see core(5).
            at_most(Resource::RLIMIT_CORE, 1),
            // What follows is counted per user up to the host's root; see `OF_ONE_NAMESPACE` in stage.rs.
            at_most(Resource::RLIMIT_SIGPENDING, 1024),
            at_most(Resource::RLIMIT_MSGQUEUE, 256 << 10),
            at_most(Resource::RLIMIT_MEMLOCK, 8 << 20),
            (Resource::RLIMIT_CPU, self.cpu_time.0.div_ceil(1000) + 1),
            (Resource::RLIMIT_FSIZE, self.file.0),
            (Resource::RLIMIT_NOFILE, self.open_files.into()),
            (Resource::RLIMIT_STACK, self.stack.0),
            (Resource::RLIMIT_RTPRIO, 0),
            (Resource::RLIMIT_NICE, 0),
        ]
    }

    /// Sets them for this process and its children.
    ///
    /// # Errors
    /// `EPERM` when a hard limit of jaild itself is lower.
    pub fn set(&self) -> Result<(), JailError> {
        self.table().into_iter().try_for_each(|(resource, value)| {
            setrlimit(resource, value, value).on(Step::Rlimit, format!("{resource:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_found_by_name_or_uid() {
        let text = "a:1000:500\nb:100000:65536\n42:200000:65536\njunk\n";
        assert_eq!(parse_range(text, "b", 7), Some(Range { first: 100_000, count: 65_536 }));
        assert_eq!(parse_range(text, "x", 42), Some(Range { first: 200_000, count: 65_536 }));
        assert_eq!(parse_range(text, "a", 7), None, "500 ids are too few");
    }

    #[test]
    fn no_two_of_many_runs_share_an_id() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let ids = SandboxIds::of_run(number, 65_536);
            assert!(ids.init >= 1 && ids.payload <= RANGE_IDS);
            assert!(seen.insert(ids.init) && seen.insert(ids.payload));
        }
        assert_eq!(SandboxIds::of_run(32_500, 65_535), SandboxIds::of_run(0, 65_535), "they go round");
    }
}
