// @hostile rt_sched.c
// @group time
// @tries real-time, deadline and batch scheduling, negative nice values, utilisation clamps, I/O priority, core scheduling, timer slack
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer capabilities, rlimits
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
#include <sys/resource.h>
/* One attempt in a process of its own, since the filter may kill it: what works is an escape. */
#define TRY(what, call) do { fflush(stdout); int tried = 0; pid_t child_ = fork(); \
    if (child_ == 0) { errno = 0; long r_ = (long)(call); \
        if (r_ >= 0) printf("ESCAPED: %s gave %ld\n", what, r_); else printf("%s: %s\n", what, strerror(errno)); \
        fflush(stdout); _exit(0); } \
    waitpid(child_, &tried, 0); \
    if (WIFSIGNALED(tried)) printf("%s: killed by signal %d\n", what, WTERMSIG(tried)); } while (0)
static long scheduler(int policy, int priority) {
    struct sched_param p = {priority};
    return sched_setscheduler(0, policy, &p);
}
/* Success looks like a priority above that of everybody else. Lower ones are anybody's choice. */
int main(void) {
    struct { unsigned size, policy; unsigned long flags; int nice; unsigned priority; unsigned long runtime,
    deadline, period; }
        deadline = {48, 6, 0, 0, 0, 9000000, 10000000, 10000000}, nice_20 = {48, 0, 0, -20, 0, 0, 0, 0};
    TRY("SCHED_FIFO 1", scheduler(SCHED_FIFO, 1));
    TRY("SCHED_FIFO 99", scheduler(SCHED_FIFO, 99));
    TRY("SCHED_RR 50", scheduler(SCHED_RR, 50));
    TRY("SCHED_DEADLINE", syscall(SYS_sched_setattr, 0, &deadline, 0));
    TRY("nice -20 by attributes", syscall(SYS_sched_setattr, 0, &nice_20, 0));
    for (int nice = -20; nice < 0; nice += 19) {
        TRY("nice below zero", setpriority(PRIO_PROCESS, 0, nice));
        TRY("nice of its group", setpriority(PRIO_PGRP, 0, nice));
        TRY("nice of its user", setpriority(PRIO_USER, 0, nice));
    }
    TRY("real-time I/O", syscall(SYS_ioprio_set, 1, 0, 1 << 13 | 0));
    setpriority(PRIO_PROCESS, 0, 19); /* down is allowed; back up is not */
    TRY("back up from 19", setpriority(PRIO_PROCESS, 0, 0));
    int before = sched_getscheduler(0);
    if (before != SCHED_OTHER) printf("ESCAPED: policy %d\n", before);
    puts("end");
    return 0;
}
