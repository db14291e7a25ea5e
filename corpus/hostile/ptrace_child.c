// @hostile ptrace_child.c
// @group kern
// @tries ptrace of an own child and by it, to change system call numbers behind the filter, and reading it by process_vm_*
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
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a traced child, or memory of another process. */
static long traced(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }
int main(void) {
    static char secret[8] = "secret";
    pid_t child = fork();
    if (child == 0) { prctl(PR_SET_DUMPABLE, 1); for (;;) pause(); }
    char got[8];
    struct iovec here = {got, sizeof got}, there = {secret, sizeof secret};
    TRY("traceme", traced());
    TRY("attach", ptrace(PTRACE_ATTACH, child, 0, 0));
    TRY("seize", ptrace(PTRACE_SEIZE, child, 0, 1));
    TRY("seize init", ptrace(PTRACE_SEIZE, 1, 0, 0));
    TRY("vm_readv", process_vm_readv(child, &here, 1, &there, 1, 0));
    TRY("vm_writev", process_vm_writev(child, &here, 1, &there, 1, 0));
    TRY("vm_readv of init", process_vm_readv(1, &here, 1, &there, 1, 0));
    TRY("PR_SET_PTRACER any", prctl(0x59616d61, -1, 0, 0, 0));
    TRY("kcmp with init", syscall(SYS_kcmp, getpid(), 1, 0, 0, 0));
    TRY("process_madvise", syscall(SYS_process_madvise, (int)syscall(SYS_pidfd_open, child, 0), &there, 1, 21, 0));
    TRY("move_pages of init", syscall(SYS_move_pages, 1, 0, 0, 0, 0, 0));
    TRY("migrate_pages of init", syscall(SYS_migrate_pages, 1, 0, 0, 0));
    kill(child, SIGKILL);
    puts("end");
    return 0;
}
