// @benign stack_overflow_alt.c
// @what endless recursion below a stack limit that the program chose (4 MB): SIGSEGV on an alternate stack, and an exit code of its own
// @limits cpu=5 wall=10
// @expect exit=3
// @expect out=stack overflow caught
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void handler(int s)
{
    (void)s;
    if (write(1, "stack overflow caught\n", 22) != 22) _exit(4);
    _exit(3);
}
__attribute__((noinline)) static int deeper(volatile char *p)
{
    volatile char frame[4096];
    frame[0] = p ? p[0] : 0;
    return deeper(frame) + frame[1];
}

int main(void)
{
    struct rlimit r;
    getrlimit(RLIMIT_STACK, &r);
    r.rlim_cur = 4 << 20;
    if (setrlimit(RLIMIT_STACK, &r)) return 1;
    stack_t alt = {.ss_sp = malloc(65536), .ss_size = 65536};
    struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    if (sigaltstack(&alt, NULL) || sigaction(SIGSEGV, &sa, NULL)) return 2;
    return deeper(NULL);
}
