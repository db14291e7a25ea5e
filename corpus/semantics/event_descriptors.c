// @benign event_descriptors.c
// @what epoll over eventfd, timerfd, signalfd, inotify and a pidfd: event loops work, each source fires once
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=event 3, timer 1, signal SIGUSR2, file "made", child ended
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t child = fork();
    if (child == 0) _exit(0);
    int fd[5] = {eventfd(0, EFD_NONBLOCK), timerfd_create(CLOCK_MONOTONIC, 0), signalfd(-1, &set, 0), inotify_init1(0),
        (int)syscall(SYS_pidfd_open, child, 0)};
    int loop = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 5; i++) {
        struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = i};
        if (fd[i] < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd[i], &e)) {
            printf("source %d ", i);
            fflush(stdout);
            perror("failed");
            return 1;
        }
    }
    timerfd_settime(fd[1], 0, &(struct itimerspec){{0, 0}, {0, 20000000}}, NULL);
    inotify_add_watch(fd[3], ".", IN_CREATE);
    eventfd_write(fd[0], 1), eventfd_write(fd[0], 2), kill(getpid(), SIGUSR2);
    close(open("made", O_CREAT | O_WRONLY, 0600));
    union { eventfd_t n; struct signalfd_siginfo s; struct inotify_event i; char raw[512]; } got[5];
    for (int seen = 0; seen < 5; seen++) {
        struct epoll_event e;
        if (epoll_wait(loop, &e, 1, 5000) != 1) return 2;
        int i = (int)e.data.u32;
        if (i < 4 && read(fd[i], &got[i], sizeof got[i]) <= 0) return 3;
    }
    int status = 1;
    waitpid(child, &status, 0);
    printf("event %d, timer %d, signal %s, file \"%s\", %s\n", (int)got[0].n, (int)got[1].n,
           got[2].s.ssi_signo == SIGUSR2 ? "SIGUSR2" : "?", got[3].i.name, status ? "?" : "child ended");
    return 0;
}
