// @benign signal_queue.c
// @what blocked, pending and queued signals, siginfo with value and sender, sigwaitinfo, sigtimedwait, real-time signals in order
// @limits cpu=5 wall=10
// @expect exit=0
// @expect out=handled 1 value 7 from me 1\nblocked: seen 0 pending 1\nafter sigsuspend: seen 1\nrt +0 value 3\nrt +1 value 1\nrt +1 value 2\nnone left: 1
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t seen, value, from_me;
static void handler(int s, siginfo_t *i, void *ctx)
{
    (void)ctx;
    seen = s;
    value = i->si_value.sival_int;
    from_me = i->si_pid == getpid();
}

int main(void)
{
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigset_t set, pending, old;
    sigaction(SIGUSR1, &sa, NULL);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7});
    printf("handled %d value %d from me %d\n", seen == SIGUSR1, (int)value, (int)from_me);
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, &old);
    seen = 0;
    raise(SIGUSR1), raise(SIGUSR1);
    sigpending(&pending);
    printf("blocked: seen %d pending %d\n", (int)seen, sigismember(&pending, SIGUSR1));
    sigset_t none = old;
    sigsuspend(&none);  /* lets the pending one in */
    printf("after sigsuspend: seen %d\n", seen == SIGUSR1);
    for (int i = 1; i <= 3; i++) sigqueue(getpid(), SIGRTMIN + (i == 3 ? 0 : 1), (union sigval){.sival_int = i});
    siginfo_t info;
    for (int i = 0; i < 3; i++) {
        int s = sigwaitinfo(&set, &info);
        printf("rt +%d value %d\n", s - SIGRTMIN, info.si_value.sival_int);
    }
    struct timespec zero = {0};
    printf("none left: %d\n", sigtimedwait(&set, &info, &zero) == -1 && errno == EAGAIN);
    return 0;
}
