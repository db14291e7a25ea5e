// @hostile handlers.cpp
// @group time
// @tries survives its own faults: handlers for every signal on another stack that continue behind the fault, SIGXCPU included
// @limits cpu=1 wall=5 mem=256 procs=32 out=1 disk=64 ccwall=20
// @expect TLE,RTE   (never an internal error)
// @severity hard
// @layer meter
// @invariants up noproc nowrite noleft return<=8s
#include <csignal>
#include <cstdlib>
#include <sys/resource.h>
#include <ucontext.h>

static void on(int, siginfo_t *, void *context) {
    static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP] += 2; // behind ud2
}

// Success looks like a program that the CPU limit does not end: SIGXCPU is handled, only SIGKILL helps.
int main() {
    stack_t other = {std::malloc(65536), 0, 65536};
    sigaltstack(&other, nullptr);
    for (int i = 1; i < 65; i++) {
        struct sigaction a = {};
        a.sa_sigaction = on;
        a.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(i, &a, nullptr);
    }
    rlimit soft = {1, RLIM_INFINITY};
    setrlimit(RLIMIT_CPU, &soft);
    for (;;) __asm__ volatile("ud2");
}
