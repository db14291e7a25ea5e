// @hostile timer_storm.c
// @group time
// @tries POSIX timers, interval timers and timer descriptors at one nanosecond, as many as there are: interrupts must be charged, counts capped
// @limits cpu=1 wall=5 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, meter
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
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

/* Success looks like more POSIX timers than RLIMIT_SIGPENDING, or CPU time of interrupts that nobody is charged for. */
int main(void) {
    struct itimerspec fast = {{0, 1}, {0, 1}};
    int timers = 0, descriptors = 0;
    signal(SIGALRM, SIG_IGN), signal(SIGVTALRM, SIG_IGN), signal(SIGPROF, SIG_IGN), signal(SIGRTMIN, SIG_IGN);
    for (; timers < 5000; timers++) {
        struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
        timer_t t;
        if (timer_create(CLOCK_MONOTONIC, &e, &t)) break;
        timer_settime(t, 0, &fast, 0);
    }
    for (int f; descriptors < 5000 && (f = timerfd_create(CLOCK_MONOTONIC, 0)) >= 0; descriptors++)
        timerfd_settime(f, 0, &fast, 0);
    struct itimerval quick = {{0, 1}, {0, 1}};
    setitimer(ITIMER_REAL, &quick, 0), setitimer(ITIMER_VIRTUAL, &quick, 0), setitimer(ITIMER_PROF, &quick, 0);
    printf("TIMERS %d %d\n", timers, descriptors);
    if (timers > 2000) puts("ESCAPED: POSIX timers are not limited");
    fflush(stdout);
    for (volatile unsigned long n = 0;; n = n + 1) ;
}
