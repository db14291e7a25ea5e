// @hostile mem_memfd.c
// @group mem
// @tries memory files: written, allocated, mapped, sealed, and the descriptors closed while a mapping keeps them
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory
// @invariants up noproc nowrite noleft return<=11s
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

/* Success looks like 512 MB under a limit of 64. */
int main(void) {
    for (int i = 0; i < 64; i++) {
        int f = memfd_create("fill", MFD_ALLOW_SEALING);
        if (f < 0 || ftruncate(f, 8 << 20)) return 1;
        volatile char *map = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
        if (i % 2 ? fallocate(f, 0, 0, 8 << 20) : 0) { printf("stopped at %d MB\n", 8 * i); return 1; }
        for (int k = 0; map != MAP_FAILED && k < 8 << 20; k += 4096) map[k] = 1;
        fcntl(f, F_ADD_SEALS, F_SEAL_SHRINK);
        if (i % 3) close(f);
    }
    puts("ESCAPED: 512 MB in memory files");
    return 0;
}
