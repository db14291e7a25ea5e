//! The plain types that both ends of the link share: limits, usage, endings, layers. No system call is made here.

use std::fmt;

pub use attempts::{Attempts, WatchedCall};

mod attempts;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A duration in whole milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

/// A duration in whole microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Micros(pub u64);

/// Names one run on a link. The engine chooses it; it must not be in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

/// What one run may use. Every field is positive: zero never means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// User and system time of all processes and threads together.
    pub cpu_time: Millis,
    /// From the program's start to its end.
    pub wall_time: Millis,
    /// Of the cgroup: page cache, tmpfs and kernel memory included, no swap.
    pub memory: Bytes,
    /// Processes and threads, init not counted.
    pub processes: u32,
    /// Share of cores in thousandths: 1,000 is one core. At least 100.
    pub cpus_milli: u32,
    /// The largest file that may be written (`RLIMIT_FSIZE`).
    pub file: Bytes,
    /// Everything under `/box`, `/home/sandbox`, `/tmp` and `/dev/shm` together.
    pub disk: Bytes,
    /// Open descriptors of one process (`RLIMIT_NOFILE`).
    pub open_files: u32,
    /// Stack of the main thread (`RLIMIT_STACK`).
    pub stack: Bytes,
}

impl Limits {
    /// The first field that is zero, under its floor, or above `ceiling`; `None` when all are within.
    #[must_use]
    pub fn first_outside(&self, ceiling: &Limits) -> Option<&'static str> {
        let within = |value: u64, floor: u64, top: u64| (floor..=top).contains(&value);
        let rows: [(&'static str, u64, u64, u64); 9] = [
            ("cpu_time_ms", self.cpu_time.0, 1, ceiling.cpu_time.0),
            ("wall_time_ms", self.wall_time.0, 1, ceiling.wall_time.0),
            ("memory_bytes", self.memory.0, 1 << 20, ceiling.memory.0),
            ("processes", self.processes.into(), 1, ceiling.processes.into()),
            ("cpus", self.cpus_milli.into(), 100, ceiling.cpus_milli.into()),
            ("file_bytes", self.file.0, 1, ceiling.file.0),
            ("disk_bytes", self.disk.0, 4096, ceiling.disk.0),
            ("open_files", self.open_files.into(), 8, ceiling.open_files.into()),
            ("stack_bytes", self.stack.0, 64 << 10, ceiling.stack.0),
        ];
        rows.into_iter().find(|&(_, value, floor, top)| !within(value, floor, top)).map(|(name, ..)| name)
    }
}

/// Why somebody ended a run before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopReason {
    /// The CPU budget was used up (jaild).
    CpuTime = 1,
    /// The wall clock ran out (jaild).
    WallTime = 2,
    /// The kernel killed for memory in the payload's cgroup (jaild).
    Memory = 3,
    /// More output than allowed and the caller asked to end the program then (engine).
    Output = 4,
    /// The caller cancelled (engine).
    Cancelled = 5,
    /// The caller, or the link, went away (engine or jaild).
    Gone = 6,
}

impl StopReason {
    pub(crate) fn from_wire(byte: u8) -> Option<Self> {
        [Self::CpuTime, Self::WallTime, Self::Memory, Self::Output, Self::Cancelled, Self::Gone]
            .into_iter()
            .find(|reason| *reason as u8 == byte)
    }
}

/// How the payload's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It called `exit` with this code.
    Exited(u8),
    /// This signal ended it.
    Signalled(u8),
    /// The sandbox failed before the program ran: ours to answer for, never the payload's.
    Failed {
        /// Which step of `stage::ORDER` (see [`crate::error::Step`]).
        step: u8,
        /// The system's error number, 0 where there is none.
        errno: i32,
        /// Which of several (mount, limit, file), 0 where there is one.
        index: u32,
    },
}

/// Where `memory_peak` comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PeakSource {
    /// The kernel's own high-water mark.
    #[default]
    Kernel,
    /// The largest of our samples: kernels before 5.19 keep no mark.
    Sampled,
}

/// What a run used, of its own cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time together.
    pub cpu: Micros,
    /// User time.
    pub user: Micros,
    /// System time.
    pub system: Micros,
    /// From the program's start to the end of its first process.
    pub wall: Micros,
    /// Highest memory charge.
    pub memory_peak: Bytes,
    /// Where `memory_peak` comes from.
    pub memory_peak_source: PeakSource,
    /// Most processes and threads at once.
    pub processes_peak: u32,
    /// Time spent waiting for the CPU quota, summed over the CPUs on which something waited.
    pub throttled: Micros,
    /// Involuntary context switches of all reaped processes and their threads.
    pub involuntary_switches: u64,
    /// Processes that the kernel killed for memory.
    pub oom_kills: u32,
    /// A fork or clone was refused by the process limit.
    pub processes_hit: bool,
    /// The work directory was full, in bytes or inodes, when the run ended.
    pub disk_hit: bool,
}

/// What became of the files that the order asked to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collected {
    /// Nothing was asked for, or the program never ran.
    None,
    /// Every match is in the stream, or a record there says why not.
    Complete,
    /// The collector was cut short by its caps or its deadline.
    Cut,
}

/// The end of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which run.
    pub id: RunId,
    /// How the payload's first process ended.
    pub outcome: Outcome,
    /// Who ended it, where somebody did.
    pub stop: Option<StopReason>,
    /// The filter ended it (`SIGSYS`): at once, or through init, which [`Ended::attempts`] tells.
    pub filter_killed: bool,
    /// Which watched system calls were tried, and how often.
    pub attempts: Attempts,
    /// What it used.
    pub usage: Usage,
    /// From the order's arrival to the program's start.
    pub setup: Micros,
    /// What became of the files to collect.
    pub collected: Collected,
    /// The layers that were in force for this very run.
    pub layers: Layers,
}

/// One layer of isolation. The order is that of the table in the README (a test compares them).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Layer {
    /// A user namespace of its own for every run.
    UserNs,
    /// A pid namespace of its own.
    PidNs,
    /// A mount namespace of its own, on a read-only tree.
    MountNs,
    /// An empty network namespace: `lo` and nothing else.
    NetNs,
    /// An IPC namespace of its own.
    IpcNs,
    /// A UTS namespace of its own.
    UtsNs,
    /// A cgroup namespace of its own.
    CgroupNs,
    /// A time namespace of its own (where the kernel has it).
    TimeNs,
    /// The host's files are out of reach: pivoted into a read-only tree.
    Tree,
    /// A uid of its own from the subordinate range, and no groups.
    Uid,
    /// All five capability sets empty.
    Capabilities,
    /// `no_new_privs`.
    NoNewPrivs,
    /// Landlock, fully enforced.
    Landlock,
    /// The system call allow-list.
    Seccomp,
    /// Memory limit of the cgroup, swap off.
    CgroupMemory,
    /// Process limit of the cgroup.
    CgroupPids,
    /// CPU quota of the cgroup.
    CgroupCpu,
    /// Resource limits of the process.
    Rlimits,
    /// No keyring of anybody's.
    Keyring,
}

impl Layer {
    /// Every layer, in order.
    pub const ALL: [Layer; 19] = [
        Layer::UserNs,
        Layer::PidNs,
        Layer::MountNs,
        Layer::NetNs,
        Layer::IpcNs,
        Layer::UtsNs,
        Layer::CgroupNs,
        Layer::TimeNs,
        Layer::Tree,
        Layer::Uid,
        Layer::Capabilities,
        Layer::NoNewPrivs,
        Layer::Landlock,
        Layer::Seccomp,
        Layer::CgroupMemory,
        Layer::CgroupPids,
        Layer::CgroupCpu,
        Layer::Rlimits,
        Layer::Keyring,
    ];

    /// The name used in answers, metrics and the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Layer::UserNs => "user_ns",
            Layer::PidNs => "pid_ns",
            Layer::MountNs => "mount_ns",
            Layer::NetNs => "net_ns",
            Layer::IpcNs => "ipc_ns",
            Layer::UtsNs => "uts_ns",
            Layer::CgroupNs => "cgroup_ns",
            Layer::TimeNs => "time_ns",
            Layer::Tree => "tree",
            Layer::Uid => "uid",
            Layer::Capabilities => "capabilities",
            Layer::NoNewPrivs => "no_new_privs",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
            Layer::CgroupMemory => "cgroup_memory",
            Layer::CgroupPids => "cgroup_pids",
            Layer::CgroupCpu => "cgroup_cpu",
            Layer::Rlimits => "rlimits",
            Layer::Keyring => "keyring",
        }
    }

    /// The layer of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.name() == name)
    }

    /// What to do on the host so that the layer can be had: a command or a setting.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Layer::UserNs => {
                "sysctl user.max_user_namespaces=10000; on Ubuntu 24.04 also install systemd/apparmor/jaild"
            }
            Layer::PidNs | Layer::MountNs | Layer::NetNs | Layer::IpcNs | Layer::UtsNs => {
                "use a kernel with namespaces (>= 5.15) and sysctl user.max_{pid,mnt,net,ipc,uts}_namespaces=10000"
            }
            Layer::CgroupNs => "use a kernel with CONFIG_CGROUPS and cgroup namespaces (>= 5.15)",
            Layer::TimeNs => "use a kernel with CONFIG_TIME_NS, or name time_ns under waive_layers in jaild.toml",
            Layer::Tree => "run jaild where /proc is mounted without covers (mount | grep /proc)",
            Layer::Uid => "usermod --add-subuids 1000000-1065535 --add-subgids 1000000-1065535 jaild",
            Layer::Capabilities | Layer::NoNewPrivs | Layer::Rlimits => "use a kernel >= 5.15",
            Layer::Landlock => {
                "boot with landlock in the lsm= list (CONFIG_SECURITY_LANDLOCK; see /sys/kernel/security/lsm)"
            }
            Layer::Seccomp => "use a kernel with CONFIG_SECCOMP_FILTER",
            Layer::CgroupMemory => {
                "boot with cgroup_enable=memory swapaccount=1, and run jaild from systemd/jaild.service (Delegate=yes)"
            }
            Layer::CgroupPids | Layer::CgroupCpu => "run jaild from systemd/jaild.service (Delegate=yes)",
            Layer::Keyring => "use a kernel with CONFIG_KEYS, or none at all",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of layers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Layers(u32);

impl Layers {
    /// Every layer there is.
    #[must_use]
    pub fn all() -> Self {
        Layer::ALL.into_iter().collect()
    }

    /// Whether `layer` is in the set.
    #[must_use]
    pub fn has(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }

    /// The set with `layer` in it.
    #[must_use]
    pub fn with(self, layer: Layer) -> Self {
        Layers(self.0 | 1 << layer as u8)
    }

    /// The layers of this set that `other` lacks.
    #[must_use]
    pub fn without(self, other: Layers) -> Self {
        Layers(self.0 & !other.0)
    }

    /// The layers, in order.
    pub fn iter(self) -> impl Iterator<Item = Layer> {
        Layer::ALL.into_iter().filter(move |layer| self.has(*layer))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn to_wire(self) -> u32 {
        self.0
    }

    /// `None` when a bit is set that names no layer.
    pub(crate) fn from_wire(bits: u32) -> Option<Self> {
        let set = Layers(bits);
        set.without(Layers::all()).is_empty().then_some(set)
    }
}

impl FromIterator<Layer> for Layers {
    fn from_iter<I: IntoIterator<Item = Layer>>(layers: I) -> Self {
        layers.into_iter().fold(Layers::default(), Layers::with)
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Layer::name)).finish()
    }
}
