//! The older hierarchies: one group per slot and controller, kept, reset and compared between runs.

use std::cell::{Cell, OnceCell};
use std::os::fd::AsRawFd;
use std::rc::Rc;

use super::*;

/// One folder per controller, in this order.
const CONTROLLERS: [&str; 4] = ["memory", "pids", "cpu", "cpuacct"];
/// The one that is there when runs are pinned, after the others.
const CPUSET: &str = "cpuset";
pub(super) const MEMORY: usize = 0;
pub(super) const PIDS: usize = 1;
const CPU: usize = 2;
const CPUACCT: usize = 3;
/// What of each is read or written in every run.
const FILES: [&[&str]; 4] = [
    &[
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.usage_in_bytes",
        "memory.stat",
        "memory.oom_control",
        "memory.kmem.tcp.limit_in_bytes",
        "cgroup.event_control",
    ],
    &["pids.max", "pids.current", "pids.peak", "pids.events"],
    &["cpu.cfs_quota_us", "cpu.stat", "cpu.shares"],
    &["cpuacct.usage", "cpuacct.usage_user", "cpuacct.usage_sys"],
];
/// How much more a slot at rest may hold than when it was new: slab that the kernel frees later, not a run's.
const REST_SLACK: u64 = 16 << 20;
/// What making a sandbox may take beside what a slot at rest holds. Limits of the run before that leave as much are left.
const MAKING_MEMORY: u64 = 64 << 20;
const MAKING_TASKS: u64 = 16;
/// How much the collector may be charged with above the run's own limit: names, buffers, a pipe.
const COLLECTOR_MEMORY: u64 = 32 << 20;

/// The folders that were made for us.
#[derive(Debug)]
pub struct Base {
    pub(super) folders: [OwnedFd; 4],
    /// When runs are pinned and the controller is to be had.
    pub(super) cpuset: Option<OwnedFd>,
}

/// `slot-K` under each controller.
#[derive(Debug)]
pub struct Slot {
    base: [OwnedFd; 4],
    name: String,
    groups: [Group; 4],
    cpuset: Option<cpuset::Slot>,
    /// A run has been kept to its CPUs, and the spawner with it.
    placed: Rc<Cell<bool>>,
    set: Rc<Set>,
    /// What the spawner holds, taken before the first run.
    rest: OnceCell<u64>,
    urgency: Cell<Urgency>,
    /// Told by the kernel when it kills for memory in here.
    oom: Rc<EventFd>,
}

/// The slot's groups during one run.
#[derive(Debug)]
pub struct Run {
    groups: [Group; 4],
    cpuset: Option<OwnedFd>,
    placed: Rc<Cell<bool>>,
    set: Rc<Set>,
    pub(super) oom: Rc<EventFd>,
    before: Before,
    tasks: u64,
    rest: u64,
}

/// The limits that were written last, each of a run read back then. Nobody else writes them, so one that is there need not be
/// written again. `None`: not known.
#[derive(Debug, Default)]
struct Set {
    memory: Cell<Option<u64>>,
    sockets: Cell<Option<u64>>,
    tasks: Cell<Option<u64>>,
    /// The quota, and the CPU time that the slot had used by then.
    quota: Cell<Option<(u64, u64)>>,
}

/// Writes a limit and reads it back, unless it is there.
fn hold(group: &Group, name: &'static str, value: u64, set: &Cell<Option<u64>>) -> Result<(), JailError> {
    if set.get() == Some(value) {
        return Ok(());
    }
    set.set(None);
    group.limit(name, &value.to_string())?;
    set.set(Some(value));
    Ok(())
}

/// What the counters that can't be reset, and the members that are not the payload, came to before the payload began.
#[derive(Debug, Default)]
struct Before {
    /// Everything charged: the mark of the run is counted from here.
    charged: u64,
    /// What can't be given back, of spawner and init: the limit is set above it. Clean pages of files, read by earlier
    /// runs, are not part of it: the kernel drops them when the run needs the room.
    held: u64,
    tasks: u64,
    tasks_peak: u64,
    cpu_ns: u64,
    user_ns: u64,
    system_ns: u64,
    throttled_ns: u64,
    oom_kills: u64,
    forks_refused: u64,
}

fn mountinfo() -> Result<String, JailError> {
    std::fs::read_to_string("/proc/self/mountinfo").on(Step::Cgroup, "/proc/self/mountinfo")
}

/// Below the group in which this process is, so that whatever limits it limits its sandboxes too.
fn path_of(place: &Place, controller: &str, mounts: &str, memberships: &str) -> Option<PathBuf> {
    let name = match place {
        Place::Own => "engined",
        Place::Named(name) => name,
    };
    let own = membership(memberships, controller)?.trim_start_matches('/');
    Some(mount_point(mounts, controller)?.join(own).join(name))
}

/// The folders under each controller, where they are there.
pub(super) fn paths(place: &Place, memberships: &str) -> Result<Vec<PathBuf>, JailError> {
    let mounts = mountinfo()?;
    let found =
        CONTROLLERS.iter().chain([&CPUSET]).filter_map(|controller| path_of(place, controller, &mounts, memberships));
    Ok(found.filter(|path| path.is_dir()).collect())
}

impl Base {
    pub(super) fn create(
        place: &Place,
        owner: Option<(u32, u32)>,
        memberships: &str,
        pinned: bool,
    ) -> Result<Self, JailError> {
        let mounts = mountinfo()?;
        let open = |controller: &str| {
            let missing = || io::Error::new(io::ErrorKind::NotFound, "neither mounted as cgroup v1 nor on v2");
            let path =
                path_of(place, controller, &mounts, memberships).ok_or_else(missing).on(Step::Cgroup, controller)?;
            hand_over(&path, owner, &["cgroup.procs", "tasks"])?;
            let folder: OwnedFd = File::open(&path).on(Step::Cgroup, path.display().to_string())?.into();
            Ok(folder)
        };
        let [memory, pids, cpu, cpuacct] = CONTROLLERS.map(open);
        let folders = [memory?, pids?, cpu?, cpuacct?];
        let cpuset = path_of(place, CPUSET, &mounts, memberships).filter(|_| pinned);
        Ok(Base { folders, cpuset: cpuset.and_then(|path| cpuset::make_base(&path, owner)) })
    }

    /// Its folders.
    pub(super) fn all(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.folders.iter().chain(&self.cpuset).map(AsFd::as_fd)
    }

    pub(super) fn slot(&self, number: u32) -> Result<Slot, JailError> {
        let name = format!("slot-{number}");
        let group =
            |controller: usize| Group::new(make_folder(self.folders[controller].as_fd(), &name)?, FILES[controller]);
        let groups = [group(MEMORY)?, group(PIDS)?, group(CPU)?, group(CPUACCT)?];
        // Swap off: with 0 the kernel never swaps pages of this group.
        groups[MEMORY].limit("memory.swappiness", "0")?;
        groups[CPU].limit("cpu.cfs_period_us", &PERIOD_US.to_string())?;
        let cpuset = self.cpuset.as_ref().map(|base| cpuset::Slot::make(base.as_fd(), &name)).transpose()?;
        let (base, rest, placed) = (duplicates(&self.folders)?, OnceCell::new(), Rc::default());
        let oom = Rc::new(watch_oom(&groups[MEMORY])?);
        let (set, urgency) = (Rc::default(), Cell::new(Urgency::Waited));
        Ok(Slot { base, name, groups, cpuset, placed, set, rest, urgency, oom })
    }
}

impl Slot {
    pub(super) fn enter(&self) -> Result<(), JailError> {
        let cpuset = self.cpuset.as_ref().map(|slot| slot.folder.as_fd());
        self.groups.iter().map(AsFd::as_fd).chain(cpuset).try_for_each(|group| put(group, "cgroup.procs", "0"))
    }

    pub(super) fn urge(&self, urgency: Urgency) -> Result<(), JailError> {
        if self.urgency.get() != urgency {
            // 1,024 is what every group begins with.
            let shares = if urgency == Urgency::Stock { "64" } else { "1024" };
            self.groups[CPU].put("cpu.shares", shares)?;
            self.urgency.set(urgency);
        }
        Ok(())
    }

    /// Lifts the last run's limits as far as making the next sandbox needs: it is made by our own code.
    pub(super) fn run(&self) -> Result<Run, JailError> {
        let [memory, pids, cpu, _] = &self.groups;
        let rest = match self.rest.get() {
            Some(rest) => *rest,
            None => *self.rest.get_or_init({
                let now = held(memory)?;
                move || now
            }),
        };
        if self.set.memory.get().is_none_or(|most| most < rest + REST_SLACK + MAKING_MEMORY) {
            self.set.memory.set(None);
            memory.put("memory.limit_in_bytes", &(1_u64 << 30).to_string())?;
        }
        if self.set.tasks.get().is_none_or(|most| most < MAKING_TASKS) {
            self.set.tasks.set(None);
            pids.put("pids.max", "64")?;
        }
        // A core will do; the write waits for every CPU's bandwidth timer, a tenth of a millisecond.
        if self.set.quota.get().is_some_and(|(quota, _)| quota < PERIOD_US) {
            self.set.quota.set(None);
            cpu.put("cpu.cfs_quota_us", "-1")?;
        }
        if self.placed.take() {
            match &self.cpuset {
                Some(slot) => slot.release()?,
                None => cpuset::release(pids.as_fd())?,
            }
        }
        let cpuset = self.cpuset.as_ref().map(|slot| slot.folder.try_clone().at(Step::Cgroup)).transpose()?;
        let (groups, placed, set) = (self.groups.clone(), Rc::clone(&self.placed), Rc::clone(&self.set));
        Ok(Run { groups, cpuset, placed, set, oom: Rc::clone(&self.oom), before: Before::default(), tasks: 0, rest })
    }

    pub(super) fn try_remove(&self) -> Result<bool, JailError> {
        // All of them each time: those that have gone already count as gone.
        let bases = self.base.iter().map(AsFd::as_fd).chain(self.cpuset.as_ref().map(cpuset::Slot::base));
        let tries = bases.map(|base| try_remove(base, &self.name));
        tries.collect::<Result<Vec<bool>, JailError>>().map(|gone| gone.into_iter().all(|gone| gone))
    }
}

impl Run {
    pub(super) fn limit(&mut self, limits: &Limits, layers: Layers) -> Result<(), JailError> {
        let [memory, pids, cpu, cpuacct] = &self.groups;
        memory.put("memory.max_usage_in_bytes", "0")?;
        let charged = memory.number("memory.usage_in_bytes")?;
        self.before = Before {
            charged,
            held: charged.saturating_sub(of_files(memory)?),
            // The payload is there and waits: all but itself is ours.
            tasks: pids.number("pids.current")?.saturating_sub(1),
            tasks_peak: pids.number("pids.peak").unwrap_or(0),
            cpu_ns: cpuacct.number("cpuacct.usage")?,
            user_ns: cpuacct.number("cpuacct.usage_user")?,
            system_ns: cpuacct.number("cpuacct.usage_sys")?,
            throttled_ns: cpu.keyed("cpu.stat", "throttled_time")?,
            oom_kills: memory.keyed("memory.oom_control", "oom_kill")?,
            forks_refused: pids.keyed("pids.events", "max")?,
        };
        if layers.has(Layer::CgroupMemory) {
            let most = whole_pages(limits.memory.0 + self.before.held);
            hold(memory, "memory.limit_in_bytes", most, &self.set.memory)?;
            // Buffers of sockets are a pot of their own here, where the kernel counts them at all.
            let sockets = whole_pages((limits.memory.0 / 4).max(1 << 20));
            match hold(memory, "memory.kmem.tcp.limit_in_bytes", sockets, &self.set.sockets) {
                Err(e) if e.source.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        if layers.has(Layer::CgroupPids) {
            hold(pids, "pids.max", u64::from(limits.processes) + self.before.tasks, &self.set.tasks)?;
        }
        if layers.has(Layer::CgroupCpu) {
            let quota = quota_us(limits);
            if !self.has_quota(quota) {
                self.set.quota.set(None);
                cpu.limit("cpu.cfs_quota_us", &quota.to_string())?;
                self.set.quota.set(Some((quota, self.before.cpu_ns)));
            }
        }
        Ok(())
    }

    /// Whether the quota is there, and nearly whole. The write, which is dear, gives back what was used of this period: it
    /// is made again when runs before may have used a tenth of it.
    fn has_quota(&self, quota_us: u64) -> bool {
        self.set.quota.get().is_some_and(|(set, cpu_ns)| {
            set == quota_us && self.before.cpu_ns.saturating_sub(cpu_ns) < quota_us * 1000 / 10
        })
    }

    pub(super) fn place(&self, cpus: &Cpus) -> Result<(), JailError> {
        self.placed.set(true);
        let group = self.cpuset.as_ref().map_or(self.groups[PIDS].as_fd(), AsFd::as_fd);
        cpuset::place(group, self.groups[PIDS].as_fd(), cpus)
    }

    pub(super) fn cpu(&self) -> Result<Micros, JailError> {
        let cpuacct = &self.groups[CPUACCT];
        Ok(Micros((cpuacct.number("cpuacct.usage")?.saturating_sub(self.before.cpu_ns)) / 1000))
    }

    pub(super) fn oom_happened(&self) -> bool {
        // Taken, so that the event does not wake the loop for ever; an empty counter is as good.
        let (Ok(_) | Err(_)) = self.oom.read();
        let memory = &self.groups[MEMORY];
        let kills = memory.keyed("memory.oom_control", "oom_kill").unwrap_or(0);
        kills > self.before.oom_kills
    }

    pub(super) fn sample(&mut self) {
        let pids = &self.groups[PIDS];
        if let Ok(now) = pids.number("pids.current") {
            self.tasks = self.tasks.max(now.saturating_sub(self.before.tasks));
        }
    }

    pub(super) fn lift_quota(&self) -> Result<(), JailError> {
        self.set.quota.set(None);
        self.groups[CPU].put("cpu.cfs_quota_us", "-1")
    }

    pub(super) fn make_room(&self) -> Result<(), JailError> {
        let memory = &self.groups[MEMORY];
        let most = memory.number("memory.limit_in_bytes")?;
        let more = whole_pages(most.saturating_add(COLLECTOR_MEMORY)).to_string();
        self.set.memory.set(None);
        memory.put("memory.limit_in_bytes", &more)?;
        self.lift_quota()
    }

    pub(super) fn counted(&self) -> Result<Counted, JailError> {
        let before = &self.before;
        let [memory, pids, quota, cpuacct] = &self.groups;
        let since_us = |file: &'static str, start: u64| -> Result<u64, JailError> {
            Ok(cpuacct.number(file)?.saturating_sub(start) / 1000)
        };
        // The sum is exact, its parts are counted in ticks: they give the ratio, as in the kernel's cputime_adjust.
        let cpu = since_us("cpuacct.usage", before.cpu_ns)?;
        let (user, system) =
            (since_us("cpuacct.usage_user", before.user_ns)?, since_us("cpuacct.usage_sys", before.system_ns)?);
        let user = match user + system {
            0 => cpu,
            ticks => u64::try_from(u128::from(cpu) * u128::from(user) / u128::from(ticks)).unwrap_or(cpu),
        };
        // The mark of the slot's whole life: exact for this run when this run raised it, else samples must do.
        let mark = pids.number("pids.peak").unwrap_or(0);
        let tasks = if mark > before.tasks_peak { mark.saturating_sub(before.tasks) } else { self.tasks.max(1) };
        // Of the file pages that earlier runs have read some may have gone when this one needed the room; they were no
        // part of its peak.
        let files_before = before.charged.saturating_sub(before.held);
        let files = if files_before == 0 { 0 } else { of_files(memory)? };
        let earlier = before.held + files.min(files_before);
        let throttled = quota.keyed("cpu.stat", "throttled_time")?;
        let oom_kills = memory.keyed("memory.oom_control", "oom_kill")?.saturating_sub(before.oom_kills);
        Ok(Counted {
            cpu: Micros(cpu),
            user: Micros(user),
            system: Micros(cpu - user),
            memory_peak: Bytes(memory.number("memory.max_usage_in_bytes")?.saturating_sub(earlier)),
            memory_peak_source: PeakSource::Kernel,
            processes_peak: u32::try_from(tasks).unwrap_or(u32::MAX),
            processes_hit: pids.keyed("pids.events", "max")? > before.forks_refused,
            throttled: Micros(throttled.saturating_sub(before.throttled_ns) / 1000),
            oom_kills: u32::try_from(oom_kills).unwrap_or(u32::MAX),
        })
    }

    /// At rest only the spawner is left, and the memory of the run has gone with its mounts.
    pub(super) fn try_finish(&self) -> Result<bool, JailError> {
        let [memory, pids, ..] = &self.groups;
        let tasks = pids.number("pids.current")?;
        let light = || Ok::<_, JailError>(memory.number("memory.usage_in_bytes")? <= self.rest + REST_SLACK);
        Ok(tasks <= 1 && (light()? || held(memory)? <= self.rest + REST_SLACK))
    }
}

/// Registers an eventfd with the group's `memory.oom_control`, see cgroup-v1/memory.rst, *OOM Control*.
fn watch_oom(memory: &Group) -> Result<EventFd, JailError> {
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK).on(Step::Cgroup, "eventfd")?;
    let control = memory.file("memory.oom_control")?;
    memory.put("cgroup.event_control", &format!("{} {}", event.as_fd().as_raw_fd(), control.as_raw_fd()))?;
    Ok(event)
}

/// What a group is charged with that is not a clean page of a file.
fn held(memory: &Group) -> Result<u64, JailError> {
    let files = of_files(memory)?;
    Ok(memory.number("memory.usage_in_bytes")?.saturating_sub(files))
}

/// The clean pages of files among it.
fn of_files(memory: &Group) -> Result<u64, JailError> {
    memory.read("memory.stat", |stat| keyed(stat, "inactive_file") + keyed(stat, "active_file"))
}

fn duplicates(folders: &[OwnedFd; 4]) -> Result<[OwnedFd; 4], JailError> {
    let [memory, pids, cpu, cpuacct] = folders.each_ref().map(|folder| folder.try_clone().at(Step::Cgroup));
    Ok([memory?, pids?, cpu?, cpuacct?])
}

/// Where the hierarchy with this controller is mounted, from `/proc/self/mountinfo` (see proc(5)).
fn mount_point(mounts: &str, controller: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (place, file_system) = line.split_once(" - ")?;
        let mut words = file_system.split(' ');
        let (kind, _source, options) = (words.next()?, words.next()?, words.next()?);
        let serves = kind == "cgroup" && options.split(',').any(|option| option == controller);
        serves.then(|| PathBuf::from(place.split(' ').nth(4).unwrap_or_default()))
    })
}
