// @hostile overlay_userns.c
// @group kern
// @tries the road of the overlayfs bugs: user and mount namespace, maps written, overlay over /usr, a file copied up with its capabilities
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, user_ns, landlock
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
static long put(const char *path, const char *text) {
    int f = open(path, O_WRONLY);
    return f < 0 ? -1 : write(f, text, strlen(text));
}
/* Success looks like a step that works; each one is tried although the one before it failed. */
static long road(void) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) return -1;
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", "0 1000 1");
    return mount("o", "m", "overlay", 0, "lowerdir=/usr,upperdir=u,workdir=w");
}
int main(void) {
    mkdir("m", 0755), mkdir("u", 0755), mkdir("w", 0755);
    TRY("namespaces", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    TRY("namespaces and overlay", road());
    TRY("overlay", mount("o", "m", "overlay", 0, "lowerdir=/usr,upperdir=u,workdir=w"));
    TRY("overlay in user xattrs", mount("o", "m", "overlay", 0, "lowerdir=/usr,upperdir=u,workdir=w,userxattr"));
    TRY("uid map", put("/proc/self/uid_map", "0 1000 1"));
    TRY("map of everybody", put("/proc/self/uid_map", "0 0 65536"));
    TRY("setgroups", put("/proc/self/setgroups", "allow"));
    puts("end");
    return 0;
}
