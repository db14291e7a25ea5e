// @hostile mem_messages.c
// @group mem
// @tries System V queues and semaphores, and POSIX queues, as many and as full as they can be
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, ipc_ns, rlimits
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
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

/* Success looks like 128 MB in queues or semaphores under a limit of 64, or more POSIX queues than RLIMIT_MSGQUEUE. */
int main(void) {
    long bytes = 0, posix = 0;
    struct { long type; char text[8000]; } m = {1, {1}};
    for (int n = 0; n < 4000; n++) { /* POSIX: 256 KB in all, where landlock lets it have any */
        char name[32];
        struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = 8000};
        snprintf(name, sizeof name, "/h7391-%d", n);
        mqd_t q = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &a);
        if (q == (mqd_t)-1) break;
        while (mq_send(q, m.text, sizeof m.text, 0) == 0) posix += (long)sizeof m.text;
        mq_close(q);
    }
    printf("POSIX %ld\n", posix);
    if (posix > 1 << 20) puts("ESCAPED: POSIX queues are not limited");
    fflush(stdout);
    for (int n = 0; n < 32000 && bytes < 256 << 20; n++) {
        int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        if (q < 0) break;
        while (msgsnd(q, &m, sizeof m.text, IPC_NOWAIT) == 0) bytes += (long)sizeof m.text;
    }
    printf("queues %ld\n", bytes);
    if (bytes > 128 << 20) puts("ESCAPED: 128 MB in queues");
    fflush(stdout);
    int sets = 0;
    while (sets < 2000 && semget(IPC_PRIVATE, 32000, IPC_CREAT | 0600) >= 0) sets++;
    printf("semaphore sets %d\n", sets);
    if (sets > 100) puts("ESCAPED: 200 MB of semaphores");
    return 0;
}
