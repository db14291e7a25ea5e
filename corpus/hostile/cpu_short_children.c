// @hostile cpu_short_children.c
// @group time
// @tries CPU time in thousands of children that live for two milliseconds each: what is dead must still count
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

static double spent(int who) {
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
/* Success looks like three times the CPU time that is allowed, which is a second less than RLIMIT_CPU. */
int main(void) {
    struct rlimit own;
    getrlimit(RLIMIT_CPU, &own);
    while (spent(RUSAGE_CHILDREN) < 3 * (double)(own.rlim_cur - 1)) {
        pid_t p = fork();
        if (p == 0) { clock_t end = clock() + CLOCKS_PER_SEC / 500; while (clock() < end) ; _exit(0); }
        waitpid(p, 0, 0);
    }
    puts("ESCAPED: three times the CPU time");
    return 0;
}
