// @hostile exec_storm.c
// @group proc
// @tries every process executes itself again and again, with as many arguments as are allowed, in 16 processes at once
// @limits cpu=1 wall=8 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE,MLE,RTE   (never an internal error)
// @severity hard
// @layer meter, cgroup_memory
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

/* Success looks like CPU time of programs that were replaced and do not count. */
int main(int argc, char **argv) {
    static char *args[1024], big[4096];
    memset(big, 'x', sizeof big - 1);
    if (argc == 1) for (int i = 0; i < 15; i++) if (fork() == 0) break;
    for (int i = 0; i < 1000; i++) args[i] = big;
    for (;;) execv("/proc/self/exe", args);
    return argv[0][0];
}
