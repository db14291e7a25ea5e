// @benign alarm_eintr.c
// @what an interval timer's SIGALRM interrupts a blocked read with EINTR; with SA_RESTART the read goes on; nanosleep says what is left
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=without SA_RESTART: -1 EINTR\nwith SA_RESTART: 1 ! after 3 ticks\nnanosleep -1 EINTR, the rest left
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int pipe_fd[2];
static volatile sig_atomic_t ticks;
static void count(int s) { (void)s; ticks++; }
static void feed(int s) { (void)s; if (ticks < 3 && ++ticks == 3 && write(pipe_fd[1], "!", 1) != 1) _exit(9); }
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}
static void timer(int milliseconds)
{
    setitimer(ITIMER_REAL, &(struct itimerval){{0, milliseconds * 1000}, {0, milliseconds * 1000}}, NULL);
}

int main(void)
{
    char c;
    if (pipe(pipe_fd)) return 1;
    struct sigaction sa = {.sa_handler = count};
    sigaction(SIGALRM, &sa, NULL);
    timer(20);
    ssize_t n = read(pipe_fd[0], &c, 1);
    printf("without SA_RESTART: %zd %s\n", n, n < 0 && errno == EINTR ? "EINTR" : "other");
    sa.sa_handler = feed, sa.sa_flags = SA_RESTART, ticks = 0;
    sigaction(SIGALRM, &sa, NULL);
    n = read(pipe_fd[0], &c, 1);
    printf("with SA_RESTART: %zd %c after %d ticks\n", n, c, (int)ticks);
    struct timespec want = {5, 0}, left = {0};
    double began = now();
    int r = nanosleep(&want, &left);
    int interrupted = errno == EINTR;
    // However late the machine goes on: what it slept and what it says is left are what was wanted.
    double rest = left.tv_sec + left.tv_nsec / 1e9, slept = now() - began;
    printf("nanosleep %d %s, %s\n", r, interrupted ? "EINTR" : "other",
        rest < 5 && rest + slept > 5 - 1e-6 ? "the rest left" : "other rest");
    timer(0);
    return 0;
}
