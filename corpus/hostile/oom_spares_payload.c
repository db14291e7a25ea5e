// @hostile oom_spares_payload.c
// @group mem
// @tries aims the OOM killer at init: many small processes, lower OOM scores, and memory that belongs to no process (tmpfs, pipes)
// @limits cpu=3 wall=6 mem=32 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,RTE,TLE,OK   (never an internal error)
// @severity hard
// @layer cgroup_memory, landlock
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

/* Success looks like an engine error instead of an answer, because init died: the kernel picks the largest process, and
   with memory in files, all of them are smaller than init. */
int main(void) {
    for (int i = 0; i < 40; i++)
        if (fork() == 0) {
            int f = open("/proc/self/oom_score_adj", O_WRONLY);
            if (f >= 0) (void)!write(f, "-1000", 5), (void)!write(f, "0", 1);
            for (;;) pause();
        }
    static char block[1 << 16];
    memset(block, 1, sizeof block);
    for (int n = 0; n < 64; n++) {
        char path[32];
        snprintf(path, sizeof path, "/dev/shm/fill%d", n);
        int f = open(path, O_CREAT | O_WRONLY, 0600);
        for (int i = 0; f >= 0 && i < 64; i++) if (write(f, block, sizeof block) < 0) break;
        close(f);
        int p[2];
        if (pipe2(p, O_NONBLOCK)) continue;
        fcntl(p[1], F_SETPIPE_SZ, 1 << 20);
        while (write(p[1], block, sizeof block) > 0) ;
    }
    for (;;) if (!malloc(1 << 16)) return 1;
}
