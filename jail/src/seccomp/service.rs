//! The filter of a process that serves callers: what it makes of the tables of payloads, and what it adds of its own.
//!
//! A service has its sockets, descriptors and threads, and needs no more kinds of any: no socket but of AF_UNIX, none
//! bound anew, no other program, no other process, no memory that could be executed. The rest of what the kernel offers
//! is answered EPERM, so that an honest mistake is an error that someone can read in the log. What leads to another
//! program or process, or into other processes, kills: no way through an honest service leads there, so whoever asks has
//! taken the process over, and the process ends before the next attempt.

use std::collections::BTreeMap;

use super::tables::{ALLOWED, BECOMES, KILLED, REFUSED, SERVES};
use super::{AF_UNIX, Answer, ENOSYS_RULE, EPERM, Filter, Rule, Test, compile, socket_types};

/// `PROT_EXEC` of mmap(2) and mprotect(2).
const EXECUTABLE: u32 = 4;
/// What pthread_create(3) of glibc passes to `clone`: a thread of this process, and nothing else.
const THREAD: u32 = 0x003d_0f00;
/// `MSG_FASTOPEN` of send(2): a connection by the way.
const FAST_OPEN: u32 = 0x2000_0000;

/// Calls whose arguments decide. `own` is the process that may be signalled: an abort is a signal to oneself.
fn conditional(own: u32) -> Vec<(libc::c_long, Rule)> {
    let when = |tests: &[Test]| Rule::When(tests.to_vec(), Answer::Allow, Answer::Errno(EPERM));
    let one_of = |argument, values: &[u32]| when(&[Test::OneOf(argument, values.to_vec())]);
    vec![
        (libc::SYS_clone, Rule::When(vec![Test::OneOf(0, vec![THREAD])], Answer::Allow, Answer::Kill)),
        // No MAP_HUGETLB, no MFD_HUGETLB: those pages are somebody else's.
        (libc::SYS_mmap, when(&[Test::NoBits(2, EXECUTABLE), Test::NoBits(3, 0x4_0000)])),
        (libc::SYS_memfd_create, when(&[Test::NoBits(1, 4)])),
        (libc::SYS_mprotect, when(&[Test::NoBits(2, EXECUTABLE)])),
        // The link, and how signals wake the runtime.
        (libc::SYS_socket, when(&[Test::OneOf(0, vec![AF_UNIX]), socket_types(&[1, 2, 5])])),
        (libc::SYS_socketpair, when(&[Test::OneOf(0, vec![AF_UNIX]), socket_types(&[1, 2, 5])])),
        // To whoever is connected already, and to nobody by address.
        (libc::SYS_sendto, when(&[Test::NoBits(3, FAST_OPEN), Test::OneOf(5, vec![0])])),
        (libc::SYS_sendmsg, when(&[Test::NoBits(2, FAST_OPEN)])),
        // TCP_NODELAY and no other: TCP_ULP loads modules, and so do the options of the layers below.
        (libc::SYS_setsockopt, when(&[Test::OneOf(1, vec![6]), Test::OneOf(2, vec![1])])),
        // FIONBIO, FIOCLEX, FIONREAD, TCGETS (isatty).
        (libc::SYS_ioctl, one_of(1, &[0x5421, 0x5451, 0x541b, 0x5401])),
        // All but owner, signal and lease, by which signals are sent to others.
        (libc::SYS_fcntl, one_of(1, &[0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1031, 1032, 1033, 1034])),
        // PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_GET_NO_NEW_PRIVS, PR_SET_VMA (names of mappings).
        (libc::SYS_prctl, one_of(0, &[3, 15, 16, 39, 0x5356_4d41])),
        (libc::SYS_prlimit64, one_of(0, &[0, own])),
        (libc::SYS_tgkill, one_of(0, &[own])),
    ]
}

impl Filter {
    /// The filter of the process `own`, which serves callers and starts nobody. Its threads have to be yet to come.
    #[must_use]
    pub fn service(own: u32) -> Self {
        let mut rules = BTreeMap::new();
        let refused = Answer::Errno(EPERM);
        // Known, and decided by arguments elsewhere.
        rules.extend(super::conditional(refused).into_iter().map(|(number, _)| (number, Rule::Always(refused))));
        for (table, answer) in [
            (ALLOWED, refused),
            (REFUSED, refused),
            (SERVES, Answer::Allow),
            (BECOMES, Answer::Kill),
            (KILLED, Answer::Kill),
        ] {
            rules.extend(table.iter().map(|(_, number)| (*number, Rule::Always(answer))));
        }
        rules.extend(conditional(own));
        Filter { program: compile(&rules, ENOSYS_RULE) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENOSYS;
    use super::super::tests::{answer, in_full};
    use super::*;

    const OWN: u32 = 4711;

    #[test]
    fn a_service_may_do_nothing_that_a_payload_may_not() {
        let (service, payload) = (Filter::service(OWN), Filter::whole(&[]));
        let allow = Answer::Allow.value();
        for number in 0..600 {
            for arguments in [[0, 0], [1, 6], [3, 0x5421], [OWN, 3], [THREAD, 0]] {
                let allowed = answer(&service, number, arguments) == allow;
                let payloads = answer(&payload, number, arguments);
                // A payload is told that its files are flushed; those of a service really are.
                let may = payloads == allow || payloads == Answer::Errno(0).value();
                assert!(!allowed || may, "system call {number}");
            }
        }
    }

    #[test]
    fn other_programs_and_processes_are_deadly() {
        let filter = Filter::service(OWN);
        for (name, number) in BECOMES.iter().chain(KILLED) {
            assert_eq!(answer(&filter, *number, [0, 0]), Answer::Kill.value(), "{name}");
        }
        // What posix_spawn(3) and fork(3) of glibc pass, and a thread with one flag more or less.
        for flags in [0x4111, 0x0120_0011, THREAD | 0x1000_0000, THREAD & !0x100] {
            assert_eq!(answer(&filter, libc::SYS_clone, [flags, 0]), Answer::Kill.value(), "clone with {flags:#x}");
        }
        assert_eq!(answer(&filter, libc::SYS_clone, [THREAD, 0]), Answer::Allow.value());
        assert_eq!(answer(&filter, libc::SYS_clone3, [0, 0]), Answer::Errno(ENOSYS).value());
    }

    #[test]
    fn arguments_decide_what_a_service_may() {
        let filter = Filter::service(OWN);
        let (yes, no) = (Answer::Allow.value(), Answer::Errno(EPERM).value());
        for (what, number, arguments, expected) in [
            ("memory to write", libc::SYS_mmap, [0, 4096, 3, 0, 0, 0], yes),
            ("memory to execute", libc::SYS_mmap, [0, 4096, 7, 0, 0, 0], no),
            ("memory made executable", libc::SYS_mprotect, [0, 4096, 5, 0, 0, 0], no),
            ("a socket of the link", libc::SYS_socket, [1, 5, 0, 0, 0, 0], yes),
            ("a socket of TCP", libc::SYS_socket, [2, 1, 0, 0, 0, 0], no),
            ("a socket of netlink", libc::SYS_socket, [16, 3, 0, 0, 0, 0], no),
            ("an answer", libc::SYS_sendto, [3, 0, 9, 0x4000, 0, 0], yes),
            ("a datagram to an address", libc::SYS_sendto, [3, 0, 9, 0, 1, 16], no),
            ("a connection by sendto", libc::SYS_sendto, [3, 0, 9, FAST_OPEN, 0, 0], no),
            ("a connection by sendmsg", libc::SYS_sendmsg, [3, 0, FAST_OPEN, 0, 0, 0], no),
            ("TCP_NODELAY", libc::SYS_setsockopt, [3, 6, 1, 0, 0, 0], yes),
            ("TCP_ULP", libc::SYS_setsockopt, [3, 6, 31, 0, 0, 0], no),
            ("FIONBIO", libc::SYS_ioctl, [3, 0x5421, 0, 0, 0, 0], yes),
            ("TIOCSTI", libc::SYS_ioctl, [3, 0x5412, 0, 0, 0, 0], no),
            ("F_SETOWN", libc::SYS_fcntl, [3, 8, 0, 0, 0, 0], no),
            ("PR_SET_DUMPABLE", libc::SYS_prctl, [4, 1, 0, 0, 0, 0], no),
            ("PR_SET_PDEATHSIG", libc::SYS_prctl, [1, 0, 0, 0, 0, 0], no),
            ("an abort", libc::SYS_tgkill, [OWN, OWN, 6, 0, 0, 0], yes),
            ("a signal to another", libc::SYS_tgkill, [OWN + 1, OWN, 6, 0, 0, 0], no),
            ("a signal by kill", libc::SYS_kill, [OWN, 6, 0, 0, 0, 0], no),
            ("another's limits", libc::SYS_prlimit64, [1, 0, 0, 0, 0, 0], no),
            ("a new address", libc::SYS_bind, [3, 0, 0, 0, 0, 0], no),
            ("a new listener", libc::SYS_listen, [3, 0, 0, 0, 0, 0], no),
        ] {
            assert_eq!(in_full(&filter, number, arguments), expected, "{what}");
        }
    }
}
