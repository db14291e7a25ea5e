//! The unified hierarchy: a leaf of its own for every run.

use std::cell::Cell;

use super::*;

/// The folder that was delegated to us.
#[derive(Debug)]
pub struct Base {
    pub(super) folder: OwnedFd,
}

/// `slot-K`, which holds `init` and the runs' leaves.
#[derive(Debug)]
pub struct Slot {
    base: OwnedFd,
    name: String,
    group: Group,
    pub(super) init: Group,
    urgency: Cell<Urgency>,
}

/// `run-N`.
#[derive(Debug)]
pub struct Run {
    pub(super) slot: Group,
    init: Group,
    pub(super) name: String,
    pub(super) leaf: Group,
    /// What arming the payload took: it is in the leaf from its clone on.
    before: [Micros; 3],
    peak: Option<u64>,
    tasks: u64,
}

/// All of it, in programs and in the kernel.
const CPU_TIMES: [&str; 3] = ["usage_usec", "user_usec", "system_usec"];
const CONTROLLERS: &str = "+cpu +memory +pids";
const CPUSET: &str = "+cpuset";
/// What the owner of a delegated folder writes, see *Delegation* in cgroup-v2.rst.
const DELEGATED: [&str; 3] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

/// What of a run's leaf its beginning and its clocks need at once.
const FILES: [&str; 5] = ["memory.max", "pids.max", "cpu.max", "cpu.stat", "cgroup.kill"];

const ROOT: &str = "/sys/fs/cgroup";
/// How much memory init may be charged with in its leaf, also when it collects.
const INIT_MEMORY: u64 = 64 << 20;

fn path_of(place: &Place, memberships: &str) -> PathBuf {
    match place {
        Place::Own => Path::new(ROOT).join(membership(memberships, "").unwrap_or("/").trim_start_matches('/')),
        Place::Named(name) => Path::new(ROOT).join(name),
    }
}

/// The named folder, where this host has the unified hierarchy and it is there.
pub(super) fn path(place: &Place, memberships: &str) -> Option<PathBuf> {
    (is_unified() && *place != Place::Own).then(|| path_of(place, memberships)).filter(|path| path.is_dir())
}

/// Whoever else lives in the group that was delegated (the supervisor and the engine of `engined up`) moves along.
fn make_room(group: &Path, broker: &Path) -> Result<(), JailError> {
    let members = std::fs::read_to_string(group.join("cgroup.procs")).on(Step::Cgroup, group.display().to_string())?;
    for pid in members.lines() {
        match std::fs::write(broker.join("cgroup.procs"), pid) {
            // It has ended meanwhile.
            Err(e) if e.raw_os_error() == Some(libc::ESRCH) => {}
            other => other.on(Step::Cgroup, format!("{}: process {pid}", broker.display()))?,
        }
    }
    Ok(())
}

/// Hands the cpuset controller down where this group has it: what is not delegated is done without, see `cpuset.rs`.
fn offer_cpuset(group: &Path, pinned: bool) -> Result<(), JailError> {
    let has = std::fs::read_to_string(group.join("cgroup.controllers")).is_ok_and(|list| cpuset::is_among(&list));
    if !(has && pinned) {
        return Ok(());
    }
    let file = group.join("cgroup.subtree_control");
    std::fs::write(&file, CPUSET).on(Step::Cgroup, format!("{}: {CPUSET}", file.display()))
}

impl Base {
    pub(super) fn create(
        place: &Place,
        owner: Option<(u32, u32)>,
        memberships: &str,
        pinned: bool,
    ) -> Result<Self, JailError> {
        let root = Path::new(ROOT);
        let path = path_of(place, memberships);
        if matches!(place, Place::Named(_)) {
            std::fs::write(root.join("cgroup.subtree_control"), CONTROLLERS).on(Step::Cgroup, "root controllers")?;
            offer_cpuset(root, pinned)?;
        }
        hand_over(&path, owner, &DELEGATED)?;
        // A group with processes of its own can't hand controllers down: jaild moves into a leaf.
        let broker = path.join("broker");
        hand_over(&broker, owner, &DELEGATED)?;
        std::fs::write(broker.join("cgroup.procs"), "0").on(Step::Cgroup, broker.display().to_string())?;
        if *place == Place::Own {
            make_room(&path, &broker)?;
        }
        std::fs::write(path.join("cgroup.subtree_control"), CONTROLLERS)
            .on(Step::Cgroup, format!("{}: {CONTROLLERS}", path.display()))?;
        offer_cpuset(&path, pinned)?;
        let folder: OwnedFd = File::open(&path).on(Step::Cgroup, path.display().to_string())?.into();
        Ok(Base { folder })
    }

    /// Whether [`Base::create`] could have it.
    pub(super) fn has_cpuset(&self) -> bool {
        get(self.folder.as_fd(), "cgroup.subtree_control").is_ok_and(|list| cpuset::is_among(&list))
    }

    pub(super) fn slot(&self, number: u32) -> Result<Slot, JailError> {
        let name = format!("slot-{number}");
        let group = Group::new(make_folder(self.folder.as_fd(), &name)?, &["cpu.weight", "cgroup.procs"])?;
        group.put("cgroup.subtree_control", CONTROLLERS)?;
        if self.has_cpuset() {
            group.put("cgroup.subtree_control", CPUSET)?;
        }
        let init = Group::new(make_folder(group.as_fd(), "init")?, &["memory.max", "memory.current"])?;
        init.limit("pids.max", "16")?;
        let base = self.folder.try_clone().at(Step::Cgroup)?;
        Ok(Slot { base, name, group, init, urgency: Cell::new(Urgency::Waited) })
    }
}

impl Slot {
    pub(super) fn urge(&self, urgency: Urgency) -> Result<(), JailError> {
        if self.urgency.get() != urgency {
            // 100 is what every group begins with.
            self.group.put("cpu.weight", if urgency == Urgency::Stock { "6" } else { "100" })?;
            self.urgency.set(urgency);
        }
        Ok(())
    }

    pub(super) fn run(&self, number: u64, init_uid: u32) -> Result<Run, JailError> {
        let name = format!("run-{number}");
        let leaf = Group::new(make_folder(self.group.as_fd(), &name)?, &FILES)?;
        leaf.limit("memory.swap.max", "0").or_else(|e| {
            // Without CONFIG_SWAP the file is absent, and so is what it limits.
            if e.source.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) }
        })?;
        leaf.limit("memory.oom.group", "1")?;
        // Init, of another uid, clones the payload into the leaf: it must be able to write the leaf's list and that of
        // the common ancestor of both leaves, and can so move its own processes between the two, nowhere else.
        for group in [&leaf, &self.group] {
            group.give("cgroup.procs", init_uid)?;
        }
        let (slot, init) = (self.group.clone(), self.init.clone());
        Ok(Run::of(slot, init, name, leaf))
    }

    pub(super) fn try_remove(&self) -> Result<bool, JailError> {
        Ok(try_sweep(self.group.as_fd())? && try_remove(self.base.as_fd(), &self.name)?)
    }
}

impl Run {
    pub(super) fn of(slot: Group, init: Group, name: String, leaf: Group) -> Self {
        Run { slot, init, name, leaf, before: [Micros(0); 3], peak: None, tasks: 0 }
    }

    pub(super) fn limit(&mut self, limits: &Limits, layers: Layers) -> Result<(), JailError> {
        self.before = self.cpu_times()?;
        let leaf = &self.leaf;
        if layers.has(Layer::CgroupMemory) {
            let memory = whole_pages(limits.memory.0).to_string();
            leaf.limit("memory.max", &memory)?;
            // What the kernel has not let go yet of inits before.
            let held = self.init.number("memory.current")?;
            let init = whole_pages(INIT_MEMORY + held).to_string();
            self.init.limit("memory.max", &init)?;
        }
        if layers.has(Layer::CgroupPids) {
            let processes = limits.processes.to_string();
            leaf.limit("pids.max", &processes)?;
        }
        if layers.has(Layer::CgroupCpu) {
            let quota = format!("{} {PERIOD_US}", quota_us(limits));
            leaf.limit("cpu.max", &quota)?;
        }
        Ok(())
    }

    pub(super) fn cpu(&self) -> Result<Micros, JailError> {
        let used = self.leaf.keyed("cpu.stat", CPU_TIMES[0])?;
        Ok(Micros(used.saturating_sub(self.before[0].0)))
    }

    fn cpu_times(&self) -> Result<[Micros; 3], JailError> {
        self.leaf.read("cpu.stat", |stat| CPU_TIMES.map(|key| Micros(keyed(stat, key))))
    }

    /// Kernels before 5.19 have no `memory.peak`, those before 6.1 no `pids.peak`.
    pub(super) fn sample(&mut self) {
        if let Ok(now) = self.leaf.number("memory.current") {
            self.peak = self.peak.max(Some(now));
        }
        if let Ok(now) = self.leaf.number("pids.current") {
            self.tasks = self.tasks.max(now);
        }
    }

    pub(super) fn counted(&self) -> Result<Counted, JailError> {
        let leaf = &self.leaf;
        let (now, before) = (self.cpu_times()?, self.before);
        let [cpu, user, system] = std::array::from_fn(|at| Micros(now[at].0.saturating_sub(before[at].0)));
        let (memory_peak, memory_peak_source) = match leaf.number("memory.peak") {
            Ok(peak) => (peak, PeakSource::Kernel),
            Err(_) => (self.peak.unwrap_or(0), PeakSource::Sampled),
        };
        let tasks = leaf.number("pids.peak").unwrap_or(self.tasks.max(1));
        Ok(Counted {
            cpu,
            user,
            system,
            memory_peak: Bytes(memory_peak),
            memory_peak_source,
            processes_peak: u32::try_from(tasks).unwrap_or(u32::MAX),
            processes_hit: leaf.keyed("pids.events", "max")? > 0,
            throttled: Micros(leaf.keyed("cpu.stat", "throttled_usec")?),
            oom_kills: u32::try_from(leaf.keyed("memory.events", "oom_kill")?).unwrap_or(u32::MAX),
        })
    }
}
