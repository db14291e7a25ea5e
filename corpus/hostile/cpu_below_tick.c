// @hostile cpu_below_tick.c
// @group time
// @tries burns 0.7 ms and sleeps 0.3 ms, between the ticks of a sampling clock, in two processes
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
#include <time.h>

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
/* Success looks like two seconds in each process, as the kernel's exact clock says, under a limit of one for both. */
int main(void) {
    int second = fork();
    while (now(CLOCK_PROCESS_CPUTIME_ID) < 2) {
        double end = now(CLOCK_MONOTONIC) + 0.0007;
        while (now(CLOCK_MONOTONIC) < end) ;
        struct timespec rest = {0, 300000};
        nanosleep(&rest, 0);
    }
    puts("ESCAPED: two seconds");
    if (second) waitpid(second, 0, 0);
    return 0;
}
