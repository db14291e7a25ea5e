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
    folder: OwnedFd,
    pub(super) init: OwnedFd,
    urgency: Cell<Urgency>,
}

/// `run-N`.
#[derive(Debug)]
pub struct Run {
    pub(super) slot: OwnedFd,
    pub(super) name: String,
    pub(super) leaf: OwnedFd,
    peak: Option<u64>,
    tasks: u64,
}

const CONTROLLERS: &str = "+cpu +memory +pids";
const CPUSET: &str = "+cpuset";
/// What the owner of a delegated folder writes, see *Delegation* in cgroup-v2.rst.
const DELEGATED: [&str; 3] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control"];

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
        let folder = make_folder(self.folder.as_fd(), &name)?;
        put(folder.as_fd(), "cgroup.subtree_control", CONTROLLERS)?;
        if self.has_cpuset() {
            put(folder.as_fd(), "cgroup.subtree_control", CPUSET)?;
        }
        let init = make_folder(folder.as_fd(), "init")?;
        limit(init.as_fd(), "pids.max", "16", "16")?;
        let base = self.folder.try_clone().at(Step::Cgroup)?;
        Ok(Slot { base, name, folder, init, urgency: Cell::new(Urgency::Waited) })
    }
}

impl Slot {
    pub(super) fn urge(&self, urgency: Urgency) -> Result<(), JailError> {
        if self.urgency.get() != urgency {
            // 100 is what every group begins with.
            put(self.folder.as_fd(), "cpu.weight", if urgency == Urgency::Stock { "6" } else { "100" })?;
            self.urgency.set(urgency);
        }
        Ok(())
    }

    pub(super) fn run(&self, number: u64, init_uid: u32) -> Result<Run, JailError> {
        let name = format!("run-{number}");
        let leaf = make_folder(self.folder.as_fd(), &name)?;
        limit(leaf.as_fd(), "memory.swap.max", "0", "0").or_else(|e| {
            // Without CONFIG_SWAP the file is absent, and so is what it limits.
            if e.source.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) }
        })?;
        limit(leaf.as_fd(), "memory.oom.group", "1", "1")?;
        // Init, of another uid, clones the payload into the leaf: it must be able to write the leaf's list and that of
        // the common ancestor of both leaves, and can so move its own processes between the two, nowhere else.
        for folder in [leaf.as_fd(), self.folder.as_fd()] {
            let list = open_file(folder, "cgroup.procs", OFlag::O_WRONLY)?;
            std::os::unix::fs::fchown(&list, Some(init_uid), None).on(Step::Cgroup, "cgroup.procs")?;
        }
        let slot = self.folder.try_clone().at(Step::Cgroup)?;
        Ok(Run { slot, name, leaf, peak: None, tasks: 0 })
    }

    pub(super) fn try_remove(&self) -> Result<bool, JailError> {
        Ok(try_sweep(self.folder.as_fd())? && try_remove(self.base.as_fd(), &self.name)?)
    }
}

impl Run {
    pub(super) fn limit(&mut self, limits: &Limits, layers: Layers) -> Result<(), JailError> {
        let leaf = self.leaf.as_fd();
        if layers.has(Layer::CgroupMemory) {
            let memory = whole_pages(limits.memory.0).to_string();
            limit(leaf, "memory.max", &memory, &memory)?;
            let init_leaf = open_folder(self.slot.as_fd(), "init")?;
            // What the kernel has not let go yet of inits before.
            let held = number(init_leaf.as_fd(), "memory.current")?;
            let init = whole_pages(INIT_MEMORY + held).to_string();
            limit(init_leaf.as_fd(), "memory.max", &init, &init)?;
        }
        if layers.has(Layer::CgroupPids) {
            let processes = limits.processes.to_string();
            limit(leaf, "pids.max", &processes, &processes)?;
        }
        if layers.has(Layer::CgroupCpu) {
            let quota = format!("{} {PERIOD_US}", quota_us(limits));
            limit(leaf, "cpu.max", &quota, &quota)?;
        }
        Ok(())
    }

    pub(super) fn cpu(&self) -> Result<Micros, JailError> {
        Ok(Micros(keyed(&get(self.leaf.as_fd(), "cpu.stat")?, "usage_usec")))
    }

    /// Kernels before 5.19 have no `memory.peak`, those before 6.1 no `pids.peak`.
    pub(super) fn sample(&mut self) {
        if let Ok(now) = number(self.leaf.as_fd(), "memory.current") {
            self.peak = self.peak.max(Some(now));
        }
        if let Ok(now) = number(self.leaf.as_fd(), "pids.current") {
            self.tasks = self.tasks.max(now);
        }
    }

    pub(super) fn counted(&self) -> Result<Counted, JailError> {
        let leaf = self.leaf.as_fd();
        let cpu = get(leaf, "cpu.stat")?;
        let (memory_peak, memory_peak_source) = match number(leaf, "memory.peak") {
            Ok(peak) => (peak, PeakSource::Kernel),
            Err(_) => (self.peak.unwrap_or(0), PeakSource::Sampled),
        };
        let tasks = number(leaf, "pids.peak").unwrap_or(self.tasks.max(1));
        Ok(Counted {
            cpu: Micros(keyed(&cpu, "usage_usec")),
            user: Micros(keyed(&cpu, "user_usec")),
            system: Micros(keyed(&cpu, "system_usec")),
            memory_peak: Bytes(memory_peak),
            memory_peak_source,
            processes_peak: u32::try_from(tasks).unwrap_or(u32::MAX),
            processes_hit: keyed(&get(leaf, "pids.events")?, "max") > 0,
            throttled: Micros(keyed(&cpu, "throttled_usec")),
            oom_kills: u32::try_from(keyed(&get(leaf, "memory.events")?, "oom_kill")).unwrap_or(u32::MAX),
        })
    }
}
