// @benign sigpipe_default.c
// @what every signal starts with its default action and unblocked (runtimes that start programs ignore SIGPIPE for themselves), so writing to a closed pipe kills
// @limits cpu=5 wall=10
// @expect signal=SIGPIPE
// @expect out=all default
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    sigset_t mask;
    struct sigaction sa;
    int pipe_fd[2];
    sigprocmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s <= 64; s++) {
        if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler != SIG_DFL) printf("signal %d is not default\n", s);
        if (sigismember(&mask, s) == 1) printf("signal %d is blocked\n", s);
    }
    puts("all default");
    fflush(stdout);
    if (pipe(pipe_fd) || close(pipe_fd[0])) return 1;
    if (write(pipe_fd[1], "x", 1) < 0) return 2;
    return 0;
}
