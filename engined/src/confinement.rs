//! What engined takes from itself before it serves: whoever takes it over by a hole in what callers can reach finds a
//! process that can do little more than answer, and order sandboxed runs.
//!
//! It happens between the last thing that needs more (the configuration is read, the listeners are bound) and the first
//! thread: threads inherit all of it, and nothing has been read of a caller. Each layer is proved by trying what it
//! forbids. One that can't be had stops the start, unless the operator waived it by its name in `engined.toml`; then
//! `/readyz`, `/v1/isolation`, `/metrics` and the log say so.
//!
//! The supervisor (`engined up`), which starts children, and the talking part of `engined run`, which reads and writes
//! its user's files and serves nobody, are not confined in this way.

use std::fmt;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use api_spec::LayerState;
use caps::CapSet;
use jail::landlock::{self, ServicePaths};
use jail::seccomp::Filter;
use jail::sys::answers;
use languages::Catalogue;
use nix::libc;
use nix::sys::prctl;

use crate::config::Config;
use crate::state;

#[cfg(feature = "test-hooks")]
pub mod hooks;

/// From this version of landlock on there are rules for TCP.
const LANDLOCK_TCP: u32 = 4;

/// A layer between a broken engine and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// No capability in any set.
    Capabilities,
    /// No way to gain one.
    NoNewPrivs,
    /// Its memory is nobody's to read.
    NoDump,
    /// Files, TCP and abstract sockets.
    Landlock,
    /// System calls.
    Seccomp,
}

impl Layer {
    /// In the order in which they are put on.
    pub const ALL: [Layer; 5] =
        [Layer::Capabilities, Layer::NoNewPrivs, Layer::NoDump, Layer::Landlock, Layer::Seccomp];

    /// The name used in answers, metrics and the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Layer::Capabilities => "engine_capabilities",
            Layer::NoNewPrivs => "engine_no_new_privs",
            Layer::NoDump => "engine_no_dump",
            Layer::Landlock => "engine_landlock",
            Layer::Seccomp => "engine_seccomp",
        }
    }

    /// The layer of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// What to do on the host so that the layer can be had.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Layer::Capabilities => "start it by systemd/engined.service, as root with --user, or as an ordinary user",
            Layer::NoNewPrivs | Layer::NoDump => "use a kernel >= 5.15",
            Layer::Landlock => {
                "boot with landlock in the lsm= list (CONFIG_SECURITY_LANDLOCK; see /sys/kernel/security/lsm)"
            }
            Layer::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER",
        }
    }

    fn put_on(self, paths: &ServicePaths) -> io::Result<Held> {
        #[cfg(feature = "test-hooks")]
        if hooks::lacks(self) {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        match self {
            Layer::Capabilities => drop_capabilities()?,
            Layer::NoNewPrivs => prctl::set_no_new_privs()?,
            Layer::NoDump => prctl::set_dumpable(false)?,
            Layer::Landlock => {
                let (rules, held) = landlock::service(paths).map_err(io::Error::other)?;
                landlock::enforce(rules).map_err(io::Error::other)?;
                return Ok(held);
            }
            Layer::Seccomp => Filter::service(std::process::id()).install()?,
        }
        Ok(Vec::new())
    }

    /// Tries what it forbids.
    fn holds(self) -> bool {
        match self {
            // What is left in the bounding set is out of reach without capabilities and without a way to gain one.
            Layer::Capabilities => [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient]
                .into_iter()
                .all(|set| caps::read(None, set).is_ok_and(|held| held.is_empty())),
            Layer::NoNewPrivs => prctl::get_no_new_privs().is_ok_and(|set| set),
            Layer::NoDump => prctl::get_dumpable().is_ok_and(|dumpable| !dumpable),
            Layer::Landlock => {
                let refused = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
                let tcp = landlock::kernel_abi().is_ok_and(|abi| abi >= LANDLOCK_TCP);
                fs::read_dir("/").is_err_and(refused) && (!tcp || TcpListener::bind("127.0.0.1:0").is_err_and(refused))
            }
            // Listening and clone3 are no calls that somebody else's filter refuses in this way.
            Layer::Seccomp => {
                answers(libc::SYS_listen, libc::EPERM)
                    && answers(libc::SYS_clone3, libc::ENOSYS)
                    && answers(libc::SYS_io_uring_setup, libc::EPERM)
            }
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Descriptors without which rules lose their hold.
type Held = Vec<OwnedFd>;

/// Empties all five sets. Only who may drop from the bounding set can empty that one.
fn drop_capabilities() -> io::Result<()> {
    let may = caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(io::Error::other)?;
    let bounding = may.then_some(CapSet::Bounding);
    let rest = [CapSet::Ambient, CapSet::Inheritable, CapSet::Effective, CapSet::Permitted];
    bounding.into_iter().chain(rest).try_for_each(|set| caps::clear(None, set)).map_err(io::Error::other)
}

/// What a serving engine needs of the file system by name once it is confined: the manifests, for SIGHUP; the programs
/// of toolchains, whose bytes stand for them, and the names of what else they consist of; its state folder; the name of
/// its socket, to remove it; what the kernel says of this very process.
#[must_use]
pub fn paths(config: &Config, catalogue: &Catalogue, state_folders: &[PathBuf]) -> ServicePaths {
    let there = |path: &PathBuf| path.exists();
    let toolchains = catalogue.languages().iter().flat_map(|language| &language.toolchains);
    let mounts = toolchains.flat_map(|toolchain| {
        let environment = toolchain.environment.as_ref().map(|environment| environment.mount.path.clone());
        toolchain.mount.as_ref().map(|mount| mount.path.clone()).into_iter().chain(environment)
    });
    let mut read: Vec<PathBuf> = std::iter::once(PathBuf::from("/usr")).chain(mounts).filter(there).collect();
    read.sort();
    read.dedup();
    // What toolchains consist of is looked at for their digests, at the start and when manifests are read again.
    let folders = |language: &languages::Definition| {
        let installed = language.toolchains.iter().filter(|toolchain| language.installed(toolchain));
        installed.flat_map(|toolchain| language.whole(toolchain)).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let mut whole: Vec<PathBuf> = catalogue.languages().iter().flat_map(folders).collect();
    whole.sort();
    whole.dedup();
    // The usual folder may come later. Its parent holds nothing but our own configuration.
    let usual = Path::new(state::MANIFESTS).parent().map(Path::to_owned);
    let manifests = config.engine.languages.clone().or(usual);
    // The right to remove reaches all that lies below, so it is there for a folder with nothing else in it.
    let alone = |folder: &PathBuf| fs::read_dir(folder).is_ok_and(|entries| entries.count() == 1);
    let socket = config.listen.unix.as_ref().and_then(|(path, _)| path.parent().map(Path::to_owned));
    ServicePaths {
        read,
        list: manifests.into_iter().chain([PathBuf::from("/proc/self")]).filter(there).chain(whole).collect(),
        write: state_folders
            .iter()
            .cloned()
            .chain(config.cache.place())
            .chain(config.blobs.place())
            .chain(config.batches.place())
            .chain(crate::config::audit::folders(&config.audit, &config.usage))
            .filter(there)
            .collect(),
        remove: socket.into_iter().filter(alone).collect(),
    }
}

/// The folders that systemd made for us to keep things in (`StateDirectory=`).
#[must_use]
pub fn state_folders() -> Vec<PathBuf> {
    std::env::var_os("STATE_DIRECTORY").map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default()
}

/// A process that is confined, as far as that could be had.
pub struct Confinement {
    states: Vec<(Layer, bool, bool)>,
    /// Until the end.
    _held: Held,
}

impl Confinement {
    /// Puts every layer on this thread, and on all that it will start, for good.
    ///
    /// # Errors
    /// Each layer that can't be had and is not waived, and what to do about it.
    pub fn put_on(paths: &ServicePaths, waived: &[Layer]) -> Result<Self, Vec<String>> {
        let (confinement, failures) = Confinement::attempt(paths, waived);
        if failures.is_empty() { Ok(confinement) } else { Err(failures) }
    }

    /// The same, with a list of what was wanted and could not be had instead of an error.
    #[must_use]
    pub fn attempt(paths: &ServicePaths, waived: &[Layer]) -> (Self, Vec<String>) {
        let (mut states, mut held, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for layer in Layer::ALL {
            let wanted = !waived.contains(&layer);
            #[cfg(feature = "test-hooks")]
            if hooks::without(layer) {
                states.push((layer, false, false));
                continue;
            }
            let why = match layer.put_on(paths) {
                Ok(descriptors) => {
                    held.extend(descriptors);
                    (!layer.holds()).then(|| "the kernel took it, and what it forbids is possible".to_owned())
                }
                Err(error) => Some(error.to_string()),
            };
            let obtained = why.is_none();
            if let Some(why) = why {
                let remedy = layer.remedy();
                let words = format!(
                    "the layer {layer} can't be had: {why}; {remedy}; or go without it: waive_layers = [\"{layer}\"] in \
                     [engine] of engined.toml"
                );
                if wanted {
                    failures.push(words);
                } else {
                    tracing::warn!(%layer, %why, remedy, "waived, and not to be had: a broken engine can do more");
                }
            }
            states.push((layer, wanted, obtained));
        }
        (Confinement { states, _held: held }, failures)
    }

    /// Every layer, as `/v1/isolation` has it.
    #[must_use]
    pub fn layers(&self) -> Vec<LayerState> {
        let state = |(layer, wanted, obtained): &(Layer, bool, bool)| LayerState {
            layer: layer.name().to_owned(),
            wanted: *wanted,
            obtained: *obtained,
            remedy: (!obtained).then(|| layer.remedy().to_owned()),
        };
        self.states.iter().map(state).collect()
    }

    /// The names of what is not there.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        self.states.iter().filter(|(.., obtained)| !obtained).map(|(layer, ..)| layer.name().to_owned()).collect()
    }
}

/// Whether this thread is the only one: others would not be confined with it.
///
/// # Errors
/// How many there are.
pub fn alone() -> Result<(), Vec<String>> {
    let threads = fs::read_dir("/proc/self/task").map(Iterator::count);
    match threads {
        Ok(1) => Ok(()),
        Ok(threads) => Err(vec![format!("{threads} threads before the engine was confined: report this as a bug")]),
        Err(error) => Err(vec![format!("/proc/self/task: {error}; mount /proc")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_again_and_are_none_of_the_sandbox() {
        for layer in Layer::ALL {
            assert_eq!(Layer::from_name(layer.name()), Some(layer));
            assert_eq!(jail::spec::Layer::from_name(layer.name()), None);
        }
        assert_eq!(Layer::from_name("seccomp"), None);
    }

    #[test]
    fn only_what_is_there_gets_a_rule() {
        let host = crate::config::Host { accounts: crate::accounts::Accounts::of_host(), memory: 1 << 30, cpus: 64 };
        let text = "[listen]\nunix = \"/nowhere/engined.sock\"\n[engine]\nlanguages = \"/nowhere/at/all\"\n";
        let (config, _) = Config::parse(text, &host).unwrap();
        let folders = [PathBuf::from("/nowhere"), std::env::temp_dir()];
        let paths = paths(&config, &Catalogue::builtin(), &folders);
        assert_eq!(paths.list.first(), Some(&PathBuf::from("/proc/self")));
        assert!(paths.list[1..].iter().all(|path| path.starts_with("/usr") && path.is_dir()), "{:?}", paths.list);
        assert_eq!(paths.write, [std::env::temp_dir()]);
        assert!(paths.remove.is_empty());
        assert!(paths.read.contains(&PathBuf::from("/usr")));
    }
}
