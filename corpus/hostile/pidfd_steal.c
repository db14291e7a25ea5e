// @hostile pidfd_steal.c
// @group kern
// @tries pidfd_getfd of init's descriptors and of an own child, pidfd signals to init, waiting for it, releasing its memory
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, user_ns, pid_ns
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
#include <poll.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a descriptor of init (its link to the broker), or a signal that it takes. */
int main(void) {
    int init = (int)syscall(SYS_pidfd_open, 1, 0), own = (int)syscall(SYS_pidfd_open, getpid(), 0);
    char what[48];
    for (int n = 0; n < 16; n++) {
        snprintf(what, sizeof what, "descriptor %d of init", n);
        TRY(what, init < 0 ? -1 : syscall(SYS_pidfd_getfd, init, n, 0));
    }
    TRY("own descriptor", own < 0 ? -1 : syscall(SYS_pidfd_getfd, own, 1, 0));
    for (int s = 0; s <= 64; s++) { /* pid 1 takes no signal of its own namespace that it does not handle */
        siginfo_t info = {.si_signo = s, .si_code = SI_QUEUE};
        errno = 0;
        if (init >= 0 && syscall(SYS_pidfd_send_signal, init, s, 0, 0) == 0) printf("ESCAPED: signal %d to init\n", s);
        if (init >= 0 && syscall(SYS_pidfd_send_signal, init, s, &info, 0) == 0) printf("ESCAPED: queued %d\n", s);
    }
    TRY("process_mrelease", init < 0 ? -1 : syscall(448, init, 0));
    siginfo_t info;
    TRY("waitid on init", init < 0 ? -1 : waitid(P_PIDFD, (id_t)init, &info, WEXITED | WNOHANG));
    /* Pids outside: numbers that the namespace does not have. */
    for (int pid = 3; pid < 65536; pid++) {
        if (pid == getpid()) continue;
        int f = (int)syscall(SYS_pidfd_open, pid, 0);
        if (f >= 0) { printf("ESCAPED: a stranger's pid %d\n", pid); close(f); }
    }
    puts("end");
    return 0;
}
