// @hostile mem_shared_anon.c
// @group mem
// @tries shared anonymous memory, touched by children that end: it belongs to no process of its own
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
    for (int i = 0; i < 32; i++) {
        volatile char *map = mmap(0, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED) return 1;
        int st = 0;
        pid_t p = fork();
        if (p == 0) { for (int k = 0; k < 16 << 20; k += 4096) map[k] = 1; _exit(0); }
        if (p < 0 || waitpid(p, &st, 0) < 0 || st) { printf("stopped at %d MB\n", 16 * i); return 1; }
    }
    puts("ESCAPED: 512 MB of shared memory");
    return 0;
}
