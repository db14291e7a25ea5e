// @hostile ns_enter.c
// @group kern
// @tries setns into each namespace of init, of itself and by pidfd, and the pidfd's own ioctls that hand out namespaces
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, user_ns
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like an opened namespace of init, or a setns that works. */
static long enter(const char *path) {
    int f = open(path, O_RDONLY);
    if (f < 0) return -1;
    if (strstr(path, "/1/")) printf("ESCAPED: opened %s\n", path);
    return syscall(SYS_setns, f, 0);
}
int main(void) {
    const char *kinds[] = {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup", "time", "pid_for_children"};
    const char *of[] = {"self", "1"};
    char path[64];
    for (int o = 0; o < 2; o++)
        for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            snprintf(path, sizeof path, "/proc/%s/ns/%s", of[o], kinds[i]);
            TRY(path, enter(path));
        }
    int init = (int)syscall(SYS_pidfd_open, 1, 0);
    TRY("setns to init's pidfd", syscall(SYS_setns, init, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET));
    for (unsigned nr = 1; init >= 0 && nr <= 10; nr++) { /* PIDFD_GET_*_NAMESPACE, since 6.11 */
        snprintf(path, sizeof path, "pidfd ioctl %u on init", nr);
        TRY(path, ioctl(init, _IO(0xFF, nr), 0));
    }
    int own = open("/proc/self/ns/user", O_RDONLY); /* NS_GET_PARENT: a run's parent namespace is not for the payload */
    TRY("parent user namespace", own < 0 ? -1 : ioctl(own, _IO(0xb7, 2)));
    int pid = open("/proc/self/ns/pid", O_RDONLY);
    TRY("parent pid namespace", pid < 0 ? -1 : ioctl(pid, _IO(0xb7, 2)));
    TRY("owner of the pid namespace", pid < 0 ? -1 : ioctl(pid, _IO(0xb7, 1)));
    puts("end");
    return 0;
}
