//! What is read of control files.
use super::*;

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
