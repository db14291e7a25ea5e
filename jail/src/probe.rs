//! Proves the layers from inside: what a payload finds out about itself just before it would become a program.
//!
//! jaild runs it once at start, in a sandbox made exactly as every other. A layer is obtained when what it forbids
//! was tried here and failed. What only the outside can see (ids on the host, the namespaces' owner, the cgroup's
//! limits) jaild adds by itself.

use std::fs;
use std::io::Write;
use std::path::Path;

use nix::sys::resource::getrlimit;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::Pid;

use crate::cores::Cpus;
use crate::privileges::{PAYLOAD_ID, Rlimits};
use crate::spec::{Layer, Layers};
use crate::sys;

/// Writes the set of layers that hold to standard output, as 4 bytes, then the CPUs that it may use after it has asked for
/// all that there are.
pub(crate) fn report_from_inside(rlimits: &Rlimits) {
    let held: Layers = Layer::ALL.into_iter().filter(|layer| holds(*layer, rlimits)).collect();
    // A report that does not arrive proves nothing, and jaild does not start.
    drop(std::io::stdout().write_all(&held.to_wire().to_le_bytes()));
    // Refused, cut or answered without being taken: what counts is what it has then.
    drop(all_cpus().keep(Pid::from_raw(0)));
    let cpus = Cpus::of(Pid::from_raw(0)).map_or_else(|_| String::new(), |cpus| cpus.to_string());
    drop(std::io::stdout().write_all(cpus.as_bytes()));
    drop(std::io::stdout().flush());
}

fn all_cpus() -> Cpus {
    (0..nix::sched::CpuSet::count()).collect()
}

/// What jaild reads of it.
#[must_use]
pub fn parse_report(bytes: &[u8]) -> Option<(Layers, Cpus)> {
    let (layers, cpus) = bytes.split_first_chunk()?;
    Some((Layers::from_wire(u32::from_le_bytes(*layers))?, Cpus::parse(std::str::from_utf8(cpus).ok()?)?))
}

fn a_socket_is_made() -> bool {
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None).is_ok()
}

fn status(field: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.split(':').next() == Some(field))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn words(path: &str) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

fn holds(layer: Layer, rlimits: &Rlimits) -> bool {
    match layer {
        // One id is mapped, and no namespace may be made below.
        Layer::UserNs => {
            words("/proc/self/uid_map").first() == Some(&PAYLOAD_ID.to_string())
                && words("/proc/self/uid_map").len() == 3
                && words("/proc/sys/user/max_user_namespaces") == ["0"]
        }
        Layer::PidNs => std::process::id() == 2 && !Path::new("/proc/3").exists() && Path::new("/proc/1").exists(),
        Layer::MountNs => {
            fs::write("/usr/engined-probe", "").is_err()
                && fs::write("/engined-probe", "").is_err()
                && fs::write("/box/engined-probe", "x").is_ok()
        }
        Layer::NetNs => {
            let devices = fs::read_to_string("/proc/net/dev").unwrap_or_default();
            devices.lines().skip(2).all(|line| line.trim_start().starts_with("lo:")) && devices.lines().count() == 3
        }
        Layer::IpcNs => ["shm", "sem", "msg"].iter().all(|kind| {
            fs::read_to_string(format!("/proc/sysvipc/{kind}")).is_ok_and(|text| text.lines().count() == 1)
        }),
        Layer::UtsNs => nix::unistd::gethostname().is_ok_and(|name| name == "sandbox"),
        Layer::CgroupNs => {
            // Of the hierarchies that limit, each path is the root of its own view.
            fs::read_to_string("/proc/self/cgroup")
                .is_ok_and(|text| !text.is_empty() && text.lines().all(|line| line.rsplit(':').next() == Some("/")))
        }
        Layer::TimeNs => Path::new("/proc/self/ns/time").exists(),
        Layer::Tree => !Path::new("/etc/shadow").exists() && !Path::new("/sys").exists() && !Path::new("/var").exists(),
        Layer::Uid => {
            status("Uid").is_some_and(|ids| ids.split_whitespace().all(|id| id == PAYLOAD_ID.to_string()))
                && status("Groups")
                    .is_some_and(|groups| groups.split_whitespace().all(|id| id == PAYLOAD_ID.to_string()))
        }
        Layer::Capabilities => ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .iter()
            .all(|set| status(set).is_some_and(|value| value == "0000000000000000")),
        Layer::NoNewPrivs => status("NoNewPrivs").as_deref() == Some("1"),
        // A process may rename itself there: the file is its own and its mount writable. Only landlock stands before it.
        Layer::Landlock => {
            nix::sys::prctl::set_dumpable(true).is_ok()
                && fs::write("/proc/self/comm", "probe").is_err_and(|e| e.raw_os_error() == Some(libc::EACCES))
        }
        Layer::Seccomp => {
            status("Seccomp").as_deref() == Some("2")
                && sys::answers(libc::SYS_clone3, libc::ENOSYS)
                && sys::answers(libc::SYS_io_uring_setup, libc::EPERM)
                // Init answers what the filter asks, and has counted it, which jaild looks at.
                && a_socket_is_made()
        }
        Layer::Rlimits => rlimits
            .table()
            .into_iter()
            .all(|(resource, value)| getrlimit(resource).is_ok_and(|held| held == (value, value))),
        Layer::Keyring => sys::answers(libc::SYS_keyctl, libc::EPERM),
        // jaild sets these and reads them back for every run.
        Layer::CgroupMemory | Layer::CgroupPids | Layer::CgroupCpu => true,
    }
}
