//! What a host can run out of: room on its disk, and descriptors.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::{Value, json};

use crate::common::Reply;
use crate::common::live::{Up, live};
use crate::common::opt::Opt;
use crate::rig::{PATIENCE, Rig, end};

/// Mounts a small tmpfs of its own over the folder that the state folder is in, then starts the engine.
const ON_A_SMALL_DISK: &str = "for word; do [ \"$last\" = --state ] && state=$word; last=$word; done
mount -t tmpfs -o size=256k,mode=755 engined-test \"${state%/*}\" && exec \"$@\"";

/// The state folder's disk is full: programs run all the same. While the engine keeps its audit there it can't become
/// read-only: a file is open for writing.
#[test]
fn a_disk_that_is_full() {
    if !live() {
        return;
    }
    let rig =
        Rig::by(&["unshare", "--mount", "--propagation", "private", "sh", "-c", ON_A_SMALL_DISK, "sh"], Opt::new());
    let disk = rig.up.state.parent().unwrap().to_owned();
    let seen = PathBuf::from(format!("/proc/{}/root", rig.up.child.id())).join(disk.strip_prefix("/").unwrap());
    let filler = seen.join("filler");
    let full = fs::write(&filler, vec![0; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    let looks = rig.looks();
    end(rig.program("jaild"));
    rig.recovers("jaild killed on a full disk", Instant::now(), &[]);
    rig.until("a look", || rig.looks() > looks);
    end(rig.program("engined"));
    rig.until("a hello on a full disk", || rig.hello());
    rig.until("a look", || rig.looks() > looks + 1);
    fs::remove_file(&filler).unwrap();
    // What was written until then waits to be counted, in a file that is open for it: no trace of a fault.
    rig.until("a hello with room again", || rig.hello());

    rig.stop();
}

/// The log's disk is full: what can't be said is not said, and nothing ends for it.
#[test]
fn a_log_that_takes_no_more() {
    if !live() {
        return;
    }
    let full = File::options().write(true).open("/dev/full").unwrap();
    let up = Up::by(&[], |command| {
        command.stderr(full);
    });
    up.comes_back(PATIENCE);
    let (jaild, engined) = (up.child("jaild"), up.child("engined"));
    for _ in 0..3 {
        // Each is logged: by both, and by jaild when it closes the link of an engine that is gone.
        assert_eq!(up.python("import os\nos.kill(os.getpid(), 9)")["verdict"], "signalled");
    }
    assert_eq!((up.child("jaild"), up.child("engined")), (jaild, engined));
    end(u32::try_from(engined).unwrap());
    up.comes_back(PATIENCE);
    assert_eq!(up.child("jaild"), jaild, "it says that the link is gone, which must not end it");
    end(u32::try_from(jaild).unwrap());
    up.comes_back(PATIENCE);
    up.stop();
}

fn open(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Lets a program open so many more descriptors than it has; `None`: as many as before. It does so with the
/// next request that comes to it.
fn allow(rig: &Rig, name: &str, more: Option<u32>) {
    let pid = rig.program(name);
    let open = open(pid);
    // New ones take the lowest numbers that are free: the first that is one too many is the limit.
    let limit = |more: u32| (3..).filter(|number| !open.contains(number)).nth(more.try_into().unwrap()).unwrap();
    rig.page.limit_descriptors(name == "jaild", more.map_or(u32::MAX, limit));
    // A busy host may let the engine think that jaild does not answer, so that a request goes no further.
    rig.until(&format!("{name} comes by"), || {
        assert!(rig.call(&hello()).is_some());
        rig.page.limited()
    });
}

fn hello() -> Value {
    json!({"language": "python", "source": "print('hello')", "outputs": ["*.txt"]})
}

/// Each has fewer descriptors than a run takes, down to none: callers are told, nobody ends or hangs.
#[test]
fn descriptors_are_exhausted() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    for (name, least) in [("jaild", 0), ("engined", 1)] {
        let (pid, mut failed) = (rig.program(name), 0);
        for more in (least..=14).rev() {
            allow(&rig, name, Some(more));
            let what = format!("{name} with {more} more descriptors");
            let reply = rig.call(&hello()).unwrap();
            if reply.status == 200 {
                let result = reply.json();
                let right = result["verdict"] == "ok" && result["run"]["stdout"]["text"] == "hello\n";
                assert!(right || result["verdict"] == "engine_error", "{what}: {result}");
                failed += u32::from(!right);
            } else {
                // On a busy host it may think meanwhile that jaild does not answer.
                assert!([500, 503].contains(&reply.status), "{what}: {}\n{}", reply.text(), rig.log());
                failed += 1;
            }
            allow(&rig, name, None);
        }
        assert!(failed >= 4, "{name} had enough descriptors");
        rig.recovers(&format!("{name} without descriptors"), Instant::now(), &[]);
        assert_eq!(rig.program(name), pid, "{name} has ended for want of descriptors");
    }
    rig.stop();
}

/// Not even a connection can be accepted: who comes waits until it can.
#[test]
fn connections_take_the_last_descriptors() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    let engined = rig.program("engined");
    let before = open(engined).len();
    allow(&rig, "engined", Some(30));
    let connect = || TcpStream::connect(&rig.up.address).unwrap();
    let crowd: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    rig.until("no room", || rig.up.log().contains("connection not accepted"));
    let mut waiting = connect();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(crowd);
    // A run takes descriptors as well: it is asked for when those of the crowd are free again.
    rig.until("room", || open(engined).len() < before + 10);
    let body = hello().to_string();
    let head = "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    write!(waiting, "{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let reply = Reply::read(&mut waiting).unwrap();
    assert_eq!(reply.json()["run"]["stdout"]["text"], "hello\n", "{}", reply.text());
    drop(waiting);
    rig.recovers("connections took the last descriptors", Instant::now(), &[]);
    rig.stop();
}
