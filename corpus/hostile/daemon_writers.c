// @hostile daemon_writers.c
// @group proc
// @tries daemons (double fork, setsid, every signal ignored) that go on writing to the standard output of a program that has ended
// @limits cpu=2 wall=4 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK,OLE,TLE   (never an internal error)
// @check stdout~^done$
// @severity hard
// @layer pid_ns, output_cap
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

/* Success looks like an answer that waits for the daemons, or output beyond the cap. */
int main(void) {
    puts("done");
    fflush(stdout);
    for (int i = 0; i < 8; i++) {
        if (fork()) continue;
        setsid();
        if (fork()) _exit(0);
        for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
        (void)!chdir("/");
        static char block[65536];
        memset(block, 'd', sizeof block);
        for (;;) (void)!write(1 + i % 2, block, sizeof block);
    }
    usleep(200000);
    return 0;
}
