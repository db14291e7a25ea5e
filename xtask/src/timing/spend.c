/* Spends CPU time: `compute N` in registers, with as much to do side by side as a core can take, `memory N` on a walk through 128 MiB in random order. Says what it cost, in
   microseconds of CPU and wall time, and how often the kernel took the CPU away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { LINES = 2 * 1024 * 1024 };
struct line { size_t next; char fill[64 - sizeof(size_t)]; };

static unsigned long long state = 88172645463325252ULL;

/* xorshift64 */
static unsigned long long step(unsigned long long x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

/* Four streams that do not need each other keep the core's units busy, so that one that shares them would be noticed. */
static unsigned long long compute(long long n)
{
    unsigned long long a = state, b = a + 1, c = a + 2, d = a + 3;
    for (long long i = 0; i < n; i++) {
        a = step(a);
        b = step(b);
        c = step(c);
        d = step(d);
    }
    return a ^ b ^ c ^ d;
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
        result = compute(n);
    } else {
        struct line *lines = aligned_alloc(64, sizeof(struct line) * LINES);
        if (!lines)
            return 3;
        /* Sattolo's shuffle: one cycle through all of them. */
        for (size_t i = 0; i < LINES; i++)
            lines[i].next = i;
        for (size_t i = LINES - 1; i > 0; i--) {
            state = step(state);
            size_t j = state % i, other = lines[i].next;
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
