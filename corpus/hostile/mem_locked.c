// @hostile mem_locked.c
// @group mem
// @tries locks memory by mlock, mlockall and MAP_LOCKED in many processes: what is locked cannot be reclaimed
// @limits cpu=4 wall=8 mem=96 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, cgroup_memory
// @invariants up noproc nowrite noleft return<=11s
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
#include <sys/resource.h>

/* Success looks like more than 8 MB locked in a process, or more in all than the memory limit of 96. */
int main(void) {
    int pipes[2];
    if (pipe(pipes)) return 1;
    for (int i = 0; i < 20; i++) {
        if (fork()) continue;
        long locked = 0;
        for (int k = 0; k < 16; k++) {
            int flags = MAP_PRIVATE | MAP_ANONYMOUS | (k % 2 ? MAP_LOCKED : 0);
            void *m = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, flags, -1, 0);
            if (m != MAP_FAILED && (k % 2 || mlock(m, 1 << 20) == 0)) locked++;
        }
        mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
        (void)!write(pipes[1], &locked, sizeof locked);
        pause();
    }
    long total = 0, one;
    for (int i = 0; i < 20 && read(pipes[0], &one, sizeof one) == sizeof one; i++) {
        if (one > 8) printf("ESCAPED: %ld MB are locked in a process\n", one);
        total += one;
    }
    printf("locked %ld MB\n", total);
    if (total > 96) puts("ESCAPED: more is locked than there may be");
    return 0;
}
