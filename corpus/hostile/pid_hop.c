// @hostile pid_hop.c
// @group proc
// @tries a chain of processes of which each lives for a moment only, so that whoever kills by pid is always late; the first one waits
// @limits cpu=2 wall=3 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE,RTE,MLE   (never an internal error)
// @severity hard
// @layer cgroup_pids, meter, pid_ns
// @invariants up noproc nowrite noleft return<=6s
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

/* Success looks like a run that does not end at its limits, or a process that outlives it. */
int main(void) {
    for (int chain = 0; chain < 8; chain++)
        if (fork() == 0) {
            setsid();
            for (;;) { pid_t p = fork(); if (p > 0) _exit(0); if (p < 0) sched_yield(); }
        }
    for (;;) pause();
}
