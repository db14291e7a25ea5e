// @hostile exec_from_thread.c
// @group proc
// @tries a second thread executes a program over and over: it takes the pid of the first, and all other threads vanish
// @limits cpu=2 wall=3 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect TLE   (never an internal error)
// @check stdout~^pid 2 after 200$
// @severity hard
// @layer meter, pid_ns
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
#include <pthread.h>

static char **arguments;

static void *again(void *x) {
    (void)x;
    int n = arguments[1] ? atoi(arguments[1]) : 0;
    char count[16], *argv[] = {arguments[0], count, 0};
    snprintf(count, sizeof count, "%d", n + 1);
    if (n == 200) { printf("pid %d after %d\n", getpid() == 2 ? 2 : -1, n); fflush(stdout); for (;;) pause(); }
    execv("/proc/self/exe", argv);
    return 0;
}
/* Success looks like a run that is over with the first exec; it has to be ended by the wall clock. */
int main(int argc, char **argv) {
    (void)argc;
    arguments = argv;
    pthread_t t;
    pthread_create(&t, 0, again, 0);
    for (;;) pause();
}
