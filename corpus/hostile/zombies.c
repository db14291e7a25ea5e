// @hostile zombies.c
// @group proc
// @tries children that nobody reaps, their parents alive or gone: dead processes must count, and be reaped by init
// @limits cpu=2 wall=6 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^ORPHANS [1-9]
// @severity hard
// @layer cgroup_pids
// @invariants up noproc nowrite noleft return<=9s
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

/* Success looks like more zombies than processes are allowed. */
int main(void) {
    int n = 0;
    for (; n < 5000; n++) {
        pid_t p = fork();
        if (p == 0) _exit(0);
        if (p < 0) break;
    }
    printf("ZOMBIES %d\n", n);
    if (n > 40) puts("ESCAPED: dead processes do not count");
    while (waitpid(-1, 0, 0) > 0) ;
    int orphans = 0; /* of a parent that died: init reaps them, else the limit is reached soon */
    for (int i = 0; i < 400; i++) {
        pid_t p = fork();
        if (p == 0) { if (fork() == 0) _exit(0); _exit(0); }
        if (p < 0) { usleep(1000); continue; }
        waitpid(p, 0, 0), orphans++;
    }
    printf("ORPHANS %d\n", orphans);
    return 0;
}
