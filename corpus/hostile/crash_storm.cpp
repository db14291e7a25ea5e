// @hostile crash_storm.cpp
// @group proc
// @tries crashes in thousands of ways and processes: aborts, faults, traps, stack overflows; the kernel writes lines about each into its log
// @limits cpu=3 wall=8 mem=256 procs=32 out=1 disk=64 ccwall=20
// @expect RTE,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer rlimits, meter
// @invariants up noproc nowrite noleft return<=11s
#include <cstdio>
#include <cstdlib>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noinline)) static int deep(volatile char *above) {
    volatile char frame[65536];
    frame[0] = *above;
    return deep(frame) + frame[1];
}

// Success looks like a core file, a handler of the host that was started for one, or an answer about another signal.
int main() {
    int ended[65] = {};
    for (int i = 0; i < 600; i++) {
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_NAME, "engined[1]: \n");
            volatile int zero = 0;
            switch (i % 6) {
            case 0: std::abort();
            case 1: *reinterpret_cast<volatile int *>(8) = 1; break;
            case 2: __builtin_trap();
            case 3: _exit(1 / zero);
            case 4: throw i;
            default: volatile char c = 0; _exit(deep(&c));
            }
        }
        int status = 0;
        if (child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
            ended[WTERMSIG(status)]++;
            if (WCOREDUMP(status)) std::puts("ESCAPED: a core was written");
        }
    }
    for (int s = 0; s < 65; s++)
        if (ended[s]) std::printf("signal %d: %d\n", s, ended[s]);
    std::abort();
}
