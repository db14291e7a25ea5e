//! What is read of control files, and written to them.
use super::*;
use crate::spec::Millis;

/// A folder in which ordinary files stand for control files. They are told from those that were written: a value keeps
/// its blanks until then.
fn group(name: &'static str, text: &str) -> (PathBuf, Group) {
    let folder = std::env::temp_dir().join(format!("engined-group-{}-{}", std::process::id(), name));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), text).unwrap();
    let group = Group::new(File::open(&folder).unwrap().into(), &[name]).unwrap();
    (folder, group)
}

#[test]
fn a_limit_that_is_there_is_read_and_one_that_differs_is_written() {
    let (folder, group) = group("pids.max", "  64\n");
    let text = || std::fs::read_to_string(folder.join("pids.max")).unwrap();
    group.hold("pids.max", "64").unwrap();
    assert_eq!(text(), "  64\n", "it was there");
    std::fs::write(folder.join("pids.max"), "99\n").unwrap();
    group.hold("pids.max", "64").unwrap();
    assert_eq!(text(), "64\n", "somebody had changed it");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_limit_that_does_not_hold_what_was_written_fails() {
    let (folder, group) = group("cpu.cfs_quota_us", "100000\n");
    // One byte stays, so it reads as another number.
    let error = group.hold("cpu.cfs_quota_us", "50000").unwrap_err();
    assert_eq!(error.source.to_string(), "wrote 50000, but it holds 500000");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn keyed_files_are_read_by_key() {
    let text = "usage_usec 12\nuser_usec 5\nbroken\nnr x\n";
    assert_eq!((keyed(text, "usage_usec"), keyed(text, "user_usec"), keyed(text, "nr")), (12, 5, 0));
    assert_eq!(keyed(text, "absent"), 0);
}

#[test]
fn memberships_are_found_by_controller() {
    let hybrid = "8:pids:/\n4:memory:/a/b\n2:cpu,cpuacct:/c\n0::/u\n";
    assert_eq!(membership(hybrid, "memory"), Some("/a/b"));
    assert_eq!(membership(hybrid, "cpuacct"), Some("/c"));
    assert_eq!(membership(hybrid, ""), Some("/u"));
    assert_eq!(membership(hybrid, "freezer"), None);
}

#[test]
fn arming_is_not_the_run_s_on_v2() {
    let folder = std::env::temp_dir().join(format!("engined-group-{}-run", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    for (name, text) in
        [("memory.peak", "4096\n"), ("pids.peak", "2\n"), ("pids.events", "max 0\n"), ("memory.events", "oom_kill 0\n")]
    {
        put(name, text);
    }
    put("cpu.stat", "usage_usec 900\nuser_usec 200\nsystem_usec 700\nthrottled_usec 0\n");
    let group = || Group::new(File::open(&folder).unwrap().into(), &[]).unwrap();
    let mut run = v2::Run::of(group(), group(), "run-1".to_owned(), group());
    let (bytes, millis) = (Bytes(1 << 20), Millis(1000));
    let limits = Limits {
        cpu_time: millis,
        wall_time: millis,
        memory: bytes,
        processes: 1,
        cpus_milli: 1000,
        file: bytes,
        disk: bytes,
        open_files: 16,
        stack: bytes,
    };
    run.limit(&limits, Layers::default()).unwrap();
    assert_eq!(run.cpu().unwrap(), Micros(0), "it has its command now");
    put("cpu.stat", "usage_usec 5900\nuser_usec 4200\nsystem_usec 1700\nthrottled_usec 0\n");
    assert_eq!(run.cpu().unwrap(), Micros(5000));
    let counted = run.counted().unwrap();
    assert_eq!((counted.cpu, counted.user, counted.system), (Micros(5000), Micros(4000), Micros(1000)));
    std::fs::remove_dir_all(&folder).unwrap();
}
