/* Spends CPU time: `compute N` in registers, `memory N` on a walk through 128 MiB in random order. Says what it cost, in
   microseconds of CPU and wall time, and how often the kernel took the CPU away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LINES = 2 * 1024 * 1024 };
struct line { size_t next; char fill[64 - sizeof(size_t)]; };

static unsigned long long state = 88172645463325252ULL;

/* xorshift64: each step needs the one before, so that nothing can be done beforehand or side by side. */
static unsigned long long step(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static long long micros(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long long began = micros(CLOCK_MONOTONIC), n = atoll(argv[2]);
    volatile size_t result = 0;
    if (!strcmp(argv[1], "compute")) {
        for (long long i = 0; i < n; i++)
            step();
        result = state;
    } else {
        struct line *lines = aligned_alloc(64, sizeof(struct line) * LINES);
        if (!lines)
            return 3;
        /* Sattolo's shuffle: one cycle through all of them. */
        for (size_t i = 0; i < LINES; i++)
            lines[i].next = i;
        for (size_t i = LINES - 1; i > 0; i--) {
            size_t j = step() % i, other = lines[i].next;
            lines[i].next = lines[j].next;
            lines[j].next = other;
        }
        size_t at = 0;
        for (long long i = 0; i < n; i++)
            at = lines[at].next;
        result = at;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%lld %lld %ld %d\n", micros(CLOCK_PROCESS_CPUTIME_ID), micros(CLOCK_MONOTONIC) - began, usage.ru_nivcsw,
           result == 1);
    return 0;
}
