// @hostile snoop_remains.c
// @group snoop
// @tries looks for what others left in memory that is given out fresh: pages, files, pipes, stacks, registers and padding of the kernel
// @limits cpu=3 wall=6 mem=256 procs=32 out=1 disk=64 ccwall=10
// @expect OK,RTE   (never an internal error)
// @check stdout!~ESCAPED ; stdout~^nothing$
// @severity hard
// @layer mount_ns, pid_ns
// @with victim.py
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
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static int dirty(const unsigned char *m, size_t n, const char *what) {
    for (size_t i = 0; i < n; i++)
        if (m[i]) { printf("ESCAPED: %s is not zero at %zu\n", what, i); return 1; }
    return 0;
}
/* Success looks like a byte that is not zero, such as a piece of the victim's secret. */
int main(void) {
    for (time_t end = time(0) + 2; time(0) < end;) {
        size_t size = 16 << 20;
        unsigned char *fresh = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) break;
        if (dirty(fresh, size, "a fresh mapping")) break;
        munmap(fresh, size);
        int f = open("/tmp/grown", O_CREAT | O_TRUNC | O_RDWR, 0600), g = memfd_create("grown", 0);
        if (fallocate(f, 0, 0, 4 << 20) || ftruncate(f, 8 << 20) || ftruncate(g, 8 << 20)) break;
        unsigned char *file = mmap(0, 8 << 20, PROT_READ, MAP_SHARED, f, 0);
        unsigned char *memory = mmap(0, 8 << 20, PROT_READ, MAP_SHARED, g, 0);
        if (file == MAP_FAILED || memory == MAP_FAILED) break;
        if (dirty(file, 8 << 20, "a grown file") || dirty(memory, 8 << 20, "a grown memory file")) break;
        munmap(file, 8 << 20), munmap(memory, 8 << 20), close(f), close(g);
    }
    unlink("/tmp/grown");
    puts("nothing");
    return 0;
}
