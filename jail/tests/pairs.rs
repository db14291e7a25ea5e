//! Each layer alone: with it the attack fails, without it the same attack works. Only in builds with `test-hooks`.
//!
//! Where two layers stand before the same thing, the other one is off in both halves, so that the one under test is
//! seen to hold by itself. No pair is there for `pid_ns`, `mount_ns`, `uid` and `no_new_privs`: a sandbox can't be made
//! without them (proc, the scratch, the id maps and the filter need them); for `time_ns`, which hides nothing that
//! counts; and for `keyring`, which the filter and the user namespace enforce.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use common::{Done, Jaild, can_run, limits};
use jail::spec::{Bytes, Layers, Limits, Outcome};

/// Runs `attack` with and without `layer` (`others` off in both); it prints `HELD` or `BROKEN`.
fn pair(layer: &str, others: &[&str], limits: Limits, attack: &str) {
    if !can_run() {
        return;
    }
    for off in [false, true] {
        let mut arguments: Vec<&str> = others.iter().flat_map(|other| ["--test-layer-off", other]).collect();
        if off {
            arguments.extend(["--test-layer-off", layer]);
        }
        let jaild = Jaild::start(&arguments);
        let mut link = jaild.link();
        let done = link.python_with(attack, limits);
        let expected = if off { "BROKEN" } else { "HELD" };
        assert_eq!(
            seen(&done),
            expected,
            "{layer} {}: {:?} {:?}",
            if off { "off" } else { "on" },
            done.ended,
            done.stderr
        );
        let claimed = done.ended.layers == Layers::all();
        assert_eq!(claimed, others.is_empty() && !off, "a result never claims a layer that was off");
    }
}

/// What a program that was killed by the layer says is what it did not say.
fn seen(done: &Done) -> &str {
    match (done.stdout.trim(), done.ended.outcome) {
        ("", Outcome::Signalled(_)) => "HELD",
        (said, _) => said,
    }
}

const CALL: &str = "import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n\
    def say(works): print('BROKEN' if works else 'HELD')\n";

fn with_libc(body: &str) -> String {
    format!("{CALL}{body}")
}

#[test]
fn seccomp() {
    pair("seccomp", &[], limits(), &with_libc("say(libc.personality(0x0040000) != -1)"));
}

#[test]
fn seccomp_kills_what_no_honest_program_does() {
    pair("seccomp", &[], limits(), &with_libc("say(libc.ptrace(0, 0, 0, 0) == 0)"));
}

#[test]
fn landlock() {
    let attack = "try:\n  open('/proc/self/comm', 'w').write('x'); print('BROKEN')\nexcept OSError: print('HELD')";
    pair("landlock", &[], limits(), attack);
}

#[test]
fn capabilities() {
    // CLONE_NEWNET, for which a capability in the payload's own user namespace would be enough.
    pair("capabilities", &["seccomp"], limits(), &with_libc("say(libc.unshare(0x40000000) == 0)"));
}

#[test]
fn user_namespace() {
    pair("user_ns", &["seccomp"], limits(), &with_libc("say(libc.unshare(0x10000000) == 0)"));
}

#[test]
fn network_namespace() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let attack = format!(
        "import socket\ntry:\n  socket.create_connection(('127.0.0.1', {port}), 2); print('BROKEN')\nexcept OSError: print('HELD')"
    );
    pair("net_ns", &[], limits(), &attack);
}

#[test]
fn ipc_namespace() {
    if !can_run() {
        return;
    }
    // The run before leaves a segment; on the same slot the next one finds it.
    let leave = with_libc("print(libc.shmget(0x7391, 4096, 0o1666))");
    let find = with_libc("say(libc.shmget(0x7391, 4096, 0) != -1)");
    for (arguments, expected) in [(&[][..], "HELD"), (&["--test-layer-off", "ipc_ns"][..], "BROKEN")] {
        let jaild = Jaild::start(arguments);
        let mut link = jaild.link();
        for _ in 0..4 {
            link.python(&leave);
        }
        assert_eq!(link.python(&find).stdout.trim(), expected);
    }
}

#[test]
fn uts_namespace() {
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let attack = format!("import socket\nprint('BROKEN' if socket.gethostname() == '{name}' else 'HELD')");
    pair("uts_ns", &[], limits(), &attack);
}

#[test]
fn cgroup_namespace() {
    let attack = "print('BROKEN' if 'slot-' in open('/proc/self/cgroup').read() else 'HELD')";
    pair("cgroup_ns", &[], limits(), attack);
}

#[test]
fn tree() {
    pair("tree", &[], limits(), "import os\nprint('BROKEN' if os.path.isdir('/var') else 'HELD')");
}

#[test]
fn cgroup_memory() {
    let attack = "b = bytearray(128 << 20); print('BROKEN')";
    pair("cgroup_memory", &[], Limits { memory: Bytes(64 << 20), ..limits() }, attack);
}

#[test]
fn cgroup_pids() {
    let attack = "import os, time\nn = 0\ntry:\n  for i in range(20):\n    if os.fork() == 0: time.sleep(2); os._exit(0)\n    n += 1\nexcept OSError: pass\nprint('BROKEN' if n == 20 else 'HELD')";
    pair("cgroup_pids", &[], Limits { processes: 8, ..limits() }, attack);
}

#[test]
fn cgroup_cpu() {
    let attack = "import time\nwall = time.monotonic() + 2\nwhile time.monotonic() < wall: pass\nprint('BROKEN' if time.process_time() > 0.5 else 'HELD')";
    pair("cgroup_cpu", &[], Limits { cpus_milli: 100, ..limits() }, attack);
}

#[test]
fn rlimits() {
    let attack = "import signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\ntry:\n  f = open('x', 'wb'); f.write(bytes(1 << 20)); f.close(); print('BROKEN')\nexcept OSError: print('HELD')";
    pair("rlimits", &[], Limits { file: Bytes(1 << 16), ..limits() }, attack);
}
