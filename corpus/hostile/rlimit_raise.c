// @hostile rlimit_raise.c
// @group kern
// @tries raises its own limits, and changes limits, priority, scheduling and affinity of init and of strangers
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, capabilities, user_ns
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
#include <sys/resource.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long scheduler(int pid, int policy, int priority) {
    struct sched_param p = {priority};
    return sched_setscheduler(pid, policy, &p);
}
/* Success looks like a limit above the hard one, or any change to init. */
int main(void) {
    char what[64];
    for (int r = 0; r < 16; r++) {
        struct rlimit old, most = {RLIM_INFINITY, RLIM_INFINITY};
        if (getrlimit((unsigned)r, &old)) continue;
        if (old.rlim_max != RLIM_INFINITY) {
            struct rlimit one = {old.rlim_max + 1, old.rlim_max + 1};
            snprintf(what, sizeof what, "limit %d one up", r);
            TRY(what, setrlimit((unsigned)r, &one));
            snprintf(what, sizeof what, "limit %d unlimited", r);
            TRY(what, setrlimit((unsigned)r, &most));
        }
        snprintf(what, sizeof what, "limit %d of init", r);
        TRY(what, prlimit(1, (unsigned)r, &most, 0));
        snprintf(what, sizeof what, "limit %d of init, read", r);
        TRY(what, prlimit(1, (unsigned)r, 0, &old));
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    TRY("affinity of init", sched_setaffinity(1, sizeof one, &one));
    TRY("priority of init", setpriority(PRIO_PROCESS, 1, 19));
    TRY("idle init", scheduler(1, SCHED_IDLE, 0));
    TRY("I/O priority of init", syscall(SYS_ioprio_set, 1, 1, 3 << 13));
    TRY("process group of init", setpgid(1, 0));
    TRY("robust list of init", ({ void *h; size_t n; syscall(SYS_get_robust_list, 1, &h, &n); }));
    TRY("priority of another user's", setpriority(PRIO_USER, 65534, 19));
    puts("end");
    return 0;
}
