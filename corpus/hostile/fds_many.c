// @hostile fds_many.c
// @group mem
// @tries as many descriptors as there are, of every kind (files, epoll, eventfd, timerfd, signalfd, inotify, pidfd, sockets), in 60 processes
// @limits cpu=4 wall=8 mem=128 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, cgroup_memory
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
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static int make(int kind) {
    sigset_t all;
    sigfillset(&all);
    switch (kind % 8) {
    case 0: return open("/proc/self/stat", O_RDONLY);
    case 1: return epoll_create1(0);
    case 2: return eventfd(0, 0);
    case 3: return timerfd_create(CLOCK_MONOTONIC, 0);
    case 4: return signalfd(-1, &all, 0);
    case 5: return inotify_init();
    case 6: return (int)syscall(SYS_pidfd_open, getpid(), 0);
    default: return socket(AF_INET, SOCK_STREAM, 0);
    }
}
/* Success looks like a process with more than 256, or inotify instances beyond the run's own 16. */
int main(void) {
    struct rlimit more = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &more);
    int result[2];
    long total = 0, watchers = 0, one[2];
    if (pipe(result)) return 1;
    for (int i = 0; i < 60; i++) {
        pid_t p = fork();
        if (p == 0) {
            long mine[2] = {0, 0};
            int watched = epoll_create1(0);
            for (int k = 0, missed = 0; missed < 8; k++) {
                int f = make(k);
                if (f < 0) { missed++; continue; }
                missed = 0, mine[0]++;
                if (k % 8 == 5) mine[1]++;
                struct epoll_event e = {.events = EPOLLIN};
                epoll_ctl(watched, EPOLL_CTL_ADD, f, &e);
            }
            (void)!write(result[1], mine, sizeof mine);
            pause();
        }
        if (p < 0 || read(result[0], one, sizeof one) != sizeof one) break;
        if (one[0] > 256) printf("ESCAPED: %ld descriptors in a process\n", one[0]);
        total += one[0], watchers += one[1];
    }
    printf("descriptors %ld, inotify %ld\n", total, watchers);
    if (watchers > 16) puts("ESCAPED: more inotify instances than the run may have");
    return 0;
}
