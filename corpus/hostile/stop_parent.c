// @hostile stop_parent.c
// @group time
// @tries a child stops the first process again and again while it burns CPU: who waits for the first alone waits for ever
// @limits cpu=1 wall=5 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
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

/* Success looks like a run that neither the CPU limit nor the wall clock ends. */
int main(void) {
    pid_t first = getpid();
    if (fork() == 0) { setsid(); for (;;) { kill(first, SIGSTOP); for (volatile int n = 0; n < 100000; n = n + 1) ; } }
    for (;;) pause();
}
