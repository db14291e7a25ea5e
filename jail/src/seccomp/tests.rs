//! The compiled programs are interpreted for every number, architecture and interesting argument.
use seccompiler::sock_filter;

use super::program::*;
use super::*;

/// Runs a program as the kernel does (the instructions that `compile` writes), and counts its steps.
fn interpret(program: &[sock_filter], number: u32, arch: u32, arguments: [u32; 6]) -> (u32, usize) {
    let (mut at, mut accumulator, mut steps) = (0, 0_u32, 0);
    loop {
        let step = &program[at];
        steps += 1;
        at += 1;
        let holds = match step.code {
            LOAD_WORD => {
                accumulator = match step.k {
                    OFFSET_NUMBER => number,
                    OFFSET_ARCH => arch,
                    at if at >= OFFSET_ARGUMENTS && at % 8 == 0 => arguments[((at - OFFSET_ARGUMENTS) / 8) as usize],
                    other => panic!("load at {other}"),
                };
                continue;
            }
            JUMP => {
                at += step.k as usize;
                continue;
            }
            RETURN => return (step.k, steps),
            JUMP_EQUAL => accumulator == step.k,
            JUMP_AT_LEAST => accumulator >= step.k,
            JUMP_ANY_BIT => accumulator & step.k != 0,
            other => panic!("instruction {other:#x}"),
        };
        at += usize::from(if holds { step.jt } else { step.jf });
    }
}

pub(super) fn answer(filter: &Filter, number: libc::c_long, [first, second]: [u32; 2]) -> u32 {
    in_full(filter, number, [first, second, 0, 0, 0, 0])
}

fn with_third(filter: &Filter, number: libc::c_long, [first, second, third]: [u32; 3]) -> u32 {
    with_fourth(filter, number, [first, second, third, 0])
}

fn with_fourth(filter: &Filter, number: libc::c_long, [first, second, third, fourth]: [u32; 4]) -> u32 {
    in_full(filter, number, [first, second, third, fourth, 0, 0])
}

/// The answer to all six arguments.
pub(super) fn in_full(filter: &Filter, number: libc::c_long, arguments: [u32; 6]) -> u32 {
    interpret(&filter.program, u32::try_from(number).unwrap(), ARCH_X86_64, arguments).0
}

#[test]
fn every_number_gets_the_answer_of_its_table() {
    let filter = Filter::whole(&[]);
    let conditional: Vec<_> = conditional(Answer::Notify).into_iter().map(|(number, _)| number).collect();
    for number in (0..2000).filter(|n| !conditional.contains(n)) {
        let named = |table: &[(&str, libc::c_long)]| table.iter().any(|(_, n)| *n == number);
        let expected = match (named(ALLOWED), named(REFUSED), named(KILLED)) {
            (true, false, false) => Answer::Allow,
            (false, true, false) => Answer::Errno(EPERM),
            (false, false, true) => Answer::Notify,
            (false, false, false) => Answer::Errno(ENOSYS),
            several => panic!("{number} stands in more than one table: {several:?}"),
        };
        assert_eq!(answer(&filter, number, [0, 0]), expected.value(), "system call {number}");
    }
}

#[test]
fn another_architecture_and_x32_are_killed() {
    let filter = Filter::whole(&[]);
    for number in [0, 1, 39, 59, 500] {
        assert_eq!(interpret(&filter.program, number, 0x4000_0003, [0; 6]).0, Answer::Kill.value(), "i386");
        assert_eq!(interpret(&filter.program, number | X32, ARCH_X86_64, [0; 6]).0, Answer::Kill.value(), "x32");
    }
    assert_eq!(interpret(&filter.program, u32::MAX, ARCH_X86_64, [0; 6]).0, Answer::Errno(ENOSYS).value());
}

#[test]
fn arguments_decide_where_they_must() {
    let filter = Filter::whole(&[]);
    let (yes, eperm) = (Answer::Allow.value(), Answer::Errno(EPERM).value());
    for flag in [0x20000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000] {
        assert_eq!(answer(&filter, libc::SYS_clone, [flag | 17, 0]), eperm, "clone with {flag:#x}");
        assert_eq!(answer(&filter, libc::SYS_unshare, [flag, 0]), eperm, "unshare of {flag:#x}");
    }
    assert_eq!(answer(&filter, libc::SYS_unshare, [0x80, 0]), eperm, "time namespace");
    // What glibc passes for a thread and for fork.
    assert_eq!(answer(&filter, libc::SYS_clone, [0x003d_0f00, 0]), yes);
    assert_eq!(answer(&filter, libc::SYS_clone, [0x0120_0011, 0]), yes);
    assert_eq!(answer(&filter, libc::SYS_clone3, [0, 0]), Answer::Errno(ENOSYS).value());
    let asks = Answer::Notify.value();
    for (family, expected) in [(1, yes), (2, asks), (10, asks), (16, 0x50061), (17, 0x50061), (40, 0x50061)] {
        assert_eq!(answer(&filter, libc::SYS_socket, [family, 1]), expected, "family {family}");
        let pair = if family == 1 { yes } else { 0x50061 };
        assert_eq!(answer(&filter, libc::SYS_socketpair, [family, 1]), pair, "pair of family {family}");
    }
    // Streams and datagrams with both flags; sequenced packets are AF_UNIX's; DCCP (6) has the protocol 0 as well.
    for kind in 0..16 {
        for flags in [0, 0x800, 0x8_0000, 0x8_0800, 0x10] {
            let [unix, inet] = [(vec![1, 2, 5], yes), (vec![1, 2], asks)]
                .map(|(kinds, then)| if kinds.contains(&kind) && flags != 0x10 { then } else { 0x50061 });
            assert_eq!(answer(&filter, libc::SYS_socket, [1, kind | flags]), unix, "AF_UNIX {kind} {flags:#x}");
            assert_eq!(answer(&filter, libc::SYS_socketpair, [1, kind | flags]), unix, "pair {kind} {flags:#x}");
            assert_eq!(answer(&filter, libc::SYS_socket, [2, kind | flags]), inet, "AF_INET {kind} {flags:#x}");
            assert_eq!(answer(&filter, libc::SYS_socket, [10, kind | flags]), inet, "AF_INET6 {kind} {flags:#x}");
        }
    }
    // TCP is a stream and UDP are datagrams: any other pair has the host look for a module.
    for (protocol, stream, datagram) in
        [(0, asks, asks), (6, asks, 0x50061), (17, 0x50061, asks), (132, 0x50061, 0x50061), (262, 0x50061, 0x50061)]
    {
        for family in [2, 10] {
            let say = |kind| with_third(&filter, libc::SYS_socket, [family, kind, protocol]);
            assert_eq!((say(1), say(2)), (stream, datagram), "family {family}, protocol {protocol}");
        }
    }
    for (command, expected) in [(1, yes), (5, yes), (1026, 0x50016)] {
        assert_eq!(answer(&filter, libc::SYS_fcntl, [3, command]), expected, "fcntl {command}");
    }
    for (level, name, expected) in [
        (1, 9, yes),   // SO_KEEPALIVE
        (1, 26, 92),   // SO_ATTACH_FILTER
        (1, 50, 92),   // SO_ATTACH_BPF
        (1, 14, yes),  // SO_PASSCRED's neighbours
        (6, 1, yes),   // TCP_NODELAY
        (6, 14, 92),   // TCP_MD5SIG
        (6, 31, 92),   // TCP_ULP
        (6, 26, yes),  // TCP_THIN_LINEAR_TIMEOUTS' neighbours
        (41, 26, yes), // IPV6_V6ONLY
        (0, 32, yes),  // IP_MULTICAST_IF
    ] {
        let expected = if expected == 92 { Answer::Errno(ENOPROTOOPT).value() } else { expected };
        assert_eq!(with_third(&filter, libc::SYS_setsockopt, [3, level, name]), expected, "option {level} {name}");
    }
    for call in [libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr] {
        assert_eq!(answer(&filter, call, [0, 0]), Answer::Errno(EOPNOTSUPP).value(), "attribute by {call}");
    }
    let enomem = Answer::Errno(ENOMEM).value();
    // What malloc, a thread's stack and the loader ask for; the last with 2 MiB pages by number.
    for (flags, expected) in [(0x22, yes), (0x2_0022, yes), (0x812, yes), (0x4_0022, enomem), (0x5404_0022, enomem)] {
        assert_eq!(with_fourth(&filter, libc::SYS_mmap, [0, 0, 3, flags]), expected, "mmap {flags:#x}");
    }
    for (flags, expected) in [(0, yes), (3, yes), (4, enomem), (0x5400_0004, enomem)] {
        assert_eq!(answer(&filter, libc::SYS_memfd_create, [0, flags]), expected, "memfd {flags:#x}");
    }
    for (flags, expected) in [(0o1600, yes), (0o5600, enomem)] {
        assert_eq!(with_third(&filter, libc::SYS_shmget, [0, 0, flags]), expected, "shmget {flags:#o}");
    }
    let done = Answer::Errno(0).value();
    for call in [libc::SYS_sync, libc::SYS_syncfs, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_fadvise64] {
        assert_eq!(answer(&filter, call, [0, 0]), done, "{call}");
    }
    // MS_ASYNC, MS_INVALIDATE, MS_SYNC and both.
    for (flags, expected) in [(1, yes), (2, yes), (4, done), (6, done)] {
        assert_eq!(with_third(&filter, libc::SYS_msync, [0, 1, flags]), expected, "msync {flags}");
    }
    for request in IOCTL {
        assert_eq!(
            answer(&filter, libc::SYS_ioctl, [0, request]),
            eperm,
            "TIOCSTI, SIOCGIFBR and their like: {request:#x}"
        );
    }
    assert_eq!(answer(&filter, libc::SYS_ioctl, [0, 0x5401]), yes, "TCGETS");
    assert_eq!(answer(&filter, libc::SYS_prctl, [22, 0]), Answer::Errno(EINVAL).value(), "PR_SET_SECCOMP");
    assert_eq!(answer(&filter, libc::SYS_personality, [0x40000, 0]), eperm, "ADDR_NO_RANDOMIZE");
}

/// What the kernel makes of several filters, the newest first: the strictest answer, and of equally strict ones the first.
fn together(filters: &[&Filter], number: u32, arch: u32, arguments: [u32; 6]) -> u32 {
    let strictness = |answer: u32| (answer & libc::SECCOMP_RET_ACTION_FULL).cast_signed();
    let answers = filters.iter().map(|filter| interpret(&filter.program, number, arch, arguments).0);
    answers.min_by_key(|answer| strictness(*answer)).unwrap()
}

/// Values that some rule looks for, their neighbours, and others.
fn arguments_of_interest() -> Vec<[u32; 6]> {
    let first = [0, 1, 2, 10, 15, 16, 22, 24, 47, 0x80, 0x4_0000, 0x003d_0f00, 0x0200_0000, 0x1000_0000, u32::MAX];
    let second = [0, 1, 2, 4, 5, 6, 0x8_0001, 0x5401, 0x5412, 0x8940];
    let third = [0, 4, 6, 14, 17, 26, 0o4000, 262];
    let fourth = [0x22, 0x4_0022];
    let mut all = Vec::new();
    for a in first {
        for b in second {
            for c in third {
                all.extend(fourth.map(|d| [a, b, c, d, 0, 0]));
            }
        }
    }
    all
}

#[test]
fn shared_and_payloads_filter_come_to_the_whole() {
    let extra = [libc::SYS_io_uring_setup, libc::SYS_mbind];
    let (shared, all) = (Filter::shared(&extra), arguments_of_interest());
    for own in [&extra[..], &extra[..1], &[]] {
        let (payload, whole) = (Filter::payload(own, &extra), Filter::whole(own));
        for number in (0..600).chain([u32::MAX, X32, X32 | 59]) {
            // Of most calls nobody looks at an argument.
            let many = conditional(Answer::Notify).iter().any(|(decided, _)| *decided == i64::from(number));
            let each = all.iter().take(if many { all.len() } else { 3 }).map(|arguments| (arguments, ARCH_X86_64));
            for (arguments, arch) in each.chain([(&all[0], 0x4000_0003)]) {
                let (got, _) = interpret(&whole.program, number, arch, *arguments);
                assert_eq!(together(&[&payload, &shared], number, arch, *arguments), got, "{number} {arguments:?}");
            }
        }
    }
}

#[test]
fn a_pinned_payload_differs_in_one_call() {
    let shared = Filter::shared(&[]);
    let [pinned, plain] = [Filter::pinned_payload(&[], &[]), Filter::payload(&[], &[])];
    for number in 0..600 {
        let [a, b] = [&pinned, &plain].map(|filter| together(&[filter, &shared], number, ARCH_X86_64, [0; 6]));
        let moves = i64::from(number) == libc::SYS_sched_setaffinity;
        assert_eq!(a != b, moves, "system call {number}");
        assert!(!moves || a == Answer::Errno(0).value());
    }
}

#[test]
fn what_is_installed_for_every_run_is_short() {
    // Each is translated anew for every run.
    let (own, whole) = (Filter::payload(&[], &[]).program.len(), Filter::whole(&[]).program.len());
    let init = Filter::init_alone().program.len();
    println!("payload {own}, init {init}, whole {whole}");
    assert!(own * 4 < whole && init * 4 < whole, "payload {own}, init {init}, whole {whole}");
}

#[test]
fn init_is_killed_for_what_it_has_no_use_for() {
    let (shared, own) = (Filter::shared(&[]), Filter::init_alone());
    for number in 0..600 {
        let killed = KILLED.iter().any(|(name, n)| *n == number && *name != "SYS_mount");
        let expected = if killed { Answer::Kill } else { Answer::Allow };
        assert_eq!(answer(&own, number, [0, 0]), expected.value(), "system call {number}");
    }
    assert_eq!(answer(&shared, libc::SYS_mount, [0, 0]), Answer::Allow.value());
}

#[test]
fn every_call_that_the_filter_asks_about_has_its_name_on_the_list() {
    let payload = Filter::whole(&[]);
    for number in 0..600 {
        let asks = answer(&payload, number, [2, 1]) == Answer::Notify.value();
        assert_eq!(asks, watched(number).is_some(), "system call {number}");
    }
    for (index, (name, number)) in [("SYS_socket", libc::SYS_socket)].iter().chain(KILLED).enumerate() {
        let call = watched(*number).unwrap();
        assert_eq!((Some(call), format!("SYS_{}", call.name()).as_str()), (WatchedCall::at(index), *name));
    }
    assert_eq!(WatchedCall::COUNT, 1 + KILLED.len());
}

#[test]
fn the_tree_is_short_and_within_the_kernels_limit() {
    let filter = Filter::whole(&[]);
    assert!(filter.program.len() <= 4096);
    let longest = (0..600).map(|n| interpret(&filter.program, n, ARCH_X86_64, [u32::MAX; 6]).1).max();
    assert!(longest < Some(64), "{longest:?} steps");
}

#[test]
fn a_manifest_may_add_what_is_refused_and_nothing_else() {
    assert_eq!(extra(&["io_uring_setup".into()]), Ok(vec![libc::SYS_io_uring_setup]));
    for bad in ["bpf", "ptrace", "mount", "read", "nothing", ""] {
        assert_eq!(extra(&[bad.into()]), Err(bad.into()));
    }
}

#[test]
fn error_numbers_are_those_of_the_system() {
    let numbers = [
        (EPERM, libc::EPERM),
        (ENOMEM, libc::ENOMEM),
        (EINVAL, libc::EINVAL),
        (ENOSYS, libc::ENOSYS),
        (ENOPROTOOPT, libc::ENOPROTOOPT),
        (EOPNOTSUPP, libc::EOPNOTSUPP),
        (EAFNOSUPPORT, libc::EAFNOSUPPORT),
    ];
    assert!(numbers.iter().all(|(ours, theirs)| i32::from(*ours) == *theirs));
}
