// @hostile sig_queue.c
// @group sig
// @tries queues real-time signals that are blocked, to itself, its children and init, until the kernel has no more for anybody
// @limits cpu=2 wall=4 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits
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

/* Success looks like more than the run's 1,024, which are counted for the user and every namespace above. */
int main(void) {
    sigset_t all;
    sigfillset(&all), sigprocmask(SIG_BLOCK, &all, 0);
    int queued = 0;
    pid_t child = 0;
    for (int i = 0; i < 16; i++) {
        child = fork();
        if (child == 0) for (;;) pause();
        for (int n = 0; n < 5000; n++) {
            union sigval v = {n};
            if (sigqueue(i % 2 ? getpid() : child, SIGRTMIN + i % 8, v)) break;
            queued++;
        }
    }
    for (int n = 0; n < 5000; n++) { union sigval v = {n}; if (sigqueue(1, SIGRTMIN, v)) break; }
    printf("queued %d\n", queued);
    if (queued > 2048) puts("ESCAPED: signals are queued without limit");
    fflush(stdout);
    _exit(0);
}
