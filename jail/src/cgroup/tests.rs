//! What is read of control files, and written to them.
use super::*;

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
