//! The system call filter: an allow-list that pins the architecture, laid out as a tree.
//!
//! What it answers: system calls that the lists below do not name ENOSYS, so that programs fall back as on an older
//! kernel; those that are known but refused EPERM, so that honest probes (libuv asks for io_uring) go on; and it kills
//! the process for another architecture and for x32 (bit 30 of the number). The calls of the table `KILLED`, which no
//! honest program makes, wait for init, which counts them and ends the process; so do network sockets, which init counts
//! and lets be made (`notify.rs`). `clone3` is ENOSYS because its flags lie in memory that a filter can't read: every
//! libc then uses `clone`, whose flags it can.
//!
//! Of several filters the kernel takes the strictest answer, and to ask init is among the mildest. So the long filter is
//! *shared*: the spawner installs it once and every process of its sandboxes has it from birth. It leaves open what a
//! sandbox is made with and what the payload's filter asks about. What it leaves open and a payload must not have is the
//! *payload's* own filter, a short one, which bears the listener and so has to be new for every run. Init has another for
//! itself alone.
//!
//! To translate a new filter for the processor costs the kernel time by its length, and it is run once for every system
//! call number to fill a cache (`seccomp_cache_prepare`, since 5.11): that is paid at each start of a program. A sorted
//! tree over runs of equal answers needs 8 comparisons where a list needs 200. That, and one filter having more than two
//! answers, is why the program is laid out here and seccompiler only installs it.
//!
//! There is one more: that of a service (`service.rs`), which is engined's own.
//!
//! A filter is checked in the unit tests by interpreting it for every number.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use seccompiler::BpfProgram;

use crate::spec::WatchedCall;
use crate::sys;

use program::{compile, op};
use tables::{ALLOWED, KILLED, REFUSED};

/// What a filter answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call is made.
    Allow,
    /// The call fails with this error number.
    Errno(u16),
    /// The whole process is killed (`SIGSYS`).
    Kill,
    /// The call waits for whoever holds the filter's listener. Without one it fails with ENOSYS.
    Notify,
}

impl Answer {
    /// The return value, see `seccomp(2)`.
    fn value(self) -> u32 {
        match self {
            Answer::Allow => libc::SECCOMP_RET_ALLOW,
            Answer::Errno(number) => libc::SECCOMP_RET_ERRNO | u32::from(number),
            Answer::Kill => libc::SECCOMP_RET_KILL_PROCESS,
            Answer::Notify => libc::SECCOMP_RET_USER_NOTIF,
        }
    }
}

/// Error numbers as `seccomp(2)` takes them, see errno(3).
const EPERM: u16 = 1;
const ENOMEM: u16 = 12;
const EINVAL: u16 = 22;
const ENOSYS: u16 = 38;
const ENOPROTOOPT: u16 = 92;
const EOPNOTSUPP: u16 = 95;
const EAFNOSUPPORT: u16 = 97;

/// A test of the low 32 bits of one argument, which is all of it for the calls that are tested.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// One of these values.
    OneOf(u32, Vec<u32>),
    /// None of these values.
    NoneOf(u32, Vec<u32>),
    /// None of these bits.
    NoBits(u32, u32),
}

/// What a filter does about one system call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Always(Answer),
    /// The first answer when every test holds, else the second.
    When(Vec<Test>, Answer, Answer),
    /// The rule of the value that this argument has, else that of all others.
    Split(u32, Vec<(u32, Rule)>, Box<Rule>),
}

/// The flags of `clone(2)` and `unshare(2)` that make a namespace. `CLONE_NEWTIME` (0x80) exists for `unshare` only:
/// in `clone` that byte is the exit signal.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// Calls whose arguments decide. One that is refused here is answered as a kernel without the feature would. `watched` is
/// the answer to what init shall know of.
fn conditional(watched: Answer) -> Vec<(libc::c_long, Rule)> {
    let when = |test, answer| Rule::When(vec![test], Answer::Allow, Answer::Errno(answer));
    vec![
        (libc::SYS_clone, when(Test::NoBits(0, NAMESPACE_FLAGS), EPERM)),
        (libc::SYS_unshare, when(Test::NoBits(0, NAMESPACE_FLAGS | 0x80), EPERM)),
        (libc::SYS_socket, sockets(watched)),
        // For another family it makes both sockets, and has the host load their module, before it finds that the family
        // has no pairs. TIPC has them.
        (
            libc::SYS_socketpair,
            Rule::When(
                vec![Test::OneOf(0, vec![AF_UNIX]), socket_types(&[1, 2, 5])],
                Answer::Allow,
                Answer::Errno(EAFNOSUPPORT),
            ),
        ),
        // Said to be done, and nothing is left undone: all that a run writes to is memory. What sync would flush is
        // everybody's, and a slow disk would hold the process beyond its kill. fsync of an unchanged file of /usr, and
        // msync with MS_SYNC, have the host's disk empty its cache, each time anew.
        (libc::SYS_sync, Rule::Always(Answer::Errno(0))),
        (libc::SYS_syncfs, Rule::Always(Answer::Errno(0))),
        (libc::SYS_fsync, Rule::Always(Answer::Errno(0))),
        (libc::SYS_fdatasync, Rule::Always(Answer::Errno(0))),
        (libc::SYS_sync_file_range, Rule::Always(Answer::Errno(0))),
        (libc::SYS_msync, when(Test::NoBits(2, 4), 0)),
        // Advice, heard and not taken: with it a program throws toolchains out of the page cache that all runs share.
        (libc::SYS_fadvise64, Rule::Always(Answer::Errno(0))),
        (libc::SYS_ioctl, when(Test::NoneOf(1, IOCTL.to_vec()), EPERM)),
        (libc::SYS_setsockopt, socket_options()),
        // Access lists are attributes too: 64 KiB of kernel memory for each file, which no memory limit counts. Programs
        // that copy files expect file systems without attributes.
        (libc::SYS_setxattr, Rule::Always(Answer::Errno(EOPNOTSUPP))),
        (libc::SYS_lsetxattr, Rule::Always(Answer::Errno(EOPNOTSUPP))),
        (libc::SYS_fsetxattr, Rule::Always(Answer::Errno(EOPNOTSUPP))),
        // dnotify on a folder of /usr: every read there, by anybody, would look through the list of those who asked.
        (libc::SYS_fcntl, when(Test::NoneOf(1, vec![F_NOTIFY]), EINVAL)),
        // Huge pages that the administrator has set aside for somebody: no memory limit counts them. ENOMEM is what a
        // host without any says; transparent ones are counted, and free to use. MAP_HUGETLB, MFD_HUGETLB, SHM_HUGETLB.
        (libc::SYS_mmap, when(Test::NoBits(3, 0x4_0000), ENOMEM)),
        (libc::SYS_memfd_create, when(Test::NoBits(1, 4), ENOMEM)),
        (libc::SYS_shmget, when(Test::NoBits(2, 0o4000), ENOMEM)),
        // Query and the plain Linux personality: others switch protections off.
        (libc::SYS_personality, when(Test::OneOf(0, vec![0, 0xffff_ffff]), EPERM)),
        (libc::SYS_prctl, when(Test::OneOf(0, PRCTL.to_vec()), EINVAL)),
    ]
}

const AF_UNIX: u32 = 1;
/// See linux/fcntl.h.
const F_NOTIFY: u32 = 1026;

/// The sockets that a program may make: `AF_UNIX`, and `AF_INET` and `AF_INET6`, whose network namespace is empty, so that
/// they reach this run's own `lo`. Type and protocol belong together, TCP to streams and UDP to datagrams: at any other
/// pair the host would start its module loader, outside every limit; DCCP has the protocol 0 too.
fn sockets(watched: Answer) -> Rule {
    let refused = Answer::Errno(EAFNOSUPPORT);
    let types = |types: &[u32], then| Rule::When(vec![socket_types(types)], then, refused);
    let unix = types(&[1, 2, 5], Answer::Allow);
    let protocols = vec![(0, types(&[1, 2], watched)), (6, types(&[1], watched)), (17, types(&[2], watched))];
    let internet = Rule::Split(2, protocols, Box::new(Rule::Always(refused)));
    let families = vec![(AF_UNIX, unix), (2, internet.clone()), (10, internet)];
    Rule::Split(0, families, Box::new(Rule::Always(refused)))
}

/// These socket types, with and without `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
fn socket_types(types: &[u32]) -> Test {
    Test::OneOf(
        1,
        [0, 0x800, 0x8_0000, 0x8_0800].iter().flat_map(|flags| types.iter().map(move |t| t | flags)).collect(),
    )
}

/// Without filters (SO_ATTACH_FILTER, SO_ATTACH_BPF, those of SO_REUSEPORT): the code made of them is counted for all users
/// of the host together, and when that limit is reached nobody can install a system call filter any more. Without TCP's
/// keys (TCP_MD5SIG, TCP_MD5SIG_EXT, TCP_AO_ADD_KEY): kernel memory that no limit counts. Without TCP_ULP: TLS in the
/// kernel. See asm-generic/socket.h and linux/tcp.h.
fn socket_options() -> Rule {
    let without =
        |names: &[u32]| Rule::When(vec![Test::NoneOf(2, names.to_vec())], Answer::Allow, Answer::Errno(ENOPROTOOPT));
    let levels = vec![(1, without(&[26, 50, 51, 52])), (6, without(&[14, 31, 32, 38]))];
    Rule::Split(1, levels, Box::new(Rule::Always(Answer::Allow)))
}

/// TIOCSTI and TIOCLINUX put characters into somebody's terminal; TIOCSETD loads line disciplines. The others ask a
/// socket for bridges and VLANs: the kernel loads their modules before it looks at privileges, see linux/sockios.h.
const IOCTL: [u32; 11] = [0x5412, 0x541c, 0x5423, 0x8940, 0x8941, 0x8982, 0x8983, 0x89a0, 0x89a1, 0x89a2, 0x89a3];

/// The options of `prctl(2)` that programs use on themselves: names, death signal, dumpable, timer slack, subreaper,
/// huge pages, and questions. None switches a protection off.
const PRCTL: [u32; 17] =
    [1, 2, 3, 4, 15, 16, 21, 23, 29, 30, 36, 37, 38, 39, 41, 42, 0x5356_4d41 /* PR_SET_VMA: names of mappings */];

/// What a manifest may add: nothing that this table does not call refused.
///
/// # Errors
/// The name, when it is not a system call that a manifest can allow.
pub fn extra(names: &[String]) -> Result<Vec<libc::c_long>, String> {
    names
        .iter()
        .map(|name| {
            REFUSED
                .iter()
                .find(|(known, _)| known.strip_prefix("SYS_") == Some(name))
                .map(|(_, nr)| *nr)
                .ok_or_else(|| name.clone())
        })
        .collect()
}

/// A filter, ready to be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    program: BpfProgram,
}

impl Filter {
    /// What a payload installs, with the calls `extra` allowed besides, over [`Filter::shared`] of at least these: all in
    /// which the two differ. It is half a filter without the other.
    #[must_use]
    pub fn payload(extra: &[libc::c_long], shared: &[libc::c_long]) -> Self {
        over(&shared_rules(shared), &payload_rules(extra))
    }

    /// The filter of a payload that is pinned: a wish for other CPUs is heard and not taken, as the kernel itself cuts it to
    /// those of a cpuset, so that it holds where there is no cpuset.
    #[must_use]
    pub fn pinned_payload(extra: &[libc::c_long], shared: &[libc::c_long]) -> Self {
        let mut rules = payload_rules(extra);
        rules.insert(libc::SYS_sched_setaffinity, Rule::Always(Answer::Errno(0)));
        over(&shared_rules(shared), &rules)
    }

    /// What the two filters of a payload come to, for telling one payload's from another's. Nobody installs it.
    #[must_use]
    pub fn whole(extra: &[libc::c_long]) -> Self {
        Filter { program: compile(&payload_rules(extra), ENOSYS_RULE) }
    }

    /// The filter that a spawner installs, and that its inits and their payloads inherit: what payloads may do, what it
    /// takes to make and confine one, and what the payload's filter asks init about.
    #[must_use]
    pub fn shared(extra: &[libc::c_long]) -> Self {
        Filter { program: compile(&shared_rules(extra), ENOSYS_RULE) }
    }

    /// What init installs for itself once it has its payload: the calls of the table `KILLED` kill it too, but for the
    /// one that it needs to size the scratch.
    #[must_use]
    pub fn init_alone() -> Self {
        let killed = KILLED.iter().filter(|(_, number)| *number != libc::SYS_mount);
        let rules = killed.map(|(_, number)| (*number, Rule::Always(Answer::Kill))).collect();
        Filter { program: compile(&rules, Rule::Always(Answer::Allow)) }
    }

    /// Its instructions as the kernel takes them, to tell one filter from another.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let one = |i: &seccompiler::sock_filter| {
            let [a, b] = i.code.to_le_bytes();
            let [c, d, e, f] = i.k.to_le_bytes();
            [a, b, i.jt, i.jf, c, d, e, f]
        };
        self.program.iter().flat_map(one).collect()
    }

    /// The filter of which these are the [`Filter::bytes`]. `None` for part of an instruction.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (instructions, []) = bytes.as_chunks::<8>() else { return None };
        let one = |&[a, b, jt, jf, c, d, e, f]: &[u8; 8]| {
            op(u16::from_le_bytes([a, b]), u32::from_le_bytes([c, d, e, f]), jt, jf)
        };
        Some(Filter { program: instructions.iter().map(one).collect() })
    }

    /// Installs it for this process and all that it will start. It can't be taken off.
    ///
    /// # Errors
    /// When `no_new_privs` is not set, or the kernel refuses.
    pub fn install(&self) -> io::Result<()> {
        seccompiler::apply_filter(&self.program).map_err(io::Error::other)
    }

    /// Installs it, with a listener that is told of every call that the filter answers [`Answer::Notify`]. Whoever holds
    /// it decides about those calls, so it must be out of this process before anything foreign is read.
    ///
    /// # Errors
    /// When `no_new_privs` is not set, a filter below has a listener already, or the kernel refuses.
    pub fn install_with_listener(&self) -> io::Result<OwnedFd> {
        sys::seccomp_listen(&self.program)
    }
}

/// Which of the watched calls has this number.
#[must_use]
pub fn watched(number: libc::c_long) -> Option<WatchedCall> {
    if number == libc::SYS_socket {
        return Some(WatchedCall::SOCKET);
    }
    KILLED.iter().position(|(_, known)| *known == number).and_then(|place| WatchedCall::at(place + 1))
}

/// The answer to numbers that no table names.
const ENOSYS_RULE: Rule = Rule::Always(Answer::Errno(ENOSYS));

/// All that a payload may do.
fn payload_rules(extra: &[libc::c_long]) -> BTreeMap<libc::c_long, Rule> {
    let mut rules = base(Answer::Notify);
    rules.extend(extra.iter().map(|number| (*number, Rule::Always(Answer::Allow))));
    rules
}

/// What is left open until the payload's own filter is there.
fn shared_rules(extra: &[libc::c_long]) -> BTreeMap<libc::c_long, Rule> {
    let mut rules = base(Answer::Allow);
    let own = [
        libc::SYS_clone3,
        libc::SYS_unshare,
        libc::SYS_mount,
        libc::SYS_sethostname,
        libc::SYS_seccomp,
        libc::SYS_landlock_create_ruleset,
        libc::SYS_landlock_add_rule,
        libc::SYS_landlock_restrict_self,
        libc::SYS_capset,
        libc::SYS_setgroups,
    ];
    rules.extend(own.iter().chain(extra).map(|number| (*number, Rule::Always(Answer::Allow))));
    let prctl = [&PRCTL[..], &CONFINING].concat();
    rules.insert(libc::SYS_prctl, Rule::When(vec![Test::OneOf(0, prctl)], Answer::Allow, Answer::Errno(EINVAL)));
    rules
}

/// The options of `prctl(2)` with which a sandbox is confined: `PR_CAPBSET_DROP`, `PR_CAP_AMBIENT`.
const CONFINING: [u32; 2] = [24, 47];

/// The filter that makes of `below`, which is installed, `wanted`: where both say the same it has nothing to say.
fn over(below: &BTreeMap<libc::c_long, Rule>, wanted: &BTreeMap<libc::c_long, Rule>) -> Filter {
    let numbers = below.keys().chain(wanted.keys());
    let differ = numbers.filter(|number| below.get(number) != wanted.get(number));
    let mut rules: BTreeMap<_, _> =
        differ.map(|number| (*number, wanted.get(number).unwrap_or(&ENOSYS_RULE).clone())).collect();
    // What the filter below refuses stays refused. So less will do where that is long: what it lets through of sockets but
    // for those that init need not know of, and of prctl what no program needs.
    let unix = Test::OneOf(0, vec![AF_UNIX]);
    rules.insert(libc::SYS_socket, Rule::When(vec![unix], Answer::Allow, Answer::Notify));
    let confining = Test::NoneOf(0, CONFINING.to_vec());
    rules.insert(libc::SYS_prctl, Rule::When(vec![confining], Answer::Allow, Answer::Errno(EINVAL)));
    Filter { program: compile(&rules, Rule::Always(Answer::Allow)) }
}

fn base(watched: Answer) -> BTreeMap<libc::c_long, Rule> {
    let mut rules = BTreeMap::new();
    for (table, answer) in [(ALLOWED, Answer::Allow), (REFUSED, Answer::Errno(EPERM)), (KILLED, watched)] {
        rules.extend(table.iter().map(|(_, number)| (*number, Rule::Always(answer))));
    }
    rules.extend(conditional(watched));
    rules
}

mod program;
mod service;
mod tables;
#[cfg(test)]
mod tests;
