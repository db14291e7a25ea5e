// @hostile mount_old_api.c
// @group kern
// @tries mount, bind, move, remount, propagation, umount, pivot_root and chroot, each in a process of its own
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, capabilities, mount_ns
// @invariants up noproc nowrite noleft return<=7s
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/stat.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like 0, or a /usr/src that can be looked into. mount_try.c has several in one process, which the first
   one ends; here each is asked. */
int main(void) {
    mkdir("m", 0755);
    TRY("tmpfs", mount("t", "m", "tmpfs", 0, 0));
    TRY("proc", mount("p", "m", "proc", 0, 0));
    TRY("sysfs", mount("s", "m", "sysfs", 0, 0));
    TRY("cgroup2", mount("c", "m", "cgroup2", 0, 0));
    TRY("devpts", mount("d", "m", "devpts", 0, "newinstance"));
    TRY("fuse", mount("f", "m", "fuse", 0, "fd=0,rootmode=40000,user_id=1000,group_id=1000"));
    TRY("binfmt_misc", mount("b", "m", "binfmt_misc", 0, 0));
    TRY("the host's disk", mount("/dev/vda", "m", "ext4", 0, 0));
    TRY("bind /", mount("/", "m", 0, MS_BIND | MS_REC, 0));
    TRY("move /proc", mount("/proc", "m", 0, MS_MOVE, 0));
    TRY("remount / rw", mount(0, "/", 0, MS_REMOUNT | MS_BIND, 0));
    TRY("remount /usr suid", mount(0, "/usr", 0, MS_REMOUNT | MS_BIND, 0));
    TRY("share /", mount(0, "/", 0, MS_SHARED | MS_REC, 0));
    TRY("umount /usr/src", umount2("/usr/src", MNT_DETACH));
    TRY("umount /proc", umount2("/proc", MNT_DETACH));
    TRY("umount /box", umount2("/box", MNT_FORCE));
    TRY("pivot_root", syscall(SYS_pivot_root, "m", "m"));
    TRY("chroot", chroot("m"));
    TRY("chroot to /proc/1/root", chroot("/proc/1/root"));
    puts("end");
    return 0;
}
