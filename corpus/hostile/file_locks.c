// @hostile file_locks.c
// @group mem
// @tries record locks on single bytes, hundreds of thousands: each takes kernel memory that the memory limit does not count
// @limits cpu=4 wall=8 mem=24 procs=64 out=1 disk=64 ccwall=10
// @expect MLE,RTE,OK,TLE   (never an internal error)
// @check stdout!~ESCAPED
// @severity policy
// @waived SQLite and others need record locks, and no limit counts them; see SECURITY.md
// @layer rlimits, meter
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

/* Success looks like 220,000 locks, 40 MB, under a limit of 24. Linux counts locks nowhere (RLIMIT_LOCKS does nothing,
   their slab is not charged) and SQLite needs them, so what bounds them is CPU time: about a microsecond each. */
int main(void) {
    long locks = 0;
    for (int n = 0; n < 240; n++) {
        char path[32];
        snprintf(path, sizeof path, "lock%d", n);
        int f = open(path, O_CREAT | O_RDWR, 0600);
        for (long k = 1000; f >= 0 && k > 0; k--) { /* the kernel compares with all of a file */
            struct flock l = {.l_type = k % 2 ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET, .l_start = k, .l_len = 1};
            if (fcntl(f, F_SETLK, &l)) break;
            locks++;
        }
    }
    printf("locks %ld\n", locks);
    if (locks > 220000) puts("ESCAPED: 220,000 locks");
    return 0;
}
