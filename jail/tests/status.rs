//! What `/proc` says of every process of a jaild: ids, capabilities, namespaces; and what is left when one dies.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::path::PathBuf;

use common::{Jaild, Link, Wish, can_run, children, descendants, groups, limits, spawner_by_hand, until};
use jail::link::{CgroupVersion, Report};
use jail::records::{empty_memfd, seal};
use jail::spec::{Outcome, StopReason};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

/// `/proc/PID/status` by field.
fn status(pid: i32) -> BTreeMap<String, String> {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

fn namespace(pid: i32, kind: &str) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap()
}

/// Begins a run that sleeps, and finds its init and payload.
fn sleeper(jaild: &Jaild, link: &mut Link) -> (common::Run, i32, i32) {
    let run = link.begin(Wish { argv: vec!["/usr/bin/sleep", "1000"], ..Wish::default() });
    let sleeps =
        |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"/usr/bin/sleep"));
    let mut found = None;
    until(|| {
        found = descendants(jaild.pid()).into_iter().find(sleeps);
        found.is_some()
    });
    let payload = found.unwrap();
    (run, status(payload)["PPid"].parse().unwrap(), payload)
}

const NONE: &str = "0000000000000000";

#[test]
fn nobody_holds_anything_of_the_host() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let (_run, init, payload) = sleeper(&jaild, &mut link);
    let host = namespace(std::process::id().cast_signed(), "user");
    let uid = User::from_name("jaild").unwrap().unwrap().uid.to_string();

    let broker = status(jaild.pid());
    assert_eq!(broker["Uid"].split_whitespace().collect::<Vec<_>>(), [uid.as_str(); 4]);
    assert_eq!(broker["Name"], "jaild");
    assert_eq!((broker["Groups"].as_str(), broker["NoNewPrivs"].as_str()), ("", "1"));
    let maps = fs::read_to_string(format!("/proc/{}/uid_map", jaild.pid())).unwrap();
    let rows: Vec<Vec<&str>> = maps.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{maps}");
    assert_eq!(rows[0], ["0", uid.as_str(), "1"]);
    assert!(rows[1][1].parse::<u32>().unwrap() >= 65_536, "no host account is in the range: {maps}");

    // Capabilities count in the namespace of their holder: none of these lives in the host's.
    let all = descendants(jaild.pid());
    assert!(all.len() >= 4, "{all:?}");
    for pid in all.iter().copied().chain([jaild.pid()]) {
        match (fs::read_link(format!("/proc/{pid}/ns/user")), status(pid).get("NoNewPrivs")) {
            (Ok(namespace), Some(set)) => assert_eq!((namespace != host, set.as_str()), (true, "1"), "process {pid}"),
            // What the start itself has run is told when it is over, and may end a moment later.
            _ => eventually_gone(&[pid]),
        }
    }
    for kind in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time"] {
        assert_ne!(namespace(payload, kind), namespace(jaild.pid(), kind), "{kind}");
        assert_ne!(namespace(init, kind), namespace(jaild.pid(), kind), "{kind} of init");
    }
    assert_ne!(namespace(payload, "user"), namespace(init, "user"), "the payload is not init's equal");

    let status_of_init = status(init);
    let status_of_payload = status(payload);
    assert_ne!(status_of_init["Uid"], status_of_payload["Uid"]);
    assert_eq!(status_of_init["Seccomp"], "2");
    // CAP_DAC_READ_SEARCH (2) and CAP_KILL (5), in the run's own namespace.
    assert_eq!(status_of_init["CapEff"], "0000000000000024");
    assert_eq!(status_of_init["CapPrm"], "0000000000000024");
    assert_eq!((status_of_payload["Seccomp"].as_str(), status_of_payload["Seccomp_filters"].as_str()), ("2", "2"));
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status_of_payload[set], NONE, "{set}");
    }
    // Only its streams, once its loader has closed the libraries.
    until(|| fs::read_dir(format!("/proc/{payload}/fd")).unwrap().count() == 3);
}

fn eventually_gone(pids: &[i32]) {
    until(|| !pids.iter().any(|pid| status(*pid).get("State").is_some_and(|state| !state.starts_with('Z'))));
}

#[test]
fn a_killed_jaild_takes_everything_along_and_its_successor_sweeps() {
    if !can_run() {
        return;
    }
    let mut jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let (_run, ..) = sleeper(&jaild, &mut link);
    let all = descendants(jaild.pid());
    jaild.child.kill().unwrap();
    jaild.child.wait().unwrap();
    eventually_gone(&all);
    assert_eq!(link.recv(), None, "the link tells it");
    assert_ne!(groups(&jaild.cgroup), Vec::<PathBuf>::new(), "cgroups have no owner that dies");
    let (folder, socket, cgroup) = (jaild.folder.clone(), jaild.socket.clone(), jaild.cgroup.clone());
    std::mem::forget(jaild);
    let next = Jaild::start_in(folder, socket, cgroup, &[]);
    assert_eq!(next.link().run(Wish::default()).ended.outcome, Outcome::Exited(0));
    next.end();
}

#[test]
fn a_link_that_closes_ends_its_runs() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let (_run, init, payload) = sleeper(&jaild, &mut link);
    drop(link);
    eventually_gone(&[init, payload]);
    assert_eq!(jaild.link().run(Wish::default()).ended.outcome, Outcome::Exited(0));
}

#[test]
fn a_killed_init_is_our_failure_and_its_slot_serves_again() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let (run, init, payload) = sleeper(&jaild, &mut link);
    kill(Pid::from_raw(init), Signal::SIGKILL).unwrap();
    let done = link.finish(run);
    assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "{:?}", done.ended);
    eventually_gone(&[init, payload]);
    for _ in 0..8 {
        assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0));
    }
}

#[test]
fn a_killed_spawner_is_replaced() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let before = children(jaild.pid());
    for spawner in &before {
        kill(Pid::from_raw(*spawner), Signal::SIGKILL).unwrap();
    }
    until(|| {
        let now = children(jaild.pid());
        now.len() == before.len() && !now.iter().any(|pid| before.contains(pid))
    });
    for _ in 0..8 {
        assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0));
    }
}

#[test]
fn manifests_are_read_again_on_sighup() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    for _ in 0..3 {
        kill(Pid::from_raw(jaild.pid()), Signal::SIGHUP).unwrap();
        let told = link.recv();
        assert!(matches!(told, Some(Report::Welcome(_))), "the engine is told: {told:?}");
        assert_eq!(link.run(Wish::default()).ended.outcome, Outcome::Exited(0));
    }
}

/// On v2 every run has a group of its own.
#[test]
fn a_limit_that_somebody_has_changed_between_runs_is_there_again() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    if link.welcome.cgroup != CgroupVersion::V1 {
        return;
    }
    const FILES: [(&str, &str); 3] = [("memory.limit_in_bytes", "-1"), ("pids.max", "max"), ("cpu.cfs_quota_us", "-1")];
    let limits = limits();
    for _ in 0..2 * link.welcome.slots {
        let (run, _, payload) = sleeper(&jaild, &mut link);
        let its = |slot: &PathBuf| {
            fs::read_to_string(slot.join("cgroup.procs")).unwrap().lines().any(|pid| pid == payload.to_string())
        };
        let slots: Vec<PathBuf> = groups(&jaild.cgroup).into_iter().filter(its).collect();
        let [memory, processes, quota] = FILES.map(|(name, _)| {
            let text = slots.iter().find_map(|slot| fs::read_to_string(slot.join(name)).ok()).unwrap();
            text.trim().parse::<u64>().unwrap_or(u64::MAX)
        });
        // Above what spawner and init hold; two processes.
        assert!((limits.memory.0..limits.memory.0 + (32 << 20)).contains(&memory), "{memory}");
        assert_eq!((processes, quota), (u64::from(limits.processes) + 2, u64::from(limits.cpus_milli) * 100));
        link.stop(run.id, StopReason::Cancelled);
        link.finish(run);
        for (slot, (name, none)) in groups(&jaild.cgroup).into_iter().flat_map(|slot| FILES.map(|f| (slot.clone(), f)))
        {
            if slot.join(name).exists() {
                fs::write(slot.join(name), none).unwrap();
            }
        }
    }
}

#[test]
fn a_spawner_that_no_broker_has_started_says_so() {
    let rubbish = || {
        let fd = empty_memfd().unwrap();
        fs::write(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd)), "rubbish").unwrap();
        seal(fd.as_fd()).unwrap();
        fd
    };
    for output in [spawner_by_hand(std::process::Stdio::piped()), spawner_by_hand(rubbish())] {
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("--spawner: ") && said.contains("jaild starts its spawners itself"), "{said}");
    }
}
