// @hostile mem_huge_pages.c
// @group mem
// @tries takes the host's reserved huge pages, which no memory limit counts: MAP_HUGETLB, memfd, System V; and transparent ones, which count
// @limits cpu=4 wall=8 mem=64 procs=64 out=1 disk=256 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer seccomp, cgroup_memory
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
#include <sys/shm.h>

/* Success looks like reserved pages in use: they are taken from a pool that the administrator set aside for a database.
   Where the pool is empty the kernel says ENOMEM: then the filter has to be there for another host. */
static void *huge(int size_log) {
    size_t size = 1ul << size_log;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size_log << 26;
    return mmap(0, size, PROT_READ | PROT_WRITE, flags, -1, 0);
}
int main(void) {
    for (int log = 21; log <= 30; log += 9)
        for (int i = 0; i < 64; i++) {
            char *m = huge(log);
            if (m == MAP_FAILED) break;
            *(volatile char *)m = 1;
            printf("ESCAPED: a huge page of 2^%d\n", log);
        }
    int f = memfd_create("huge", MFD_HUGETLB);
    if (f >= 0) puts("ESCAPED: a memory file of huge pages");
    if (shmget(IPC_PRIVATE, 2 << 20, IPC_CREAT | SHM_HUGETLB | 0600) >= 0) puts("ESCAPED: a segment of huge pages");
    fflush(stdout);
    char *m = mmap(0, 512 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(m, 512 << 20, MADV_HUGEPAGE);
    for (long k = 0; k < 512 << 20; k += 1 << 21) ((volatile char *)m)[k] = 1;
    puts("touched 256 times 2 MB"); /* with transparent pages that is 512 MB */
    return 0;
}
