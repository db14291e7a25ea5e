//! Test-only: asks the serving process itself to break out. A line on its standard input names an attempt, a line on its
//! standard output says what came of it. Exists under the feature `test-hooks` alone, and only when the environment asks
//! for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead};
use std::net::{TcpListener, TcpStream};
use std::os::fd::RawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::Command;

use caps::{CapSet, Capability};
use jail::sys::attempts;
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Pid, Uid, setresuid};

use super::Layer;

/// Layers that a test leaves out, by name, with commas.
const WITHOUT: &str = "ENGINED_TEST_WITHOUT";
/// A layer that this host shall not have.
const LACKS: &str = "ENGINED_TEST_LACKS";
/// Set when attempts will come on standard input.
const ASKS: &str = "ENGINED_TEST_ASKS";

/// Whether a test leaves this layer out.
#[must_use]
pub fn without(layer: Layer) -> bool {
    std::env::var(WITHOUT).is_ok_and(|names| names.split(',').any(|name| name == layer.name()))
}

/// Whether a test has this host lack the layer.
#[must_use]
pub fn lacks(layer: Layer) -> bool {
    std::env::var(LACKS).is_ok_and(|name| name == layer.name())
}

/// Takes questions from now on, where a test wants to put some.
pub fn listen() {
    if std::env::var_os(ASKS).is_none() {
        return;
    }
    complain!("engined: {}", jail::TEST_HOOKS_MARKER);
    std::thread::spawn(|| {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            let (name, argument) = line.split_once(' ').unwrap_or((&line, ""));
            // In a thread of its own: with it goes whatever it traces, which its parent waits for.
            let (own_name, own_argument) = (name.to_owned(), argument.to_owned());
            let made = std::thread::spawn(move || attempt(&own_name, &own_argument)).join();
            match made.unwrap_or_else(|_| Err(io::Error::other("panicked"))) {
                Ok(()) => say!("{name}: done"),
                Err(error) => say!("{name}: {error}"),
            }
        }
    });
}

fn attempt(name: &str, argument: &str) -> io::Result<()> {
    let number = || argument.parse::<i32>().map_err(io::Error::other);
    let new_socket = |family| socket(family, SockType::Raw, SockFlag::empty(), None).map(drop);
    match name {
        "read" => File::open(argument).map(drop),
        "list" => fs::read_dir(argument).map(drop),
        "write" => OpenOptions::new().create(true).append(true).open(argument).map(drop),
        "remove" => fs::remove_file(argument),
        "chmod" => fs::metadata(argument).and_then(|file| fs::set_permissions(argument, file.permissions())),
        "exec" => Err(Command::new("/bin/true").exec()),
        "spawn" => Command::new("/bin/true").status().map(drop),
        "tcp" => TcpStream::connect(argument).map(drop),
        "bind-tcp" => TcpListener::bind(argument).map(drop),
        "bind-unix" => UnixListener::bind(argument).map(drop),
        "unix" => UnixStream::connect(argument).map(drop),
        "abstract" => {
            SocketAddr::from_abstract_name(argument).and_then(|name| UnixStream::connect_addr(&name)).map(drop)
        }
        "redirect" => attempts::redirect(accepted()?, argument.parse().map_err(io::Error::other)?),
        "netlink" => new_socket(AddressFamily::Netlink).map_err(Into::into),
        "packet" => new_socket(AddressFamily::Packet).map_err(Into::into),
        "map-executable" => attempts::map_executable(),
        "kill" => kill(Pid::from_raw(number()?), Signal::SIGTERM).map_err(Into::into),
        // PTRACE_SEIZE of a process of our own user.
        "ptrace" => attempts::call(libc::SYS_ptrace, 0x4206, number()?.into()),
        "setuid" => setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0)).map_err(Into::into),
        "capability" => caps::raise(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).map_err(io::Error::other),
        "dumpable" => prctl::set_dumpable(true).map_err(Into::into),
        "outlive" => prctl::set_pdeathsig(None).map_err(Into::into),
        // CLONE_FS, which takes no right.
        "unshare" => attempts::call(libc::SYS_unshare, 0x200, 0),
        "call" => attempts::call(number()?.into(), 0, 0),
        _ => Err(io::Error::other("no such attempt")),
    }
}

/// A TCP connection of a caller.
fn accepted() -> io::Result<RawFd> {
    let table = fs::read_to_string("/proc/self/net/tcp")?;
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // State 01 is an established connection; the tenth field is the inode.
    let connected: Vec<String> =
        rows.filter(|row| row.get(3) == Some(&"01")).map(|row| format!("socket:[{}]", row[9])).collect();
    for entry in fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let leads = fs::read_link(&path).unwrap_or_default().to_string_lossy().into_owned();
        if connected.contains(&leads) {
            return name.parse().map_err(io::Error::other);
        }
    }
    Err(io::Error::other("no connection of TCP"))
}
