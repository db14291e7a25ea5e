// @hostile prctl_tricks.c
// @group kern
// @tries each option of prctl and arch_prctl that loosens something: no_new_privs off, capabilities kept, memory map moved, seccomp and core scheduling
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, no_new_privs, capabilities
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
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like 0 from one that isn't a question, or a protection that is off afterwards. */
int main(void) {
    struct { const char *name; int option; unsigned long a, b; } all[] = {
        {"no_new_privs off", 38, 0, 0}, {"keep capabilities", 8, 1, 0}, {"securebits", 28, 0, 0},
        {"bounding set", 24, 21, 0}, {"ambient", 47, 2, 21}, {"PR_SET_MM start of code", 35, 1, 4096},
        {"PR_SET_MM exe file", 35, 13, 0}, {"seccomp strict", 22, 1, 0}, {"seccomp filter", 22, 2, 0},
        {"speculation on", 53, 0, 2}, {"core scheduling", 62, 1, 1}, {"unalign", 6, 1, 0}, {"fpemu", 10, 1, 0},
        {"tsc", 26, 2, 0}, {"machine check kill", 33, 1, 1},
        {"io flusher", 57, 1, 0}, {"syscall user dispatch", 59, 1, 0}, {"tagged addresses", 55, 1, 0},
        {"memory merge", 67, 1, 0}, {"mdwe", 65, 1, 0}, {"timer create ids", 77, 1, 0}, {"futex hash", 78, 1, 4}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        TRY(all[i].name, syscall(SYS_prctl, all[i].option, all[i].a, all[i].b, 0, 0));
    TRY("high bits of the option", syscall(SYS_prctl, 1ul << 32 | 22, 1, 0, 0, 0));
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) puts("ESCAPED: no_new_privs is off");
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) puts("ESCAPED: no filter");
    for (int c = 0; c <= 63; c++)
        if (prctl(PR_CAPBSET_READ, c, 0, 0, 0) > 0) printf("ESCAPED: capability %d in the bounding set\n", c);
    prctl(PR_SET_DUMPABLE, 1), prctl(PR_SET_CHILD_SUBREAPER, 1), prctl(PR_SET_NAME, "jaild"); /* allowed, harmless */
    puts("end");
    return 0;
}
