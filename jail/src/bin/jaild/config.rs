//! What the operator says to jaild: a few options and `jaild.toml`. All of it is read, every mistake is reported.
//!
//! Written by hand rather than with clap: ten options do not weigh up a parser's tree in the process that holds the
//! sandboxes.

use std::fs::File;
use std::io::Read;
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use jail::cgroup::Place;
use jail::cores::CorePlan;
use jail::spec::{Bytes, Layer, Layers, Limits, Millis};
use toml::{Table, Value};

use super::pin::{Pin, Stated, narrow};

const HELP: &str = "\
jaild: the broker of engined, which makes the sandboxes

usage: jaild [--socket PATH] [--client-user NAME] [--user NAME] [--config FILE] [--languages DIR] [--cgroup self|NAME]
             [--tuning DIR|off] [--stock N|off]
       jaild --tune yes|LANGUAGE [--user NAME] [--config FILE] [--languages DIR] [--tuning DIR]

  --socket PATH       where engined connects (/run/engined/jaild.sock)
  --client-user NAME  who may connect (engined)
  --user NAME         whom jaild becomes when started as root (jaild)
  --config FILE       limits that no order may exceed, slots, waived layers (/etc/engined/jaild.toml, if it exists)
  --languages DIR     the operator's manifests (/etc/engined/languages, if it exists)
  --cgroup self|NAME  the control group that the service manager delegated, or one of this name (as root: one named
                      after the socket, else self)
  --stock N|off       how many sandboxes wait, armed, at most (by cores and memory)
  --tuning DIR|off    where what is made of toolchains ahead of time is kept (/var/cache/engined/tuning)
  --tune yes|LANGUAGE make it, where that has not been done yet, for all languages or for one, and end
  --bound yes         end when standard output is closed: for a supervisor that may be killed
  --leave yes         remove the named control group that a jaild with the same options has left, and end

Signals: SIGTERM ends it and all sandboxes, SIGHUP reads the manifests and the configuration again.
";

/// What the second start finds open.
#[derive(Debug)]
pub struct Inherited {
    /// Where the engine connects.
    pub listener: OwnedFd,
    /// Keeps a second jaild away from the socket for as long as this one lives.
    _lock: OwnedFd,
    /// The control groups.
    pub groups: Vec<OwnedFd>,
}

/// Everything that jaild is told.
#[derive(Debug)]
pub struct Options {
    pub socket: PathBuf,
    pub client_user: String,
    pub user: String,
    pub config: Option<PathBuf>,
    pub languages: Option<PathBuf>,
    pub place: Option<Place>,
    /// Standard output is a pipe to a supervisor: its end is ours.
    pub bound: bool,
    /// Only clean up behind a jaild that has ended.
    pub leave: bool,
    /// Where tuned files are kept, or that they are off. `None`: as the configuration has it.
    pub tuning: Option<Tuning>,
    /// Before the configuration.
    pub stock: Option<u32>,
    /// Only make tuned files: of one language, or `yes`.
    pub tune: Option<String>,
    /// The descriptors of the second start.
    pub inner: Option<Inherited>,
    /// The engine's uid as the outer namespace shows it: ids that are not mapped show as the overflow uid.
    pub client_uid: u32,
    /// How many ids the outer namespace has besides its root.
    pub ids: u32,
    /// The arguments as they came, for the second start.
    pub raw: Vec<String>,
    #[cfg(feature = "test-hooks")]
    pub test_off: Layers,
    /// As if there were no cpuset controller.
    #[cfg(feature = "test-hooks")]
    pub test_no_cpuset: bool,
}

impl Options {
    /// Reads the command line. `None`: it was `--help` or `--version`, and has been answered.
    pub fn read(arguments: impl Iterator<Item = String>) -> Result<Option<Self>, Vec<String>> {
        let raw: Vec<String> = arguments.collect();
        let mut options = Options {
            socket: "/run/engined/jaild.sock".into(),
            client_user: "engined".into(),
            user: "jaild".into(),
            config: existing("/etc/engined/jaild.toml"),
            languages: None,
            place: None,
            bound: false,
            leave: false,
            tuning: None,
            stock: None,
            tune: None,
            inner: None,
            client_uid: 0,
            ids: 0,
            raw: raw.clone(),
            #[cfg(feature = "test-hooks")]
            test_off: Layers::default(),
            #[cfg(feature = "test-hooks")]
            test_no_cpuset: false,
        };
        let mut mistakes = Vec::new();
        let mut words = raw.into_iter();
        while let Some(name) = words.next() {
            match name.as_str() {
                "--help" | "-h" => print!("{HELP}"),
                "--version" | "-V" => println!("jaild {}", env!("CARGO_PKG_VERSION")),
                _ => match words.next().ok_or_else(|| "needs a value; see jaild --help".to_owned()) {
                    Ok(value) => {
                        if let Err(why) = options.set(&name, value) {
                            mistakes.push(format!("{name}: {why}"));
                        }
                        continue;
                    }
                    Err(why) => mistakes.push(format!("{name}: {why}")),
                },
            }
            if mistakes.is_empty() {
                return Ok(None);
            }
        }
        if mistakes.is_empty() { Ok(Some(options)) } else { Err(mistakes) }
    }

    /// Takes over what the first start has left open, its options first.
    fn inherit(&mut self, numbers: &[RawFd]) -> Result<(), String> {
        let taken: std::io::Result<Vec<OwnedFd>> = numbers.iter().map(|number| jail::sys::inherit(*number)).collect();
        let mut taken = taken.map_err(|e| e.to_string())?.into_iter();
        let mut next = || taken.next().ok_or_else(|| "too few descriptors".to_owned());
        let mut said = String::new();
        File::from(next()?).read_to_string(&mut said).map_err(|e| e.to_string())?;
        let (listener, lock) = (next()?, next()?);
        let mut words = said.split('\0').filter(|word| !word.is_empty());
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            self.set(name, value.to_owned())?;
        }
        self.inner = Some(Inherited { listener, _lock: lock, groups: taken.collect() });
        Ok(())
    }

    /// The operator's manifests: the folder that was named, else the usual one, once it exists.
    pub fn manifests(&self) -> Option<PathBuf> {
        self.languages.clone().or_else(|| existing("/etc/engined/languages"))
    }

    /// Where tuned files are kept, unless they shall not be used.
    pub fn tuning(&self, config: &Config) -> Option<PathBuf> {
        match self.tuning.as_ref().unwrap_or(&config.tuning) {
            Tuning::Off => None,
            Tuning::Folder(folder) => Some(folder.clone()),
        }
    }

    /// Where the control groups go. Two jailds with sockets of their own must not sweep each other's groups, so the
    /// name follows from the socket; an ordinary user can make none outside what was delegated.
    pub fn place(&self, root: bool) -> Place {
        let named = || {
            // FNV-1a: as good as any to tell a handful of paths apart, and the same in the next start.
            let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
            let hash = self.socket.as_os_str().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325, fnv);
            Place::Named(format!("engined-{hash:016x}"))
        };
        match &self.place {
            Some(place) => place.clone(),
            None if root => named(),
            None => Place::Own,
        }
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--socket" => self.socket = absolute(value)?,
            "--client-user" => self.client_user = value,
            "--user" => self.user = value,
            "--config" => self.config = Some(absolute(value)?),
            "--languages" => self.languages = Some(absolute(value)?),
            "--cgroup" if value == "self" => self.place = Some(Place::Own),
            "--cgroup" if plain(&value) => self.place = Some(Place::Named(value)),
            "--bound" if value == "yes" => self.bound = true,
            "--leave" if value == "yes" => self.leave = true,
            "--tune" => self.tune = Some(value),
            "--stock" if value == "off" => self.stock = Some(0),
            "--stock" => match number(&value)? {
                n @ 1..=4096 => self.stock = Some(n),
                n => return Err(format!("{n} is not 1 to 4096; \"off\" does without")),
            },
            "--tuning" => self.tuning = Some(Tuning::read(&value)?),
            "--cgroup" => return Err(format!("{value:?} is not \"self\" or a name of a-z, 0-9, '-' and '_'")),
            "--inner" => self.inherit(&numbers(&value)?)?,
            "--client-uid" => self.client_uid = number(&value)?,
            "--ids" => self.ids = number(&value)?,
            #[cfg(feature = "test-hooks")]
            "--test-layer-off" => {
                let layer = Layer::from_name(&value).ok_or("no such layer")?;
                self.test_off = self.test_off.with(layer);
                // The filter is what keeps keys away.
                if layer == Layer::Seccomp {
                    self.test_off = self.test_off.with(Layer::Keyring);
                }
            }
            #[cfg(feature = "test-hooks")]
            "--test-no-cpuset" if value == "yes" => self.test_no_cpuset = true,
            _ => return Err("unknown option; see jaild --help".into()),
        }
        Ok(())
    }
}

/// Where tuned files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// Nowhere, and what is there is not shown.
    Off,
    /// Here.
    Folder(PathBuf),
}

impl Tuning {
    fn read(text: &str) -> Result<Self, String> {
        if text == "off" { Ok(Tuning::Off) } else { absolute(text.to_owned()).map(Tuning::Folder) }
    }
}

fn existing(path: &str) -> Option<PathBuf> {
    Path::new(path).exists().then(|| path.into())
}

fn absolute(value: String) -> Result<PathBuf, String> {
    if value.starts_with('/') { Ok(value.into()) } else { Err(format!("{value:?} is not an absolute path")) }
}

fn plain(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(legal)
}

fn number(value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{value:?} is not a number"))
}

fn numbers(value: &str) -> Result<Vec<RawFd>, String> {
    value.split(',').map(|word| word.parse().map_err(|_| format!("{word:?} is not a descriptor"))).collect()
}

/// `jaild.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How many runs there may be at once.
    pub slots: u32,
    /// How many sandboxes wait, armed, at most. 0: each is made when its order comes.
    pub stock: u32,
    /// Layers that may be missing on this host.
    pub waived: Layers,
    /// Where tuned files are kept.
    pub tuning: Tuning,
    /// What no order may exceed.
    pub ceiling: Limits,
    /// The CPUs that runs are pinned to, if they are.
    pub cores: Option<CorePlan>,
}

const MIB: u64 = 1 << 20;

impl Default for Config {
    fn default() -> Self {
        // Asked once: jaild keeps itself to fewer when it pins its runs.
        static CORES: OnceLock<u32> = OnceLock::new();
        let cores = *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| narrow(n.get())));
        Config {
            slots: cores,
            stock: default_stock(cores, host_memory()),
            waived: Layers::default(),
            tuning: Tuning::Folder(languages::tuning::FOLDER.into()),
            ceiling: Limits {
                cpu_time: Millis(600_000),
                wall_time: Millis(1_800_000),
                memory: Bytes(4096 * MIB),
                processes: 1024,
                cpus_milli: cores.saturating_mul(1000),
                file: Bytes(1024 * MIB),
                disk: Bytes(2048 * MIB),
                open_files: 4096,
                stack: Bytes(4096 * MIB),
            },
            cores: None,
        }
    }
}

impl Config {
    /// Reads the file; without one, the defaults.
    ///
    /// # Errors
    /// Every mistake: field, value, why, what to do.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<String>> {
        let Some(path) = path else { return Ok(Config::default()) };
        let shown = path.display();
        let text = std::fs::read_to_string(path).map_err(|e| vec![format!("{shown}: {e}")])?;
        let table: Table = text.parse().map_err(|e| vec![format!("{shown}: {e}")])?;
        Config::from_table(&table).map_err(|mistakes| mistakes.into_iter().map(|m| format!("{shown}: {m}")).collect())
    }

    /// Reads the settings.
    ///
    /// # Errors
    /// Every mistake.
    pub fn from_table(table: &Table) -> Result<Self, Vec<String>> {
        let mut config = Config::default();
        let mut mistakes = Vec::new();
        let mut pin = Pin::Off;
        for (key, value) in table {
            match (key.as_str(), value) {
                ("slots", value) => match positive(value, 4096) {
                    Some(n) => config.slots = u32::try_from(n).unwrap_or(1),
                    None => mistakes.push(format!("slots = {value}: must be 1 to 4096; leave it out for one per core")),
                },
                ("stock", Value::String(off)) if off == "off" => config.stock = 0,
                ("stock", value) => match positive(value, 4096) {
                    Some(n) => config.stock = u32::try_from(n).unwrap_or(1),
                    None => mistakes.push(format!(
                        "stock = {value}: must be 1 to 4096, or \"off\"; leave it out to have it sized by cores and memory"
                    )),
                },
                ("waive_layers", Value::Array(names)) => {
                    for name in names {
                        match name.as_str().and_then(Layer::from_name) {
                            Some(layer) => config.waived = config.waived.with(layer),
                            None => {
                                mistakes.push(format!("waive_layers: {name} names no layer; they are {}", all_layers()))
                            }
                        }
                    }
                }
                ("waive_layers", value) => {
                    mistakes.push(format!("waive_layers = {value}: must be a list of layers, such as [\"cgroup_ns\"]"));
                }
                ("tuning", Value::String(place)) => match Tuning::read(place) {
                    Ok(place) => config.tuning = place,
                    Err(why) => mistakes.push(format!("tuning: {why}; write a folder, or \"off\"")),
                },
                ("tuning", value) => mistakes.push(format!("tuning = {value}: must be a folder in quotes, or \"off\"")),
                ("pin", value) => match Pin::read(value) {
                    Some(read) => pin = read,
                    None => mistakes.push(format!(
                        "pin = {value}: must be \"off\", \"cores\", \"threads\", or a list with the CPUs of each run, such as \
                         [\"2\", \"3\", \"4-5\"]"
                    )),
                },
                ("ceiling", Value::Table(ceiling)) => ceiling_from(ceiling, &mut config.ceiling, &mut mistakes),
                ("ceiling", value) => mistakes.push(format!("ceiling = {value}: must be a section, [ceiling]")),
                _ => mistakes.push(format!("{key}: no such setting; there are slots, stock, pin, tuning, waive_layers and [ceiling]")),
            }
        }
        let stated = |section: Option<&Table>, key| section.is_some_and(|section| section.contains_key(key));
        let said = Stated {
            slots: stated(Some(table), "slots"),
            cpus: stated(table.get("ceiling").and_then(Value::as_table), "cpus"),
        };
        mistakes.extend(pin.apply(&mut config, &said));
        if mistakes.is_empty() { Ok(config) } else { Err(mistakes) }
    }

    /// Whether a broker that was made for `other` can go on with this one.
    pub fn is_as_large_as(&self, other: &Config) -> bool {
        (self.slots, self.stock) == (other.slots, other.stock)
    }
}

/// How many sandboxes of the default stock one core gets: one that runs, and one behind it.
const PER_CORE: u32 = 2;
/// What an armed sandbox takes: two small processes, and the kernel's side of seven namespaces.
const EACH_BYTES: u64 = 2 << 20;
/// The share of the host's memory that the default stock may take: one part of so many.
const MEMORY_PARTS: u64 = 200;

/// The most that the stock holds where the operator has not said it.
fn default_stock(cores: u32, memory_bytes: Option<u64>) -> u32 {
    let affordable = memory_bytes.map_or(u64::from(cores), |bytes| bytes / MEMORY_PARTS / EACH_BYTES);
    cores.saturating_mul(PER_CORE).min(u32::try_from(affordable).unwrap_or(u32::MAX)).max(1)
}

/// All of it, see proc_meminfo(5).
fn host_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kilobytes.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn all_layers() -> String {
    Layer::ALL.map(Layer::name).join(", ")
}

fn positive(value: &Value, most: u64) -> Option<u64> {
    value.as_integer().and_then(|n| u64::try_from(n).ok()).filter(|n| (1..=most).contains(n))
}

fn ceiling_from(table: &Table, ceiling: &mut Limits, mistakes: &mut Vec<String>) {
    const DAY_MS: u64 = 86_400_000;
    const TIB: u64 = 1 << 40;
    for (key, value) in table {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let most = match key.as_str() {
            "cpu_time_ms" | "wall_time_ms" => DAY_MS,
            "processes" | "open_files" => 1 << 20,
            _ => TIB,
        };
        let share = value.as_float().or_else(|| value.as_integer().map(|n| f64::from(i32::try_from(n).unwrap_or(0))));
        match (key.as_str(), positive(value, most), share) {
            ("cpu_time_ms", Some(n), _) => ceiling.cpu_time = Millis(n),
            ("wall_time_ms", Some(n), _) => ceiling.wall_time = Millis(n),
            ("memory_bytes", Some(n), _) => ceiling.memory = Bytes(n),
            ("processes", Some(n), _) => ceiling.processes = narrow(n),
            ("file_bytes", Some(n), _) => ceiling.file = Bytes(n),
            ("disk_bytes", Some(n), _) => ceiling.disk = Bytes(n),
            ("open_files", Some(n), _) => ceiling.open_files = narrow(n),
            ("stack_bytes", Some(n), _) => ceiling.stack = Bytes(n),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
            ("cpus", _, Some(share)) if (0.1..=1024.0).contains(&share) => {
                ceiling.cpus_milli = (share * 1000.0).round() as u32;
            }
            _ => mistakes.push(format!(
                "ceiling.{key} = {value}: there are cpu_time_ms, wall_time_ms, memory_bytes, processes, cpus, file_bytes, \
                 disk_bytes, open_files and stack_bytes; each is positive"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_and_memory_size_it() {
        assert_eq!(default_stock(2, Some(24 << 30)), 4);
        assert_eq!(default_stock(64, Some(2 << 30)), 5, "half a hundredth of the memory");
        assert_eq!(default_stock(1, Some(1 << 20)), 1);
        assert_eq!(default_stock(4, None), 4);
    }

    #[test]
    fn every_mistake_is_told() {
        let text =
            "slots = 0\nstock = 0\nwaive_layers = [\"x\"]\ncolour = 1\n[ceiling]\nmemory_bytes = -1\ncpus = 0.0\n";
        let mistakes = Config::from_table(&text.parse().unwrap()).unwrap_err();
        assert_eq!(mistakes.len(), 6, "{mistakes:#?}");
    }

    #[test]
    fn a_setting_of_the_wrong_type_is_not_called_unknown() {
        for (text, what) in [
            ("tuning = 5", "must be a folder in quotes, or \"off\""),
            ("waive_layers = \"time_ns\"", "must be a list of layers"),
            ("ceiling = 3", "must be a section, [ceiling]"),
        ] {
            let mistakes = Config::from_table(&text.parse().unwrap()).unwrap_err();
            assert_eq!(mistakes.len(), 1, "{mistakes:?}");
            assert!(mistakes[0].starts_with(text) && mistakes[0].contains(what), "{mistakes:?}");
        }
    }

    #[test]
    fn settings_are_taken() {
        let text =
            "slots = 3\nstock = \"off\"\nwaive_layers = [\"time_ns\"]\n[ceiling]\nmemory_bytes = 1048576\ncpus = 1.5\n";
        let config = Config::from_table(&text.parse().unwrap()).unwrap();
        assert_eq!((config.slots, config.ceiling.memory, config.ceiling.cpus_milli), (3, Bytes(1 << 20), 1500));
        assert!(config.waived.has(Layer::TimeNs) && config.stock == 0);
    }

    #[test]
    fn options_are_checked() {
        let read = |words: &[&str]| Options::read(words.iter().map(|w| (*w).to_owned()));
        assert!(read(&["--socket", "relative"]).is_err());
        assert!(read(&["--cgroup", "../up"]).is_err());
        assert!(read(&["--socket"]).is_err() && read(&["--stock", "0"]).is_err());
        assert!(read(&["--nothing", "1"]).is_err());
        assert_eq!(read(&["--cgroup", "self"]).unwrap().unwrap().place, Some(Place::Own));
        let place = |socket: &str| read(&["--socket", socket]).unwrap().unwrap().place(true);
        assert_ne!(place("/a"), place("/b"), "two engines do not meet");
        assert_eq!(place("/a"), place("/a"), "a restart finds what was left");
        assert_eq!(read(&[]).unwrap().unwrap().place(false), Place::Own, "rootless");
    }
}
