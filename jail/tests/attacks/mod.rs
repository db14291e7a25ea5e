//! Attacks on one layer each, for the tests that switch layers off. Each prints `HELD` or `BROKEN`, and does no harm where it works.
#![allow(dead_code, missing_docs, clippy::unwrap_used, reason = "each test file uses a part of it; tests unwrap")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use jail::spec::{Bytes, Limits, Outcome};

use crate::common::{Done, Link, limits};

/// One attack.
pub struct Attack {
    pub name: &'static str,
    pub limits: Limits,
    pub source: String,
}

/// What an attack looks for on the host: a port and a socket that somebody listens on, and memory that a run before it
/// may have left.
pub struct Prey {
    _tcp: TcpListener,
    _unix: UnixListener,
    port: u16,
    socket: PathBuf,
    /// Of the memory: nobody else's on this host.
    key: u32,
}

impl Prey {
    pub fn new() -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = tcp.local_addr().unwrap().port();
        // Not below /tmp, where a run has a folder of its own.
        let socket = PathBuf::from("/var/tmp").join(format!("prey-{}-{port}", std::process::id()));
        let unix = UnixListener::bind(&socket).unwrap();
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o777)).unwrap();
        // No other listener has its port meanwhile.
        Prey { _tcp: tcp, _unix: unix, port, socket, key: 0x7391_0000 | u32::from(port) }
    }

    /// A run that leaves a segment which one of the same slot could find: to be run before [`all`]'s `shared_memory_left`.
    pub fn leave(&self) -> String {
        format!("import ctypes; ctypes.CDLL(None).shmget({}, 4096, 0o1666)", self.key)
    }
}

impl Drop for Prey {
    fn drop(&mut self) {
        std::fs::remove_file(&self.socket).unwrap();
        // Where runs had no namespace of their own for it, it is the host's. Elsewhere there is none.
        let remove = std::process::Command::new("ipcrm").arg("--shmem-key").arg(self.key.to_string()).output();
        assert!(remove.is_ok() || std::thread::panicking(), "{remove:?}");
    }
}

const CALLS: &str = "import ctypes, os, socket, signal, sys, time\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    def say(works): print('BROKEN' if works else 'HELD'); sys.exit()\n\
    def tried(what):\n  try: what(); say(True)\n  except OSError: say(False)\n\
    def opened(path, mode): tried(lambda: open(path, mode).write('x') if 'w' in mode else open(path, mode))\n";

/// All of them.
pub fn all(prey: &Prey) -> Vec<Attack> {
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let port = prey.port;
    let socket = prey.socket.display();
    let plain = limits();
    let attack = |name, body: &str| Attack { name, limits: plain, source: format!("{CALLS}{body}") };
    let within = |name, limits, body: &str| Attack { name, limits, source: format!("{CALLS}{body}") };
    vec![
        attack("host_files", "say(os.path.isdir('/var'))"),
        attack("host_socket", &format!("s = socket.socket(socket.AF_UNIX); tried(lambda: s.connect('{socket}'))")),
        attack("write_program", "opened('/usr/bin/true', 'r+b')"),
        attack("host_port", &format!("tried(lambda: socket.create_connection(('127.0.0.1', {port}), 2))")),
        attack("shared_memory_left", &format!("say(libc.shmget({}, 4096, 0) != -1)", prey.key)),
        attack("host_name", &format!("say(socket.gethostname() == '{host}')")),
        attack("place_in_hierarchy", "say('slot-' in open('/proc/self/cgroup').read())"),
        attack("write_proc", "opened('/proc/self/comm', 'w')"),
        // The flags are CLONE_NEWUSER and CLONE_NEWNET, see unshare(2).
        attack("new_user_namespace", "say(libc.unshare(0x10000000) == 0)"),
        attack("new_network", "say(libc.unshare(0x40000000) == 0)"),
        attack("mount", "say(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0)"),
        attack("change_root", "say(libc.chroot(b'/tmp') == 0)"),
        attack("trace", "say(libc.ptrace(0, 0, 0, 0) == 0)"),
        // ADDR_NO_RANDOMIZE, see personality(2).
        attack("personality", "say(libc.personality(0x0040000) != -1)"),
        // add_key(2) into the keyring of the session.
        attack("keyring", "say(libc.syscall(248, b'user', b'h7391', b'x', 1, -3) != -1)"),
        // io_uring_setup(2) with 1 entry.
        attack("io_uring", "say(libc.syscall(425, 1, ctypes.create_string_buffer(120)) != -1)"),
        attack("netlink", "tried(lambda: socket.socket(16, socket.SOCK_RAW, 0))"),
        // Both sockets are made before the family is found to have no pairs: EOPNOTSUPP instead of EAFNOSUPPORT.
        attack("netlink_pair", "libc.socketpair(16, 3, 0, (ctypes.c_int * 2)()); say(ctypes.get_errno() == 95)"),
        // An access list with an entry for its own uid: kernel memory that no limit counts.
        attack(
            "access_list",
            "import struct; e = lambda tag, who: struct.pack('<HHI', tag, 7, who)\nno = 0xffffffff\n\
             acl = struct.pack('<I', 2) + e(1, no) + e(2, os.getuid()) + e(4, no) + e(16, no) + e(32, no)\n\
             open('x', 'w').close(); tried(lambda: os.setxattr('x', 'system.posix_acl_access', acl))",
        ),
        // SO_ATTACH_FILTER with one instruction, `return 0`: its code is counted for all users of the host together.
        attack(
            "socket_filter",
            "import struct; code = ctypes.create_string_buffer(struct.pack('<HBBI', 6, 0, 0, 0))\n\
             program = struct.pack('<HxxxxxxQ', 1, ctypes.addressof(code))\n\
             tried(lambda: socket.socket(socket.AF_UNIX).setsockopt(socket.SOL_SOCKET, 26, program))",
        ),
        attack("kill_init", "tried(lambda: os.kill(1, signal.SIGKILL))"),
        // Init has the pid 1 and the program 2.
        attack("host_process", "say(any(int(p) > 2 for p in os.listdir('/proc') if p.isdigit()))"),
        within("much_memory", Limits { memory: Bytes(64 << 20), ..plain }, "b = bytearray(128 << 20); say(True)"),
        within(
            "many_processes",
            Limits { processes: 8, ..plain },
            "n = 0\ntry:\n  for i in range(20):\n    if os.fork() == 0: time.sleep(0.5); os._exit(0)\n    n += 1\nexcept OSError: pass\nsay(n == 20)",
        ),
        // Whether it was throttled is what the meter says: how far it gets in some time is the machine's affair. Several
        // at once have more than their tenth of a core on a busy machine too.
        within(
            "much_cpu",
            Limits { cpus_milli: 100, ..plain },
            "for n in range(4):\n  if os.fork() == 0:\n    while time.process_time() < 0.05: pass\n    os._exit(0)\n\
             for n in range(4): os.wait()\nprint('SPENT')",
        ),
        within(
            "large_file",
            Limits { file: Bytes(1 << 16), ..plain },
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\ntried(lambda: open('x', 'wb').write(bytes(1 << 20)))",
        ),
    ]
}

/// The attack of that name.
pub fn named(name: &str, prey: &Prey) -> Attack {
    all(prey).into_iter().find(|attack| attack.name == name).unwrap()
}

/// Makes the attack. A program that waits for the cores as others do is not held back by its share of them, so one that was
/// not has to be seen so each time.
pub fn made(link: &mut Link, attack: &Attack) -> Done {
    let mut done = link.python_with(&attack.source, attack.limits);
    for _ in 1..TRIES {
        if done.stdout.trim() != SPENT || seen(&done) == "HELD" {
            break;
        }
        done = link.python_with(&attack.source, attack.limits);
    }
    done
}

/// What an attack prints that is judged by what the meter says.
const SPENT: &str = "SPENT";
/// How often it is made.
const TRIES: u32 = 10;

/// What it printed. What a program that was killed by the layer says is what it did not say.
pub fn seen(done: &Done) -> &str {
    match (done.stdout.trim(), done.ended.outcome) {
        ("", Outcome::Signalled(_)) => "HELD",
        (SPENT, _) => {
            if done.ended.usage.throttled.0 == 0 {
                "BROKEN"
            } else {
                "HELD"
            }
        }
        (said, _) => said,
    }
}
