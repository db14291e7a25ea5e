// @hostile mem_page_tables.c
// @group mem
// @tries page tables and mappings: one byte read in every 2 MB of a terabyte, and as many small mappings as the kernel allows, in many processes
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
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

/* Success looks like 32,768 page tables, which take 128 MB, under a limit of 64. Nothing is written: every page is the
   kernel's zero page. */
int main(void) {
    long tables = 0;
    for (int i = 0; i < 16; i++) { /* small mappings first: every second page protected, 65,530 are allowed */
        if (fork()) continue;
        char *m = mmap(0, 1ul << 28, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        for (long k = 0; m != MAP_FAILED && k < 1l << 28; k += 8192) if (mprotect(m + k, 4096, PROT_NONE)) break;
        pause();
    }
    for (int i = 0; i < 64 && tables < 32768; i++) {
        volatile char *m = mmap(0, 1ul << 34, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (m == MAP_FAILED) break;
        madvise((void *)m, 1ul << 34, MADV_NOHUGEPAGE);
        for (unsigned long k = 0; k < 1ul << 34; k += 1 << 21) { (void)m[k]; tables++; }
    }
    printf("page tables %ld\n", tables);
    if (tables >= 32768) puts("ESCAPED: 128 MB of page tables");
    return 0;
}
