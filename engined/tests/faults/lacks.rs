//! What can be wrong with a host otherwise: a control group that stays, too little memory, a toolchain that is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::live::{control_groups, live};
use crate::common::opt::Opt;
use crate::rig::{self, PATIENCE, Rig, end};

/// A process that a test has put somewhere. It ends with its owner.
struct Parked(Child);

impl Parked {
    fn start() -> Parked {
        Parked(Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// Somebody else's process sits in the group of a slot, which so never empties: the other slots go on, at once and all
/// the time, and this one comes back when its group can go.
#[test]
fn a_group_that_cannot_be_removed() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    let slots = || control_groups(&rig.up.state.join("jaild.sock")).into_iter().map(|group| group.join("slot-0"));
    let parked = Parked::start();
    let pid = parked.0.id().to_string();
    slots().filter(|slot| slot.is_dir()).for_each(|slot| fs::write(slot.join("cgroup.procs"), &pid).unwrap());
    let mut hellos = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while !rig.up.log().contains("slot 0: its groups can't be removed") {
        assert!(Instant::now() < deadline, "the slot was not given up\n{}", rig.log());
        let since = Instant::now();
        assert!(rig.hello(), "{}", rig.log());
        hellos.push(since.elapsed());
    }
    // Each that came to that slot would have to wait, and there are few of them; a busy host holds up one now and then.
    let most = rig::allowed(hellos.iter().copied().min().unwrap_or_default());
    let slow = hellos.iter().filter(|took| **took > most).count();
    assert!(slow <= 1 + hellos.len() / 10, "{slow} hellos took more than {most:?}: {hellos:?}");
    drop(parked);
    rig.recovers("a group that could not be removed", Instant::now(), &[]);
    rig.stop();
}

/// A group of the test's own with so much memory, under v1 or v2. Whoever is in it goes back when it goes.
struct Cramped {
    group: PathBuf,
    home: PathBuf,
}

impl Cramped {
    fn start(name: &str, bytes: u64) -> Cramped {
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap();
        let v1 = memberships.lines().find_map(|line| line.split_once(":memory:").map(|(_, path)| path));
        let v2 = memberships.lines().find_map(|line| line.strip_prefix("0::"));
        let (root, file) = match v1 {
            Some(_) => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            None => ("/sys/fs/cgroup", "memory.max"),
        };
        // On v2 a group with processes has no controllers for those below: the root alone is free of that.
        let home = Path::new(root).join(v1.unwrap_or_default().trim_start_matches('/'));
        let group = home.join(format!("engined-faults-{}-{name}", std::process::id()));
        fs::create_dir(&group).unwrap();
        fs::write(group.join(file), bytes.to_string()).unwrap();
        let home = if v1.is_some() { home } else { home.join(v2.unwrap_or_default().trim_start_matches('/')) };
        Cramped { group, home }
    }

    fn put(&self, pid: u32) {
        fs::write(self.group.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = fs::remove_dir(&self.group) {
            assert!(Instant::now() < deadline, "{}: {error}", self.group.display());
            let members = fs::read_to_string(self.group.join("cgroup.procs")).unwrap_or_default();
            members.lines().for_each(|pid| fs::write(self.home.join("cgroup.procs"), pid).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// The engine's own memory is used up by large requests: the kernel kills it, its callers are cut off, the next serves.
#[test]
fn engined_at_the_limit_of_its_memory() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    let large = json!({"language": "python", "source": "print(6 * 7)", "stdin": "x".repeat(16 << 20)});
    let (cramped, first, looks) = (Cramped::start("engined", 24 << 20), rig.program("engined"), rig.looks());
    cramped.put(first);
    let killed = || !Path::new(&format!("/proc/{first}")).exists();
    rig.until("engined is killed for memory", || {
        std::thread::scope(|scope| {
            let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| rig.call(&large))).collect();
            for reply in callers.into_iter().filter_map(|caller| caller.join().unwrap()) {
                let result = reply.json();
                let right = result["verdict"] == "ok" && result["run"]["stdout"]["text"] == "42\n";
                assert!(right || result["verdict"] == "engine_error" || reply.status == 503, "{result}");
            }
        });
        killed()
    });
    drop(cramped);
    rig.recovers("engined killed for memory", Instant::now(), &[first]);
    rig.until("the engine's own look", || rig.looks() > looks);
    rig.stop();
}

/// jaild can't make a slot anew for want of memory, whoever is killed for it; then it can.
#[test]
fn jaild_at_the_limit_of_its_memory() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    let (cramped, jaild, looks) = (Cramped::start("jaild", 64 << 10), rig.program("jaild"), rig.looks());
    cramped.put(jaild);
    for _ in 0..4 {
        // Making a spawner takes jaild's page tables once more.
        rig.spawners().first().copied().into_iter().for_each(end);
        if let Some(reply) = rig.call(&json!({"language": "python", "source": "print(6 * 7)"})) {
            let result = reply.json();
            let right = result["verdict"] == "ok" && result["run"]["stdout"]["text"] == "42\n";
            assert!(right || result["verdict"] == "engine_error" || reply.status == 503, "{result}");
        }
    }
    drop(cramped);
    rig.recovers("jaild without memory", Instant::now(), &[]);
    rig.until("the engine's own look", || rig.looks() > looks || Path::new(&format!("/proc/{jaild}")).exists());
    rig.stop();
}

/// A toolchain goes while its program runs, which has what it needs, and before the next, which is told as ours.
#[test]
fn a_toolchain_that_vanishes() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    opt.file("mine/bin/python3", "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n", 0o755);
    opt.manifest(
        "mine",
        "id = \"mine\"\nname = \"Mine\"\nmain_file = \"main.py\"\nentry = \"allowed\"\nhello = \"print('hello')\"\n\
         [[toolchain]]\nid = \"mine\"\nprogram = \"OPT/mine/bin/python3\"\npackage = \"python3\"\n\
         probe = { args = [\"-V\"], prefix = \"Python \" }\nmount = { path = \"OPT/mine\", reason = \"a test\" }\n\
         [run]\nargs = [\"{program}\", \"{entry}\", \"{args}\"]\nenv = { PATH = \"/usr/bin:/bin\" }\n",
    );
    let rig = Rig::by(&[], opt);
    let request = |source: &str| json!({"language": "mine", "source": source});
    std::thread::scope(|scope| {
        rig.page.arm("init.started");
        let running = scope.spawn(|| rig.up.run(&request("import json\nprint(6 * 7)")));
        rig.until("a program runs", || rig.page.taken("init.started"));
        rig.opt.remove("mine");
        rig.page.release();
        let result = running.join().unwrap();
        // Its shell may have been still to read the script.
        assert!(result["run"]["stdout"]["text"] == "42\n" || result["verdict"] == "engine_error", "{result}");
    });
    let result = rig.up.run(&request("print('hello')"));
    assert_eq!(result["verdict"], "engine_error", "{result}");
    assert!(result["reason"]["message"].as_str().unwrap().contains("not whole any more"), "{result}");
    rig.recovers("a toolchain that vanished", Instant::now(), &[]);
    rig.stop();
}
