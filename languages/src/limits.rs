//! Limits by the names that the API gives them: the contract's defaults, and what a manifest changes of them.

use std::fmt;

/// The two steps that a job may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Source to artifact.
    Compile,
    /// The program itself.
    Run,
}

impl Step {
    /// The last part of a profile's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Step::Compile => "compile",
            Step::Run => "run",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One of the limits of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitName {
    /// User and system time of all processes together.
    CpuTimeMs,
    /// From the program's start to its end.
    WallTimeMs,
    /// Memory of the cgroup.
    MemoryBytes,
    /// Processes and threads.
    Processes,
    /// Share of cores, counted in thousandths here.
    Cpus,
    /// Each of stdout and stderr.
    OutputBytes,
    /// One file.
    FileBytes,
    /// The whole work directory.
    DiskBytes,
    /// Open descriptors of a process.
    OpenFiles,
    /// Stack of the main thread.
    StackBytes,
}

impl LimitName {
    /// Every limit, in the order of the contract's table.
    pub const ALL: [LimitName; 10] = [
        LimitName::CpuTimeMs,
        LimitName::WallTimeMs,
        LimitName::MemoryBytes,
        LimitName::Processes,
        LimitName::Cpus,
        LimitName::OutputBytes,
        LimitName::FileBytes,
        LimitName::DiskBytes,
        LimitName::OpenFiles,
        LimitName::StackBytes,
    ];

    /// The name in the API and in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            LimitName::CpuTimeMs => "cpu_time_ms",
            LimitName::WallTimeMs => "wall_time_ms",
            LimitName::MemoryBytes => "memory_bytes",
            LimitName::Processes => "processes",
            LimitName::Cpus => "cpus",
            LimitName::OutputBytes => "output_bytes",
            LimitName::FileBytes => "file_bytes",
            LimitName::DiskBytes => "disk_bytes",
            LimitName::OpenFiles => "open_files",
            LimitName::StackBytes => "stack_bytes",
        }
    }

    /// An amount as the API writes it: `cpus` as a share, all others as they are.
    #[must_use]
    pub fn amount(self, value: u64) -> String {
        if self != LimitName::Cpus {
            return value.to_string();
        }
        let (cores, thousandths) = (value / 1_000, format!("{:03}", value % 1_000));
        let fraction = thousandths.trim_end_matches('0');
        format!("{cores}.{}", if fraction.is_empty() { "0" } else { fraction })
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Some of the limits. One that is `None` is left to whoever stands below: manifest, then contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSet {
    /// User and system time of all processes together.
    pub cpu_time_ms: Option<u64>,
    /// From the program's start to its end.
    pub wall_time_ms: Option<u64>,
    /// Memory of the cgroup: page cache, tmpfs and kernel memory included.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Share of cores in thousandths: the API's and the manifest's `cpus = 1.0` is 1,000 here.
    pub cpus_milli: Option<u64>,
    /// Each of stdout and stderr.
    pub output_bytes: Option<u64>,
    /// One file.
    pub file_bytes: Option<u64>,
    /// The whole work directory.
    pub disk_bytes: Option<u64>,
    /// Open descriptors of a process.
    pub open_files: Option<u64>,
    /// Stack of the main thread. Where nobody sets it, it follows the memory limit: see `stack_percent`.
    pub stack_bytes: Option<u64>,
    /// How much of the memory limit the stack is where nobody sets it; all of it where this is not set either. No limit
    /// of the API: a manifest's alone.
    pub stack_percent: Option<u64>,
}

/// Every limit with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// User and system time of all processes together.
    pub cpu_time_ms: u64,
    /// From the program's start to its end.
    pub wall_time_ms: u64,
    /// Memory of the cgroup: page cache, tmpfs and kernel memory included.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Share of cores in thousandths.
    pub cpus_milli: u64,
    /// Each of stdout and stderr.
    pub output_bytes: u64,
    /// One file.
    pub file_bytes: u64,
    /// The whole work directory.
    pub disk_bytes: u64,
    /// Open descriptors of a process.
    pub open_files: u64,
    /// Stack of the main thread.
    pub stack_bytes: u64,
}

/// A limit that a language can't start under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BelowFloor {
    /// Which.
    pub limit: LimitName,
    /// What was asked for.
    pub value: u64,
    /// The least that works.
    pub floor: u64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Limits {
    /// The contract's defaults for a step. A caller's limit that no manifest changes starts from here.
    #[must_use]
    pub const fn contract(step: Step) -> Limits {
        match step {
            Step::Run => Limits {
                cpu_time_ms: 5_000,
                wall_time_ms: 15_000,
                memory_bytes: 256 * MIB,
                processes: 64,
                cpus_milli: 1_000,
                output_bytes: MIB,
                file_bytes: 64 * MIB,
                disk_bytes: 128 * MIB,
                open_files: 256,
                stack_bytes: 256 * MIB,
            },
            Step::Compile => Limits {
                cpu_time_ms: 30_000,
                wall_time_ms: 60_000,
                memory_bytes: GIB,
                processes: 256,
                cpus_milli: 1_000,
                output_bytes: 256 * KIB,
                file_bytes: 256 * MIB,
                disk_bytes: 512 * MIB,
                open_files: 1_024,
                stack_bytes: GIB,
            },
        }
    }

    /// The value of one limit.
    #[must_use]
    pub fn get(&self, limit: LimitName) -> u64 {
        match limit {
            LimitName::CpuTimeMs => self.cpu_time_ms,
            LimitName::WallTimeMs => self.wall_time_ms,
            LimitName::MemoryBytes => self.memory_bytes,
            LimitName::Processes => self.processes,
            LimitName::Cpus => self.cpus_milli,
            LimitName::OutputBytes => self.output_bytes,
            LimitName::FileBytes => self.file_bytes,
            LimitName::DiskBytes => self.disk_bytes,
            LimitName::OpenFiles => self.open_files,
            LimitName::StackBytes => self.stack_bytes,
        }
    }

    /// The first limit that is under its floor.
    #[must_use]
    pub fn first_below(&self, floors: &LimitSet) -> Option<BelowFloor> {
        LimitName::ALL.into_iter().find_map(|limit| {
            let (value, floor) = (self.get(limit), floors.get(limit)?);
            (value < floor).then_some(BelowFloor { limit, value, floor })
        })
    }
}

impl LimitSet {
    /// The floors that hold for every language: under them no sandbox starts at all.
    #[must_use]
    pub fn least() -> LimitSet {
        LimitSet {
            cpu_time_ms: Some(1),
            wall_time_ms: Some(1),
            memory_bytes: Some(MIB),
            processes: Some(1),
            cpus_milli: Some(100),
            output_bytes: Some(1),
            file_bytes: Some(1),
            disk_bytes: Some(4 * KIB),
            open_files: Some(8),
            stack_bytes: Some(64 * KIB),
            stack_percent: None,
        }
    }

    /// The value of one limit, if this set has it.
    #[must_use]
    pub fn get(&self, limit: LimitName) -> Option<u64> {
        match limit {
            LimitName::CpuTimeMs => self.cpu_time_ms,
            LimitName::WallTimeMs => self.wall_time_ms,
            LimitName::MemoryBytes => self.memory_bytes,
            LimitName::Processes => self.processes,
            LimitName::Cpus => self.cpus_milli,
            LimitName::OutputBytes => self.output_bytes,
            LimitName::FileBytes => self.file_bytes,
            LimitName::DiskBytes => self.disk_bytes,
            LimitName::OpenFiles => self.open_files,
            LimitName::StackBytes => self.stack_bytes,
        }
    }

    /// Gives one limit a value.
    pub fn set(&mut self, limit: LimitName, value: u64) {
        let slot = match limit {
            LimitName::CpuTimeMs => &mut self.cpu_time_ms,
            LimitName::WallTimeMs => &mut self.wall_time_ms,
            LimitName::MemoryBytes => &mut self.memory_bytes,
            LimitName::Processes => &mut self.processes,
            LimitName::Cpus => &mut self.cpus_milli,
            LimitName::OutputBytes => &mut self.output_bytes,
            LimitName::FileBytes => &mut self.file_bytes,
            LimitName::DiskBytes => &mut self.disk_bytes,
            LimitName::OpenFiles => &mut self.open_files,
            LimitName::StackBytes => &mut self.stack_bytes,
        };
        *slot = Some(value);
    }

    /// This set with every value of `upper` laid over it.
    #[must_use]
    pub fn overlaid(&self, upper: &LimitSet) -> LimitSet {
        let mut both = LimitSet { stack_percent: upper.stack_percent.or(self.stack_percent), ..self.clone() };
        for limit in LimitName::ALL {
            if let Some(value) = upper.get(limit) {
                both.set(limit, value);
            }
        }
        both
    }

    /// The contract's defaults for `step` overlaid by this set. The stack follows the memory unless it is set, so lay
    /// a caller's limits over the manifest's before you resolve, not after.
    #[must_use]
    pub fn resolved(&self, step: Step) -> Limits {
        let base = Limits::contract(step);
        let memory_bytes = self.memory_bytes.unwrap_or(base.memory_bytes);
        let share = |percent: u64| memory_bytes / 100 * percent.min(100);
        Limits {
            cpu_time_ms: self.cpu_time_ms.unwrap_or(base.cpu_time_ms),
            wall_time_ms: self.wall_time_ms.unwrap_or(base.wall_time_ms),
            memory_bytes,
            processes: self.processes.unwrap_or(base.processes),
            cpus_milli: self.cpus_milli.unwrap_or(base.cpus_milli),
            output_bytes: self.output_bytes.unwrap_or(base.output_bytes),
            file_bytes: self.file_bytes.unwrap_or(base.file_bytes),
            disk_bytes: self.disk_bytes.unwrap_or(base.disk_bytes),
            open_files: self.open_files.unwrap_or(base.open_files),
            stack_bytes: self.stack_bytes.unwrap_or_else(|| self.stack_percent.map_or(memory_bytes, share)),
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_follows_the_memory_unless_it_is_set() {
        let mut caller = LimitSet { memory_bytes: Some(64 * MIB), ..LimitSet::default() };
        assert_eq!(caller.resolved(Step::Run).stack_bytes, 64 * MIB);
        let manifest = LimitSet { stack_percent: Some(5), ..LimitSet::default() };
        assert_eq!(manifest.overlaid(&caller).resolved(Step::Run).stack_bytes, 64 * MIB / 100 * 5);
        caller.stack_bytes = Some(8 * MIB);
        assert_eq!(caller.resolved(Step::Run).stack_bytes, 8 * MIB);
        assert_eq!(manifest.overlaid(&caller).resolved(Step::Run).stack_bytes, 8 * MIB);
        assert_eq!(caller.resolved(Step::Run).processes, 64);
    }

    #[test]
    fn the_upper_set_wins_and_the_rest_shows_through() {
        let manifest = LimitSet { processes: Some(256), memory_bytes: Some(512 * MIB), ..LimitSet::default() };
        let caller = LimitSet { processes: Some(8), ..LimitSet::default() };
        let both = manifest.overlaid(&caller);
        assert_eq!((both.processes, both.memory_bytes, both.cpus_milli), (Some(8), Some(512 * MIB), None));
    }

    #[test]
    fn the_first_limit_under_its_floor_is_named() {
        let floors = LimitSet { memory_bytes: Some(16 * MIB), processes: Some(4), ..LimitSet::default() };
        let asked = LimitSet { memory_bytes: Some(MIB), processes: Some(1), ..LimitSet::default() };
        let below = asked.resolved(Step::Run).first_below(&floors);
        assert_eq!(below, Some(BelowFloor { limit: LimitName::MemoryBytes, value: MIB, floor: 16 * MIB }));
        assert_eq!(LimitSet::default().resolved(Step::Run).first_below(&floors), None);
    }

    #[test]
    fn cpus_are_shown_as_a_share() {
        let shown = [100, 250, 1_000, 1_005, 16_000].map(|milli| LimitName::Cpus.amount(milli));
        assert_eq!(shown, ["0.1", "0.25", "1.0", "1.005", "16.0"]);
        assert_eq!(LimitName::MemoryBytes.amount(1_000), "1000");
    }

    #[test]
    fn get_and_set_agree_for_every_limit() {
        for (value, limit) in (1..).zip(LimitName::ALL) {
            let mut set = LimitSet::default();
            set.set(limit, value);
            assert_eq!(set.get(limit), Some(value));
            assert_eq!(set.resolved(Step::Compile).get(limit), value, "{limit}");
        }
    }
}
