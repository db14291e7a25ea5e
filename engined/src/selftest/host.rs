//! The host before and after: what programs that were thrown away must not have left on it. Whoever is not root sees
//! less of it, and is told what that is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Uid, User};
use serde::Serialize;

use crate::process::find_jaild;

/// Names of what attacks leave where they can.
const MARKERS: [&str; 4] = ["evil_7391", "hostile_marker_7391", ".persist_4242", "h7391"];
/// Where they try, each looked through as deep as this.
const PLACES: [(&str, u32); 12] = [
    ("/", 0),
    ("/tmp", 2),
    ("/var/tmp", 2),
    ("/dev/shm", 2),
    ("/dev/mqueue", 1),
    ("/run", 2),
    ("/var", 1),
    ("/etc", 2),
    ("/home", 2),
    ("/root", 1),
    ("/opt", 1),
    ("/usr/local", 1),
];
/// More than these is not looked at.
const MOST_FILES: usize = 100_000;
/// The engine makes groups for new runs while those of old ones go.
const CGROUPS: usize = 16;
/// How the groups of runs are called, below the folder of their engine.
const SLOT: &str = "/slot-";
/// What is left of a run stays left; what others do on this host comes and goes.
const LOOKS: u32 = 8;
const PAUSE: Duration = Duration::from_secs(2);

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// What of the host was compared.
    pub looked_at: Vec<&'static str>,
    /// What was not, and why.
    pub not_looked_at: Vec<Unseen>,
    /// What must not be there.
    pub found: Vec<String>,
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// What.
    pub what: &'static str,
    /// Why.
    pub why: String,
}

/// The host as it was.
pub struct Watch {
    before: Look,
    ids: Option<Range<u32>>,
    engine: Option<i32>,
    groups: String,
}

#[derive(Default)]
struct Look {
    mounts: BTreeSet<String>,
    cgroups: usize,
    ipc: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
    unreadable: usize,
    etc: BTreeMap<PathBuf, String>,
    core_pattern: String,
    processes: BTreeSet<String>,
    engine: Option<String>,
}

impl Watch {
    /// Looks at the host while the engine is idle. `own` when the sandboxes are made by whoever calls, else by `jaild`;
    /// `engine` is the process that serves.
    #[must_use]
    pub fn begin(own: bool, engine: Option<i32>) -> Watch {
        let ids = subordinate(own);
        let groups = engine.and_then(groups).unwrap_or_default() + SLOT;
        Watch { before: look(ids.as_ref(), engine, &groups), ids, engine, groups }
    }

    /// Compares, until nothing is wrong or it stays so.
    pub async fn end(self) -> Findings {
        let root = Uid::effective().is_root();
        let mut findings = Findings::default();
        let mut stubborn: Option<BTreeMap<String, String>> = None;
        for turn in 0..LOOKS {
            if turn == 1 {
                let patience = u64::from(LOOKS) * PAUSE.as_secs();
                complain!("engined: something may be left on the host; looking again for up to {patience} s");
            }
            if turn > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let now = look(self.ids.as_ref(), self.engine, &self.groups);
            let mut found = self.differences(&now);
            if let Some(earlier) = &stubborn {
                found.retain(|key, _| earlier.contains_key(key));
            }
            let over = found.is_empty();
            stubborn = Some(found);
            if over {
                break;
            }
        }
        findings.found = stubborn.unwrap_or_default().into_values().collect();
        findings.looked_at.extend([
            "mounts",
            "control groups of runs",
            "System V IPC",
            "files",
            "/etc",
            "core_pattern",
        ]);
        let mut unseen = |what, why: String| findings.not_looked_at.push(Unseen { what, why });
        match (&self.ids, root) {
            (Some(_), true) => findings.looked_at.push("processes"),
            (Some(_), false) => unseen("processes", "only root can tell a program from jaild itself".to_owned()),
            (None, _) => {
                unseen("processes and owners", "/etc/subuid has no line for who makes the sandboxes".to_owned());
            }
        }
        if self.before.unreadable > 0 {
            unseen("some folders", format!("{} can't be read as this user", self.before.unreadable));
        }
        if self.engine.is_some() {
            findings.looked_at.push("the engine's process");
        } else {
            unseen("the engine's process", "it is known over a Unix socket only".to_owned());
        }
        findings
    }

    /// By a key that is the same when the same thing is seen again.
    fn differences(&self, now: &Look) -> BTreeMap<String, String> {
        let before = &self.before;
        let mut found = BTreeMap::new();
        let mut add = |key: String, text: String| drop(found.insert(key, text));
        for mount in now.mounts.difference(&before.mounts) {
            add(format!("mount {mount}"), format!("a new mount at {mount}"));
        }
        if now.cgroups > before.cgroups.saturating_add(CGROUPS) {
            add(
                "cgroups".to_owned(),
                format!("control groups of runs: {} before, {} after", before.cgroups, now.cgroups),
            );
        }
        for ipc in now.ipc.difference(&before.ipc) {
            add(format!("ipc {ipc}"), format!("System V IPC of a sandbox: {ipc}"));
        }
        for file in now.files.difference(&before.files) {
            let shown = file.display();
            add(format!("file {shown}"), format!("a file of a program at {shown}"));
        }
        for (path, facts) in &now.etc {
            if before.etc.get(path) != Some(facts) {
                let shown = path.display();
                add(format!("etc {shown}"), format!("{shown} was changed"));
            }
        }
        for path in before.etc.keys().filter(|path| !now.etc.contains_key(*path)) {
            add(format!("etc {}", path.display()), format!("{} is gone", path.display()));
        }
        if now.core_pattern != before.core_pattern {
            add("core".to_owned(), "/proc/sys/kernel/core_pattern was changed".to_owned());
        }
        for process in now.processes.difference(&before.processes) {
            add(format!("process {process}"), format!("a process of a program lives on: {process}"));
        }
        if now.engine != before.engine {
            add("engine".to_owned(), "the engine's process is gone, or another one".to_owned());
        }
        found
    }
}

/// The host ids of sandboxes: the first line of `/etc/subuid` for who makes them.
fn subordinate(own: bool) -> Option<Range<u32>> {
    let own = own.then(|| User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name)).flatten();
    let name = own.filter(|name| name != "root").unwrap_or_else(|| "jaild".to_owned());
    let text = fs::read_to_string("/etc/subuid").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(&name)?.strip_prefix(':')?.split_once(':'));
    let (start, count) = lines.next()?;
    let (start, count): (u32, u32) = (start.parse().ok()?, count.trim().parse().ok()?);
    Some(start..start.checked_add(count)?)
}

/// What can't be read is as if it were not there, before and after.
fn text(path: impl AsRef<Path>) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn look(ids: Option<&Range<u32>>, engine: Option<i32>, groups: &str) -> Look {
    let within = |id: u32| ids.is_some_and(|ids| ids.contains(&id));
    let mut look = Look {
        mounts: text("/proc/self/mountinfo").lines().filter_map(|l| l.split(' ').nth(4).map(str::to_owned)).collect(),
        cgroups: folders(Path::new("/sys/fs/cgroup"), groups, 16),
        core_pattern: text("/proc/sys/kernel/core_pattern"),
        engine: engine.and_then(|pid| began(&text(format!("/proc/{pid}/stat")))),
        ..Look::default()
    };
    // Key and id come first, then permissions; owner and creator are further right.
    for kind in ["shm", "sem", "msg"] {
        for line in text(format!("/proc/sysvipc/{kind}")).lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.iter().skip(3).filter_map(|word| word.parse().ok()).any(within) {
                look.ipc.insert(format!("{kind} {}", words.get(1).unwrap_or(&"?")));
            }
        }
    }
    for (place, depth) in PLACES {
        look.walk(Path::new(place), depth, &within);
    }
    for entry in fs::read_dir("/etc").into_iter().flatten().chain(fs::read_dir("/etc/cron.d").into_iter().flatten()) {
        let Some((path, facts)) = entry.ok().and_then(|e| Some((e.path(), fs::symlink_metadata(e.path()).ok()?)))
        else {
            continue;
        };
        let told = format!("{} {} {} {:o}", facts.mtime(), facts.len(), facts.uid(), facts.mode());
        look.etc.insert(path, told);
    }
    look.processes = processes(&within, groups);
    look
}

impl Look {
    /// Follows nothing and leaves no file system: what is mounted below has a place of its own in the list.
    fn walk(&mut self, folder: &Path, depth: u32, within: &impl Fn(u32) -> bool) {
        let Ok(entries) = fs::read_dir(folder) else {
            self.unreadable += usize::from(folder.exists());
            return;
        };
        let device = fs::symlink_metadata(folder).map(|facts| facts.dev()).ok();
        for entry in entries.filter_map(Result::ok) {
            let Ok(facts) = fs::symlink_metadata(entry.path()) else { continue };
            let name = entry.file_name();
            let marked = MARKERS.iter().any(|marker| name.to_string_lossy().contains(marker));
            if (marked || within(facts.uid()) || within(facts.gid())) && self.files.len() < MOST_FILES {
                self.files.insert(entry.path());
            }
            if depth > 0 && facts.is_dir() && Some(facts.dev()) == device {
                self.walk(&entry.path(), depth - 1, within);
            }
        }
    }
}

/// How many folders there are whose path has `part` in it.
fn folders(path: &Path, part: &str, depth: u32) -> usize {
    let Some(deeper) = depth.checked_sub(1) else { return 0 };
    let entries = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    let inner = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    inner.map(|path| usize::from(path.to_string_lossy().contains(part)) + folders(&path, part, deeper)).sum()
}

/// The folder of an engine's groups, from a process below it that lives in one. Without any, all engines count.
fn groups(engine: i32) -> Option<String> {
    let parents: BTreeMap<i32, i32> = pids().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let below = |pid: i32| {
        let mut up = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        up.any(|ancestor| ancestor == engine)
    };
    parents.keys().filter(|pid| below(**pid)).find_map(|pid| {
        let text = text(format!("/proc/{pid}/cgroup"));
        text.lines().find_map(|line| line.splitn(3, ':').nth(2)?.split_once(SLOT).map(|(folder, _)| folder.to_owned()))
    })
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: i32) -> Option<i32> {
    text(format!("/proc/{pid}/stat")).rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Processes with an id of the sandboxes that run anything but jaild, by pid, name and start. Those in the groups of another
/// engine are its own affair.
fn processes(within: &impl Fn(u32) -> bool, groups: &str) -> BTreeSet<String> {
    let uid = |process: &Path| -> Option<u32> {
        let status = text(process.join("status"));
        status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?.parse().ok()
    };
    let file = |path: &Path| fs::metadata(path).ok().map(|facts| (facts.dev(), facts.ino()));
    // Every broker, whichever engine's: it has an ordinary uid, and its helpers run the same file.
    let mut brokers: BTreeSet<_> = find_jaild().ok().and_then(|path| file(&path)).into_iter().collect();
    let (mut inside, mut found) = (Vec::new(), BTreeSet::new());
    for process in pids().map(|pid| Path::new("/proc").join(pid.to_string())) {
        let Some(uid) = uid(&process) else { continue };
        let exe = process.join("exe");
        if within(uid) {
            inside.push(process);
        } else if fs::read_link(&exe).is_ok_and(|path| path.file_name().is_some_and(|name| name == "jaild")) {
            brokers.extend(file(&exe));
        }
    }
    for process in inside {
        let Some(exe) = file(&process.join("exe")).filter(|exe| !brokers.contains(exe)) else { continue };
        let lives = text(process.join("cgroup"));
        if lives.contains(SLOT) && !lives.contains(groups) {
            continue;
        }
        let stat = text(process.join("stat"));
        let name: String = text(process.join("comm")).trim().chars().filter(|c| !c.is_control()).take(16).collect();
        let pid = process.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let started = began(&stat).unwrap_or_default();
        found.insert(format!("pid {pid} ({name}), file {}:{}, started at {started}", exe.0, exe.1));
    }
    found
}

/// The start of a process in ticks, from its `stat`.
fn began(stat: &str) -> Option<String> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_and_what_was_there_is_not() {
        let mut before = Look { cgroups: 10, core_pattern: "core".to_owned(), ..Look::default() };
        before.mounts.insert("/tmp".to_owned());
        before.files.insert("/tmp/h7391".into());
        before.etc.insert("/etc/passwd".into(), "1".to_owned());
        before.etc.insert("/etc/group".into(), "1".to_owned());
        let watch = Watch { before, ids: None, engine: None, groups: SLOT.to_owned() };
        let mut now = Look { cgroups: 40, core_pattern: "|evil".to_owned(), ..Look::default() };
        now.mounts.extend(["/tmp".to_owned(), "/mnt".to_owned()]);
        now.files.extend(["/tmp/h7391".into(), "/dev/shm/evil_7391".into()]);
        now.etc.insert("/etc/passwd".into(), "2".to_owned());
        now.ipc.insert("shm 7".to_owned());
        now.processes.insert("pid 9 (spin), file 1:2, started at 3".to_owned());
        now.engine = Some("4".to_owned());
        let told: Vec<String> = watch.differences(&now).into_values().collect();
        assert_eq!(
            told,
            [
                "control groups of runs: 10 before, 40 after",
                "/proc/sys/kernel/core_pattern was changed",
                "the engine's process is gone, or another one",
                "/etc/group is gone",
                "/etc/passwd was changed",
                "a file of a program at /dev/shm/evil_7391",
                "System V IPC of a sandbox: shm 7",
                "a new mount at /mnt",
                "a process of a program lives on: pid 9 (spin), file 1:2, started at 3",
            ]
        );
        let now =
            Look { cgroups: 26, mounts: watch.before.mounts.clone(), etc: watch.before.etc.clone(), ..Look::default() };
        assert_eq!(watch.differences(&now).keys().collect::<Vec<_>>(), ["core"]);
    }

    #[test]
    fn a_process_is_known_by_its_start() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 4242 1000 20";
        assert_eq!(began(stat).unwrap(), "4242");
        let me = look(None, i32::try_from(std::process::id()).ok(), SLOT);
        assert!(me.engine.is_some() && !me.mounts.is_empty() && !me.etc.is_empty());
    }
}
