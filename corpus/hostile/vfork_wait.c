// @hostile vfork_wait.c
// @group proc
// @tries processes that wait where signals do not wake them: a deep chain of vfork, FIFOs that nobody opens, locks, and a robust futex
// @limits cpu=1 wall=2 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
// @severity hard
// @layer meter, cgroup_pids
// @invariants up noproc nowrite noleft return<=5s
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
#include <sys/file.h>
#include <sys/stat.h>

static void chain(int depth) {
    if (depth == 0) for (;;) pause();
    if (vfork() == 0) chain(depth - 1);
    _exit(0);
}
/* Success looks like a process that SIGKILL does not reach before the answer. */
int main(void) {
    for (int i = 1; i < 65; i++) signal(i, SIG_IGN);
    mkfifo("fifo", 0600);
    if (fork() == 0) chain(10);
    if (fork() == 0) { (void)!open("fifo", O_RDONLY); for (;;) pause(); }
    if (fork() == 0) { flock(open("/box", O_RDONLY), LOCK_EX); for (;;) pause(); }
    usleep(100000);
    if (fork() == 0) { flock(open("/box", O_RDONLY), LOCK_EX); for (;;) pause(); }
    if (fork() == 0) { int word = 0; for (;;) syscall(SYS_futex, &word, 0, 0, 0, 0, 0); }
    (void)!open("fifo", O_RDONLY);
    for (;;) pause();
}
