// @hostile personality.c
// @group kern
// @tries personalities that switch protections off: no randomised addresses, readable means executable, mapping of page zero
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^personality 0$
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
#include <sys/mman.h>
#include <sys/personality.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
/* Success looks like a personality other than PER_LINUX afterwards, or memory at address zero. */
static long become(unsigned long persona) {
    if (personality(persona) < 0) return -1;
    return personality(0xffffffff) == (int)persona ? (long)persona : -1;
}
int main(void) {
    struct { const char *name; unsigned long value; } all[] = {
        {"ADDR_NO_RANDOMIZE", 0x0040000}, {"READ_IMPLIES_EXEC", 0x0400000}, {"MMAP_PAGE_ZERO", 0x0100000},
        {"ADDR_COMPAT_LAYOUT", 0x0200000}, {"PER_LINUX32", 8}, {"PER_SVR4", 0x04100001}, {"UNAME26", 0x0020000},
        {"STICKY_TIMEOUTS", 0x4000000}, {"ADDR_LIMIT_3GB", 0x8000000}};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) TRY(all[i].name, become(all[i].value));
    void *zero = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (zero != MAP_FAILED) puts("ESCAPED: page zero is mapped");
    printf("personality %#x\n", personality(0xffffffff));
    return 0;
}
