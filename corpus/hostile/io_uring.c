// @hostile io_uring.c
// @group kern
// @tries io_uring: rings in every mode, enter and register without one; its workers make calls that no filter sees
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a ring: IORING_OP_SOCKET and IORING_OP_OPENAT would then pass by the filter. */
int main(void) {
    unsigned flags[] = {0, 1 /* IOPOLL */, 2 /* SQPOLL */, 1 << 6 /* R_DISABLED */, 3 << 12 /* DEFER_TASKRUN */};
    char what[48];
    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
        unsigned parameters[30] = {0, 0, flags[i]};
        snprintf(what, sizeof what, "ring with flags %#x", flags[i]);
        TRY(what, syscall(SYS_io_uring_setup, 8, parameters));
    }
    TRY("enter", syscall(SYS_io_uring_enter, 0, 1, 0, 0, 0, 0));
    TRY("register", syscall(SYS_io_uring_register, -1, 20, 0, 0));
    unsigned long context = 0; /* the older interface to the same end */
    TRY("io_setup", syscall(SYS_io_setup, 1024, &context));
    puts("end");
    return 0;
}
