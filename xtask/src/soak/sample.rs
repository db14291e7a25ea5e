//! What is held at a moment, twice: as the engine's gauges tell it, and as the host's own files do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::http::Client;
use crate::memory;
use crate::problem::{Problem, Result};

/// A series of numbers that must stay flat.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// Of the gauge, or of what only the host tells.
    pub name: &'static str,
    /// How much it may grow.
    pub bound: f64,
    /// How far the gauge may be from the host's number. `None` where the host has none.
    pub apart: Option<f64>,
    /// Why this bound.
    pub why: &'static str,
}

const fn series(name: &'static str, bound: f64, apart: Option<f64>, why: &'static str) -> Series {
    Series { name, bound, apart, why }
}

const MIB: f64 = 1_048_576.0;

/// cgroup v1 does not tell it.
pub const V2_ONLY: &str = "engined_sandbox_dying_cgroups";

/// All that is watched. With nothing under way each of them is a constant but for what the last column says.
pub const SERIES: [Series; 20] = [
    series("process_open_fds", 8.0, Some(2.0), "a connection that the client has just left may linger for 2 s"),
    series("process_threads", 2.0, Some(1.0), "tokio's own, as many as cores; one for blocking work comes and goes"),
    series(
        "process_resident_memory_bytes",
        16.0 * MIB,
        Some(4.0 * MIB),
        "results are kept for 15 min; malloc keeps pages",
    ),
    series("engined_memory_reserved_bytes", 8.0 * MIB, None, "results are kept for 15 min, 2 KiB each in this mix"),
    series("engined_memfd_bytes", 0.0, None, "with nothing under way there is no memory file"),
    series("engined_connections", 2.0, None, "the soak's own, and one that lingers"),
    series("engined_jaild_open_fds", 2.0, Some(0.0), "a fixed number for each slot"),
    series("engined_jaild_resident_memory_bytes", MIB, Some(0.25 * MIB), "a few pages of its heap"),
    series("engined_sandbox_processes", 0.0, Some(0.0), "a spawner for each slot and nothing else"),
    series(
        "engined_sandbox_cgroups",
        0.0,
        Some(0.0),
        "cgroup v1: a fixed number for each slot; v2: a run's goes with it",
    ),
    series(
        V2_ONLY,
        200.0,
        None,
        "what a run has left in the page cache keeps its group until the kernel wants the room",
    ),
    series("engined_sandbox_namespaces", 0.0, Some(0.0), "a fixed number for each spawner"),
    series("engined_sandbox_mounts", 0.0, Some(0.0), "the tree of each spawner"),
    series("engined_host_mounts", 0.0, Some(0.0), "engined mounts nothing on the host"),
    series("engined_sandbox_slab_bytes", 8.0 * MIB, Some(MIB), "the kernel frees dentries and inodes when it likes"),
    series(
        "engined_sandbox_work_bytes",
        MIB,
        Some(MIB),
        "the tree of each spawner; cgroup v2 counts in batches for each CPU",
    ),
    series("host: net namespaces", 200.0, None, "slabs in use, some half full; other engines on the host count too"),
    series("host: pid namespaces", 200.0, None, "as above"),
    series("host: memory cgroups", 2_000.0, None, "the dying ones included; other services on the host count too"),
    series("host: slab that is not reclaimable", 128.0 * MIB, None, "of the whole host, other services included"),
];

/// One moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Runs before it.
    pub runs: u32,
    /// Seconds since the begin.
    pub seconds: f64,
    /// What `/metrics` says, without labels; and below `host: `, what the host alone can tell.
    pub gauges: BTreeMap<String, f64>,
    /// What the host says under the gauges' names.
    pub host: BTreeMap<&'static str, f64>,
}

/// Series without labels and histograms of a text for Prometheus.
fn read_gauges(text: &str) -> BTreeMap<String, f64> {
    let pairs = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// All of `/metrics`.
pub fn metrics(client: &mut Client) -> Result<BTreeMap<String, f64>> {
    let (status, body) = client.ask("GET", "/metrics", "")?;
    if status != 200 {
        return Err(Problem::new(format!("GET /metrics answered {status}"), "target/release/engined doctor"));
    }
    Ok(read_gauges(&String::from_utf8_lossy(&body)))
}

/// Where the two programs are in /proc, and jaild's groups.
#[derive(Debug)]
pub struct Host {
    engined: u32,
    jaild: u32,
    /// Folder, and for how many of jaild's hierarchies it stands.
    groups: Vec<(PathBuf, u32)>,
    memory: PathBuf,
}

impl Host {
    /// Finds them below the supervisor.
    pub fn of(supervisor: u32) -> Result<Self> {
        let below = memory::tree(supervisor)?;
        let named = |name: &str| {
            let named = |pid: &&u32| read(&format!("/proc/{pid}/comm")).trim() == name;
            let found = below[1..].iter().find(named).copied();
            found
                .ok_or_else(|| Problem::new(format!("there is no {name} below process {supervisor}"), "run it as root"))
        };
        let (engined, jaild) = (named("engined")?, named("jaild")?);
        let spawner = memory::tree(jaild)?.get(1).copied();
        let spawner = spawner.ok_or_else(|| Problem::new("jaild has no child", "read its log"))?;
        let mut groups = Vec::new();
        for line in read(&format!("/proc/{spawner}/cgroup")).lines() {
            let mut words = line.splitn(3, ':').skip(1);
            let (controllers, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let ours =
                controllers.split(',').filter(|name| ["memory", "pids", "cpu", "cpuacct"].contains(name)).count();
            // v1: the spawner sits in its slot. v2: beside jaild.
            let base = path.rsplit_once("/slot-").or_else(|| path.rsplit_once("/broker"));
            if let Some((base, _)) = base {
                let folder = Path::new("/sys/fs/cgroup").join(controllers).join(base.trim_start_matches('/'));
                groups.push((folder, u32::try_from(ours.max(1)).unwrap_or(1)));
            }
        }
        let has_stat = |(folder, _): &&(PathBuf, u32)| folder.join("memory.stat").exists();
        let memory = groups.iter().find(has_stat).map(|(folder, _)| folder.clone());
        let memory = memory
            .ok_or_else(|| Problem::new("the groups of jaild are not where they should be", "mount /sys/fs/cgroup"))?;
        Ok(Host { engined, jaild, groups, memory })
    }

    /// What the host says now, under the gauges' names.
    pub fn look(&self) -> Result<BTreeMap<&'static str, f64>> {
        let of_jaild = memory::tree(self.jaild)?;
        let children: Vec<u32> = of_jaild.iter().copied().filter(|pid| parent(*pid) == Some(self.jaild)).collect();
        let threads = |pid: u32| entries(&format!("/proc/{pid}/task"));
        let mounts = |pid: u32| count(read(&format!("/proc/{pid}/mountinfo")).lines().count());
        let stat = read(&self.memory.join("memory.stat").to_string_lossy());
        let keyed = |keys: [&str; 2]| keys.iter().find_map(|key| field(&stat, key));
        let kernel = read(&self.memory.join("memory.kmem.usage_in_bytes").to_string_lossy()).trim().parse().ok();
        let own = namespaces(&[self.jaild]);
        let apart = namespaces(&of_jaild[1..]).difference(&own).count();
        let groups: f64 = self.groups.iter().map(|(folder, times)| folders(folder) * f64::from(*times)).sum();
        let told = [
            ("process_open_fds", Some(entries(&format!("/proc/{}/fd", self.engined)))),
            ("process_threads", Some(threads(self.engined))),
            ("process_resident_memory_bytes", resident(self.engined)),
            ("engined_jaild_open_fds", Some(entries(&format!("/proc/{}/fd", self.jaild)))),
            ("engined_jaild_resident_memory_bytes", resident(self.jaild)),
            ("engined_sandbox_processes", Some(of_jaild[1..].iter().map(|pid| threads(*pid)).sum())),
            ("engined_sandbox_cgroups", Some(groups)),
            ("engined_sandbox_namespaces", Some(count(apart))),
            ("engined_sandbox_mounts", Some(children.iter().map(|pid| mounts(*pid)).sum())),
            ("engined_host_mounts", Some(mounts(self.jaild))),
            ("engined_sandbox_slab_bytes", kernel.or_else(|| field(&stat, "slab"))),
            ("engined_sandbox_work_bytes", keyed(["total_shmem", "shmem"])),
        ];
        Ok(told.into_iter().filter_map(|(name, number)| Some((name, number?))).collect())
    }
}

/// What the host alone can tell.
fn alone() -> BTreeMap<String, f64> {
    let (slabs, cgroups, memory) = (read("/proc/slabinfo"), read("/proc/cgroups"), read("/proc/meminfo"));
    let kilobytes = field(&memory.replace(':', ""), "SUnreclaim");
    let told = [
        ("host: net namespaces", field(&slabs, "net_namespace")),
        ("host: pid namespaces", field(&slabs, "pid_namespace")),
        (
            "host: memory cgroups",
            cgroups.lines().find_map(|line| line.strip_prefix("memory\t")?.split('\t').nth(1)?.parse().ok()),
        ),
        ("host: slab that is not reclaimable", kilobytes.map(|kilobytes| kilobytes * 1024.0)),
    ];
    told.into_iter().filter_map(|(name, number)| Some((name.to_owned(), number?))).collect()
}

fn read(path: &str) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The second word of the line that begins with `key`.
fn field(text: &str, key: &str) -> Option<f64> {
    let mut lines = text.lines().map(str::split_whitespace);
    lines.find_map(|mut words| (words.next() == Some(key)).then(|| words.next()?.parse().ok()).flatten())
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

fn entries(path: &str) -> f64 {
    fs::read_dir(path).map_or(0.0, |all| count(all.count()))
}

fn parent(pid: u32) -> Option<u32> {
    let status = read(&format!("/proc/{pid}/status"));
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

fn resident(pid: u32) -> Option<f64> {
    field(&read(&format!("/proc/{pid}/status")), "VmRSS:").map(|kilobytes| kilobytes * 1024.0)
}

fn namespaces(pids: &[u32]) -> BTreeSet<PathBuf> {
    let links = pids.iter().filter_map(|pid| fs::read_dir(format!("/proc/{pid}/ns")).ok()).flatten();
    links.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect()
}

/// Folders below one.
fn folders(top: &Path) -> f64 {
    let below = fs::read_dir(top).into_iter().flatten().flatten();
    let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below.map(|entry| 1.0 + folders(&entry.path())).sum()
}

/// Takes samples when nothing is under way.
#[derive(Debug)]
pub struct Sampler {
    client: Client,
    host: Host,
}

impl Sampler {
    /// For the engine at `port` whose supervisor is `pid`.
    pub fn new(port: u16, pid: u32) -> Result<Self> {
        Ok(Sampler { client: Client::connect(port)?, host: Host::of(pid)? })
    }

    /// All of `/metrics` now.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, f64>> {
        metrics(&mut self.client)
    }

    /// Waits until nothing is under way and the numbers stand still: what leaks stands still too. At most a minute, as
    /// others may have the machine.
    pub fn sample(&mut self, runs: u32, seconds: f64) -> Result<Sample> {
        const STILL: [&str; 8] = [
            "process_open_fds",
            "engined_jaild_open_fds",
            "engined_sandbox_processes",
            "engined_sandbox_work_bytes",
            "engined_sandbox_cgroups",
            "engined_sandbox_namespaces",
            "engined_sandbox_mounts",
            "engined_host_mounts",
        ];
        let idle = |gauges: &BTreeMap<String, f64>| {
            ["engined_slots_in_use", "engined_memfd_bytes"].iter().all(|name| gauges.get(*name) == Some(&0.0))
                && gauges.get("engined_connections").is_some_and(|open| *open <= 1.0)
        };
        let mut before: Option<Sample> = None;
        for _ in 0..240 {
            // jaild counts anew every 200 ms.
            std::thread::sleep(std::time::Duration::from_millis(250));
            let mut gauges = self.metrics()?;
            let host = self.host.look()?;
            gauges.extend(alone());
            // The host was looked at between both: else a sandbox that is just made is seen by the one and not by the other.
            let still = |before: &Sample| {
                let same = STILL.iter().all(|name| before.gauges.get(*name) == gauges.get(*name));
                same && idle(&before.gauges) && idle(&gauges)
            };
            if let Some(still) = before.take_if(|before| still(before)) {
                return Ok(still);
            }
            before = Some(Sample { runs, seconds, gauges, host });
        }
        before.ok_or_else(|| Problem::new("no sample was taken", "run it again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_read_by_name() {
        let text = "# HELP a b\n# TYPE a gauge\na 5\nb{c=\"d e\"} 1.5\nc_sum 2\n";
        let gauges = read_gauges(text);
        assert_eq!((gauges["a"], gauges["b{c=\"d e\"}"], gauges.len()), (5.0, 1.5, 3));
    }

    #[test]
    fn fields_and_folders_are_found() {
        assert_eq!(field("net_namespace 39 56\nmnt 1\n", "mnt"), Some(1.0));
        assert_eq!(field("net_namespace x\n", "net_namespace"), None);
        assert!(entries("/proc/self/fd") >= 3.0 && resident(std::process::id()).is_some_and(|bytes| bytes > MIB));
        assert!(folders(&crate::build::root().join("xtask/src")) >= 1.0);
    }
}
