// @hostile cpu_below_tick.c
// @group time
// @tries burns 0.7 ms and sleeps 0.3 ms, between the ticks of a sampling clock, in four processes
// @limits cpu=1 wall=12 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=8s
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
#include <time.h>

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/* Success looks like a process that alone has used the CPU time of all, a second less than RLIMIT_CPU. */
int main(void) {
    struct rlimit own;
    getrlimit(RLIMIT_CPU, &own);
    pid_t first = getpid();
    for (int i = 0; i < 2; i++) fork();
    while (now(CLOCK_PROCESS_CPUTIME_ID) < (double)(own.rlim_cur - 1)) {
        double end = now(CLOCK_MONOTONIC) + 0.0007;
        while (now(CLOCK_MONOTONIC) < end) ;
        struct timespec rest = {0, 300000};
        nanosleep(&rest, 0);
    }
    puts("ESCAPED: one of four has used all");
    while (getpid() == first && waitpid(-1, 0, 0) > 0) ;
    return 0;
}
