// @hostile landlock_around.c
// @group fs
// @tries ways around landlock and the read-only tree: rename and link across, /proc/self/fd, O_PATH, truncate, O_TMPFILE, xattrs, times
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer landlock, mount_ns, tree
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
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long reopen(const char *path, int flags) {
    char link[64];
    int f = open(path, flags);
    if (f < 0) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", f);
    return open(link, O_RDWR);
}
/* Success looks like anything outside /box, /home/sandbox, /tmp and /dev/shm that was changed or opened for writing. */
int main(void) {
    const char *outside[] = {"/usr/bin/python3", "/usr/lib/os-release", "/etc/passwd", "/etc/ld.so.cache", "/nothing"};
    const char *folders[] = {"/", "/usr", "/usr/bin", "/etc", "/dev", "/run", "/home", "/empty", "/proc"};
    char what[96], target[96];
    close(open("mine", O_CREAT | O_WRONLY, 0644));
    for (unsigned i = 0; i < sizeof outside / sizeof *outside; i++) {
        const char *p = outside[i];
#define NAME(call) (snprintf(what, sizeof what, "%s %s", call, p), what)
        TRY(NAME("write"), open(p, O_WRONLY));
        TRY(NAME("reopen"), reopen(p, O_RDONLY));
        TRY(NAME("reopen O_PATH"), reopen(p, O_PATH));
        TRY(NAME("truncate"), truncate(p, 0));
        TRY(NAME("link"), link(p, "/tmp/linked"));
        TRY(NAME("rename away"), rename(p, "/tmp/renamed"));
        TRY(NAME("rename over"), rename("mine", p));
        TRY(NAME("exchange"), syscall(SYS_renameat2, AT_FDCWD, "mine", AT_FDCWD, p, 2));
        TRY(NAME("chmod"), chmod(p, 0777));
        TRY(NAME("times"), utimensat(AT_FDCWD, p, 0, 0));
        TRY(NAME("attribute"), setxattr(p, "user.h7391", "x", 1, 0));
        TRY(NAME("unlink"), unlink(p));
    }
    for (unsigned i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *p = folders[i];
        snprintf(target, sizeof target, "%s/hostile_marker_7391", p);
        TRY(NAME("create in"), open(target, O_CREAT | O_WRONLY, 0600));
        TRY(NAME("temporary in"), open(p, O_TMPFILE | O_WRONLY, 0600));
        TRY(NAME("folder in"), mkdir(target, 0700));
        TRY(NAME("link into"), symlink("/", target));
        TRY(NAME("FIFO in"), mkfifo(target, 0600));
    }
    long flags = 0x10; /* FS_IMMUTABLE_FL */
    TRY("immutable", ioctl(open("/usr/bin", O_RDONLY), 0x40086602, &flags));
    puts("end");
    return 0;
}
