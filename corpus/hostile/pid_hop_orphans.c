// @hostile pid_hop_orphans.c
// @group proc
// @tries the same chain, whose first process leaves at once: what hops on must be gone before the answer
// @limits cpu=2 wall=4 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK   (never an internal error)
// @check stdout~^gone$
// @severity hard
// @layer pid_ns, cgroup_pids
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

/* Success looks like an answer that waits for the chain, or a chain that goes on after it. */
int main(void) {
    for (int chain = 0; chain < 8; chain++)
        if (fork() == 0) {
            setsid();
            for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
            for (;;) { pid_t p = fork(); if (p > 0) _exit(0); if (p < 0) sched_yield(); }
        }
    puts("gone");
    return 0;
}
