//! What an engine that is at rest has: processes, namespaces, mounts, control groups, descriptors, files and bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::common::live::{Up, control_groups, descendants};

/// Everything that could be left behind, in a form that is the same again when nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Who is there, by name and depth of pid namespaces.
    processes: BTreeMap<String, usize>,
    /// Namespaces that the test is not in, by kind.
    namespaces: BTreeMap<String, usize>,
    /// Mounts that jaild, and so the host, sees.
    mounts: usize,
    /// Control groups, without the hierarchies that they are in.
    groups: BTreeSet<String>,
    /// Processes in them that are no descendants of the engine.
    strays: BTreeSet<u32>,
    /// Descriptors of each program, by what they are.
    descriptors: BTreeMap<String, BTreeMap<String, usize>>,
    /// Files in the state folder.
    files: BTreeSet<String>,
    /// What the work folders of runs hold, in MiB.
    work_mib: u64,
}

/// What a link in `/proc` leads to, without the numbers that differ each time. A connection to a database opens the log
/// beside it when it first has a question, be that hours later: what is left behind shows by its connection.
fn kind(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?.to_string_lossy().into_owned();
    if target.ends_with(".sqlite-wal") {
        return None;
    }
    // What engined holds of itself, so that a rule on it stays.
    let own = target.strip_prefix("/proc/").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    Some(if own { "/proc/PID".to_owned() } else { target.split(":[").next().unwrap_or_default().to_owned() })
}

fn count(all: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    all.fold(BTreeMap::new(), |mut counts, one| {
        *counts.entry(one).or_default() += 1;
        counts
    })
}

fn links(folder: impl AsRef<Path>) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// How many pid namespaces a process is in, and its pid in the innermost.
pub fn place(pid: u32) -> Option<(usize, u32)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    let pids: Vec<u32> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    Some((pids.len(), *pids.last()?))
}

impl Traces {
    pub fn of(up: &Up) -> Traces {
        let all = descendants(up.child.id());
        let pids: Vec<u32> = all.iter().map(|(pid, ..)| *pid).collect();
        let processes = count(all.iter().map(|(pid, _, name)| format!("{name} {}", place(*pid).map_or(0, |p| p.0))));
        let ours: BTreeSet<_> = links("/proc/self/ns").iter().filter_map(|link| fs::read_link(link).ok()).collect();
        let spaces: BTreeSet<_> = pids
            .iter()
            .flat_map(|pid| links(format!("/proc/{pid}/ns")))
            .filter_map(|link| fs::read_link(link).ok())
            .filter(|space| !ours.contains(space))
            .collect();
        let namespaces =
            count(spaces.iter().map(|space| space.to_string_lossy().split(':').next().unwrap_or_default().to_owned()));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines().count();
        let (mut groups, mut strays, mut work) = (BTreeSet::new(), BTreeSet::new(), 0);
        let mut wanted = control_groups(&up.state.join("jaild.sock"));
        while let Some(folder) = wanted.pop() {
            let members = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            strays.extend(members.lines().filter_map(|pid| pid.parse::<u32>().ok()).filter(|pid| !pids.contains(pid)));
            let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
            let shared = |line: &str| line.strip_prefix("shmem ").and_then(|bytes| bytes.parse::<u64>().ok());
            work += stat.lines().filter_map(shared).sum::<u64>();
            for entry in links(&folder).into_iter().filter(|path| path.is_dir()) {
                groups.insert(entry.file_name().unwrap_or_default().to_string_lossy().into_owned());
                wanted.push(entry);
            }
        }
        let descriptors = |(pid, parent, name): &(u32, u32, String)| {
            let place = if *parent == up.child.id() { "child" } else { "descendant" };
            let kinds = count(links(format!("/proc/{pid}/fd")).iter().filter_map(|link| kind(link)));
            (format!("{name}, {place}"), kinds)
        };
        Traces {
            processes,
            namespaces,
            mounts,
            groups,
            strays,
            descriptors: all.iter().map(descriptors).collect(),
            files: links(&up.state).iter().map(|path| path.display().to_string()).collect(),
            work_mib: work >> 20,
        }
    }
}
