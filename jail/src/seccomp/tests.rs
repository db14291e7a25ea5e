//! The compiled programs are interpreted for every number, architecture and interesting argument.
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

/// The answer to all six arguments.
pub(super) fn in_full(filter: &Filter, number: libc::c_long, arguments: [u32; 6]) -> u32 {
    interpret(&filter.program, u32::try_from(number).unwrap(), ARCH_X86_64, arguments).0
}

#[test]
fn every_number_gets_the_answer_of_its_table() {
    let filter = Filter::payload(&[]);
    let conditional: Vec<_> = conditional().into_iter().map(|(number, _)| number).collect();
    for number in (0..2000).filter(|n| !conditional.contains(n)) {
        let named = |table: &[(&str, libc::c_long)]| table.iter().any(|(_, n)| *n == number);
        let expected = match (named(ALLOWED), named(REFUSED), named(KILLED)) {
            (true, false, false) => Answer::Allow,
            (false, true, false) => Answer::Errno(EPERM),
            (false, false, true) => Answer::Kill,
            (false, false, false) => Answer::Errno(ENOSYS),
            several => panic!("{number} stands in more than one table: {several:?}"),
        };
        assert_eq!(answer(&filter, number, [0, 0]), expected.value(), "system call {number}");
    }
}

#[test]
fn another_architecture_and_x32_are_killed() {
    let filter = Filter::payload(&[]);
    for number in [0, 1, 39, 59, 500] {
        assert_eq!(interpret(&filter.program, number, 0x4000_0003, [0; 6]).0, Answer::Kill.value(), "i386");
        assert_eq!(interpret(&filter.program, number | X32, ARCH_X86_64, [0; 6]).0, Answer::Kill.value(), "x32");
    }
    assert_eq!(interpret(&filter.program, u32::MAX, ARCH_X86_64, [0; 6]).0, Answer::Errno(ENOSYS).value());
}

#[test]
fn arguments_decide_where_they_must() {
    let filter = Filter::payload(&[]);
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
    for (family, expected) in [(1, yes), (2, yes), (10, yes), (16, 0x50061), (17, 0x50061), (40, 0x50061)] {
        assert_eq!(answer(&filter, libc::SYS_socket, [family, 0]), expected, "family {family}");
    }
    for (protocol, expected) in [(0, yes), (6, yes), (17, yes), (132, 0x50061), (262, 0x50061)] {
        assert_eq!(in_full(&filter, libc::SYS_socket, [2, 1, protocol, 0, 0, 0]), expected, "protocol {protocol}");
    }
    assert_eq!(answer(&filter, libc::SYS_sync, [0, 0]), Answer::Errno(0).value());
    for request in [0x5412, 0x541c, 0x5423] {
        assert_eq!(answer(&filter, libc::SYS_ioctl, [0, request]), eperm, "TIOCSTI and its like: {request:#x}");
    }
    assert_eq!(answer(&filter, libc::SYS_ioctl, [0, 0x5401]), yes, "TCGETS");
    assert_eq!(answer(&filter, libc::SYS_prctl, [22, 0]), Answer::Errno(EINVAL).value(), "PR_SET_SECCOMP");
    assert_eq!(answer(&filter, libc::SYS_personality, [0x40000, 0]), eperm, "ADDR_NO_RANDOMIZE");
}

#[test]
fn init_allows_what_its_payload_may_do() {
    let (init, payload) = (Filter::init(&[]), Filter::payload(&[]));
    for number in 0..600 {
        for arguments in [[0, 0], [1, 0], [2, 0x5401], [15, 0], [17, 0x5412], [0x003d_0f00, 0]] {
            if answer(&payload, number, arguments) == Answer::Allow.value() {
                assert_eq!(answer(&init, number, arguments), Answer::Allow.value(), "system call {number}");
            }
        }
    }
    for (name, number) in KILLED.iter().filter(|(name, _)| *name != "SYS_mount") {
        assert_eq!(answer(&init, *number, [0, 0]), Answer::Kill.value(), "{name}");
    }
}

#[test]
fn the_tree_is_short_and_within_the_kernels_limit() {
    let filter = Filter::payload(&[]);
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
    let numbers =
        [(EPERM, libc::EPERM), (EINVAL, libc::EINVAL), (ENOSYS, libc::ENOSYS), (EAFNOSUPPORT, libc::EAFNOSUPPORT)];
    assert!(numbers.iter().all(|(ours, theirs)| i32::from(*ours) == *theirs));
}
