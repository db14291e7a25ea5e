// @hostile ns_new.c
// @group kern
// @tries new namespaces of every kind by clone, clone3 and unshare, alone and together with a user namespace
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a process in a namespace of its own: a user namespace gives it every capability there. */
static long by_clone(unsigned long flags) {
    long p = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (p == 0) _exit(0);
    return p;
}
static long by_clone3(unsigned long flags) {
    unsigned long args[11] = {flags, 0, 0, 0, SIGCHLD};
    long p = syscall(SYS_clone3, args, 64);
    if (p == 0) _exit(0);
    return p;
}
int main(void) {
    struct { const char *name; unsigned long flag; } kinds[] = {
        {"user", CLONE_NEWUSER}, {"pid", CLONE_NEWPID}, {"mount", CLONE_NEWNS}, {"net", CLONE_NEWNET},
        {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80}};
    char what[64];
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (int user = 0; user < 2; user++) {
            unsigned long flags = kinds[i].flag | (user ? CLONE_NEWUSER : 0);
#define NAME(call) (snprintf(what, sizeof what, "%s of %s%s", call, kinds[i].name, user ? " and user" : ""), what)
            if (flags != 0x80) TRY(NAME("clone"), by_clone(flags & ~0x80ul));
            TRY(NAME("clone3"), by_clone3(flags));
            TRY(NAME("unshare"), unshare((int)flags));
            TRY(NAME("unshare, high bits"), syscall(SYS_unshare, flags | 1ul << 40));
        }
    puts("end");
    return 0;
}
