//! Each layer alone: with it the attack fails, without it the same attack works. Only in builds with `test-hooks`.
//!
//! Where two layers stand before the same thing, the other one is off in both halves, so that the one under test is
//! seen to hold by itself. No pair is there for `pid_ns`, `mount_ns`, `uid` and `no_new_privs`: a sandbox can't be made
//! without them (proc, the scratch, the id maps and the filter need them); for `time_ns`, which hides nothing that
//! counts; and for `keyring`, which the filter and the user namespace enforce.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod attacks;
mod common;

use attacks::{Prey, made, named, seen};
use common::{Jaild, can_run};
use jail::spec::Layers;

/// Makes the attack of that name with and without `layer` (`others` off in both).
fn pair(layer: &str, others: &[&str], attack: &str) {
    if !can_run() {
        return;
    }
    let prey = Prey::new();
    let (attack, leave) = (named(attack, &prey), prey.leave());
    for off in [false, true] {
        let mut arguments: Vec<&str> = others.iter().flat_map(|other| ["--test-layer-off", other]).collect();
        if off {
            arguments.extend(["--test-layer-off", layer]);
        }
        let jaild = Jaild::start(&arguments);
        let mut link = jaild.link();
        // For the one that looks for it, on as many slots as there may be.
        (0..4).for_each(|_| drop(link.python(&leave)));
        let done = made(&mut link, &attack);
        let (expected, state) = if off { ("BROKEN", "off") } else { ("HELD", "on") };
        assert_eq!(seen(&done), expected, "{layer} {state}: {:?} {:?}", done.ended, done.stderr);
        let claimed = done.ended.layers == Layers::all();
        assert_eq!(claimed, others.is_empty() && !off, "a result never claims a layer that was off");
    }
}

#[test]
fn seccomp() {
    pair("seccomp", &[], "personality");
}

#[test]
fn seccomp_kills_what_no_honest_program_does() {
    pair("seccomp", &[], "trace");
}

#[test]
fn landlock() {
    pair("landlock", &[], "write_proc");
}

#[test]
fn capabilities() {
    // CLONE_NEWNET, for which a capability in the payload's own user namespace would be enough.
    pair("capabilities", &["seccomp"], "new_network");
}

#[test]
fn user_namespace() {
    pair("user_ns", &["seccomp"], "new_user_namespace");
}

#[test]
fn network_namespace() {
    pair("net_ns", &[], "host_port");
}

#[test]
fn ipc_namespace() {
    pair("ipc_ns", &[], "shared_memory_left");
}

#[test]
fn uts_namespace() {
    pair("uts_ns", &[], "host_name");
}

#[test]
fn cgroup_namespace() {
    pair("cgroup_ns", &[], "place_in_hierarchy");
}

#[test]
fn tree() {
    pair("tree", &[], "host_files");
}

#[test]
fn cgroup_memory() {
    pair("cgroup_memory", &[], "much_memory");
}

#[test]
fn cgroup_pids() {
    pair("cgroup_pids", &[], "many_processes");
}

#[test]
fn cgroup_cpu() {
    pair("cgroup_cpu", &[], "much_cpu");
}

#[test]
fn rlimits() {
    pair("rlimits", &[], "large_file");
}
