// @hostile mem_pipes.c
// @group mem
// @tries a thousand pipes of a megabyte, filled, in many processes; and the same pages twice by tee
// @limits cpu=4 wall=8 mem=24 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity hard
// @layer cgroup_memory, uid
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

/* Success looks like 48 MB in pipes under a limit of 24; Linux lets a user have 64 in pipes larger than 8 KB. */
int main(void) {
    static char block[1 << 16];
    long total = 0, one;
    int result[2];
    memset(block, 1, sizeof block);
    if (pipe(result)) return 1;
    for (int i = 0; i < 8; i++) {
        pid_t p = fork();
        if (p == 0) {
            long bytes = 0;
            int q[2];
            while (pipe2(q, O_NONBLOCK) == 0) {
                fcntl(q[1], F_SETPIPE_SZ, 1 << 20);
                for (ssize_t n; (n = write(q[1], block, sizeof block)) > 0;) bytes += n;
            }
            (void)!write(result[1], &bytes, sizeof bytes);
            pause();
        }
        if (p < 0 || read(result[0], &one, sizeof one) != sizeof one) break;
        total += one;
        printf("in pipes: %ld MB\n", total >> 20), fflush(stdout);
    }
    if (total > 48 << 20) puts("ESCAPED: 48 MB in pipes");
    return 0;
}
