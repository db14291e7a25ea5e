//! What jaild counts of itself and its slots: each number moves when there is more of its thing, and comes back.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Jaild, Link, PATIENCE, Wish, can_run, groups, limits};
use jail::inventory::{Held, Inventory};
use jail::link::{CgroupVersion, Report, Request};
use jail::spec::{Limits, Outcome, StopReason};

fn ask(link: &Link) -> Inventory {
    link.client.send(&Request::Inventory, &[]).unwrap();
    match link.recv() {
        Some(Report::Inventory(inventory)) => inventory,
        other => panic!("instead of an inventory: {other:?}"),
    }
}

/// Asks until `enough`: jaild counts anew a few times a second, and the kernel lets go of things in its own time.
fn until(link: &Link, what: &str, enough: impl Fn(&Inventory) -> bool) -> Inventory {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let inventory = ask(link);
        if enough(&inventory) {
            return inventory;
        }
        assert!(Instant::now() < deadline, "{what}: {inventory:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The numbers that are constants of a jaild with nothing to do.
const EXACT: [Held; 6] =
    [Held::Processes, Held::Cgroups, Held::Namespaces, Held::Mounts, Held::HostMounts, Held::Descriptors];

fn same(a: &Inventory, b: &Inventory) -> bool {
    EXACT.iter().all(|what| a.of(*what) == b.of(*what))
}

/// Once every slot stands and the stock is full. That nothing changes for a moment is no rest on a busy machine.
fn at_rest(jaild: &Jaild, link: &Link) -> Inventory {
    let slots = u64::from(link.welcome.slots);
    let full = |now: &Inventory| {
        now.stock.armed == slots && now.of(Held::Processes) == Some(spawners(jaild).len() as u64 + 2 * slots)
    };
    let mut before = until(link, "the stock is full", full);
    let deadline = Instant::now() + PATIENCE;
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = ask(link);
        if same(&before, &now) && full(&now) {
            return now;
        }
        assert!(Instant::now() < deadline, "the numbers of an idle jaild do not stand still: {before:?} {now:?}");
        before = now;
    }
}

fn spawners(jaild: &Jaild) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", jaild.pid())).unwrap();
    children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Slots whose share of busy cores is that of the stock, see `SlotGroup::urge`.
fn held_back(jaild: &Jaild) -> u64 {
    let says = |slot: &std::path::Path, file: &str, share: &str| {
        fs::read_to_string(slot.join(file)).is_ok_and(|text| text.trim() == share)
    };
    let slots = groups(&jaild.cgroup);
    slots.iter().filter(|slot| says(slot, "cpu.shares", "64") || says(slot, "cpu.weight", "6")).count() as u64
}

/// As the namespace has it of which jaild is the root.
fn namespaces_allowed(jaild: &Jaild) -> u64 {
    let pid = jaild.pid().to_string();
    let told = Command::new("nsenter")
        .args(["--target", &pid, "--user", "--preserve-credentials", "--", "cat", "/proc/sys/user/max_net_namespaces"])
        .output()
        .unwrap();
    String::from_utf8(told.stdout).unwrap().trim().parse().unwrap()
}

#[test]
fn numbers_are_those_of_proc_and_a_run_moves_them() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let idle = at_rest(&jaild, &link);
    let of = |inventory: &Inventory, what: Held| inventory.of(what).unwrap_or_else(|| panic!("{what:?} is absent"));

    let spawners = spawners(&jaild);
    let lines = |pid: i32| fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap().lines().count();
    // An armed sandbox is an init and a payload that wait.
    assert_eq!(idle.stock.armed, u64::from(link.welcome.slots), "one for each run that there may be at once");
    assert_eq!(of(&idle, Held::Processes), spawners.len() as u64 + 2 * idle.stock.armed);
    assert_eq!(of(&idle, Held::Mounts), spawners.iter().map(|pid| lines(*pid)).sum::<usize>() as u64);
    assert_eq!(of(&idle, Held::HostMounts), lines(jaild.pid()) as u64);
    assert_eq!(of(&idle, Held::Descriptors), fs::read_dir(format!("/proc/{}/fd", jaild.pid())).unwrap().count() as u64);
    assert!((1 << 20..64 << 20).contains(&of(&idle, Held::Resident)), "{idle:?}");
    assert!(of(&idle, Held::Slab) > 0, "{idle:?}");

    assert_eq!(held_back(&jaild), idle.stock.armed, "what is armed for nobody yet has little of the cores");
    let most = namespaces_allowed(&jaild);
    assert!(
        most > spawners.len() as u64 && most < 1000,
        "the kernel's backlog of network namespaces has an end: {most}"
    );

    let source = "import os, time\nopen('/tmp/big', 'wb').write(bytes(16 << 20))\nfor _ in range(5):\n    \
                  if os.fork() == 0: break\ntime.sleep(1000)\n";
    let run = link.begin(Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, source.as_bytes().to_vec())],
        limits: Limits { wall_time: jail::spec::Millis(600_000), ..limits() },
        ..Wish::default()
    });
    let more = |now: &Inventory, what: Held, by: u64| of(now, what) >= of(&idle, what) + by;
    let busy = until(&link, "a run moves them", |now| {
        // An init, a program and its five children; the stock has another sandbox by then for the one that it gave.
        more(now, Held::Processes, 7) && more(now, Held::Work, 15 << 20) && now.stock.armed == idle.stock.armed
    });
    let (before, stock) = (idle.stock, busy.stock);
    assert_eq!((stock.taken, stock.refills), (before.taken + 1, before.refills + 1));
    assert!(stock.refill_us > before.refill_us && stock.made_on_the_spot == before.made_on_the_spot);
    // The run's own and the payload's: user twice, mount, pid, net, ipc, uts and more.
    assert!(more(&busy, Held::Namespaces, 7) && more(&busy, Held::Descriptors, 2), "{idle:?} {busy:?}");
    let group_of_its_own = u64::from(link.welcome.cgroup == CgroupVersion::V2);
    assert_eq!(of(&busy, Held::Cgroups), of(&idle, Held::Cgroups) + group_of_its_own);
    link.stop(run.id, StopReason::Cancelled);
    link.finish(run);
    let after = until(&link, "they come back", |now| same(now, &idle) && !more(now, Held::Work, 1 << 20));
    assert!(!more(&after, Held::Slab, 16 << 20), "{idle:?} {after:?}");
}

#[test]
fn a_group_and_a_mount_that_stay_are_seen() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let link = jaild.link();
    let idle = at_rest(&jaild, &link);
    let of = |inventory: &Inventory, what: Held| inventory.of(what).unwrap();

    let left = groups(&jaild.cgroup)[0].with_file_name("slot-left-behind");
    fs::create_dir(&left).unwrap();
    until(&link, "a group", |now| of(now, Held::Cgroups) == of(&idle, Held::Cgroups) + 1);
    fs::remove_dir(&left).unwrap();
    until(&link, "it is gone", |now| same(now, &idle));

    // As root of the host, which is the only one who can mount there from outside.
    let spawner = spawners(&jaild)[0].to_string();
    // mount(8) is set-user-ID, and so covered in there.
    let inside = |call: &str| {
        let script = format!("import ctypes; exit(ctypes.CDLL(None).{call})");
        let enter = ["--target", &spawner, "--mount", "--", "/usr/bin/python3", "-c", &script];
        let done = Command::new("nsenter").args(enter).status().unwrap();
        assert!(done.success(), "{call}: {done}");
    };
    inside("mount(b'none', b'/usr', b'tmpfs', 0, None)");
    until(&link, "a mount", |now| of(now, Held::Mounts) == of(&idle, Held::Mounts) + 1);
}

#[test]
fn inventories_that_nobody_reads_cost_no_run() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let sleeps = |seconds: u32| Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, format!("import time\ntime.sleep({seconds})\nprint('done')").into_bytes())],
        ..Wish::default()
    };
    let runs = [link.begin(sleeps(1)), link.begin(sleeps(2))];
    // Several times what a socket's buffer takes, most of it before the first run ends.
    let mut asked = 0;
    let deadline = Instant::now() + PATIENCE;
    while asked < 2000 {
        match link.client.send(&Request::Inventory, &[]) {
            Ok(()) => asked += 1,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
            Err(e) => panic!("the link closed after {asked}: {e}"),
        }
        assert!(Instant::now() < deadline, "jaild takes no more after {asked}");
    }
    let (mut told, mut ended) = (0, Vec::new());
    while ended.len() < runs.len() {
        match link.recv() {
            Some(Report::Inventory(_)) => told += 1,
            Some(Report::Ended(end)) => ended.push(end),
            other => panic!("after {told} inventories: {other:?}"),
        }
    }
    assert!(told > 0 && told < asked, "{told} of {asked}");
    assert!(ended.iter().all(|end| end.outcome == Outcome::Exited(0) && end.stop.is_none()), "{ended:?}");
    // Who reads again is told again.
    while matches!(link.client.recv(), Ok(Some(_))) {}
    ask(&link);
    drop(runs);
}

/// Something ends every sandbox that waits, as a host without memory would: they are made again, but ever more slowly.
#[test]
fn what_is_ended_while_it_waits_is_not_made_again_at_once() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let link = jaild.link();
    let idle = at_rest(&jaild, &link);
    let children = |pid: i32| -> Vec<i32> {
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    let ends = Instant::now() + Duration::from_secs(2);
    while Instant::now() < ends {
        for payload in spawners(&jaild).into_iter().flat_map(children).flat_map(children) {
            // It may have ended by now.
            let pid = nix::unistd::Pid::from_raw(payload);
            let (Ok(()) | Err(_)) = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let back = until(&link, "the stock is full again", |now| now.stock.armed == idle.stock.armed);
    let refills = back.stock.refills - idle.stock.refills;
    assert!((1..20).contains(&refills), "{refills} in two seconds");
}

/// The one child of a process that has one.
fn child(pid: i32) -> i32 {
    let below = common::children(pid);
    assert_eq!(below.len(), 1, "{below:?}");
    below[0]
}

#[test]
fn a_run_that_finds_its_sandbox_dead_gets_another_and_runs_once() {
    if !can_run() {
        return;
    }
    // No more than a run may meet.
    let settings = std::env::temp_dir().join(format!("jailtest-{}-two.toml", std::process::id()));
    fs::write(&settings, "slots = 2\nstock = 2\n").unwrap();
    let jaild = Jaild::start(&["--config", settings.to_str().unwrap()]);
    fs::remove_file(&settings).unwrap();
    let mut link = jaild.link();
    at_rest(&jaild, &link);
    let inits: Vec<i32> = spawners(&jaild).into_iter().flat_map(common::children).collect();
    assert_eq!(inits.len(), 2);
    let signal = |pid: i32, signal| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    let is = |pid: i32, state: &str| common::field(pid, "State").is_some_and(|line| line.starts_with(state));
    // No init sees that its payload dies, so nobody knows it when the order comes.
    for init in &inits {
        let payload = child(*init);
        signal(*init, nix::sys::signal::SIGSTOP);
        common::until(|| is(*init, "T"));
        signal(payload, nix::sys::signal::SIGKILL);
        common::until(|| is(payload, "Z"));
    }
    let source = "open('once', 'x').close()\nprint('once')\n";
    let run = link.begin(Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, source.as_bytes().to_vec())],
        ..Wish::default()
    });
    // What it hears next it hears when it has given the order to one of them.
    ask(&link);
    for init in &inits {
        signal(*init, nix::sys::signal::SIGCONT);
    }
    let done = link.finish(run);
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(0), "once\n"), "{:?}", done.ended);
    at_rest(&jaild, &link);
    jaild.end();
}
