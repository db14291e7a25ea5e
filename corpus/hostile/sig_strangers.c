// @hostile sig_strangers.c
// @group sig
// @tries signals to init and to pids it cannot know by every way: kill, tgkill, sigqueue, F_SETOWN, timers, mq_notify, death signals
// @limits cpu=1 wall=4 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^end$
// @severity hard
// @layer pid_ns, user_ns
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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* Success looks like a process besides itself and init that takes a signal. Init is there, and ignores them. */
int main(void) {
    int own = getpid(), s[2];
    for (int pid = 1; pid < 65536; pid++)
        if (pid != own && pid != 1 && kill(pid, 0) == 0) printf("ESCAPED: a stranger with the pid %d\n", pid);
    for (int n = 1; n < 65; n++) {
        kill(1, n), syscall(SYS_tkill, 1, n), syscall(SYS_tgkill, 1, 1, n);
        siginfo_t i = {.si_signo = n, .si_code = -60};
        syscall(SYS_rt_sigqueueinfo, 1, n, &i), syscall(SYS_rt_tgsigqueueinfo, 1, 1, n, &i);
        i.si_code = 1; /* as if the kernel had sent it */
        if (syscall(SYS_rt_sigqueueinfo, 1, n, &i) == 0) printf("ESCAPED: a signal %d in the kernel's name\n", n);
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0) { /* input on a socket sends whom F_SETOWN names a signal */
        int to[] = {1, -1, getppid(), 2, 3};
        for (unsigned k = 0; k < sizeof to / sizeof *to; k++) {
            if (to[k] == own || to[k] == -own) continue;
            fcntl(s[0], F_SETOWN, to[k]), fcntl(s[0], F_SETSIG, SIGKILL), fcntl(s[0], F_SETFL, O_ASYNC | O_NONBLOCK);
            (void)!write(s[1], "x", 1);
        }
    }
    struct sigevent e = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGKILL};
    e._sigev_un._tid = 1;
    timer_t t;
    if (timer_create(CLOCK_MONOTONIC, &e, &t) == 0) puts("ESCAPED: a timer for a thread of init");
    int before = 0;
    prctl(PR_GET_PDEATHSIG, &before);
    printf("dies with its parent: %d\n", before);
    if (setpgid(own, 1) == 0) puts("ESCAPED: in the group of init");
    puts("end");
    return 0;
}
