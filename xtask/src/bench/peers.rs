//! Other sandboxes, as far as packages bring them, each at its nearest equal settings.
//!
//! They are measured from the spawn of their command to its end, in the folder where the program lies compiled: they have
//! no HTTP, no queue, and collect no output, which is in their favour.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cpu;
use super::spawn::{self, Spawn};
use crate::build;
use crate::problem::{Context, Result};
use crate::prove::said;

/// What a sandbox may use where its program can limit it.
const MEMORY_BYTES: u64 = 256 << 20;
const PROCESSES: u32 = 64;
const OPEN_FILES: u32 = 256;
/// A range that belongs to no account: Debian gives ids above it to nobody.
const FIRST_ID: u32 = 400_000;
/// Refused by the peers that take a list: what the engine's filter kills for.
const REFUSED: [&str; 20] = [
    "add_key",
    "bpf",
    "delete_module",
    "finit_module",
    "fsmount",
    "fsopen",
    "init_module",
    "kexec_load",
    "keyctl",
    "mount",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "pivot_root",
    "process_vm_readv",
    "ptrace",
    "request_key",
    "setns",
    "umount2",
    "unshare",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bubblewrap,
    Crun,
    Runc,
    Firejail,
    Hakoniwa,
    SystemdRun,
}

/// One that is known, found or not.
#[derive(Clone, Debug)]
struct Known {
    kind: Kind,
    name: &'static str,
    program: &'static str,
    install: &'static str,
    settings: &'static str,
}

const KNOWN: [Known; 6] = [
    Known {
        kind: Kind::Bubblewrap,
        name: "bubblewrap",
        program: "bwrap",
        install: "apt-get install bubblewrap",
        settings: "seven namespaces, read-only /usr, /tmp and /dev of its own, no capabilities, no_new_privs, new session; no filter of system calls, no cgroup",
    },
    Known {
        kind: Kind::Crun,
        name: "crun",
        program: "crun",
        install: "apt-get install crun",
        settings: "seven namespaces with ids of their own, read-only root with /usr, no capabilities, no_new_privs, a list of 20 refused system calls, 256 MiB, 64 processes, 256 descriptors; on a host with both versions of cgroups the second is hidden from it, which it refuses",
    },
    Known {
        kind: Kind::Runc,
        name: "runc",
        program: "runc",
        install: "apt-get install runc",
        settings: "as crun, by the same config.json",
    },
    Known {
        kind: Kind::Firejail,
        name: "firejail",
        program: "firejail",
        install: "apt-get install firejail",
        settings: "no profile, no network, private home, /dev and /tmp, no capabilities, no_new_privs, its own list of refused system calls, ipc namespace, 64 processes, 256 descriptors; no user namespace, no cgroup",
    },
    Known {
        kind: Kind::Hakoniwa,
        name: "hakoniwa",
        program: "hakoniwa",
        install: "apt-get install libseccomp-dev && cargo install --locked --root target/tools hakoniwa-cli",
        settings: "seven namespaces, read-only /usr, /tmp and /dev of its own, its own list of allowed system calls (podman), landlock, 256 descriptors; no cgroup",
    },
    Known {
        kind: Kind::SystemdRun,
        name: "systemd-run",
        program: "systemd-run",
        install: "a host with systemd; the test host has it",
        settings: "a transient unit: dynamic user, private network, users, /tmp and /dev (so TMPDIR must be elsewhere), strict file system, no capabilities, no_new_privs, @system-service, 256 MiB, 64 processes, 256 descriptors",
    },
];

/// One that was found and works here.
#[derive(Clone, Debug)]
pub struct Peer {
    known: Known,
    program: PathBuf,
    /// As its rows call it.
    pub name: String,
}

/// What is told of one, whether it takes part or not.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its name.
    pub name: &'static str,
    /// What it says of itself, where it was found.
    pub version: String,
    /// How it is set up.
    pub settings: &'static str,
    /// Its command line for a program, the folder and its own name left out.
    pub command: String,
    /// Why it does not take part.
    pub skipped: Option<String>,
}

impl Told {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "version": self.version, "settings": self.settings, "command": self.command, "skipped": self.skipped})
    }
}

/// Tries each with `probe`, a command that lies in a folder of its own, and says of all what came of it.
///
/// # Errors
/// When what they need can't be written.
pub fn find(probe: &Spawn, stage: &Stage) -> Result<(Vec<Peer>, Vec<Told>)> {
    let (mut peers, mut told) = (Vec::new(), Vec::new());
    for known in KNOWN {
        let mut about = Told {
            name: known.name,
            version: String::new(),
            settings: known.settings,
            command: String::new(),
            skipped: Some(format!("not installed; {}", known.install)),
        };
        if let Some(program) = installed(known.program) {
            let version = said(&program.display().to_string(), &["--version"]);
            about.version = version.lines().next().unwrap_or_default().to_owned();
            let peer = Peer { known: known.clone(), program, name: known.name.to_owned() };
            let command = peer.wrap(stage, "probe", probe)?;
            let folder = probe.folder.display().to_string();
            let words = command.arguments.join(" ").replace(&folder, "FOLDER");
            about.command = format!("{} {}", known.program, words.replace(&stage.top.display().to_string(), "STAGE"));
            let outcome = if known.kind == Kind::SystemdRun && !Path::new("/run/systemd/system").exists() {
                Err("no systemd runs here".to_owned())
            } else {
                peer.thread(|| command.attempt())
            };
            about.skipped = outcome.err().map(|why| format!("does not work here: {why}"));
            if about.skipped.is_none() {
                peers.push(peer);
            }
        }
        if let Some(why) = &about.skipped {
            println!("xtask: skipped: {}: {why}", about.name);
        }
        told.push(about);
    }
    Ok((peers, told))
}

fn installed(program: &str) -> Option<PathBuf> {
    let tools = build::target().map(|target| target.join("tools/bin")).ok();
    let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from).into_iter().chain(tools);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Where roots and bundles are made.
#[derive(Debug)]
pub struct Stage {
    top: PathBuf,
}

impl Stage {
    /// An empty root with the host's links into /usr, below `top`.
    ///
    /// # Errors
    /// That of the disk.
    pub fn new(top: &Path) -> Result<Self> {
        let top = top.join("peers");
        let root = top.join("root");
        for folder in ["usr", "proc", "dev", "tmp", "box", "etc"] {
            fs::create_dir_all(root.join(folder)).or_problem(root.display().to_string(), "free some disk")?;
        }
        for link in ["bin", "lib", "lib64"] {
            let target = format!("usr/{link}");
            symlink(&target, root.join(link)).or_problem(target.clone(), "set TMPDIR to an empty folder")?;
        }
        Ok(Stage { top })
    }

    /// Lets the ids of any sandbox write where a program lies, for those that compile there.
    ///
    /// # Errors
    /// That of `chmod`.
    pub fn open(folder: &Path) -> Result<()> {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777))
            .or_problem(folder.display().to_string(), "chmod it")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        cpu::sweep();
    }
}

impl Peer {
    /// The same command inside this sandbox. `lane` tells apart what runs at once.
    ///
    /// # Errors
    /// When a bundle can't be written.
    pub fn wrap(&self, stage: &Stage, lane: &str, inner: &Spawn) -> Result<Spawn> {
        let folder = inner.folder.display().to_string();
        // Two start in the folder, whatever they call it.
        let program = match (self.known.kind, inner.program.strip_prefix(&inner.folder)) {
            // Looks for the program outside.
            (Kind::SystemdRun, _) | (_, Err(_)) => inner.program.display().to_string(),
            (Kind::Firejail | Kind::Hakoniwa, Ok(name)) => format!("./{}", name.display()),
            (_, Ok(name)) => format!("/box/{}", name.display()),
        };
        let words: Vec<String> = [program].into_iter().chain(inner.arguments.iter().cloned()).collect();
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |line: &str| arguments.extend(line.split_whitespace().map(str::to_owned));
        match self.known.kind {
            Kind::Bubblewrap => {
                add(
                    "--unshare-all --die-with-parent --new-session --cap-drop ALL --clearenv --setenv PATH /usr/bin:/bin",
                );
                add("--setenv LANG C.UTF-8 --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib");
                add("--symlink usr/lib64 /lib64 --proc /proc --dev /dev --tmpfs /tmp");
                add(&format!("--bind {folder} /box --chdir /box --"));
            }
            Kind::Firejail => {
                add(
                    "--quiet --noprofile --net=none --nonewprivs --caps.drop=all --seccomp --ipc-namespace --private-tmp",
                );
                add(&format!(
                    "--private-dev --rlimit-nproc={PROCESSES} --rlimit-nofile={OPEN_FILES} --private={folder} --"
                ));
            }
            Kind::Hakoniwa => {
                add(
                    "run --unshare-all --rootfs none --bindmount-ro /usr:/usr --symlink usr/bin:/bin --symlink usr/lib:/lib",
                );
                add("--symlink usr/lib64:/lib64 --devfs /dev --tmpfs /tmp --seccomp podman");
                add(&format!("--limit-nofile {OPEN_FILES} --setenv PATH=/usr/bin:/bin --setenv LANG=C.UTF-8"));
                add(&format!("--landlock-fs-rx /usr,{folder} --landlock-fs-rw {folder},/dev,/tmp,/proc"));
                add(&format!("--landlock-restrict-tcp-bind --landlock-restrict-tcp-connect --workdir {folder} --"));
            }
            Kind::SystemdRun => {
                add("--quiet --wait --pipe --collect --service-type=exec -p DynamicUser=yes -p PrivateNetwork=yes");
                add(
                    "-p PrivateUsers=yes -p PrivateTmp=yes -p PrivateDevices=yes -p PrivateIPC=yes -p ProtectSystem=strict",
                );
                add(
                    "-p ProtectHome=yes -p NoNewPrivileges=yes -p CapabilityBoundingSet= -p SystemCallFilter=@system-service",
                );
                add(&format!("-p MemoryMax={MEMORY_BYTES} -p TasksMax={PROCESSES} -p LimitNOFILE={OPEN_FILES}"));
                add(&format!(
                    "-p ReadWritePaths={folder} -p WorkingDirectory={folder} -E PATH=/usr/bin:/bin -E LANG=C.UTF-8 --"
                ));
            }
            Kind::Crun | Kind::Runc => {
                let name = format!("{}-{lane}", self.known.name);
                let bundle = stage.top.join(&name);
                fs::create_dir_all(&bundle).or_problem(bundle.display().to_string(), "free some disk")?;
                let config = bundle.join("config.json");
                let mut config_json = oci(&stage.top.join("root"), &inner.folder, &words);
                if cpu::is_v1() {
                    // Where its CPU time is counted with that of its driver; else crun takes a group of its own.
                    config_json["linux"]["cgroupsPath"] = format!("/{}/{name}", cpu::own_group()).into();
                }
                let text = config_json.to_string();
                fs::write(&config, text).or_problem(config.display().to_string(), "free some disk")?;
                let state = stage.top.join(format!("{}-state", self.known.name));
                add(&format!(
                    "--root {} run --bundle {} xtask-{}-{name}",
                    state.display(),
                    bundle.display(),
                    std::process::id()
                ));
            }
        }
        if !matches!(self.known.kind, Kind::Crun | Kind::Runc) {
            arguments.extend(words);
        }
        Ok(Spawn { program: self.program.clone(), arguments, folder: inner.folder.clone() })
    }

    /// What a thread that starts this peer must do first.
    ///
    /// # Errors
    /// When the host does not let it.
    pub fn enter(&self) -> Result<()> {
        if self.known.kind == Kind::Crun && spawn::is_hybrid() { spawn::hide_unified() } else { Ok(()) }
    }

    /// Runs `work` on a thread that has entered.
    fn thread<T: Send>(
        &self,
        work: impl FnOnce() -> std::result::Result<T, String> + Send,
    ) -> std::result::Result<T, String> {
        let entered = || self.enter().map_err(|problem| problem.to_string()).and_then(|()| work());
        std::thread::scope(|scope| {
            scope.spawn(entered).join().unwrap_or_else(|_| Err("its thread panicked".to_owned()))
        })
    }

    /// Runs `commands` one after the other and gives the sum of what they took.
    ///
    /// # Errors
    /// When one of them does not start or fails.
    pub fn run(&self, commands: &[Spawn]) -> Result<u64> {
        let all = || commands.iter().map(Spawn::run).sum();
        if self.known.kind != Kind::Crun {
            return all();
        }
        // A thread's start is outside the clock of `Spawn::run`.
        std::thread::scope(|scope| {
            let entered = scope.spawn(|| self.enter().and_then(|()| all()));
            entered
                .join()
                .unwrap_or_else(|_| Err(crate::problem::Problem::new("a thread panicked", "read its message")))
        })
    }
}

/// `config.json` of an OCI bundle, as near to what the engine does as it goes.
fn oci(root: &Path, folder: &Path, words: &[String]) -> Value {
    let none: [&str; 0] = [];
    let ids = json!([{"containerID": 0, "hostID": FIRST_ID, "size": 65_536}]);
    let namespaces = ["user", "pid", "network", "ipc", "uts", "mount", "cgroup"].map(|name| json!({"type": name}));
    json!({
        "ociVersion": "1.0.0",
        "process": {
            "terminal": false, "user": {"uid": 1000, "gid": 1000}, "args": words,
            "env": ["PATH=/usr/bin:/bin", "LANG=C.UTF-8"], "cwd": "/box", "noNewPrivileges": true,
            "capabilities": {"bounding": none, "effective": none, "permitted": none, "inheritable": none, "ambient": none},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": OPEN_FILES, "soft": OPEN_FILES}],
        },
        "root": {"path": root, "readonly": true},
        "hostname": "box",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]},
            {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro", "nosuid", "nodev"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]},
            {"destination": "/box", "type": "bind", "source": folder, "options": ["bind", "nosuid", "nodev"]},
        ],
        "linux": {
            "uidMappings": ids, "gidMappings": ids, "namespaces": namespaces,
            "resources": {"memory": {"limit": MEMORY_BYTES}, "pids": {"limit": PROCESSES}},
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": REFUSED, "action": "SCMP_ACT_ERRNO"}],
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Scratch;

    #[test]
    fn a_program_of_the_folder_is_named_as_the_sandbox_sees_it() {
        let scratch = Scratch::new("peers").unwrap();
        let stage = Stage::new(scratch.path()).unwrap();
        let folder = Path::new("/srv/x");
        let own = Spawn::new(Path::new("/srv/x/program"), &["a b"], folder);
        let tool = Spawn::new(Path::new("/usr/bin/python3"), &["main.py"], folder);
        for known in KNOWN {
            let peer = Peer { program: "/usr/bin/x".into(), name: known.name.to_owned(), known };
            let kind = peer.known.kind;
            let words = |inner| {
                let wrapped = peer.wrap(&stage, "1", inner).unwrap();
                let bundle = stage.top.join(format!("{}-1/config.json", peer.name));
                match fs::read(bundle) {
                    Ok(config) => serde_json::from_slice::<Value>(&config).unwrap()["process"]["args"].clone(),
                    Err(_) => json!(wrapped.arguments[wrapped.arguments.len() - 2..]),
                }
            };
            let program = match kind {
                Kind::Firejail | Kind::Hakoniwa => "./program",
                Kind::SystemdRun => "/srv/x/program",
                _ => "/box/program",
            };
            assert_eq!(words(&own), json!([program, "a b"]), "{kind:?}");
            assert_eq!(words(&tool), json!(["/usr/bin/python3", "main.py"]), "{kind:?}");
        }
    }
}
