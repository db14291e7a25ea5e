// @hostile stop_children.c
// @group time
// @tries 20 children that stop themselves, and stopped threads of a terminal kind; the first process leaves them there
// @limits cpu=1 wall=4 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK   (never an internal error)
// @check stdout~^left$
// @severity hard
// @layer pid_ns
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

/* Success looks like stopped processes that are left, or an answer that waits for them. */
int main(void) {
    int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int i = 0; i < 20; i++)
        if (fork() == 0) { setsid(); for (;;) raise(signals[i % 4]), kill(getpid(), SIGSTOP); }
    usleep(200000);
    puts("left");
    return 0;
}
